/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two elements of a map in all mixtures that a reader can see of them while one becomes the
 * other: what was said to another key never passes.
 */
#include <flowner/policy.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WORDS 5

struct element {
	__u64 key[WORDS], said, sealed[WORDS];
};

static void seal(struct element *e)
{
	fl_seal(e->sealed, e->key, WORDS, e->said);
}

static int fits(const __u64 *sealed, const struct element *asked, __u64 said)
{
	return fl_seal_fits(sealed, asked->key, WORDS, said);
}

static void mix_all(const struct element *mine, const struct element *other)
{
	for (unsigned int from = 0; from < 1u << WORDS; from++) {
		__u64 sealed[WORDS];

		for (unsigned int i = 0; i < WORDS; i++)
			sealed[i] = from >> i & 1 ? other->sealed[i] : mine->sealed[i];
		assert_false(fits(sealed, mine, other->said));
	}
	assert_true(fits(mine->sealed, mine, mine->said));
	assert_false(fits(other->sealed, mine, other->said));
}

static __u64 any(void)
{
	return (__u64)rand() << 40 ^ (__u64)rand() << 20 ^ (__u64)rand();
}

static void keys_that_have_nothing_in_common(void **state)
{
	(void)state;
	srand(1);
	for (int n = 0; n < 1000; n++) {
		struct element mine = { .said = any() }, other = { .said = any() };

		for (int i = 0; i < WORDS; i++) {
			mine.key[i] = any();
			other.key[i] = any();
		}
		seal(&mine);
		seal(&other);
		mix_all(&mine, &other);
	}
}

static void keys_of_which_one_bit_differs(void **state)
{
	(void)state;
	for (int bit = 0; bit < WORDS * 64; bit++) {
		struct element mine = { .said = 0 }, other = { .said = 1 };

		memset(mine.key, 0x5a, sizeof(mine.key));
		memcpy(other.key, mine.key, sizeof(mine.key));
		other.key[bit / 64] ^= 1ULL << bit % 64;
		seal(&mine);
		seal(&other);
		mix_all(&mine, &other);
		mix_all(&other, &mine);
	}
}

/* What a policy's values and places lead to: that of another one is none of theirs. */
static void classes_of_values_and_places(void **state)
{
	const struct fl_policy_value values[] = { { 1, 100 }, { 1, 101 }, { 2, 100 } };
	const struct fl_policy_place places[] = { { 0, 1, 7, 8, 9 }, { 1, 1, 7, 8, 9 },
						  { 0, 2, 7, 8, 9 }, { 0, 1, 6, 8, 9 },
						  { 0, 1, 7, 5, 9 }, { 0, 1, 7, 8, 4 } };

	(void)state;
	for (__u32 i = 0; i < 3; i++) {
		struct fl_policy_value_class v = fl_policy_value_seal(&values[i], i);

		for (__u32 j = 0; j < 3; j++)
			assert_int_equal(fl_policy_value_fits(&v, &values[j], v.class), i == j);
		assert_false(fl_policy_value_fits(&v, &values[i], i + 1));
	}
	for (__u32 i = 0; i < 6; i++) {
		struct fl_policy_place_class p = fl_policy_place_seal(&places[i], i);

		for (__u32 j = 0; j < 6; j++)
			assert_int_equal(fl_policy_place_fits(&p, &places[j], p.class), i == j);
		assert_false(fl_policy_place_fits(&p, &places[i], i + 1));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_that_have_nothing_in_common),
		cmocka_unit_test(keys_of_which_one_bit_differs),
		cmocka_unit_test(classes_of_values_and_places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
