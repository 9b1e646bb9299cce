/* SPDX-License-Identifier: BSD-2-Clause */
/* Counters to OpenMetrics text. Never a pid or a port as a label. */
#ifndef FLOWNER_METRICS_H
#define FLOWNER_METRICS_H

#include <jansson.h>

struct agent;

#define METRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

char *metrics_text(struct agent *agent); /* malloc'ed, ends with "# EOF\n"; NULL without memory */
json_t *metrics_stats(struct agent *agent); /* the body of /v1/stats */
json_t *metrics_doctor(
	struct agent *agent); /* the body of /v1/doctor: tier, hooks, capabilities, notes */

#endif
