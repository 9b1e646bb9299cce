/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The walk for who has a socket open, fed with what the kernel would say: who is told, and how
 * often; that others have their turn; places for several; bounds. The iterator is a file here.
 */
#include "kernel/holders.h"
#include <bpf/bpf.h>
#include <errno.h>
#include <flowner/control.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "fake_clock.h"

#define LINK 77
#define COOKIE 0xff6ea
#define OTHER 0xff6eb
#define SAYS_MAX (HOLDERS_MAX + 16)

static __u64 wanted[FL_HOLDER_WALKS];
static struct holders *holders;
static struct fl_holder says[SAYS_MAX]; /* what an iterator made from now on has to say */
static size_t says_count;
static int refusal;

int __wrap_bpf_iter_create(int link);
int __wrap_bpf_iter_create(int link)
{
	int fd = memfd_create("iterator", MFD_CLOEXEC);
	ssize_t size = (ssize_t)(says_count * sizeof(says[0]));

	assert_int_equal(link, LINK);
	assert_int_equal(write(fd, says, (size_t)size), size);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	if (!refusal)
		return fd;
	close(fd);
	errno = refusal;
	return -1;
}

static int setup(void **state)
{
	(void)state;
	memset(wanted, 0, sizeof(wanted));
	says_count = 0;
	refusal = 0;
	later_s = 0;
	return holders_new(LINK, wanted, &holders);
}

static int teardown(void **state)
{
	(void)state;
	holders_free(holders);
	for (size_t i = 0; i < FL_HOLDER_WALKS; i++)
		assert_int_equal(wanted[i], 0);
	return 0;
}

static void say(__u64 cookie, __u32 pid, __u32 fd)
{
	assert_true(says_count < SAYS_MAX);
	says[says_count++] = (struct fl_holder){
		.cookie = cookie,
		.owner = { .proc = { .pid = pid, .start_ns = 1000 + pid } },
		.fd = fd,
	};
}

static void say_progress(void)
{
	say(0, 0, 0);
}

static struct holders_walk *walk(bool sees_all)
{
	struct holders_walk *w;

	assert_int_equal(holders_walk_new(holders, COOKIE, sees_all, &w), 0);
	return w;
}

/* To its end; the number of turns that others had. */
static int walk_all(struct holders_walk *w)
{
	int turns = 0, r;

	while ((r = holders_walk_on(w)) == -EAGAIN)
		turns++;
	assert_int_equal(r, 0);
	return turns;
}

static void expect_holder(const struct holders_found *f, size_t i, __u32 pid, size_t fd_count)
{
	assert_true(i < f->count);
	assert_int_equal(f->list[i].owner.proc.pid, pid);
	assert_int_equal(f->list[i].fd_count, fd_count);
}

static void nobody(void **state)
{
	struct holders_walk *w = walk(true);

	(void)state;
	assert_int_equal(walk_all(w), 0);
	assert_int_equal(holders_walk_found(w)->count, 0);
	assert_false(holders_walk_found(w)->truncated);
	holders_walk_free(w);
}

static void once_for_each_process(void **state)
{
	struct holders_walk *w = walk(true);
	struct holders_found *f = holders_walk_found(w);

	(void)state;
	say(COOKIE, 10, 3);
	say(OTHER, 10, 4); /* of another walk */
	say(COOKIE, 10, 7);
	say(COOKIE, 11, 3);
	say(COOKIE, 10, 7); /* a thread of it, with a table of its own */
	say(COOKIE, 10, 9);
	assert_int_equal(walk_all(w), 0);
	assert_int_equal(f->count, 2);
	expect_holder(f, 0, 10, 3);
	assert_int_equal(f->list[0].fds[0], 3);
	assert_int_equal(f->list[0].fds[1], 7);
	assert_int_equal(f->list[0].fds[2], 9);
	expect_holder(f, 1, 11, 1);
	assert_false(f->truncated);
	holders_walk_free(w);
}

static void a_pid_used_again(void **state)
{
	struct holders_walk *w = walk(true);

	(void)state;
	say(COOKIE, 10, 3);
	say(COOKIE, 10, 3);
	says[1].owner.proc.start_ns++;
	assert_int_equal(walk_all(w), 0);
	assert_int_equal(holders_walk_found(w)->count, 2);
	holders_walk_free(w);
}

static void others_have_their_turn(void **state)
{
	struct holders_walk *w = walk(true);

	(void)state;
	say_progress();
	say_progress();
	say(COOKIE, 10, 3);
	say_progress();
	for (__u32 i = 0; i < 600; i++)
		say(OTHER, 11, i);
	assert_int_equal(walk_all(w), 3 + 2);
	assert_int_equal(holders_walk_found(w)->count, 1);
	holders_walk_free(w);
}

static void more_than_are_told(void **state)
{
	struct holders_walk *w = walk(true);

	(void)state;
	for (__u32 i = 0; i <= HOLDERS_MAX; i++)
		say(COOKIE, i + 1, 3);
	(void)walk_all(w);
	assert_int_equal(holders_walk_found(w)->count, HOLDERS_MAX);
	assert_true(holders_walk_found(w)->truncated);
	holders_walk_free(w);
}

static void more_descriptors_than_are_told(void **state)
{
	struct holders_walk *w = walk(true);

	(void)state;
	for (__u32 i = 0; i < HOLDER_FDS; i++)
		say(COOKIE, 10, i);
	(void)walk_all(w);
	expect_holder(holders_walk_found(w), 0, 10, HOLDER_FDS);
	assert_false(holders_walk_found(w)->truncated);
	holders_walk_free(w);
	say(COOKIE, 10, HOLDER_FDS);
	w = walk(true);
	(void)walk_all(w);
	expect_holder(holders_walk_found(w), 0, 10, HOLDER_FDS);
	assert_true(holders_walk_found(w)->truncated);
	holders_walk_free(w);
}

/* The program looks for what is wanted at the time: before the first file, until the last. */
static void places(void **state)
{
	struct holders_walk *root[FL_HOLDER_WALKS], *user[3];

	(void)state;
	say_progress();
	for (size_t i = 0; i < 3; i++) {
		user[i] = walk(false);
		assert_int_equal(holders_walk_on(user[i]), -EAGAIN);
	}
	assert_int_equal(wanted[0], COOKIE);
	assert_int_equal(wanted[1], COOKIE);
	assert_int_equal(wanted[2], 0); /* for those who see all */
	for (size_t i = 0; i < FL_HOLDER_WALKS; i++) {
		root[i] = walk(true);
		assert_int_equal(holders_walk_on(root[i]), -EAGAIN);
	}
	assert_int_equal(wanted[2], COOKIE);
	assert_int_equal(wanted[3], COOKIE);
	assert_int_equal(holders_walk_on(root[0]), 0);
	assert_int_equal(holders_walk_on(root[2]), -EAGAIN); /* waits for a place */
	holders_walk_free(root[0]);
	assert_int_equal(walk_all(root[2]), 1);
	assert_int_equal(holders_walk_on(user[2]), -EAGAIN);
	holders_walk_free(user[0]);
	assert_int_equal(walk_all(user[2]), 1);
	for (size_t i = 1; i < FL_HOLDER_WALKS; i++)
		holders_walk_free(root[i]);
	for (size_t i = 1; i < 3; i++)
		holders_walk_free(user[i]);
}

static void not_for_ever(void **state)
{
	struct holders_walk *w = walk(true);

	(void)state;
	say_progress();
	assert_int_equal(holders_walk_on(w), -EAGAIN);
	later_s = 60;
	assert_int_equal(holders_walk_on(w), -ETIMEDOUT);
	holders_walk_free(w);
}

static void refused(void **state)
{
	struct holders_walk *w = walk(true);

	(void)state;
	refusal = EPERM;
	assert_int_equal(holders_walk_on(w), -EPERM);
	holders_walk_free(w);
	holders_walk_free(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(nobody),
		TEST(once_for_each_process),
		TEST(a_pid_used_again),
		TEST(others_have_their_turn),
		TEST(more_than_are_told),
		TEST(more_descriptors_than_are_told),
		TEST(places),
		TEST(not_for_ever),
		TEST(refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
