/* SPDX-License-Identifier: BSD-2-Clause */
/* Places by hash: found again among many, with hashes that are equal, after the array has moved. */
#include "text/places.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#define MANY 5000

static bool no_memory;

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

void *__wrap_calloc(size_t count, size_t size)
{
	return no_memory ? NULL : __real_calloc(count, size);
}

static bool is_number(const void *array, size_t place, const void *key)
{
	return ((const __u64 *)array)[place] == *(const __u64 *)key;
}

static __u64 spread(__u64 number)
{
	return number * 0x9e3779b97f4a7c15ULL;
}

static __u64 same_for_all(__u64 number)
{
	(void)number;
	return UINT64_MAX; /* the last slot: those after it wrap */
}

static void fill_and_find(__u64 (*hash)(__u64), size_t many)
{
	struct places p = { 0 };
	__u64 *array = calloc(many, sizeof(*array)), other = many;

	for (__u64 n = 0; n < many; n++) {
		assert_true(places_find(&p, hash(n), is_number, array, &n) == PLACES_NONE);
		array[n] = n;
		assert_int_equal(places_add(&p, hash(n), n), 0);
	}
	for (__u64 n = 0; n < many; n++)
		assert_int_equal(places_find(&p, hash(n), is_number, array, &n), n);
	assert_true(places_find(&p, hash(other), is_number, array, &other) == PLACES_NONE);
	places_release(&p);
	free(array);
}

static void many_are_found(void **state)
{
	(void)state;
	fill_and_find(spread, MANY);
}

static void equal_hashes_are_told_apart(void **state)
{
	(void)state;
	fill_and_find(same_for_all, 600);
}

static void without_memory_nothing_changes(void **state)
{
	struct places p = { 0 };
	__u64 array[] = { 7 }, key = 7;

	(void)state;
	no_memory = true;
	assert_int_equal(places_add(&p, spread(key), 0), -ENOMEM);
	assert_true(places_find(&p, spread(key), is_number, array, &key) == PLACES_NONE);
	no_memory = false;
	assert_int_equal(places_add(&p, spread(key), 0), 0);
	assert_int_equal(places_find(&p, spread(key), is_number, array, &key), 0);
	places_release(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_are_found),
		cmocka_unit_test(equal_hashes_are_told_apart),
		cmocka_unit_test(without_memory_nothing_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
