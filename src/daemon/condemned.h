/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Listeners that were denied when they listened already, and are to be ended now. The kernel side
 * says so a moment before the socket listens: what is not there yet is looked for again.
 */
#ifndef FLOWNER_CONDEMNED_H
#define FLOWNER_CONDEMNED_H

#include <flowner/policy.h>

struct agent;
struct condemned;

int condemned_new(struct agent *agent, struct condemned **ret_condemned);
void condemned_free(struct condemned *c);

/* Who there is no room or memory for is counted, in FL_CNT_ABORT_REFUSED. */
void condemned_add(struct condemned *c, const struct fl_attempt *attempt);

int condemned_fd(const struct condemned *c); /* readable: call condemned_run() */
void condemned_run(struct condemned *c);

#endif
