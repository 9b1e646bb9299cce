/* SPDX-License-Identifier: BSD-2-Clause */
/* Which line of a mount table is cgroup2, and ids of its directories where there is one. */
#include "cgroup.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
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

#define PROC "22 28 0:21 / /proc rw,nosuid shared:12 - proc proc rw\n"
#define V1 "33 31 0:28 / /sys/fs/cgroup/cpu rw,nosuid shared:9 - cgroup cgroup rw,cpu\n"

/* NULL when none was found */
static char *mount_of(const char *table)
{
	char path[] = "/tmp/test_cgroup.XXXXXX", *mount = NULL;
	int fd = mkstemp(path), r;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, table, strlen(table)), strlen(table));
	close(fd);
	r = cgroup_mount_from(path, &mount);
	unlink(path);
	if (r) {
		assert_int_equal(r, -ENOENT);
		assert_null(mount);
	}
	return mount;
}

static void mount_tables(void **state)
{
	static const struct {
		const char *table, *mount;
	} cases[] = {
		/* unified host */
		{ PROC "35 29 0:30 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n",
		  "/sys/fs/cgroup" },
		/* hybrid host, optional fields */
		{ PROC V1
		  "41 31 0:38 / /sys/fs/cgroup/unified rw shared:1 master:2 - cgroup2 none rw\n",
		  "/sys/fs/cgroup/unified" },
		/* a part of the tree bound somewhere comes first */
		{ "40 1 0:30 /docker/x /mnt/part rw - cgroup2 c rw\n"
		  "41 1 0:30 / /first rw - cgroup2 c rw\n42 1 0:30 / /second rw - cgroup2 c rw\n",
		  "/first" },
		/* only a part: better than nothing */
		{ "40 1 0:30 /docker/x /mnt/part rw - cgroup2 c rw\n"
		  "40 1 0:30 /docker/y /mnt/other rw - cgroup2 c rw\n",
		  "/mnt/part" },
		/* escapes; a lone backslash and a non-octal digit are kept */
		{ "41 1 0:30 / /a\\040b\\011c\\134d\\08 rw - cgroup2 c rw\n", "/a b\tc\\d\\08" },
		/* the word in other places */
		{ "41 1 0:30 / /cgroup2 rw - tmpfs cgroup2 rw\n", NULL },
		{ "41 1 0:30 cgroup2\n", NULL },
		{ "41 1 0:30 / /x rw -\n", NULL },
		{ "- cgroup2\n\n \n", NULL },
		{ PROC V1, NULL },
		{ "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *mount = mount_of(cases[i].table);

		if (cases[i].mount)
			assert_string_equal(mount, cases[i].mount);
		else
			assert_null(mount);
		free(mount);
	}
}

static void no_table(void **state)
{
	char *mount = NULL;

	(void)state;
	assert_int_equal(cgroup_mount_from("/nonexistent", &mount), -ENOENT);
	assert_null(mount);
}

static void id_is_the_inode(void **state)
{
	char *mount = NULL;
	struct stat st;
	__u64 id = 0;
	int fd;

	(void)state;
	if (cgroup_mount(&mount)) {
		print_message("no cgroup2 mounted here\n");
		skip();
	}
	fd = open(mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(cgroup_id(fd, &id), 0);
	assert_int_equal(id, st.st_ino);
	close(fd);
	free(mount);
}

static int check_one(void *arg, __u64 id, const char *path)
{
	const char *mount = arg;
	char full[PATH_MAX];
	struct stat st;

	assert_int_equal(*path, '/');
	snprintf(full, sizeof(full), "%s%s", mount, path);
	if (stat(full, &st)) /* others remove theirs meanwhile */
		assert_int_equal(errno, ENOENT);
	else
		assert_int_equal(st.st_ino, id);
	return 0;
}

static int stop_at_once(void *arg, __u64 id, const char *path)
{
	(void)id;
	assert_string_equal(path, "/");
	return ++*(int *)arg;
}

static void every_cgroup_the_root_first(void **state)
{
	char *mount = NULL;
	int calls = 0;

	(void)state;
	assert_int_equal(cgroup_each("/nonexistent", check_one, NULL), -ENOENT);
	assert_int_equal(cgroup_each("/proc", check_one, NULL), -EINVAL);
	if (cgroup_mount(&mount)) {
		print_message("no cgroup2 mounted here\n");
		skip();
	}
	assert_int_equal(cgroup_each(mount, check_one, mount), 0);
	assert_int_equal(cgroup_each(mount, stop_at_once, &calls), 1);
	assert_int_equal(calls, 1);
	free(mount);
}

static void id_of_what_is_no_cgroup(void **state)
{
	int fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	__u64 id = 77;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(cgroup_id(fd, &id), -EINVAL);
	close(fd);
	assert_int_equal(cgroup_id(-1, &id), -EBADF);
	assert_int_equal(id, 77);
}

static void namespace_is_told(void **state)
{
	struct stat st;
	bool host;

	(void)state;
	assert_int_equal(stat("/proc/self/ns/cgroup", &st), 0);
	assert_int_equal(cgroup_is_host_namespace(&host), 0);
	assert_int_equal(host, st.st_ino == 4026531835u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mount_tables),	     cmocka_unit_test(no_table),
		cmocka_unit_test(id_is_the_inode),   cmocka_unit_test(id_of_what_is_no_cgroup),
		cmocka_unit_test(namespace_is_told), cmocka_unit_test(every_cgroup_the_root_first),
	};

	return cmocka_run_group_tests_name("cgroup", tests, NULL, NULL);
}
