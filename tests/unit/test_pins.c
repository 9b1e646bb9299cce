/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The pin directory, in an ordinary one: the linker sends the one call that tells a bpf filesystem
 * from others here. Modes, the lock, what is dropped and what stays.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "kernel/pins.h" /* before cmocka's fail() */

#include <cmocka.h>

static bool pretend; /* every filesystem is a bpf filesystem */
int __real_statfs(const char *path, struct statfs *fs);
int __wrap_statfs(const char *path, struct statfs *fs);

int __wrap_statfs(const char *path, struct statfs *fs)
{
	int r = __real_statfs(path, fs);

	if (r == 0 && pretend)
		fs->f_type = BPF_FS_MAGIC;
	return r;
}

static char above[] = "/tmp/flowner-test-XXXXXX";
static char dir[sizeof(above) + 8];

static int make_above(void **state)
{
	(void)state;
	if (!mkdtemp(above))
		return -1;
	snprintf(dir, sizeof(dir), "%s/pins", above);
	return 0;
}

static int remove_above(void **state)
{
	(void)state;
	return rmdir(above);
}

/* --- helpers --- */

static struct pins open_pins(void)
{
	struct fail f = { "" };
	struct pins p;

	pretend = true;
	if (pins_open(&p, dir, NULL, &f) < 0)
		fail_msg("%s", f.text);
	return p;
}

static const char *path_of(const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void put(const char *name)
{
	int fd = open(path_of(name), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	close(fd);
}

static bool there(const char *name)
{
	return access(path_of(name), F_OK) == 0;
}

static void expect_mode(const char *name, unsigned int mode)
{
	struct stat st;

	assert_int_equal(stat(path_of(name), &st), 0);
	assert_int_equal(st.st_mode & 07777, mode);
}

/* --- tests --- */

static void only_on_a_bpf_filesystem(void **state)
{
	static const char *const places[] = { "/tmp", "/tmp/no-such/no-such-either", "/proc",
					      "relative/no-such", "/" };
	char sentence[256];
	struct fail f;
	struct pins p;

	(void)state;
	pretend = false;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		assert_int_equal(pins_open(&p, places[i], NULL, &f), -ENOTSUP);
		assert_int_equal(p.lock, -1);
		snprintf(sentence, sizeof(sentence),
			 "'%s' is not on a bpf filesystem: mount one with 'mount -t bpf bpf "
			 "/sys/fs/bpf'",
			 places[i]);
		assert_string_equal(f.text, sentence);
	}
	assert_int_equal(pins_open(&p, dir, NULL, &f), -ENOTSUP);
	assert_int_equal(access(dir, F_OK), -1); /* nothing was made */
}

static void the_nearest_one_above_counts(void **state)
{
	struct fail f;
	struct pins p;
	char deep[PATH_MAX];

	(void)state;
	pretend = true;
	snprintf(deep, sizeof(deep), "%s/a/b", above);
	assert_int_equal(pins_open(&p, deep, NULL, &f), -ENOENT); /* one level is made, not two */
	assert_non_null(strstr(f.text, "cannot create"));
	assert_non_null(strstr(f.text, deep));
	snprintf(deep, sizeof(deep), "/proc/version/a"); /* below a file there is none */
	assert_int_equal(pins_open(&p, deep, NULL, &f), -ENOTSUP);
}

static void paths(void **state)
{
	struct pins p = { .dir = "/sys/fs/bpf/x", .lock = -1 };
	char buf[64], tight[8];

	(void)state;
	assert_string_equal(pins_map_path(&p, "meta", buf, sizeof(buf)), "/sys/fs/bpf/x/meta");
	assert_string_equal(pins_link_path(&p, "track_sockops", buf, sizeof(buf)),
			    "/sys/fs/bpf/x/links/track_sockops");
	assert_ptr_equal(pins_map_path(&p, "meta", tight, sizeof(tight)), tight);
	assert_string_equal(tight, "/sys/fs");
}

static void modes(void **state)
{
	mode_t mask = umask(0); /* whatever the caller's is */
	struct pins p = open_pins();

	(void)state;
	expect_mode(".", 0750);
	expect_mode("links", 0700);
	pins_close(&p);
	umask(0777);
	chmod(dir, 0755);
	p = open_pins(); /* what is there is put right */
	expect_mode(".", 0750);
	expect_mode("links", 0700);
	umask(mask);
	put("l7_connections");
	assert_int_equal(pins_publish(&p, "l7_connections", "no such group, surely"), 0);
	expect_mode("l7_connections", 0640);
	assert_int_equal(pins_publish(&p, "l7_connections", NULL), 0);
	assert_int_equal(pins_publish(&p, "no-such", NULL), -ENOENT);
	assert_int_equal(pins_remove(&p), 0);
	pins_close(&p);
}

static void one_daemon_at_a_time(void **state)
{
	struct pins p = open_pins(), second;
	struct fail f;

	(void)state;
	assert_int_equal(pins_open(&second, dir, NULL, &f), -EBUSY);
	assert_int_equal(second.lock, -1);
	assert_non_null(strstr(f.text, "another flownerd uses '"));
	assert_non_null(strstr(f.text, dir));
	pins_close(&second);
	put("meta");
	pins_close(&p);
	pins_close(&p); /* once more does no harm */
	p = open_pins();
	assert_true(there("meta"));
	assert_int_equal(pins_remove(&p), 0);
	pins_close(&p);
}

static bool keep(const char *name, void *arg)
{
	return strcmp(name, arg) == 0;
}

static void links_are_dropped_but_those_kept(void **state)
{
	struct pins p = open_pins();

	(void)state;
	put("meta");
	put("links/track_sockops");
	put("links/exit_tp");
	put("links/exit_tp-new");
	assert_int_equal(pins_drop_links(&p, keep, (char *)"exit_tp"), 0);
	assert_true(there("links/exit_tp"));
	assert_false(there("links/exit_tp-new"));
	assert_false(there("links/track_sockops"));
	assert_true(there("meta"));
	assert_int_equal(pins_drop_links(&p, NULL, NULL), 0);
	assert_false(there("links/exit_tp"));
	assert_int_equal(pins_remove(&p), 0);
	assert_int_equal(pins_drop_links(&p, NULL, NULL), 0); /* nothing there, nothing to do */
	pins_close(&p);
}

static void all_of_it_goes(void **state)
{
	struct pins p = open_pins();

	(void)state;
	put("meta");
	put("l7_connections");
	put("links/track_sockops");
	assert_int_equal(pins_remove(&p), 0);
	assert_int_equal(access(dir, F_OK), -1);
	assert_int_equal(pins_remove(&p), 0);
	pins_close(&p);
}

static void what_is_not_ours_is_told(void **state)
{
	struct pins p = open_pins();

	(void)state;
	put("meta");
	assert_int_equal(mkdir(path_of("someone"), 0700), 0);
	assert_int_equal(pins_remove(&p), -ENOTEMPTY);
	assert_false(there("meta"));
	assert_true(there("someone"));
	assert_int_equal(rmdir(path_of("someone")), 0);
	assert_int_equal(pins_remove(&p), 0);
	pins_close(&p);
}

/* /sys/fs/bpf itself, say: neither its mode nor the pins of others are ours to change. */
static void another_s_directory_is_left_alone(void **state)
{
	struct fail f;
	struct pins p;

	(void)state;
	pretend = true;
	assert_int_equal(mkdir(dir, 0755), 0);
	put("someone");
	chmod(dir, 0755);
	assert_int_equal(pins_open(&p, dir, NULL, &f), -ENOTEMPTY);
	assert_int_equal(p.lock, -1);
	assert_non_null(strstr(f.text, dir));
	expect_mode(".", 0755);
	assert_false(there("links"));
	assert_int_equal(unlink(path_of("someone")), 0);
	p = open_pins(); /* empty: may be had */
	assert_int_equal(pins_remove(&p), 0);
	pins_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_on_a_bpf_filesystem),
		cmocka_unit_test(the_nearest_one_above_counts),
		cmocka_unit_test(paths),
		cmocka_unit_test(modes),
		cmocka_unit_test(one_daemon_at_a_time),
		cmocka_unit_test(links_are_dropped_but_those_kept),
		cmocka_unit_test(all_of_it_goes),
		cmocka_unit_test(what_is_not_ours_is_told),
		cmocka_unit_test(another_s_directory_is_left_alone),
	};

	return cmocka_run_group_tests_name("pins", tests, make_above, remove_above);
}
