/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The limit of a rule: how many listeners there are is read, judged by, and then the place is taken
 * if the verdict would be the same by what the counts are now; else it is judged again. So of many
 * who listen at once no more get through than may. A place that is refused was never taken: nobody
 * else finds it gone.
 *
 * Taken under a lock. Where a program cannot have one (5.10), a place is taken first and given
 * back when it was one too many: of several who listen at once fewer may get through.
 */
#ifndef FLOWNER_VERDICT_LIMIT_BPF_H
#define FLOWNER_VERDICT_LIMIT_BPF_H

#include "attempt.bpf.h"
#include "listener_counts.bpf.h"
#include "policy.bpf.h"

/* bpf_spin_lock() in tracing programs, and so in all of these: not in 5.10 */
extern const volatile bool can_lock;

#define LIMIT_TRIES 3 /* it is lost where a limit was reached since, and hardly twice */

struct limit_lock {
	struct bpf_spin_lock lock;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct limit_lock);
} limit_locks SEC(".maps") __weak;

/* One for each fl_per. */
struct limit_counts {
	struct fl_listeners_count *at[FL_PERS];
};

#define NO_COUNT (~0ULL)

static __always_inline struct fl_listeners_count *limit_find(const struct listener_of *of,
							     enum fl_per per)
{
	struct fl_listeners_key key = listeners_key(of, per);

	return key.id[0] || per == FL_PER_USER ? listeners_count(&key) : NULL;
}

/* Of who runs here. Not static, with a number for argument: verified once, by itself. */
__weak __noinline __u64 limit_count(__u32 per)
{
	struct fl_listeners_count *c;
	struct listener_of of = {};

	listener_of_current(&of);
	c = limit_find(&of, per);
	return c ? c->listeners : NO_COUNT;
}

/* The policy in SLOT has a limit anywhere. */
static __always_inline bool limit_asked(__u32 slot)
{
	struct fl_policy *policy = bpf_map_lookup_elem(&policies, &slot);

	return policy && policy->asked[FL_HOOK_INDEX(FL_HOOK_LISTEN, FL_TCP)] & FL_KNOWS_LISTENERS;
}

static __always_inline void limit_read_one(struct fl_attempt *a, enum fl_per per)
{
	__u64 listeners = limit_count(per);

	a->listeners[per] = listeners;
	a->known |= KNOWS_IF(~listeners, KNOWS(FL_DIM_LISTENERS + per));
}

/* How many listeners who asks has already, into A. */
static __noinline int limit_read(struct fl_attempt *a)
{
	listeners_give_back(listeners_thread());
	a->known &= ~FL_KNOWS_LISTENERS;
	limit_read_one(a, FL_PER_PROCESS);
	limit_read_one(a, FL_PER_USER);
	limit_read_one(a, FL_PER_CGROUP);
	limit_read_one(a, FL_PER_EXE);
	return 0;
}

/* The class of so many, as it is by the policy. */
static __always_inline __u32 limit_class(const struct fl_policy *policy, enum fl_per per,
					 __u64 listeners)
{
	if (listeners > FL_LISTENERS_MAX)
		listeners = FL_LISTENERS_MAX;
	return policy->listeners[per][listeners];
}

/* C is NULL where there was no room for it: nothing can be held against anybody. */
static __always_inline bool limit_same(const struct fl_policy *policy, enum fl_per per,
				       const struct fl_listeners_count *c, __u32 judged, int taken)
{
	return !c ||
	       limit_class(policy, per, c->listeners - taken) == limit_class(policy, per, judged);
}

static __always_inline bool limit_all_same(const struct fl_policy *policy,
					   const struct limit_counts *c, __u64 judged_01,
					   __u64 judged_23, int taken)
{
	return limit_same(policy, FL_PER_PROCESS, c->at[0], judged_01, taken) &&
	       limit_same(policy, FL_PER_USER, c->at[1], judged_01 >> 32, taken) &&
	       limit_same(policy, FL_PER_CGROUP, c->at[2], judged_23, taken) &&
	       limit_same(policy, FL_PER_EXE, c->at[3], judged_23 >> 32, taken);
}

static __always_inline void limit_add(const struct limit_counts *c, __u64 by)
{
	if (c->at[0])
		__sync_fetch_and_add(&c->at[0]->listeners, by);
	if (c->at[1])
		__sync_fetch_and_add(&c->at[1]->listeners, by);
	if (c->at[2])
		__sync_fetch_and_add(&c->at[2]->listeners, by);
	if (c->at[3])
		__sync_fetch_and_add(&c->at[3]->listeners, by);
}

/* The places, unless what was JUDGED is no more so. */
static __always_inline bool limit_take_places(const struct fl_policy *policy,
					      const struct limit_counts *c, __u64 judged_01,
					      __u64 judged_23)
{
	__u32 zero = 0;
	struct limit_lock *l = bpf_map_lookup_elem(&limit_locks, &zero);
	bool same;

	if (!l)
		return false;
	if (!can_lock) {
		limit_add(c, 1);
		same = limit_all_same(policy, c, judged_01, judged_23, 1);
		if (!same)
			limit_add(c, ~0ULL);
		return same;
	}
	bpf_spin_lock(&l->lock);
	same = limit_all_same(policy, c, judged_01, judged_23, 0);
	if (same)
		limit_add(c, 1);
	bpf_spin_unlock(&l->lock);
	return same;
}

/* 1: they are held by this thread till its socket listens. Without room to hold them they are given
 * back, and taken when it does. Not static: as above. */
__weak __noinline int limit_take(__u32 slot, __u64 judged_01, __u64 judged_23)
{
	struct fl_policy *policy = bpf_map_lookup_elem(&policies, &slot);
	__u64 thread = listeners_thread();
	struct listener_of of = {};
	struct limit_counts c;

	if (!policy)
		return 0;
	listener_of_current(&of);
	c.at[0] = limit_find(&of, FL_PER_PROCESS);
	c.at[1] = limit_find(&of, FL_PER_USER);
	c.at[2] = limit_find(&of, FL_PER_CGROUP);
	c.at[3] = limit_find(&of, FL_PER_EXE);
	if (!limit_take_places(policy, &c, judged_01, judged_23))
		return 0;
	if (bpf_map_update_elem(&listeners_held, &thread, &of, BPF_ANY)) {
		limit_add(&c, ~0ULL);
		count(FL_CNT_LISTENERS_UNCOUNTED);
	}
	return 1;
}

static __always_inline bool limit_take_by(const struct fl_attempt *a, __u32 slot)
{
	return limit_take(slot, (__u64)a->listeners[1] << 32 | a->listeners[0],
			  (__u64)a->listeners[3] << 32 | a->listeners[2]);
}

#endif /* FLOWNER_VERDICT_LIMIT_BPF_H */
