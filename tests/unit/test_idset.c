/* SPDX-License-Identifier: BSD-2-Clause */
/* A set of numbers: what was put in is there, after growing, colliding, short memory, too. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "text/idset.h"

#define MANY 20000u

/* The linker sends idset.c's calloc() here. */
static bool no_memory;
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

void *__wrap_calloc(size_t count, size_t size)
{
	return no_memory ? NULL : __real_calloc(count, size);
}

/* Never 0; far apart and of all sizes. */
static __u64 nth(__u64 i)
{
	__u64 x = i * 0xbf58476d1ce4e5b9ull + 1;

	x ^= x >> 31;
	return x >> (i % 48) | 1ull << 20;
}

static void empty(void **state)
{
	struct idset s = { 0 };

	(void)state;
	assert_false(idset_has(&s, 1));
	assert_int_equal(idset_count_missing(&s, &s), 0);
	idset_release(&s);
}

static void once(void **state)
{
	struct idset s = { 0 };

	(void)state;
	assert_int_equal(idset_add(&s, 42), 0);
	assert_int_equal(idset_add(&s, 42), 0);
	assert_int_equal(s.used, 1);
	assert_true(idset_has(&s, 42));
	assert_false(idset_has(&s, 43));
	assert_int_equal(idset_add(&s, ~0ull), 0);
	assert_true(idset_has(&s, ~0ull));
	idset_release(&s);
	assert_false(idset_has(&s, 42));
	assert_int_equal(idset_add(&s, 7), 0); /* usable again */
	assert_true(idset_has(&s, 7));
	assert_int_equal(s.used, 1);
	idset_release(&s);
}

static void nothing_is_lost_by_growing(void **state)
{
	struct idset s = { 0 };
	size_t different = 0;

	(void)state;
	for (__u64 i = 0; i < MANY; i++) {
		different += !idset_has(&s, nth(i));
		assert_int_equal(idset_add(&s, nth(i)), 0);
		assert_true(s.used * 2 <= s.size + 2); /* else the search has no end */
	}
	assert_int_equal(s.used, different);
	for (__u64 i = 0; i < MANY; i++)
		assert_true(idset_has(&s, nth(i)));
	for (__u64 i = 0; i < MANY; i++)
		assert_false(idset_has(&s, i + 1)); /* those in have bit 20 */
	idset_release(&s);
}

/* Sockets have consecutive cookies: they fill neighbouring places, and those of the end wrap. */
static void neighbours(void **state)
{
	struct idset s = { 0 };

	(void)state;
	for (__u64 base = 0; base < 64; base++) {
		for (__u64 i = 1; i <= 500; i++)
			assert_int_equal(idset_add(&s, base << 32 | i), 0);
		for (__u64 i = 1; i <= 500; i++)
			assert_true(idset_has(&s, base << 32 | i));
		assert_false(idset_has(&s, base << 32 | 501));
		assert_int_equal(s.used, 500);
		idset_release(&s);
	}
}

static void missing(void **state)
{
	struct idset a = { 0 }, b = { 0 }, none = { 0 };

	(void)state;
	for (__u64 i = 1; i <= 3000; i++)
		assert_int_equal(idset_add(&a, i), 0);
	for (__u64 i = 1001; i <= 9000; i++)
		assert_int_equal(idset_add(&b, i), 0);
	assert_int_equal(idset_count_missing(&a, &b), 1000);
	assert_int_equal(idset_count_missing(&b, &a), 6000);
	assert_int_equal(idset_count_missing(&a, &none), 3000);
	assert_int_equal(idset_count_missing(&none, &a), 0);
	idset_release(&a);
	idset_release(&b);
}

static void short_of_memory(void **state)
{
	struct idset s = { 0 };

	(void)state;
	no_memory = true;
	assert_int_equal(idset_add(&s, 1), -ENOMEM);
	no_memory = false;
	for (__u64 i = 1; i <= 512; i++)
		assert_int_equal(idset_add(&s, i), 0);
	no_memory = true;
	assert_int_equal(idset_add(&s, 513), -ENOMEM);
	no_memory = false;
	for (__u64 i = 1; i <= 512; i++)
		assert_true(idset_has(&s, i)); /* as it was */
	assert_false(idset_has(&s, 513));
	assert_int_equal(idset_add(&s, 513), 0);
	idset_release(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty),
		cmocka_unit_test(once),
		cmocka_unit_test(nothing_is_lost_by_growing),
		cmocka_unit_test(neighbours),
		cmocka_unit_test(missing),
		cmocka_unit_test(short_of_memory),
	};

	return cmocka_run_group_tests_name("idset", tests, NULL, NULL);
}
