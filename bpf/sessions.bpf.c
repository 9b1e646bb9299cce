// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * ACTIVE_ESTABLISHED, PASSIVE_ESTABLISHED and CONNECTION_DELETED, told to the rings that others
 * have put into flow_rings. An empty slot costs one load.
 */
#include "flow.bpf.h"

static __always_inline void ring_fill(struct fl_sock_event *e, enum fl_sock_op op, __u64 id,
				      const struct fl_socket *s)
{
	e->op = op;
	e->size = sizeof(*e);
	e->time_ns = bpf_ktime_get_boot_ns();
	e->flow_id = id;
	e->key = s->key;
	e->owner = s->owner;
	e->role = s->role;
	e->accepted = s->accepted;
}

int session_told(enum fl_sock_op op, __u64 id, const struct fl_socket *s)
{
	for (int i = 0; i < FL_RINGS; i++) {
		__u32 slot = i; /* a copy: the verifier counts what stays in a register */
		void *ring = bpf_map_lookup_elem(&flow_rings, &slot);
		struct fl_sock_event *e;

		if (!ring)
			continue;
		e = bpf_ringbuf_reserve(ring, sizeof(*e), 0);
		if (!e) {
			count(FL_CNT_SLOT_0_FULL + i);
			continue;
		}
		ring_fill(e, op, id, s);
		bpf_ringbuf_submit(e, 0);
	}
	return 0;
}

int session_established(__u64 id, const struct fl_socket *s)
{
	flow_tell(FL_EVENT_ESTABLISHED, id, s, FL_STATE_ESTABLISHED);
	return session_told(s->role == FL_ROLE_ACCEPTOR ? FL_SOCK_PASSIVE_ESTABLISHED
							: FL_SOCK_ACTIVE_ESTABLISHED,
			    id, s);
}
