/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/notify.h"
#include "text/cleanup.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int tell(const char *state, int flags)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	const char *path = getenv("NOTIFY_SOCKET");
	_close_ int fd = -1;
	socklen_t len;

	if (!path || !*path)
		return 0;
	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, path, strlen(path) + 1);
	len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	if (path[0] == '@')
		addr.sun_path[0] = '\0';
	else
		len++;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || sendto(fd, state, strlen(state), MSG_NOSIGNAL | flags,
			     (struct sockaddr *)&addr, len) < 0)
		return -errno;
	return 0;
}

int notify(const char *state)
{
	return tell(state, 0);
}

int notify_now(const char *state)
{
	return tell(state, MSG_DONTWAIT);
}

/* $WATCHDOG_PID is another's when the variables were inherited past the process they are for. */
uint64_t notify_watchdog_ms(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	uint64_t us;

	if (!usec || (pid && strtoll(pid, NULL, 10) != getpid()))
		return 0;
	us = strtoull(usec, NULL, 10);
	return us && us < 2000 ? 1 : us / 1000 / 2;
}
