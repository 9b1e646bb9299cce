// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Seats of listeners, taken and given back: see ports.bpf.h. */
#include "ports.bpf.h"
#include "owner.bpf.h"
#include "sock.bpf.h"

/* Of SEATS_AT_ONCE seats from FIRST on one for the flow. 0, or -EEXIST they are all taken. */
__noinline int port_enter_some(__u64 netns_cookie, __u32 port, __u32 first, __u64 flow_id,
			       __u32 v6only)
{
	struct port_seat key = { .netns_cookie = netns_cookie, .port = port };
	struct port_listener value = { .flow_id = flow_id, .v6only = v6only };
	int r = -EEXIST;

#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < SEATS_AT_ONCE && r == -EEXIST; i++) {
		key.seat = first + i;
		r = bpf_map_update_elem(&port_listeners, &key, &value, BPF_NOEXIST);
	}
	return r;
}

__noinline int port_enter(__u64 netns_cookie, __u32 port, __u64 flow_id, __u32 v6only)
{
	__u64 *sum = port_sum(netns_cookie, port);
	int r = -EEXIST;

	if (!sum)
		return 0;
	__sync_fetch_and_add(sum, 1); /* first: see port_sum() */
#pragma clang loop unroll(disable)
	for (__u32 first = 0; first < PORT_SEATS && r == -EEXIST; first += SEATS_AT_ONCE)
		r = port_enter_some(netns_cookie, port, first, flow_id, v6only);
	if (r) {
		__sync_fetch_and_add(sum, -1);
		count(FL_CNT_LISTENERS_FULL);
	}
	return 0;
}

/* The flow's seats among SEATS_AT_ONCE from FIRST on are free again. How many there were. */
__noinline int port_leave_some(__u64 netns_cookie, __u32 port, __u32 first, __u64 flow_id)
{
	struct port_seat key = { .netns_cookie = netns_cookie, .port = port };
	int left = 0;

#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < SEATS_AT_ONCE; i++) {
		struct port_listener *there;

		key.seat = first + i;
		there = bpf_map_lookup_elem(&port_listeners, &key);
		if (there && there->flow_id == flow_id)
			left += !bpf_map_delete_elem(&port_listeners, &key);
	}
	return left;
}

/* Of those in SEATS_AT_ONCE seats from FIRST on. */
__noinline __u64 port_heir_some(__u64 netns_cookie, __u32 port, __u32 first, __u64 flow_id)
{
	struct port_seat key = { .netns_cookie = netns_cookie, .port = port };
	struct fl_socket *own = bpf_map_lookup_elem(&socket_to_process, &flow_id);

	if (!own)
		return 0;
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < SEATS_AT_ONCE; i++) {
		struct port_listener *there;
		struct fl_socket *s;
		__u64 id;

		key.seat = first + i;
		there = bpf_map_lookup_elem(&port_listeners, &key);
		if (!there)
			continue;
		id = there->flow_id;
		s = bpf_map_lookup_elem(&socket_to_process, &id);
		if (s && s != own && key_equal(&s->key, &own->key))
			return id;
	}
	return 0;
}

__noinline __u64 port_heir(__u64 netns_cookie, __u32 port, __u64 flow_id)
{
	__u64 heir = 0;

#pragma clang loop unroll(disable)
	for (__u32 first = 0; first < HEIR_SEATS && !heir; first += SEATS_AT_ONCE)
		heir = port_heir_some(netns_cookie, port, first, flow_id);
	return heir;
}

__noinline int port_leave(__u64 netns_cookie, __u32 port, __u64 flow_id)
{
	__u64 *sum = port_sum(netns_cookie, port);

	if (!sum)
		return 0;
#pragma clang loop unroll(disable)
	for (__u32 first = 0; first < PORT_SEATS && *(volatile __u64 *)sum;
	     first += SEATS_AT_ONCE) {
		__s64 left = port_leave_some(netns_cookie, port, first, flow_id);

		__sync_fetch_and_add(sum, -left);
	}
	return 0;
}
