/* SPDX-License-Identifier: BSD-2-Clause */
/* Network namespaces: our own without root; another one, entered and left again, with it. */
#include "text/cleanup.h"
#include "host/netns.h"
#include "host/netns_helper.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

static __u32 own_inum(void)
{
	struct stat st;

	assert_int_equal(stat("/proc/thread-self/ns/net", &st), 0);
	return (__u32)st.st_ino;
}

/* Since 5.14. */
static bool sockets_tell_cookie(void)
{
	_close_ int fd = socket(AF_INET, SOCK_DGRAM, 0);
	__u64 cookie;
	socklen_t len = sizeof(cookie);

	return !getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len);
}

static void self(void **state)
{
	__u64 cookie = 1;
	__u32 inum = 0;

	(void)state;
	assert_int_equal(netns_self(&cookie, &inum), 0);
	assert_int_equal(cookie != 0, sockets_tell_cookie());
	assert_int_equal(inum, own_inum());
}

static void parse(void **state)
{
	static const struct {
		const char *text;
		int r;
	} bad[] = {
		{ "", -EINVAL },
		{ "0", -EINVAL },
		{ "4294967296", -EINVAL },
		{ "99999999999999999999", -EINVAL },
		{ "a/b", -EINVAL },
		{ "..", -EINVAL },
		{ "../x", -EINVAL },
		{ "no-such-namespace", -ENOENT },
		{ "-1", -ENOENT },
		{ "/nonexistent", -ENOENT },
		{ "/etc/passwd", -ENOENT },
		{ "/etc/passwd/x", -ENOENT },
		{ "/proc/self/ns/mnt", -ENOENT },
		{ "/proc/self/ns", -ENOENT },
		{ "4194304", -ENOENT }, /* one above the highest pid */
	};
	char text[64];
	__u32 inum = 77;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		int r = netns_parse(bad[i].text, &inum);

		if (r != bad[i].r)
			fail_msg("%s -> %d", bad[i].text, r);
		assert_int_equal(inum, 77);
	}
	/* an inode is taken as it is; 4026531833 is the host's since 6.18 */
	assert_int_equal(netns_parse("4026531840", &inum), 0);
	assert_true(inum == 4026531840u);
	assert_int_equal(netns_parse("4026531833", &inum), 0);
	assert_true(inum == 4026531833u);
	snprintf(text, sizeof(text), "%d", getpid());
	assert_int_equal(netns_parse(text, &inum), 0);
	assert_int_equal(inum, own_inum());
	inum = 0;
	assert_int_equal(netns_parse("/proc/self/ns/net", &inum), 0);
	assert_int_equal(inum, own_inum());
}

/* A FIFO named by a filter must not be opened: this would hang. */
static void a_fifo_is_not_opened(void **state)
{
	char path[64];
	__u32 inum;

	(void)state;
	snprintf(path, sizeof(path), "/tmp/test_netns.%d", getpid());
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(netns_parse(path, &inum), -ENOENT);
	unlink(path);
}

struct found {
	__u32 inums[4096];
	size_t count;
};

static int collect(const char *path, __u32 inum, void *arg)
{
	struct found *f = arg;
	struct stat st;

	if (!stat(path, &st))
		assert_int_equal(st.st_ino, inum);
	for (size_t i = 0; i < f->count; i++)
		assert_int_not_equal(f->inums[i], inum);
	assert_true(f->count < 4096);
	f->inums[f->count++] = inum;
	return 0;
}

static int contains(const struct found *f, __u32 inum)
{
	for (size_t i = 0; i < f->count; i++)
		if (f->inums[i] == inum)
			return 1;
	return 0;
}

static int stop_at_once(const char *path, __u32 inum, void *arg)
{
	(void)path;
	(void)inum;
	++*(int *)arg;
	return 42;
}

/* --- a path that is something else whenever it is looked at again --- */

#define EXCHANGES 20000

static struct {
	char dir[64], path[96], bait[96], other[96];
	volatile bool stop;
} trick;

static void *exchange(void *arg)
{
	(void)arg;
	while (!trick.stop) {
		unlink(trick.other);
		(void)!symlink("/proc/self/ns/net", trick.other);
		rename(trick.other, trick.path);
		(void)!symlink(trick.bait, trick.other);
		rename(trick.other, trick.path);
	}
	return NULL;
}

static void what_is_no_namespace_is_never_opened(void **state)
{
	_close_ int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	struct inotify_event event;
	pthread_t thread;
	int namespaces = 0;

	(void)state;
	snprintf(trick.dir, sizeof(trick.dir), "/tmp/flowner-test-XXXXXX");
	assert_non_null(mkdtemp(trick.dir));
	snprintf(trick.path, sizeof(trick.path), "%s/path", trick.dir);
	snprintf(trick.other, sizeof(trick.other), "%s/other", trick.dir);
	snprintf(trick.bait, sizeof(trick.bait), "%s/bait", trick.dir);
	close(open(trick.bait, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_true(inotify_add_watch(watch, trick.bait, IN_OPEN) >= 0);
	assert_int_equal(pthread_create(&thread, NULL, exchange, NULL), 0);
	for (int i = 0; i < EXCHANGES || (!namespaces && i < 100 * EXCHANGES); i++) {
		_close_ int fd = -1;

		namespaces += netns_open(trick.path, &fd) == 0;
	}
	trick.stop = true;
	pthread_join(thread, NULL);
	assert_true(read(watch, &event, sizeof(event)) < 0);
	assert_true(namespaces > 0);
	unlink(trick.path);
	unlink(trick.other);
	unlink(trick.bait);
	rmdir(trick.dir);
}

static void each_once(void **state)
{
	struct found f = {};
	int calls = 0;

	(void)state;
	assert_int_equal(netns_each(collect, &f), 0);
	assert_true(contains(&f, own_inum()));
	assert_int_equal(netns_each(stop_at_once, &calls), 42);
	assert_int_equal(calls, 1);
}

static void diag_socket_here(void **state)
{
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);
	__u64 cookie = 77, own = 0;
	__u32 inum;
	int fd = -1;

	(void)state;
	assert_int_equal(netns_socket("/proc/self/ns/net", NETLINK_SOCK_DIAG, &fd, &cookie), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	assert_int_equal(addr.ss_family, AF_NETLINK);
	if (!netns_self(&own, &inum))
		assert_true(cookie == own);
	close(fd);
}

static void diag_socket_nowhere(void **state)
{
	__u64 cookie = 77;
	int fd = -1;

	(void)state;
	assert_int_equal(netns_socket("/nonexistent", NETLINK_SOCK_DIAG, &fd, &cookie), -ENOENT);
	assert_int_equal(netns_socket("/proc/self/ns/mnt", NETLINK_SOCK_DIAG, &fd, &cookie),
			 -ENOENT);
	assert_int_equal(fd, -1);
	assert_true(cookie == 77);
}

/* A child in a namespace of its own that waits to be ended; -1 when that is not allowed here. */
static pid_t child_elsewhere(void)
{
	int ready[2], r;
	char c = 0;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		c = unshare(CLONE_NEWNET) ? 'n' : 'y';
		if (write(ready[1], &c, 1) == 1)
			pause();
		_exit(0);
	}
	close(ready[1]);
	r = (int)read(ready[0], &c, 1);
	close(ready[0]);
	if (r == 1 && c == 'y')
		return pid;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return -1;
}

static void diag_socket_elsewhere(void **state)
{
	__u64 cookie = 0, seen = 0, own = 0;
	socklen_t len = sizeof(seen);
	struct found f = {};
	char path[64], text[16];
	__u32 before = own_inum(), inum = 0, ignored;
	pid_t pid;
	int fd = -1;

	(void)state;
	pid = geteuid() ? -1 : child_elsewhere();
	if (pid < 0) {
		print_message("needs CAP_SYS_ADMIN to make and enter a network namespace\n");
		skip();
	}
	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	assert_int_equal(netns_socket(path, NETLINK_SOCK_DIAG, &fd, &cookie), -ECHILD);
	assert_int_equal(netns_helper_start(), 0);
	snprintf(text, sizeof(text), "%d", pid);
	assert_int_equal(netns_socket(path, NETLINK_SOCK_DIAG, &fd, &cookie), 0);
	assert_int_equal(own_inum(), before);
	if (!sockets_tell_cookie()) {
		assert_true(cookie == 0);
	} else {
		assert_int_equal(netns_self(&own, &ignored), 0);
		assert_true(cookie != own);
		assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &seen, &len), 0);
		assert_true(cookie == seen);
	}
	assert_int_equal(netns_socket(path, NETLINK_KOBJECT_UEVENT, &fd, &seen), -EPERM);
	assert_int_equal(netns_parse(text, &inum), 0);
	assert_int_not_equal(inum, before);
	assert_int_equal(netns_each(collect, &f), 0);
	assert_true(contains(&f, inum));
	assert_true(contains(&f, before));
	close(fd);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	/* gone: nothing to enter, and we are still at home */
	assert_int_equal(netns_socket(path, NETLINK_SOCK_DIAG, &fd, &cookie), -ENOENT);
	assert_int_equal(own_inum(), before);
}

struct ending {
	pid_t pid;
	__u32 inum;
	int r; /* of the socket there */
};

/* Its last process ends while the walk is there. */
static int end_it(const char *path, __u32 inum, void *arg)
{
	struct ending *e = arg;
	__u64 cookie;
	int fd = -1;

	if (inum != e->inum)
		return 0;
	kill(e->pid, SIGKILL);
	waitpid(e->pid, NULL, 0);
	e->r = netns_socket(path, NETLINK_SOCK_DIAG, &fd, &cookie);
	if (fd >= 0)
		close(fd);
	return 1;
}

static void ended_meanwhile(void **state)
{
	struct ending e = { .r = -ENOENT };
	struct stat st;
	char path[64];

	(void)state;
	e.pid = geteuid() ? -1 : child_elsewhere();
	if (e.pid < 0)
		skip();
	snprintf(path, sizeof(path), "/proc/%d/ns/net", e.pid);
	assert_int_equal(stat(path, &st), 0);
	e.inum = (__u32)st.st_ino;
	assert_int_equal(netns_each(end_it, &e), 1);
	assert_int_equal(e.r, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(self),
		cmocka_unit_test(parse),
		cmocka_unit_test(a_fifo_is_not_opened),
		cmocka_unit_test(what_is_no_namespace_is_never_opened),
		cmocka_unit_test(each_once),
		cmocka_unit_test(diag_socket_here),
		cmocka_unit_test(diag_socket_nowhere),
		cmocka_unit_test(diag_socket_elsewhere),
		cmocka_unit_test(ended_meanwhile),
	};

	return cmocka_run_group_tests_name("netns", tests, NULL, NULL);
}
