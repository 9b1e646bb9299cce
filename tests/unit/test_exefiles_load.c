/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A policy may name ten thousand executables: to follow twice as many is about twice the work.
 * Counted are the comparisons of strings, of the module as it is compiled here (wrap.mk).
 */
#include "host/exefiles.c" /* NOLINT(bugprone-suspicious-include): counted */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static __u64 compared;

int __real_strcmp(const char *a, const char *b);
int __wrap_strcmp(const char *a, const char *b);

int __wrap_strcmp(const char *a, const char *b)
{
	compared++;
	return __real_strcmp(a, b);
}

static void count_one(void *arg, const char *path, const struct exefile *file, bool came)
{
	(void)path;
	(void)file;
	(void)came;
	++*(size_t *)arg;
}

static __u64 cost_of(int paths)
{
	struct exefiles *f = NULL;
	size_t places = 0;
	char path[64];
	__u64 before;

	assert_int_equal(exefiles_new(&f), 0);
	before = compared;
	for (int i = 0; i < paths; i++) {
		snprintf(path, sizeof(path), "/usr/no-such-executable-%d", i);
		assert_int_equal(exefiles_add(f, path), 0);
		assert_int_equal(exefiles_add(f, path), 0); /* by another rule */
	}
	for (int i = 0; i < paths; i++) {
		snprintf(path, sizeof(path), "/usr/no-such-executable-%d", i);
		exefiles_each(f, path, count_one, &places);
	}
	before = compared - before;
	assert_true(places <= (size_t)paths); /* none where directories cannot be told apart */
	exefiles_free(f);
	return before;
}

static void twice_as_many_paths_are_about_twice_the_work(void **state)
{
	__u64 some = cost_of(500), twice = cost_of(1000);

	(void)state;
	print_message("comparisons: %llu, %llu\n", some, twice);
	assert_true(some > 0);
	assert_true(twice < 3 * some);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(twice_as_many_paths_are_about_twice_the_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
