/* SPDX-License-Identifier: BSD-2-Clause */
/* What went through a flow that lives: the kernel is asked when somebody asks us. */
#ifndef FLOWNER_COUNTS_H
#define FLOWNER_COUNTS_H

#include <flowner/flow.h>

struct agent;

/* Fills in FLOW's counts, if it is a session that lives and is counted here. */
void counts_fill(const struct agent *agent, struct fl_flow *flow);

#endif
