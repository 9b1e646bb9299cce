/* SPDX-License-Identifier: BSD-2-Clause */
/* Handlers of the routes about flows: list, show, abort, who, session. */
#ifndef FLOWNER_ANSWERS_H
#define FLOWNER_ANSWERS_H

#include "daemon/request.h"

enum MHD_Result answer_flows(struct request *request); /* GET /v1/flows */
enum MHD_Result answer_flow(struct request *request);  /* GET /v1/flows/ID */
enum MHD_Result answer_abort(struct request *request); /* DELETE /v1/flows/ID */
enum MHD_Result answer_who(struct request *request);   /* GET /v1/who */

/*
 * GET /v1/session, for programs: of one key, the flow that had it at a boot time or last before,
 * and the one that had it next. Two look-ups, whatever the number of flows and namespaces; when no
 * moment is said and nobody has the key now, conntrack is asked once, as by /v1/who.
 */
enum MHD_Result answer_session(struct request *request);

/* CLOCK_REALTIME by the offset that all times of flows are told with. */
__u64 answer_now_ns(const struct agent *agent);

#endif
