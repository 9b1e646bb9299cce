/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lines to a file: whole or not at all, in order, kept while the disk refuses them, refused while
 * it does not answer. The disk is write(), which the test stands in for.
 */
#include "text/linefile.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define DEADLINE 10000 /* rounds of 1 ms */

static char directory[] = "/tmp/flowner-test-XXXXXX";
static char path[sizeof(directory) + 8];

/* --- the disk --- */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool hangs;   /* no call comes back */
	int error;    /* of the calls from now on */
	size_t takes; /* bytes the next call takes before it is short; 0 all */
	int calls;
} disk = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

ssize_t __real_write(int fd, const void *buf, size_t size);
ssize_t __wrap_write(int fd, const void *buf, size_t size);

ssize_t __wrap_write(int fd, const void *buf, size_t size)
{
	int error;

	if (fd <= STDERR_FILENO)
		return __real_write(fd, buf, size);
	pthread_mutex_lock(&disk.lock);
	disk.calls++;
	pthread_cond_broadcast(&disk.changed);
	while (disk.hangs)
		pthread_cond_wait(&disk.changed, &disk.lock);
	error = disk.error;
	if (disk.takes && disk.takes < size)
		size = disk.takes;
	disk.takes = 0;
	pthread_mutex_unlock(&disk.lock);
	errno = error;
	return error ? -1 : __real_write(fd, buf, size);
}

static void set_disk(bool hangs, int error, size_t takes)
{
	pthread_mutex_lock(&disk.lock);
	disk.hangs = hangs;
	disk.error = error;
	disk.takes = takes;
	pthread_cond_broadcast(&disk.changed);
	pthread_mutex_unlock(&disk.lock);
}

static void wait_for_call(void)
{
	pthread_mutex_lock(&disk.lock);
	while (!disk.calls)
		pthread_cond_wait(&disk.changed, &disk.lock);
	pthread_mutex_unlock(&disk.lock);
}

/* --- helpers --- */

static struct linefile *opened(void)
{
	struct linefile *f = NULL;

	assert_int_equal(linefile_open(path, getgid(), &f), 0);
	assert_int_equal(linefile_start(f), 0);
	return f;
}

static void put(struct linefile *f, const char *line)
{
	assert_int_equal(linefile_put(f, line, strlen(line)), 0);
}

static void wait_written(struct linefile *f, __u64 lines)
{
	for (int i = 0; i < DEADLINE && linefile_state(f).written < lines; i++)
		usleep(1000); /* lint: poll */
	assert_int_equal(linefile_state(f).written, lines);
}

static void contains(const char *text)
{
	char buf[4096];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, buf, sizeof(buf) - 1);

	assert_true(n >= 0);
	buf[n] = '\0';
	assert_string_equal(buf, text);
	close(fd);
}

static void make(const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_equal(__real_write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static int setup(void **state)
{
	(void)state;
	set_disk(false, 0, 0);
	disk.calls = 0;
	return unlink(path) < 0 && errno != ENOENT;
}

/* --- tests --- */

static void lines_in_order(void **state)
{
	mode_t mask = umask(077);
	struct linefile *f = opened();
	struct stat st;

	(void)state;
	put(f, "a\n");
	put(f, "b\n");
	linefile_close(f);
	contains("a\nb\n");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	f = opened();
	put(f, "c\n");
	linefile_close(f);
	contains("a\nb\nc\n");
	umask(mask);
}

static void what_is_no_file(void **state)
{
	struct linefile *f = NULL;

	(void)state;
	assert_int_equal(symlink("/dev/null", path), 0);
	assert_int_equal(linefile_open(path, 0, &f), -ELOOP);
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(linefile_open(path, 0, &f), -EINVAL);
	assert_null(f);
	linefile_close(NULL);
}

static void a_cut_line_gets_its_end(void **state)
{
	struct linefile *f;

	(void)state;
	make("a\nhal");
	f = opened();
	put(f, "b\n");
	linefile_close(f);
	contains("a\nhal\nb\n");
}

static void a_full_disk(void **state)
{
	struct linefile *f = opened();

	(void)state;
	set_disk(false, ENOSPC, 0);
	put(f, "a\n");
	put(f, "b\n");
	for (int i = 0; i < DEADLINE && !linefile_state(f).no_space; i++)
		usleep(1000); /* lint: poll */
	assert_int_equal(linefile_state(f).error, ENOSPC);
	contains("");
	set_disk(false, EIO, 0);
	for (int i = 0; i < DEADLINE && !linefile_state(f).io_errors; i++)
		usleep(1000); /* lint: poll */
	set_disk(false, 0, 0);
	wait_written(f, 2);
	assert_int_equal(linefile_state(f).error, 0);
	assert_int_equal(linefile_state(f).refused, 0);
	linefile_close(f);
	contains("a\nb\n");
}

static void a_disk_with_room_for_half_a_line(void **state)
{
	struct linefile *f = NULL;

	(void)state;
	assert_int_equal(linefile_open(path, getgid(), &f), 0);
	put(f, "first\n");
	put(f, "second\n");
	set_disk(false, 0, 9);
	assert_int_equal(linefile_start(f), 0);
	wait_written(f, 1);
	contains("first\n");
	wait_written(f, 2);
	linefile_close(f);
	contains("first\nsecond\n");
}

static void a_disk_that_does_not_answer(void **state)
{
	struct linefile *f = opened();
	static char line[1 << 16];
	__u64 taken = 1;

	(void)state;
	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	set_disk(true, 0, 0);
	put(f, "first\n");
	wait_for_call();
	while (linefile_put(f, line, sizeof(line)) == 0)
		taken++;
	assert_int_equal(taken, 1 + LINEFILE_BYTES / sizeof(line));
	assert_int_equal(linefile_put(f, line, sizeof(line)), -ENOBUFS);
	assert_int_equal(linefile_state(f).refused, 2);
	set_disk(false, 0, 0);
	wait_written(f, taken);
	put(f, "last\n");
	wait_written(f, taken + 1);
	linefile_close(f);
}

static void another_file_of_that_name(void **state)
{
	struct linefile *f = opened();
	char away[sizeof(path) + 8];

	(void)state;
	snprintf(away, sizeof(away), "%s.1", path);
	put(f, "a\n");
	wait_written(f, 1);
	assert_int_equal(rename(path, away), 0);
	linefile_reopen(f);
	for (int i = 0; i < DEADLINE && access(path, F_OK) < 0; i++)
		usleep(1000); /* lint: poll */
	put(f, "b\n");
	wait_written(f, 2);
	contains("b\n");
	/* one that cannot be opened leaves the old one */
	assert_int_equal(rename(path, away), 0);
	assert_int_equal(symlink("/dev/null", path), 0);
	linefile_reopen(f);
	for (int i = 0; i < DEADLINE && !linefile_state(f).open_error; i++)
		usleep(1000); /* lint: poll */
	assert_int_equal(linefile_state(f).open_error, ELOOP);
	put(f, "c\n");
	linefile_close(f);
	assert_int_equal(rename(away, path), 0);
	contains("b\nc\n");
}

/* As logrotate does, which tells nobody. */
static void a_file_put_in_its_place(void **state)
{
	struct linefile *f = opened();
	char away[sizeof(path) + 8];
	int fd;

	(void)state;
	snprintf(away, sizeof(away), "%s.1", path);
	put(f, "a\n");
	wait_written(f, 1);
	assert_int_equal(rename(path, away), 0);
	put(f, "b\n"); /* there is no other yet */
	wait_written(f, 2);
	assert_int_not_equal(access(path, F_OK), 0);
	fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0640);
	assert_true(fd >= 0);
	close(fd);
	put(f, "c\n");
	linefile_close(f);
	contains("c\n");
	assert_int_equal(rename(away, path), 0);
	contains("a\nb\n");
}

/* What cannot be written at the end is tried once more and counted; nobody waits for it. */
static void an_end_with_a_full_disk(void **state)
{
	struct linefile *f = opened();

	(void)state;
	set_disk(false, ENOSPC, 0);
	put(f, "a\n");
	linefile_close(f);
	contains("");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(lines_in_order, setup),
		cmocka_unit_test_setup(what_is_no_file, setup),
		cmocka_unit_test_setup(a_cut_line_gets_its_end, setup),
		cmocka_unit_test_setup(a_full_disk, setup),
		cmocka_unit_test_setup(a_disk_with_room_for_half_a_line, setup),
		cmocka_unit_test_setup(a_disk_that_does_not_answer, setup),
		cmocka_unit_test_setup(another_file_of_that_name, setup),
		cmocka_unit_test_setup(a_file_put_in_its_place, setup),
		cmocka_unit_test_setup(an_end_with_a_full_disk, setup),
	};
	int failed;

	if (!mkdtemp(directory))
		return 1;
	snprintf(path, sizeof(path), "%s/log", directory);
	failed = cmocka_run_group_tests_name("linefile", tests, NULL, NULL);
	unlink(path);
	rmdir(directory);
	return failed;
}
