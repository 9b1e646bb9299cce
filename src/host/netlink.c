/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/netlink.h"

#include <errno.h>
#include <sys/socket.h>

int netlink_ask(int fd, const struct nlmsghdr *question, mnl_cb_t fn, void *arg)
{
	static char buf[65536]; /* one thread; too large for the stack of a callback */
	int r = MNL_CB_OK;

	if (send(fd, question, question->nlmsg_len, 0) < 0)
		return -errno;
	while (r > MNL_CB_STOP) {
		ssize_t n = recv(fd, buf, sizeof(buf), 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		r = mnl_cb_run(buf, (size_t)n, 0, 0, fn, arg);
	}
	return r < 0 ? -errno : 0;
}
