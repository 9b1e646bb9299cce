/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/seeding.h"
#include "daemon/agent.h"
#include "kernel/maps.h"
#include "host/progress.h"
#include "host/sockstat.h"
#include "kernel/track.h"

#include <stdbool.h>
#include <string.h>

struct count {
	const struct maps *maps;
	__u64 before; /* of FL_CNT_SEEDED, which goes on over daemons */
};

static __u64 count_seeded(void *arg)
{
	const struct count *c = arg;
	__u64 now;

	return maps_counter(c->maps, FL_CNT_SEEDED, &now) < 0 ? 0 : now - c->before;
}

/* COUNT is read by another thread until the next step. */
static int walk(struct agent *agent, struct track *t, bool all_new, struct count *count)
{
	const struct progress_step seeding = { "seeding", count_seeded, count,
					       all_new ? sockstat_total() : 0 };
	const struct progress_step comparing = { .what = "comparing with what the kernel lists" };
	int found;

	progress_next(agent->progress, &seeding);
	found = track_seed(t);
	progress_next(agent->progress, &comparing);
	return found;
}

int seeding_run(struct agent *agent, struct track *t, __u64 scope, struct fail *f)
{
	struct count count = { .maps = track_maps(t) };
	int found, r;

	r = maps_counter(count.maps, FL_CNT_SEEDED, &count.before);
	found = r < 0 ? r : walk(agent, t, !scope && !track_resumed(t), &count);
	if (found < 0)
		return fail(f, found, "cannot walk the open sockets: %s", strerror(-found));
	r = agent_ready(agent);
	if (r < 0)
		return fail(f, r, "cannot write the map 'meta': %s", strerror(-r));
	(void)agent_reconcile(agent);
	return found;
}
