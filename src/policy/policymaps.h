/* SPDX-License-Identifier: BSD-2-Clause */
/* A compiled policy into the maps of bpf/verdict/policy.bpf.h, and out of them again. */
#ifndef FLOWNER_POLICYMAPS_H
#define FLOWNER_POLICYMAPS_H

#include <flowner/policy.h>
#include <stdbool.h>

struct bpf_object;
struct compiled;
struct value_key;

struct policymaps { /* fds, the object's */
	int state;
	int policies;
	int rules;
	int hits;
	int classes;
	int blocks;
	int values;
	int places;
	int prefixes;
	int ports;
	int kept;
	int texts;
};

/* -ENOENT OBJECT lacks one of them. */
int policymaps_find(const struct bpf_object *object, struct policymaps *ret_maps);

/*
 * Writes C into SLOT, which must not be the one in use: what it held before is taken out first.
 * Nobody sees it until policymaps_use(). -ENOSPC a map is full; negative errno.
 */
int policymaps_write(const struct policymaps *m, __u32 slot, __u64 generation,
		     const struct compiled *c);

/* Nothing of SLOT, which is not in use and will not be, takes room. */
int policymaps_clear(const struct policymaps *m, __u32 slot);

/* The first RULES rules of AREA have matched nothing yet. */
int policymaps_no_hits(const struct policymaps *m, __u32 area, __u32 rules);

/*
 * From now on SLOT is the policy, or FL_POLICY_NONE. One write: every verdict is of one of them,
 * and when this returns all that were of the one before are done.
 * CLOSED_HOOKS, bits 1 << enum fl_hook: what cannot be judged there is rejected. This process is
 * never denied.
 */
int policymaps_use(const struct policymaps *m, __u32 slot, __u32 closed_hooks);

/* What is in use: its slot, its generation and area. -ENOENT nothing is. */
int policymaps_used(const struct policymaps *m, __u32 *ret_slot, struct fl_policy *ret_policy);

/* listen() of PID is denied from now on, to see whether it is; 0: of nobody. */
int policymaps_selftest(const struct policymaps *m, __u32 pid);

/* Attempts that rule RULE of AREA decided, over all CPUs. */
int policymaps_hits(const struct policymaps *m, __u32 area, __u32 rule, __u64 *ret_hits);

/*
 * While in use: one value more, or another class of it (a file or cgroup that has come; a class not
 * written before comes first, from C, which has it), or less. -ENOSPC full.
 */
int policymaps_set_class(const struct policymaps *m, __u32 slot, __u32 class,
			 const struct compiled *c);
int policymaps_set_value(const struct policymaps *m, __u32 slot, const struct value_key *key,
			 __u32 class);
int policymaps_remove_value(const struct policymaps *m, __u32 slot, const struct value_key *key);

#endif
