/* SPDX-License-Identifier: BSD-2-Clause */
/* The pane of one flow in `flowner top`: what `show` says of it, and what its process had with the
 * same remote address before. */
#ifndef FLOWNER_TOPDETAIL_H
#define FLOWNER_TOPDETAIL_H

#include <flowner/flow.h>
#include <jansson.h>

#include "cli/record.h"

#define TOPDETAIL_PAST 16 /* flows that ended, the latest of them */

struct topdetail {
	struct fl_flow flow;
	json_t *record; /* NULL: not heard yet */
	struct fl_flow past[TOPDETAIL_PAST];
	size_t past_count; /* in sight; latest first */
	size_t past_all;
	bool past_known;
};

void topdetail_begin(struct topdetail *d, const struct fl_flow *flow);
void topdetail_release(struct topdetail *d);

/* What the daemon is to be asked for: a query of GET /v1/flows. Malloc'ed, NULL without memory. */
char *topdetail_past_query(const struct topdetail *d);

/* Each flow of the answer; those of another process that had the pid are passed over. */
void topdetail_past(struct topdetail *d, const struct fl_flow *flow);

/* Lines, malloc'ed; NULL without memory. NOW_NS is CLOCK_BOOTTIME. */
char *topdetail_text(const struct topdetail *d, const struct record_view *view, __u64 now_ns);

#endif
