// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * connect() as the caller made it, before the route is known: who gives a UDP socket its one peer,
 * and what tells a TCP socket's later lives from its first. Never refuses.
 */
#include "tcp.bpf.h"
#include "udp.bpf.h"

/* Until the socket has shown what came of it, who called is kept as if it had a flow already. What
 * came of the call before is nothing, when no datagram followed that one. */
static __always_inline void connecting(struct bpf_sock_addr *ctx, struct bpf_sock *sk)
{
	struct fl_udp *u = udp_create(sk, bpf_get_netns_cookie(ctx), bpf_get_socket_cookie(ctx));
	struct fl_owner o = {};

	if (!u)
		return;
	if (udp_unsettled(u, sk->state))
		udp_settle(u, address_of(sk));
	owner_current(&o);
	process_flow_added(process_current(&o));
	u->user = o;
	u->connector = o;
	bpf_spin_lock(&u->lock);
	u->flags |= UDP_CONNECTING | UDP_CALLED;
	bpf_spin_unlock(&u->lock);
}

/*
 * TCP passes here too: a sequence number before the connection has one means an earlier life
 * (tcp_disconnect() leaves it so), and then the cookie is spent.
 */
static __always_inline int connect_called(struct bpf_sock_addr *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	struct tcp_sock *tp;

	if (!sk)
		return 1;
	if (ctx->protocol == IPPROTO_UDP) {
		connecting(ctx, sk);
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
	return connect_called(ctx);
}

SEC("cgroup/connect6")
int track_connect6(struct bpf_sock_addr *ctx)
{
	return connect_called(ctx);
}
