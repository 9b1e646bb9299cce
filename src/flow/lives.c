/* SPDX-License-Identifier: BSD-2-Clause */
#include "flow/lives.h"
#include "flow/around.h"

#include <stdbool.h>
#include <string.h>

static struct life *life(const struct lives *l, __u32 at)
{
	return &l->ring[at];
}

/* Decides who is above whom. */
static __u64 rank(const struct lives *l, __u32 at)
{
	__u64 hash = (life(l, at)->flow.id ^ l->seed) * 0x9e3779b97f4a7c15ULL;

	return (hash ^ hash >> 32) * 0x9e3779b97f4a7c15ULL;
}

/* Whether the life comes behind all of KEY that began at BEGAN_NS with ids up to ID. */
static bool is_behind(const struct life *life, const struct fl_key *key, __u64 began_ns, __u64 id)
{
	int order = memcmp(&life->flow.key, key, sizeof(*key));
	__u64 own_ns = flow_began_ns(&life->flow);

	if (order)
		return order > 0;
	return own_ns != began_ns ? own_ns > began_ns : life->flow.id > id;
}

static bool is_later(const struct life *life, const struct life *than)
{
	return is_behind(life, &than->flow.key, flow_began_ns(&than->flow), than->flow.id);
}

static bool is_of(const struct life *life, const struct fl_key *key)
{
	return memcmp(&life->flow.key, key, sizeof(*key)) == 0;
}

static void see_end(const struct lives *l, struct life *above, __u32 below)
{
	if (below != LIVES_NONE && life(l, below)->last_end_ns > above->last_end_ns)
		above->last_end_ns = life(l, below)->last_end_ns;
}

/* After something below it has changed. */
static void update(const struct lives *l, __u32 at)
{
	struct life *x = life(l, at);

	x->last_end_ns = x->flow.ended_ns;
	see_end(l, x, x->earlier);
	see_end(l, x, x->later);
}

/* The tree of ROOT in two: what is before AT, and what is behind it. */
static void split(const struct lives *l, __u32 root, __u32 at, __u32 *ret_before, __u32 *ret_behind)
{
	if (root == LIVES_NONE) {
		*ret_before = *ret_behind = LIVES_NONE;
		return;
	}
	if (is_later(life(l, root), life(l, at))) {
		split(l, life(l, root)->earlier, at, ret_before, &life(l, root)->earlier);
		*ret_behind = root;
	} else {
		split(l, life(l, root)->later, at, &life(l, root)->later, ret_behind);
		*ret_before = root;
	}
	update(l, root);
}

/* All of BEFORE are before all of BEHIND. */
static __u32 join(const struct lives *l, __u32 before, __u32 behind)
{
	if (before == LIVES_NONE || behind == LIVES_NONE)
		return before == LIVES_NONE ? behind : before;
	if (rank(l, before) > rank(l, behind)) {
		life(l, before)->later = join(l, life(l, before)->later, behind);
		update(l, before);
		return before;
	}
	life(l, behind)->earlier = join(l, before, life(l, behind)->earlier);
	update(l, behind);
	return behind;
}

static __u32 *side(const struct lives *l, __u32 root, __u32 at)
{
	struct life *x = life(l, root);

	return is_later(x, life(l, at)) ? &x->earlier : &x->later;
}

void lives_insert(const struct lives *l, __u32 *root, __u32 at)
{
	if (*root != LIVES_NONE && rank(l, *root) >= rank(l, at)) {
		lives_insert(l, side(l, *root, at), at);
		update(l, *root);
		return;
	}
	split(l, *root, at, &life(l, at)->earlier, &life(l, at)->later);
	update(l, at);
	*root = at;
}

void lives_remove(const struct lives *l, __u32 *root, __u32 at)
{
	if (*root == at) {
		*root = join(l, life(l, at)->earlier, life(l, at)->later);
		return;
	}
	lives_remove(l, side(l, *root, at), at);
	update(l, *root);
}

__u32 lives_newest(const struct lives *l, __u32 root, const struct fl_key *key, __u64 began_ns,
		   __u64 ended_ns)
{
	while (root != LIVES_NONE && life(l, root)->last_end_ns >= ended_ns) {
		const struct life *x = life(l, root);
		__u32 found;

		if (is_behind(x, key, began_ns, UINT64_MAX)) {
			root = x->earlier;
			continue;
		}
		found = lives_newest(l, x->later, key, began_ns, ended_ns);
		if (found != LIVES_NONE)
			return found;
		if (!is_of(x, key))
			return LIVES_NONE; /* and what is before it is of other keys, too */
		if (x->flow.ended_ns >= ended_ns)
			return root;
		root = x->earlier;
	}
	return LIVES_NONE;
}

__u32 lives_next(const struct lives *l, __u32 root, const struct fl_key *key, __u64 began_ns)
{
	__u32 found = LIVES_NONE;

	while (root != LIVES_NONE) {
		const struct life *x = life(l, root);
		bool behind = is_behind(x, key, began_ns, UINT64_MAX);

		if (behind)
			found = root;
		root = behind ? x->earlier : x->later;
	}
	return found != LIVES_NONE && is_of(life(l, found), key) ? found : LIVES_NONE;
}
