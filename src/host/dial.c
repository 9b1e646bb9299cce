/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/dial.h"
#include "text/cleanup.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

int dial_wait(int fd, short events, int wait_ms)
{
	struct pollfd p = { .fd = fd, .events = events };
	long long end = now_ms() + wait_ms;

	for (;;) {
		long long left = end - now_ms();
		int r = poll(&p, 1, wait_ms < 0 ? -1 : left > 0 ? (int)left : 0);

		if (r > 0)
			return 0;
		if (r == 0)
			return -ETIMEDOUT;
		if (errno != EINTR)
			return -errno;
	}
}

/* A full backlog is EAGAIN here, without a way to wait for room: the socket blocks until later. */
int dial_connect(const char *path, int wait_ms, int *ret_fd)
{
	struct timeval limit = { .tv_sec = wait_ms / 1000, .tv_usec = wait_ms % 1000 * 1000 };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	_close_ int fd = -1;

	if (strlen(path) >= sizeof(un.sun_path))
		return -ENAMETOOLONG;
	memcpy(un.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (wait_ms >= 0 && setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0)
		return -errno;
	while (connect(fd, (struct sockaddr *)&un, sizeof(un)) < 0) {
		if (errno == EAGAIN)
			return -ETIMEDOUT;
		if (errno != EINTR)
			return -errno;
	}
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* A daemon that refuses early may close before it has read all: its answer is still to be had. */
int dial_send(int fd, const char *data, size_t len, int wait_ms)
{
	while (len > 0) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		int r = n < 0 ? -errno : 0;

		if (r == -EPIPE || r == -ECONNRESET)
			return 0;
		if (r == -EAGAIN)
			r = dial_wait(fd, POLLOUT, wait_ms);
		if (r < 0 && r != -EINTR)
			return r;
		if (n > 0) {
			data += n;
			len -= (size_t)n;
		}
	}
	return 0;
}
