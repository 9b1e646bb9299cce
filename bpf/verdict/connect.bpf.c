// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * CONNECT: connect() of a TCP or UDP socket, and a datagram sent without one, before routing. A
 * v4-mapped destination is an IPv4 one.
 */
#include "judge.bpf.h"

/* FAMILY is a constant, see sock.bpf.h. The local end is known when the socket was bound. */
static __always_inline int connecting(struct bpf_sock_addr *ctx, __u32 family)
{
	struct fl_attempt a = { .hook = FL_HOOK_CONNECT };
	struct bpf_sock *sk = ctx->sk;

	if (!sk || (ctx->protocol != FL_TCP && ctx->protocol != FL_UDP))
		return 1;
	a.key.local_port = sk->src_port;
	if (family == AF_INET)
		addr_from_v4(&a.key.local, sk->src_ip4);
	else
		ADDR_FROM_CTX(&a.key.local, sk->src_ip6);
	addr_from_user(ctx, family, &a.key.remote);
	a.key.remote_port = port_from_user(ctx);
	a.key.proto = ctx->protocol;
	a.key.ifindex = sk->bound_dev_if;
	a.cookie = bpf_get_socket_cookie(ctx);
	a.known = KNOWS_REMOTE | KNOWS_IF(a.key.local_port, KNOWS_LOCAL);
	attempt_namespace(&a, bpf_get_netns_cookie(ctx));
	attempt_by_current(&a);
	return judge_cgroup(&a);
}

SEC("cgroup/connect4")
int verdict_connect4(struct bpf_sock_addr *ctx)
{
	return connecting(ctx, AF_INET);
}

SEC("cgroup/connect6")
int verdict_connect6(struct bpf_sock_addr *ctx)
{
	return connecting(ctx, AF_INET6);
}

SEC("cgroup/sendmsg4")
int verdict_sendmsg4(struct bpf_sock_addr *ctx)
{
	return connecting(ctx, AF_INET);
}

SEC("cgroup/sendmsg6")
int verdict_sendmsg6(struct bpf_sock_addr *ctx)
{
	return connecting(ctx, AF_INET6);
}
