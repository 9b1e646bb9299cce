/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The recent index: a ring of ended flows in the order their ends were told, and two hash tables
 * over it, by id and by key. Entries name each other by their place in the ring, so the ring can
 * grow; it does so by doubling, up to the bound it was made with, and never shrinks.
 *
 * Ids are used once: each hash has a chain, newest first. A key is used again by every restart of a
 * server, and by whoever wants us to be slow: each hash has a tree, see lives.h.
 */
#include "flow/flows.h"
#include "flow/around.h"
#include "flow/lives.h"
#include "text/cleanup.h"

#include <errno.h>
#include <flowner/check.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>

#define FIRST_CAPACITY 256u
#define NONE LIVES_NONE

struct flows {
	struct life *ring;
	__u32 *by_id;	    /* newest entry of each chain */
	__u32 *by_key;	    /* root of each tree */
	__u32 bucket_count; /* a power of two */
	__u32 capacity;
	__u32 oldest;
	__u32 count;
	__u32 limit;
	__u64 age_ns;
	__u64 seed; /* strangers choose ports and addresses: they must not choose the chain */
};

static __u32 place(const struct flows *flows, __u32 nth)
{
	return (flows->oldest + nth) % flows->capacity;
}

static __u64 mix(__u64 hash, const void *word)
{
	__u64 value;

	memcpy(&value, word, sizeof(value));
	hash = (hash ^ value) * 0x9e3779b97f4a7c15ULL;
	return hash ^ (hash >> 32);
}

static __u32 bucket_of_id(const struct flows *flows, __u64 id)
{
	return (__u32)mix(flows->seed, &id) & (flows->bucket_count - 1);
}

static __u32 bucket_of_key(const struct flows *flows, const struct fl_key *key)
{
	const char *words = (const char *)key;
	__u64 hash = flows->seed;

	for (size_t i = 0; i < sizeof(*key); i += sizeof(__u64))
		hash = mix(hash, words + i);
	return (__u32)hash & (flows->bucket_count - 1);
}

static struct lives lives_of(const struct flows *flows)
{
	return (struct lives){ .ring = flows->ring, .seed = flows->seed };
}

/* Root of the tree with KEY in it, if that is known at all. */
static __u32 *root_of(const struct flows *flows, const struct fl_key *key)
{
	return &flows->by_key[bucket_of_key(flows, key)];
}

static void tree_add(const struct flows *flows, __u32 at)
{
	const struct lives lives = lives_of(flows);

	lives_insert(&lives, root_of(flows, &flows->ring[at].flow.key), at);
}

static void tree_remove(const struct flows *flows, __u32 at)
{
	const struct lives lives = lives_of(flows);

	lives_remove(&lives, root_of(flows, &flows->ring[at].flow.key), at);
}

static void link_entry(struct flows *flows, __u32 at)
{
	struct life *entry = &flows->ring[at];
	__u32 *newest = &flows->by_id[bucket_of_id(flows, entry->flow.id)];

	entry->newer = NONE;
	entry->older = *newest;
	if (*newest != NONE)
		flows->ring[*newest].newer = at;
	*newest = at;
	tree_add(flows, at);
}

/* Only the oldest ever leaves, and it is the last of its chain: nothing is older. */
static void drop_oldest(struct flows *flows)
{
	const struct life *entry = &flows->ring[flows->oldest];

	tree_remove(flows, flows->oldest);
	if (entry->newer != NONE)
		flows->ring[entry->newer].older = NONE;
	else
		flows->by_id[bucket_of_id(flows, entry->flow.id)] = NONE;
	flows->oldest = place(flows, 1);
	flows->count--;
}

int flows_new(size_t count, __u64 age_ns, struct flows **ret_flows)
{
	_free_ struct flows *flows = NULL;

	if (count > FLOWS_MAX)
		return -EINVAL;
	flows = calloc(1, sizeof(*flows));
	if (!flows)
		return -ENOMEM;
	flows->limit = (__u32)count;
	flows->age_ns = age_ns;
	if (getrandom(&flows->seed, sizeof(flows->seed), 0) != sizeof(flows->seed))
		return -EIO;
	*ret_flows = TAKE_PTR(flows);
	return 0;
}

void flows_free(struct flows *flows)
{
	if (!flows)
		return;
	free(flows->ring);
	free(flows->by_id);
	free(flows->by_key);
	free(flows);
}

static __u32 *new_buckets(__u32 count)
{
	__u32 *buckets = malloc(count * sizeof(*buckets));

	if (buckets)
		memset(buckets, 0xff, count * sizeof(*buckets)); /* NONE */
	return buckets;
}

/* Copies of the entries, oldest first from place 0 of RING. */
static void copy_entries(const struct flows *flows, struct life *ring)
{
	for (__u32 i = 0; i < flows->count; i++)
		ring[i] = flows->ring[place(flows, i)];
}

/* Room for one more when the bound allows; -ENOMEM leaves everything as it was. */
static int grow(struct flows *flows)
{
	__u32 buckets = flows->bucket_count ? flows->bucket_count * 2 : FIRST_CAPACITY;
	__u32 capacity = buckets < flows->limit ? buckets : flows->limit;
	_free_ struct life *ring = malloc(capacity * sizeof(*ring));
	_free_ __u32 *by_id = new_buckets(buckets);
	_free_ __u32 *by_key = new_buckets(buckets);

	if (!ring || !by_id || !by_key)
		return -ENOMEM;
	copy_entries(flows, ring);
	free(flows->ring);
	free(flows->by_id);
	free(flows->by_key);
	flows->ring = TAKE_PTR(ring);
	flows->by_id = TAKE_PTR(by_id);
	flows->by_key = TAKE_PTR(by_key);
	flows->bucket_count = buckets;
	flows->capacity = capacity;
	flows->oldest = 0;
	for (__u32 i = 0; i < flows->count; i++)
		link_entry(flows, i);
	return 0;
}

static int add(struct flows *flows, const struct fl_flow *flow)
{
	__u32 at;

	if (flows->limit == 0)
		return 0;
	if (flows->count == flows->limit)
		drop_oldest(flows);
	if (flows->count == flows->capacity) {
		int r = grow(flows);

		if (r < 0)
			return r;
	}
	at = place(flows, flows->count);
	flows->ring[at].flow = *flow;
	link_entry(flows, at);
	flows->count++;
	return 0;
}

/* Its place, or NONE. */
static __u32 find_id(const struct flows *flows, __u64 id)
{
	__u32 at;

	if (flows->count == 0)
		return NONE;
	at = flows->by_id[bucket_of_id(flows, id)];
	while (at != NONE && flows->ring[at].flow.id != id)
		at = flows->ring[at].older;
	return at;
}

static bool owner_known(const struct fl_owner *owner)
{
	return owner->proc.pid != 0;
}

/* What was seen opening stands against what was only found open (opened_ns 0), whatever that says;
 * else the final owner against an interim one. */
static bool stands_against(const struct fl_flow *held, const struct fl_flow *more)
{
	if (!held->opened_ns != !more->opened_ns)
		return held->opened_ns != 0;
	return held->accepted || !more->accepted;
}

static void merge_owner(struct fl_flow *held, const struct fl_flow *more)
{
	bool stays = stands_against(held, more);

	if (owner_known(&more->owner) && (!stays || !owner_known(&held->owner))) {
		held->owner = more->owner;
		held->accepted = more->accepted;
	}
	if (more->role != FL_ROLE_UNKNOWN && (!stays || held->role == FL_ROLE_UNKNOWN))
		held->role = more->role;
}

/* LOST only says that nobody saw the end, so any other word is better; NONE is an ordinary close.
 */
static void merge_reason(struct fl_flow *held, const struct fl_flow *more)
{
	if (held->reason == FL_REASON_LOST ||
	    (held->reason == FL_REASON_NONE && more->reason != FL_REASON_LOST))
		held->reason = more->reason;
}

/* The end is told by up to three hooks and by reconciliation, each knowing something else. */
static void merge(struct fl_flow *held, const struct fl_flow *more)
{
	merge_owner(held, more);
	merge_reason(held, more);
	if (more->ended_ns < held->ended_ns)
		held->ended_ns = more->ended_ns;
	if (held->opened_ns == 0)
		held->opened_ns = more->opened_ns;
	if (held->seen_ns == 0 || (more->seen_ns != 0 && more->seen_ns < held->seen_ns))
		held->seen_ns = more->seen_ns;
	if (held->cookie == 0)
		held->cookie = more->cookie;
	if (!held->counted) {
		held->counts = more->counts;
		held->counted = more->counted;
	}
	if (held->netns_inum == 0)
		held->netns_inum = more->netns_inum;
}

int flows_ended(struct flows *flows, const struct fl_flow *flow)
{
	__u32 at;

	if (flow->id == 0 || flow->ended_ns == 0)
		return -EINVAL;
	at = find_id(flows, flow->id);
	if (at == NONE)
		return add(flows, flow);
	tree_remove(flows, at); /* its times may change */
	merge(&flows->ring[at].flow, flow);
	tree_add(flows, at);
	return 0;
}

int flows_accepted_late(struct flows *flows, __u64 id, const struct fl_owner *owner,
			const struct fl_flow **ret_flow)
{
	__u32 at = find_id(flows, id);
	struct fl_flow *held;

	if (at == NONE)
		return -ENOENT;
	held = &flows->ring[at].flow;
	if (held->accepted && fl_proc_equal(&held->owner.proc, &owner->proc))
		return -EALREADY;
	if (owner_known(owner))
		held->owner = *owner;
	held->role = FL_ROLE_ACCEPTOR;
	held->accepted = 1;
	*ret_flow = held;
	return 0;
}

int flows_get(const struct flows *flows, __u64 id, const struct fl_flow **ret_flow)
{
	__u32 at = find_id(flows, id);

	if (at == NONE)
		return -ENOENT;
	*ret_flow = &flows->ring[at].flow;
	return 0;
}

static bool lived_together(const struct fl_flow *a, const struct fl_flow *b)
{
	return (!b->ended_ns || flow_began_ns(a) <= b->ended_ns) && flow_began_ns(b) <= a->ended_ns;
}

/* How far apart two flows began. */
static __u64 distance(const struct fl_flow *a, const struct fl_flow *b)
{
	__u64 x = flow_began_ns(a), y = flow_began_ns(b);

	return x > y ? x - y : y - x;
}

static const struct fl_flow *newest(const struct flows *flows, const struct fl_key *key,
				    __u64 began_ns, __u64 ended_ns)
{
	const struct lives lives = lives_of(flows);
	__u32 at = NONE;

	if (flows->count > 0)
		at = lives_newest(&lives, *root_of(flows, key), key, began_ns, ended_ns);
	return at == NONE ? NULL : &flows->ring[at].flow;
}

static const struct fl_flow *next_after(const struct flows *flows, const struct fl_key *key,
					__u64 began_ns)
{
	const struct lives lives = lives_of(flows);
	__u32 at = NONE;

	if (flows->count > 0)
		at = lives_next(&lives, *root_of(flows, key), key, began_ns);
	return at == NONE ? NULL : &flows->ring[at].flow;
}

int flows_find(const struct flows *flows, const struct fl_key *key, __u64 at_ns,
	       const struct fl_flow **ret_flow)
{
	const struct fl_flow *found = newest(flows, key, at_ns ? at_ns : UINT64_MAX, at_ns);

	if (!found)
		return -ENOENT;
	*ret_flow = found;
	return 0;
}

/* The nearest on either side: one that began with FLOW or before it, and one that did later. */
int flows_find_peer(const struct flows *flows, const struct fl_key *key, const struct fl_flow *flow,
		    const struct fl_flow **ret_flow)
{
	__u64 began_ns = flow_began_ns(flow);
	const struct fl_flow *found = newest(flows, key, began_ns, began_ns);
	const struct fl_flow *later = next_after(flows, key, began_ns);

	if (later && lived_together(later, flow) &&
	    (!found || distance(later, flow) < distance(found, flow)))
		found = later;
	if (!found)
		return -ENOENT;
	*ret_flow = found;
	return 0;
}

void flows_around(const struct flows *flows, const struct fl_key *key, __u64 at_ns,
		  struct around *around)
{
	const struct fl_flow *before = newest(flows, key, at_ns, 0);
	const struct fl_flow *after = next_after(flows, key, at_ns);

	if (before)
		around_add(around, before, at_ns);
	if (after)
		around_add(around, after, at_ns);
}

int flows_each(const struct flows *flows, int (*fn)(const struct fl_flow *flow, void *arg),
	       void *arg)
{
	for (__u32 i = 0; i < flows->count; i++) {
		int r = fn(&flows->ring[place(flows, i)].flow, arg);

		if (r != 0)
			return r;
	}
	return 0;
}

void flows_expire(struct flows *flows, __u64 now_ns)
{
	while (flows->count > 0) {
		__u64 ended_ns = flows->ring[flows->oldest].flow.ended_ns;

		if (ended_ns >= now_ns || now_ns - ended_ns <= flows->age_ns)
			return;
		drop_oldest(flows);
	}
}

size_t flows_count(const struct flows *flows)
{
	return flows->count;
}
