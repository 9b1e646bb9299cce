/* SPDX-License-Identifier: BSD-2-Clause */
#include "place.h"

#include "text/cleanup.h"
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>

#include "actor.h"
#include "net.h"
#include "netlink.h"

int own_netns(void)
{
	if (unshare(CLONE_NEWNET) < 0)
		return -errno;
	stage.netns = atomic_fetch_add(&ledger->netns, 1) + 1;
	return link_up("lo");
}

bool refused_to_us(int r)
{
	return r == -EPERM || r == -EINVAL || r == -ENOSYS || r == -ENOSPC;
}

int netns_of(pid_t pid)
{
	char name[32];
	int fd;

	snprintf(name, sizeof(name), "%d/ns/net", pid);
	fd = openat(proc_dir, name, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

struct ep cable_address(unsigned char host, uint16_t port)
{
	static const unsigned char v4[16] = { [10] = 0xff, 0xff, 10, 77, 0, 0 };
	static const unsigned char v6[16] = { 0xfd, 0x77 };
	struct ep ep = { .port = port };

	memcpy(&ep.ip, stage.family == FAMILY_V6 ? v6 : v4, 16);
	ep.ip.s6_addr[15] = host;
	return ep;
}

unsigned int cable_prefix(void)
{
	return stage.family == FAMILY_V6 ? 64 : 24;
}

struct ep scoped_address(unsigned char host, uint16_t port, const char *name)
{
	struct ep ep = { .port = port, .scope = if_nametoindex(name) };

	ep.ip.s6_addr[0] = 0xfe;
	ep.ip.s6_addr[1] = 0x80;
	ep.ip.s6_addr[15] = host;
	return ep;
}

int setting(const char *name, const char *value)
{
	_close_ int fd = open(name, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		return -errno;
	return 0;
}
