/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which life of a TCP socket this is, and which listener a passive one came from. The first life is
 * known by the socket's cookie; a reconnect, or a second listen(), is another flow with a number.
 */
#ifndef FLOWNER_TCP_BPF_H
#define FLOWNER_TCP_BPF_H

#include "flow.bpf.h"
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
	struct fl_life *life = bpf_sk_storage_get(&tcp_lives, bs, 0, BPF_SK_STORAGE_GET_F_CREATE);

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

static __always_inline struct fl_connection *listener_at(struct fl_key *k, __u32 ifindex)
{
	struct fl_connection *c;

	k->ifindex = ifindex;
	c = bpf_map_lookup_elem(&l7_connections, k);
	if (c || !ifindex)
		return c;
	k->ifindex = 0;
	return bpf_map_lookup_elem(&l7_connections, k);
}

/*
 * The listener a passive socket came from, by its local end and as the kernel chose it: the address
 * itself before any-address, IPv4's any before IPv6's (which takes IPv4 too), and for each a bound
 * interface before none.
 */
static __always_inline struct fl_connection *listener_find(const struct fl_key *key)
{
	struct fl_key k = *key;
	struct fl_connection *c;

	key_clear_remote(&k);
	c = listener_at(&k, key->ifindex);
	if (c)
		return c;
	if (addr_is_v4(&key->local)) {
		addr_from_v4(&k.local, 0);
		c = listener_at(&k, key->ifindex);
		if (c)
			return c;
	}
	__builtin_memset(&k.local, 0, sizeof(k.local));
	return listener_at(&k, key->ifindex);
}

#endif /* FLOWNER_TCP_BPF_H */
