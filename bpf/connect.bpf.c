// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * connect() as the caller made it, before the route is known: names the one peer of a UDP socket,
 * and tells a TCP socket's later lives from its first. Never refuses.
 */
#include "tcp.bpf.h"
#include "udp.bpf.h"

/* connect() to another peer ends the session with the one before. */
static __always_inline void connecting(struct bpf_sock_addr *ctx, __u32 family, struct bpf_sock *sk)
{
	struct fl_udp *u = udp_create(sk, bpf_get_netns_cookie(ctx), bpf_get_socket_cookie(ctx));
	struct fl_socket *own;
	__u64 id;

	if (!u)
		return;
	udp_used(u);
	id = u->own_id;
	own = bpf_map_lookup_elem(&socket_to_process, &id);
	if (own && !key_local_only(&own->key))
		udp_end_own(u);
	addr_from_user(ctx, family, &u->remote);
	u->remote_port = port_from_user(ctx);
	u->last_epoch = 0;
	u->flags |= UDP_CONNECTED;
}

/*
 * TCP passes here too: a sequence number before the connection has one means an earlier life
 * (tcp_disconnect() leaves it so), and then the cookie is spent.
 */
static __always_inline int connect_called(struct bpf_sock_addr *ctx, __u32 family)
{
	struct bpf_sock *sk = ctx->sk;
	struct tcp_sock *tp;

	if (!sk)
		return 1;
	if (ctx->protocol == IPPROTO_UDP) {
		connecting(ctx, family, sk);
		return 1;
	}
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp)
		return 1;
	count(FL_CNT_CONNECT_CALLS);
	if (tp->write_seq)
		tcp_next_life(sk);
	return 1;
}

SEC("cgroup/connect4")
int track_connect4(struct bpf_sock_addr *ctx)
{
	return connect_called(ctx, AF_INET);
}

SEC("cgroup/connect6")
int track_connect6(struct bpf_sock_addr *ctx)
{
	return connect_called(ctx, AF_INET6);
}
