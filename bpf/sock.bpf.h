/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Hook context or struct sock -> fl_key. The only file that knows IPv4 from IPv6: everything behind
 * it sees 16-byte addresses, ports in host order and one namespace cookie.
 */
#ifndef FLOWNER_SOCK_BPF_H
#define FLOWNER_SOCK_BPF_H

#include "compat.bpf.h"
#include "maps.bpf.h"
#include <bpf/bpf_endian.h>

#define AF_INET 2
#define AF_INET6 10

static __always_inline void addr_from_v4(struct fl_addr *a, __be32 v4)
{
	__builtin_memset(a, 0, sizeof(*a));
	a->b[10] = 0xff;
	a->b[11] = 0xff;
	__builtin_memcpy(&a->b[12], &v4, sizeof(v4));
}

/* Four words of a hook context, one by one: the verifier refuses what a compiler would join. */
#define ADDR_FROM_CTX(a, field)                                                                    \
	do {                                                                                       \
		for (int i_ = 0; i_ < 4; i_++) {                                                   \
			__u32 w_ = *(volatile __u32 *)&(field)[i_];                                \
			__builtin_memcpy(&(a)->b[4 * i_], &w_, sizeof(w_));                        \
		}                                                                                  \
	} while (0)

static __always_inline void addr_from_in6(struct fl_addr *a, const struct in6_addr *in6)
{
	for (int i = 0; i < 4; i++) {
		__u32 w = in6->in6_u.u6_addr32[i];

		__builtin_memcpy(&a->b[4 * i], &w, sizeof(w));
	}
}

static __always_inline bool addr_is_v4(const struct fl_addr *a)
{
	__u64 high;
	__u32 mid;

	__builtin_memcpy(&high, &a->b[0], sizeof(high));
	__builtin_memcpy(&mid, &a->b[8], sizeof(mid));
	return !high && mid == bpf_htonl(0xffff);
}

static __always_inline bool addr_equal(const struct fl_addr *a, const struct fl_addr *b)
{
	__u64 x[2], y[2];

	__builtin_memcpy(x, a->b, sizeof(x));
	__builtin_memcpy(y, b->b, sizeof(y));
	return x[0] == y[0] && x[1] == y[1];
}

static __always_inline __u32 sock_v6only(struct sock *sk)
{
	return BPF_CORE_READ_BITFIELD_PROBED(sk, __sk_common.skc_ipv6only);
}

static __always_inline bool key_local_only(const struct fl_key *k)
{
	return !k->remote_port;
}

/* Without a branch for each word, which the verifier would follow. */
static __always_inline bool key_equal(const struct fl_key *a, const struct fl_key *b)
{
	const __u64 *x = (const void *)a, *y = (const void *)b;
	__u64 differs = 0;

	for (unsigned int i = 0; i < sizeof(*a) / sizeof(*x); i++)
		differs |= x[i] ^ y[i];
	return !differs;
}

/* What local-only entries have for a remote end: all zero, in both families. */
static __always_inline void key_clear_remote(struct fl_key *k)
{
	__builtin_memset(&k->remote, 0, sizeof(k->remote));
	k->remote_port = 0;
}

/* K is zeroed. Plain loads: the verifier knows the type, which costs a tenth of a probe read. */
static __always_inline void key_from_tcp(struct tcp_sock *tp, struct fl_key *k)
{
	struct sock *sk = (struct sock *)tp;

	k->netns_cookie = net_cookie(sk->__sk_common.skc_net.net);
	if (sk->__sk_common.skc_family == AF_INET) {
		addr_from_v4(&k->local, sk->__sk_common.skc_rcv_saddr);
		addr_from_v4(&k->remote, sk->__sk_common.skc_daddr);
	} else {
		addr_from_in6(&k->local, &sk->__sk_common.skc_v6_rcv_saddr);
		addr_from_in6(&k->remote, &sk->__sk_common.skc_v6_daddr);
	}
	k->local_port = sk->__sk_common.skc_num;
	k->remote_port = bpf_ntohs(sk->__sk_common.skc_dport);
	k->ifindex = sk->__sk_common.skc_bound_dev_if;
	k->proto = FL_TCP;
}

/* K is zeroed. SK may be any pointer that BPF_CORE_READ can follow. */
static __always_inline void key_from_sock(struct sock *sk, enum fl_proto proto, struct fl_key *k)
{
	k->netns_cookie = net_cookie_probed(BPF_CORE_READ(sk, __sk_common.skc_net.net));
	if (BPF_CORE_READ(sk, __sk_common.skc_family) == AF_INET) {
		addr_from_v4(&k->local, BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr));
		addr_from_v4(&k->remote, BPF_CORE_READ(sk, __sk_common.skc_daddr));
	} else {
		BPF_CORE_READ_INTO(&k->local, sk, __sk_common.skc_v6_rcv_saddr);
		BPF_CORE_READ_INTO(&k->remote, sk, __sk_common.skc_v6_daddr);
	}
	k->local_port = BPF_CORE_READ(sk, __sk_common.skc_num);
	k->remote_port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	k->ifindex = BPF_CORE_READ(sk, __sk_common.skc_bound_dev_if);
	k->proto = proto;
	if (!k->remote_port)
		key_clear_remote(k);
}

/* fe80::/10, and what is multicast to one interface or link: the same address is another one on
 * every interface. */
static __always_inline bool addr_has_scope(const struct fl_addr *a)
{
	if (a->b[0] == 0xfe)
		return (a->b[1] & 0xc0) == 0x80;
	return a->b[0] == 0xff && ((a->b[1] & 0xf) == 1 || (a->b[1] & 0xf) == 2);
}

/* What a datagram's key has: BOUND is the socket's, CAME where the datagram came or goes. */
static __always_inline __u32 key_ifindex(const struct fl_key *k, __u32 bound, __u32 came)
{
	return bound || !addr_has_scope(&k->remote) ? bound : came;
}

/*
 * K is zeroed and gets the local end only: what post_bind and cgroup_skb can read of a socket.
 * FAMILY is a constant in post_bind: the IPv4 program may not even contain a read of IPv6 fields.
 */
static __always_inline void key_from_bound(struct bpf_sock *sk, __u32 family, __u32 ifindex,
					   __u64 netns_cookie, struct fl_key *k)
{
	k->netns_cookie = netns_cookie;
	if (family == AF_INET)
		addr_from_v4(&k->local, sk->src_ip4);
	else
		ADDR_FROM_CTX(&k->local, sk->src_ip6);
	k->local_port = sk->src_port;
	k->ifindex = ifindex;
	k->proto = FL_UDP;
}

/* post_bind may not read bound_dev_if by name, but its context is the socket itself. */
static __always_inline __u32 bound_ifindex(struct bpf_sock *ctx)
{
	struct sock *sk = (struct sock *)(void *)ctx;

	return BPF_CORE_READ(sk, __sk_common.skc_bound_dev_if);
}

/* The peer a program is asked about, FAMILY as above. A v4-mapped one is in user_ip6 as it is. */
static __always_inline void addr_from_user(struct bpf_sock_addr *ctx, __u32 family,
					   struct fl_addr *a)
{
	if (family == AF_INET)
		addr_from_v4(a, ctx->user_ip4);
	else
		ADDR_FROM_CTX(a, ctx->user_ip6);
}

static __always_inline __u16 port_from_user(struct bpf_sock_addr *ctx)
{
	return bpf_ntohs((__u16)ctx->user_port);
}

/* Another one instead, of the same family. */
static __always_inline void user_replace(struct bpf_sock_addr *ctx, __u32 family,
					 const struct fl_addr *a, __u16 port)
{
	__u32 w;

	if (family == AF_INET) {
		__builtin_memcpy(&w, &a->b[12], sizeof(w));
		ctx->user_ip4 = w;
	}
	for (int i = 0; i < 4 && family != AF_INET; i++) {
		__builtin_memcpy(&w, &a->b[4 * i], sizeof(w));
		*(volatile __u32 *)&ctx->user_ip6[i] = w;
	}
	ctx->user_port = bpf_htons(port);
}

/* The cgroup a socket belongs to, or one above it, is the one the agent is confined to. */
static __always_inline bool sock_in_scope(struct sock *sk, __u64 scope_id)
{
	struct cgroup *c;

	if (!scope_id)
		return true;
	c = sock_cgroup(sk);
	for (int i = 0; i < 32 && c; i++) {
		if (BPF_CORE_READ(c, kn, id) == scope_id)
			return true;
		c = BPF_CORE_READ(c, self.parent, cgroup);
	}
	return false;
}

#endif /* FLOWNER_SOCK_BPF_H */
