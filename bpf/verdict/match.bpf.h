/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * An attempt against the policy: one look-up a dimension gives a set of rules, the sets meet, the
 * first rule left decides. No loop over rules, so the cost is the same for one and for a thousand.
 */
#ifndef FLOWNER_VERDICT_MATCH_BPF_H
#define FLOWNER_VERDICT_MATCH_BPF_H

#include "place.bpf.h"
#include "policy.bpf.h"

struct match {
	const struct fl_attempt *attempt;
	const struct fl_policy *policy;
	__u32 slot;
	struct fl_rule_set set;
};

/* These say false for a class that is not there: never, unless the maps were damaged. */
static __always_inline bool match_class(struct match *m, __u32 class)
{
	__u32 index = m->slot * FL_CLASSES_MAX + class;
	struct fl_rule_set *set = bpf_map_lookup_elem(&policy_classes, &index);

	if (!set)
		return false;
	fl_rule_set_meet(&m->set, set);
	return true;
}

/* What every dimension does but for the look-up: true when that is needed. */
static __always_inline bool match_begin(struct match *m, enum fl_dimension d, __u32 *ret_class)
{
	if (!(m->attempt->known >> d & 1)) {
		*ret_class = m->policy->unknown[d];
		return false;
	}
	*ret_class = m->policy->other[d];
	return m->policy->wanted >> d & 1;
}

/* By the place of the process that runs, too, with PLACE: a file nobody has told of may be new. */
static __always_inline bool match_either(struct match *m, enum fl_dimension d, __u64 a, __u64 b,
					 __u32 place)
{
	__u32 class, found;

	if (match_begin(m, d, &class)) {
		found = value_class(m->slot, d, a, b, place);
		class ^= (class ^ found) & (__u32)fl_mask(found ^ FL_NO_CLASS);
	}
	return match_class(m, class);
}

static __always_inline bool match_value(struct match *m, enum fl_dimension d, __u64 value)
{
	return match_either(m, d, value, 0, 0);
}

static __always_inline bool match_file(struct match *m, enum fl_dimension d,
				       const struct fl_file *f)
{
	return match_either(m, d, f->inode, f->dev, m->attempt->known & FL_KNOWN_CURRENT);
}

static __always_inline bool match_prefix(struct match *m, enum fl_dimension d,
					 const struct fl_addr *addr)
{
	struct fl_policy_prefix key = {
		.bits = FL_PREFIX_BASE + 128, .slot = m->slot, .dimension = d, .addr = *addr
	};
	__u32 class, *found;

	if (match_begin(m, d, &class)) {
		found = bpf_map_lookup_elem(&policy_prefixes, &key);
		if (found)
			class = *found;
	}
	return match_class(m, class);
}

static __always_inline bool match_port(struct match *m, enum fl_dimension d, __u16 port)
{
	__u32 index = (m->slot * 2 + (d == FL_DIM_REMOTE_PORT)) * 65536 + port;
	__u32 class, *found;

	if (match_begin(m, d, &class)) {
		found = bpf_map_lookup_elem(&policy_ports, &index);
		if (!found)
			return false;
		class = *found;
	}
	return match_class(m, class);
}

static __always_inline bool match_numbers(struct match *m)
{
	const struct fl_attempt *a = m->attempt;

	return match_file(m, FL_DIM_EXE, &a->exe) && match_file(m, FL_DIM_PARENT, &a->parent) &&
	       match_value(m, FL_DIM_UID, a->owner.uid) &&
	       match_value(m, FL_DIM_GID, a->owner.gid) &&
	       match_value(m, FL_DIM_CGROUP, a->cgroup_id) &&
	       match_value(m, FL_DIM_NETNS, a->key.netns_cookie) &&
	       match_value(m, FL_DIM_INTERFACE, a->interface) &&
	       match_value(m, FL_DIM_INTERFACE_TYPE, a->interface_type) &&
	       match_value(m, FL_DIM_TUNNEL_TYPE, a->tunnel_type);
}

/* In a frame of its own: the set, the attempt and the keys would not fit in one. */
static __noinline int match_addresses(struct match *m)
{
	const struct fl_attempt *a = m->attempt;

	return match_prefix(m, FL_DIM_LOCAL_ADDR, &a->key.local) &&
	       match_prefix(m, FL_DIM_REMOTE_ADDR, &a->key.remote) &&
	       match_port(m, FL_DIM_LOCAL_PORT, a->key.local_port) &&
	       match_port(m, FL_DIM_REMOTE_PORT, a->key.remote_port);
}

static __noinline int match_decide(const struct match *m, struct fl_judgement *ret_judgement)
{
	*ret_judgement = fl_policy_judge(m->policy, &m->set);
	return 0;
}

/*
 * Which rule of the policy in SLOT decides ATTEMPT. -ENOENT there is no such policy, -EIO its maps
 * are damaged: the caller fails closed.
 */
static __noinline int policy_match(const struct fl_attempt *attempt, __u32 slot,
				   struct fl_judgement *ret_judgement)
{
	struct match m = { .attempt = attempt, .slot = slot };
	__u32 index;

	m.policy = bpf_map_lookup_elem(&policies, &slot);
	if (!m.policy || slot >= FL_POLICY_SLOTS)
		return -2; /* ENOENT */
	index = FL_HOOK_INDEX(attempt->hook, attempt->key.proto);
	if (index >= FL_HOOKS * 2)
		return -5; /* EIO */
	for (unsigned int i = 0; i < FL_RULE_WORDS; i++)
		m.set.words[i] = ~0ULL;
	if (!match_class(&m, m.policy->hooks[index]) || !match_numbers(&m) || !match_addresses(&m))
		return -5;
	return match_decide(&m, ret_judgement);
}

#endif /* FLOWNER_VERDICT_MATCH_BPF_H */
