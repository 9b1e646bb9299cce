// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * LISTEN: listen() of a TCP socket, before it changes anything. Where no program may say no at this
 * place, the callback of the listening socket says so afterwards, and the daemon ends it. So it
 * does of what nobody was asked for: another thread may bind the socket before it listens.
 *
 * Who else listens on that port is known from the seats of its listeners (ports.bpf.h), which they
 * take when they listen: of two that begin at the same moment neither is there yet for the other.
 */
#include "condemned.bpf.h"
#include "event.bpf.h"
#include "judge.bpf.h"
#include "listener_counts.bpf.h"
#include "mptcp.bpf.h"
#include "policy.bpf.h"
#include "ports.bpf.h"
#include "tcp.bpf.h"
#include <flowner/listen.h>

#include <bpf/bpf_tracing.h>

extern const volatile __u64 verdict_scope;

static __always_inline bool selftest_denies(void)
{
	struct fl_policy_state *state;
	struct task_struct *task;
	__u32 zero = 0;

	state = bpf_map_lookup_elem(&policy_state, &zero);
	if (!state || !state->selftest_pid)
		return false;
	task = (struct task_struct *)bpf_get_current_task();
	return (__u32)BPF_CORE_READ(task, tgid) == state->selftest_pid;
}

/* The TCP socket that is to listen, NULL: none. Of MPTCP it is the path, which is there when it is
 * bound; before, its own socket says as little. */
static __always_inline struct sock *tcp_of(struct sock *sk)
{
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);
	struct mptcp_walk w;
	struct sock *path;

	if (family != AF_INET && family != AF_INET6)
		return NULL;
	if (!is_mptcp(sk))
		return BPF_CORE_READ(sk, sk_protocol) == FL_TCP ? sk : NULL;
	w = mptcp_walk(sk);
	path = mptcp_next(&w);
	return path ? path : sk;
}

static __always_inline void addr_from_words(struct fl_addr *a, __u64 first, __u64 second)
{
	__builtin_memcpy(&a->b[0], &first, sizeof(first));
	__builtin_memcpy(&a->b[8], &second, sizeof(second));
}

/* Not 0: not of the process that runs here, nor listen() once more on the socket with COOKIE,
 * perhaps by a child that has it, too. */
static __always_inline __u64 is_others(const struct fl_socket *s, __u64 cookie)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	__u64 start_ns = BPF_CORE_READ(task, group_leader, start_boottime);
	__u32 pid = BPF_CORE_READ(task, tgid);

	return fl_mask(s->cookie ^ cookie) &
	       fl_mask((s->owner.proc.pid ^ pid) | (s->owner.proc.start_ns ^ start_ns));
}

/* Where one listens, beside namespace and address, and the first of the seats to look at. */
#define SEATS_OF(ifindex, port, first, v6only)                                                     \
	((__u64)(ifindex) << 32 | (__u64)(port) << 16 | (__u64)(first) << 1 | (v6only))

/*
 * Another process has one of SEATS_AT_ONCE, and is in the way. Not static, with numbers for
 * arguments: verified once, by itself.
 */
__noinline int port_in_use_some(__u64 netns_cookie, __u64 addr_0, __u64 addr_1, __u64 at,
				__u64 cookie)
{
	struct port_seat key = { .netns_cookie = netns_cookie, .port = at >> 16 };
	struct fl_addr addr;
	__u64 in_use = fl_opaque(0); /* for the verifier one of the sums that it becomes */
	const struct fl_listens_at here = { &addr, at >> 32, at & 1 };

	addr_from_words(&addr, addr_0, addr_1);
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < SEATS_AT_ONCE; i++) {
		struct port_listener *there;
		struct fl_socket *s;
		__u64 id;

		key.seat = ((at & 0xffff) >> 1) + i;
		there = bpf_map_lookup_elem(&port_listeners, &key);
		if (!there)
			continue;
		id = there->flow_id;
		s = bpf_map_lookup_elem(&socket_to_process, &id);
		if (s) {
			const struct fl_listens_at its = { &s->key.local, s->key.ifindex,
							   there->v6only };

			in_use |= is_others(s, cookie) & fl_listens_overlap(&here, &its);
		}
	}
	return in_use != 0;
}

/* All seats, but where nobody sits, which is nearly everywhere. A port that the kernel is still to
 * choose is one that nobody has. */
static __noinline int port_in_use_by_other(const struct fl_attempt *a, __u32 v6only)
{
	const struct fl_key *k = &a->key;
	__u64 *sum = port_sum(k->netns_cookie, k->local_port);
	int in_use = 0;

	if (!sum || !*sum || !k->local_port)
		return 0;
#pragma clang loop unroll(disable)
	for (__u32 first = 0; first < PORT_SEATS && !in_use; first += SEATS_AT_ONCE)
		in_use = port_in_use_some(
			k->netns_cookie, fl_addr_word(&k->local, 0), fl_addr_word(&k->local, 1),
			SEATS_OF(k->ifindex, k->local_port, first, v6only), a->cookie);
	return in_use;
}

/* What the listen() that a thread is in was permitted for. What is forgotten is judged again. */
struct judged_listen {
	__u64 sock; /* its address, a number */
	struct fl_addr addr;
	__u64 port;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64); /* listeners_thread() */
	__type(value, struct judged_listen);
} judged_listens SEC(".maps");

static __noinline int judged_remember(const struct fl_attempt *a, struct sock *sk)
{
	struct judged_listen j = { address_of(sk), a->key.local, a->key.local_port };
	__u64 thread = listeners_thread();

	bpf_map_update_elem(&judged_listens, &thread, &j, BPF_ANY);
	return 0;
}

static __noinline bool judged_before(struct tcp_sock *tp)
{
	__u64 thread = listeners_thread();
	struct judged_listen *j = bpf_map_lookup_elem(&judged_listens, &thread);
	struct judged_listen was;
	struct fl_key key = {};

	if (!j)
		return false;
	was = *j; /* of this thread, which is here: nobody else writes it */
	bpf_map_delete_elem(&judged_listens, &thread);
	key_from_tcp(tp, &key);
	return was.sock == address_of(tp) && was.port == key.local_port &&
	       addr_equal(&was.addr, &key.local);
}

/* When listen() is judged: before it does anything, of a socket that listens already, and of one
 * that has just begun to. */
enum moment { BEFORE, AGAIN, AFTER };

/* Port 0: the kernel will choose one, and it is for rules without a port to say; then for all. Who
 * listens already needs no other place, whatever the limit. */
static __noinline int listen_judge(struct sock *sk, enum moment when)
{
	struct fl_attempt a = { .hook = FL_HOOK_LISTEN };
	bool rejected;

	key_from_sock(sk, FL_TCP, &a.key);
	key_clear_remote(&a.key);
	a.known = KNOWS_LOCAL | KNOWS(FL_DIM_HOOK) | (when == AFTER ? FL_KNOWN_LATE : 0);
	attempt_namespace(&a, a.key.netns_cookie);
	a.cookie = sock_existing_cookie(sk);
	attempt_by_current(&a);
	a.port_in_use_by_other = port_in_use_by_other(&a, sock_v6only(sk));
	a.known |= KNOWS(FL_DIM_PORT_IN_USE);
	rejected = judge_limited(&a, when == AGAIN) == FL_REJECT;
	if (when == BEFORE && !rejected)
		judged_remember(&a, sk);
	return rejected ? -EACCES : 0;
}

static __always_inline int listening(struct socket *sock, int ret)
{
	struct sock *sk = ret ? NULL : tcp_of(BPF_CORE_READ(sock, sk));

	if (!sk)
		return ret;
	if (selftest_denies()) /* wherever the daemon lives */
		return -EACCES;
	if (!sock_in_scope(sk, verdict_scope))
		return 0;
	return listen_judge(sk, BPF_CORE_READ(sk, __sk_common.skc_state) == BPF_TCP_LISTEN ? AGAIN
											   : BEFORE)
		       ? -EACCES
		       : 0;
}

SEC("fmod_ret/security_socket_listen")
int BPF_PROG(listen_fmod, struct socket *sock, int backlog, int ret)
{
	return listening(sock, ret);
}

SEC("lsm/socket_listen")
int BPF_PROG(listen_lsm, struct socket *sock, int backlog, int ret)
{
	return listening(sock, ret) ? -EACCES : 0;
}

/* What was held for the socket is its own by now, or it failed. */
SEC("fexit/inet_listen")
int BPF_PROG(listen_done, struct socket *sock, int backlog, int ret)
{
	listeners_give_back(listeners_thread());
	return 0;
}

/* Its reader sleeps for tens of milliseconds else: there is nothing in this record but the bell. */
static __always_inline void ring_the_bell(void)
{
	void *nothing = bpf_ringbuf_reserve(&events, 8, 0);

	if (nothing)
		bpf_ringbuf_discard(nothing, BPF_RB_FORCE_WAKEUP);
}

/* It listens already: the daemon ends it. Where that was told already it has its place, too, which
 * is another's if it may not have it. */
static __always_inline void listens(struct bpf_sock_ops *ctx, struct bpf_sock *sk,
				    struct tcp_sock *tp)
{
	__u64 id = tcp_flow_id(sk, bpf_get_socket_cookie(ctx));
	int told = listeners_end(id);

	if (listen_judge((struct sock *)tp, AFTER)) {
		if (!told)
			listeners_deny();
		condemn(sk, id);
		ring_the_bell();
		return;
	}
	pardon(sk);
	if (told)
		listeners_begin(id);
}

SEC("sockops")
int listen_late(struct bpf_sock_ops *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	struct tcp_sock *tp;

	if (ctx->op != BPF_SOCK_OPS_TCP_LISTEN_CB || !sk)
		return 1;
	tp = bpf_skc_to_tcp_sock(sk);
	if (tp)
		listens(ctx, sk, tp);
	return 1;
}

/* Where listen() is judged before: whoever was not asked, or for another address or port. */
SEC("sockops")
int listen_check(struct bpf_sock_ops *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	struct tcp_sock *tp;

	if (ctx->op != BPF_SOCK_OPS_TCP_LISTEN_CB || !sk)
		return 1;
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp || judged_before(tp) || current_is_kernel())
		return 1;
	listens(ctx, sk, tp);
	return 1;
}

/* Nobody gets through to what is condemned. Not the program of RECV_ACCEPT: a policy of both hooks
 * would have that attached, and judging, twice. */
SEC("cgroup_skb/ingress")
int listen_late_arrival(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;

	if (!sk)
		return 1;
	sk = bpf_sk_fullsock(sk);
	if (!sk || sk->protocol != FL_TCP || sk->state != BPF_TCP_LISTEN)
		return 1;
	return !is_condemned(sk, bpf_get_socket_cookie(skb));
}
