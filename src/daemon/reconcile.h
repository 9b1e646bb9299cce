/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The maps against the kernel's own list of sockets: entries whose socket is gone are ended, silent
 * UDP peers expire, records of gone processes go, sockets without an entry are looked for.
 */
#ifndef FLOWNER_RECONCILE_H
#define FLOWNER_RECONCILE_H

#include <flowner/flow.h>

struct agent;

struct reconcile_result {
	__u64 flows;	     /* entries looked at */
	__u64 ended;	     /* whose socket was gone */
	__u64 idle;	     /* UDP peers silent for too long */
	__u64 unknown;	     /* sockets of visible namespaces without an entry */
	__u64 forgotten;     /* process records of gone processes */
	__u64 unreached;     /* network namespaces with flows whose sockets could not be listed */
	__u64 unreached_are; /* their cookies, folded: others come to another number */
};

/* ENDED is called for each flow taken out, with ended_ns and reason set. */
int reconcile_run(struct agent *agent,
		  void (*ended)(struct agent *agent, const struct fl_flow *flow),
		  struct reconcile_result *ret_result);

#endif
