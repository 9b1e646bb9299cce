/* SPDX-License-Identifier: BSD-2-Clause */
/* What lives and a policy would not let in: found, and cut when somebody wants that. */
#ifndef FLOWNER_LIVING_H
#define FLOWNER_LIVING_H

#include <flowner/flow.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct agent;
struct compiled;

struct living {
	struct fl_flow *rejected; /* free with living_release() */
	size_t count;
	bool callers; /* one of them is of CALLER or of an ancestor of it */
};

/*
 * Of what BEFORE, when not NULL, would not let in either nothing is told. CALLER 0: nobody.
 * -ENOMEM, or what kept the maps from being read.
 */
int living_find(struct agent *agent, const struct compiled *c, const struct compiled *before,
		pid_t caller, struct living *ret_living);
void living_release(struct living *l);

/* PID and its ancestors, nearest first, MAX of them at most: the number. */
size_t living_ancestors(pid_t pid, __u32 *ret_pids, size_t max);

/* The number that were cut. */
size_t living_cut(struct agent *agent, const struct living *l);

#endif
