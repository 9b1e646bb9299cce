/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One flow's life in the maps: open, accepted, state, end. Every other file decides when; only this
 * one writes l7_connections and socket_to_process.
 *
 * The insert into and the delete from socket_to_process happen exactly once for a flow, whoever
 * comes first: a second copy of a program, a repair and the first source may all report the same.
 */
#ifndef FLOWNER_FLOW_BPF_H
#define FLOWNER_FLOW_BPF_H

#include "owner.bpf.h"
#include "sock.bpf.h"

#define ENOENT 2

/* A flow id that is no socket's cookie, never given twice until the machine starts again. */
static __always_inline __u64 flow_number(void)
{
	__u32 zero = 0;
	struct fl_numbers *n = bpf_map_lookup_elem(&numbers, &zero);
	__u64 id;

	if (!n)
		return 0;
	bpf_spin_lock(&n->lock);
	id = ++n->last;
	bpf_spin_unlock(&n->lock);
	return FL_ID_NUMBERED | id;
}

/* FLOW is zeroed. C may be NULL or another flow's. */
static __always_inline void flow_describe(struct fl_flow *flow, __u64 id, const struct fl_socket *s,
					  const struct fl_connection *c)
{
	flow->id = id;
	flow->cookie = s->cookie;
	flow->key = s->key;
	flow->owner = s->owner;
	flow->opened_ns = s->opened_ns;
	flow->role = s->role;
	flow->accepted = s->accepted;
	if (c && c->flow_id == id) {
		flow->state = c->state;
		flow->members = c->members;
	}
}

static __always_inline bool owner_equal(const struct fl_owner *a, const struct fl_owner *b)
{
	return fl_proc_equal(&a->proc, &b->proc) && a->uid == b->uid && a->gid == b->gid;
}

static __always_inline void flow_state(__u64 id, struct fl_connection *c, enum fl_state state)
{
	if (c && c->flow_id == id)
		c->state = state;
}

/* The flow of this TCP socket has ended. Said before anything of it is taken out: who finds no flow
 * finds this. */
static __always_inline void socket_mark_ended(__u64 cookie)
{
	__u32 place = cookie & (ENDED_PLACES - 1);
	__u64 *ended = bpf_map_lookup_elem(&ended_sockets, &place);

	if (ended)
		*ended = cookie;
}

/* False also when so many have ended since that another one has its place. */
static __always_inline bool socket_ended_lately(__u64 cookie)
{
	__u32 place = cookie & (ENDED_PLACES - 1);
	__u64 *ended = bpf_map_lookup_elem(&ended_sockets, &place);

	return ended && *ended == cookie;
}

/* The verbs, in flow.bpf.c: __hidden functions are verified in the caller's context. */

/* Who owns flow ID, as of one moment. -ENOENT: nobody, or it is just ending. */
int flow_owner(__u64 id, struct fl_owner *ret_owner) __hidden;

/* S is complete but for its check word. 0, or -EEXIST when the flow is already known. */
int flow_insert(__u64 id, struct fl_socket *s, enum fl_state state) __hidden;

/* S instead of what the walk has found a moment before: -EEXIST when it was a hook that told. */
int flow_replace_found(__u64 id, const struct fl_socket *s, enum fl_state state) __hidden;

/* For hooks that see who opens; the walk has flow_insert(). */
static __always_inline int flow_open(__u64 id, struct fl_socket *s, enum fl_state state)
{
	int r = flow_insert(id, s, state);

	return r == -EEXIST ? flow_replace_found(id, s, state) : r;
}

/*
 * The current process took over the passive flow ID: from now on its owner is final. Most servers
 * accept in the process that listens; then nothing but the flag changes.
 */
int flow_accept(__u64 id) __hidden;

/* The same by O, in whatever context. */
int flow_accept_as(__u64 id, const struct fl_owner *o) __hidden;

/* Of one path of an MPTCP connection, which is taken over with SIBLING, an accepted one. */
int flow_accept_with(__u64 id, __u64 sibling) __hidden;

/* The same of a connection whose CLOSE has its place in the ring: the owner follows it. */
int flow_accept_late(__u64 id) __hidden;

/*
 * Either. Another CPU may be ending the flow: its CLOSE takes a place in the ring, then the mark is
 * set, then it is looked up who the owner is. Who does not find the mark afterwards was in time.
 * Inlined: one frame more is more than the stack of the longest chain has room for.
 */
static __always_inline void flow_accepted(__u64 id)
{
	if (!socket_ended_lately(id))
		flow_accept(id);
	if (socket_ended_lately(id))
		flow_accept_late(id);
}

/*
 * Ends flow ID, once. COUNTS are of TCP, NULL when nobody knows; those of UDP are found here. 0, or
 * -ENOENT when it is not (or no longer) known.
 */
int flow_end(__u64 id, enum fl_reason reason, const struct fl_counts *counts) __hidden;

/* Takes flow ID out for the daemon, which tells and counts its end itself. 0 or -ENOENT. */
int flow_take_out(__u64 id) __hidden;

/* Datagrams of flow ID are counted from now on; called before it is inserted. */
int flow_count_udp(__u64 id) __hidden;

/* A UDP socket's local-only flow ID becomes the session KEY, under the same id and owned by BY. */
int flow_rekey(__u64 id, const struct fl_key *key, enum fl_role role,
	       const struct fl_owner *by) __hidden;

/* OP of session ID to the rings of others. */
int session_told(enum fl_sock_op op, __u64 id) __hidden;

/* Somebody hears of sessions that are established. */
static __always_inline bool sessions_wanted(void)
{
	bool wanted = events_watched();

	for (int i = 0; i < FL_RINGS && !wanted; i++) {
		__u32 slot = i;

		wanted = bpf_map_lookup_elem(&flow_rings, &slot) != NULL;
	}
	return wanted;
}

/* To the rings of others, and to those who watch. */
int session_established(__u64 id, const struct fl_socket *s) __hidden;

/* An event of flow ID, told only while somebody watches. */
int flow_tell(enum fl_record_type type, __u64 id, const struct fl_socket *s,
	      enum fl_state state) __hidden;

#endif /* FLOWNER_FLOW_BPF_H */
