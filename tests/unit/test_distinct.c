/* SPDX-License-Identifier: BSD-2-Clause */
/* Things kept once: their numbers, also when there are many, and when there are too many. */
#include "text/distinct.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define MANY 5000

struct thing {
	__u32 words[3];
};

static struct thing thing(__u32 n)
{
	return (struct thing){ { n / 7, n % 7, 0 } };
}

static void equal_ones_have_one_number(void **state)
{
	struct distinct d = { .size = sizeof(struct thing), .max = MANY };
	__u32 number;

	(void)state;
	for (int turn = 0; turn < 2; turn++) {
		for (__u32 i = 0; i < MANY; i++) {
			struct thing t = thing(i);

			assert_int_equal(distinct_put(&d, &t, &number), 0);
			assert_int_equal(number, i);
		}
		assert_int_equal(d.count, MANY);
	}
	for (__u32 i = 0; i < MANY; i++) {
		struct thing t = thing(i);

		assert_memory_equal(distinct_at(&d, i), &t, sizeof(t));
	}
	distinct_release(&d);
}

static void one_too_many(void **state)
{
	struct distinct d = { .size = sizeof(struct thing), .max = 64 };
	struct thing t;
	__u32 number = 99;

	(void)state;
	for (__u32 i = 0; i < 64; i++) {
		t = thing(i);
		assert_int_equal(distinct_put(&d, &t, &number), 0);
	}
	t = thing(64);
	assert_int_equal(distinct_put(&d, &t, &number), -E2BIG);
	assert_int_equal(number, 63);
	t = thing(5);
	assert_int_equal(distinct_put(&d, &t, &number), 0);
	assert_int_equal(number, 5);
	distinct_release(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_ones_have_one_number),
		cmocka_unit_test(one_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
