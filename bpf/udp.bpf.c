// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* UDP in process context: bind, send, receive and close of a socket (see udp.bpf.h). */
#include "mptcp.bpf.h"
#include "udp.bpf.h"
#include <bpf/bpf_tracing.h>

/* A frame beside flow_insert()'s and not above it. */
static __noinline int insert_by(struct fl_socket *s, const struct fl_owner *by)
{
	if (by)
		s->owner = *by;
	else
		owner_current(&s->owner);
	return 0;
}

/* Not inlined into its callers here: its record would stand in their frames, below flow_rekey(). */
__noinline int udp_insert(struct fl_udp *u, __u64 id, const struct fl_key *key, enum fl_role role,
			  const struct fl_owner *by)
{
	struct fl_socket s = { .key = *key, .cookie = u->cookie, .role = role };
	enum fl_state state = key_local_only(key) ? FL_STATE_UNCONN : FL_STATE_ESTABLISHED;
	int r;

	insert_by(&s, by);
	s.opened_ns = bpf_ktime_get_boot_ns();
	s.accepted = role != FL_ROLE_ACCEPTOR;
	if (state == FL_STATE_ESTABLISHED)
		flow_count_udp(id);
	r = flow_insert(id, &s, state);
	if (r && r != -EEXIST && count_udp)
		bpf_map_delete_elem(&udp_counts, &id);
	if (r)
		return -EEXIST;
	process_flow_added(bpf_map_lookup_elem(&processes, &s.owner.proc));
	flow_tell(FL_EVENT_OPEN, id, &s, state);
	if (state == FL_STATE_ESTABLISHED)
		session_established(id, &s);
	return 0;
}

/* A datagram from or to that peer came before connect(): its flow is the session. */
static __always_inline bool own_was_peer(struct fl_udp *u, const struct fl_key *key)
{
	struct fl_connection *c = bpf_map_lookup_elem(&l7_connections, key);
	__u64 id = c ? c->flow_id : 0;
	struct fl_socket *s = bpf_map_lookup_elem(&socket_to_process, &id);

	if (!s || s->cookie != u->cookie)
		return false;
	s->active_ns = 0; /* the socket's own lives as long as it */
	udp_end_own(u);
	u->own_id = id;
	return true;
}

/* The socket's own entry becomes, or is made as, the session. */
static __noinline int open_connected(struct fl_udp *u, const struct fl_key *key,
				     const struct fl_owner *by)
{
	__u64 id = u->own_id;
	struct fl_socket *own = bpf_map_lookup_elem(&socket_to_process, &id);

	if (own) {
		if (flow_rekey(id, key, FL_ROLE_OPENER, by))
			return 0;
		/* from here and not from flow_rekey(), whose frame leaves no room */
		own = bpf_map_lookup_elem(&socket_to_process, &id);
		if (own)
			return session_established(id, own);
		/* a datagram and the close of its socket; TCP is told of both under its lock */
		if (sessions_wanted())
			count(FL_CNT_ESTABLISHED_LATE);
		return 0;
	}
	if (id)
		u->own_spent = 1; /* ended by the daemon */
	id = udp_own_id(u);
	udp_insert(u, id, key, FL_ROLE_OPENER, by);
	u->own_id = id;
	return 0;
}

static __always_inline __u16 remote_of(struct sock *sk, struct fl_addr *a)
{
	if (BPF_CORE_READ(sk, __sk_common.skc_state) != FL_STATE_ESTABLISHED)
		return 0;
	if (BPF_CORE_READ(sk, __sk_common.skc_family) == AF_INET)
		addr_from_v4(a, BPF_CORE_READ(sk, __sk_common.skc_daddr));
	else
		BPF_CORE_READ_INTO(a, sk, __sk_common.skc_v6_daddr);
	return bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
}

int udp_settle(struct fl_udp *u, __u64 socket)
{
	struct fl_addr remote = {};
	__u16 port = remote_of((struct sock *)socket, &remote);
	__u32 before, now;

	bpf_spin_lock(&u->lock); /* one CPU acts on what it finds */
	before = u->flags;
	now = before & ~(UDP_CONNECTING | UDP_CONNECTED);
	if (port)
		now |= UDP_CONNECTED;
	if (!(now & before & UDP_CONNECTED) || u->remote_port != port ||
	    !addr_equal(&u->remote, &remote))
		now &= ~UDP_OPENED;
	if (!port || now & UDP_OPENED)
		now &= ~UDP_CALLED;
	u->flags = now;
	u->remote = remote;
	u->remote_port = port;
	u->last_epoch = 0;
	bpf_spin_unlock(&u->lock);
	if (before & ~now & UDP_OPENED)
		udp_end_own(u);
	udp_let_go(u, before & ~now);
	return 0;
}

int udp_open_session(struct fl_udp *u, const struct fl_key *key)
{
	bool lost = udp_own_is_lost(u), opens;
	__u32 before;

	bpf_spin_lock(&u->lock); /* one CPU opens it */
	before = u->flags;
	opens = before & UDP_CONNECTED && (lost || !(before & UDP_OPENED));
	if (opens)
		u->flags = (before | UDP_OPENED) & ~UDP_CALLED;
	bpf_spin_unlock(&u->lock);
	if (!opens)
		return 0;
	if (!(before & UDP_CALLED))
		u->connector =
			u->user; /* as good as we know: the hook of connect() was not there */
	if (!own_was_peer(u, key))
		open_connected(u, key, &u->connector);
	udp_let_go(u, before);
	udp_end_if_closed(u);
	return 0;
}

int udp_open_silent(struct fl_udp *u, __u64 socket)
{
	struct fl_key key = {};

	key_from_sock((struct sock *)socket, FL_UDP, &key);
	if (key.remote_port && key.local_port)
		udp_open_session(u, &key);
	return 0;
}

int udp_open_own(struct fl_udp *u, const struct fl_key *key)
{
	__u64 id = udp_own_id(u);

	udp_insert(u, id, key, FL_ROLE_USER, &u->user);
	u->own_id = id;
	return 0;
}

/* While daemons take turns each hook has a program of both: the second finds what the first did. */
static __always_inline bool is_own(const struct fl_udp *u, const struct fl_key *key)
{
	__u64 id = u->own_id;
	struct fl_socket *own = bpf_map_lookup_elem(&socket_to_process, &id);

	return own && owner_equal(&own->owner, &u->user) && key_local_only(&own->key) &&
	       own->key.local_port == key->local_port && own->key.ifindex == key->ifindex &&
	       addr_equal(&own->key.local, &key->local);
}

/* bind(): the port is chosen, the entry complete. */
static __always_inline int bound(struct bpf_sock *ctx, __u32 family)
{
	struct fl_key key = {};
	struct fl_udp *u;

	if (ctx->protocol != IPPROTO_UDP)
		return 1;
	u = udp_create(ctx, bpf_get_netns_cookie(ctx), bpf_get_socket_cookie(ctx));
	if (!u)
		return 1;
	if (!udp_used(u))
		return 1;
	key_from_bound(ctx, family, bound_ifindex(ctx), u->netns_cookie, &key);
	if (is_own(u, &key))
		return 1;
	udp_end_own(u); /* only after a bind() that another program refused */
	udp_open_own(u, &key);
	return 1;
}

SEC("cgroup/post_bind4")
int udp_post_bind4(struct bpf_sock *ctx)
{
	return bound(ctx, AF_INET);
}

SEC("cgroup/post_bind6")
int udp_post_bind6(struct bpf_sock *ctx)
{
	return bound(ctx, AF_INET6);
}

/* A datagram that may be for anybody: one without an address passes here only with control data. */
static __always_inline int sending(struct bpf_sock_addr *ctx)
{
	__u64 thread = bpf_get_current_pid_tgid();
	struct bpf_sock *sk = ctx->sk;
	struct udp_call *call;
	struct fl_udp *u;

	if (!sk || ctx->protocol != IPPROTO_UDP)
		return 1;
	u = bpf_sk_storage_get(&udp_sockets, sk, 0, 0);
	if (!u)
		u = udp_create(sk, bpf_get_netns_cookie(ctx), bpf_get_socket_cookie(ctx));
	if (!u || !udp_used(u) || !ctx->user_port)
		return 1;
	call = udp_call_of(&udp_sends, thread);
	if (call) {
		call->cookie = u->cookie;
		call->thread = thread;
	}
	return 1;
}

SEC("cgroup/sendmsg4")
int udp_sendmsg4(struct bpf_sock_addr *ctx)
{
	return sending(ctx);
}

SEC("cgroup/sendmsg6")
int udp_sendmsg6(struct bpf_sock_addr *ctx)
{
	return sending(ctx);
}

/* For the end of the receive: the peer is known already, none is to be guessed. */
static __always_inline void receive_note(const struct fl_udp *u)
{
	__u64 thread = bpf_get_current_pid_tgid();
	struct udp_call *call = udp_call_of(&udp_receives, thread);

	if (!call)
		return;
	if (call->thread && call->thread != thread)
		count(FL_CNT_UDP_CALL_UNSEEN); /* for him */
	call->cookie = u->cookie;
	call->thread = thread;
}

/*
 * A receive that asked for the address: the peer is known. It is taken here, where a look ahead
 * cannot be told from it, and not at the end, which knows: programs of tracing are passed over
 * where one was preempted (skipped.h), and a busy server would lose peers to that.
 */
static __always_inline int receiving(struct bpf_sock_addr *ctx, __u32 family)
{
	struct fl_config *config = config_get();
	struct bpf_sock *sk = ctx->sk;
	struct fl_addr from = {};
	struct fl_socket *s;
	struct fl_udp *u;
	__u64 id, found = 0;
	__u32 head, i;
	__u16 port;

	if (!sk || ctx->protocol != IPPROTO_UDP)
		return 1;
	u = bpf_sk_storage_get(&udp_sockets, sk, 0, 0);
	if (!u)
		return 1;
	udp_used(u);
	addr_from_user(ctx, family, &from);
	port = port_from_user(ctx);
	head = u->pending_head;
	for (i = 0; i < UDP_PENDING && head != u->pending_tail; i++) {
		id = *udp_pending_at(u, head + i);
		if (!id)
			continue;
		s = bpf_map_lookup_elem(&socket_to_process, &id);
		if (!s || s->key.remote_port != port || !addr_equal(&s->key.remote, &from))
			continue;
		found = id;
		break;
	}
	if (found)
		udp_pending_take(u, head + i, found);
	if (config && config->takes)
		receive_note(u);
	return 1;
}

SEC("cgroup/recvmsg4")
int udp_recvmsg4(struct bpf_sock_addr *ctx)
{
	return receiving(ctx, AF_INET);
}

SEC("cgroup/recvmsg6")
int udp_recvmsg6(struct bpf_sock_addr *ctx)
{
	return receiving(ctx, AF_INET6);
}

int udp_received(struct sock *sk, bool took)
{
	struct fl_udp *u = bpf_sk_storage_get(&udp_sockets, sk, 0, 0);
	__u64 thread = bpf_get_current_pid_tgid(), id;
	struct udp_call *call;
	__u32 position;

	if (!u)
		return 0;
	call = udp_call_of(&udp_receives, thread);
	if (udp_call_is(call, thread, u->cookie)) {
		call->thread = 0;
		return 0;
	}
	position = u->pending_head;
	if (!took || position == u->pending_tail)
		return 0;
	udp_used(u);
	for (__u32 i = 0; i < UDP_PENDING; i++) {
		id = *udp_pending_at(u, position + i);
		if (!id)
			continue;
		udp_pending_take(u, position + i, id);
		break;
	}
	return 0;
}

/* Who stands behind one that has left. Nobody asks twice. */
static __always_inline __u64 behind_left(__u64 id)
{
	__u64 *left = bpf_map_lookup_elem(&udp_left, &id);
	__u64 next = left ? *left : 0;

	if (left)
		bpf_map_delete_elem(&udp_left, &id);
	return next;
}

/*
 * What is kept of ID is who comes next, if anybody does. Those next to it who have left before are
 * passed over for good: so of a socket no more is kept than it once had peers at a time.
 */
__noinline int udp_leave(__u64 id)
{
	struct fl_socket *s = bpf_map_lookup_elem(&socket_to_process, &id);
	__u64 next = s ? s->next : 0;

	for (int i = 0; i < UDP_LEFT_AT_ONCE && next; i++) {
		__u64 at = next;

		if (bpf_map_lookup_elem(&socket_to_process, &at))
			break;
		next = behind_left(at);
	}
	if (next && bpf_map_update_elem(&udp_left, &id, &next, BPF_ANY))
		count(FL_CNT_UDP_PEERS_LEFT);
	return 0;
}

__noinline __u64 udp_end_flow(__u64 id)
{
	struct fl_socket *s = bpf_map_lookup_elem(&socket_to_process, &id);
	__u64 next = s ? s->next : behind_left(id);

	flow_end(id, FL_REASON_NONE, NULL);
	return next;
}

/* For the loop that calls it thousands of times, as above. */
__noinline __u64 udp_end_some(__u64 id)
{
	for (int i = 0; i < UDP_RELEASE_SOME && id; i++)
		id = udp_end_flow(id);
	return id;
}

/* What is left to see of accept() where no better hook was: a worker will close the paths. */
static __always_inline void release_mptcp(struct bpf_sock *ctx)
{
	if (!current_walks())
		mptcp_accepted(address_of(ctx)); /* the context is the socket itself */
}

/* close() of the last descriptor: in process context, before the port is free again. */
SEC("cgroup/sock_release")
int udp_release(struct bpf_sock *ctx)
{
	struct fl_udp *u;
	__u64 id;

	if (ctx->protocol == IPPROTO_MPTCP)
		release_mptcp(ctx);
	if (ctx->protocol != IPPROTO_UDP)
		return 1;
	u = bpf_sk_storage_get(&udp_sockets, ctx, 0, 0);
	if (!u) {
		if (!can_tracing_socket)
			flow_end(bpf_get_socket_cookie(ctx), FL_REASON_NONE, NULL);
		return 1;
	}
	if (u->flags & UDP_CLOSED) /* see is_own() */
		return 1;
	udp_settle(u, address_of(ctx));
	if (u->flags & UDP_CONNECTED)
		udp_open_silent(u, address_of(ctx));
	bpf_spin_lock(&u->lock);
	u->flags |= UDP_CLOSED;
	bpf_spin_unlock(&u->lock);
	udp_end_own(u);
	id = u->peers;
	for (int i = 0; i < UDP_RELEASE_MAX / UDP_RELEASE_SOME && id; i++)
		id = udp_end_some(id);
	if (id)
		count(FL_CNT_UDP_PEERS_LEFT);
	return 1;
}
