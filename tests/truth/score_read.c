/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading the truth and the report. A line that is no JSON object is an error, never ignored. */
#include "score.h"

#include <arpa/inet.h>
#include "text/cleanup.h"
#include <errno.h>
#include <string.h>
#include <time.h>

#define SECOND_NS 1000000000LL

static const char *text(const json_t *o, const char *name)
{
	return json_string_value(json_object_get(o, name));
}

static json_t *below(const json_t *o, const char *a, const char *b)
{
	return json_object_get(json_object_get(o, a), b);
}

/* A number, or digits in a string. */
static long long number(const json_t *v, long long absent)
{
	if (json_is_integer(v))
		return json_integer_value(v);
	return json_is_string(v) ? strtoll(json_string_value(v), NULL, 10) : absent;
}

static uint64_t unsigned_text(const json_t *v, int base)
{
	if (json_is_integer(v))
		return (uint64_t)json_integer_value(v);
	return json_is_string(v) ? strtoull(json_string_value(v), NULL, base) : 0;
}

static void read_ep(const json_t *o, struct score_ep *ret_ep)
{
	const char *ip = text(o, "ip");
	struct in_addr v4;

	memset(ret_ep, 0, sizeof(*ret_ep));
	ret_ep->port = (uint16_t)number(json_object_get(o, "port"), 0);
	if (!ip)
		return;
	if (inet_pton(AF_INET, ip, &v4) != 1) {
		inet_pton(AF_INET6, ip, &ret_ep->ip);
		return;
	}
	ret_ep->ip.s6_addr[10] = ret_ep->ip.s6_addr[11] = 0xff;
	memcpy(&ret_ep->ip.s6_addr[12], &v4, 4);
}

/* An any-address with port 0 is no remote end, however it was spelled. */
static void canonical(struct score_key *key)
{
	static const struct in6_addr v4_any = { .s6_addr = { [10] = 0xff, [11] = 0xff } };

	if (!key->remote.port && !memcmp(&key->remote.ip, &v4_any, sizeof(v4_any)))
		memset(&key->remote, 0, sizeof(key->remote));
}

static int proto_of(const char *name)
{
	if (!name)
		return 0;
	return !strcmp(name, "tcp") ? IPPROTO_TCP : !strcmp(name, "udp") ? IPPROTO_UDP : 0;
}

/* "2026-01-02T03:04:05.678901234Z" to ns since 1970; 0 when absent or no time. */
static int64_t wall_ns(const char *stamp)
{
	struct tm tm = { 0 };
	const char *p = stamp ? strptime(stamp, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
	int64_t ns = 0, unit = SECOND_NS / 10;

	if (!p)
		return 0;
	if (*p == '.')
		for (p++; *p >= '0' && *p <= '9'; p++, unit /= 10)
			ns += (*p - '0') * unit;
	return *p == 'Z' ? (int64_t)timegm(&tm) * SECOND_NS + ns : 0;
}

static bool flag(const json_t *o, const char *name)
{
	json_t *list = json_object_get(o, "flags"), *v;
	size_t i;

	json_array_foreach (list, i, v)
		if (!strcmp(json_string_value(v), name))
			return true;
	return false;
}

struct meta {
	int64_t offset_ns;
	int64_t tick_ns;
};

static void read_session_owner(struct session *s, const struct meta *meta)
{
	json_t *owner = json_object_get(s->json, "owner");

	s->pid = number(json_object_get(owner, "pid"), -1);
	s->uid = number(json_object_get(owner, "uid"), -1);
	s->gid = number(json_object_get(owner, "gid"), -1);
	s->comm = text(owner, "comm");
	s->exe = text(owner, "exe");
	s->tick_ns = meta->tick_ns;
	s->start_wall_ns = meta->offset_ns +
			   number(json_object_get(owner, "start_ticks"), 0) * meta->tick_ns;
}

static int read_session(struct session *s, json_t *line, const struct meta *meta)
{
	json_t *opened = json_object_get(line, "opened");

	*s = (struct session){ .json = line };
	s->scenario = text(line, "scenario");
	s->family = text(line, "family");
	s->key.proto = proto_of(text(line, "proto"));
	read_ep(json_object_get(line, "local"), &s->key.local);
	read_ep(json_object_get(line, "remote"), &s->key.remote);
	s->key.ifindex = (uint32_t)number(json_object_get(line, "ifindex"), 0);
	canonical(&s->key);
	s->has_cookie = json_object_get(line, "cookie");
	s->cookie = unsigned_text(json_object_get(line, "cookie"), 16);
	s->netns_cookie = unsigned_text(json_object_get(line, "netns_cookie"), 10);
	s->netns = number(json_object_get(line, "netns"), -1);
	s->role = text(line, "role");
	s->reason = text(line, "reason");
	read_session_owner(s, meta);
	for (size_t i = 0; i < 2; i++)
		s->opened_wall_ns[i] = meta->offset_ns + number(json_array_get(opened, i), 0);
	s->handed_over = json_is_true(json_object_get(line, "accept_null_handed_over"));
	s->numbered = flag(line, "numbered");
	s->optional = flag(line, "optional");
	s->pre = flag(line, "pre");
	s->not_accepted = flag(line, "not_accepted");
	s->any_holder = flag(line, "any_holder");
	if (!s->scenario || !s->family || !s->role || !s->comm || !s->exe || !s->key.proto ||
	    s->pid <= 0)
		return -EINVAL;
	return 0;
}

static int read_note(struct score_note *n, json_t *line)
{
	*n = (struct score_note){ .json = line,
				  .scenario = text(line, "scenario"),
				  .family = text(line, "family"),
				  .what = "skipped",
				  .why = text(line, "skipped") };
	if (!n->why) {
		n->what = "failed";
		n->why = text(line, "failed");
	}
	return n->scenario && n->family && n->why ? 0 : -EINVAL;
}

/* Room for one more; the old array stays valid on failure. */
static int grow(void **array, size_t count, size_t size)
{
	void *bigger;

	if (count & (count - 1)) /* capacity is the next power of two */
		return 0;
	bigger = realloc(*array, (count ? count * 2 : 1) * size);
	if (!bigger)
		return -ENOMEM;
	*array = bigger;
	return 0;
}

/* Lines stay alive until score_free(): texts point into them. */
static int keep(struct score *sc, json_t *line)
{
	int r = grow((void **)&sc->lines, sc->line_count, sizeof(json_t *));

	if (r < 0)
		json_decref(line);
	else
		sc->lines[sc->line_count++] = line;
	return r;
}

void score_free(struct score *sc)
{
	for (size_t i = 0; i < sc->line_count; i++)
		json_decref(sc->lines[i]);
	free(sc->lines);
	free(sc->sessions);
	free(sc->flows);
	free(sc->notes);
	free(sc->netns);
	*sc = (struct score){ 0 };
}

static int truth_line(struct score *sc, json_t *line, struct meta *meta)
{
	json_t *m = json_object_get(line, "meta");
	int r;

	if (m) {
		meta->offset_ns = number(json_object_get(m, "realtime_offset_ns"), 0);
		meta->tick_ns = SECOND_NS / number(json_object_get(m, "clk_tck"), 100);
		return 0;
	}
	if (!json_object_get(line, "owner")) {
		r = grow((void **)&sc->notes, sc->note_count, sizeof(*sc->notes));
		return r < 0 ? r : read_note(&sc->notes[sc->note_count++], line);
	}
	r = grow((void **)&sc->sessions, sc->session_count, sizeof(*sc->sessions));
	return r < 0 ? r : read_session(&sc->sessions[sc->session_count++], line, meta);
}

static void read_flow(struct flow *f, json_t *line)
{
	json_t *fl = json_object_get(line, "flowner");

	f->json = line;
	f->key.proto = proto_of(json_string_value(below(line, "network", "transport")));
	read_ep(json_object_get(fl, "local"), &f->key.local);
	read_ep(json_object_get(fl, "remote"), &f->key.remote);
	f->key.ifindex = (uint32_t)number(json_object_get(fl, "ifindex"), 0);
	canonical(&f->key);
	f->netns_cookie = unsigned_text(json_object_get(fl, "netns_cookie"), 10);
	f->reason = json_string_value(below(line, "event", "reason"));
	f->opened_wall_ns = wall_ns(json_string_value(below(line, "event", "start")));
	if (json_object_get(fl, "opened_before"))
		f->opened_wall_ns = 0;
}

static void read_owner(struct flow *f, json_t *line)
{
	json_t *fl = json_object_get(line, "flowner"), *accepted = json_object_get(fl, "accepted");

	f->role = text(fl, "role");
	f->comm = json_string_value(below(line, "process", "name"));
	f->exe = json_string_value(below(line, "process", "executable"));
	f->pid = number(below(line, "process", "pid"), -1);
	f->uid = number(below(line, "user", "id"), -1);
	f->gid = number(json_object_get(below(line, "user", "group"), "id"), -1);
	f->start_wall_ns = wall_ns(json_string_value(below(line, "process", "start")));
	f->accepted = accepted ? json_is_true(accepted) : -1;
}

/*
 * One flow may come as several events and once more in a list. A close or a list entry decides;
 * an accept that comes after it changes the owner and nothing else.
 */
static void merge(struct flow *f, json_t *line)
{
	const char *action = json_string_value(below(line, "event", "action"));
	bool closing = action && (!strcmp(action, "close") || !strcmp(action, "unlisten"));

	if (!action || closing) {
		read_flow(f, line);
		read_owner(f, line);
		f->final = true;
		f->ended = closing || below(line, "event", "end");
	} else if (!strcmp(action, "accept")) {
		if (!f->final)
			read_flow(f, line);
		read_owner(f, line);
		f->json = line;
	} else if (!f->final && strcmp(action, "user")) {
		read_flow(f, line);
		read_owner(f, line);
	}
}

struct reader {
	struct score *sc;
	struct meta meta;
};

static int compare_flows(const void *x, const void *y)
{
	const struct flow *a = x, *b = y;

	return (a->id > b->id) - (a->id < b->id);
}

/* Equal ids are neighbours and, by the order index in .pid, still in the order they came. */
static int compare_arrivals(const void *x, const void *y)
{
	const struct flow *a = x, *b = y;
	int r = compare_flows(a, b);

	return r ? r : (a->pid > b->pid) - (a->pid < b->pid);
}

static int report_line(struct score *sc, json_t *line)
{
	const char *id = text(json_object_get(line, "flowner"), "flow_id");
	const char *action = json_string_value(below(line, "event", "action"));
	int r;

	if (action && !strcmp(action, "lost"))
		sc->lost_lines++;
	r = grow((void **)&sc->flows, sc->flow_count, sizeof(*sc->flows));
	if (r < 0)
		return r;
	/* .pid carries the order of arrival until join_flows() */
	sc->flows[sc->flow_count] = (struct flow){ .json = line,
						   .id = id ? strtoull(id, NULL, 16) : 0,
						   .pid = (long long)sc->flow_count };
	sc->flow_count++;
	return 0;
}

/* Lines of one id become one flow; those without an id (lost, resync) are left behind. */
static int join_flows(struct score *sc)
{
	size_t kept = 0;
	struct flow *f = NULL;

	if (sc->flow_count)
		qsort(sc->flows, sc->flow_count, sizeof(*sc->flows), compare_arrivals);
	for (size_t i = 0; i < sc->flow_count; i++) {
		json_t *line = sc->flows[i].json;
		uint64_t id = sc->flows[i].id;

		if (!id)
			continue;
		if (!f || f->id != id) {
			f = &sc->flows[kept++];
			*f = (struct flow){
				.id = id, .pid = -1, .uid = -1, .gid = -1, .accepted = -1
			};
		}
		merge(f, line);
	}
	sc->flow_count = kept;
	return 0;
}

static int each_line(const char *path, int (*fn)(struct reader *rd, json_t *line),
		     struct reader *rd, const char **ret_why)
{
	static char why[256];
	_fclose_ FILE *in = fopen(path, "re");
	_free_ char *buf = NULL;
	size_t size = 0, lineno = 0;
	json_error_t error;
	ssize_t len;
	int r = 0;

	*ret_why = why;
	snprintf(why, sizeof(why), "cannot open");
	if (!in)
		return -errno;
	while (r == 0 && (len = getline(&buf, &size, in)) > 0) {
		json_t *line = NULL;

		lineno++;
		if (len == 1)
			continue;
		line = json_loadb(buf, (size_t)len, JSON_ALLOW_NUL, &error);
		r = keep(rd->sc, line);
		if (r == 0)
			r = json_is_object(line) ? fn(rd, line) : -EINVAL;
		if (r < 0)
			snprintf(why, sizeof(why), "line %zu: %s", lineno,
				 line ? "not a record" : error.text);
	}
	return r;
}

static int on_truth(struct reader *rd, json_t *line)
{
	return truth_line(rd->sc, line, &rd->meta);
}

static int on_report(struct reader *rd, json_t *line)
{
	return report_line(rd->sc, line);
}

int score_read_truth(struct score *sc, const char *path, const char **ret_why)
{
	struct reader rd = { .sc = sc, .meta = { .tick_ns = SECOND_NS / 100 } };

	return each_line(path, on_truth, &rd, ret_why);
}

int score_read_report(struct score *sc, const char *path, const char **ret_why)
{
	struct reader rd = { .sc = sc };
	int r = each_line(path, on_report, &rd, ret_why);

	return r < 0 ? r : join_flows(sc);
}
