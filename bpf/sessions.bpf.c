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

/*
 * To one ring. Not hidden, with nothing but numbers for arguments: the verifier takes it apart once
 * for a program, not 3^FL_RINGS times at every call.
 */
__noinline int slot_told(__u32 op, __u64 id, __u32 slot)
{
	void *ring = bpf_map_lookup_elem(&flow_rings, &slot);
	struct fl_sock_event *e;
	struct fl_socket *s;

	if (!ring)
		return 0;
	s = bpf_map_lookup_elem(&socket_to_process, &id);
	if (!s) { /* another CPU has ended it, and told that it did */
		if (op != FL_SOCK_CONNECTION_DELETED)
			count(FL_CNT_ESTABLISHED_LATE);
		return 0;
	}
	e = bpf_ringbuf_reserve(ring, sizeof(*e), 0);
	if (!e) {
		count(FL_CNT_SLOT_0_FULL + slot);
		return 0;
	}
	ring_fill(e, op, id, s);
	bpf_ringbuf_submit(e, 0);
	return 0;
}

int session_told(enum fl_sock_op op, __u64 id)
{
	for (__u32 slot = 0; slot < FL_RINGS; slot++)
		slot_told(op, id, slot);
	return 0;
}

int session_established(__u64 id, const struct fl_socket *s)
{
	flow_tell(FL_EVENT_ESTABLISHED, id, s, FL_STATE_ESTABLISHED);
	return session_told(s->role == FL_ROLE_ACCEPTOR ? FL_SOCK_PASSIVE_ESTABLISHED
							: FL_SOCK_ACTIVE_ESTABLISHED,
			    id);
}
