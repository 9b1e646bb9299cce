/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Elements of the pinned maps to a flow, for everybody who reads them: daemon and library. Pure: no
 * map is touched here. What stands in neither element (cookie of a numbered flow found by its key,
 * inode of the namespace) is left 0.
 */
#ifndef FLOWNER_ASSEMBLE_H
#define FLOWNER_ASSEMBLE_H

#include <flowner/check.h>
#include <flowner/flow.h>

static inline enum fl_state assemble_state(const struct fl_key *key, enum fl_role role)
{
	if (role == FL_ROLE_LISTENER)
		return FL_STATE_LISTEN;
	if (key->proto == FL_UDP && !key->remote_port)
		return FL_STATE_UNCONN;
	return FL_STATE_ESTABLISHED;
}

/* SEEDED_NS is meta's: first sight of what was open before the agent. */
static inline void assemble_from_socket(__u64 id, const struct fl_socket *s, __u64 seeded_ns,
					struct fl_flow *ret_flow)
{
	*ret_flow = (struct fl_flow){
		.id = id,
		.cookie = s->cookie,
		.key = s->key,
		.owner = s->owner,
		.opened_ns = s->opened_ns,
		.seen_ns = s->opened_ns ? s->opened_ns : seeded_ns,
		.role = s->role,
		.state = assemble_state(&s->key, s->role),
		.accepted = s->accepted,
		.members = 1,
		.opened_here = (__u32)fl_opened_here(s),
	};
}

/* State and members stand in the other map, at the flow's key. */
static inline void assemble_add_connection(struct fl_flow *flow, const struct fl_connection *c)
{
	flow->members = c->members;
	if (c->flow_id == flow->id)
		flow->state = c->state;
}

/* The id of a socket's own entry is its cookie; a numbered flow's is only in the other map. */
static inline void assemble_from_connection(const struct fl_key *key, const struct fl_connection *c,
					    __u64 seeded_ns, struct fl_flow *ret_flow)
{
	*ret_flow = (struct fl_flow){
		.id = c->flow_id,
		.cookie = c->flow_id & FL_ID_NUMBERED ? 0 : c->flow_id,
		.key = *key,
		.owner = c->owner,
		.opened_ns = c->opened_ns,
		.seen_ns = c->opened_ns ? c->opened_ns : seeded_ns,
		.role = c->role,
		.state = c->state,
		.accepted = c->accepted,
		.members = c->members,
	};
}

#endif
