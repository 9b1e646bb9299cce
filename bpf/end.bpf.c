// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * An end that no hook saw: reconciliation found no socket, or a UDP peer fell silent. The daemon
 * runs this program on the flow, so that consumers' rings hear of it; the event is the daemon's.
 */
#include "udp.bpf.h"

/* The packet is a struct fl_end. 0, or 1 when the flow ended meanwhile. */
SEC("tc")
int end_flow(struct __sk_buff *skb)
{
	struct fl_end end;

	if (bpf_skb_load_bytes(skb, 0, &end, sizeof(end)))
		return 1;
	udp_leave(end.flow_id);
	return flow_take_out(end.flow_id) ? 1 : 0;
}
