/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counters to text. Labels are words of this program (reason, map, by, outcome, hook, verdict,
 * enforced) and its version: never a process, user, address or port, for anybody may read them.
 */
#ifndef FLOWNER_METRICS_H
#define FLOWNER_METRICS_H

#include <jansson.h>

struct agent;

enum metrics_format {
	METRICS_OPEN,  /* OpenMetrics 1.0 */
	METRICS_PLAIN, /* what Prometheus had before, and others still have */
};

#define METRICS_FORMATS 2

const char *metrics_type(enum metrics_format format); /* its Content-Type */

/* For who asks with this header, NULL when without: plain only to those who take nothing else. */
enum metrics_format metrics_format_for(const char *accept);

/* malloc'ed; NULL without memory */
char *metrics_text(struct agent *agent, enum metrics_format format);
json_t *metrics_stats(struct agent *agent); /* the body of /v1/stats */

#endif
