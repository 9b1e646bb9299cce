/* SPDX-License-Identifier: BSD-2-Clause */
/* Network namespaces: our own without root; another one, entered and left again, with it. */
#include "text/cleanup.h"
#include "host/netns.h"
#include "host/netns_helper.h"
#include "host/netns_places.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/openat2.h>
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
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
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

/* --- where nobody lives --- */

static bool found_at_all(__u32 inum)
{
	static struct found f;

	f.count = 0;
	assert_int_equal(netns_each(collect, &f), 0);
	return contains(&f, inum);
}

static __u32 inum_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return (__u32)st.st_ino;
}

static __u64 look_ns, cpu_ns; /* how long each look at the clock takes; 0: it is the real one */

int __wrap_clock_gettime(clockid_t clock, struct timespec *ts);
int __real_clock_gettime(clockid_t clock, struct timespec *ts);

int __wrap_clock_gettime(clockid_t clock, struct timespec *ts)
{
	if (clock != CLOCK_THREAD_CPUTIME_ID || !look_ns)
		return __real_clock_gettime(clock, ts);
	cpu_ns += look_ns;
	*ts = (struct timespec){ .tv_sec = (time_t)(cpu_ns / 1000000000),
				 .tv_nsec = (long)(cpu_ns % 1000000000) };
	return 0;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* A descriptor of a namespace in which nobody is; -1: we may make none. */
static int hold_elsewhere(__u32 *ret_inum)
{
	pid_t pid = geteuid() ? -1 : child_elsewhere();
	char path[64];
	int fd;

	if (pid < 0)
		return -1;
	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	*ret_inum = inum_of(path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	end(pid);
	return fd;
}

static void held_by_a_descriptor(void **state)
{
	__u32 inum;
	int fd = hold_elsewhere(&inum);

	(void)state;
	if (fd < 0)
		skip();
	assert_false(found_at_all(inum));
	assert_int_equal(netns_places_find(), 0);
	assert_true(found_at_all(inum));
	close(fd);
	assert_false(found_at_all(inum));
	assert_int_equal(netns_places_find(), 0);
	assert_false(found_at_all(inum)); /* it was not kept */
	netns_places_forget();
}

/* Where it takes a millisecond to look at one, it is not all of them. */
static void behind_many_descriptors(void **state)
{
	__u32 inum;
	int low[300], namespace = hold_elsewhere(&inum), high;

	(void)state;
	if (namespace < 0)
		skip();
	for (size_t i = 0; i < sizeof(low) / sizeof(low[0]); i++)
		low[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	high = fcntl(namespace, F_DUPFD_CLOEXEC, 0);
	close(namespace);
	look_ns = 1000000;
	assert_int_equal(netns_places_find(), 0);
	assert_false(found_at_all(inum));
	look_ns = 0;
	assert_int_equal(netns_places_find(), 0);
	assert_true(found_at_all(inum));
	close(high);
	for (size_t i = 0; i < sizeof(low) / sizeof(low[0]); i++)
		close(low[i]);
	netns_places_forget();
}

static void *go_elsewhere(void *arg)
{
	int *ready = arg;
	pid_t tid = unshare(CLONE_NEWNET) ? 0 : gettid();

	if (write(*ready, &tid, sizeof(tid)) == sizeof(tid))
		pause();
	return NULL;
}

/* Its other threads stay at home. */
static void where_a_thread_went(void **state)
{
	pid_t pid, tid = 0;
	pthread_t thread;
	int ready[2], r;
	char path[64];

	(void)state;
	if (geteuid())
		skip();
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		pthread_create(&thread, NULL, go_elsewhere, &ready[1]);
		pause();
		_exit(0);
	}
	close(ready[1]);
	r = (int)read(ready[0], &tid, sizeof(tid));
	close(ready[0]);
	assert_true(r == sizeof(tid) && tid > 0);
	snprintf(path, sizeof(path), "/proc/%d/task/%d/ns/net", pid, tid);
	assert_false(found_at_all(inum_of(path)));
	assert_int_equal(netns_places_find(), 0);
	assert_true(found_at_all(inum_of(path)));
	end(pid);
	netns_places_forget();
}

/* RESOLVE_CACHED, 5.12: before, the way over others' file systems is not gone. */
static bool knows_cached(void)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = 0x20 };
	long fd = syscall(SYS_openat2, AT_FDCWD, "/", &how, sizeof(how));

	if (fd >= 0)
		close((int)fd);
	return fd >= 0 || errno != EINVAL;
}

/* In a mount namespace of its own there is a namespace in which nobody is. */
static char mount_one(const char *file)
{
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	if (home < 0 || unshare(CLONE_NEWNS | CLONE_NEWNET) < 0 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("/proc/self/ns/net", file, NULL, MS_BIND, NULL) < 0)
		return 'n';
	return setns(home, CLONE_NEWNET) ? 'n' : 'y';
}

static void mounted_where_we_are_not(void **state)
{
	char file[64], path[128], c = 0;
	int ready[2], r;
	__u32 inum;
	pid_t pid;

	(void)state;
	if (geteuid())
		skip();
	snprintf(file, sizeof(file), "/tmp/test netns.%d", getpid());
	r = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(r >= 0);
	close(r);
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		c = mount_one(file);
		if (write(ready[1], &c, 1) == 1)
			pause();
		_exit(0);
	}
	close(ready[1]);
	r = (int)read(ready[0], &c, 1);
	close(ready[0]);
	assert_true(r == 1 && c == 'y');
	snprintf(path, sizeof(path), "/proc/%d/root%s", pid, file);
	inum = inum_of(path);
	assert_false(found_at_all(inum));
	assert_int_equal(netns_places_find(), 0);
	assert_int_equal(found_at_all(inum), knows_cached());
	end(pid);
	assert_false(found_at_all(inum));
	netns_places_forget();
	unlink(file);
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
		cmocka_unit_test(held_by_a_descriptor),
		cmocka_unit_test(behind_many_descriptors),
		cmocka_unit_test(where_a_thread_went),
		cmocka_unit_test(mounted_where_we_are_not),
	};

	return cmocka_run_group_tests_name("netns", tests, NULL, NULL);
}
