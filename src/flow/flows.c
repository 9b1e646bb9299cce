/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The recent index: a ring of ended flows in the order their ends were told, and two hash tables
 * over it, by id and by key. Entries name each other by their place in the ring, so the ring can
 * grow; it does so by doubling, up to the bound it was made with, and never shrinks.
 *
 * Chains run newest first, and both ways: the oldest entry leaves in the same time however often
 * its key was used, and a key is used again by every restart of a server.
 */
#include "flow/flows.h"
#include "flow/around.h"
#include "text/cleanup.h"

#include <errno.h>
#include <flowner/check.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>

#define FIRST_CAPACITY 256u
#define COUNT_MAX (1u << 24) /* 3 GB: a larger one is a mistake */
#define NONE UINT32_MAX

enum table { BY_ID, BY_KEY, TABLES };

struct link {
	__u32 newer;
	__u32 older;
};

struct entry {
	struct fl_flow flow;
	struct link links[TABLES];
};

struct flows {
	struct entry *ring;
	__u32 *buckets[TABLES]; /* newest entry of each chain */
	__u32 bucket_count;	/* a power of two */
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

static __u32 *bucket(const struct flows *flows, enum table table, const struct fl_flow *flow)
{
	if (table == BY_ID)
		return &flows->buckets[BY_ID][bucket_of_id(flows, flow->id)];
	return &flows->buckets[BY_KEY][bucket_of_key(flows, &flow->key)];
}

static void link_entry(struct flows *flows, __u32 at)
{
	struct entry *entry = &flows->ring[at];

	for (enum table t = 0; t < TABLES; t++) {
		__u32 *newest = bucket(flows, t, &entry->flow);

		entry->links[t] = (struct link){ .newer = NONE, .older = *newest };
		if (*newest != NONE)
			flows->ring[*newest].links[t].newer = at;
		*newest = at;
	}
}

/* Only the oldest ever leaves, and it is the last of its chains: nothing is older. */
static void drop_oldest(struct flows *flows)
{
	const struct entry *entry = &flows->ring[flows->oldest];

	for (enum table t = 0; t < TABLES; t++) {
		__u32 newer = entry->links[t].newer;

		if (newer != NONE)
			flows->ring[newer].links[t].older = NONE;
		else
			*bucket(flows, t, &entry->flow) = NONE;
	}
	flows->oldest = place(flows, 1);
	flows->count--;
}

int flows_new(size_t count, __u64 age_ns, struct flows **ret_flows)
{
	_free_ struct flows *flows = NULL;

	if (count > COUNT_MAX)
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
	for (enum table t = 0; t < TABLES; t++)
		free(flows->buckets[t]);
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
static void copy_entries(const struct flows *flows, struct entry *ring)
{
	for (__u32 i = 0; i < flows->count; i++)
		ring[i] = flows->ring[place(flows, i)];
}

/* Room for one more when the bound allows; -ENOMEM leaves everything as it was. */
static int grow(struct flows *flows)
{
	__u32 buckets = flows->bucket_count ? flows->bucket_count * 2 : FIRST_CAPACITY;
	__u32 capacity = buckets < flows->limit ? buckets : flows->limit;
	_free_ struct entry *ring = malloc(capacity * sizeof(*ring));
	_free_ __u32 *by_id = new_buckets(buckets);
	_free_ __u32 *by_key = new_buckets(buckets);

	if (!ring || !by_id || !by_key)
		return -ENOMEM;
	copy_entries(flows, ring);
	free(flows->ring);
	free(flows->buckets[BY_ID]);
	free(flows->buckets[BY_KEY]);
	flows->ring = TAKE_PTR(ring);
	flows->buckets[BY_ID] = TAKE_PTR(by_id);
	flows->buckets[BY_KEY] = TAKE_PTR(by_key);
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

static struct fl_flow *find_id(const struct flows *flows, __u64 id)
{
	if (flows->count == 0)
		return NULL;
	for (__u32 at = flows->buckets[BY_ID][bucket_of_id(flows, id)]; at != NONE;
	     at = flows->ring[at].links[BY_ID].older) {
		if (flows->ring[at].flow.id == id)
			return &flows->ring[at].flow;
	}
	return NULL;
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
	struct fl_flow *held;

	if (flow->id == 0 || flow->ended_ns == 0)
		return -EINVAL;
	held = find_id(flows, flow->id);
	if (!held)
		return add(flows, flow);
	merge(held, flow);
	return 0;
}

int flows_accepted_late(struct flows *flows, __u64 id, const struct fl_owner *owner,
			const struct fl_flow **ret_flow)
{
	struct fl_flow *held = find_id(flows, id);

	if (!held)
		return -ENOENT;
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
	const struct fl_flow *flow = find_id(flows, id);

	if (!flow)
		return -ENOENT;
	*ret_flow = flow;
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

int flows_find(const struct flows *flows, const struct fl_key *key, __u64 at_ns,
	       const struct fl_flow **ret_flow)
{
	const struct fl_flow *found = NULL;

	if (flows->count == 0)
		return -ENOENT;
	for (__u32 at = flows->buckets[BY_KEY][bucket_of_key(flows, key)]; at != NONE;
	     at = flows->ring[at].links[BY_KEY].older) {
		const struct fl_flow *flow = &flows->ring[at].flow;

		if (memcmp(&flow->key, key, sizeof(*key)) != 0)
			continue;
		if (at_ns != 0 && !flow_lived_at(flow, at_ns))
			continue;
		if (!found || flow->ended_ns > found->ended_ns)
			found = flow;
	}
	if (!found)
		return -ENOENT;
	*ret_flow = found;
	return 0;
}

int flows_find_peer(const struct flows *flows, const struct fl_key *key, const struct fl_flow *flow,
		    const struct fl_flow **ret_flow)
{
	const struct fl_flow *found = NULL;

	if (flows->count == 0)
		return -ENOENT;
	for (__u32 at = flows->buckets[BY_KEY][bucket_of_key(flows, key)]; at != NONE;
	     at = flows->ring[at].links[BY_KEY].older) {
		const struct fl_flow *peer = &flows->ring[at].flow;

		if (memcmp(&peer->key, key, sizeof(*key)) != 0 || !lived_together(peer, flow))
			continue;
		if (!found || distance(peer, flow) < distance(found, flow))
			found = peer;
	}
	if (!found)
		return -ENOENT;
	*ret_flow = found;
	return 0;
}

void flows_around(const struct flows *flows, const struct fl_key *key, __u64 at_ns,
		  struct around *around)
{
	if (flows->count == 0)
		return;
	for (__u32 at = flows->buckets[BY_KEY][bucket_of_key(flows, key)]; at != NONE;
	     at = flows->ring[at].links[BY_KEY].older) {
		const struct fl_flow *flow = &flows->ring[at].flow;

		if (memcmp(&flow->key, key, sizeof(*key)) == 0)
			around_add(around, flow, at_ns);
	}
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
