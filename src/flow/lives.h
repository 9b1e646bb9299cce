/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lives of sessions, found by key and time: a search tree over places of a ring, ordered by key and
 * then by when they began. A tuple may be used again thousands of times, and be asked for each of
 * them: a question costs the logarithm of that.
 *
 * Balanced by chance (a treap): strangers choose keys and times, and must not choose its shape.
 */
#ifndef FLOWNER_LIVES_H
#define FLOWNER_LIVES_H

#include <flowner/flow.h>
#include <stdint.h>

#define LIVES_NONE UINT32_MAX

struct life {
	struct fl_flow flow;
	__u32 newer, older;   /* of the owner of the ring */
	__u32 earlier, later; /* below it in the tree */
	__u64 last_end_ns;    /* of it and of all below it */
};

/* Where the lives are, and what decides the shape of trees. */
struct lives {
	struct life *ring;
	__u64 seed;
};

/* Neither key nor times nor id of a life change while it is in a tree. *ROOT: LIVES_NONE, empty. */
void lives_insert(const struct lives *l, __u32 *root, __u32 at);
void lives_remove(const struct lives *l, __u32 *root, __u32 at);

/* Of KEY the one that began last, at BEGAN_NS at the latest, and ended at ENDED_NS or later. */
__u32 lives_newest(const struct lives *l, __u32 root, const struct fl_key *key, __u64 began_ns,
		   __u64 ended_ns);

/* Of KEY the one that began first after BEGAN_NS. */
__u32 lives_next(const struct lives *l, __u32 root, const struct fl_key *key, __u64 began_ns);

#endif
