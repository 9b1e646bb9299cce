/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A saved policy takes the place of the one before as a whole, as often as one likes, through a
 * link, as open as it was; and what cannot be saved leaves everything as it is.
 */
#include "cli/policysave.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char top[64]; /* where all of a test is */
static char dir[80]; /* where it saves */
static int write_error;

ssize_t __real_write(int fd, const void *buf, size_t size);
ssize_t __wrap_write(int fd, const void *buf, size_t size);

ssize_t __wrap_write(int fd, const void *buf, size_t size)
{
	if (!write_error || fd <= STDERR_FILENO)
		return __real_write(fd, buf, size);
	errno = write_error;
	return -1;
}

static int set_up(void **state)
{
	(void)state;
	write_error = 0;
	snprintf(top, sizeof(top), "/tmp/flowner-test-XXXXXX");
	if (!mkdtemp(top))
		return -1;
	snprintf(dir, sizeof(dir), "%s/policy.d", top);
	return 0;
}

static int tear_down(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", top);
	return system(command);
}

static int save(const char *text, char **ret_before)
{
	struct policysave_text t = { "/etc/some/rules.yaml", text, strlen(text) };

	return policysave(dir, &t, 1, ret_before);
}

static void expect_text(const char *path, const char *name, const char *text)
{
	char file[PATH_MAX], buf[64] = "";
	int fd;

	snprintf(file, sizeof(file), "%s/%s", path, name);
	fd = open(file, O_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(read(fd, buf, sizeof(buf) - 1), strlen(text));
	assert_string_equal(buf, text);
	close(fd);
}

static int entries(const char *path)
{
	DIR *d = opendir(path);
	int n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2; /* itself, and above */
}

static void the_first_one(void **state)
{
	struct policysave_text two[] = { { "a/rules", "one", 3 }, { "b/rules.yaml", "two", 3 } };
	char *before = top;

	(void)state;
	assert_int_equal(policysave(dir, two, 2, &before), 0);
	assert_null(before);
	expect_text(dir, "01-rules.yaml", "one");
	expect_text(dir, "02-rules.yaml", "two");
	assert_int_equal(entries(dir), 2);
	assert_int_equal(entries(top), 1);
}

/* With slashes behind a name that is not there yet; of a file that would not be read at a start. */
static void names_that_need_care(void **state)
{
	struct policysave_text hidden = { "/etc/.rules.yaml", "x", 1 };
	char named[PATH_MAX], *before = top;

	(void)state;
	snprintf(named, sizeof(named), "%s//", dir);
	assert_int_equal(policysave(named, &hidden, 1, &before), 0);
	assert_null(before);
	expect_text(dir, "00-.rules.yaml", "x");
	assert_int_equal(entries(top), 1);
	assert_int_equal(policysave(named, &hidden, 1, &before), 0);
	assert_non_null(before);
	free(before);
	assert_int_equal(entries(top), 2);
}

/* Also several in a second, and each of them stays. */
static void one_after_the_other(void **state)
{
	char text[8], *before[4];

	(void)state;
	for (int i = 0; i < 4; i++) {
		snprintf(text, sizeof(text), "%d", i);
		assert_int_equal(save(text, &before[i]), 0);
		expect_text(dir, "rules.yaml", text);
	}
	assert_int_equal(entries(top), 4);
	for (int i = 1; i < 4; i++) {
		snprintf(text, sizeof(text), "%d", i - 1);
		expect_text(before[i], "rules.yaml", text);
		free(before[i]);
	}
}

static void as_open_as_it_was(void **state)
{
	char file[128], *before;
	struct stat st;

	(void)state;
	assert_int_equal(mkdir(dir, 0700), 0);
	assert_int_equal(chmod(dir, 02751), 0);
	assert_int_equal(save("x", &before), 0);
	free(before);
	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(st.st_mode & 07777, 02751);
	snprintf(file, sizeof(file), "%s/rules.yaml", dir);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void where_a_link_leads(void **state)
{
	char real[80], *before;
	struct stat st;

	(void)state;
	snprintf(real, sizeof(real), "%s/real", top);
	assert_int_equal(mkdir(real, 0700), 0);
	assert_int_equal(symlink("real", dir), 0);
	assert_int_equal(save("x", &before), 0);
	assert_int_equal(lstat(dir, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	expect_text(real, "rules.yaml", "x");
	assert_int_equal(strncmp(before, real, strlen(real)), 0);
	free(before);
}

static void what_cannot_be_saved(void **state)
{
	char *before;

	(void)state;
	assert_int_equal(save("old", &before), 0);
	write_error = ENOSPC;
	assert_int_equal(save("new", &before), -ENOSPC);
	write_error = 0;
	expect_text(dir, "rules.yaml", "old");
	assert_int_equal(entries(top), 1);
	strcat(dir, "/rules.yaml/below");
	assert_int_equal(save("new", &before), -ENOTDIR);
}

#define SAVE_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SAVE_TEST(the_first_one),	SAVE_TEST(names_that_need_care),
		SAVE_TEST(one_after_the_other), SAVE_TEST(as_open_as_it_was),
		SAVE_TEST(where_a_link_leads),	SAVE_TEST(what_cannot_be_saved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
