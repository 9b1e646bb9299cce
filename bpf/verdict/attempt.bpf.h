/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a hook knows -> fl_attempt. The bits in `known` are set by whoever fills the fields in.
 */
#ifndef FLOWNER_VERDICT_ATTEMPT_BPF_H
#define FLOWNER_VERDICT_ATTEMPT_BPF_H

#include "owner.bpf.h"
#include "sock.bpf.h"
#include <flowner/check.h>
#include <flowner/policy.h>

#define KNOWS(dimension) (1u << (dimension))
/* Without a branch: the verifier would go through all that follows once for each set of bits. */
#define KNOWS_IF(value, bits) ((__u32)fl_mask(value) & (bits))
#define KNOWS_LOCAL (KNOWS(FL_DIM_LOCAL_ADDR) | KNOWS(FL_DIM_LOCAL_PORT))
#define KNOWS_REMOTE (KNOWS(FL_DIM_REMOTE_ADDR) | KNOWS(FL_DIM_REMOTE_PORT))

/* The owner in A of a flow of the maps, who need not run here. Of a parent nobody made a record. */
int attempt_by_owner(struct fl_attempt *a) __hidden;

/* The socket that is flow ID, as the maps know it: its namespace, and who owns it. */
int attempt_by_socket(struct fl_attempt *a, __u64 id) __hidden;

/* The interface of the route, or of the arrival. NULL: it is not known. */
int attempt_by_device(struct fl_attempt *a, struct net_device *dev) __hidden;

/* The process that asks: process context only, see owner.bpf.h. */
int attempt_by_current(struct fl_attempt *a) __hidden;

/* The same of the socket TP, which may be NULL: a path of MPTCP that the kernel opens beside the
 * first is asked for by who has the others. A has the cookie. */
int attempt_by_caller(struct fl_attempt *a, struct tcp_sock *tp) __hidden;

/* KEY and OWNER, read from S, are those of the flow that S was found by: see check.h. */
static __always_inline bool socket_is(const struct fl_socket *s, __u64 flow_id,
				      const struct fl_key *key, const struct fl_owner *owner)
{
	return fl_check_word(key, flow_id, owner) == *(volatile const __u64 *)&s->check;
}

static __always_inline void attempt_namespace(struct fl_attempt *a, __u64 cookie)
{
	a->key.netns_cookie = cookie;
	a->known |= KNOWS_IF(cookie, KNOWS(FL_DIM_NETNS));
}

#endif /* FLOWNER_VERDICT_ATTEMPT_BPF_H */
