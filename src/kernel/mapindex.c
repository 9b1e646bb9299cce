/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program puts a flow into socket_to_process first and takes it out there first: an entry whose
 * flow is not there has none, however young it is. The walk over the flows comes first, so that
 * what was not seen there is asked for once more, alone.
 */
#include "kernel/mapindex.h"
#include "kernel/maps.h"
#include "text/cleanup.h"
#include "text/idset.h"

#include <errno.h>
#include <flowner/check.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* A socket without a remote end: of these several may have one key. */
struct place {
	struct fl_key key;
	__u64 id;
	__u64 opened_ns;
};

struct repair {
	const struct maps *maps;
	struct idset live;    /* flows, each with its key */
	struct idset indexed; /* of those the ones that need no entry any more */
	struct place *places; /* by key, the newest last */
	size_t count, room;
	struct mapindex_result result;
};

static void repair_release(struct repair *r)
{
	idset_release(&r->live);
	idset_release(&r->indexed);
	free(r->places);
}

static bool is_local_only(const struct fl_key *key)
{
	return !key->remote_port;
}

/* Flow and key in one word. */
static __u64 fold(__u64 id, const struct fl_key *key)
{
	return (fl_check_mix(FL_CHECK_SEED, key, sizeof(*key) / 8) ^ id) * FL_CHECK_PRIME | 1;
}

/* --- what lives --- */

static int add_place(struct repair *r, const struct fl_flow *flow)
{
	size_t room = r->room ? r->room * 2 : 64;
	struct place *places;

	if (r->count == r->room) {
		places = reallocarray(r->places, room, sizeof(*places));
		if (!places)
			return -ENOMEM;
		r->places = places;
		r->room = room;
	}
	r->places[r->count++] =
		(struct place){ .key = flow->key, .id = flow->id, .opened_ns = flow->opened_ns };
	return 0;
}

static int note_flow(const struct fl_flow *flow, void *arg)
{
	struct repair *r = arg;
	int err = idset_add(&r->live, fold(flow->id, &flow->key));

	return err || !is_local_only(&flow->key) ? err : add_place(r, flow);
}

static int by_key(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return memcmp(&x->key, &y->key, sizeof(x->key));
}

static int by_age(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	int order = by_key(a, b);

	if (order)
		return order;
	if (x->opened_ns != y->opened_ns)
		return x->opened_ns < y->opened_ns ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

/* FLOW is there now, at KEY. */
static bool lives(const struct repair *r, __u64 id, const struct fl_key *key,
		  struct fl_flow *ret_flow)
{
	return id && !maps_get_flow(r->maps, id, ret_flow) &&
	       !memcmp(&ret_flow->key, key, sizeof(*key));
}

/* Of those at KEY the newest in *RET_NEWEST, and how many there are now. */
static __u32 members(const struct repair *r, const struct fl_key *key, struct fl_flow *ret_newest)
{
	struct place like = { .key = *key };
	const struct place *p, *end;
	struct fl_flow flow;
	__u32 n = 0;

	if (!r->count)
		return 0;
	p = bsearch(&like, r->places, r->count, sizeof(like), by_key);
	end = r->places + r->count;
	while (p && p > r->places && !by_key(p - 1, &like))
		p--;
	for (; p && p < end && !by_key(p, &like); p++) {
		if (!lives(r, p->id, key, &flow))
			continue;
		*ret_newest = flow;
		n++;
	}
	return n;
}

/* --- what is shown --- */

static int sweep(struct repair *r, const struct fl_key *key, __u64 id)
{
	int swept = maps_take_connection(r->maps, key, id);

	if (swept > 0)
		r->result.orphans++;
	return swept < 0 ? swept : 0;
}

/* FLOW stands for N sockets at its key, where SHOWN was found. */
static int show(struct repair *r, const struct fl_flow *flow, __u32 n,
		const struct fl_connection *shown)
{
	int err = maps_show_connection(r->maps, flow, n, shown);

	if (!err)
		r->result.shown++;
	return err == -EAGAIN ? 0 : err;
}

static int visit_place(struct repair *r, const struct fl_key *key, const struct fl_connection *c)
{
	struct fl_flow flow, newest = { .id = 0 };
	__u32 n = members(r, key, &newest);
	bool stands = lives(r, c->flow_id, key, &flow);

	if (!n)
		return stands ? 0 : sweep(r, key, c->flow_id);
	if (stands && (c->members == n || !idset_has(&r->live, fold(c->flow_id, key))))
		return 0; /* or it came after the walk, which has not counted it */
	return show(r, stands ? &flow : &newest, n, c);
}

static int visit(const struct fl_key *key, const struct fl_connection *c, void *arg)
{
	struct repair *r = arg;
	__u64 id = fold(c->flow_id, key);
	struct fl_flow flow;
	int err;

	if (is_local_only(key)) {
		err = idset_add(&r->indexed, fold(0, key));
		return err ? err : visit_place(r, key, c);
	}
	if (idset_has(&r->live, id))
		return idset_add(&r->indexed, id);
	return lives(r, c->flow_id, key, &flow) ? 0 : sweep(r, key, c->flow_id);
}

/* --- what is not shown --- */

static int insert(struct repair *r, const struct fl_flow *flow, __u32 n)
{
	struct fl_flow again;
	int err = maps_add_connection(r->maps, flow, n);

	if (err)
		return err == -EEXIST || err == -E2BIG ? 0 : err;
	r->result.missing++;
	if (lives(r, flow->id, &flow->key, &again))
		return 0;
	err = maps_take_connection(r->maps, &flow->key, flow->id);
	return err < 0 ? err : 0;
}

static int add_missing(const struct fl_flow *flow, void *arg)
{
	struct repair *r = arg;
	struct fl_flow newest = *flow;
	__u32 n = 1;

	if (idset_has(&r->indexed,
		      is_local_only(&flow->key) ? fold(0, &flow->key) : fold(flow->id, &flow->key)))
		return 0;
	if (is_local_only(&flow->key))
		n = members(r, &flow->key, &newest);
	return n ? insert(r, &newest, n) : 0;
}

static size_t expected(const struct repair *r)
{
	size_t keys = 0;

	for (size_t i = 0; i < r->count; i++)
		keys += !i || by_key(&r->places[i - 1], &r->places[i]);
	return r->live.used - r->count + keys;
}

int mapindex_repair(const struct maps *m, struct mapindex_result *ret_result)
{
	_cleanup_(repair_release) struct repair r = { .maps = m };
	int err = maps_each_bare(m, note_flow, &r);

	if (err)
		return err;
	if (r.count)
		qsort(r.places, r.count, sizeof(*r.places), by_age);
	err = maps_each_connection(m, visit, &r);
	if (!err && (r.result.orphans || r.indexed.used < expected(&r)))
		err = maps_each_bare(m, add_missing, &r);
	if (err)
		return err;
	*ret_result = r.result;
	return 0;
}
