// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Sockets that were open before the agent: found by walking every descriptor of every process, and,
 * for those no descriptor holds (waiting to be accepted, or draining), every TCP socket of a
 * namespace. `current` is the reader here: owners come from the task walked, never from it.
 *
 * Hooks hold the socket's lock and the walk does not, so a socket may end while it is looked at.
 * The kernel ends one in this order: sockops STATE_CB, the port is given back, the tracepoint, the
 * state becomes CLOSE. Each of the two hooks marks the socket in ended_sockets before it takes its
 * flow out, or looks for it in vain; the walk looks for the flow, then for the mark, then puts it
 * in, then looks for the mark again.
 *  - Its flow was known and is told ended: who finds it gone finds the mark, and puts nothing in.
 *  - Not known, and the tracepoint came before the flow was in: the second look sees the mark, and
 *    the walk ends the flow itself.
 *  - Not known, and the tracepoint comes later: it finds the flow.
 *  - Neither hook ran (skipped, or another's mark took the place): the state says it, or else
 *    reconciliation finds no socket.
 *
 * It may be opening, too: the state is SYN_SENT, or LISTEN, a moment before the hook runs that sees
 * who does it. A SYN_SENT without a packet is left to the hook, and flow_open() lets a hook
 * replace what the walk has found, and never the other way.
 */
#include "file.bpf.h"
#include "listener.bpf.h"
#include "listener_counts.bpf.h"
#include "mptcp.bpf.h"
#include "ports.bpf.h"
#include "storage.bpf.h"
#include "tcp.bpf.h"
#include "udp.bpf.h"
#include <bpf/bpf_tracing.h>

extern const volatile __u64 scope_cgroup_id;

/* Without the helper: the cookie that listing the sockets gave it before (track_seed()). */
static __always_inline __u64 seed_cookie(struct sock *sk)
{
	return can_tracing_socket ? bpf_get_socket_cookie(sk) : sock_existing_cookie(sk);
}

/* True when it is a flow of its own: not a socket that is merely created or bound. */
static __always_inline bool tcp_is_flow(__u8 state)
{
	return state != FL_STATE_CLOSE && state != FL_STATE_TIME_WAIT && state <= FL_STATE_CLOSING;
}

/* Its SYN is made after the hook has run; of a deferred one, at the first data. */
static __always_inline bool is_opening(struct sock *sk)
{
	return BPF_CORE_READ(sk, __sk_common.skc_state) == FL_STATE_SYN_SENT &&
	       !BPF_CORE_READ((struct tcp_sock *)sk, packets_out);
}

/* By its tuple: for a later life, where the socket itself does not tell its flow. */
static __always_inline bool key_is_of(const struct fl_key *key, __u64 cookie)
{
	struct fl_connection *c = bpf_map_lookup_elem(&l7_connections, key);
	struct fl_socket *s;
	__u64 id;

	if (!c)
		return false;
	id = c->flow_id;
	s = bpf_map_lookup_elem(&socket_to_process, &id);
	return s && s->cookie == cookie;
}

/* A TCP socket with a flow that is not told yet, and not told ended: S has its key and cookie.
 * *RET_ID is the flow's. */
static __noinline bool tcp_is_new(struct sock *sk, const struct fl_socket *s, __u64 *ret_id)
{
	__u64 id = tcp_flow_id_traced(sk, s->cookie);

	*ret_id = id;
	if (bpf_map_lookup_elem(&socket_to_process, &id) || socket_ended_lately(s->cookie))
		return false;
	if (!s->key.local_port || is_opening(sk))
		return false; /* not yet chosen, or given back */
	return can_tracing_socket || !key_is_of(&s->key, s->cookie);
}

/* Ended while it was put in; perhaps its hook took the flow out before we had the tuple in. */
static __noinline int seed_ended(__u64 id, const struct fl_key *key)
{
	struct fl_connection *c;

	flow_end(id, FL_REASON_NONE, NULL);
	c = bpf_map_lookup_elem(&l7_connections, key);
	if (c && c->flow_id == id && c->members <= 1)
		bpf_map_delete_elem(&l7_connections, key);
	return 0;
}

/* Inlined: three frames above its stack the verifier of 7.2 takes S for dead. */
static __always_inline int seed_insert(struct sock *sk, __u64 id, struct fl_socket *s,
				       enum fl_state state)
{
	int r;

	if (state == FL_STATE_LISTEN)
		port_enter(s->key.netns_cookie, s->key.local_port, id, sock_v6only(sk));
	r = flow_insert(id, s, state);
	if (r) {
		if (r != -EEXIST && state == FL_STATE_LISTEN) {
			port_leave(s->key.netns_cookie, s->key.local_port, id);
			listeners_end(id);
		}
		return 0;
	}
	count(FL_CNT_SEEDED);
	process_flow_added(bpf_map_lookup_elem(&processes, &s->owner.proc));
	if (s->key.proto == FL_TCP && (socket_ended_lately(s->cookie) ||
				       BPF_CORE_READ(sk, __sk_common.skc_state) == FL_STATE_CLOSE))
		seed_ended(id, &s->key);
	return 0;
}

static __noinline int seed_process(struct task_struct *task, const struct fl_owner *o, __u64 cookie,
				   struct sock *sk)
{
	struct fl_process *p = bpf_map_lookup_elem(&processes, &o->proc);

	if (!p) {
		process_ensure(task, o, false);
		p = bpf_map_lookup_elem(&processes, &o->proc);
	}
	netns_note(p, cookie, sk);
	return 0;
}

/* A socket the programs know already: connected, perhaps, and silent since. True: no seed. */
static __always_inline bool udp_is_known(struct sock *sk)
{
	struct fl_config *c = config_get();
	struct fl_udp *u;

	if (!can_tracing_socket)
		return c && c->walked;
	u = bpf_sk_storage_get(&udp_sockets, sk, 0, 0);
	if (!u)
		return false;
	udp_settle(u, address_of(sk));
	if (u->flags & UDP_CONNECTED)
		udp_open_silent(u, address_of(sk));
	return true;
}

/* The storage programs look for: peers of this socket are then known from its next datagram. */
static __noinline int seed_udp(struct sock *sk, const struct fl_socket *s)
{
	struct fl_udp *u;

	if (!can_tracing_socket)
		return 0;
	u = storage_make(&udp_sockets, sk);
	if (!u)
		count(FL_CNT_STORAGE_FULL);
	if (!u || u->cookie)
		return 0;
	u->cookie = s->cookie;
	u->netns_cookie = s->key.netns_cookie;
	u->user = s->owner;
	if (s->key.local_port)
		u->own_id = s->cookie;
	if (s->key.remote_port) {
		u->remote = s->key.remote;
		u->remote_port = s->key.remote_port;
		u->flags = UDP_CONNECTED | UDP_OPENED;
	}
	return 0;
}

static __always_inline void seed_share(struct sock *sk, const struct fl_owner *o)
{
	struct fl_owner *shared;

	if (!can_tracing_socket || (!BPF_CORE_READ(sk, __sk_common.skc_bound_dev_if) &&
				    !BPF_CORE_READ_BITFIELD_PROBED(sk, __sk_common.skc_reuseport)))
		return;
	shared = storage_make(&shared_listeners, sk);
	if (!shared)
		count(FL_CNT_STORAGE_FULL);
	else if (!shared->proc.pid)
		*shared = *o;
}

/* Whoever holds it stands for who called listen(). Before the flow is in: its end takes it out. */
static __always_inline void seed_listener(const struct listener_of *of, __u64 id)
{
	int r = bpf_map_update_elem(&listeners, &id, of, BPF_NOEXIST);

	if (!r)
		listeners_add(of);
	else if (r != -EEXIST)
		count(FL_CNT_LISTENERS_UNCOUNTED);
}

static __noinline int seed_listener_held(struct task_struct *task, __u64 id)
{
	struct listener_of of = {};

	listener_of_task(task, &of);
	seed_listener(&of, id);
	return 0;
}

#define SOCK_BINDPORT_LOCK 8 /* bind() was called for that port */
#define SOCK_CONNECT_BIND 16 /* since 6.18: connect() has chosen it */

/*
 * Its connect() was called here: for sure, or false. Who is accepted gets the bind bucket of its
 * listener, and loses BINDPORT_LOCK. The buckets that connect() makes have -1 twice until somebody
 * calls bind() there; since 6.18 also when those have gone and others are left whom they accepted.
 */
static __noinline bool seed_opened(struct sock *sk)
{
	__u64 locks = BPF_CORE_READ_BITFIELD_PROBED(sk, sk_userlocks);
	struct inet_connection_sock *icsk = (struct inet_connection_sock *)sk;
	struct inet_bind_bucket *bucket;

	if (locks & SOCK_BINDPORT_LOCK)
		return true;
	if (bpf_core_field_exists(struct inet_bind2_bucket, fastreuse))
		return locks & SOCK_CONNECT_BIND;
	bucket = BPF_CORE_READ(icsk, icsk_bind_hash);
	return bucket && BPF_CORE_READ(bucket, fastreuse) == -1 &&
	       BPF_CORE_READ(bucket, fastreuseport) == -1 &&
	       BPF_CORE_READ(icsk, icsk_bind_hash) == bucket; /* else it was another's by then */
}

static __noinline int seed_held(struct task_struct *task, struct sock *sk, enum fl_proto proto)
{
	struct fl_socket s = { .role = FL_ROLE_EXISTING, .accepted = 1 };
	__u8 state = BPF_CORE_READ(sk, __sk_common.skc_state);
	__u64 id;

	if (proto == FL_TCP && !tcp_is_flow(state))
		return 0;
	s.cookie = seed_cookie(sk);
	if (!s.cookie)
		return 0;
	id = s.cookie;
	key_from_sock(sk, proto, &s.key);
	if (proto == FL_TCP ? !tcp_is_new(sk, &s, &id)
			    : bpf_map_lookup_elem(&socket_to_process, &id) != NULL)
		return 0;
	owner_of_task(task, &s.owner);
	seed_process(task, &s.owner, s.key.netns_cookie, sk);
	if (proto == FL_UDP) {
		seed_udp(sk, &s);
		if (!s.key.local_port)
			return 0;
		state = s.key.remote_port ? FL_STATE_ESTABLISHED : FL_STATE_UNCONN;
	} else if (state == FL_STATE_LISTEN) {
		s.role = FL_ROLE_LISTENER;
		seed_share(sk, &s.owner);
		seed_listener_held(task, id);
	} else if (seed_opened(sk)) {
		s.next = FL_OPENED_HERE;
	}
	return seed_insert(sk, id, &s, state);
}

/*
 * MPTCP connections that somebody has: their paths, of which nobody has a descriptor, are found by
 * the other walk. By cookie, which without the helper they have not. The daemon empties it.
 */
struct held_connection {
	struct fl_owner owner;
	struct listener_of of;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, struct held_connection);
} held_connections SEC(".maps");

static __noinline int note_connection(struct task_struct *task, struct sock *sk)
{
	struct net *net = BPF_CORE_READ(sk, __sk_common.skc_net.net);
	struct held_connection held = {};
	__u64 cookie = seed_cookie(sk);
	int r;

	if (!cookie)
		return 0;
	owner_of_task(task, &held.owner);
	listener_of_task(task, &held.of);
	r = bpf_map_update_elem(&held_connections, &cookie, &held, BPF_NOEXIST);
	if (r && r != -EEXIST)
		count(FL_CNT_SOCKETS_FULL);
	seed_process(task, &held.owner, net_cookie_probed(net), sk);
	return 0;
}

/* Of the connection that TP is a path of. */
static __always_inline struct held_connection *connection_held(struct tcp_sock *tp)
{
	struct mptcp_subflow_context *path = mptcp_path(tp);
	__u64 cookie = path ? sock_existing_cookie(BPF_CORE_READ(path, conn)) : 0;

	return cookie ? bpf_map_lookup_elem(&held_connections, &cookie) : NULL;
}

static __always_inline bool is_inet(struct sock *sk)
{
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	return family == AF_INET || family == AF_INET6;
}

SEC("iter/task_file")
int seed_files(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct socket *socket;
	struct sock *sk;
	__u16 proto;

	if (!task || !file)
		return 0;
	socket = socket_of_file(file);
	if (!socket)
		return 0;
	sk = can_tracing_socket ? socket->sk : BPF_CORE_READ(socket, sk);
	if (!sk || !is_inet(sk) || !sock_in_scope(sk, scope_cgroup_id))
		return 0;
	proto = BPF_CORE_READ(sk, sk_protocol);
	if (proto == IPPROTO_TCP)
		seed_held(task, sk, FL_TCP);
	else if (proto == IPPROTO_UDP && !udp_is_known(sk))
		seed_held(task, sk, FL_UDP);
	else if (is_mptcp(sk))
		note_connection(task, sk);
	return 0;
}

/* No descriptor holds it, but perhaps the connection it is a path of. Established: it waits for
 * accept(), till then the listener's. */
static __noinline int seed_unheld(struct tcp_sock *tp, __u8 state)
{
	struct fl_socket s = { .accepted = 1 };
	struct sock *sk = (struct sock *)tp;
	struct held_connection *held;
	struct fl_connection *listener;
	struct fl_key at;
	__u64 id;

	s.cookie = seed_cookie(sk);
	if (!s.cookie)
		return 0;
	key_from_sock(sk, FL_TCP, &s.key);
	if (!tcp_is_new(sk, &s, &id))
		return 0;
	held = connection_held(tp);
	if (held) {
		s.owner = held->owner;
		s.role = state == FL_STATE_LISTEN ? FL_ROLE_LISTENER : FL_ROLE_EXISTING;
		if (state == FL_STATE_LISTEN) {
			seed_share(sk, &s.owner);
			seed_listener(&held->of, id);
		}
	} else if (state == FL_STATE_ESTABLISHED || state == FL_STATE_CLOSE_WAIT) {
		s.role = FL_ROLE_ACCEPTOR;
		s.accepted = 0;
		at = s.key;
		listener = listener_find(&at);
		if (listener && !listener_owner_is(listener, &at, &s.owner))
			__builtin_memset(&s.owner, 0, sizeof(s.owner));
	}
	if (s.role != FL_ROLE_LISTENER && s.role != FL_ROLE_ACCEPTOR && seed_opened(sk))
		s.next = FL_OPENED_HERE;
	return seed_insert(sk, id, &s, state);
}

SEC("iter/tcp")
int seed_tcp(struct bpf_iter__tcp *ctx)
{
	struct sock_common *skc = ctx->sk_common;
	struct tcp_sock *tp;
	__u8 state;

	if (!skc)
		return 0;
	state = skc->skc_state;
	if (!tcp_is_flow(state) || state == FL_STATE_SYN_RECV)
		return 0;
	tp = bpf_skc_to_tcp_sock(skc);
	if (tp && sock_in_scope((struct sock *)tp, scope_cgroup_id))
		seed_unheld(tp, state);
	return 0;
}
