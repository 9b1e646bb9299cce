/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The lives of one session around a moment: the flow that had its key then or last before, and the
 * one that had it next. Pure. Times are CLOCK_BOOTTIME ns.
 */
#ifndef FLOWNER_AROUND_H
#define FLOWNER_AROUND_H

#include <flowner/flow.h>
#include <stdbool.h>

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

/* In any order. The same flow twice, live and then ended, is one: the later word stays. */
static inline void around_add(struct around *a, const struct fl_flow *flow, __u64 at_ns)
{
	__u64 began_ns = flow_began_ns(flow);

	if (began_ns <= at_ns) {
		if (!a->has_before || began_ns >= flow_began_ns(&a->before))
			a->before = *flow;
		a->has_before = true;
	} else {
		if (!a->has_after || began_ns <= flow_began_ns(&a->after))
			a->after = *flow;
		a->has_after = true;
	}
}

#endif
