/* SPDX-License-Identifier: BSD-2-Clause */
/* Which line of a mount table is cgroup2, and its directories where there is one: ids, and all. */
#include "host/cgroup.h"
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
#include <sys/resource.h>
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
	if (strlen(mount) + strlen(path) >= sizeof(full) / 2) /* of a deeper one, as below */
		return 0;
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

/* --- a tree of ours, however its parts are called --- */

#define LEVELS 700 /* more than a process may have descriptors here */
#define FILES_MAX 64

struct tree {
	char *mount;
	char top[64], name[256];
	int fd; /* the top */
	__u64 ids[LEVELS], dots, last;
	size_t told, deep, longest;
};

static __u64 make_at(int parent, const char *name)
{
	struct stat st;

	assert_int_equal(mkdirat(parent, name, 0755), 0);
	assert_int_equal(fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st.st_ino;
}

static int open_at(int parent, const char *name)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static int down(int fd, const char *name)
{
	int below = open_at(fd, name);

	close(fd);
	return below;
}

/* Each level has a name as long as may be. */
static void make_levels(struct tree *t)
{
	int fd = open_at(t->fd, ".");

	for (size_t i = 0; i < LEVELS; i++) {
		t->ids[i] = make_at(fd, t->name);
		fd = down(fd, t->name);
	}
	t->last = make_at(fd, "s");
	close(fd);
}

static void remove_levels(const struct tree *t)
{
	int fd = open_at(t->fd, ".");

	for (size_t i = 0; i < LEVELS; i++)
		fd = down(fd, t->name);
	assert_int_equal(unlinkat(fd, "s", AT_REMOVEDIR), 0);
	for (size_t i = 0; i < LEVELS; i++) {
		fd = down(fd, "..");
		assert_int_equal(unlinkat(fd, t->name, AT_REMOVEDIR), 0);
	}
	close(fd);
}

static int look_for_ours(void *arg, __u64 id, const char *path)
{
	struct tree *t = arg;
	size_t length = strlen(t->top);

	if (strncmp(path, t->top, length) != 0 || (path[length] && path[length] != '/'))
		return 0;
	assert_true(strlen(path) < PATH_MAX);
	if (id == t->dots)
		assert_string_equal(path + length, "/...hidden");
	for (size_t i = 0; i < LEVELS; i++)
		t->deep += id == t->ids[i];
	if (id == t->last || id == t->ids[LEVELS - 1]) /* not of a path that is not theirs */
		assert_int_equal(strlen(path), t->longest);
	else if (strlen(path) > t->longest)
		t->longest = strlen(path);
	t->told++;
	return 0;
}

static void none_is_left_out(void **state)
{
	struct tree t = { .fd = -1 };
	struct rlimit before, few = { FILES_MAX, FILES_MAX };
	int root;

	(void)state;
	if (cgroup_mount(&t.mount)) {
		print_message("no cgroup2 mounted here\n");
		skip();
	}
	snprintf(t.top, sizeof(t.top), "/test_cgroup.%d", getpid());
	memset(t.name, 'n', sizeof(t.name) - 1);
	root = open_at(AT_FDCWD, t.mount);
	if (mkdirat(root, t.top + 1, 0755)) {
		print_message("no cgroups may be made here\n");
		skip();
	}
	t.fd = open_at(root, t.top + 1);
	t.dots = make_at(t.fd, "...hidden");
	make_levels(&t);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few.rlim_max = before.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	assert_int_equal(cgroup_each(t.mount, look_for_ours, &t), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	remove_levels(&t);
	assert_int_equal(unlinkat(t.fd, "...hidden", AT_REMOVEDIR), 0);
	assert_int_equal(unlinkat(root, t.top + 1, AT_REMOVEDIR), 0);
	close(t.fd);
	close(root);
	free(t.mount);
	assert_int_equal(t.deep, LEVELS);
	assert_int_equal(t.told, LEVELS + 3);
	assert_true(t.longest > PATH_MAX - 2 * sizeof(t.name));
}

/* What is removed under the walk ends nothing but itself. */
static int remove_it(void *arg, __u64 id, const char *path)
{
	struct tree *t = arg;
	int root;

	if (id == t->last) {
		root = open_at(AT_FDCWD, t->mount);
		assert_int_equal(unlinkat(t->fd, "b", AT_REMOVEDIR), 0);
		assert_int_equal(unlinkat(root, t->top + 1, AT_REMOVEDIR), 0);
		close(root);
	}
	t->told += !strcmp(path, "/");
	return 0;
}

static void one_that_goes_meanwhile(void **state)
{
	struct tree t = { .fd = -1 };
	int root;

	(void)state;
	if (cgroup_mount(&t.mount))
		skip();
	snprintf(t.top, sizeof(t.top), "/test_cgroup.%d", getpid());
	root = open_at(AT_FDCWD, t.mount);
	if (mkdirat(root, t.top + 1, 0755))
		skip();
	t.fd = open_at(root, t.top + 1);
	t.last = make_at(t.fd, "b");
	assert_int_equal(cgroup_each(t.mount, remove_it, &t), 0);
	assert_int_equal(t.told, 1);
	assert_int_equal(unlinkat(root, t.top + 1, AT_REMOVEDIR), -1);
	assert_int_equal(errno, ENOENT);
	close(t.fd);
	close(root);
	free(t.mount);
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
		cmocka_unit_test(none_is_left_out),  cmocka_unit_test(one_that_goes_meanwhile),
	};

	return cmocka_run_group_tests_name("cgroup", tests, NULL, NULL);
}
