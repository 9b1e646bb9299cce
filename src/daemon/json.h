/* SPDX-License-Identifier: BSD-2-Clause */
/* Records to JSON with Elastic Common Schema names. Nothing not measured is written. */
#ifndef FLOWNER_JSON_H
#define FLOWNER_JSON_H

#include "policy/policywords.h"
#include <flowner/flow.h>
#include <flowner/policy.h>
#include <flowner/redirect.h>
#include <jansson.h>
#include <stdbool.h>

struct ends;
struct holders_found;
struct process;
struct flow_names;

struct json_context {
	const char *host;	  /* host.name */
	__s64 realtime_offset_ns; /* CLOCK_REALTIME minus CLOCK_BOOTTIME */
};

/* What was said of an attempt; the flow is as far as the attempt had come. */
struct json_verdict {
	const char *hook, *verdict;
	const char *rule; /* NULL: the default of the hook, or it could not be judged */
	bool enforced;	  /* it happened; else a rule in audit would have said it */
	bool failed;	  /* it could not be judged */
	bool rejected;
	enum fl_fact port_in_use_by_other;
	bool again; /* it is about a session that lives: a reauthorization */
	struct policy_listeners listeners;
	struct policy_route route;
	__u64 count;		   /* attempts told at once */
	const struct fl_place *to; /* of `redirect`, or NULL */
};

/* What turns a flow into an event; NULL for a plain flow of a list. */
struct json_event {
	const char *action;
	__u64 time_ns; /* CLOCK_BOOTTIME */
	__u64 sequence;
	const struct json_verdict *verdict; /* of the action `verdict`, else NULL */
};

/* New reference, NULL without memory. PROCESS, NAMES, EVENT may be NULL; PEER_ID 0: no peer. */
json_t *json_flow(const struct json_context *ctx, const struct fl_flow *flow,
		  const struct process *process, const struct flow_names *names, __u64 peer_id,
		  const struct json_event *event);

/*
 * Adds to what json_flow() made of FLOW that it is seen as SEEN on the other side of NAT. 0, or
 * -ENOMEM.
 */
int json_add_nat(json_t *root, const struct fl_flow *flow, const struct ends *seen);

/*
 * Adds to what json_flow() made of a flow the processes that have its socket open, and how many
 * others are HIDDEN from who asked. 0, or -ENOMEM.
 */
int json_add_holders(const struct json_context *ctx, json_t *root,
		     const struct holders_found *found, size_t hidden);

/*
 * "lost" or "resync": not about one flow. COUNT is of events for lost, of live flows for resync.
 * New reference, or NULL without memory.
 */
json_t *json_notice(const struct json_context *ctx, const struct json_event *event, const char *why,
		    __u64 count);

/* {"error":"..."} */
json_t *json_error(const char *sentence);

#endif
