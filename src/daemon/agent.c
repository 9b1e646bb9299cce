/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/agent.h"
#include "daemon/api.h"
#include "text/clock.h"
#include "host/config.h"
#include "flow/flows.h"
#include "daemon/history.h"
#include "kernel/mapindex.h"
#include "kernel/maps.h"
#include "host/names.h"
#include "host/netns.h"
#include "host/netns_places.h"
#include "daemon/proc.h"
#include "kernel/recall.h"
#include "daemon/reconcile.h"
#include "daemon/rules.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Images in the daemon's table: those of the recent index and of live flows, with room to spare. */
#define IMAGES_PER_FLOW 1
#define IMAGES_MIN 4096

#define SHOW_NS 1000000000ull /* between two walks to show who is left at a key */

/* Records of one batch: an eighth of what the streams hold. */
#define BATCH 8192

/* Sequences are reserved so far ahead: more than a tick can use. */
#define SEQUENCES_AHEAD (1u << 20)

_Static_assert(CONFIG_RECENT_MAX <= FLOWS_MAX, "the index holds what may be configured");

static size_t images_limit(const struct config *c)
{
	size_t limit = (size_t)c->recent.flows * IMAGES_PER_FLOW + c->limits.processes;

	return limit < IMAGES_MIN ? IMAGES_MIN : limit;
}

/* A machine may get its name, and its time, long after we began. */
static int follow_host(struct agent *agent)
{
	char host[sizeof(agent->host)] = "";

	if (gethostname(host, sizeof(host) - 1) < 0)
		return -errno;
	memcpy(agent->host, host, sizeof(host));
	return 0;
}

int agent_init(struct agent *agent, struct config *c, struct hooks *hooks)
{
	int r;

	*agent = (struct agent){ .config = c, .hooks = hooks };
	agent->started_ns = clock_ns(CLOCK_BOOTTIME);
	agent->realtime_offset_ns = clock_realtime_offset_ns();
	r = follow_host(agent);
	if (r < 0)
		return r;
	r = names_new(&agent->names);
	if (r < 0)
		return r;
	return flows_new(c->recent.flows, c->recent.age_s * 1000000000ull, &agent->flows);
}

void agent_release(struct agent *agent)
{
	api_free(agent->api);
	ring_buffer__free(agent->ring);
	recall_free(agent->recall);
	flows_free(agent->flows);
	procs_free(agent->procs);
	names_free(agent->names);
	netns_places_forget();
}

/* What the kernel side does not know or need not carry. */
static void complete(const struct agent *agent, struct fl_flow *flow)
{
	if (!flow->seen_ns)
		flow->seen_ns = flow->opened_ns ? flow->opened_ns : agent->maps->seeded_ns;
	(void)maps_netns_inum(agent->maps, flow->key.netns_cookie, &flow->netns_inum);
}

/* It was the one shown of several at its key, of whom nobody is now. */
static bool leaves_unshown(const struct agent *agent, const struct fl_flow *flow)
{
	struct fl_flow shown;

	return !flow->key.remote_port && flow->members > 1 &&
	       maps_find_quick(agent->maps, &flow->key, &shown) == -ENOENT;
}

static void ended(struct agent *agent, struct fl_event *e)
{
	const struct fl_flow *known;
	bool again = flows_get(agent->flows, e->flow.id, &known) == 0;

	if (e->flow.id == agent->aborted && e->flow.reason == FL_REASON_NONE)
		e->flow.reason = FL_REASON_ABORTED; /* of a listener the kernel does not say it */
	agent->unshown |= leaves_unshown(agent, &e->flow);
	if (flows_ended(agent->flows, &e->flow) < 0)
		return;
	if (!again)
		history_add(agent->history, &e->flow);
	api_publish(agent->api, e);
}

/* An accept() that came after the end: the record of the ended flow gets its owner. */
static void accepted_late(struct agent *agent, struct fl_event *e)
{
	const struct fl_flow *flow;

	if (flows_accepted_late(agent->flows, e->flow.id, &e->flow.owner, &flow) < 0)
		return;
	e->flow = *flow;
	api_publish(agent->api, e);
}

static void on_event(struct agent *agent, const struct fl_event *record)
{
	struct fl_event e = *record;

	if (recall_was_selftest(agent->recall, e.flow.owner.proc.pid, e.time_ns))
		return;
	if (e.head.type == FL_EVENT_ACCEPT && !e.flow.key.local_port) {
		accepted_late(agent, &e);
		return;
	}
	complete(agent, &e.flow);
	if (e.flow.ended_ns)
		ended(agent, &e);
	else
		api_publish(agent->api, &e);
}

/* One record. The ring is shared memory: nothing is believed that its size does not cover. */
static int take(void *arg, void *data, size_t size)
{
	const struct fl_record *head = data;
	struct agent *agent = arg;

	if (size < sizeof(*head))
		return 0;
	switch (head->type) {
	case FL_RECORD_PROCESS:
		(void)procs_add_process(agent->procs, data, size);
		break;
	case FL_RECORD_TEXT:
		(void)procs_add_text(agent->procs, data, size);
		break;
	case FL_RECORD_EXIT:
		(void)procs_exited(agent->procs, data, size);
		break;
	case FL_EVENT_VERDICT:
		if (size >= sizeof(struct fl_verdict_event))
			rules_take(agent->rules, data);
		break;
	case FL_EVENT_CGROUP:
		if (size >= sizeof(struct fl_cgroup_event))
			rules_cgroup(agent->rules, data);
		break;
	case FL_EVENT_LINK:
		if (size >= sizeof(struct fl_link_event))
			rules_link(agent->rules, data);
		break;
	case FL_EVENT_LISTEN:
	case FL_EVENT_UNLISTEN:
	case FL_EVENT_OPEN:
	case FL_EVENT_ESTABLISHED:
	case FL_EVENT_ACCEPT:
	case FL_EVENT_USER:
	case FL_EVENT_CLOSE:
	case FL_EVENT_UNBIND:
		if (size >= sizeof(struct fl_event))
			on_event(agent, data);
		break;
	}
	return 0;
}

/* An error stops the walk, after this record. */
static int on_record(void *arg, void *data, size_t size)
{
	struct agent *agent = arg;

	(void)take(agent, data, size);
	return ++agent->taken == BATCH ? -EAGAIN : 0;
}

/* Where no socket tells the cookie of its namespace, netns.bpf.c has written it down. */
static void find_own_namespace(struct agent *agent)
{
	__u32 inum;

	if (!netns_self(&agent->netns_cookie, &inum) && !agent->netns_cookie)
		(void)maps_netns_cookie(agent->maps, inum, &agent->netns_cookie);
}

static void keep_told(struct agent *agent)
{
	agent->told.sequence = agent->sequence + SEQUENCES_AHEAD;
	(void)recall_tell(agent->recall, &agent->told);
}

/*
 * A sequence is never used by two lives, so that who asks for what came after one is not answered
 * with something else. Microseconds run ahead of all events even where no map has outlived the life
 * before; where one has, the clock may have been set back.
 */
static void begin_sequence(struct agent *agent)
{
	__u64 now_us = clock_ns(CLOCK_REALTIME) / 1000;

	agent->told = recall_told(agent->recall);
	agent->sequence = agent->told.sequence > now_us ? agent->told.sequence : now_us;
	agent->sequence_before = agent->sequence;
	keep_told(agent);
}

int agent_connect(struct agent *agent, struct maps *maps, int ring_map_fd)
{
	int r;

	agent->maps = maps;
	find_own_namespace(agent);
	r = procs_new(maps, images_limit(agent->config), &agent->procs);
	if (r < 0)
		return r;
	agent->ring = ring_buffer__new(ring_map_fd, on_record, agent, NULL);
	if (!agent->ring)
		return -errno;
	r = recall_new(ring_map_fd, maps->meta, &agent->recall);
	if (!r)
		begin_sequence(agent);
	return r;
}

int agent_recall(struct agent *agent)
{
	return recall_each(agent->recall, take, agent);
}

int agent_ready(struct agent *agent)
{
	return recall_ready(agent->recall, clock_ns(CLOCK_BOOTTIME));
}

int agent_drain_some(struct agent *agent)
{
	int r;

	agent->taken = 0;
	r = ring_buffer__consume(agent->ring);
	(void)recall_mark(agent->recall);
	if (r == -EAGAIN && agent->taken == BATCH)
		return 1;
	return r < 0 ? r : 0;
}

int agent_drain(struct agent *agent)
{
	__u64 now = recall_written(agent->recall);
	int r;

	do {
		r = agent_drain_some(agent);
	} while (r > 0 && recall_taken(agent->recall) < now);
	return r < 0 ? r : 0;
}

static void tell_lost(struct agent *agent)
{
	static const struct {
		enum fl_counter counter;
		const char *why;
	} losses[FL_LOSSES] = {
		{ FL_CNT_RING_FULL, "the event ring was full" },
		{ FL_CNT_VERDICT_UNTOLD, "more verdicts than the event ring has room for" },
	};
	__u64 lost;

	for (size_t i = 0; i < FL_LOSSES; i++) {
		if (maps_counter(agent->maps, losses[i].counter, &lost) < 0 ||
		    lost <= agent->told.lost[i])
			continue;
		api_notice(agent->api, "lost", losses[i].why, lost - agent->told.lost[i]);
		agent->told.lost[i] = lost;
		keep_told(agent);
	}
	if (agent->sequence + SEQUENCES_AHEAD / 2 > agent->told.sequence)
		keep_told(agent);
}

static void repair_index(struct agent *agent)
{
	struct mapindex_result result;

	agent->unshown = false;
	agent->shown_ns = clock_ns(CLOCK_BOOTTIME);
	if (mapindex_repair(agent->maps, &result) == 0 && result.orphans + result.missing)
		(void)maps_count(agent->maps, FL_CNT_INDEX_REPAIRED,
				 result.orphans + result.missing);
}

void agent_tick(struct agent *agent)
{
	(void)clock_follow(&agent->realtime_offset_ns);
	(void)follow_host(agent);
	tell_lost(agent);
	if (agent->unshown && clock_ns(CLOCK_BOOTTIME) - agent->shown_ns > SHOW_NS)
		repair_index(agent);
	rules_tick(agent->rules);
	flows_expire(agent->flows, clock_ns(CLOCK_BOOTTIME));
}

static void found_ended(struct agent *agent, const struct fl_flow *flow)
{
	struct fl_event e = { .time_ns = flow->ended_ns, .flow = *flow };

	e.head.type = flow->role == FL_ROLE_LISTENER ? FL_EVENT_UNLISTEN : FL_EVENT_CLOSE;
	e.head.size = sizeof(e);
	ended(agent, &e);
}

/* Flows of namespaces that nobody lives in: where those are is looked up when there are others. */
static void look_for_namespaces(struct agent *agent, const struct reconcile_result *result)
{
	if (result->unreached && result->unreached_are != agent->unreached_are)
		(void)netns_places_find();
	agent->unreached = result->unreached;
	agent->unreached_are = result->unreached_are;
}

bool agent_reconcile(struct agent *agent)
{
	struct reconcile_result result;
	bool appeared;

	(void)agent_drain(agent);
	if (reconcile_run(agent, found_ended, &result) < 0)
		return false;
	repair_index(agent);
	look_for_namespaces(agent, &result);
	appeared = result.unknown > agent->unknown_sockets;
	agent->unknown_sockets = result.unknown;
	return appeared;
}

int agent_drain_aborted(struct agent *agent, __u64 flow_id)
{
	int r;

	agent->aborted = flow_id;
	r = agent_drain(agent);
	agent->aborted = 0;
	return r;
}

void agent_end(struct agent *agent, const struct fl_flow *flow, enum fl_reason reason)
{
	struct fl_flow gone = *flow;

	if (maps_end_flow(agent->maps, flow) < 0)
		return;
	gone.ended_ns = clock_ns(CLOCK_BOOTTIME);
	gone.reason = reason;
	found_ended(agent, &gone);
}
