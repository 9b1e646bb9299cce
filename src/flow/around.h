/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The lives of one session around a moment: the flow that had its key then or last before, and the
 * one that had it next. Pure. Times are CLOCK_BOOTTIME ns.
 */
#ifndef FLOWNER_AROUND_H
#define FLOWNER_AROUND_H

#include <flowner/flow.h>
#include <stdbool.h>

#define AROUND_EARLY_NS 1000000000ULL /* sooner than this before a life no packet is its own */

struct around {
	bool has_before, has_after;
	struct fl_flow before; /* the newest that began at the moment or before it */
	struct fl_flow after;  /* the oldest that began later */
};

/* A flow older than the agent is only known to have lived since it was first seen. */
static inline __u64 flow_began_ns(const struct fl_flow *flow)
{
	return flow->opened_ns ? flow->opened_ns : flow->seen_ns;
}

static inline bool flow_lived_at(const struct fl_flow *flow, __u64 at_ns)
{
	return flow_began_ns(flow) <= at_ns && (!flow->ended_ns || at_ns <= flow->ended_ns);
}

/* Of two that began together: who has it longer, and of one and the same the word that it ended. */
static inline bool around_outlasts(const struct fl_flow *flow, const struct fl_flow *held)
{
	if (flow->id == held->id)
		return flow->ended_ns || !held->ended_ns;
	return held->ended_ns && (!flow->ended_ns || flow->ended_ns > held->ended_ns);
}

/* In any order; the same flow twice, live and ended, is one. */
static inline void around_add(struct around *a, const struct fl_flow *flow, __u64 at_ns)
{
	__u64 began_ns = flow_began_ns(flow);
	bool before = began_ns <= at_ns;
	bool *has = before ? &a->has_before : &a->has_after;
	struct fl_flow *held = before ? &a->before : &a->after;
	__u64 held_ns = flow_began_ns(held);

	if (!*has || (before ? began_ns > held_ns : began_ns < held_ns) ||
	    (began_ns == held_ns && around_outlasts(flow, held)))
		*held = *flow;
	*has = true;
}

#endif
