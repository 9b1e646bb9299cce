/* SPDX-License-Identifier: BSD-2-Clause */
/* A flow joined with what the daemon's tables know of it: image, user, unit, container, peer. */
#ifndef FLOWNER_DESCRIBE_H
#define FLOWNER_DESCRIBE_H

#include "flow/filter.h"
#include "daemon/json.h"
#include "host/names.h"

struct agent;
struct holders_found;
struct process;

struct description {
	const struct fl_flow *flow;
	const struct process *process; /* as procs_get(): gone with its next call */
	struct flow_names names;       /* into the texts below */
	char user[UNIT_MAX];
	char unit[UNIT_MAX];
	char container[CONTAINER_ID_MAX];
};

/* Not to be copied: names points into it. */
void describe_flow(struct agent *agent, const struct fl_flow *flow, struct description *ret);

/* Whether FILTER (NULL: everything) takes what was described. */
bool describe_matches(struct agent *agent, const struct description *d,
		      const struct filter *filter);

/*
 * Id of the other end of a local session: the flow of the reversed key, which may have ended before
 * FLOW, and is rarely bound to an interface. 0 when there is none here, and when its end is still
 * in the ring: then it is in neither the maps nor the index.
 */
__u64 describe_peer(struct agent *agent, const struct fl_flow *flow);

/* New reference, NULL without memory. EVENT NULL for a flow of a list. */
json_t *describe_json(struct agent *agent, const struct description *d, __u64 peer_id,
		      const struct json_event *event);

/*
 * Adds to what describe_json() made who has the socket open, and how many more there are that are
 * not told. 0, or -ENOMEM.
 */
int describe_holders(const struct agent *agent, json_t *object, const struct holders_found *found,
		     size_t hidden);

/* One line with its newline of OBJECT, whose reference is taken; malloc'ed, NULL without memory. */
char *json_line(json_t *object);

#endif
