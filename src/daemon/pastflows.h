/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the history has to say to a question about flows, beyond what the recent index holds: lines
 * of the file that the filter takes, the asker may see, and the index does not know. They go out as
 * they are in the file, read while they are sent.
 */
#ifndef FLOWNER_PASTFLOWS_H
#define FLOWNER_PASTFLOWS_H

#include "flow/filter.h"
#include "host/peer.h"

struct agent;
struct pastflows;

/*
 * FILTER is taken when this succeeds. In the same turn of the loop as the flows of maps and index
 * were copied. -EBUSY: too many read the history already. Negative errno.
 */
int pastflows_new(struct agent *agent, const struct peer *peer, struct filter *filter,
		  struct pastflows **ret_past);
void pastflows_free(struct pastflows *p);

/* 1: a line with its newline, malloc'ed. 0: no more. -EAGAIN: others have their turn first. */
int pastflows_next(struct pastflows *p, char **ret_line);

#endif
