// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Cuts one socket by its cookie alone, for when netlink cannot reach it. An object of its own, not
 * linked with the others: a kernel without bpf_sock_destroy() (before 6.5) refuses all of it.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

#define ENOENT 2

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile __u64 wanted_cookie = 0;
int result = -ENOENT;

extern int bpf_sock_destroy(struct sock_common *sock) __ksym;

SEC("iter/tcp")
int destroy_tcp(struct bpf_iter__tcp *ctx)
{
	struct sock_common *sk = ctx->sk_common;

	if (sk && (__u64)sk->skc_cookie.counter == wanted_cookie)
		result = bpf_sock_destroy(sk);
	return 0;
}

SEC("iter/udp")
int destroy_udp(struct bpf_iter__udp *ctx)
{
	struct sock_common *sk = (struct sock_common *)ctx->udp_sk;

	if (sk && (__u64)sk->skc_cookie.counter == wanted_cookie)
		result = bpf_sock_destroy(sk);
	return 0;
}
