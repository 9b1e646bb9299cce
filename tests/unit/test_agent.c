/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What becomes of a record of the event ring: whose it is by size and type, what is added to it,
 * where it goes. The ring, the maps, the processes and the API are FAKE; the recent index is real.
 */
#include "daemon/agent.h"
#include "daemon/api.h"
#include "host/config.h"
#include "flow/flows.h"
#include "daemon/history.h"
#include "host/netns_places.h"
#include "kernel/mapindex.h"
#include "kernel/maps.h"
#include "host/names.h"
#include "daemon/proc.h"
#include "kernel/recall.h"
#include "daemon/reconcile.h"
#include "daemon/rules.h"
#include <bpf/libbpf.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define SEEDED_NS 900
#define INUM 4026531840u
#define RING_FD 33
#define META_FD 34
#define ROOM 64
#define FLOW 5
#define ENDED_MEANWHILE 6
#define STREAM_EVENTS 65536 /* api.h: those that may be published between two api_run() */

static struct agent agent;

static struct {
	/* the ring: exact allocations, so that a sanitizer sees who reads past one */
	ring_buffer_sample_fn sample;
	void *sample_arg;
	struct {
		void *data;
		size_t size;
	} queue[ROOM];
	size_t queued, taken;
	__u64 delivered; /* records */
	bool flooded;	 /* there is one when it is asked, all others come meanwhile */
	int repeat;	 /* each record so many times more */
	int ring_error;	 /* of consuming */
	/* who got what */
	enum fl_record_type proc_type;
	size_t proc_size;
	int proc_calls;
	struct fl_event published[ROOM];
	size_t published_count;
	const char *notice;
	__u64 noticed;
	int notices;
	/* what they say */
	__u64 ring_full, untold;
	struct reconcile_result reconciled;
	int reconcile_error;
	struct fl_flow found; /* ended by reconciliation when it has an id */
	__u64 ready_ns;	      /* of this daemon, as `meta` is told */
	int marks;
	struct fl_event *past; /* one record that an earlier daemon took */
	int history_count;     /* flows that went into the history, */
	__u64 history_id;      /* and the last of them */
	long clock_set_s;      /* the real time is so much ahead of what it was */
	const char *host;      /* NULL: as it is */
	struct recall_told told;
	__u64 shown;   /* flow at every key, 0 nobody */
	__u64 counted; /* of what was repaired */
	int repairs, searches;
	struct mapindex_result repaired;
} fake;

static struct maps maps = { .seeded_ns = SEEDED_NS, .meta = META_FD };
static struct config config = { .recent = { .flows = 100, .age_s = 3600 } };

/* --- the host --- */

int __real_clock_gettime(clockid_t clock, struct timespec *ret);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret);
int __real_gethostname(char *name, size_t size);
int __wrap_gethostname(char *name, size_t size);

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret)
{
	int r = __real_clock_gettime(clock, ret);

	if (clock == CLOCK_REALTIME)
		ret->tv_sec += fake.clock_set_s;
	return r;
}

int __wrap_gethostname(char *name, size_t size)
{
	if (!fake.host)
		return __real_gethostname(name, size);
	snprintf(name, size, "%s", fake.host);
	return 0;
}

/* --- rules.h --- */

void rules_take(struct rules *r, const struct fl_verdict_event *e)
{
	(void)r;
	(void)e;
}

void rules_cgroup(struct rules *r, const struct fl_cgroup_event *e)
{
	(void)r;
	(void)e;
}

void rules_link(struct rules *r, const struct fl_link_event *e)
{
	(void)r;
	(void)e;
}

void rules_tick(struct rules *r)
{
	(void)r;
}

/* --- libbpf.h: the ring --- */

struct ring_buffer *ring_buffer__new(int map_fd, ring_buffer_sample_fn sample_cb, void *ctx,
				     const struct ring_buffer_opts *opts)
{
	assert_int_equal(map_fd, RING_FD);
	assert_null(opts);
	fake.sample = sample_cb;
	fake.sample_arg = ctx;
	return (struct ring_buffer *)&fake;
}

void ring_buffer__free(struct ring_buffer *rb)
{
	(void)rb;
}

/* An error of the callback ends it, after the record it was given. */
int ring_buffer__consume(struct ring_buffer *rb)
{
	int n = 0;

	assert_ptr_equal(rb, &fake);
	while (fake.taken < fake.queued) {
		size_t i = fake.taken;
		int r = fake.sample(fake.sample_arg, fake.queue[i].data, fake.queue[i].size);

		fake.delivered++;
		if (fake.repeat > 0) {
			fake.repeat--;
		} else {
			free(fake.queue[i].data);
			fake.taken++;
		}
		if (r < 0)
			return r;
		n++;
	}
	return fake.ring_error ? fake.ring_error : n;
}

/* --- recall.h: this daemon's self-test ends when it is ready --- */

int recall_new(int ring_fd, int meta_fd, struct recall **ret_recall)
{
	assert_int_equal(ring_fd, RING_FD);
	assert_int_equal(meta_fd, META_FD);
	*ret_recall = (struct recall *)&fake;
	return 0;
}

void recall_free(struct recall *recall)
{
	(void)recall;
}

int recall_each(struct recall *recall, int (*fn)(void *arg, void *data, size_t size), void *arg)
{
	assert_ptr_equal(recall, &fake);
	return fake.past ? fn(arg, fake.past, sizeof(*fake.past)) : 0;
}

int recall_mark(struct recall *recall)
{
	assert_ptr_equal(recall, &fake);
	fake.marks++;
	return 0;
}

__u64 recall_written(const struct recall *recall)
{
	assert_ptr_equal(recall, &fake);
	return fake.delivered + (fake.flooded ? 1 : fake.queued - fake.taken + (size_t)fake.repeat);
}

__u64 recall_taken(const struct recall *recall)
{
	assert_ptr_equal(recall, &fake);
	return fake.delivered;
}

int recall_ready(struct recall *recall, __u64 ready_ns)
{
	assert_ptr_equal(recall, &fake);
	fake.ready_ns = ready_ns;
	return 0;
}

struct recall_told recall_told(const struct recall *recall)
{
	assert_ptr_equal(recall, &fake);
	return fake.told;
}

int recall_tell(struct recall *recall, const struct recall_told *told)
{
	assert_ptr_equal(recall, &fake);
	fake.told = *told;
	return 0;
}

bool recall_was_selftest(const struct recall *recall, __u32 pid, __u64 time_ns)
{
	assert_ptr_equal(recall, &fake);
	return pid == (__u32)getpid() && (!fake.ready_ns || time_ns <= fake.ready_ns);
}

/* --- proc.h --- */

static int note(enum fl_record_type type, size_t size)
{
	fake.proc_type = type;
	fake.proc_size = size;
	fake.proc_calls++;
	return -EINVAL; /* what it thinks of a record is its own */
}

int procs_new(const struct maps *m, size_t limit, struct procs **ret_procs)
{
	assert_ptr_equal(m, &maps);
	assert_true(limit >= 100);
	*ret_procs = (struct procs *)&fake;
	return 0;
}

void procs_free(struct procs *procs)
{
	(void)procs;
}

int procs_add_process(struct procs *procs, const struct fl_process *rec, size_t size)
{
	(void)procs;
	(void)rec;
	return note(FL_RECORD_PROCESS, size);
}

int procs_add_text(struct procs *procs, const struct fl_text *text, size_t size)
{
	(void)procs;
	(void)text;
	return note(FL_RECORD_TEXT, size);
}

int procs_exited(struct procs *procs, const struct fl_exit *rec, size_t size)
{
	(void)procs;
	(void)rec;
	return note(FL_RECORD_EXIT, size);
}

/* --- history.h --- */

void history_add(struct history *h, const struct fl_flow *flow)
{
	(void)h;
	fake.history_count++;
	fake.history_id = flow->id;
}

/* --- api.h --- */

void api_publish(struct api *api, const struct fl_event *event)
{
	(void)api;
	if (fake.published_count < ROOM)
		fake.published[fake.published_count] = *event;
	fake.published_count++;
	agent.sequence++;
}

void api_notice(struct api *api, const char *action, const char *why, __u64 count)
{
	(void)api;
	(void)why;
	fake.notice = action;
	fake.noticed = count;
	fake.notices++;
}

void api_free(struct api *api)
{
	(void)api;
}

/* --- maps.h and reconcile.h --- */

int maps_netns_inum(const struct maps *m, __u64 cookie, __u32 *ret_inum)
{
	assert_ptr_equal(m, &maps);
	if (cookie != 7)
		return -ENOENT;
	*ret_inum = INUM;
	return 0;
}

int maps_netns_cookie(const struct maps *m, __u32 inum, __u64 *ret_cookie)
{
	(void)m;
	(void)inum;
	(void)ret_cookie;
	return -ENOENT;
}

int maps_counter(const struct maps *m, enum fl_counter counter, __u64 *ret_value)
{
	(void)m;
	assert_true(counter == FL_CNT_RING_FULL || counter == FL_CNT_VERDICT_UNTOLD);
	*ret_value = counter == FL_CNT_RING_FULL ? fake.ring_full : fake.untold;
	return 0;
}

int maps_find_quick(const struct maps *m, const struct fl_key *key, struct fl_flow *ret_flow)
{
	(void)key;
	assert_ptr_equal(m, &maps);
	*ret_flow = (struct fl_flow){ .id = fake.shown };
	return fake.shown ? 0 : -ENOENT;
}

int maps_count(const struct maps *m, enum fl_counter counter, __u64 n)
{
	assert_ptr_equal(m, &maps);
	assert_int_equal(counter, FL_CNT_INDEX_REPAIRED);
	fake.counted += n;
	return 0;
}

int mapindex_repair(const struct maps *m, struct mapindex_result *ret_result)
{
	assert_ptr_equal(m, &maps);
	fake.repairs++;
	*ret_result = fake.repaired;
	return 0;
}

int __wrap_netns_places_find(void);

int __wrap_netns_places_find(void)
{
	fake.searches++;
	return 0;
}

int maps_end_flow(const struct maps *m, const struct fl_flow *flow)
{
	assert_ptr_equal(m, &maps);
	return flow->id == ENDED_MEANWHILE ? -ENOENT : 0;
}

int reconcile_run(struct agent *a, void (*ended)(struct agent *agent, const struct fl_flow *flow),
		  struct reconcile_result *ret_result)
{
	assert_int_equal(fake.taken, fake.queued); /* what was told before is known before */
	if (fake.reconcile_error)
		return fake.reconcile_error;
	if (fake.found.id)
		ended(a, &fake.found);
	*ret_result = fake.reconciled;
	return 0;
}

/* --- an agent and its ring --- */

static int setup(void **state)
{
	(void)state;
	memset(&fake, 0, sizeof(fake));
	if (agent_init(&agent, &config, NULL) < 0 || agent_connect(&agent, &maps, RING_FD) < 0)
		return -1;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	agent_release(&agent);
	while (fake.taken < fake.queued)
		free(fake.queue[fake.taken++].data);
	return 0;
}

/* Read at once; of a record longer than SIZE only so much is there. */
/* In the ring, not yet read. */
static void queue(const void *record, size_t size)
{
	void *data = malloc(size ? size : 1);

	assert_non_null(data);
	memcpy(data, record, size);
	fake.queue[fake.queued].data = data;
	fake.queue[fake.queued++].size = size;
}

static void put(const void *record, size_t size)
{
	queue(record, size);
	assert_int_equal(agent_drain(&agent), 0);
	assert_int_equal(fake.taken, fake.queued);
}

static struct fl_event event_of(enum fl_record_type type)
{
	return (struct fl_event){
		.head = { type, sizeof(struct fl_event) },
		.time_ns = 5000,
		.flow = {
			.id = FLOW,
			.cookie = FLOW,
			.key = { .netns_cookie = 7, .local_port = 80, .remote_port = 999,
				 .proto = FL_TCP },
			.owner = { .proc = { 5, 100, 3 }, .comm = "curl" },
			.opened_ns = 1000,
			.role = FL_ROLE_OPENER,
			.state = FL_STATE_ESTABLISHED,
			.members = 1,
		},
	};
}

static struct fl_event close_of(__u64 id)
{
	struct fl_event e = event_of(FL_EVENT_CLOSE);

	e.flow.id = id;
	e.flow.ended_ns = 6000;
	return e;
}

static void put_event(struct fl_event e)
{
	put(&e, sizeof(e));
}

static size_t kept(void)
{
	return flows_count(agent.flows);
}

/* --- which record is whose --- */

static void records_of_processes(void **state)
{
	static const enum fl_record_type types[] = { FL_RECORD_PROCESS, FL_RECORD_TEXT,
						     FL_RECORD_EXIT };
	char record[64] = { 0 };

	(void)state;
	for (int i = 0; i < 3; i++) {
		for (size_t size = sizeof(struct fl_record); size <= sizeof(record); size += 8) {
			memcpy(record, &types[i], sizeof(types[i]));
			fake.proc_calls = 0;
			put(record, size); /* how much of it is enough is proc.c's to say */
			assert_int_equal(fake.proc_calls, 1);
			assert_int_equal(fake.proc_type, types[i]);
			assert_int_equal(fake.proc_size, size);
			fake.queued = fake.taken = 0;
		}
	}
	assert_int_equal(fake.published_count, 0);
}

static void events(void **state)
{
	(void)state;
	for (int type = FL_EVENT_LISTEN; type <= FL_EVENT_CLOSE; type++) {
		fake.published_count = 0;
		put_event(event_of((enum fl_record_type)type));
		assert_int_equal(fake.published_count, 1);
		assert_int_equal(fake.published[0].head.type, type);
		assert_int_equal(fake.published[0].time_ns, 5000);
		assert_int_equal(fake.published[0].flow.id, FLOW);
	}
	assert_int_equal(fake.proc_calls, 0);
	assert_int_equal(kept(), 0); /* none of them ended */
}

static void records_too_short(void **state)
{
	struct fl_event e = close_of(FLOW);

	(void)state;
	for (size_t size = 0; size < sizeof(e); size++) {
		fake.queued = fake.taken = 0;
		put(&e, size);
	}
	e.head.type = FL_RECORD_PROCESS; /* not even a whole header */
	for (size_t size = 0; size < sizeof(e.head); size++) {
		fake.queued = fake.taken = 0;
		put(&e, size);
	}
	assert_int_equal(fake.published_count, 0);
	assert_int_equal(fake.proc_calls, 0);
	assert_int_equal(kept(), 0);
}

/* A longer record of a newer kernel side: what we know of it stands first. */
static void records_longer_than_known(void **state)
{
	struct {
		struct fl_event e;
		__u64 more;
	} longer = { close_of(FLOW), 1 };

	(void)state;
	put(&longer, sizeof(longer));
	assert_int_equal(fake.published_count, 1);
	assert_int_equal(kept(), 1);
}

static void records_of_no_known_type(void **state)
{
	static const __u32 types[] = { 0, FL_RECORD_EXIT + 1, 0xffffffffu };
	struct fl_event e = close_of(FLOW);

	(void)state;
	for (int i = 0; i < 3; i++) {
		e.head.type = (enum fl_record_type)types[i];
		put_event(e);
	}
	assert_int_equal(fake.published_count, 0);
	assert_int_equal(fake.proc_calls, 0);
	assert_int_equal(kept(), 0);
}

/* --- what is added --- */

static void first_sight_and_namespace(void **state)
{
	struct fl_event e = event_of(FL_EVENT_OPEN);
	const struct fl_event *got = fake.published;

	(void)state;
	put_event(e);
	assert_int_equal(got[0].flow.seen_ns, 1000); /* when it opened ... */
	assert_int_equal(got[0].flow.netns_inum, INUM);
	e.flow.opened_ns = 0;
	put_event(e);
	assert_int_equal(got[1].flow.seen_ns, SEEDED_NS); /* ... or the agent began ... */
	assert_int_equal(got[1].flow.opened_ns, 0);
	e.flow.seen_ns = 4000;
	e.flow.key.netns_cookie = 8;
	put_event(e);
	assert_int_equal(got[2].flow.seen_ns, 4000); /* ... unless the kernel side says it */
	assert_int_equal(got[2].flow.netns_inum, 0);
}

/* --- ends --- */

static void an_end_is_kept_and_told(void **state)
{
	const struct fl_flow *flow;

	(void)state;
	put_event(close_of(FLOW));
	assert_int_equal(fake.published_count, 1);
	assert_int_equal(flows_get(agent.flows, FLOW, &flow), 0);
	assert_int_equal(flow->ended_ns, 6000);
	assert_int_equal(flow->seen_ns, 1000);
	assert_int_equal(flow->netns_inum, INUM);
}

/* Up to three hooks tell of it. */
static void an_end_told_twice_is_in_the_history_once(void **state)
{
	(void)state;
	put_event(close_of(FLOW));
	put_event(close_of(FLOW));
	assert_int_equal(fake.history_count, 1);
	assert_int_equal(fake.history_id, FLOW);
	put_event(close_of(FLOW + 1));
	assert_int_equal(fake.history_count, 2);
}

static void an_end_of_nothing_is_not_told(void **state)
{
	(void)state;
	put_event(close_of(0));
	assert_int_equal(fake.published_count, 0);
	assert_int_equal(kept(), 0);
}

/* --- accept() after the end --- */

static struct fl_event late_accept_of(__u64 id)
{
	struct fl_event e = { .head = { FL_EVENT_ACCEPT, sizeof(e) }, .time_ns = 7000 };

	e.flow.id = id;
	e.flow.owner = (struct fl_owner){ .proc = { 6, 200, 4 }, .uid = 33, .comm = "nginx" };
	return e;
}

static void a_late_accept_completes_the_record(void **state)
{
	struct fl_event e = close_of(FLOW);
	const struct fl_flow *flow;

	(void)state;
	e.flow.role = FL_ROLE_ACCEPTOR;
	put_event(e);
	put_event(late_accept_of(FLOW));
	assert_int_equal(fake.published_count, 2);
	assert_int_equal(fake.published[1].head.type, FL_EVENT_ACCEPT);
	assert_int_equal(fake.published[1].time_ns, 7000);
	assert_int_equal(fake.published[1].flow.owner.proc.pid, 200);
	assert_int_equal(fake.published[1].flow.accepted, 1);
	assert_int_equal(fake.published[1].flow.key.local_port, 80); /* as the record has it */
	assert_int_equal(fake.published[1].flow.ended_ns, 6000);
	assert_int_equal(flows_get(agent.flows, FLOW, &flow), 0);
	assert_int_equal(flow->owner.proc.pid, 200);
	assert_string_equal(flow->owner.comm, "nginx");
	assert_int_equal(kept(), 1);
}

static void a_late_accept_of_nobody_is_not_told(void **state)
{
	(void)state;
	put_event(close_of(FLOW));
	put_event(late_accept_of(FLOW + 1));
	assert_int_equal(fake.published_count, 1);
	assert_int_equal(kept(), 1);
}

static void an_accept_in_time_is_told_as_it_is(void **state)
{
	struct fl_event e = event_of(FL_EVENT_ACCEPT);

	(void)state;
	put_event(e);
	assert_int_equal(fake.published_count, 1);
	assert_int_equal(fake.published[0].flow.owner.proc.pid, 100);
	assert_int_equal(kept(), 0);
}

/* --- our own --- */

static void the_self_test_is_no_news(void **state)
{
	struct fl_event e = close_of(FLOW);

	(void)state;
	e.flow.owner.proc.pid = (__u32)getpid();
	put_event(e);
	assert_int_equal(fake.published_count, 0);
	assert_int_equal(kept(), 0);
	put_event(close_of(FLOW + 1)); /* others' are, while it runs */
	assert_int_equal(fake.published_count, 1);
	assert_int_equal(kept(), 1);
	assert_int_equal(agent_ready(&agent), 0);
	assert_true(fake.ready_ns >= agent.started_ns);
	e.time_ns = fake.ready_ns + 1;
	put_event(e);
	assert_int_equal(fake.published_count, 2);
	assert_int_equal(kept(), 2);
}

/* --- what an earlier daemon took --- */

static void the_past_is_taken_again(void **state)
{
	struct fl_event e = close_of(FLOW);

	(void)state;
	fake.past = &e;
	assert_int_equal(agent_recall(&agent), 0);
	assert_int_equal(fake.published_count, 1);
	assert_int_equal(kept(), 1);
	put_event(e); /* killed between the taking and the saying so */
	assert_int_equal(kept(), 1);
	e.flow.owner.proc.pid = (__u32)getpid();
	assert_int_equal(agent_recall(&agent), 0);
	assert_int_equal(fake.published_count, 2);
}

static void every_batch_may_leave_a_mark(void **state)
{
	int before;

	(void)state;
	before = fake.marks;
	put_event(close_of(FLOW));
	assert_true(fake.marks > before);
}

/* --- draining --- */

/* More than the streams can hold comes in batches, and the asker gets all of it. */
static void a_long_ring_in_batches(void **state)
{
	struct fl_event e = event_of(FL_EVENT_OPEN);
	size_t first;

	(void)state;
	queue(&e, sizeof(e));
	fake.repeat = STREAM_EVENTS - 1;
	assert_int_equal(agent_drain_some(&agent), 1);
	first = fake.published_count;
	assert_in_range(first, 1, STREAM_EVENTS / 2);
	assert_int_equal(agent_drain_some(&agent), 1);
	assert_int_equal(fake.published_count, 2 * first);
	assert_int_equal(agent_drain(&agent), 0);
	assert_int_equal(fake.published_count, STREAM_EVENTS);
	assert_int_equal(agent_drain_some(&agent), 0);
}

/* Whoever writes as fast as we read keeps nobody from an answer. */
static void a_flood(void **state)
{
	struct fl_event e = event_of(FL_EVENT_OPEN);

	(void)state;
	queue(&e, sizeof(e));
	fake.flooded = true;
	fake.repeat = 10 * STREAM_EVENTS;
	assert_int_equal(agent_drain(&agent), 0);
	assert_in_range(fake.published_count, 1, STREAM_EVENTS / 2);
}

static void a_ring_that_fails(void **state)
{
	(void)state;
	fake.ring_error = -EIO;
	assert_int_equal(agent_drain(&agent), -EIO);
	fake.ring_error = 0;
	assert_int_equal(agent_drain(&agent), 0);
}

static void what_was_dropped_is_told_once(void **state)
{
	(void)state;
	agent_tick(&agent);
	assert_int_equal(fake.notices, 0);
	fake.ring_full = 10;
	agent_tick(&agent);
	assert_int_equal(fake.notices, 1);
	assert_string_equal(fake.notice, "lost");
	assert_int_equal(fake.noticed, 10);
	agent_tick(&agent);
	assert_int_equal(fake.notices, 1);
	fake.ring_full = 13;
	agent_tick(&agent);
	assert_int_equal(fake.notices, 2);
	assert_int_equal(fake.noticed, 3);
	fake.untold = 7;
	agent_tick(&agent);
	assert_int_equal(fake.notices, 3);
	assert_int_equal(fake.noticed, 7);
}

/* The daemon was killed, and another has come: what it left behind is all that is known. */
static void next_life(void)
{
	agent_release(&agent);
	assert_int_equal(agent_init(&agent, &config, NULL), 0);
	assert_int_equal(agent_connect(&agent, &maps, RING_FD), 0);
}

static void a_loss_is_told_by_one_life(void **state)
{
	(void)state;
	fake.ring_full = 10;
	agent_tick(&agent);
	assert_int_equal(fake.notices, 1);
	next_life();
	agent_tick(&agent);
	assert_int_equal(fake.notices, 1);
	fake.ring_full = 12; /* dropped while nobody was there, too */
	next_life();
	agent_tick(&agent);
	assert_int_equal(fake.notices, 2);
	assert_int_equal(fake.noticed, 2);
}

static void no_sequence_is_of_two_lives(void **state)
{
	__u64 last;

	(void)state;
	for (int ticks = 0; ticks < 3; ticks++) {
		agent.sequence += 1000000; /* as many events */
		agent_tick(&agent);
	}
	for (long set_s = 0; set_s >= -86400; set_s -= 86400) {
		last = agent.sequence;
		fake.clock_set_s = set_s;
		next_life();
		assert_true(agent.sequence > last);
		assert_true(agent.sequence == agent.sequence_before);
		put_event(event_of(FL_EVENT_OPEN));
		assert_true(agent.sequence == agent.sequence_before + 1);
	}
	/* nothing has outlived it, but time has passed */
	last = agent.sequence;
	fake.told.sequence = 0;
	fake.clock_set_s = 1000;
	next_life();
	assert_true(agent.sequence > last);
}

static void the_clock_is_set(void **state)
{
	__s64 before = agent.realtime_offset_ns;

	(void)state;
	agent_tick(&agent);
	assert_true(agent.realtime_offset_ns == before); /* no jitter in what is told */
	fake.clock_set_s = 3600;
	agent_tick(&agent);
	assert_true(agent.realtime_offset_ns - before > 3599000000000LL);
	assert_true(agent.realtime_offset_ns - before < 3601000000000LL);
	fake.clock_set_s = -86400;
	agent_tick(&agent);
	assert_true(agent.realtime_offset_ns - before < -86399000000000LL);
}

static void the_host_gets_a_name(void **state)
{
	(void)state;
	fake.host = "a-longer-name";
	agent_tick(&agent);
	assert_string_equal(agent.host, "a-longer-name");
	fake.host = "b";
	agent_tick(&agent);
	assert_string_equal(agent.host, "b");
}

static void what_is_old_expires(void **state)
{
	struct fl_event old = close_of(FLOW), fresh = close_of(FLOW + 1);

	(void)state;
	flows_free(agent.flows);
	assert_int_equal(flows_new(100, 1000, &agent.flows), 0); /* kept for a microsecond */
	old.flow.ended_ns = 2000;
	fresh.flow.ended_ns = ~0ull / 2;
	put_event(old);
	put_event(fresh);
	agent_tick(&agent);
	assert_int_equal(kept(), 1);
}

/* --- reconciliation --- */

static void found_ended_is_told_as_an_end(void **state)
{
	const struct fl_flow *flow;

	(void)state;
	fake.found = close_of(FLOW).flow;
	fake.found.reason = FL_REASON_LOST;
	assert_false(agent_reconcile(&agent));
	assert_int_equal(fake.published_count, 1);
	assert_int_equal(fake.published[0].head.type, FL_EVENT_CLOSE);
	assert_int_equal(fake.published[0].head.size, sizeof(struct fl_event));
	assert_int_equal(fake.published[0].time_ns, 6000);
	assert_int_equal(flows_get(agent.flows, FLOW, &flow), 0);
	assert_int_equal(flow->reason, FL_REASON_LOST);
	fake.found.id = FLOW + 1;
	fake.found.role = FL_ROLE_LISTENER;
	assert_false(agent_reconcile(&agent));
	assert_int_equal(fake.published[1].head.type, FL_EVENT_UNLISTEN);
}

/* Not again and again for those that cannot be found. */
static void namespaces_out_of_reach_are_looked_for(void **state)
{
	(void)state;
	assert_false(agent_reconcile(&agent));
	assert_int_equal(fake.searches, 0);
	fake.reconciled.unreached = 1;
	fake.reconciled.unreached_are = 7;
	assert_false(agent_reconcile(&agent));
	assert_false(agent_reconcile(&agent));
	assert_int_equal(fake.searches, 1);
	assert_int_equal(agent.unreached, 1);
	fake.reconciled.unreached_are = 8; /* another one */
	assert_false(agent_reconcile(&agent));
	assert_int_equal(fake.searches, 2);
	fake.reconciled.unreached = 0;
	fake.reconciled.unreached_are = 0;
	assert_false(agent_reconcile(&agent));
	assert_int_equal(fake.searches, 2);
}

static void the_index_is_repaired_and_counted(void **state)
{
	(void)state;
	fake.repaired = (struct mapindex_result){ .orphans = 2, .missing = 3, .shown = 7 };
	assert_false(agent_reconcile(&agent));
	assert_int_equal(fake.repairs, 1);
	assert_int_equal(fake.counted, 5);
}

/* One of two listeners, which was the one shown. */
static struct fl_event shared_end(void)
{
	struct fl_event e = close_of(FLOW);

	e.flow.key.remote_port = 0;
	e.flow.members = 2;
	return e;
}

static void who_is_left_is_shown_soon(void **state)
{
	(void)state;
	put_event(shared_end());
	assert_int_equal(fake.repairs, 0); /* not for each of a flood */
	agent_tick(&agent);
	assert_int_equal(fake.repairs, 1);
	agent_tick(&agent);
	assert_int_equal(fake.repairs, 1);
	put_event(shared_end());
	agent_tick(&agent); /* too soon */
	assert_int_equal(fake.repairs, 1);
	agent.shown_ns = 1;
	agent_tick(&agent);
	assert_int_equal(fake.repairs, 2);
}

static void who_is_shown_needs_no_repair(void **state)
{
	struct fl_event alone = shared_end();

	(void)state;
	alone.flow.members = 1;
	put_event(alone);
	fake.shown = FLOW + 1;
	put_event(shared_end());
	agent_tick(&agent);
	assert_int_equal(fake.repairs, 0);
}

static void the_ring_is_read_before(void **state)
{
	struct fl_event e = event_of(FL_EVENT_OPEN);

	(void)state;
	queue(&e, sizeof(e));
	(void)agent_reconcile(&agent);
	assert_int_equal(fake.published_count, 1);
}

static void sockets_that_appeared_are_worth_a_walk(void **state)
{
	(void)state;
	assert_false(agent_reconcile(&agent));
	fake.reconciled.unknown = 3;
	assert_true(agent_reconcile(&agent));
	assert_false(agent_reconcile(&agent)); /* the walk did not find them: no other helps */
	fake.reconcile_error = -ENOMEM;
	fake.reconciled.unknown = 9;
	assert_false(agent_reconcile(&agent));
	fake.reconcile_error = 0;
	fake.reconciled.unknown = 2;
	assert_false(agent_reconcile(&agent));
	fake.reconciled.unknown = 3;
	assert_true(agent_reconcile(&agent));
}

/* --- life --- */

static void what_is_known_at_the_start(void **state)
{
	char host[256] = "";

	(void)state;
	assert_int_equal(gethostname(host, sizeof(host) - 1), 0);
	assert_string_equal(agent.host, host);
	assert_true(agent.started_ns > 0);
	assert_true(agent.realtime_offset_ns > 0);
	assert_non_null(agent.names);
	assert_int_equal(kept(), 0);
}

static void what_was_never_set_can_be_released(void **state)
{
	struct agent nothing = { .host = "" };

	(void)state;
	agent_release(&nothing);
}

/* --- flows that were cut --- */

/* The reason is the kernel's to say; where it says none it is ours, of that flow alone. */
static void reason_of_the_cut(void **state)
{
	static const enum fl_reason said[] = { FL_REASON_NONE, FL_REASON_NONE, FL_REASON_RESET };
	struct fl_event e;

	(void)state;
	for (__u64 i = 0; i < 3; i++) {
		e = close_of(20 + i / 2);
		e.flow.reason = said[i];
		if (i == 1)
			e.flow.id = 30;
		queue(&e, sizeof(e));
	}
	assert_int_equal(agent_drain_aborted(&agent, 20), 0);
	assert_int_equal(fake.published[0].flow.reason, FL_REASON_ABORTED);
	assert_int_equal(fake.published[1].flow.reason, FL_REASON_NONE);
	assert_int_equal(fake.published[2].flow.reason, FL_REASON_RESET);
	put_event(close_of(20)); /* later it is anybody's */
	assert_int_equal(fake.published[3].flow.reason, FL_REASON_NONE);
}

static void ended_by_us(void **state)
{
	struct fl_flow flow = event_of(FL_EVENT_OPEN).flow;

	(void)state;
	agent_end(&agent, &flow, FL_REASON_ABORTED);
	assert_int_equal(fake.published_count, 1);
	assert_int_equal(fake.published[0].head.type, FL_EVENT_CLOSE);
	assert_int_equal(fake.published[0].flow.reason, FL_REASON_ABORTED);
	assert_true(fake.published[0].flow.ended_ns);
	assert_int_equal(kept(), 1);
	flow.id = ENDED_MEANWHILE;
	agent_end(&agent, &flow, FL_REASON_ABORTED);
	assert_int_equal(fake.published_count, 1);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reason_of_the_cut),
		TEST(ended_by_us),
		TEST(a_loss_is_told_by_one_life),
		TEST(no_sequence_is_of_two_lives),
		TEST(the_clock_is_set),
		TEST(the_host_gets_a_name),
		TEST(records_of_processes),
		TEST(events),
		TEST(records_too_short),
		TEST(records_longer_than_known),
		TEST(records_of_no_known_type),
		TEST(first_sight_and_namespace),
		TEST(an_end_is_kept_and_told),
		TEST(an_end_told_twice_is_in_the_history_once),
		TEST(an_end_of_nothing_is_not_told),
		TEST(a_late_accept_completes_the_record),
		TEST(a_late_accept_of_nobody_is_not_told),
		TEST(an_accept_in_time_is_told_as_it_is),
		TEST(the_self_test_is_no_news),
		TEST(the_past_is_taken_again),
		TEST(every_batch_may_leave_a_mark),
		TEST(a_long_ring_in_batches),
		TEST(a_flood),
		TEST(a_ring_that_fails),
		TEST(what_was_dropped_is_told_once),
		TEST(what_is_old_expires),
		TEST(found_ended_is_told_as_an_end),
		TEST(namespaces_out_of_reach_are_looked_for),
		TEST(the_index_is_repaired_and_counted),
		TEST(who_is_left_is_shown_soon),
		TEST(who_is_shown_needs_no_repair),
		TEST(the_ring_is_read_before),
		TEST(sockets_that_appeared_are_worth_a_walk),
		TEST(what_is_known_at_the_start),
		TEST(what_was_never_set_can_be_released),
	};

	return cmocka_run_group_tests_name("agent", tests, NULL, NULL);
}
