/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ledger against itself: every session of a local connection has its mirror image, owned by
 * somebody who says the same about the endpoints; cookies are unique; times are in order.
 */
#include "check.h"

#include "text/cleanup.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

static int compare_bytes(const struct ep *a, const struct ep *b)
{
	int r = memcmp(&a->ip, &b->ip, sizeof(a->ip));

	return r ? r : (int)a->port - (int)b->port;
}

struct end {
	const struct session *s;
	const struct ep *near, *far; /* of a canonical order, so that mirrors sort together */
};

static int compare_ends(const void *x, const void *y)
{
	const struct end *a = x, *b = y;
	int r = (int)a->s->proto - (int)b->s->proto;

	/* One stage makes both ends; namespaces may differ. */
	if (!r)
		r = (a->s->scenario > b->s->scenario) - (a->s->scenario < b->s->scenario);
	if (!r)
		r = (int)a->s->family - (int)b->s->family;
	if (!r)
		r = (int)a->s->n - (int)b->s->n;
	if (!r)
		r = compare_bytes(a->near, b->near);
	return r ? r : compare_bytes(a->far, b->far);
}

static int compare_cookies(const void *x, const void *y)
{
	const struct end *a = x, *b = y;

	return (a->s->cookie > b->s->cookie) - (a->s->cookie < b->s->cookie);
}

static int complain(const struct names *names, const struct session *s, const char *what)
{
	fprintf(stderr, "self-check: %s: ", what);
	report_session(stderr, names, s);
	return 1;
}

static int check_times(const struct names *names, const struct session *s)
{
	if (s->opened[0] > s->opened[1] || s->opened[1] > now_ns())
		return complain(names, s, "opening times");
	if (s->closed[1] && (s->closed[0] < s->opened[1] || s->closed[0] > s->closed[1]))
		return complain(names, s, "closing times");
	return 0;
}

static int check_one(const struct names *names, const struct session *s)
{
	const struct image *im = image_at(s->image);
	int bad = check_times(names, s);

	if (im->pid <= 0 || !im->start_ticks || !im->exe[0] || !s->comm[0])
		bad += complain(names, s, "owner incomplete");
	if (!s->cookie && !(s->flags & T_NO_COOKIE))
		bad += complain(names, s, "no cookie");
	if (s->role == ROLE_LISTENER && s->has_remote)
		bad += complain(names, s, "listener with a remote end");
	if (s->role != ROLE_LISTENER && s->role != ROLE_USER && !s->has_remote)
		bad += complain(names, s, "no remote end");
	if (!s->local.port && !(s->flags & T_NO_MIRROR))
		bad += complain(names, s, "no local port");
	return bad;
}

/* Ends of one pair of endpoints: as many look one way as the other. */
static int check_mirrors(const struct names *names, const struct end *e, size_t count)
{
	int bad = 0;

	for (size_t i = 0, next; i < count; i = next) {
		long balance = 0;

		for (next = i; next < count && !compare_ends(&e[i], &e[next]); next++)
			balance += e[next].near == &e[next].s->local ? 1 : -1;
		if (balance)
			bad += complain(names, e[i].s, "no mirror image");
	}
	return bad;
}

static int check_cookies(const struct names *names, const struct end *e, size_t count)
{
	int bad = 0;

	for (size_t i = 1; i < count; i++)
		if (e[i].s->cookie == e[i - 1].s->cookie)
			bad += complain(names, e[i].s, "two first sessions of one socket");
	return bad;
}

int check_ledger(const struct names *names)
{
	uint32_t total = atomic_load(&ledger->sessions);
	_free_ struct end *mirrored = calloc(total + 1, sizeof(*mirrored));
	_free_ struct end *first = calloc(total + 1, sizeof(*first));
	size_t mirrors = 0, firsts = 0;
	int bad = 0;

	if (!mirrored || !first)
		return -ENOMEM;
	for (uint32_t i = 0; i < total; i++) {
		const struct session *s = session_at(i);
		bool swap = compare_bytes(&s->local, &s->remote) > 0;

		if (atomic_load(&s->state) == SLOT_CLAIMED)
			continue; /* withdrawn */
		bad += check_one(names, s);
		if (s->has_remote && !(s->flags & T_NO_MIRROR))
			mirrored[mirrors++] = (struct end){ s, swap ? &s->remote : &s->local,
							    swap ? &s->local : &s->remote };
		if (s->cookie && !(s->flags & T_NUMBERED))
			first[firsts++] = (struct end){ .s = s };
	}
	qsort(mirrored, mirrors, sizeof(*mirrored), compare_ends);
	qsort(first, firsts, sizeof(*first), compare_cookies);
	bad += check_mirrors(names, mirrored, mirrors) + check_cookies(names, first, firsts);
	fprintf(stderr, "self-check: %u sessions, %zu with a mirror image, %d complaints\n", total,
		mirrors, bad);
	return bad ? -EINVAL : 0;
}
