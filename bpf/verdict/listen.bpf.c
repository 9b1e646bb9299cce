// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * LISTEN: listen() of a TCP socket, before it changes anything. Where no program may say no at this
 * place, the callback of the listening socket says so afterwards, and the daemon ends it.
 */
#include "condemned.bpf.h"
#include "event.bpf.h"
#include "judge.bpf.h"
#include "policy.bpf.h"

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

static __always_inline bool is_tcp(struct sock *sk)
{
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	return (family == AF_INET || family == AF_INET6) &&
	       BPF_CORE_READ(sk, sk_protocol) == FL_TCP;
}

/* Port 0: the kernel will choose one, and it is for rules without a port to say. */
static __noinline int listen_judge(struct sock *sk)
{
	struct fl_attempt a = { .hook = FL_HOOK_LISTEN };

	key_from_sock(sk, FL_TCP, &a.key);
	key_clear_remote(&a.key);
	a.known = KNOWS_LOCAL | KNOWS(FL_DIM_HOOK);
	attempt_namespace(&a, a.key.netns_cookie);
	a.cookie = sock_existing_cookie(sk);
	attempt_by_current(&a);
	return judge(&a) == FL_REJECT ? -EACCES : 0;
}

static __always_inline int listening(struct socket *sock, int ret)
{
	struct sock *sk = BPF_CORE_READ(sock, sk);

	if (ret || !sk || !is_tcp(sk))
		return ret;
	if (selftest_denies()) /* wherever the daemon lives */
		return -EACCES;
	if (!sock_in_scope(sk, verdict_scope))
		return 0;
	return listen_judge(sk) ? -EACCES : 0;
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

/* Its reader sleeps for tens of milliseconds else: there is nothing in this record but the bell. */
static __always_inline void ring_the_bell(void)
{
	void *nothing = bpf_ringbuf_reserve(&events, 8, 0);

	if (nothing)
		bpf_ringbuf_discard(nothing, BPF_RB_FORCE_WAKEUP);
}

/* It listens already: the daemon ends it. */
SEC("sockops")
int listen_late(struct bpf_sock_ops *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	struct tcp_sock *tp;
	__u64 cookie;

	if (ctx->op != BPF_SOCK_OPS_TCP_LISTEN_CB || !sk)
		return 1;
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp || !listen_judge((struct sock *)tp))
		return 1;
	cookie = bpf_get_socket_cookie(ctx);
	condemn(cookie);
	ring_the_bell();
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
	return !is_condemned(bpf_get_socket_cookie(skb));
}
