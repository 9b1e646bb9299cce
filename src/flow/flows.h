/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The recent index: flows that ended, kept until COUNT or AGE is reached, found by id and by key.
 * Live flows are not here: their truth is in the maps. No question costs more than the logarithm of
 * what is kept, however often one key was used.
 */
#ifndef FLOWNER_FLOWS_H
#define FLOWNER_FLOWS_H

#include <flowner/flow.h>
#include <stddef.h>

struct flows;

#define FLOWS_MAX (1u << 24) /* some gigabytes: more is a mistake */

/* COUNT 0 keeps nothing. -EINVAL more than FLOWS_MAX, -ENOMEM. */
int flows_new(size_t count, __u64 age_ns, struct flows **ret_flows);
void flows_free(struct flows *flows);

/*
 * A CLOSE or UNLISTEN event. A second END of the same id adds what it knows and is not a new entry.
 * -EINVAL when FLOW has no id or has not ended, -ENOMEM.
 */
int flows_ended(struct flows *flows, const struct fl_flow *flow);

/* ACCEPT that came after CLOSE: the owner becomes final. -ENOENT the flow is not held, -EALREADY it
 * was that one's. */
int flows_accepted_late(struct flows *flows, __u64 id, const struct fl_owner *owner,
			const struct fl_flow **ret_flow);

/* Valid until the next change. -ENOENT. */
int flows_get(const struct flows *flows, __u64 id, const struct fl_flow **ret_flow);

/*
 * The flow of KEY that lived at boot time AT_NS, of several the one that began last (0 = of all
 * that ended). -ENOENT. One older than the agent is only known to have lived since seen_ns.
 */
int flows_find(const struct flows *flows, const struct fl_key *key, __u64 at_ns,
	       const struct fl_flow **ret_flow);

/*
 * The other end of FLOW when it has ended: of the reversed KEY, alive at some time together with
 * FLOW, and of several the one that opened nearest to it. -ENOENT.
 */
int flows_find_peer(const struct flows *flows, const struct fl_key *key, const struct fl_flow *flow,
		    const struct fl_flow **ret_flow);

/* Adds to AROUND those of KEY that lived around boot time AT_NS. */
struct around;
void flows_around(const struct flows *flows, const struct fl_key *key, __u64 at_ns,
		  struct around *around);

/* In the order the ends were told, oldest first. Non-zero from FN stops and is returned. */
int flows_each(const struct flows *flows, int (*fn)(const struct fl_flow *flow, void *arg),
	       void *arg);

void flows_expire(struct flows *flows, __u64 now_ns);
size_t flows_count(const struct flows *flows);

#endif
