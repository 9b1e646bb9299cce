/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * An attempt against the policy: one look-up a dimension that is asked for gives a class, all of
 * them are a question, and one look-up more gives its answer when it was asked before. Else the
 * sets of rules meet, block by block, until a rule decides. No loop over rules: the cost is the
 * same for one and for ten thousand.
 */
#ifndef FLOWNER_VERDICT_MATCH_BPF_H
#define FLOWNER_VERDICT_MATCH_BPF_H

#include "place.bpf.h"
#include "policy.bpf.h"

struct match {
	const struct fl_attempt *attempt;
	const struct fl_policy *policy;
	__u32 slot;
	__u32 asked; /* bit 1 << dimension */
	struct fl_question *question;
};

static __always_inline bool match_asks(const struct match *m, enum fl_dimension d)
{
	return m->asked >> d & 1;
}

/* What every dimension does but for the look-up: true when that is needed. */
static __always_inline bool match_begin(struct match *m, enum fl_dimension d, __u32 *ret_class)
{
	bool known = m->attempt->known >> d & 1;

	*ret_class = known ? m->policy->other[d] : m->policy->unknown[d];
	return known;
}

/* In the question so far is what no rule names. */
static __always_inline void match_end(struct match *m, enum fl_dimension d, __u32 class)
{
	fl_question_put(m->question, d, m->policy->other[d], class);
}

/* By the place of the process that runs, too, with PLACE: a file nobody has told of may be new. */
static __always_inline void match_either(struct match *m, enum fl_dimension d, __u64 id, __u32 dev,
					 __u32 place)
{
	__u32 class, found, unknown = m->policy->unknown[d];

	if (!match_asks(m, d))
		return;
	if (match_begin(m, d, &class)) {
		found = value_class(fl_policy_kind(m->slot, d, dev), id, unknown);
		if (found != VALUE_CLASS_NONE)
			class = found;
		else if (place)
			class = place_class(m->slot, d, class, unknown);
	}
	match_end(m, d, class);
}

static __always_inline void match_value(struct match *m, enum fl_dimension d, __u64 value)
{
	match_either(m, d, value, 0, 0);
}

static __always_inline void match_file(struct match *m, enum fl_dimension d,
				       const struct fl_file *f)
{
	match_either(m, d, f->inode, f->dev, m->attempt->known & FL_KNOWN_CURRENT);
}

/* Of one that is not written down no rule says anything; unless it may be for want of room. */
static __always_inline void match_cgroup(struct match *m, __u64 id)
{
	__u32 class, found, unknown = m->policy->unknown[FL_DIM_CGROUP];

	if (!match_asks(m, FL_DIM_CGROUP))
		return;
	if (match_begin(m, FL_DIM_CGROUP, &class)) {
		found = value_class(fl_policy_kind(m->slot, FL_DIM_CGROUP, 0), id, unknown);
		if (found != VALUE_CLASS_NONE)
			class = found;
		else if (m->policy->cgroups_missed)
			class = unknown;
	}
	match_end(m, FL_DIM_CGROUP, class);
}

static __always_inline void match_prefix(struct match *m, enum fl_dimension d,
					 const struct fl_addr *addr)
{
	struct fl_policy_prefix key = {
		.bits = FL_PREFIX_BASE + 128, .slot = m->slot, .dimension = d, .addr = *addr
	};
	__u32 class, *found;

	if (!match_asks(m, d))
		return;
	if (match_begin(m, d, &class)) {
		found = bpf_map_lookup_elem(&policy_prefixes, &key);
		if (found)
			class = *found;
	}
	match_end(m, d, class);
}

static __always_inline void match_port(struct match *m, enum fl_dimension d, __u16 port)
{
	__u32 index = (m->slot * 2 + (d == FL_DIM_REMOTE_PORT)) * 65536 + port;
	__u32 class, *found;

	if (!match_asks(m, d))
		return;
	if (match_begin(m, d, &class)) {
		found = bpf_map_lookup_elem(&policy_ports, &index);
		if (found) /* always */
			class = *found;
	}
	match_end(m, d, class);
}

static __always_inline void match_numbers(struct match *m)
{
	const struct fl_attempt *a = m->attempt;

	match_file(m, FL_DIM_EXE, &a->exe);
	match_file(m, FL_DIM_PARENT, &a->parent);
	match_value(m, FL_DIM_UID, a->owner.uid);
	match_value(m, FL_DIM_GID, a->owner.gid);
	match_cgroup(m, a->cgroup_id);
	match_value(m, FL_DIM_NETNS, a->key.netns_cookie);
}

#define ASKS_NEAR (1u << FL_DIM_LOCAL_ADDR | 1u << FL_DIM_LOCAL_PORT)
#define ASKS_ROUTE                                                                                 \
	(1u << FL_DIM_REMOTE_ADDR | 1u << FL_DIM_REMOTE_PORT | 1u << FL_DIM_INTERFACE |            \
	 1u << FL_DIM_INTERFACE_TYPE | 1u << FL_DIM_TUNNEL_TYPE)

/* In a frame of its own: the attempt and the keys would not fit in one. */
static __noinline int match_near(struct match *m)
{
	const struct fl_attempt *a = m->attempt;

	match_prefix(m, FL_DIM_LOCAL_ADDR, &a->key.local);
	match_port(m, FL_DIM_LOCAL_PORT, a->key.local_port);
	return 0;
}

static __noinline int match_route(struct match *m)
{
	const struct fl_attempt *a = m->attempt;

	match_prefix(m, FL_DIM_REMOTE_ADDR, &a->key.remote);
	match_port(m, FL_DIM_REMOTE_PORT, a->key.remote_port);
	match_value(m, FL_DIM_INTERFACE, a->interface);
	match_value(m, FL_DIM_INTERFACE_TYPE, a->interface_type);
	match_value(m, FL_DIM_TUNNEL_TYPE, a->tunnel_type);
	return 0;
}

/* Not static, with numbers for arguments: verified once, by itself. */
__weak __noinline __u32 match_listeners_of(__u32 slot, __u64 per, __u64 listeners)
{
	struct fl_policy *policy = bpf_map_lookup_elem(&policies, &slot);

	if (!policy || per >= FL_PERS || listeners > FL_LISTENERS_UNKNOWN)
		return 0;
	return policy->listeners[per][listeners];
}

/* LISTEN has no route, and in its place how many listeners there are. */
static __noinline int match_listeners(struct match *m)
{
#pragma unroll
	for (__u32 per = 0; per < FL_PERS; per++)
		match_end(m, FL_PLACE_LISTENERS + per,
			  match_listeners_of(m->slot, per, fl_listeners_index(m->attempt, per)));
	return 0;
}

/* --- a question that was not asked before --- */

static __always_inline struct fl_class *class_find(__u32 slot, __u32 class)
{
	__u32 index = slot * FL_CLASSES_MAX + class;

	return bpf_map_lookup_elem(&policy_classes, &index);
}

static __always_inline struct fl_rule_block *block_find(__u32 slot, __u32 number)
{
	__u32 index = slot * FL_BLOCKS_MAX + number;

	return bpf_map_lookup_elem(&policy_blocks, &index);
}

/* Instead of a rule: a part of the policy is not there, its maps are damaged. */
#define NO_ANSWER 0xfffffffeu

/*
 * What one block of rules says to a question, in its words: the rule in the lower half, what is
 * audited in the upper. PLACE is the slot, and twice the number of the block among those of a set.
 * Not static, with numbers for arguments: verified once, by itself.
 */
__weak __noinline __u64 policy_block(__u64 place, __u64 a, __u64 b, __u64 c, __u64 d)
{
	const struct fl_question q = { .words = { a, b, c, d } };
	__u32 slot = place % FL_POLICY_SLOTS;
	const struct fl_policy *policy = bpf_map_lookup_elem(&policies, &slot);
	const struct fl_judgement none = { .rule = FL_NO_RULE, .audited = FL_NO_RULE };
	struct fl_rule_block set;
	__u64 i = place / FL_POLICY_SLOTS;

	if (!policy || i >= FL_BLOCKS)
		return NO_ANSWER;
#pragma unroll
	for (__u32 dimension = 0; dimension < FL_DIMS; dimension++) {
		struct fl_class *class = class_find(slot, fl_question_class(&q, dimension));
		struct fl_rule_block *block;

		if (!class)
			return NO_ANSWER;
		if (class->blocks[i] == FL_BLOCK_NONE)
			return fl_judgement_pack(none);
		if (dimension != FL_DIM_HOOK && class->blocks[i] == FL_BLOCK_ALL)
			continue;
		block = block_find(slot, class->blocks[i]);
		if (!block)
			return NO_ANSWER;
		if (dimension == FL_DIM_HOOK)
			set = *block;
		else
			fl_block_meet(&set, block);
	}
	return fl_judgement_pack(fl_block_judge(&set, &policy->enforced[i], i * FL_BLOCK_RULES));
}

static __always_inline struct fl_judgement match_anew(const struct fl_question *q, __u32 slot)
{
	struct fl_policy *policy = bpf_map_lookup_elem(&policies, &slot);
	struct fl_judgement j = { .rule = FL_NO_RULE, .audited = FL_NO_RULE };
	__u32 rules = policy ? policy->rules : 0;

#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < FL_BLOCKS && j.rule == FL_NO_RULE; i++) {
		if (i * FL_BLOCK_RULES >= rules)
			break;
		__u64 said = policy_block(i * FL_POLICY_SLOTS + slot, q->words[0], q->words[1],
					  q->words[2], q->words[3]);

		j = fl_judgement_join(j, fl_judgement_unpack(said));
	}
	return j;
}

/* --- one that was --- */

static __always_inline bool answer_known(const struct fl_question *q,
					 struct fl_judgement *ret_judgement)
{
	struct fl_answer *a = bpf_map_lookup_elem(&policy_answers, q);
	__u64 said;

	if (!a)
		return false;
	said = *(volatile const __u64 *)&a->said; /* once: it may be another's in a moment */
	*ret_judgement = fl_judgement_unpack(said);
	return fl_seal_fits(a->sealed.words, q->words, FL_SEAL_WORDS(*q), said);
}

/* Where there is room: else the next one waits as long again. */
static __noinline int answer_remember(const struct fl_question *q, __u64 said)
{
	struct fl_answer a = { .said = said };

	fl_seal(a.sealed.words, q->words, FL_SEAL_WORDS(*q), said);
	bpf_map_update_elem(&policy_answers, q, &a, BPF_ANY);
	return 0;
}

/* --- the whole --- */

/*
 * What is asked of the policy in SLOT by ATTEMPT. -ENOENT there is no such policy, -EIO its maps
 * are damaged. The generation is read first: who finds classes of a policy that is just being
 * written over them asks a question of the old one, which nobody asks any more.
 */
static __noinline int policy_question(const struct fl_attempt *attempt, __u32 slot,
				      struct fl_question *ret_question)
{
	struct match m = { .attempt = attempt, .slot = slot, .question = ret_question };
	__u32 index = FL_HOOK_INDEX(attempt->hook, attempt->key.proto);
	__u64 class, generation;

	m.policy = bpf_map_lookup_elem(&policies, &slot);
	if (!m.policy || slot >= FL_POLICY_SLOTS)
		return -2; /* ENOENT */
	if (index >= FL_HOOK_INDEXES)
		return -5; /* EIO */
	generation = m.policy->generation;
	barrier();
	*ret_question = fl_question_of(m.policy, generation);
	m.asked = m.policy->asked[index];
	class = fl_opaque(fl_hook_class(index, fl_port_in_use(attempt)));
	if (class >= FL_HOOK_INDEXES * FL_FACTS) /* never, which the verifier cannot know */
		return -5;
	fl_question_put(ret_question, FL_DIM_HOOK, 0, m.policy->hooks[class]);
	match_numbers(&m);
	if (m.asked & ASKS_NEAR)
		match_near(&m);
	if (attempt->hook == FL_HOOK_LISTEN)
		match_listeners(&m);
	else if (m.asked & ASKS_ROUTE)
		match_route(&m);
	return 0;
}

/* The rule that decides, of the policy in SLOT; -EIO as above. */
static __noinline int policy_answer(const struct fl_question *q, __u32 slot,
				    struct fl_judgement *ret_judgement)
{
	if (answer_known(q, ret_judgement))
		return 0;
	*ret_judgement = match_anew(q, slot);
	if (ret_judgement->rule == NO_ANSWER)
		return -5;
	return answer_remember(q, fl_judgement_pack(*ret_judgement));
}

/* Which rule of the policy in SLOT decides ATTEMPT. Negative errno: the caller fails closed. */
static __always_inline int policy_match(const struct fl_attempt *attempt, __u32 slot,
					struct fl_judgement *ret_judgement)
{
	struct fl_question q;
	int r = policy_question(attempt, slot, &q);

	return r ? r : policy_answer(&q, slot, ret_judgement);
}

#endif /* FLOWNER_VERDICT_MATCH_BPF_H */
