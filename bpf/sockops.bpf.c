// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * TCP from sockops: listen, active open, passive open, every state change and the end. These
 * callbacks run with the socket locked and, unlike tracing programs, are never skipped.
 * One function a callback, not inlined: together they would not fit the 512 bytes of stack.
 */
#include "flow.bpf.h"
#include "listener.bpf.h"
#include "listener_counts.bpf.h"
#include "mptcp.bpf.h"
#include "ports.bpf.h"
#include "storage.bpf.h"
#include "tcp.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define ECONNABORTED 103

static __always_inline void listener_share(struct bpf_sock *bs, const struct fl_owner *o)
{
	struct fl_owner *stored = storage_make(&shared_listeners, bs);

	if (stored)
		*stored = *o;
	else
		count(FL_CNT_STORAGE_FULL);
}

static __noinline int listener_owner(struct bpf_sock *bs, const struct fl_key *key,
				     struct fl_owner *o)
{
	struct fl_owner *shared = bpf_sk_storage_get(&shared_listeners, bs, 0, 0);
	struct fl_key at = *key;
	struct fl_connection *c;

	if (shared) {
		*o = *shared;
		return 0;
	}
	c = listener_find(&at);
	if (c && !listener_owner_is(c, &at, o))
		__builtin_memset(o, 0, sizeof(*o));
	return 0;
}

/* OR into the mask: it is the socket's, and other programs have their bits in it. */
static __always_inline void want_state_changes(struct bpf_sock_ops *ctx)
{
	bpf_sock_ops_cb_flags_set(ctx, ctx->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_STATE_CB_FLAG);
}

/* The process that runs here; of a path beside the first who has the others. */
static __always_inline struct fl_process *opener(struct tcp_sock *tp, __u64 cookie,
						 struct fl_owner *ret_owner)
{
	if (!mptcp_is_joined(tp)) {
		owner_current(ret_owner);
		return process_current(ret_owner);
	}
	if (flow_owner(mptcp_sibling_of(tp, cookie), ret_owner)) {
		count(FL_CNT_MPTCP_UNOWNED);
		return NULL;
	}
	return bpf_map_lookup_elem(&processes, &ret_owner->proc);
}

/* Process context; the tuple is complete and the SYN has not left. */
static __noinline int opened_active(struct bpf_sock_ops *ctx, struct bpf_sock *bs,
				    struct tcp_sock *tp)
{
	struct fl_socket s = { .role = FL_ROLE_OPENER, .accepted = 1 };
	struct fl_process *p;
	__u64 id;

	want_state_changes(ctx);
	s.cookie = bpf_get_socket_cookie(ctx);
	id = tcp_flow_id(bs, s.cookie);
	s.opened_ns = bpf_ktime_get_boot_ns();
	key_from_tcp(tp, &s.key);
	p = opener(tp, s.cookie, &s.owner);
	if (flow_open(id, &s, FL_STATE_SYN_SENT))
		return 0;
	process_flow_added(p);
	netns_note(p, s.key.netns_cookie, (struct sock *)tp);
	flow_tell(FL_EVENT_OPEN, id, &s, FL_STATE_SYN_SENT);
	return 0;
}

/* Of an active session; a passive one is told as soon as it is in. */
static __noinline int established_active(__u64 id)
{
	struct fl_socket *s;

	if (!sessions_wanted())
		return 0;
	s = bpf_map_lookup_elem(&socket_to_process, &id);
	return s ? session_established(id, s) : 0;
}

/* Both ends called connect(): no state change says that it is established. */
static __noinline int established_both_active(__u64 id, const struct fl_key *key)
{
	struct fl_connection *c = bpf_map_lookup_elem(&l7_connections, key);

	if (!c || c->flow_id != id || c->role != FL_ROLE_OPENER)
		return 0;
	flow_state(id, c, FL_STATE_ESTABLISHED);
	return established_active(id);
}

/* Softirq: the interim owner is whoever listens. */
static __noinline int opened_passive(struct bpf_sock_ops *ctx, struct bpf_sock *bs,
				     struct tcp_sock *tp)
{
	struct fl_socket s = { .role = FL_ROLE_ACCEPTOR };
	__u64 id;

	want_state_changes(ctx);
	s.cookie = bpf_get_socket_cookie(ctx);
	id = tcp_flow_id(bs, s.cookie);
	s.opened_ns = bpf_ktime_get_boot_ns();
	key_from_tcp(tp, &s.key);
	listener_owner(bs, &s.key, &s.owner);
	/* a simultaneous open comes here too: it is in already, as the active one it is */
	if (flow_insert(id, &s, FL_STATE_ESTABLISHED))
		return established_both_active(id, &s.key);
	if (!s.owner.proc.pid)
		count(FL_CNT_NO_LISTENER);
	process_flow_added(bpf_map_lookup_elem(&processes, &s.owner.proc));
	flow_tell(FL_EVENT_OPEN, id, &s, FL_STATE_ESTABLISHED);
	return session_established(id, &s);
}

/* The first path of a connection that is accepted already: see mptcp_accepting(). */
static __noinline int accepted_before(struct tcp_sock *tp, __u64 cookie)
{
	struct mptcp_subflow_context *path = mptcp_path(tp);
	struct fl_owner *o;
	__u64 key;

	if (!path)
		return 0;
	key = mptcp_key((struct mptcp_sock *)BPF_CORE_READ(path, conn));
	o = bpf_map_lookup_elem(&mptcp_accepts, &key);
	if (!o)
		return 0;
	flow_accept_as(cookie, o);
	bpf_map_delete_elem(&mptcp_accepts, &key);
	return 0;
}

/* After opened_passive(), in whose frame there is no room for it. */
static __noinline int joined_passive(struct bpf_sock_ops *ctx, struct tcp_sock *tp)
{
	__u64 cookie = bpf_get_socket_cookie(ctx);
	__u64 sibling = mptcp_sibling_of(tp, cookie);

	if (sibling)
		flow_accept_with(cookie, sibling);
	else
		accepted_before(tp, cookie);
	return 0;
}

/* While daemons take turns each hook has a program of both: the second finds what the first did. */
static __always_inline bool was_told(struct bpf_sock *bs, __u64 cookie)
{
	__u64 id = tcp_flow_id(bs, cookie);
	struct fl_socket *s = bpf_map_lookup_elem(&socket_to_process, &id);

	return s && s->role == FL_ROLE_LISTENER && s->opened_ns;
}

static __always_inline void unlisten(const struct fl_key *key, __u64 id)
{
	port_leave(key->netns_cookie, key->local_port, id);
	listeners_end(id);
}

/* Process context, inside listen(). */
static __noinline int listening(struct bpf_sock_ops *ctx, struct bpf_sock *bs, struct tcp_sock *tp)
{
	struct fl_socket s = { .role = FL_ROLE_LISTENER, .accepted = 1 };
	struct fl_process *p;
	__u64 id;
	int r;

	want_state_changes(ctx);
	s.cookie = bpf_get_socket_cookie(ctx);
	if (tp->write_seq) {
		if (was_told(bs, s.cookie))
			return 0;
		tcp_next_life(bs);
	}
	id = tcp_flow_id(bs, s.cookie);
	s.opened_ns = bpf_ktime_get_boot_ns();
	key_from_tcp(tp, &s.key);
	key_clear_remote(&s.key);
	owner_current(&s.owner);
	p = process_current(&s.owner);
	if (s.key.ifindex ||
	    BPF_CORE_READ_BITFIELD_PROBED((struct sock *)tp, __sk_common.skc_reuseport))
		listener_share(bs, &s.owner);
	port_enter(s.key.netns_cookie, s.key.local_port, id, sock_v6only((struct sock *)tp));
	listeners_begin(id);
	r = flow_open(id, &s, FL_STATE_LISTEN);
	if (r) {
		if (r != -EEXIST) /* else it has one seat more for a while, see ports.bpf.h */
			unlisten(&s.key, id);
		return 0;
	}
	process_flow_added(p);
	netns_note(p, s.key.netns_cookie, (struct sock *)tp);
	flow_tell(FL_EVENT_LISTEN, id, &s, FL_STATE_LISTEN);
	return 0;
}

/* The holder of the socket lock is `current`, unless it came to abort somebody else's socket. */
static __always_inline bool in_owner_context(struct tcp_sock *tp)
{
	struct sock *sk = (struct sock *)tp;

	return sk->sk_lock.owned && sk->sk_err != ECONNABORTED && !current_walks() &&
	       !mptcp_by_worker(tp);
}

/* accept() without an address buffer shows itself at the first act in process context. */
static __always_inline void accept_by_use(__u64 id, __u32 accepted, struct tcp_sock *tp)
{
	if (!accepted && in_owner_context(tp))
		flow_accepted(id);
}

static __noinline int state_closed(struct bpf_sock *bs, struct tcp_sock *tp, __u64 cookie,
				   enum fl_state old)
{
	__u64 id = tcp_flow_id(bs, cookie);
	struct fl_socket *s = bpf_map_lookup_elem(&socket_to_process, &id);
	struct fl_counts counts = {};
	bool counted = count_tcp && s && s->role != FL_ROLE_LISTENER;

	if (s)
		accept_by_use(id, s->accepted, tp);
	if (counted)
		tcp_counts(tp, s->role, old, &counts);
	flow_end(id, fl_reason_from_error(((struct sock *)tp)->sk_err), counted ? &counts : NULL);
	if (old == FL_STATE_LISTEN)
		tcp_next_life(bs); /* a second listen() is another flow */
	return 0;
}

/* Bound to another device since it was opened: its entry has the key of then. */
static __noinline struct fl_connection *connection_of(__u64 id)
{
	struct fl_socket *s = bpf_map_lookup_elem(&socket_to_process, &id);
	struct fl_connection *c;

	if (!s)
		return NULL;
	c = bpf_map_lookup_elem(&l7_connections, &s->key);
	return c && c->flow_id == id ? c : NULL;
}

static __noinline int state_changed(struct bpf_sock *bs, struct tcp_sock *tp, __u64 cookie,
				    enum fl_state new)
{
	struct fl_connection *c;
	struct fl_key key = {};
	__u64 id;

	key_from_tcp(tp, &key);
	c = bpf_map_lookup_elem(&l7_connections, &key);
	id = tcp_flow_id(bs, cookie);
	if (!c || c->flow_id != id)
		c = connection_of(id);
	if (!c)
		return 0;
	accept_by_use(id, c->accepted, tp);
	flow_state(id, c, new);
	if (new == FL_STATE_ESTABLISHED)
		established_active(id);
	return 0;
}

SEC("sockops")
int track_sockops(struct bpf_sock_ops *ctx)
{
	__u32 op = ctx->op;
	struct bpf_sock *bs;
	struct tcp_sock *tp;

	if (op != BPF_SOCK_OPS_STATE_CB && op != BPF_SOCK_OPS_TCP_CONNECT_CB &&
	    op != BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB && op != BPF_SOCK_OPS_TCP_LISTEN_CB)
		return 1;
	/* a passive one was put in as established a moment ago */
	if (op == BPF_SOCK_OPS_STATE_CB && ctx->args[0] == FL_STATE_SYN_RECV &&
	    ctx->args[1] == FL_STATE_ESTABLISHED)
		return 1;
	bs = ctx->sk;
	if (!bs)
		return 1;
	tp = bpf_skc_to_tcp_sock(bs);
	if (!tp)
		return 1;
	if (op == BPF_SOCK_OPS_STATE_CB && ctx->args[1] == FL_STATE_CLOSE) {
		state_closed(bs, tp, bpf_get_socket_cookie(ctx), ctx->args[0]);
	} else if (op == BPF_SOCK_OPS_STATE_CB) {
		state_changed(bs, tp, bpf_get_socket_cookie(ctx), ctx->args[1]);
	} else if (op == BPF_SOCK_OPS_TCP_CONNECT_CB) {
		opened_active(ctx, bs, tp);
	} else if (op == BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB) {
		opened_passive(ctx, bs, tp);
		joined_passive(ctx, tp);
	} else {
		listening(ctx, bs, tp);
	}
	return 1;
}
