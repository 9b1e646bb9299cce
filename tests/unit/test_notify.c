/* SPDX-License-Identifier: BSD-2-Clause */
/* sd_notify(3)'s protocol, seen from the receiving end: by path, by abstract name, by nobody. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/notify.h"

#define PATH_MOST (sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1)

static char directory[] = "/tmp/flowner-test-XXXXXX";

/* Bound to exactly these LEN bytes of an address. */
static int listen_at(const char *name, size_t len)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	memcpy(addr.sun_path, name, len);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
			 0);
	return fd;
}

static void expect(int fd, const char *text)
{
	char buf[256] = "";

	assert_int_equal(recv(fd, buf, sizeof(buf), 0), strlen(text));
	assert_string_equal(buf, text);
	assert_int_equal(recv(fd, buf, sizeof(buf), 0), -1); /* one datagram each */
}

static void by_path(void **state)
{
	char path[64];
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "%s/notify", directory);
	fd = listen_at(path, strlen(path) + 1);
	setenv("NOTIFY_SOCKET", path, 1);
	assert_int_equal(notify("READY=1"), 0);
	expect(fd, "READY=1");
	assert_int_equal(notify("STOPPING=1"), 0);
	expect(fd, "STOPPING=1");
	close(fd);
	assert_int_equal(notify("READY=1"), -ECONNREFUSED);
	unlink(path);
	assert_int_equal(notify("READY=1"), -ENOENT);
}

static void by_abstract_name(void **state)
{
	char name[64];
	int fd;

	(void)state;
	snprintf(name, sizeof(name), "@flowner-test-%d", (int)getpid());
	setenv("NOTIFY_SOCKET", name, 1);
	name[0] = '\0';
	fd = listen_at(name, 1 + strlen(name + 1)); /* its length is part of the name */
	assert_int_equal(notify("READY=1"), 0);
	expect(fd, "READY=1");
	close(fd);
}

/* Anybody may fill the queue of systemd's socket; who waited for room here would wait for ever. */
static void to_who_does_not_read(void **state)
{
	char path[64];
	int fd, sent = 0;

	(void)state;
	snprintf(path, sizeof(path), "%s/notify", directory);
	fd = listen_at(path, strlen(path) + 1);
	setenv("NOTIFY_SOCKET", path, 1);
	while (notify_now("WATCHDOG=1") == 0)
		sent++;
	assert_true(sent > 0);
	assert_int_equal(notify_now("WATCHDOG=1"), -EAGAIN);
	close(fd);
	unlink(path);
}

static void by_nobody(void **state)
{
	(void)state;
	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(notify("READY=1"), 0);
	setenv("NOTIFY_SOCKET", "", 1);
	assert_int_equal(notify("READY=1"), 0);
}

static void as_long_as_an_address_can_be(void **state)
{
	char path[PATH_MOST + 2];
	int fd;

	(void)state;
	memset(path, 'x', sizeof(path));
	memcpy(path, directory, strlen(directory));
	path[strlen(directory)] = '/';
	path[PATH_MOST + 1] = '\0';
	setenv("NOTIFY_SOCKET", path, 1);
	assert_int_equal(notify("READY=1"), -ENAMETOOLONG);
	path[PATH_MOST] = '\0';
	setenv("NOTIFY_SOCKET", path, 1);
	fd = listen_at(path, PATH_MOST + 1);
	assert_int_equal(notify("READY=1"), 0);
	expect(fd, "READY=1");
	close(fd);
	unlink(path);
}

static void watchdog(void **state)
{
	char pid[16];

	(void)state;
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	assert_int_equal(notify_watchdog_ms(), 0);
	setenv("WATCHDOG_USEC", "30000000", 1);
	assert_int_equal(notify_watchdog_ms(), 15000);
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("WATCHDOG_PID", pid, 1);
	assert_int_equal(notify_watchdog_ms(), 15000);
	setenv("WATCHDOG_PID", "1", 1);
	assert_int_equal(notify_watchdog_ms(), 0);
	unsetenv("WATCHDOG_PID");
	setenv("WATCHDOG_USEC", "500", 1);
	assert_int_equal(notify_watchdog_ms(), 1);
	setenv("WATCHDOG_USEC", "0", 1);
	assert_int_equal(notify_watchdog_ms(), 0);
	setenv("WATCHDOG_USEC", "soon", 1);
	assert_int_equal(notify_watchdog_ms(), 0);
	unsetenv("WATCHDOG_USEC");
}

static int make_directory(void **state)
{
	(void)state;
	return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
	(void)state;
	return rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_path),
		cmocka_unit_test(by_abstract_name),
		cmocka_unit_test(to_who_does_not_read),
		cmocka_unit_test(by_nobody),
		cmocka_unit_test(as_long_as_an_address_can_be),
		cmocka_unit_test(watchdog),
	};

	return cmocka_run_group_tests_name("notify", tests, make_directory, remove_directory);
}
