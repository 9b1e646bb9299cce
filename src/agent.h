/* SPDX-License-Identifier: BSD-2-Clause */
/* What the daemon's modules share at run time: plain pointers to each other's state, owned by main. */
#ifndef FLOWNER_AGENT_H
#define FLOWNER_AGENT_H

#include <flowner/flow.h>

struct maps;
struct flows;
struct procs;
struct names;
struct hooks;
struct config;
struct api;

struct agent {
	struct maps *maps;
	struct flows *flows;
	struct procs *procs;
	struct names *names;
	struct hooks *hooks;
	struct config *config;
	struct api *api;
	__s64 realtime_offset_ns; /* CLOCK_REALTIME minus CLOCK_BOOTTIME, fixed at start */
	__u64 netns_cookie;	  /* the daemon's own namespace */
	__u64 started_ns;	  /* CLOCK_BOOTTIME */
	__u64 sequence;		  /* of the last event published */
	char host[256];
};

/* Read the ring now, before answering a question: what the asker did just before is then included. */
int agent_drain(struct agent *agent);

/* Cut a flow (SOCK_DESTROY). -ENOENT no such flow, -EOPNOTSUPP the kernel cannot or the flow may not. */
int agent_abort(struct agent *agent, __u64 flow_id, const char **ret_why);

#endif
