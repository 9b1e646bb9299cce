// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A datagram leaves its queue, in the context of the process that receives it: who serves a UDP
 * peer when nobody asked for the address. For kernels before 6.3, which have no tracepoint at the
 * end of every receive (touch_recv in accept.bpf.c). A look ahead (MSG_PEEK) has a negative length.
 */
#include "udp.bpf.h"
#include <bpf/bpf_tracing.h>

/* The key udp_ingress made when the datagram came. K is zeroed. */
static __always_inline void key_from_queued(struct sock *sk, struct sk_buff *skb, struct fl_key *k)
{
	unsigned char *head = BPF_CORE_READ(skb, head);
	unsigned char *ip = head + BPF_CORE_READ(skb, network_header);
	unsigned char *udp = head + BPF_CORE_READ(skb, transport_header);
	__be32 v4[2] = {};
	__be16 ports[2] = {};
	__u8 version = 0;

	bpf_probe_read_kernel(&version, sizeof(version), ip);
	bpf_probe_read_kernel(ports, sizeof(ports), udp);
	if (version >> 4 == 4) {
		bpf_probe_read_kernel(v4, sizeof(v4), ip + 12);
		addr_from_v4(&k->remote, v4[0]);
		addr_from_v4(&k->local, v4[1]);
	} else {
		bpf_probe_read_kernel(&k->remote, sizeof(k->remote), ip + 8);
		bpf_probe_read_kernel(&k->local, sizeof(k->local), ip + 24);
	}
	k->remote_port = bpf_ntohs(ports[0]);
	k->local_port = bpf_ntohs(ports[1]);
	k->netns_cookie = net_cookie_probed(BPF_CORE_READ(sk, __sk_common.skc_net.net));
	k->ifindex = key_ifindex(k, BPF_CORE_READ(sk, __sk_common.skc_bound_dev_if),
				 BPF_CORE_READ(skb, skb_iif));
	k->proto = FL_UDP;
}

/* Where a program may not look at the socket's storage the datagram itself says which peer. */
static __noinline int taken_by_packet(struct sock *sk, struct sk_buff *skb)
{
	struct fl_connection *c;
	struct fl_key k = {};

	key_from_queued(sk, skb, &k);
	c = bpf_map_lookup_elem(&l7_connections, &k);
	if (c && !c->accepted && c->role == FL_ROLE_ACCEPTOR)
		flow_accepted(c->flow_id);
	return 0;
}

SEC("fentry/skb_consume_udp")
int BPF_PROG(take_fentry, struct sock *sk, struct sk_buff *skb, int len)
{
	note_fired(FL_PROBE_TAKE);
	if (can_tracing_socket)
		udp_received(sk, len >= 0);
	else if (len >= 0)
		taken_by_packet(sk, skb);
	return 0;
}

SEC("kprobe/skb_consume_udp")
int BPF_KPROBE(take_kprobe, struct sock *sk, struct sk_buff *skb, int len)
{
	note_fired(FL_PROBE_TAKE);
	if (len >= 0)
		taken_by_packet(sk, skb);
	return 0;
}
