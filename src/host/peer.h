/* SPDX-License-Identifier: BSD-2-Clause */
/* Who is at the other end of a unix socket, as the kernel says, and which flows they may see. */
#ifndef FLOWNER_PEER_H
#define FLOWNER_PEER_H

#include <flowner/flow.h>
#include <stdbool.h>
#include <sys/types.h>

#define PEER_NO_GROUP ((gid_t)-1)

struct peer {
	uid_t uid;
	pid_t pid;     /* as it was when it connected; 0: of another pid namespace */
	bool sees_all; /* root, or a member of the group */
};

/* The gid of NAME, PEER_NO_GROUP when there is no such group. Asks the host's name service,
 * which has a few seconds. */
gid_t peer_group(const char *name);

/*
 * Credentials of the peer at the time it connected (SO_PEERCRED, SO_PEERGROUPS). GROUP sees all.
 * Negative errno. Tests bring their own: this is the only function that asks who somebody is.
 */
int peer_get(int fd, gid_t group, struct peer *ret_peer);

/* The access rules: root and the group see all, others their own flows; only root changes. */
static inline bool peer_may_see(const struct peer *peer, const struct fl_flow *flow)
{
	/* an owner not known has uid 0 and no pid: nobody's, so only for those who see all */
	return peer->sees_all || (flow->owner.proc.pid && flow->owner.uid == peer->uid);
}

/* The process that OWNER is, beside a flow the peer may see. */
static inline bool peer_may_name(const struct peer *peer, const struct fl_owner *owner)
{
	return peer->sees_all || owner->uid == peer->uid;
}

static inline bool peer_may_change(const struct peer *peer)
{
	return peer->uid == 0;
}

#endif
