/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which life of a TCP socket this is. The first is known by the socket's cookie; a reconnect, or a
 * second listen(), is another flow and gets a number.
 */
#ifndef FLOWNER_TCP_BPF_H
#define FLOWNER_TCP_BPF_H

#include "flow.bpf.h"

/* The socket's cookie in its first life; storage, which most sockets never get, in later ones. */
static __always_inline __u64 tcp_flow_id(struct bpf_sock *bs, __u64 cookie)
{
	struct fl_life *life = bpf_sk_storage_get(&tcp_lives, bs, 0, 0);

	return life ? life->flow_id : cookie;
}

/* What this socket does from now on is another flow than before. */
static __always_inline void tcp_next_life(struct bpf_sock *bs)
{
	struct fl_life *life =
		bpf_sk_storage_get(&tcp_lives, bs, 0, BPF_SK_STORAGE_GET_F_CREATE);

	if (life)
		life->flow_id = flow_number();
	else
		count(FL_CNT_STORAGE_FULL);
}

#endif /* FLOWNER_TCP_BPF_H */
