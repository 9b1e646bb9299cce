/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * For BPF programs of others: the flow id and the owner of a socket or a packet, out of the maps
 * that flownerd has pinned. For sock_ops, tc, XDP and cgroup programs, on kernels since 5.10; of
 * headers it wants <linux/bpf.h>, <bpf/bpf_helpers.h> and <bpf/bpf_endian.h>, or a vmlinux.h in the
 * place of the first.
 *
 * The program's loader gives it the pinned maps, bpf_map__reuse_fd() for each of those below, or
 *
 *	bpftool prog load x.o /sys/fs/bpf/x map name l7_connections pinned \
 *		/sys/fs/bpf/flowner/l7_connections map name ...
 *
 * A flow id is 64 bits, never 0, never used again: 0 here says that there is none.
 */
#ifndef FLOWNER_BPF_H
#define FLOWNER_BPF_H

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <flowner/check.h>
#include <flowner/flow.h>

#define FLOWNER_FN static __attribute__((noinline, unused))
#define FLOWNER_ENOENT 2

/* Sizes are those of the pinned maps. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct fl_key);
	__type(value, struct fl_connection);
} l7_connections SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, struct fl_socket);
} socket_to_process SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct fl_life);
} tcp_lives SEC(".maps");

/* --- of a socket --- */

/*
 * The flow a socket is in, COOKIE from bpf_get_socket_cookie(). Of TCP in every state, and known
 * before flowner has recorded anything; of UDP the flow of the socket itself, which is the session
 * once connect() was called, while the peers of an unconnected socket have flows of their own:
 * for those ask by the packet.
 */
static __always_inline __u64 flowner_sock_get_flow_id(struct bpf_sock *sk, __u64 cookie)
{
	struct fl_life *life = bpf_sk_storage_get(&tcp_lives, sk, 0, 0);

	return life ? life->flow_id : cookie;
}

/* In a sock_ops program, in any callback that has a full socket; 0 where it has none. */
static __always_inline __u64 flowner_sock_ops_get_flow_id(struct bpf_sock_ops *ctx)
{
	struct bpf_sock *sk = ctx->sk;

	return sk ? flowner_sock_get_flow_id(sk, bpf_get_socket_cookie(ctx)) : 0;
}

/* In connect, sendmsg, recvmsg, getpeername and getsockname programs of a cgroup. */
static __always_inline __u64 flowner_sock_addr_get_flow_id(struct bpf_sock_addr *ctx)
{
	struct bpf_sock *sk = ctx->sk;

	return sk ? flowner_sock_get_flow_id(sk, bpf_get_socket_cookie(ctx)) : 0;
}

/* In cgroup_skb and tc programs, of a packet that belongs to a TCP socket here. */
static __always_inline __u64 flowner_skb_get_flow_id(struct __sk_buff *ctx)
{
	struct bpf_sock *sk = ctx->sk;

	if (!sk)
		return 0;
	sk = bpf_sk_fullsock(sk);
	return sk && sk->protocol == FL_TCP
		       ? flowner_sock_get_flow_id(sk, bpf_get_socket_cookie(ctx))
		       : 0;
}

/* --- of a flow id --- */

/*
 * What is known of a live flow: session, owner, role. 0, or -ENOENT when it is not recorded, or not
 * any more. *RET is written in any case, its contents are good with 0 only.
 */
FLOWNER_FN int flowner_flow_get(__u64 flow_id, struct fl_socket *ret)
{
	struct fl_socket *s = bpf_map_lookup_elem(&socket_to_process, &flow_id);

	if (!s) {
		/* a compiler reads it before it looks at the result, which 5.10 and 6.1 refuse */
		__builtin_memset(ret, 0, sizeof(*ret));
		return -FLOWNER_ENOENT;
	}
	*ret = *s;
	return ret->check == fl_check_socket(flow_id, ret) ? 0 : -FLOWNER_ENOENT;
}

/* --- of a packet --- */

/*
 * The two ends of a packet as its sender's socket sees them, from its IP header at DATA; END is the
 * end of what may be read. NETNS_COOKIE: of the network namespace the program looks into (what
 * SO_NETNS_COOKIE tells of a socket there), which the loader knows. 0; -ENOENT when it is no TCP or
 * UDP packet, a later fragment, or has IPv6 extension headers.
 */
static __always_inline int flowner_packet_key(const void *data, const void *end, __u64 netns_cookie,
					      struct fl_key *ret)
{
	const __u8 *ip = data;
	const __be16 *ports;
	__u32 header;

	__builtin_memset(ret, 0, sizeof(*ret));
	ret->netns_cookie = netns_cookie;
	if (data + 20 > end)
		return -FLOWNER_ENOENT;
	if (ip[0] >> 4 == 4) {
		if ((ip[6] & 0x1f) | ip[7])
			return -FLOWNER_ENOENT;
		ret->proto = ip[9];
		ret->local.b[10] = ret->local.b[11] = 0xff;
		ret->remote.b[10] = ret->remote.b[11] = 0xff;
		__builtin_memcpy(&ret->local.b[12], ip + 12, 4);
		__builtin_memcpy(&ret->remote.b[12], ip + 16, 4);
		header = (ip[0] & 15) * 4;
	} else {
		if (data + 40 > end)
			return -FLOWNER_ENOENT;
		ret->proto = ip[6];
		__builtin_memcpy(&ret->local, ip + 8, 16);
		__builtin_memcpy(&ret->remote, ip + 24, 16);
		header = 40;
	}
	ports = data + header;
	if ((const void *)(ports + 2) > end || (ret->proto != FL_TCP && ret->proto != FL_UDP))
		return -FLOWNER_ENOENT;
	ret->local_port = bpf_ntohs(ports[0]);
	ret->remote_port = bpf_ntohs(ports[1]);
	return 0;
}

/* The same session as the socket at its other end sees it: of a packet, the receiver's. */
static __always_inline void flowner_key_reverse(struct fl_key *key)
{
	struct fl_addr local = key->local;
	__u16 port = key->local_port;

	key->local = key->remote;
	key->local_port = key->remote_port;
	key->remote = local;
	key->remote_port = port;
}

/*
 * The live flow of exactly this session, and, with a zero remote end, of a listener or a UDP socket
 * without a peer. 0, or -ENOENT; *RET as in flowner_flow_get().
 */
FLOWNER_FN int flowner_session_get(const struct fl_key *key, struct fl_connection *ret)
{
	struct fl_connection *c = bpf_map_lookup_elem(&l7_connections, key);

	if (!c) {
		__builtin_memset(ret, 0, sizeof(*ret));
		return -FLOWNER_ENOENT;
	}
	*ret = *c;
	return ret->flow_id && ret->check == fl_check_connection(key, ret) ? 0 : -FLOWNER_ENOENT;
}

#endif /* FLOWNER_BPF_H */
