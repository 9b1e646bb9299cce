/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the daemon's modules share at run time, and what happens to a record of the event ring: into
 * the process table, the recent index, and on to those who watch.
 */
#ifndef FLOWNER_AGENT_H
#define FLOWNER_AGENT_H

#include "kernel/recall.h"

#include <flowner/flow.h>
#include <stdbool.h>

struct maps;
struct flows;
struct procs;
struct names;
struct hooks;
struct facts;
struct config;
struct api;
struct history;
struct holders;
struct journal;
struct scrape;
struct ring_buffer;
struct progress;
struct rules;

struct agent {
	struct maps *maps;
	struct flows *flows;
	struct procs *procs;
	struct names *names;
	struct hooks *hooks;
	const struct facts *facts; /* as they were at the start; their owner is flownerd.c */
	struct config *config;
	struct api *api;
	struct scrape *scrape;	   /* metrics on TCP, NULL without; its owner is flownerd.c */
	struct history *history;   /* NULL without; its owner is flownerd.c */
	struct journal *journal;   /* the same */
	struct holders *holders;   /* the same; NULL: who holds a socket is not known here */
	struct rules *rules;	   /* the policy; its owner is flownerd.c */
	struct progress *progress; /* of the start, NULL once it runs; the same */
	__s64 realtime_offset_ns;  /* CLOCK_REALTIME minus CLOCK_BOOTTIME, as of the last tick */
	__u64 netns_cookie;	   /* the daemon's own namespace */
	__u64 started_ns;	   /* CLOCK_BOOTTIME */
	__u64 sequence;		   /* of the last event published */
	__u64 sequence_before;	   /* the same when this life of the daemon began */
	char host[256];
	struct ring_buffer *ring;
	struct recall *recall;		/* what an earlier daemon took from it */
	unsigned int taken;		/* records of this batch */
	struct recall_told told;	/* as the next life of the daemon will find it */
	__u64 unknown_sockets;		/* as the last reconciliation counted them */
	__u64 unreached, unreached_are; /* namespaces, the same */
	const char *kept_for; /* what this kernel refuses without all capabilities; NULL nothing */
	bool cannot_cut;      /* this kernel has no way to abort anything */
	bool unshown;	      /* one of several at a key has ended: the others are not shown */
	__u64 shown_ns;	      /* when that was last put right, CLOCK_BOOTTIME */
	__u64 aborted;	      /* id of the flow just cut, while the ring is read for its end */
};

/*
 * Tables of C's sizes, host name, clock offset. What is set stays NULL-safe for agent_release().
 * The maps and the api come later, from those who own them.
 */
int agent_init(struct agent *agent, struct config *c, struct hooks *hooks);
void agent_release(struct agent *agent);

/* Connects the agent to the ring with this map fd, and the tables to MAPS. */
int agent_connect(struct agent *agent, struct maps *maps, int ring_map_fd);

/*
 * Takes again what daemons before this one took, as far as the ring still has it: their recent
 * index and their events. Before anything new is taken.
 */
int agent_recall(struct agent *agent);

/* Past the self-test: the daemon's own sessions are news, too. */
int agent_ready(struct agent *agent);

/*
 * As much of the ring as the event streams can hold without losing any; the loop lets the API send
 * before it calls again. 1 there is more, 0 done, negative errno.
 */
int agent_drain_some(struct agent *agent);

/*
 * Now and then, after the ring was read: expire what is old, tell of dropped records, see whether
 * the clock was set (all times are told by it from then on) and what the host is called.
 */
void agent_tick(struct agent *agent);

/* Maps against kernel; what was found ended is published. True when sockets without an entry have
 * appeared: seeding is worth another walk. */
bool agent_reconcile(struct agent *agent);

/*
 * Read the ring now, before answering a question: what the asker did just before is then in. What
 * comes meanwhile is not waited for: who floods the ring would keep everybody from an answer.
 */
int agent_drain(struct agent *agent);

/* The same after FLOW_ID was cut: an end the kernel gives no reason for is told as aborted. */
int agent_drain_aborted(struct agent *agent, __u64 flow_id);

/* FLOW has ended and no program can tell: out of the maps, into the index, told. */
void agent_end(struct agent *agent, const struct fl_flow *flow, enum fl_reason reason);

#endif
