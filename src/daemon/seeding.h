/* SPDX-License-Identifier: BSD-2-Clause */
/* What is open when the daemon starts: into the maps, then compared with what the kernel lists. */
#ifndef FLOWNER_SEEDING_H
#define FLOWNER_SEEDING_H

#include "text/fail.h"

#include <linux/types.h>

struct agent;
struct track;

/* SCOPE as in track_open(). agent->progress says how far it is. The number of sockets found that
 * were not in the maps, or negative errno. */
int seeding_run(struct agent *agent, struct track *t, __u64 scope, struct fail *f);

#endif
