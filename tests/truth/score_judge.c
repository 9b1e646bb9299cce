/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pairing and judging. The first flow of a socket is found by its id alone, for that is promised to
 * be the cookie; the others by their endpoints, in the order of opening.
 */
#include "score.h"

#include <arpa/inet.h>
#include "text/cleanup.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define NUMBERED (1ULL << 63)

static int compare_ep(const struct score_ep *a, const struct score_ep *b)
{
	int r = memcmp(&a->ip, &b->ip, sizeof(a->ip));

	return r ? r : (int)a->port - (int)b->port;
}

int score_compare_keys(const struct score_key *a, const struct score_key *b)
{
	int r = a->proto - b->proto;

	if (!r)
		r = (a->ifindex > b->ifindex) - (a->ifindex < b->ifindex);
	if (!r)
		r = compare_ep(&a->local, &b->local);
	return r ? r : compare_ep(&a->remote, &b->remote);
}

static struct flow *find_id(const struct score *sc, uint64_t id)
{
	size_t low = 0, high = sc->flow_count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (sc->flows[mid].id < id)
			low = mid + 1;
		else
			high = mid;
	}
	return low < sc->flow_count && sc->flows[low].id == id ? &sc->flows[low] : NULL;
}

/* Adds "; what" to the reasons against S. */
__attribute__((format(printf, 2, 3))) static void against(struct session *s, const char *format,
							  ...)
{
	size_t len = strlen(s->why);
	va_list args;

	if (len && len < sizeof(s->why))
		len += (size_t)snprintf(s->why + len, sizeof(s->why) - len, "; ");
	if (len >= sizeof(s->why))
		return;
	va_start(args, format);
	vsnprintf(s->why + len, sizeof(s->why) - len, format, args);
	va_end(args);
}

static bool same_netns(uint64_t a, uint64_t b)
{
	return !a || !b || a == b;
}

/* What the first sessions paired said: by its number, or by its cookie. */
static const struct score_netns *find_netns(const struct score *sc, long long number,
					    uint64_t cookie)
{
	for (size_t i = 0; i < sc->netns_count; i++)
		if (sc->netns[i].number == number || sc->netns[i].cookie == cookie)
			return &sc->netns[i];
	return NULL;
}

static void learn_netns(struct score *sc, const struct session *s)
{
	uint64_t cookie = s->flow ? s->flow->netns_cookie : 0;

	if (s->netns < 0 || !cookie || find_netns(sc, s->netns, cookie))
		return;
	sc->netns[sc->netns_count++] = (struct score_netns){ s->netns, cookie };
}

/* Kernels that do not tell namespaces' cookies have them nevertheless, one for each. */
static bool fits_netns(const struct score *sc, const struct session *s, const struct flow *f)
{
	const struct score_netns *known;

	if (!same_netns(f->netns_cookie, s->netns_cookie))
		return false;
	if (s->netns < 0)
		return true;
	known = find_netns(sc, s->netns, f->netns_cookie);
	return !known || (known->number == s->netns && known->cookie == f->netns_cookie);
}

static bool same_text(const char *a, const char *b)
{
	return a && b && !strcmp(a, b);
}

/* A deleted program keeps its path: the kernel's " (deleted)" is no part of it. */
static bool same_exe(const char *a, const char *b)
{
	static const char gone[] = " (deleted)";
	size_t la, lb, lg = sizeof(gone) - 1;

	if (!a || !b)
		return false;
	la = strlen(a);
	lb = strlen(b);
	if (la > lg && !strcmp(a + la - lg, gone))
		la -= lg;
	if (lb > lg && !strcmp(b + lb - lg, gone))
		lb -= lg;
	return la == lb && !memcmp(a, b, la);
}

static bool within(int64_t value, int64_t low, int64_t high, int64_t tolerance)
{
	return value >= low - tolerance && value <= high + tolerance;
}

static const char *or_absent(const char *text)
{
	return text ? text : "absent";
}

static void judge_image(struct session *s, const struct flow *f, const struct score_rules *rules)
{
	json_t *want = json_object_get(json_object_get(s->json, "owner"), "args");
	json_t *got = json_object_get(json_object_get(f->json, "process"), "args");

	if (!f->start_wall_ns)
		against(s, "start: absent");
	else if (!within(f->start_wall_ns, s->start_wall_ns, s->start_wall_ns + s->tick_ns,
			 rules->start_tolerance_ns))
		against(s, "start: off by %.3f s",
			(double)(f->start_wall_ns - s->start_wall_ns) / 1e9);
	if (f->uid != s->uid)
		against(s, "uid: %lld, not %lld", f->uid, s->uid);
	if (f->gid >= 0 && f->gid != s->gid)
		against(s, "gid: %lld, not %lld", f->gid, s->gid);
	if (!same_text(f->comm, s->comm))
		against(s, "comm: %s, not %s", or_absent(f->comm), s->comm);
	if (!same_exe(f->exe, s->exe))
		against(s, "exe: %.100s, not %.100s", or_absent(f->exe), s->exe);
	/* Arguments may be missing (not paged in when they were read), never others'. */
	if (want && got && !json_equal(want, got))
		against(s, "args: differ");
}

static bool is_holder(const struct session *s, long long pid)
{
	json_t *list = json_object_get(s->json, "holders"), *v;
	size_t i;

	json_array_foreach (list, i, v)
		if (json_integer_value(v) == pid)
			return true;
	return false;
}

static bool role_fits(const struct session *s, const char *role)
{
	return same_text(role, s->role) || (s->pre && same_text(role, "existing"));
}

/* What must hold whoever the owner is. */
static void judge_flow(const struct score *sc, struct session *s, const struct flow *f,
		       const struct score_rules *rules)
{
	if (s->numbered && !(f->id & NUMBERED))
		against(s, "flow_id: of the socket, this is a later flow of it");
	if (f->key.proto != s->key.proto)
		against(s, "proto");
	if (compare_ep(&f->key.local, &s->key.local) && s->key.local.port)
		against(s, "local");
	if (compare_ep(&f->key.remote, &s->key.remote))
		against(s, "remote");
	if (f->key.ifindex != s->key.ifindex)
		against(s, "ifindex: %u, not %u", f->key.ifindex, s->key.ifindex);
	if (!fits_netns(sc, s, f))
		against(s, "netns_cookie");
	if (!role_fits(s, f->role))
		against(s, "role: %s, not %s", or_absent(f->role), s->role);
	if (s->reason && !same_text(f->reason, s->reason))
		against(s, "reason: %s, not %s", or_absent(f->reason), s->reason);
	if (s->not_accepted && f->accepted == 1)
		against(s, "accepted: nobody did");
	if (!rules->live && !f->ended)
		against(s, "end: absent");
}

/* Naming a true holder is the best this tier can do, and the flow does not claim more. */
static bool holder_counts(const struct session *s, const struct flow *f,
			  const struct score_rules *rules)
{
	if (s->handed_over && rules->lowest && !rules->accept_syscall)
		return true;
	if (rules->no_first_use && f->key.proto == IPPROTO_UDP && f->accepted == 0)
		return true;
	return s->any_holder;
}

static enum score_verdict judge(const struct score *sc, struct session *s,
				const struct score_rules *rules)
{
	const struct flow *f = s->flow;

	judge_flow(sc, s, f, rules);
	if (f->pid != s->pid && holder_counts(s, f, rules) && is_holder(s, f->pid))
		return s->why[0] ? SCORE_WRONG : SCORE_HOLDER;
	if (f->pid < 0)
		against(s, "pid: absent");
	else if (f->pid != s->pid)
		against(s, "pid: %lld, not %lld", f->pid, s->pid);
	judge_image(s, f, rules);
	return s->why[0] ? SCORE_WRONG : SCORE_RIGHT;
}

/* A flow that was opened and never closed is not yet an answer. */
static bool usable(const struct flow *f, const struct score_rules *rules)
{
	return f && !f->claimed && (f->final || rules->live);
}

static void claim(struct session *s, struct flow *f)
{
	s->flow = f;
	f->claimed = true;
}

static void pair_by_id(struct score *sc, const struct score_rules *rules)
{
	for (size_t i = 0; i < sc->session_count; i++) {
		struct session *s = &sc->sessions[i];
		struct flow *f;

		if (s->numbered || !s->has_cookie || !s->cookie)
			continue;
		f = find_id(sc, s->cookie);
		if (usable(f, rules))
			claim(s, f);
		else if (f)
			against(s, f->claimed ? "its flow answers for another session"
					      : "opened but never closed");
		if (f)
			f->claimed = true;
	}
}

static int compare_open(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

/* By the later time: accept() knows no earlier one. */
static int by_key_session(const void *x, const void *y)
{
	const struct session *a = *(struct session *const *)x, *b = *(struct session *const *)y;
	int r = score_compare_keys(&a->key, &b->key);

	return r ? r : compare_open(a->opened_wall_ns[1], b->opened_wall_ns[1]);
}

static int by_key_flow(const void *x, const void *y)
{
	const struct flow *a = *(struct flow *const *)x, *b = *(struct flow *const *)y;
	int r = score_compare_keys(&a->key, &b->key);

	return r ? r : compare_open(a->opened_wall_ns, b->opened_wall_ns);
}

static bool opened_then(const struct session *s, const struct flow *f,
			const struct score_rules *rules)
{
	return !f->opened_wall_ns || within(f->opened_wall_ns, s->opened_wall_ns[0],
					    s->opened_wall_ns[1], rules->open_tolerance_ns);
}

/* Both lists sorted by endpoints and opening: the first free flow that fits is the one. */
static void pair_sorted(const struct score *sc, struct session **s, size_t sessions,
			struct flow **f, size_t flows, const struct score_rules *rules)
{
	size_t from = 0;

	for (size_t i = 0; i < sessions; i++) {
		while (from < flows && score_compare_keys(&f[from]->key, &s[i]->key) < 0)
			from++;
		for (size_t j = from; j < flows && !score_compare_keys(&f[j]->key, &s[i]->key);
		     j++) {
			if (f[j]->claimed || !fits_netns(sc, s[i], f[j]) ||
			    !opened_then(s[i], f[j], rules))
				continue;
			claim(s[i], f[j]);
			break;
		}
	}
}

static void pair_by_key(struct score *sc, const struct score_rules *rules)
{
	_free_ struct session **s = calloc(sc->session_count + 1, sizeof(struct session *));
	_free_ struct flow **f = calloc(sc->flow_count + 1, sizeof(struct flow *));
	size_t sessions = 0, flows = 0;

	if (!s || !f)
		abort();
	for (size_t i = 0; i < sc->session_count; i++)
		if (sc->sessions[i].numbered || !sc->sessions[i].has_cookie ||
		    !sc->sessions[i].cookie)
			s[sessions++] = &sc->sessions[i];
	for (size_t i = 0; i < sc->flow_count; i++)
		if (usable(&sc->flows[i], rules))
			f[flows++] = &sc->flows[i];
	qsort(s, sessions, sizeof(struct session *), by_key_session);
	qsort(f, flows, sizeof(struct flow *), by_key_flow);
	pair_sorted(sc, s, sessions, f, flows, rules);
}

void score_judge(struct score *sc, const struct score_rules *rules)
{
	sc->netns = calloc(sc->session_count + 1, sizeof(*sc->netns));
	if (!sc->netns)
		abort();
	pair_by_id(sc, rules);
	for (size_t i = 0; i < sc->session_count; i++)
		learn_netns(sc, &sc->sessions[i]);
	pair_by_key(sc, rules);
	for (size_t i = 0; i < sc->session_count; i++) {
		struct session *s = &sc->sessions[i];

		if (s->flow)
			s->verdict = judge(sc, s, rules);
		else
			s->verdict = s->optional ? SCORE_ABSENT : SCORE_MISSING;
	}
}

bool score_is_extra(const struct score *sc, const struct score_rules *rules, const struct flow *f)
{
	if (f->claimed || f->pid < 0)
		return false;
	for (size_t i = 0; i < sc->session_count; i++) {
		const struct session *s = &sc->sessions[i];

		if (s->pid == f->pid &&
		    within(f->start_wall_ns, s->start_wall_ns, s->start_wall_ns + s->tick_ns,
			   rules->start_tolerance_ns))
			return true;
	}
	return false;
}
