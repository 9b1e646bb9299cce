// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Every UDP datagram: is its peer known to this socket? TCP pays for this hook, so it leaves first.
 * A datagram of the peer seen last costs one comparison; another known one a lookup; a new one
 * opens a flow. No path drops a packet.
 */
#include "udp.bpf.h"

#define IPV6_HEADERS 6 /* extension headers followed before giving up */

static __always_inline bool load(struct __sk_buff *skb, __u32 off, void *to, __u32 len)
{
	return !bpf_skb_load_bytes_relative(skb, off, to, len, BPF_HDR_START_NET);
}

/* Offset of the UDP header behind an IPv6 header and its extensions, 0 when it is not found. */
static __always_inline __u32 skip_ipv6(struct __sk_buff *skb)
{
	__u32 off = 40;
	__u8 next, len;

	if (!load(skb, 6, &next, 1))
		return 0;
	for (int i = 0; i < IPV6_HEADERS; i++) {
		if (next == IPPROTO_UDP)
			return off;
		/* hop-by-hop, routing, destination options, fragment (8 bytes, length field 0) */
		if (next != 0 && next != 43 && next != 60 && next != 44)
			return 0;
		if (!load(skb, off + 1, &len, 1) || !load(skb, off, &next, 1))
			return 0;
		off += 8 + len * 8;
	}
	return 0;
}

/* Network header and ports into K. False when it is not a datagram that can be read. */
static __noinline bool key_from_datagram(struct __sk_buff *skb, bool egress, struct fl_key *k)
{
	struct fl_addr *source = egress ? &k->local : &k->remote;
	struct fl_addr *destination = egress ? &k->remote : &k->local;
	__u8 version, proto;
	__be16 ports[2];
	__be32 v4[2];
	__u32 off;

	if (!load(skb, 0, &version, 1))
		return false;
	if (version >> 4 == 4) {
		if (!load(skb, 9, &proto, 1) || proto != IPPROTO_UDP || !load(skb, 12, v4, 8))
			return false;
		addr_from_v4(source, v4[0]);
		addr_from_v4(destination, v4[1]);
		off = (version & 15) * 4;
	} else {
		off = skip_ipv6(skb);
		if (!off || !load(skb, 8, source, 16) || !load(skb, 24, destination, 16))
			return false;
	}
	if (!load(skb, off, ports, sizeof(ports)))
		return false;
	k->local_port = bpf_ntohs(ports[egress ? 0 : 1]);
	k->remote_port = bpf_ntohs(ports[egress ? 1 : 0]);
	return true;
}

/* Under the lock: several CPUs deliver to one socket. */
static __always_inline bool seen_last(struct fl_udp *u, const struct fl_key *k, __u64 epoch)
{
	bool same;

	bpf_spin_lock(&u->lock);
	same = u->last_epoch == epoch && u->last_remote_port == k->remote_port &&
	       u->last_local_port == k->local_port && addr_equal(&u->last_remote, &k->remote) &&
	       addr_equal(&u->last_local, &k->local);
	bpf_spin_unlock(&u->lock);
	return same;
}

static __always_inline void remember_last(struct fl_udp *u, const struct fl_key *k, __u64 epoch)
{
	bpf_spin_lock(&u->lock);
	u->last_epoch = epoch;
	u->last_remote = k->remote;
	u->last_local = k->local;
	u->last_remote_port = k->remote_port;
	u->last_local_port = k->local_port;
	bpf_spin_unlock(&u->lock);
}

static __always_inline void link_peer(struct fl_udp *u, __u64 id)
{
	struct fl_socket *s;
	__u64 next;

	bpf_spin_lock(&u->lock);
	next = u->peers;
	u->peers = id;
	bpf_spin_unlock(&u->lock);
	s = bpf_map_lookup_elem(&socket_to_process, &id);
	if (s)
		s->next = next;
}

/* A sendto() on a socket that was never bound: its port was chosen on the way. */
static __noinline int open_unbound(struct bpf_sock *sk, struct fl_udp *u)
{
	struct fl_key own = {};

	key_from_bound(sk, sk->family, sk->bound_dev_if, u->netns_cookie, &own);
	udp_open_own(u, &own);
	return 0;
}

static __always_inline void open_peer(struct fl_udp *u, const struct fl_key *k, bool egress)
{
	__u64 id = flow_number();

	if (!id || udp_insert(u, id, k, egress ? FL_ROLE_OPENER : FL_ROLE_ACCEPTOR))
		return;
	link_peer(u, id);
	if (!egress)
		udp_pending_add(u, id);
	if (u->flags & UDP_CLOSED) /* the release walked the list before we were on it */
		flow_end(id, FL_REASON_NONE);
}

/* Not the peer of last time: known, connected to, or new. */
static __noinline int peer_seen(struct fl_udp *u, struct fl_key *k, bool egress)
{
	struct fl_connection *known = bpf_map_lookup_elem(&l7_connections, k);
	struct fl_socket *s;
	__u64 id;

	if (known) {
		id = known->flow_id;
		s = bpf_map_lookup_elem(&socket_to_process, &id);
		if (s)
			s->active_ns = bpf_ktime_get_boot_ns();
	} else if (u->flags & UDP_CONNECTED && u->remote_port == k->remote_port &&
		   addr_equal(&u->remote, &k->remote)) {
		udp_open_connected(u, k);
	} else {
		open_peer(u, k, egress);
	}
	return 0;
}

/* No process hook has seen this socket. */
static __noinline struct fl_udp *udp_unseen(struct __sk_buff *skb, struct bpf_sock *sk)
{
	struct fl_socket *s;
	__u64 cookie;

	if (!can_tracing_socket) {
		cookie = bpf_get_socket_cookie(skb);
		s = bpf_map_lookup_elem(&socket_to_process, &cookie);
		if (s)
			return udp_create(sk, s->key.netns_cookie, cookie);
	}
	count(FL_CNT_UDP_UNOWNED);
	return NULL;
}

static __always_inline int datagram(struct __sk_buff *skb, bool egress)
{
	struct bpf_sock *sk = skb->sk;
	struct fl_config *c;
	struct fl_key k = {};
	struct fl_udp *u;
	__u64 epoch;

	if (!sk)
		return 1;
	sk = bpf_sk_fullsock(sk);
	if (!sk || sk->protocol != IPPROTO_UDP)
		return 1;
	c = config_get();
	if (!c)
		return 1;
	u = bpf_sk_storage_get(&udp_sockets, sk, 0, 0);
	if (!u)
		u = udp_unseen(skb, sk);
	if (!u)
		return 1;
	if (!key_from_datagram(skb, egress, &k)) {
		count(FL_CNT_UDP_PARSE);
		return 1;
	}
	k.netns_cookie = u->netns_cookie;
	k.ifindex = sk->bound_dev_if;
	k.proto = FL_UDP;
	epoch = c->udp_epoch + 1;
	if (seen_last(u, &k, epoch) || u->flags & UDP_CLOSED)
		return 1;
	if (!u->own_id && !(u->flags & UDP_CONNECTED))
		open_unbound(sk, u);
	peer_seen(u, &k, egress);
	remember_last(u, &k, epoch);
	return 1;
}

SEC("cgroup_skb/egress")
int udp_egress(struct __sk_buff *skb)
{
	return datagram(skb, true);
}

SEC("cgroup_skb/ingress")
int udp_ingress(struct __sk_buff *skb)
{
	return datagram(skb, false);
}
