/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a packet at a cgroup's hook tells of its session: the two ends, and the interface. */
#ifndef FLOWNER_VERDICT_PACKET_BPF_H
#define FLOWNER_VERDICT_PACKET_BPF_H

#include "header.bpf.h"
#include "policy.bpf.h"
#include "sock.bpf.h"

/* Where it came in, or is to go out. The context of these programs is the packet itself. */
static __always_inline struct net_device *device_of(struct __sk_buff *ctx)
{
	struct sk_buff *skb = (struct sk_buff *)(void *)ctx;

	return BPF_CORE_READ(skb, dev);
}

/* Both ends into K, which is zeroed; LEAVES: the source is our end. 0, or the offset of the TCP or
 * UDP header. */
static __always_inline __u32 key_from_packet(struct __sk_buff *skb, __u8 proto, bool leaves,
					     struct fl_key *k)
{
	struct fl_addr *from = leaves ? &k->local : &k->remote;
	struct fl_addr *to = leaves ? &k->remote : &k->local;
	__u8 version, protocol;
	__be16 ports[2];
	__be32 v4[2];
	__u32 off;

	if (!load(skb, 0, &version, 1))
		return 0;
	if (version >> 4 == 4) {
		if (!load(skb, 9, &protocol, 1) || protocol != proto || !load(skb, 12, v4, 8))
			return 0;
		addr_from_v4(from, v4[0]);
		addr_from_v4(to, v4[1]);
		off = (version & 15) * 4;
	} else {
		off = skip_ipv6(skb, proto);
		if (!off || !load(skb, 8, from, 16) || !load(skb, 24, to, 16))
			return 0;
	}
	if (!load(skb, off, ports, sizeof(ports)))
		return 0;
	k->local_port = bpf_ntohs(ports[leaves ? 0 : 1]);
	k->remote_port = bpf_ntohs(ports[leaves ? 1 : 0]);
	k->proto = proto;
	return off;
}

#endif /* FLOWNER_VERDICT_PACKET_BPF_H */
