/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Cutting a flow: its own process gets ECONNABORTED, the other end of a TCP session a reset. Never
 * the wrong flow: the kernel compares the cookie of the socket, we whether it still is this flow.
 */
#ifndef FLOWNER_ABORT_H
#define FLOWNER_ABORT_H

#include "text/fail.h"
#include <flowner/flow.h>
#include <stdbool.h>

struct agent;

/*
 * 0: cut, and told as ended; SAID is empty, or a sentence about what is left. -ENOENT the flow has
 * ended; -EOPNOTSUPP neither this kernel nor we can, or the flow shares its socket; -EPERM; SAID is
 * the sentence for each. Both outcomes are counted.
 */
int abort_flow(struct agent *agent, const struct fl_flow *flow, struct fail *ret_said);

/*
 * The same where the namespace of FLOW is open already: PATH leads there, and SOCK_DIAG is a
 * NETLINK_SOCK_DIAG socket in there. Not counted: it is not somebody who asked.
 */
int abort_flow_in(struct agent *agent, const struct fl_flow *flow, const char *path, int sock_diag,
		  struct fail *ret_said);

/* False: this kernel has no way to cut anything. */
bool abort_is_possible(void);

#endif
