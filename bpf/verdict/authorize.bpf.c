// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * CONNECT_AUTHORIZATION: the route is chosen and no packet has left. Of TCP it is asked where
 * connect() is about to send the SYN, in the process that called it; of UDP when the first datagram
 * to a peer is about to leave. What is rejected does not leave: that is the second program's work,
 * which also asks when there is no answer yet for this policy and this interface.
 *
 * No hook makes connect() fail here. But the socket is marked, and with that its route is chosen
 * once more: where flownerd has found a rejected one before, a routing rule prohibits the mark, and
 * connect() is EHOSTUNREACH. Where there is no such rule, the timer that would send the SYN again
 * is told to be done with it: after its first two rounds of one tick each it is ETIMEDOUT, where it
 * would be minutes.
 */
#include "judge.bpf.h"
#include "packet.bpf.h"
#include "storage.bpf.h"
#include "tcp.bpf.h"
#include "ways.bpf.h"

#define SOL_SOCKET 1
#define SO_MARK 36
#define SOL_TCP 6
#define TCP_USER_TIMEOUT 18

extern const volatile __u32 prohibited_mark, prohibited_mask;

/* TCP sockets whose SYN does not leave: the TCP_USER_TIMEOUT and the mark that they had. */
struct given_up {
	__u32 user_timeout;
	__u32 mark;
	__u32 now; /* 1: the socket has others now */
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct given_up);
} given_up SEC(".maps");

/* --- TCP, in the process that connects --- */

static __noinline int set(struct bpf_sock_ops *ctx, int user_timeout, __u32 mark)
{
	bpf_setsockopt(ctx, SOL_TCP, TCP_USER_TIMEOUT, &user_timeout, sizeof(user_timeout));
	if (prohibited_mask)
		bpf_setsockopt(ctx, SOL_SOCKET, SO_MARK, &mark, sizeof(mark));
	return 0;
}

static __always_inline __u32 prohibited(__u32 mark)
{
	return (mark & ~prohibited_mask) | (prohibited_mark & prohibited_mask);
}

static __noinline int give_up(struct bpf_sock_ops *ctx, struct bpf_sock *sk, struct tcp_sock *tp)
{
	struct inet_connection_sock *icsk = (struct inet_connection_sock *)tp;
	struct given_up *g = storage_make(&given_up, sk);

	if (!g) {
		count(FL_CNT_STORAGE_FULL); /* connect() takes its time */
		return 0;
	}
	if (!g->now) {
		g->user_timeout = BPF_CORE_READ(icsk, icsk_user_timeout);
		g->mark = sk->mark;
	}
	g->now = 1;
	set(ctx, 1, prohibited(g->mark));
	bpf_sock_ops_cb_flags_set(ctx, ctx->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_STATE_CB_FLAG);
	return 0;
}

static __noinline int attempt_by_connection(struct fl_attempt *a, struct tcp_sock *tp)
{
	struct sock *sk = (struct sock *)tp;

	key_from_tcp(tp, &a->key);
	a->known = KNOWS_LOCAL | KNOWS_REMOTE;
	attempt_namespace(a, a->key.netns_cookie);
	attempt_by_device(a, BPF_CORE_READ(sk, sk_dst_cache, dev));
	return attempt_by_caller(a, tp);
}

static __always_inline void connecting(struct bpf_sock_ops *ctx, struct bpf_sock *sk)
{
	struct fl_attempt a = { .hook = FL_HOOK_CONNECT_AUTHORIZATION };
	__u64 epoch = ways_epoch();
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	bool may;

	if (!tp)
		return;
	a.cookie = bpf_get_socket_cookie(ctx);
	attempt_by_connection(&a, tp);
	if (!a.next_hop_interface) /* the route is gone: it is asked when there is one again */
		return;
	may = judge(&a) != FL_REJECT;
	way_remember(&a, epoch, may);
	ways_use_link(&a);
	if (!may)
		give_up(ctx, sk, tp);
}

/* The socket may be used again: it gets back what it had, but for a mark it was given meanwhile. */
static __noinline int closed(struct bpf_sock_ops *ctx, struct bpf_sock *sk)
{
	struct given_up *g = bpf_sk_storage_get(&given_up, sk, 0, 0);
	__u32 mark = sk->mark;

	if (!g || !g->now)
		return 0;
	g->now = 0;
	return set(ctx, g->user_timeout, mark == prohibited(g->mark) ? g->mark : mark);
}

static __noinline int first_timeout(struct bpf_sock_ops *ctx, struct bpf_sock *sk)
{
	struct given_up *g = bpf_sk_storage_get(&given_up, sk, 0, 0);

	if (g && g->now)
		ctx->reply = 1; /* ticks */
	return 0;
}

SEC("sockops")
int authorize_connect(struct bpf_sock_ops *ctx)
{
	struct bpf_sock *sk = ctx->sk;

	if (!sk)
		return 1;
	if (ctx->op == BPF_SOCK_OPS_TCP_CONNECT_CB) {
		connecting(ctx, sk);
	} else if (ctx->op == BPF_SOCK_OPS_TIMEOUT_INIT) {
		first_timeout(ctx, sk);
	} else if (ctx->op == BPF_SOCK_OPS_STATE_CB && ctx->args[1] == BPF_TCP_CLOSE) {
		closed(ctx, sk);
	}
	return 1;
}

/* --- packets --- */

static __noinline __u32 key_leaving(struct __sk_buff *skb, __u8 proto, struct fl_key *k)
{
	return key_from_packet(skb, proto, true, k);
}

static __always_inline bool runs_here(const struct fl_proc_key *proc)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct fl_owner o = {};

	owner_ids_of_task(task, &o);
	return fl_proc_equal(&o.proc, proc);
}

/* Of UDP who last used it in a way that shows, of TCP who called connect(). Somebody else may run
 * here: a datagram that waited for a verdict of user space is sent on by who gives it. */
static __noinline int attempt_by_sender(struct fl_attempt *a, struct bpf_sock *sk)
{
	struct fl_udp *u = sk->protocol == FL_UDP ? bpf_sk_storage_get(&udp_sockets, sk, 0, 0)
						  : NULL;

	if (u) {
		a->owner = u->user;
		attempt_by_owner(a);
	} else {
		attempt_by_socket(a, tcp_flow_id(sk, a->cookie));
	}
	if (runs_here(&a->owner.proc)) {
		a->known &= ~KNOWS(FL_DIM_EXE); /* that of now */
		attempt_by_current(a);
	}
	a->known = fl_opaque(a->known); /* what follows is the same for all of them */
	return 0;
}

static __noinline int attempt_by_route(struct fl_attempt *a, struct __sk_buff *skb)
{
	struct net_device *dev = device_of(skb);

	a->known |= KNOWS_LOCAL | KNOWS_REMOTE;
	attempt_by_device(a, dev);
	attempt_namespace(a, net_cookie_probed(BPF_CORE_READ(dev, nd_net.net)));
	return 0;
}

/* Who was sent the first datagram of a session answers in it, of which RECV_ACCEPT has been asked;
 * once it was received, that is: what is rejected there leaves a flow as well. */
static __always_inline bool answers(const struct fl_attempt *a)
{
	struct fl_connection *c = bpf_map_lookup_elem(&l7_connections, &a->key);

	return c && c->role == FL_ROLE_ACCEPTOR && c->accepted;
}

static __always_inline int leaving(struct __sk_buff *skb, struct bpf_sock *sk, __u8 proto)
{
	struct fl_attempt a = { .hook = FL_HOOK_CONNECT_AUTHORIZATION };
	__u64 epoch = ways_epoch();
	int may;

	if (!key_leaving(skb, proto, &a.key))
		return judge_failed(FL_HOOK_CONNECT_AUTHORIZATION) != FL_REJECT;
	a.cookie = bpf_get_socket_cookie(skb);
	a.next_hop_interface = skb->ifindex;
	may = way_known(&a, epoch);
	if (may >= 0)
		return may;
	attempt_by_route(&a, skb);
	attempt_by_sender(&a, sk);
	a.key.ifindex = key_ifindex(&a.key, sk->bound_dev_if, skb->ifindex);
	may = answers(&a) || judge(&a) != FL_REJECT;
	way_remember(&a, epoch, may);
	ways_use_link(&a);
	return may;
}

/* Without the application's mark it may go another way now, which might be permitted. */
static __always_inline bool is_given_up(struct bpf_sock *sk)
{
	struct given_up *g = bpf_sk_storage_get(&given_up, sk, 0, 0);

	return g && g->now;
}

/* Of TCP: what leaves now may make a session. A socket in SYN_RECV answers, for which nobody here
 * has called connect(); or somebody did, and a SYN of the peer's came before it had given up. */
static __always_inline bool tcp_opens(__u32 state)
{
	return state == BPF_TCP_SYN_SENT || state == BPF_TCP_SYN_RECV;
}

SEC("cgroup_skb/egress")
int authorize_packet(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;
	__u32 proto, state;

	if (!sk)
		return 1;
	sk = bpf_sk_fullsock(sk);
	if (!sk)
		return 1;
	proto = sk->protocol;
	state = sk->state;
	if (proto == FL_TCP) {
		if (!tcp_opens(state))
			return 1;
		if (is_given_up(sk))
			return 0;
		if (state == BPF_TCP_SYN_RECV)
			return 1;
	} else if (proto != FL_UDP) {
		return 1;
	}
	/* read once more: the verifier would follow all that comes for the one and for the other */
	return leaving(skb, sk, *(volatile __u32 *)&sk->protocol);
}
