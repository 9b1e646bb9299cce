// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * An example: sock_ops, cgroup, tc and XDP programs that find out the flow id and the owner of the
 * socket or packet before them, by flowner.bpf.h, and write down what they found.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>
#include <flowner/flowner.bpf.h>

#include "flowid.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Of the namespace whose packets tc and XDP see; set by the loader. */
const volatile __u64 netns_cookie = 0;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct sighting);
	__type(value, __u32); /* pid, 0: not recorded yet */
} seen SEC(".maps");

static __always_inline void note(enum place place, __u32 local_port, __u64 id, __u32 pid)
{
	struct sighting at = { .flow_id = id, .place = place, .local_port = local_port };

	bpf_map_update_elem(&seen, &at, &pid, BPF_ANY);
}

/* The owner of a flow that was found by its socket. */
static __noinline int note_flow(enum place place, __u32 local_port, __u64 id)
{
	struct fl_socket s;
	__u32 pid = 0;

	if (!flowner_flow_get(id, &s))
		pid = s.owner.proc.pid;
	note(place, local_port, id, pid);
	return 0;
}

/* The end of a packet that is a socket here. */
static __noinline int note_end(enum place place, const struct fl_key *key)
{
	struct fl_connection c;

	if (!flowner_session_get(key, &c))
		note(place, key->local_port, c.flow_id, c.owner.proc.pid);
	return 0;
}

static __always_inline void note_packet(enum place place, void *data, void *end)
{
	struct ethhdr *eth = data;
	struct fl_key key;

	if (data + sizeof(*eth) > end || flowner_packet_key(eth + 1, end, netns_cookie, &key))
		return;
	note_end(place, &key);
	flowner_key_reverse(&key);
	note_end(place, &key);
}

SEC("sockops")
int on_sockops(struct bpf_sock_ops *ctx)
{
	__u64 id;

	switch (ctx->op) {
	case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
	case BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB:
		id = flowner_sock_ops_get_flow_id(ctx);
		note_flow(PLACE_SOCK_OPS, ctx->local_port, id);
	}
	return 1;
}

SEC("cgroup_skb/egress")
int on_egress(struct __sk_buff *ctx)
{
	__u64 id = flowner_skb_get_flow_id(ctx);

	if (id)
		note_flow(PLACE_CGROUP, ctx->local_port, id);
	return 1;
}

SEC("tc")
int on_tc(struct __sk_buff *ctx)
{
	note_packet(PLACE_TC, (void *)(long)ctx->data, (void *)(long)ctx->data_end);
	return TC_ACT_OK;
}

SEC("xdp")
int on_xdp(struct xdp_md *ctx)
{
	note_packet(PLACE_XDP, (void *)(long)ctx->data, (void *)(long)ctx->data_end);
	return XDP_PASS;
}
