/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel's word on who connected. */
#include "host/peer.h"
#include "host/people.h"
#include "text/cleanup.h"
#include <errno.h>
#include <sys/socket.h>

#define GROUPS_MAX 65536 /* NGROUPS_MAX of the kernel */

gid_t peer_group(const char *name)
{
	__u64 gid;

	return name && people_gid(name, &gid) == 0 ? (gid_t)gid : PEER_NO_GROUP;
}

/* 1 when GROUP is a supplementary group of the peer, 0 when not, or a negative errno. */
static int has_group(int fd, gid_t group)
{
	_free_ gid_t *groups = calloc(GROUPS_MAX, sizeof(*groups));
	socklen_t size = GROUPS_MAX * sizeof(*groups);

	if (!groups)
		return -ENOMEM;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) < 0)
		return -errno;
	for (size_t i = 0; i < size / sizeof(*groups); i++)
		if (groups[i] == group)
			return 1;
	return 0;
}

int peer_get(int fd, gid_t group, struct peer *ret_peer)
{
	struct ucred cred;
	socklen_t size = sizeof(cred);
	int r;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) < 0)
		return -errno;
	r = cred.uid == 0 || (group != PEER_NO_GROUP && cred.gid == group);
	if (!r && group != PEER_NO_GROUP)
		r = has_group(fd, group);
	if (r < 0)
		return r;
	*ret_peer = (struct peer){ .uid = cred.uid, .pid = cred.pid, .sees_all = r > 0 };
	return 0;
}
