/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rules in numbers to the tables of include/flowner/policy.h; and the same question answered rule
 * by rule, which is what `policy test` does and what the tables are tested against. Pure: no map,
 * no file, no name is looked up.
 */
#ifndef FLOWNER_COMPILE_H
#define FLOWNER_COMPILE_H

#include "text/distinct.h"
#include <flowner/policy.h>
#include <stdbool.h>
#include <stddef.h>

/* What one dimension's kind needs of it; the rest is 0. */
struct term_value {
	__u64 id[3];	     /* as in struct value_key */
	struct fl_addr addr; /* with bits: a prefix, its other bits 0 */
	__u32 bits;	     /* of 128; an IPv4 prefix has 96 more than people write */
	__u16 first, last;   /* ports, host order, both included */
};

/* A value in the maps: an id; a file: inode and dev; a place: its directory's, and the name. */
struct value_key {
	enum fl_dimension dimension;
	__u64 id[3];
};

/* One attribute of a rule: any of the values; NEGATED: none of them. */
struct term {
	enum fl_dimension dimension;
	bool negated;
	size_t count;
	struct term_value *values;
};

/* All terms must hold. */
struct plain_rule {
	__u32 hooks; /* bit 1 << enum fl_hook */
	bool tcp, udp;
	bool enforced; /* else audit */
	bool here; /* names its network namespace only by implication: no reason to come first */
	__u32 verdict; /* enum fl_verdict */
	__u32 flags;   /* FL_RULE_* */
	__u64 tag;     /* the caller's */
	struct fl_target to;
	__u64 home; /* as in struct fl_policy_rule */
	size_t term_count;
	struct term *terms;
};

struct plain_default {
	__u32 verdict;
	bool enforced;
	__u64 tag;
};

struct compiled {
	struct fl_policy policy;
	struct fl_policy_rule *rules;
	__u32 *order;		 /* of rule i: its place in what was compiled */
	struct distinct classes; /* struct fl_class */
	struct distinct blocks;	 /* struct fl_rule_block */
	struct compiled_entry {
		struct value_key key;
		__u32 class;
	} * entries;
	size_t entry_count;
	struct compiled_prefix {
		struct fl_policy_prefix prefix; /* slot 0 */
		__u32 class;
		__u32 around; /* 1 + place of the next wider one that is here; 0: there is none */
	} * prefixes;
	size_t prefix_count;
	__u32 *ports[2]; /* classes of local and of remote ports; NULL where none is asked for */
};

/*
 * Rules that name a network namespace come before those that do not; else the order is kept. -E2BIG
 * more than FL_RULES_MAX rules, FL_CLASSES_MAX classes or FL_BLOCKS_MAX blocks. -ENOMEM.
 */
int compile(const struct plain_rule *rules, size_t count,
	    const struct plain_default defaults[FL_HOOKS], struct compiled **ret_compiled);
void compiled_free(struct compiled *c);

const struct fl_class *compiled_class(const struct compiled *c, __u32 class);
const struct fl_rule_block *compiled_block(const struct compiled *c, __u32 number);

/*
 * The class of VALUE in dimension D by RULES, which are those C was compiled from, but may have
 * gained or lost values since. *RET_NEW: C had no such class and has it now. -E2BIG no room for it.
 */
int compiled_classify(struct compiled *c, const struct plain_rule *rules, enum fl_dimension d,
		      const struct term_value *value, __u32 *ret_class, bool *ret_new);

/* What the tables say, looked up as the programs do. */
struct fl_judgement compiled_judge(const struct compiled *c, const struct fl_attempt *attempt);

/* Whether RULE matches, straight from its terms. */
bool plain_rule_matches(const struct plain_rule *rule, const struct fl_attempt *attempt);

#endif
