// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Makes moments of a TCP socket long: told ended and not yet closed, opening but not yet told of,
 * and established but not yet told of. The last two only for who is attached to the cgroup later.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define STATE_CLOSE 7
#define TURNS 4000 /* a verifier follows 8192 jumps */
#define CALLS 100

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile __u32 netns_inum = 0;
const volatile __u16 remote_port = 0;
const volatile __u64 wait_ns = 0;
__u64 waited = 0; /* sockets */

/* A global function: verified once, however often it is called. False when the time is over. */
__noinline bool wait_a_little(__u64 until)
{
	for (int i = 0; i < TURNS; i++)
		if (bpf_ktime_get_ns() > until)
			return false;
	return true;
}

static __always_inline void wait_long(void)
{
	__u64 until = bpf_ktime_get_ns() + wait_ns;

	__sync_fetch_and_add(&waited, 1);
	for (int i = 0; i < CALLS; i++)
		if (!wait_a_little(until))
			break;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(wait_closing, struct sock *sk, int old, int new)
{
	if (new == STATE_CLOSE &&
	    bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport)) ==
		    remote_port &&BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum) == netns_inum)
		wait_long();
	return 0;
}

SEC("sockops")
int wait_opening(struct bpf_sock_ops *ctx)
{
	if (ctx->op == BPF_SOCK_OPS_TCP_CONNECT_CB || ctx->op == BPF_SOCK_OPS_TCP_LISTEN_CB)
		wait_long();
	return 1;
}

SEC("sockops")
int wait_established(struct bpf_sock_ops *ctx)
{
	if (ctx->op == BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB)
		wait_long();
	return 1;
}
