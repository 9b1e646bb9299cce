/* SPDX-License-Identifier: BSD-2-Clause */
/* How far it is, in words; how many sockets /proc says there are; and a thread that says it. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/progress.h"
#include "host/sockstat.h"

#define PATIENCE_MS 20000

static __u64 count(void *arg)
{
	return __atomic_load_n((__u64 *)arg, __ATOMIC_RELAXED);
}

/* --- words --- */

static void expect_text(const struct progress_step *step, __u64 done, const char *wanted)
{
	char text[128];

	progress_text(step, done, text, sizeof(text));
	assert_string_equal(text, wanted);
}

static void words(void **state)
{
	struct progress_step step = { .what = "loading" };

	(void)state;
	expect_text(&step, 7, "loading");
	step = (struct progress_step){ .what = "seeding", .done = count };
	expect_text(&step, 0, "seeding: 0 sockets");
	expect_text(&step, 40000, "seeding: 40000 sockets");
	step.total = 100000;
	expect_text(&step, 40000, "seeding: 40000 of about 100000 sockets");
	expect_text(&step, 100000, "seeding: 100000 of about 100000 sockets");
	expect_text(&step, 100001, "seeding: 100001 sockets"); /* then it was not of so many */
}

/* --- /proc/net/sockstat --- */

static void numbers(void **state)
{
	static const char text[] = "sockets: used 15\n"
				   "TCP: inuse 1 orphan 2 tw 3 alloc 44 mem 288\n"
				   "UDP: inuse 5 mem 0\n"
				   "UDPLITE: inuse 6\n";

	(void)state;
	assert_int_equal(sockstat_number(text, "TCP", "inuse"), 1);
	assert_int_equal(sockstat_number(text, "TCP", "alloc"), 44);
	assert_int_equal(sockstat_number(text, "UDP", "inuse"), 5);
	assert_int_equal(sockstat_number(text, "UDP", "alloc"), 0);
	assert_int_equal(sockstat_number(text, "UDPLITE", "inuse"), 6);
	assert_int_equal(sockstat_number(text, "UDP6", "inuse"), 0);
	assert_int_equal(sockstat_number("", "UDP", "inuse"), 0);
	assert_int_equal(sockstat_number("UDP:", "UDP", "inuse"), 0);
	assert_int_equal(sockstat_number("UDP: inuse", "UDP", "inuse"), 0);
	assert_int_equal(sockstat_number("UDP: inuse x", "UDP", "inuse"), 0);
}

/* --- the thread, heard as the service manager hears it --- */

static int listen_to_it(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char name[64];

	snprintf(name, sizeof(name), "@flowner-progress-%d", (int)getpid());
	setenv("NOTIFY_SOCKET", name, 1);
	name[0] = '\0';
	memcpy(addr.sun_path, name, 1 + strlen(name + 1));
	assert_true(fd >= 0);
	assert_int_equal(
		bind(fd, (struct sockaddr *)&addr,
		     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name + 1))),
		0);
	return fd;
}

static void expect_notice(int fd, const char *wanted)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char buf[256] = "";

	assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
	assert_true(recv(fd, buf, sizeof(buf) - 1, 0) > 0);
	assert_string_equal(buf, wanted);
}

static bool is_silent(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, ms) == 0;
}

static void only_news_are_said(void **state)
{
	__u64 done = 5;
	const struct progress_step step = { "seeding", count, &done, 0 };
	const struct progress_step next = { .what = "comparing" };
	struct progress *p = NULL;
	int fd = listen_to_it();

	(void)state;
	assert_int_equal(progress_new(&p), 0);
	progress_next(p, &step);
	expect_notice(fd, "STATUS=seeding: 5 sockets\nEXTEND_TIMEOUT_USEC=60000000");
	assert_true(is_silent(fd, 2500)); /* who hangs gets no more time */
	__atomic_store_n(&done, 6, __ATOMIC_RELAXED);
	expect_notice(fd, "STATUS=seeding: 6 sockets\nEXTEND_TIMEOUT_USEC=60000000");
	progress_next(p, &next);
	expect_notice(fd, "STATUS=comparing\nEXTEND_TIMEOUT_USEC=60000000");
	progress_free(p);
	expect_notice(fd, "STATUS=");
	assert_true(is_silent(fd, 0));
	close(fd);
}

static void a_quick_start_says_nothing(void **state)
{
	const struct progress_step step = { .what = "loading" };
	struct progress *p = NULL;
	int fd = listen_to_it();

	(void)state;
	assert_int_equal(progress_new(&p), 0);
	progress_free(p);
	assert_int_equal(progress_new(&p), 0); /* nothing is done yet */
	assert_true(is_silent(fd, 1500));
	progress_free(p);
	assert_true(is_silent(fd, 0));
	progress_next(NULL, &step);
	progress_free(NULL);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words),
		cmocka_unit_test(numbers),
		cmocka_unit_test(only_news_are_said),
		cmocka_unit_test(a_quick_start_says_nothing),
	};

	return cmocka_run_group_tests_name("progress", tests, NULL, NULL);
}
