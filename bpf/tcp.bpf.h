/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which life of a TCP socket this is. The first is known by the socket's cookie; a reconnect, or a
 * second listen(), is another flow with a number.
 */
#ifndef FLOWNER_TCP_BPF_H
#define FLOWNER_TCP_BPF_H

#include "flow.bpf.h"
#include "storage.bpf.h"
#include <flowner/count.h>

/* The socket's cookie in its first life; storage, which most sockets never get, in later ones. */
static __always_inline __u64 tcp_flow_id(struct bpf_sock *bs, __u64 cookie)
{
	struct fl_life *life = bpf_sk_storage_get(&tcp_lives, bs, 0, 0);

	return life ? life->flow_id : cookie;
}

/* The same for tracing programs and iterators; where they reach no storage a later life is not told
 * from the first. */
static __always_inline __u64 tcp_flow_id_traced(struct sock *sk, __u64 cookie)
{
	struct fl_life *life;

	if (!can_tracing_socket)
		return cookie;
	life = bpf_sk_storage_get(&tcp_lives, sk, 0, 0);
	return life ? life->flow_id : cookie;
}

/* What this socket does from now on is another flow than before. */
static __always_inline void tcp_next_life(struct bpf_sock *bs)
{
	struct fl_life *life = storage_make(&tcp_lives, bs);

	if (life)
		life->flow_id = flow_number();
	else
		count(FL_CNT_STORAGE_FULL);
}

/* COUNTS of a socket that closes, OLD its state before. SOCK_DONE is set by a FIN only. */
static __always_inline void tcp_counts(struct tcp_sock *tp, enum fl_role role, enum fl_state old,
				       struct fl_counts *counts)
{
	struct fl_tcp_numbers n = {
		.bytes_acked = tp->bytes_acked,
		.bytes_received = tp->bytes_received,
		.bytes_fresh = tp->bytes_sent - tp->bytes_retrans,
		.segs_out = tp->segs_out,
		.segs_in = tp->segs_in,
		.total_retrans = tp->total_retrans,
		.srtt_us = tp->srtt_us >> 3,
		.state = old,
		.all_acked = tp->snd_una == tp->write_seq,
		.fin_received = ((struct sock *)tp)->__sk_common.skc_flags >>
					bpf_core_enum_value(enum sock_flags, SOCK_DONE) &
				1,
	};

	fl_count_tcp(&n, role, counts);
}

#endif /* FLOWNER_TCP_BPF_H */
