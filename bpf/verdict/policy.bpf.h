/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The maps of the policy: the daemon writes them, the verdict programs read. Layouts are in
 * include/flowner/policy.h. There are two of every table, one for each slot; a verdict reads the
 * slot once, so it is of one policy as a whole.
 */
#ifndef FLOWNER_VERDICT_POLICY_BPF_H
#define FLOWNER_VERDICT_POLICY_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <flowner/policy.h>

/* Which slot is in use; the flip is one write of the daemon. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct fl_policy_state);
} policy_state SEC(".maps") __weak;

/* By slot. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FL_POLICY_SLOTS);
	__type(key, __u32);
	__type(value, struct fl_policy);
} policies SEC(".maps") __weak;

/* By slot * FL_RULES_MAX + rule. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FL_POLICY_SLOTS *FL_RULES_MAX);
	__type(key, __u32);
	__type(value, struct fl_policy_rule);
} policy_rules SEC(".maps") __weak;

/* By area * FL_RULES_MAX + rule: attempts that the rule decided, or in audit would have. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, FL_POLICY_AREAS *FL_RULES_MAX);
	__type(key, __u32);
	__type(value, __u64);
} policy_hits SEC(".maps") __weak;

/* By slot * FL_CLASSES_MAX + class. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FL_POLICY_SLOTS *FL_CLASSES_MAX);
	__type(key, __u32);
	__type(value, struct fl_class);
} policy_classes SEC(".maps") __weak;

/* By slot * FL_BLOCKS_MAX + number. A hash, which takes memory for those that there are. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, FL_POLICY_SLOTS *FL_BLOCKS_MAX);
	__type(key, __u32);
	__type(value, struct fl_rule_block);
} policy_blocks SEC(".maps") __weak;

/* What was asked before, and the answer. The programs fill it; the kernel drops what is old. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct fl_question);
	__type(value, struct fl_answer);
} policy_answers SEC(".maps") __weak;

/* Value of a dimension that some rule names -> class. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 262144);
	__type(key, struct fl_policy_value);
	__type(value, struct fl_policy_value_class);
} policy_values SEC(".maps") __weak;

/* Of a file that nobody has told of: by where it is. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct fl_policy_place);
	__type(value, struct fl_policy_place_class);
} policy_places SEC(".maps") __weak;

/* Prefix -> class. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct fl_policy_prefix);
	__type(value, __u32);
} policy_prefixes SEC(".maps") __weak;

/* By (slot * 2 + remote) * 65536 + port: class. Only where the dimension is wanted. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FL_POLICY_SLOTS * 2 * 65536);
	__type(key, __u32);
	__type(value, __u32);
} policy_ports SEC(".maps") __weak;

/* No program reads these: whose policy it is, for the daemon that comes after a killed one. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct fl_policy_kept);
} policy_kept SEC(".maps") __weak;

/* By area * FL_TEXT_CHUNKS + chunk. */
struct policy_chunk {
	char text[FL_TEXT_CHUNK];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, FL_POLICY_AREAS *FL_TEXT_CHUNKS);
	__type(key, __u32);
	__type(value, struct policy_chunk);
} policy_texts SEC(".maps") __weak;

#define VALUE_CLASS_NONE 0xffffffffu /* no rule names it */

/*
 * The class of a value of policy_values. What was found may become another's while it is read: then
 * it is looked up once more, and after that UNKNOWN. Not static, with numbers for arguments: it is
 * verified once, by itself, and the key is on no other's stack.
 */
__weak __noinline __u32 value_class(__u64 kind, __u64 id, __u32 unknown)
{
	const struct fl_policy_value key = { kind, id };

#pragma unroll
	for (int i = 0; i < 2; i++) {
		struct fl_policy_value_class *found = bpf_map_lookup_elem(&policy_values, &key);
		__u64 class;

		if (!found)
			return VALUE_CLASS_NONE;
		class = *(volatile const __u64 *)&found->class;
		if (fl_policy_value_fits(found, &key, class))
			return class;
	}
	return unknown;
}

/* Of the policy in use; 0: there is none. */
static __always_inline __u64 policy_generation(void)
{
	struct fl_policy_state *state;
	struct fl_policy *policy;
	__u32 zero = 0, slot;

	state = bpf_map_lookup_elem(&policy_state, &zero);
	if (!state)
		return 0;
	slot = state->slot;
	policy = bpf_map_lookup_elem(&policies, &slot);
	return policy ? policy->generation : 0;
}

#endif /* FLOWNER_VERDICT_POLICY_BPF_H */
