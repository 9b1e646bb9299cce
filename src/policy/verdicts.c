/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A table of what was told lately, in sets of a few places: when a set is full, the entry that was
 * begun first tells what it has and leaves.
 */
#include "policy/verdicts.h"
#include "text/cleanup.h"

#include <errno.h>
#include <string.h>

#define SETS 256
#define WAYS 8

/* What makes two verdicts the same. No holes: it is hashed and compared as bytes. */
struct kind {
	__u64 generation, tag, netns_cookie;
	struct fl_proc_key process;
	struct fl_addr addr; /* of the other end; where there is none yet, of this one */
	__u32 hook, proto;
	__u32 port; /* of the service */
	__u32 verdict;
	__u32 enforced, failed;
	__u32 redirected, port_in_use;
	__u64 again;
};

struct entry {
	struct kind kind;
	struct verdict last; /* count: not told yet */
	__u64 since_ns;	     /* of the last telling; 0 = free */
};

struct verdicts {
	verdicts_fn fn;
	void *arg;
	__u64 counted[FL_HOOKS][FL_PROCEED_HARD + 1][2];
	__u64 redirected[FL_HOOKS][2];
	bool holds; /* an entry may be in the table */
	struct entry table[SETS][WAYS];
};

int verdicts_new(verdicts_fn fn, void *arg, struct verdicts **ret_verdicts)
{
	struct verdicts *v = calloc(1, sizeof(*v));

	if (!v)
		return -ENOMEM;
	v->fn = fn;
	v->arg = arg;
	*ret_verdicts = v;
	return 0;
}

void verdicts_free(struct verdicts *v)
{
	free(v);
}

/* --- the same or not --- */

/* Who wants in comes from a port of the moment; where a socket is bound, there is no other end. */
static void place_of(const struct fl_attempt *a, struct kind *k)
{
	bool out = a->hook == FL_HOOK_CONNECT || a->hook == FL_HOOK_CONNECT_AUTHORIZATION;

	k->addr = out || a->hook == FL_HOOK_RECV_ACCEPT ? a->key.remote : a->key.local;
	k->port = out ? a->key.remote_port : a->key.local_port;
}

static struct kind kind_of(const struct verdict *v)
{
	const struct fl_attempt *a = &v->attempt;
	struct kind k;

	memset(&k, 0, sizeof(k));
	k.generation = v->generation;
	k.tag = v->tag;
	k.netns_cookie = a->key.netns_cookie;
	k.process = a->owner.proc;
	k.hook = a->hook;
	k.proto = a->key.proto;
	k.verdict = v->verdict;
	k.enforced = v->enforced;
	k.failed = v->failed;
	k.redirected = v->redirected;
	k.port_in_use = fl_port_in_use(a);
	k.again = v->again;
	place_of(a, &k);
	return k;
}

static size_t set_of(const struct kind *k)
{
	const unsigned char *bytes = (const unsigned char *)k;
	__u64 hash = 0xcbf29ce484222325ull; /* FNV-1a */

	for (size_t i = 0; i < sizeof(*k); i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3ull;
	return (hash ^ hash >> 32) % SETS;
}

/* --- telling --- */

/* From here on a new window. */
static void tell(struct verdicts *v, struct entry *e, __u64 now_ns)
{
	v->fn(v->arg, &e->last);
	e->last.count = 0;
	e->since_ns = now_ns;
}

static void leave(struct verdicts *v, struct entry *e)
{
	if (e->last.count)
		tell(v, e, e->last.time_ns);
	e->since_ns = 0;
}

/* The entry of K, or a place for it. */
static struct entry *find(struct verdicts *v, const struct kind *k)
{
	struct entry *set = v->table[set_of(k)], *oldest = set;

	for (struct entry *e = set; e < set + WAYS; e++) {
		if (e->since_ns && memcmp(&e->kind, k, sizeof(*k)) == 0)
			return e;
		if (e->since_ns < oldest->since_ns)
			oldest = e;
	}
	if (oldest->since_ns)
		leave(v, oldest);
	return oldest;
}

static void take_one(struct verdicts *v, const struct verdict *news)
{
	struct kind k = kind_of(news);
	struct entry *e = find(v, &k);
	bool first = !e->since_ns;
	__u64 count = first ? 0 : e->last.count;

	if (news->redirected)
		v->redirected[k.hook][news->enforced]++;
	else
		v->counted[k.hook][k.verdict][news->enforced]++;
	e->kind = k;
	e->last = *news;
	e->last.count = count + 1;
	v->holds = true;
	if (first || news->time_ns - e->since_ns >= VERDICTS_WINDOW_NS)
		tell(v, e, news->time_ns);
}

static bool matters(const struct verdict *v)
{
	return v->redirected || v->verdict != FL_PROCEED_SOFT;
}

/* An attempt may have met a rule that is enforced and one in audit: two verdicts. */
void verdicts_take(struct verdicts *v, const struct fl_verdict_event *e)
{
	const struct fl_said *said = &e->said;
	struct verdict news = { .attempt = e->attempt,
				.time_ns = e->time_ns,
				.again = e->attempt.known & FL_KNOWN_AGAIN };

	if (e->attempt.hook >= FL_HOOKS)
		return;
	news.verdict = fl_verdict_of(said->verdict);
	news.enforced = true;
	news.failed = said->flags & FL_VERDICT_FAILED;
	if (news.failed) {
		news.enforced = news.verdict == FL_REJECT;
		take_one(v, &news);
		return;
	}
	news.generation = said->generation;
	news.tag = said->tag;
	news.redirected = said->flags & FL_VERDICT_REDIRECTS;
	if (said->flags & FL_VERDICT_ENFORCED && matters(&news))
		take_one(v, &news);
	news.verdict = fl_verdict_of(said->audit_verdict);
	news.tag = said->audit_tag;
	news.enforced = false;
	news.redirected = said->flags & FL_VERDICT_AUDIT_REDIRECTS;
	if (said->flags & FL_VERDICT_AUDITED && matters(&news))
		take_one(v, &news);
}

void verdicts_expire(struct verdicts *v, __u64 now_ns)
{
	struct entry *table = &v->table[0][0];
	bool holds = false;

	for (struct entry *e = table; v->holds && e < table + (size_t)SETS * WAYS; e++) {
		if (e->since_ns && now_ns >= e->since_ns + VERDICTS_WINDOW_NS) {
			if (e->last.count)
				tell(v, e, now_ns);
			else
				e->since_ns = 0;
		}
		holds |= e->since_ns != 0;
	}
	v->holds = holds;
}

void verdicts_flush(struct verdicts *v)
{
	struct entry *table = &v->table[0][0];

	for (struct entry *e = table; e < table + (size_t)SETS * WAYS; e++)
		leave(v, e);
	v->holds = false;
}

__u64 verdicts_counted(const struct verdicts *v, enum fl_hook hook, enum fl_verdict verdict,
		       bool enforced)
{
	return v->counted[hook][verdict][enforced];
}

__u64 verdicts_redirected(const struct verdicts *v, enum fl_hook hook, bool enforced)
{
	return v->redirected[hook][enforced];
}
