/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A UDP socket and its flows. The socket's own entry is local-only, or, after connect(), the
 * session with its peer: same id, the cookie. Every other peer is a numbered flow, linked from the
 * socket so that closing it ends them all without the daemon.
 *
 * Process hooks say who uses the socket; the packet hooks, which often run in softirq, say with
 * whom. A datagram nobody has received yet makes a flow with an interim owner; the receive that
 * takes it makes the owner final.
 */
#ifndef FLOWNER_UDP_BPF_H
#define FLOWNER_UDP_BPF_H

#include "flow.bpf.h"
#include "storage.bpf.h"

#define IPPROTO_TCP 6
#define IPPROTO_UDP 17

#define UDP_CONNECTED 1u  /* the socket has one peer */
#define UDP_CLOSED 2u	  /* the last descriptor is closed: nothing opens any more */
#define UDP_CONNECTING 4u /* connect() was called: the socket has not shown what came of it */
#define UDP_OPENED 8u	  /* the socket's own flow is the session with its one peer */
#define UDP_CALLED 16u /* the connector's session may still come: it counts as one in processes */

/* Peers a socket may take over from others in one epoch: some share theirs all the time. */
#define UDP_TAKE_OVER_MAX 1024

#define UDP_RELEASE_MAX 8192 /* peers ended at close; the sweep takes the rest */
#define UDP_RELEASE_SOME 64  /* of them at a time */
#define UDP_LEFT_AT_ONCE 8   /* peers passed over by udp_leave(); the next call takes the rest */

/* A socket older than the agent, where its walk could not make the storage: what it has found. */
static __always_inline void udp_adopt(struct fl_udp *u)
{
	__u64 cookie = u->cookie;
	struct fl_socket *s = bpf_map_lookup_elem(&socket_to_process, &cookie);

	if (!s || s->role != FL_ROLE_EXISTING)
		return;
	u->own_id = cookie;
	u->user = s->owner;
	u->remote = s->key.remote;
	u->remote_port = s->key.remote_port;
	if (u->remote_port)
		u->flags = UDP_CONNECTED | UDP_OPENED;
}

/* Storage of a socket, made at its first sight. */
static __always_inline struct fl_udp *udp_create(struct bpf_sock *sk, __u64 netns_cookie,
						 __u64 cookie)
{
	struct fl_udp *u = storage_make(&udp_sockets, sk);

	if (!u) {
		count(FL_CNT_STORAGE_FULL);
		return NULL;
	}
	if (u->cookie)
		return u;
	u->netns_cookie = netns_cookie;
	u->cookie = cookie;
	if (!can_tracing_socket)
		udp_adopt(u);
	return u;
}

/* The current process uses the socket; nearly always the one that did before. False: none does. */
static __always_inline bool udp_used(struct fl_udp *u)
{
	struct fl_owner o = {};

	owner_ids(&o);
	if (owner_equal(&u->user, &o))
		return true;
	if (current_is_kernel())
		return false;
	owner_current(&o);
	process_current(&o);
	u->user = o;
	return true;
}

/* The place of THREAD in CALLS. */
static __always_inline struct udp_call *udp_call_of(void *calls, __u64 thread)
{
	__u32 place = thread & (UDP_CALLS - 1);

	return bpf_map_lookup_elem(calls, &place);
}

static __always_inline bool udp_call_is(const struct udp_call *c, __u64 thread, __u64 cookie)
{
	return c && c->thread == thread && c->cookie == cookie;
}

/* An id for the socket's own entry: the cookie once, numbers afterwards. */
static __always_inline __u64 udp_own_id(struct fl_udp *u)
{
	return u->own_spent ? flow_number() : u->cookie;
}

/* Ends flow ID of a socket; the next of its peers, 0 when there is none. A global function as the
 * next: each is verified once by itself, and not at each call. */
__u64 udp_end_flow(__u64 id);

/* Flow ID is about to end before its socket does: those behind it in the list stay to be found. */
int udp_leave(__u64 id);

static __always_inline void udp_end_own(struct fl_udp *u)
{
	__u64 id = u->own_id;

	if (!id)
		return;
	u->own_id = 0;
	u->own_spent = 1;
	udp_leave(id);
	udp_end_flow(id);
}

/* The release knows nothing of what was opened meanwhile. */
static __always_inline void udp_end_if_closed(struct fl_udp *u)
{
	if (u->flags & UDP_CLOSED)
		udp_end_own(u);
}

/* The daemon has ended it. */
static __always_inline bool udp_own_is_lost(const struct fl_udp *u)
{
	__u64 id = u->own_id;

	return id && !bpf_map_lookup_elem(&socket_to_process, &id);
}

/* Opens a flow, owned by BY; NULL: by who runs here, whose process has a record. 0 or -EEXIST. */
int udp_insert(struct fl_udp *u, __u64 id, const struct fl_key *key, enum fl_role role,
	       const struct fl_owner *by) __hidden;

/* The socket's own, local-only entry. */
int udp_open_own(struct fl_udp *u, const struct fl_key *key) __hidden;

/*
 * The hook of connect() runs before it is known what comes of it: there may be no route, another
 * program may refuse, 0.0.0.0 is another address in the end. And no hook tells that connect() with
 * AF_UNSPEC has undone it. So what it came to is read off the socket, at the first event after.
 */
static __always_inline bool udp_unsettled(const struct fl_udp *u, __u32 state)
{
	bool connected = u->flags & UDP_CONNECTED;

	return u->flags & UDP_CONNECTING || connected != (state == FL_STATE_ESTABLISHED);
}

/* SOCKET is the address of the socket. Ends what was its session and is no more. */
int udp_settle(struct fl_udp *u, __u64 socket) __hidden;

/* Who called connect() is not asked for any more. */
static __always_inline void udp_let_go(struct fl_udp *u, __u32 flags)
{
	if (flags & UDP_CALLED)
		process_flow_removed(&u->connector.proc);
}

/* The socket is settled and connected: KEY is the session, if that is not open. */
int udp_open_session(struct fl_udp *u, const struct fl_key *key) __hidden;

/* The same of a socket that no datagram has shown the ends of. */
int udp_open_silent(struct fl_udp *u, __u64 socket) __hidden;

/* The end of a receive that TOOK a datagram, or only looked at it. Without an address it is the one
 * that came first: the oldest pending peer's. */
int udp_received(struct sock *sk, bool took) __hidden;

static __always_inline __u64 *udp_pending_at(struct fl_udp *u, __u32 position)
{
	return &u->pending[position & (UDP_PENDING - 1)];
}

/* Remember a peer nobody has received from, in the order of arrival. The oldest makes room: it may
 * have been taken where the list could not be told (take.bpf.c). */
static __always_inline void udp_pending_add(struct fl_udp *u, __u64 id)
{
	struct fl_socket *forgotten;
	__u64 oldest = 0;

	bpf_spin_lock(&u->lock);
	if (u->pending_tail - u->pending_head >= UDP_PENDING) {
		oldest = *udp_pending_at(u, u->pending_head);
		u->pending_head++;
	}
	*udp_pending_at(u, u->pending_tail) = id;
	u->pending_tail++;
	bpf_spin_unlock(&u->lock);
	if (!oldest)
		return;
	forgotten = bpf_map_lookup_elem(&socket_to_process, &oldest);
	if (forgotten && !forgotten->accepted)
		count(FL_CNT_UDP_PENDING_FULL);
}

/* Nobody will receive from flow ID what it is pending for. */
static __always_inline void udp_pending_drop(struct fl_udp *u, __u64 id)
{
	for (__u32 i = 0; i < UDP_PENDING; i++) {
		__u64 *at = udp_pending_at(u, i);

		if (*at == id)
			*at = 0;
	}
}

/* The current process received from flow ID, pending at POSITION: it is its owner. */
static __always_inline void udp_pending_take(struct fl_udp *u, __u32 position, __u64 id)
{
	__u64 *at = udp_pending_at(u, position);

	if (*at == id) /* else others have come since, and it made room for them */
		*at = 0;
	bpf_spin_lock(&u->lock);
	for (int i = 0; i < UDP_PENDING; i++) {
		if (u->pending_head == u->pending_tail || *udp_pending_at(u, u->pending_head))
			break;
		u->pending_head++;
	}
	bpf_spin_unlock(&u->lock);
	if (!current_is_kernel())
		flow_accepted(id);
}

#endif /* FLOWNER_UDP_BPF_H */
