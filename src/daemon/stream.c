/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Event streams. Publishing copies the event into the ring and wakes those that wait; filter,
 * rights and JSON are done when a reader has room, once per event and stream.
 *
 * A stream that has nothing to send is suspended in libmicrohttpd, which then no longer looks at
 * its socket: we watch it for a hang-up ourselves. One that cannot send for 30 s is closed by the
 * connection timeout of api.c.
 */
#include "daemon/stream.h"
#include "daemon/agent.h"
#include "daemon/answers.h"
#include "text/cleanup.h"
#include "text/clock.h"
#include "daemon/describe.h"
#include "flow/flowtext.h"
#include "daemon/journal.h"
#include "text/label.h"
#include "kernel/maps.h"
#include "policy/policywords.h"
#include "daemon/records.h"
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#define RING 65536
/* Looked at in one go before other connections have their turn, when the filter takes none. */
#define EXAMINED_MAX 4096

/* What the message of a `lost` record says. */
static const char too_slow[] = "this reader was too slow";
static const char too_old[] = "these events are no longer held";
static const char other_life[] = "the sequence asked for is of an earlier life of the daemon";

struct notice {
	__u64 time_ns;
	__u64 count;
	char action[16];
	char why[144];
};

enum kind { KIND_EVENT, KIND_VERDICT, KIND_NOTICE };

/* Its sequence is its place. */
struct held {
	enum kind kind;
	__u64 peer_id; /* of a flow that ends: when it is told, the other end may be gone, too */
	union {
		struct fl_event event;
		struct stream_verdict verdict; /* holds its label */
		struct notice notice;
	};
};

struct streams {
	struct agent *agent;
	int epoll_fd, wake_fd;
	bool ending;
	struct held *ring; /* of sequence S at S % RING */
	size_t count;	   /* held */
	__u64 lost;
	size_t open;
	struct stream *list;
};

struct stream {
	struct streams *streams;
	struct stream *previous, *next;
	struct MHD_Connection *connection;
	int fd; /* of the connection, not ours to close */
	struct peer peer;
	struct filter *filter;
	bool records;	 /* of wire.h, not JSON */
	__u64 cursor;	 /* sequence it wants next */
	bool waiting;	 /* suspended: nothing to send */
	bool gone;	 /* its reader hung up */
	const char *gap; /* why it misses what the ring no longer holds */
	struct pending line;
};

/* --- the ring --- */

static void empty(struct held *place)
{
	if (place->kind == KIND_VERDICT)
		label_drop(place->verdict.rule);
	place->kind = KIND_EVENT;
}

int streams_new(struct agent *agent, int epoll_fd, int wake_fd, struct streams **ret_streams)
{
	struct streams *streams = calloc(1, sizeof(*streams));

	if (!streams)
		return -ENOMEM;
	streams->ring = calloc(RING, sizeof(*streams->ring));
	if (!streams->ring) {
		free(streams);
		return -ENOMEM;
	}
	streams->agent = agent;
	streams->epoll_fd = epoll_fd;
	streams->wake_fd = wake_fd;
	*ret_streams = streams;
	return 0;
}

void streams_free(struct streams *streams)
{
	if (!streams)
		return;
	for (size_t i = 0; i < RING; i++)
		empty(&streams->ring[i]);
	free(streams->ring);
	free(streams);
}

static void wake(struct stream *s)
{
	if (!s->waiting)
		return;
	s->waiting = false;
	epoll_ctl(s->streams->epoll_fd, EPOLL_CTL_DEL, s->fd, NULL);
	MHD_resume_connection(s->connection);
	/* without threads libmicrohttpd (0.9.75) resumes at its next run and asks for none */
	eventfd_write(s->streams->wake_fd, 1);
}

static void wake_all(struct streams *streams)
{
	for (struct stream *s = streams->list; s; s = s->next)
		wake(s);
}

/* Sequence of the oldest held; when none is, of the next. */
static __u64 first(const struct streams *streams)
{
	return streams->agent->sequence + 1 - streams->count;
}

static struct held *next_place(struct streams *streams, enum kind kind)
{
	__u64 sequence = ++streams->agent->sequence;
	struct held *place = &streams->ring[sequence % RING];

	if (streams->count < RING)
		streams->count++;
	empty(place);
	place->kind = kind;
	place->peer_id = 0;
	return place;
}

/* An end that nobody watches is looked at when somebody asks for it. */
void streams_publish(struct streams *streams, const struct fl_event *event)
{
	struct held *held = next_place(streams, KIND_EVENT);

	held->event = *event;
	if (event->flow.ended_ns && streams->open)
		held->peer_id = describe_peer(streams->agent, &event->flow);
	wake_all(streams);
}

void streams_verdict(struct streams *streams, const struct stream_verdict *verdict)
{
	struct held *held = next_place(streams, KIND_VERDICT);

	held->verdict = *verdict;
	label_hold(verdict->rule);
	wake_all(streams);
}

void streams_notice(struct streams *streams, const char *action, const char *why, __u64 count)
{
	struct notice *n = &next_place(streams, KIND_NOTICE)->notice;

	n->time_ns = clock_ns(CLOCK_BOOTTIME);
	n->count = count;
	snprintf(n->action, sizeof(n->action), "%s", action);
	snprintf(n->why, sizeof(n->why), "%s", why);
	wake_all(streams);
}

/* --- one stream --- */

/* -ENOMEM, as the other two. */
static int notice_line(struct stream *s, const struct notice *n, __u64 sequence)
{
	const struct agent *agent = s->streams->agent;
	struct json_context ctx = { agent->host, agent->realtime_offset_ns };
	struct json_event event = { n->action, n->time_ns, sequence, NULL };
	struct wire_notice record;

	if (s->records) {
		records_notice(n->action, n->why, n->time_ns, n->count, sequence, &record);
		return pending_copy(&s->line, &record, sizeof(record));
	}
	pending_set(&s->line, json_line(json_notice(&ctx, &event, n->why, n->count)));
	return s->line.text ? 0 : -ENOMEM;
}

/* No line when this stream does not want, or may not see, the event. */
static int event_line(struct stream *s, const struct fl_event *e, __u64 peer_id,
		      const struct json_verdict *verdict, __u64 sequence)
{
	struct agent *agent = s->streams->agent;
	struct json_event event = { action_text(e->head.type), e->time_ns, sequence, verdict };
	struct wire_flow record;
	struct description d;

	if (!event.action || !peer_may_see(&s->peer, &e->flow))
		return 0;
	describe_flow(agent, &e->flow, &d);
	if (!describe_matches(agent, &d, s->filter))
		return 0;
	if (s->records) {
		if (e->head.type == FL_EVENT_UNBIND)
			return 0; /* no session either */
		records_flow(&e->flow, e, sequence, &record);
		return pending_copy(&s->line, &record, sizeof(record));
	}
	if (!peer_id)
		peer_id = describe_peer(agent, &e->flow);
	pending_set(&s->line, json_line(describe_json(agent, &d, peer_id, &event)));
	return s->line.text ? 0 : -ENOMEM;
}

/* Of an attempt there is no record of wire.h: who asks for those follows sessions. */
static int verdict_line(struct stream *s, const struct stream_verdict *v, __u64 sequence)
{
	struct json_verdict said = {
		.hook = policy_hook_text(v->hook),
		.verdict = v->redirected ? "redirect" : policy_verdict_text(v->verdict),
		.to = v->to.used ? &v->to : NULL,
		.rule = v->rule ? v->rule->text : NULL,
		.enforced = v->enforced,
		.failed = v->failed,
		.again = v->again,
		.rejected = v->verdict == FL_REJECT,
		.port_in_use_by_other = v->port_in_use_by_other,
		.listeners = v->listeners,
		.route = v->route,
		.count = v->count,
	};

	return s->records ? 0 : event_line(s, &v->event, 0, &said, sequence);
}

static int held_line(struct stream *s, const struct held *held, __u64 sequence)
{
	switch (held->kind) {
	case KIND_EVENT:
		return event_line(s, &held->event, held->peer_id, NULL, sequence);
	case KIND_VERDICT:
		return verdict_line(s, &held->verdict, sequence);
	case KIND_NOTICE:
		return notice_line(s, &held->notice, sequence);
	}
	return 0;
}

/* What the ring no longer holds is told as one record, with the sequence of the last one lost. */
static int gap_line(struct stream *s)
{
	struct streams *streams = s->streams;
	__u64 wanted = s->cursor ? s->cursor : streams->agent->sequence_before + 1;
	struct notice n = {
		.time_ns = clock_ns(CLOCK_BOOTTIME),
		.count = first(streams) - wanted,
		.action = "lost",
	};

	snprintf(n.why, sizeof(n.why), "%s", s->gap);
	if (s->gap == too_slow)
		streams->lost += n.count;
	s->gap = too_slow;
	s->cursor = first(streams);
	return notice_line(s, &n, s->cursor - 1);
}

static int next_line(struct stream *s)
{
	struct streams *streams = s->streams;
	__u64 sequence = s->cursor;

	if (s->cursor < first(streams))
		return gap_line(s);
	s->cursor++;
	return held_line(s, &streams->ring[sequence % RING], sequence);
}

/* Whether to be called again at once (more is in the ring) or only when something happens. */
static ssize_t wait_for_more(struct stream *s)
{
	struct epoll_event hang_up = { .data.ptr = s };

	if (s->cursor <= s->streams->agent->sequence)
		return 0;
	if (s->streams->ending)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (epoll_ctl(s->streams->epoll_fd, EPOLL_CTL_ADD, s->fd, &hang_up) < 0)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	s->waiting = true;
	MHD_suspend_connection(s->connection);
	return 0;
}

static ssize_t read_events(void *arg, uint64_t pos, char *buf, size_t max)
{
	struct stream *s = arg;
	size_t used = 0;

	(void)pos;
	if (s->gone)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	for (unsigned int i = 0; used < max && i < EXAMINED_MAX; i++) {
		if (!s->line.text) {
			if (s->cursor > s->streams->agent->sequence)
				break;
			if (next_line(s) < 0)
				return MHD_CONTENT_READER_END_WITH_ERROR;
		}
		used += pending_take(&s->line, buf + used, max - used);
	}
	return used ? (ssize_t)used : wait_for_more(s);
}

void stream_hung_up(void *data)
{
	struct stream *s = data;

	s->gone = true;
	wake(s);
}

/* --- their life --- */

static void watch(struct streams *streams)
{
	maps_set_watched(streams->agent->maps,
			 streams->open > 0 || journal_watches(streams->agent->journal));
}

static void stream_open(struct stream *s)
{
	struct streams *streams = s->streams;

	s->next = streams->list;
	if (s->next)
		s->next->previous = s;
	streams->list = s;
	if (streams->open++ == 0)
		watch(streams);
}

static void stream_close(void *arg)
{
	struct stream *s = arg;
	struct streams *streams = s->streams;

	if (s->waiting)
		epoll_ctl(streams->epoll_fd, EPOLL_CTL_DEL, s->fd, NULL);
	if (s->previous)
		s->previous->next = s->next;
	else
		streams->list = s->next;
	if (s->next)
		s->next->previous = s->previous;
	if (--streams->open == 0)
		watch(streams);
	filter_free(s->filter);
	free(s->line.text);
	free(s);
}

/*
 * After 0 comes the first event of this life. Position 0 is before all: where a reader of an
 * earlier life starts, or of one whose clock was ahead, with a word about that. What of that life
 * it has not seen it gets only as far as we could take it again.
 */
static void set_position(struct stream *s, const struct events_question *q)
{
	const struct agent *agent = s->streams->agent;
	__u64 since = q->since ? q->since : agent->sequence_before;

	s->gap = too_slow;
	s->cursor = agent->sequence + 1;
	if (!q->has_since)
		return;
	if (since > agent->sequence || since < agent->sequence_before) {
		s->gap = other_life;
		s->cursor = 0;
		return;
	}
	s->cursor = since + 1;
	if (s->cursor < first(s->streams))
		s->gap = too_old;
}

static int stream_new(struct request *request, struct filter *filter,
		      const struct events_question *question, struct stream **ret_stream)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct stream *s = calloc(1, sizeof(*s));

	if (!s || !info) {
		free(s);
		return -ENOMEM;
	}
	s->streams = request->streams;
	s->connection = request->connection;
	s->fd = info->connect_fd;
	s->peer = request->peer;
	s->filter = filter;
	s->records = request->records;
	set_position(s, question);
	stream_open(s);
	*ret_stream = s;
	return 0;
}

static void cleanup_filter(struct filter **filter)
{
	filter_free(*filter);
}

enum MHD_Result answer_events(struct request *request)
{
	_cleanup_(cleanup_filter) struct filter *filter = NULL;
	struct events_question question;
	struct stream *stream;
	char why[QUERY_WHY];

	if (filter_new(&filter) < 0)
		return MHD_NO;
	if (query_events(&request->query, answer_now_ns(request->agent), filter, &question, why) <
	    0)
		return reply_error(request, MHD_HTTP_BAD_REQUEST, why);
	/* what happened before the question is not news */
	agent_drain(request->agent);
	if (stream_new(request, filter, &question, &stream) < 0)
		return MHD_NO;
	TAKE_PTR(filter); /* the stream's now */
	return reply_lines(request, read_events, stream, stream_close);
}

void streams_end(struct streams *streams)
{
	streams->ending = true;
	wake_all(streams);
}

struct stream_counts streams_counts(const struct streams *streams)
{
	return (struct stream_counts){ .open = streams->open, .lost = streams->lost };
}
