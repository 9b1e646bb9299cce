/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Who listens at a port of a network namespace: TCP listeners have numbered seats there, so that
 * one who comes finds all others, at any address, and at a cost that has a bound.
 *
 * A seat is taken with BPF_NOEXIST before the flow is in the maps, and given back by whoever takes
 * the flow out, of whom there is one: no counting, so nothing can drift. A listener that is found
 * by the walk and told by its hook at once may have two seats, and both are given back. A seat
 * whose flow is not in socket_to_process is nobody's, for the moment between the two.
 *
 * What is summed is only how many seats there may be, never less than there are: where nobody
 * listens, which is what most find, one look is enough.
 */
#ifndef FLOWNER_PORTS_BPF_H
#define FLOWNER_PORTS_BPF_H

#include "maps.bpf.h"

static __always_inline __u64 *port_sum(__u64 netns_cookie, __u32 port)
{
	__u32 number = (__u32)(netns_cookie * 0x9e3779b97f4a7c15ULL >> 32) + port;

	number &= PORT_SUMS - 1;
	return bpf_map_lookup_elem(&port_sums, &number);
}

/* Numbers for arguments: verified once, by themselves. No seat left: counted. */
int port_enter(__u64 netns_cookie, __u32 port, __u64 flow_id, __u32 v6only);
int port_leave(__u64 netns_cookie, __u32 port, __u64 flow_id);

/* One who listens at the very key of flow FLOW_ID, beside it; 0: nobody in the first seats, of whom
 * so many are looked at. */
#define HEIR_SEATS 64
__u64 port_heir(__u64 netns_cookie, __u32 port, __u64 flow_id);

#endif /* FLOWNER_PORTS_BPF_H */
