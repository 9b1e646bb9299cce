/* SPDX-License-Identifier: BSD-2-Clause */
/* What is read of a directory, in which order, and what may enforce whatever it is. */
#include "policy/policydir.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[64];
static struct policydir dir;
static struct fail f;

static void path_of(const char *name, char *path, size_t size)
{
	snprintf(path, size, "%s/%s", directory, name);
}

static void write_file(const char *name, const char *text)
{
	char path[128];
	FILE *file;

	path_of(name, path, sizeof(path));
	file = fopen(path, "w");
	assert_true(file && fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static int begin(void **state)
{
	(void)state;
	snprintf(directory, sizeof(directory), "/tmp/flowner-test-XXXXXX");
	dir = (struct policydir){ 0 };
	f = (struct fail){ 0 };
	return mkdtemp(directory) ? 0 : -1;
}

static int end(void **state)
{
	static const char *const names[] = { "10-a.yaml", "20-b.yaml", "notes.txt" };
	char path[128];

	(void)state;
	policydir_release(&dir);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		path_of(names[i], path, sizeof(path));
		(void)remove(path);
	}
	return rmdir(directory);
}

static void texts_are_in_the_order_of_their_names(void **state)
{
	(void)state;
	write_file("20-b.yaml", "second");
	write_file("10-a.yaml", "the first");
	write_file("notes.txt", "enforce");
	assert_int_equal(policydir_read(directory, &dir, &f), 0);
	assert_int_equal(dir.count, 2);
	assert_string_equal(strrchr(dir.texts[0].name, '/'), "/10-a.yaml");
	assert_int_equal(dir.texts[0].size, strlen("the first"));
	assert_memory_equal(dir.texts[0].text, "the first", strlen("the first"));
	assert_memory_equal(dir.texts[1].text, "second", strlen("second"));
	assert_false(policydir_may_enforce(&dir));
}

static void what_is_not_there_has_no_texts(void **state)
{
	char path[128];

	(void)state;
	assert_int_equal(policydir_read(directory, &dir, &f), 0);
	assert_int_equal(dir.count, 0);
	policydir_release(&dir);
	dir = (struct policydir){ 0 };
	path_of("nothing", path, sizeof(path));
	assert_int_equal(policydir_read(path, &dir, &f), 0);
	assert_int_equal(dir.count, 0);
	assert_false(policydir_may_enforce(&dir));
}

static void who_cannot_be_read_is_named(void **state)
{
	char path[128], wanted[256];

	(void)state;
	write_file("10-a.yaml", "rules: []");
	path_of("20-b.yaml", path, sizeof(path));
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(policydir_read(directory, &dir, &f), -EISDIR);
	snprintf(wanted, sizeof(wanted), "%s: cannot be read: Is a directory", path);
	assert_string_equal(f.text, wanted);
	policydir_release(&dir);
	dir = (struct policydir){ 0 };
	path_of("10-a.yaml", path, sizeof(path));
	assert_int_equal(policydir_read(path, &dir, &f), -ENOTDIR);
	snprintf(wanted, sizeof(wanted), "cannot read the directory '%s': Not a directory", path);
	assert_string_equal(f.text, wanted);
}

static void any_of_them_may_enforce(void **state)
{
	static const char *const may[] = { "enforce", "x: EnForcE", "# enforce",
					   "\"\\x65nforce\"" };

	(void)state;
	write_file("10-a.yaml", "mode: audit");
	for (size_t i = 0; i < sizeof(may) / sizeof(may[0]); i++) {
		write_file("20-b.yaml", may[i]);
		assert_int_equal(policydir_read(directory, &dir, &f), 0);
		assert_true(policydir_may_enforce(&dir));
		policydir_release(&dir);
		dir = (struct policydir){ 0 };
	}
	write_file("20-b.yaml", "mode: enforc");
	assert_int_equal(policydir_read(directory, &dir, &f), 0);
	assert_false(policydir_may_enforce(&dir));
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, begin, end)
	const struct CMUnitTest tests[] = {
		T(texts_are_in_the_order_of_their_names),
		T(what_is_not_there_has_no_texts),
		T(who_cannot_be_read_is_named),
		T(any_of_them_may_enforce),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
