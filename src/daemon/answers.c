/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Questions about flows. The flows asked for are copied first, so that the walk over the maps is
 * short and the answer is of one moment; JSON is made line by line while the reader takes it.
 *
 * A flow the asker may not see is one that does not exist: 404, never 403.
 */
#include "daemon/answers.h"
#include "daemon/abort.h"
#include "daemon/agent.h"
#include "daemon/answers_holders.h"
#include "flow/around.h"
#include "text/cleanup.h"
#include "text/clock.h"
#include "host/conntrack.h"
#include "daemon/counts.h"
#include "daemon/describe.h"
#include "flow/flows.h"
#include "flow/flowtext.h"
#include "kernel/maps.h"
#include "host/netns.h"
#include "daemon/pastflows.h"
#include "daemon/records.h"
#include "daemon/share.h"
#include <errno.h>
#include <linux/netlink.h>
#include <string.h>

/* Room for so many at first, for twice as many then, or, where that is too much, for some more. */
#define FIRST_COPIES 64
#define SOME_COPIES 4096
/* Matches of one `who` whose counts the kernel is asked for. */
#define COUNTED_MAX 16

struct answer {
	struct agent *agent;
	struct share *copies; /* of all answers together, */
	struct holding held;  /* and of this one */
	struct fl_flow *flows;
	size_t count, capacity, next;
	size_t live;		/* so many of them; what ended comes behind these */
	struct pastflows *past; /* comes in between; NULL none, or no more */
	bool records;		/* of wire.h, not JSON */
	struct peer peer;
	bool counts; /* what went through those that live, when each has its turn */
	struct counts_sockets sockets;
	bool nat; /* the flows are what is behind SEEN, which was asked for */
	struct ends seen;
	bool drained; /* in this turn of its reader */
	struct pending line;
};

static void answer_free(void *arg)
{
	struct answer *a = arg;

	if (!a)
		return;
	share_give_back(&a->held);
	pastflows_free(a->past);
	counts_sockets_close(&a->sockets);
	free(a->flows);
	free(a->line.text);
	free(a);
}

static void cleanup_answer(struct answer **a)
{
	answer_free(*a);
}

static void cleanup_filter(struct filter **filter)
{
	filter_free(*filter);
}

static int answer_new(struct request *request, struct answer **ret_answer)
{
	struct answer *a = calloc(1, sizeof(*a));

	if (!a)
		return -ENOMEM;
	a->agent = request->agent;
	a->copies = request->copies;
	a->peer = request->peer;
	a->records = request->records;
	counts_sockets_init(&a->sockets);
	*ret_answer = a;
	return 0;
}

static int answer_grow(struct answer *a)
{
	size_t more = a->capacity ? a->capacity : FIRST_COPIES;
	struct fl_flow *flows;

	if (share_take(a->copies, &a->held, &a->peer, more) < 0) {
		more = SOME_COPIES;
		if (share_take(a->copies, &a->held, &a->peer, more) < 0)
			return -EBUSY;
	}
	flows = reallocarray(a->flows, a->capacity + more, sizeof(*flows));
	if (!flows)
		return -ENOMEM;
	a->flows = flows;
	a->capacity += more;
	return 0;
}

static int answer_add(struct answer *a, const struct fl_flow *flow)
{
	int r = a->count == a->capacity ? answer_grow(a) : 0;

	if (r < 0)
		return r;
	a->flows[a->count++] = *flow;
	return 0;
}

/* The ring is read (once, DRAINED) for one that has ended a moment ago. Before describe_flow(). */
static __u64 find_peer(struct agent *agent, const struct fl_flow *flow, bool *drained)
{
	__u64 id = describe_peer(agent, flow);

	if (id || *drained || !flow->key.remote_port)
		return id;
	*drained = true;
	agent_drain(agent);
	return describe_peer(agent, flow);
}

/* -EAGAIN there is none yet. */
static int next_past_line(struct answer *a)
{
	char *line = NULL;
	int r = pastflows_next(a->past, &line);

	if (r > 0)
		pending_set(&a->line, line);
	if (r != 0)
		return r;
	pastflows_free(a->past);
	a->past = NULL;
	return 0;
}

static int next_flow_line(struct answer *a)
{
	struct fl_flow *flow = &a->flows[a->next++];
	struct wire_flow record;
	struct description d;
	json_t *object;
	__u64 peer_id;

	if (a->counts)
		counts_fill_next(&a->sockets, a->agent, flow);
	if (a->records) {
		records_flow(flow, NULL, 0, &record);
		return pending_copy(&a->line, &record, sizeof(record));
	}
	peer_id = find_peer(a->agent, flow, &a->drained);
	describe_flow(a->agent, flow, &d);
	object = describe_json(a->agent, &d, peer_id, NULL);
	if (object && a->nat && json_add_nat(object, flow, &a->seen) < 0) {
		json_decref(object);
		return -ENOMEM;
	}
	pending_set(&a->line, json_line(object));
	return a->line.text ? 0 : -ENOMEM;
}

/* 1 there is a line, 0 no more, -EAGAIN none yet. */
static int next_line(struct answer *a)
{
	int r;

	if (a->past && a->next == a->live) {
		r = next_past_line(a);
		if (r != 0)
			return r;
	}
	if (a->next == a->count)
		return 0;
	r = next_flow_line(a);
	return r < 0 ? r : 1;
}

static ssize_t read_lines(void *arg, uint64_t pos, char *buf, size_t max)
{
	struct answer *a = arg;
	size_t used = 0;

	(void)pos;
	a->drained = false;
	while (used < max) {
		int r = a->line.text ? 1 : next_line(a);

		if (r == -EAGAIN)
			return (ssize_t)used;
		if (r < 0)
			return MHD_CONTENT_READER_END_WITH_ERROR;
		if (r == 0)
			break;
		used += pending_take(&a->line, buf + used, max - used);
	}
	return used ? (ssize_t)used : MHD_CONTENT_READER_END_OF_STREAM;
}

static enum MHD_Result reply_failure(struct request *request, int error)
{
	char sentence[128];

	if (error == -EBUSY)
		return reply_error(request, MHD_HTTP_SERVICE_UNAVAILABLE,
				   "too many large answers are under way: try again");
	snprintf(sentence, sizeof(sentence), "cannot read the flows: %s", strerror(-error));
	return reply_error(request, MHD_HTTP_INTERNAL_SERVER_ERROR, sentence);
}

__u64 answer_now_ns(const struct agent *agent)
{
	return clock_ns(CLOCK_BOOTTIME) + (__u64)agent->realtime_offset_ns;
}

/* --- GET /v1/flows --- */

struct listing {
	struct request *request;
	const struct filter *filter;
	struct answer *answer;
};

static int list_one(const struct fl_flow *flow, void *arg)
{
	struct listing *l = arg;
	struct description d;

	if (!peer_may_see(&l->request->peer, flow))
		return 0;
	describe_flow(l->request->agent, flow, &d);
	if (!describe_matches(l->request->agent, &d, l->filter))
		return 0;
	return answer_add(l->answer, flow);
}

static int list_all(struct listing *l)
{
	const struct agent *agent = l->request->agent;
	int r = 0;

	if (filter_wants_live(l->filter))
		r = maps_each_flow(agent->maps, list_one, l);
	l->answer->live = l->answer->count;
	if (r == 0 && filter_wants_closed(l->filter))
		r = flows_each(agent->flows, list_one, l);
	return r;
}

/* Who names a time asks the history, too. Records of wire.h cannot be made of its lines. */
static int ask_history(struct listing *l, struct filter **filter)
{
	struct agent *agent = l->request->agent;
	int r;

	if (!agent->history || l->answer->records || !filter_names_time(*filter) ||
	    !filter_wants_closed(*filter))
		return 0;
	r = pastflows_new(agent, &l->request->peer, *filter, &l->answer->past);
	if (!r)
		(void)TAKE_PTR(*filter);
	return r;
}

enum MHD_Result answer_flows(struct request *request)
{
	_cleanup_(cleanup_filter) struct filter *filter = NULL;
	_cleanup_(cleanup_answer) struct answer *answer = NULL;
	struct listing listing = { .request = request };
	char why[QUERY_WHY];
	int r;

	if (filter_new(&filter) < 0 || answer_new(request, &answer) < 0)
		return MHD_NO;
	r = query_flows(&request->query, answer_now_ns(request->agent), filter, &answer->counts,
			why);
	if (r < 0)
		return reply_error(request, MHD_HTTP_BAD_REQUEST, why);
	agent_drain(request->agent);
	listing.filter = filter;
	listing.answer = answer;
	r = list_all(&listing);
	if (!r)
		r = ask_history(&listing, &filter);
	if (r < 0)
		return reply_failure(request, r);
	return reply_lines(request, read_lines, TAKE_PTR(answer), answer_free);
}

/* --- GET and DELETE /v1/flows/ID --- */

/* Live first: an id is never reused, so at worst the recent index knows an older state of it. */
static int get_flow(struct request *request, __u64 id, struct fl_flow *ret_flow)
{
	const struct fl_flow *recent;
	int r = maps_get_flow(request->agent->maps, id, ret_flow);

	if (r == -ENOENT) {
		r = flows_get(request->agent->flows, id, &recent);
		if (r == 0)
			*ret_flow = *recent;
	}
	if (r == 0 && !peer_may_see(&request->peer, ret_flow))
		return -ENOENT;
	return r;
}

/* What both need: an id, a flow. 0, or negative after *RET was answered. */
static int find_asked(struct request *request, struct fl_flow *ret_flow, enum MHD_Result *ret)
{
	char why[QUERY_WHY];
	__u64 id;
	int r;

	r = query_none(&request->query, why);
	if (r < 0) {
		*ret = reply_error(request, MHD_HTTP_BAD_REQUEST, why);
		return r;
	}
	r = flow_id_parse(request->rest, &id);
	if (r < 0) {
		snprintf(why, sizeof(why), "'%.64s' is not a flow id", request->rest);
		*ret = reply_error(request, MHD_HTTP_BAD_REQUEST, why);
		return r;
	}
	agent_drain(request->agent);
	r = get_flow(request, id, ret_flow);
	if (r == -ENOENT) {
		snprintf(why, sizeof(why), "no flow has the id %016llx", id);
		*ret = reply_error(request, MHD_HTTP_NOT_FOUND, why);
	} else if (r < 0) {
		*ret = reply_failure(request, r);
	}
	return r;
}

enum MHD_Result answer_flow(struct request *request)
{
	enum MHD_Result result;
	struct description d;
	bool drained = false;
	struct fl_flow flow;
	__u64 peer_id;
	size_t size;
	void *bytes;

	if (find_asked(request, &flow, &result) < 0)
		return result;
	counts_fill(request->agent, &flow);
	peer_id = request->records ? 0 : find_peer(request->agent, &flow, &drained);
	describe_flow(request->agent, &flow, &d);
	if (request->records) {
		bytes = records_image(&flow, d.process, &size);
		return reply_bytes(request, WIRE_TYPE, bytes, size);
	}
	return reply_with_holders(request, &flow, describe_json(request->agent, &d, peer_id, NULL));
}

static enum MHD_Result reply_cut(struct request *request, const struct fl_flow *flow,
				 const char *note)
{
	char id[FLOW_ID_TEXT];

	if (!*note)
		return reply_empty(request, MHD_HTTP_NO_CONTENT);
	return reply_json(
		request, MHD_HTTP_OK,
		json_pack("{ss ss}", "flow_id", flow_id_format(flow->id, id), "note", note));
}

enum MHD_Result answer_abort(struct request *request)
{
	enum MHD_Result result;
	struct fl_flow flow;
	struct fail said;

	if (find_asked(request, &flow, &result) < 0)
		return result;
	switch (abort_flow(request->agent, &flow, &said)) {
	case 0:
		return reply_cut(request, &flow, said.text);
	case -ENOENT:
		return reply_error(request, MHD_HTTP_NOT_FOUND, said.text);
	case -EOPNOTSUPP:
	case -EPERM:
		return reply_error(request, MHD_HTTP_CONFLICT, said.text);
	default:
		return reply_error(request, MHD_HTTP_INTERNAL_SERVER_ERROR, said.text);
	}
}

/* --- GET /v1/who --- */

struct search {
	struct request *request;
	struct who who;
	__u64 at_ns;	    /* CLOCK_BOOTTIME, 0 = now */
	__u32 netns_inum;   /* 0 = not said */
	__u64 netns_cookie; /* of the living namespace with that inode, 0 = none or not known */
	bool has_own;	    /* some match is of the daemon's own namespace */
	struct answer *answer;
};

static bool lived_then(const struct search *s, const struct fl_flow *flow)
{
	return !s->at_ns || flow_lived_at(flow, s->at_ns);
}

static int search_add(struct search *s, const struct fl_flow *flow)
{
	if (!peer_may_see(&s->request->peer, flow) || !lived_then(s, flow))
		return 0;
	s->has_own |= flow->key.netns_cookie == s->request->agent->netns_cookie;
	return answer_add(s->answer, flow);
}

static struct fl_key search_key(const struct search *s, enum fl_proto proto)
{
	return (struct fl_key){
		.netns_cookie = s->request->agent->netns_cookie,
		.local = s->who.local,
		.remote = s->who.remote,
		.local_port = s->who.local_port,
		.remote_port = s->who.remote_port,
		.proto = proto,
	};
}

/* The whole key is known: one lookup, whatever the number of flows. */
static int search_exact(struct search *s, enum fl_proto proto)
{
	const struct agent *agent = s->request->agent;
	struct fl_key key = search_key(s, proto);
	const struct fl_flow *recent;
	struct fl_flow live;
	int r;

	r = maps_find_flow(agent->maps, &key, &live);
	if (r == 0 && lived_then(s, &live))
		return search_add(s, &live);
	if (r < 0 && r != -ENOENT)
		return r;
	r = flows_find(agent->flows, &key, s->at_ns, &recent);
	return r == 0 ? search_add(s, recent) : 0;
}

static int search_one(const struct fl_flow *flow, void *arg)
{
	struct search *s = arg;

	if (!who_matches(&s->who, flow))
		return 0;
	if (s->netns_inum && flow->netns_inum != s->netns_inum)
		return 0;
	if (s->netns_cookie && flow->key.netns_cookie != s->netns_cookie)
		return 0; /* another had the inode before */
	return search_add(s, flow);
}

static int walk_live(struct search *s)
{
	const struct maps *maps = s->request->agent->maps;
	int r = 0;

	if (!s->who.has_remote)
		return maps_each_flow(maps, search_one, s);
	for (size_t i = 0; i < s->who.proto_count && r == 0; i++) {
		struct fl_key ends = search_key(s, s->who.protos[i]);

		r = maps_each_at(maps, &ends, search_one, s);
	}
	return r;
}

/* Sockets bound to an interface and other namespaces have keys that nobody can spell from here. */
static int search_walk(struct search *s)
{
	int r = walk_live(s);

	if (r == 0 && (s->at_ns || (s->who.has_remote && !s->answer->count)))
		r = flows_each(s->request->agent->flows, search_one, s);
	return r;
}

/* No namespace was named: ours is meant, unless only others have such a flow. */
static void prefer_own(struct search *s)
{
	struct answer *a = s->answer;
	size_t kept = 0;

	if (s->netns_inum || !s->has_own)
		return;
	for (size_t i = 0; i < a->count; i++)
		if (a->flows[i].key.netns_cookie == s->request->agent->netns_cookie)
			a->flows[kept++] = a->flows[i];
	a->count = kept;
}

static int search_known(struct search *s)
{
	int r = 0;

	if (s->who.has_remote && !s->netns_inum)
		for (size_t i = 0; i < s->who.proto_count && r == 0; i++)
			r = search_exact(s, s->who.protos[i]);
	if (r == 0 && !s->answer->count)
		r = search_walk(s);
	prefer_own(s);
	return r;
}

/* --- behind NAT --- */

static bool has_live(const struct answer *a)
{
	for (size_t i = 0; i < a->count; i++)
		if (!a->flows[i].ended_ns)
			return true;
	return false;
}

/* What answers the question of BEHIND, in place of what ended ones were found. */
static int replace_ended(struct search *behind)
{
	struct answer *a = behind->answer;
	struct fl_flow *ended = a->flows;
	size_t count = a->count, capacity = a->capacity;
	int r;

	a->flows = NULL;
	a->count = a->capacity = 0;
	r = search_known(behind);
	if (!a->count || (count && !has_live(a))) {
		share_return(&a->held, a->capacity);
		free(a->flows);
		a->flows = ended;
		a->count = count;
		a->capacity = capacity;
		return r;
	}
	share_return(&a->held, capacity);
	free(ended);
	a->nat = true;
	return r;
}

/* What was asked for is one side of a NAT: the flow has the ends of the other, wherever it is. */
static int search_behind_nat(struct search *s, enum fl_proto proto)
{
	struct search behind = *s;
	struct ends other;
	int r;

	s->answer->seen = (struct ends){ s->who.local, s->who.remote, s->who.local_port,
					 s->who.remote_port };
	r = conntrack_other_side(s->netns_inum, proto, &s->answer->seen, &other);
	if (r < 0)
		return 0; /* nobody who could say: as if there were no NAT */
	behind.netns_inum = 0;
	behind.netns_cookie = 0;
	behind.has_own = false;
	behind.who.proto_count = 1;
	behind.who.protos[0] = proto;
	behind.who.local = other.local;
	behind.who.local_port = other.local_port;
	behind.who.remote = other.remote;
	behind.who.remote_port = other.remote_port;
	return replace_ended(&behind);
}

/* Nobody has it now; conntrack knows sessions, and only those of now. */
static bool asks_conntrack(const struct search *s)
{
	return s->who.has_remote && !s->at_ns && !has_live(s->answer);
}

static int search_all(struct search *s)
{
	int r = search_known(s);

	for (size_t i = 0; i < s->who.proto_count && r == 0 && asks_conntrack(s); i++)
		r = search_behind_nat(s, s->who.protos[i]);
	for (size_t i = 0; r == 0 && i < s->answer->count && i < COUNTED_MAX; i++)
		counts_fill(s->request->agent, &s->answer->flows[i]);
	return r;
}

/* --- whose namespace --- */

static int look_inside(const char *path, __u32 inum, void *arg)
{
	struct search *s = arg;
	_close_ int fd = -1;

	if (inum != s->netns_inum)
		return 0;
	return netns_socket(path, NETLINK_SOCK_DIAG, &fd, &s->netns_cookie) == 0;
}

/* An inode is used again at once; who asks for one means the namespace that has it now. */
static void search_living(struct search *s)
{
	(void)netns_each(look_inside, s);
	if (!s->netns_cookie)
		(void)maps_netns_cookie(s->request->agent->maps, s->netns_inum, &s->netns_cookie);
}

static int search_parse(struct search *s, char why[QUERY_WHY])
{
	const struct agent *agent = s->request->agent;
	int r = query_who(&s->request->query, answer_now_ns(agent), &s->who, why);

	if (r < 0)
		return r;
	if (s->who.at_ns)
		s->at_ns = s->who.at_ns - (__u64)agent->realtime_offset_ns;
	if (s->who.netns && netns_parse(s->who.netns, &s->netns_inum) < 0) {
		snprintf(why, QUERY_WHY, "netns: there is no network namespace '%.64s'",
			 s->who.netns);
		return -EINVAL;
	}
	if (s->netns_inum)
		search_living(s);
	return 0;
}

enum MHD_Result answer_who(struct request *request)
{
	_cleanup_(cleanup_answer) struct answer *answer = NULL;
	struct search search = { .request = request };
	char why[QUERY_WHY];
	int r;

	if (answer_new(request, &answer) < 0)
		return MHD_NO;
	search.answer = answer;
	if (search_parse(&search, why) < 0)
		return reply_error(request, MHD_HTTP_BAD_REQUEST, why);
	agent_drain(request->agent);
	r = search_all(&search);
	if (r < 0)
		return reply_failure(request, r);
	if (!answer->count)
		return reply_error(request, MHD_HTTP_NOT_FOUND, "nobody owns such a connection");
	return reply_lines(request, read_lines, TAKE_PTR(answer), answer_free);
}

/* --- GET /v1/session --- */

/* No namespace was named: ours. */
static int session_key(const struct agent *agent, const struct session_question *q,
		       struct fl_key *ret_key, char why[QUERY_WHY])
{
	__u32 inum;

	*ret_key = q->key;
	if (!q->netns && !q->key.netns_cookie)
		ret_key->netns_cookie = agent->netns_cookie;
	if (!q->netns)
		return 0;
	if (netns_parse(q->netns, &inum) == 0 &&
	    maps_netns_cookie(agent->maps, inum, &ret_key->netns_cookie) == 0)
		return 0;
	snprintf(why, QUERY_WHY, "netns: the cookie of '%.64s' is not known here: say it",
		 q->netns);
	return -EINVAL;
}

/* What lives first: a flow that ends meanwhile is among the ended ones then, and never nowhere. */
static int session_around(struct request *request, const struct fl_key *key, __u64 around_ns,
			  struct answer *answer)
{
	struct around around = { 0 };
	struct fl_flow live;
	int r;

	r = maps_find_flow(request->agent->maps, key, &live);
	if (r == 0)
		around_add(&around, &live, around_ns);
	agent_drain(request->agent);
	flows_around(request->agent->flows, key, around_ns, &around);
	if (r == -ENOENT)
		r = 0;
	if (r == 0 && around.has_before && peer_may_see(&request->peer, &around.before))
		r = answer_add(answer, &around.before);
	if (r == 0 && around.has_after && peer_may_see(&request->peer, &around.after))
		r = answer_add(answer, &around.after);
	return r;
}

/* Inode of the namespace the question is about, 0 our own. -ENOENT it is not known here. */
static int session_inum(const struct agent *agent, const struct fl_key *key, __u32 *ret_inum)
{
	*ret_inum = 0;
	if (key->netns_cookie == agent->netns_cookie)
		return 0;
	return maps_netns_inum(agent->maps, key->netns_cookie, ret_inum);
}

static int session_behind_nat(struct request *request, const struct fl_key *key,
			      struct answer *answer)
{
	struct search s = {
		.request = request,
		.who = { .local = key->local,
			 .local_port = key->local_port,
			 .has_remote = key->remote_port != 0,
			 .remote = key->remote,
			 .remote_port = key->remote_port },
		.answer = answer,
	};

	if (!asks_conntrack(&s) || session_inum(request->agent, key, &s.netns_inum) < 0)
		return 0;
	return search_behind_nat(&s, key->proto);
}

enum MHD_Result answer_session(struct request *request)
{
	_cleanup_(cleanup_answer) struct answer *answer = NULL;
	struct session_question question;
	char why[QUERY_WHY];
	struct fl_key key;
	int r;

	if (answer_new(request, &answer) < 0)
		return MHD_NO;
	if (query_session(&request->query, &question, why) < 0 ||
	    session_key(request->agent, &question, &key, why) < 0)
		return reply_error(request, MHD_HTTP_BAD_REQUEST, why);
	r = session_around(request, &key, question.around_ns, answer);
	if (r == 0 && question.now)
		r = session_behind_nat(request, &key, answer);
	if (r < 0)
		return reply_failure(request, r);
	if (!answer->count)
		return reply_error(request, MHD_HTTP_NOT_FOUND, "nobody owns such a session");
	return reply_lines(request, read_lines, TAKE_PTR(answer), answer_free);
}
