/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What CONNECT_AUTHORIZATION has answered, by session, policy and interface; and what an interface
 * was when somebody first went by it: a name, or a number, may come to be another's.
 */
#ifndef FLOWNER_VERDICT_WAYS_BPF_H
#define FLOWNER_VERDICT_WAYS_BPF_H

#include "attempt.bpf.h"

/* Under what an answer is remembered: the policy, and what its interfaces are. Read before it is
 * judged. */
__u64 ways_epoch(void) __hidden;

/* What has been said to A, if that is known: 1 it may, 0 it may not; negative: nothing yet. */
int way_known(const struct fl_attempt *a, __u64 epoch) __hidden;

int way_remember(const struct fl_attempt *a, __u64 epoch, __u32 may) __hidden;

/* Not hidden, with numbers for arguments: verified once, by itself. */
int way_link_used(__u64 netns_cookie, __u32 interface, __u64 name, __u64 types);

/* A goes by its interface: who has to hear of routes is told when nobody did before. */
static __always_inline void ways_use_link(const struct fl_attempt *a)
{
	way_link_used(a->key.netns_cookie, a->next_hop_interface, a->interface,
		      (__u64)a->interface_type << 32 | a->tunnel_type);
}

/* The interface in A is what A says now. What was said of another one is not known any more. */
int ways_set_link(const struct fl_attempt *a) __hidden;

/* Into A what its next_hop_interface is, which somebody has looked at. False: nobody has. */
bool ways_get_link(struct fl_attempt *a) __hidden;

#endif /* FLOWNER_VERDICT_WAYS_BPF_H */
