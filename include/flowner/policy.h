/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A compiled policy and the attempt it judges: the layouts of the policy maps, and the rule that
 * picks a rule. Shared by the verdict programs, the daemon that compiles, and the unit tests. Pure.
 *
 * Every attribute of an attempt is one dimension. For each value of a dimension the compiler has
 * written down which rules accept it: a class, which is a set of rules, one bit each, in the order
 * of the policy. The classes of all dimensions are a question; the sets are intersected, the first
 * rule left is the answer, and it is remembered: what a verdict costs does not depend on the number
 * of rules. Sets are cut into blocks, of which equal ones are kept once: most of a large policy's
 * sets differ in one block from most others.
 */
#ifndef FLOWNER_POLICY_H
#define FLOWNER_POLICY_H

#include <flowner/check.h>
#include <flowner/flow.h>
#include <flowner/listen.h>
#include <flowner/redirect.h>
#include <flowner/seal.h>
#include <flowner/verdict.h>

#define FL_BLOCK_WORDS 8 /* more would not fit on the stack of the programs */
#define FL_BLOCK_RULES (FL_BLOCK_WORDS * 64)
#define FL_BLOCKS 20 /* of one set */
#define FL_RULES_MAX (FL_BLOCKS * FL_BLOCK_RULES)
#define FL_BLOCKS_MAX 65536  /* distinct blocks in one policy: 16 bits */
#define FL_CLASSES_MAX 32768 /* distinct sets of rules in one policy: 16 bits have room for more */
#define FL_POLICY_SLOTS 2    /* the policy in use, and the one being loaded or kept to roll back */

/* Bit i of word i / 64 is rule i of these. */
struct fl_rule_block {
	__u64 words[FL_BLOCK_WORDS];
};

/* The numbers of those that every policy has. */
#define FL_BLOCK_NONE 0
#define FL_BLOCK_ALL 1

/*
 * A set of rules: numbers of blocks. Behind the last rule of the policy everything is set, so that
 * who accepts all rules is all FL_BLOCK_ALL; but nothing is in the classes of hooks.
 */
struct fl_class {
	__u16 blocks[FL_BLOCKS];
};

enum fl_dimension {
	FL_DIM_HOOK, /* hook and protocol, which are always known: see FL_HOOK_INDEX() */
	FL_DIM_EXE,
	FL_DIM_PARENT, /* executable of the parent process */
	FL_DIM_UID,
	FL_DIM_GID,
	FL_DIM_CGROUP, /* cgroup, unit, container */
	FL_DIM_NETNS,
	FL_DIM_LOCAL_ADDR,
	FL_DIM_LOCAL_PORT,
	FL_DIM_REMOTE_ADDR,
	FL_DIM_REMOTE_PORT,
	FL_DIM_INTERFACE,
	FL_DIM_INTERFACE_TYPE,
	FL_DIM_TUNNEL_TYPE,
	FL_DIMS,
	/* Of so few values that they are a part of the hook's class, and cost neither a look-up nor
	 * a place in the question: see fl_hook_class(). */
	FL_DIM_PORT_IN_USE,
	/* At LISTEN only: how many listeners there are already, by enum fl_per. They stand in the
	 * question where what there is of a route has its place else: see FL_PLACE_LISTENERS. */
	FL_DIM_LISTENERS,
	FL_DIMS_KNOWN = FL_DIM_LISTENERS + 4,
};

#define FL_LISTENERS_MAX 4096 /* what a limit may be */
#define FL_LISTENERS_UNKNOWN (FL_LISTENERS_MAX + 1)
#define FL_PLACE_LISTENERS FL_DIM_REMOTE_ADDR
#define FL_KNOWS_LISTENERS (((1u << FL_PERS) - 1) << FL_DIM_LISTENERS)

#define FL_HOOK_INDEX(hook, proto) ((__u32)(hook)*2 + ((proto) == FL_UDP))
#define FL_HOOK_INDEXES (FL_HOOKS * 2)

/* What is told apart beside hook and protocol: whether another process listens on that port. */
enum fl_fact {
	FL_FACT_UNKNOWN,
	FL_FACT_NO,
	FL_FACT_YES,
	FL_FACTS,
};

/* A file: what an executable is known by. */
struct fl_file {
	__u64 inode;
	__u32 dev; /* kernel dev_t: major << 20 | minor */
	__u32 pad;
};

/*
 * Hash of a file's name, from its length on, 8 bytes at a time; what is left, be it nothing, is
 * filled up with zeros. Never 0. It need not withstand anybody: who may choose names in a directory
 * may put any file under any of them.
 */
#define FL_NAME_MAX 255

FL_RULE __u64 fl_name_step(__u64 hash, __u64 bytes)
{
	hash = (hash ^ bytes) * 0x100000001b3ULL;
	return hash ^ hash >> 32;
}

FL_RULE __u64 fl_name_end(__u64 hash)
{
	return hash | 1;
}

/* IANA numbers (ifType, tunnelType); UNKNOWN where the moment does not know them. */
#define FL_TYPE_UNKNOWN 0xffffffffu

/* What is to be judged. An attribute whose bit in `known` is not set has no meaning. */
struct fl_attempt {
	struct fl_key key;     /* this socket's view; parts not chosen yet are 0 */
	struct fl_owner owner; /* of RECV_ACCEPT: the listener's */
	struct fl_file exe;
	struct fl_file parent;
	__u64 cgroup_id;
	__u64 cookie; /* SO_COOKIE, 0 = not known */
	union {
		struct {
			__u64 interface; /* fl_link_name() of the route's, or of the arrival's */
			__u32 next_hop_interface; /* its ifindex */
			__u32 interface_type;
			__u32 tunnel_type;
			__u32 sub_interface;
		};
		__u32 listeners[FL_PERS]; /* of LISTEN, which has no route: by enum fl_per */
	};
	__u16 hook;		    /* enum fl_hook */
	__u16 port_in_use_by_other; /* 0 or 1 */
	__u32 known;		    /* bit 1 << enum fl_dimension */
};

/* In `known`: it is the process that runs here, and more may be asked of it. */
#define FL_KNOWN_CURRENT (1u << 31)
/* It is a session that lives, which is judged again. */
#define FL_KNOWN_AGAIN (1u << 30)
/* it listens already: what is rejected is to be ended */
#define FL_KNOWN_LATE (1u << 29)
/* It goes elsewhere than where it was to go, nobody knows where: it cannot be judged. */
#define FL_KNOWN_ELSEWHERE (1u << 28)

/*
 * Keys of the policy's hashes: one map holds both slots, so that a flip of the slot is atomic. The
 * first is what every verdict looks for: short, and in words, since a processor waits for what was
 * written in parts and is read as a whole.
 */
struct fl_policy_value {
	__u64 kind; /* fl_policy_kind() */
	__u64 id;   /* of a file: inode */
};

struct fl_policy_place {
	__u32 slot;
	__u32 dimension;
	__u64 inode; /* of the directory */
	__u64 dev;
	__u64 name; /* fl_name_end() */
};

/* What they lead to: a class, and whose it is, see seal.h. */
struct fl_policy_value_class {
	__u64 class;
	__u64 sealed[2];
};

struct fl_policy_place_class {
	__u64 class;
	__u64 sealed[4];
};

/* Key of the prefix trie. */
#define FL_PREFIX_BASE 32 /* bits before the address: all of them count */
struct fl_policy_prefix {
	__u32 bits; /* FL_PREFIX_BASE + those of the prefix; of IPv4 96 more */
	__u16 slot;
	__u16 dimension;
	struct fl_addr addr;
};

#define FL_CLASSES_A_WORD 4

/*
 * The class of each dimension, in 16 bits of word d / 4; what is left of the last word is of the
 * generation. A policy has one answer to it.
 */
struct fl_question {
	__u64 words[4];
};

/* What a rule says when it matches. */
struct fl_policy_rule {
	__u32 verdict; /* enum fl_verdict */
	__u32 flags;
	__u64 tag;	     /* of the policy's file: the daemon finds name and line by it */
	struct fl_target to; /* with FL_RULE_REDIRECT */
	__u64 home; /* cookie of the namespace whose own address that is; 0: none is known */
};

#define FL_RULE_OVERRIDE 1u /* PROCEED_HARD lifts what another program denied */
#define FL_RULE_REDIRECT 2u

/* One policy, as its slot has it. */
struct fl_policy {
	__u32 rules;
	__u32 area;				  /* where its hits are counted, see below */
	struct fl_rule_block enforced[FL_BLOCKS]; /* rules that are; the others are in audit */
	struct fl_policy_rule defaults[FL_HOOKS]; /* when no rule matches */
	struct fl_question others;		  /* of values that no rule names */
	__u32 other[FL_DIMS];			  /* the same: class of each dimension */
	__u32 unknown[FL_DIMS]; /* class of a value that is not known at this moment */
	__u32 hooks[FL_HOOK_INDEXES * FL_FACTS]; /* by fl_hook_class() */
	/* class of so many listeners, of those of them that are too many to tell apart, unknown */
	__u16 listeners[FL_PERS][FL_LISTENERS_UNKNOWN + 1];
	__u32 default_enforced;	      /* bit 1 << hook */
	__u32 wanted;		      /* bit 1 << dimension: some rule asks for it */
	__u32 asked[FL_HOOK_INDEXES]; /* the same of the rules of FL_HOOK_INDEX() */
	/* by the kernel side: some new cgroup could not be written down; what is not, is unknown */
	__u32 cgroups_missed; /* 0 or 1 */
	__u64 birth_key[2];   /* of the names of cgroups, see birth.h */
	__u64 generation;     /* written last; who remembers an answer reads it first */
};

/* Value of policy_state. */
struct fl_policy_state {
	__u32 slot;	    /* in use; FL_POLICY_NONE */
	__u32 closed_hooks; /* bit 1 << enum fl_hook: what cannot be judged there is rejected */
	__u32 daemon_pid;   /* never denied, nor is pid 1 */
	__u32 selftest_pid; /* listen() of this process is denied, to see whether a denial works */
	__u64 daemon_ticks; /* when it started: another process may get its number */
};

#define FL_POLICY_NONE 0xffffffffu

#define FL_NO_RULE 0xffffffffu

/*
 * A policy as its daemon knows it has an AREA: its hits, and the texts it was made of. It may move
 * from slot to slot while its names come to stand for something else; the area stays. One is in
 * force, one may wait for the end of a trial, one may be loaded.
 */
#define FL_POLICY_AREAS 3
#define FL_AREA_NONE FL_POLICY_AREAS
#define FL_TEXT_CHUNK 4096
#define FL_TEXT_CHUNKS 4096 /* of one policy */
/* the last of them: hits that are not in its area, a __u64 a rule */
#define FL_HITS_CHUNKS (FL_RULES_MAX * 8 / FL_TEXT_CHUNK)

#define FL_SPARED_MAX 64

/* Who loaded a policy, or one of those it came from: what lives of it is not cut. */
struct fl_spared {
	__u64 ticks; /* of its start, as fl_policy_state.daemon_ticks */
	__u32 pid;   /* 0: there are no more of them */
	__u32 pad;
};

struct fl_policy_area {
	__u64 since_ns; /* CLOCK_BOOTTIME */
	__u64 bytes;	/* of its texts, as kept.c writes them; 0: they were too long */
	struct fl_spared spared[FL_SPARED_MAX];
};

/* For the daemon that comes after a killed one. Written before the policy is in force. */
struct fl_policy_kept {
	__u64 shape;	     /* of what these maps hold, see layout.h */
	__u64 trial_ends_ns; /* CLOCK_BOOTTIME */
	__u32 trial;	     /* bit 1 << area: the policy of that one is on trial */
	__u32 before;	     /* area of what was before the trial; FL_AREA_NONE: nothing was */
	struct fl_policy_area areas[FL_POLICY_AREAS];
};

/* Number 0 of every chain. */
#define FL_MEMBER_POLICY 0

#define FL_VERDICT_ENFORCED 1u	       /* `verdict` happened */
#define FL_VERDICT_AUDITED 2u	       /* `audit_verdict` would have */
#define FL_VERDICT_FAILED 4u	       /* it could not be judged */
#define FL_VERDICT_LIFTS 8u	       /* `verdict`, when PROCEED_HARD, undoes what others denied */
#define FL_VERDICT_REDIRECTS 16u       /* the rule of `tag` does, to where it says */
#define FL_VERDICT_AUDIT_REDIRECTS 32u /* that of `audit_tag` would */

struct fl_said {
	__u64 generation;
	__u64 tag;	 /* of the rule or default that decided */
	__u64 audit_tag; /* of the one in audit */
	__u32 verdict;	 /* enum fl_verdict */
	__u32 audit_verdict;
	__u32 flags; /* FL_VERDICT_* */
	__u16 rule;  /* of those flags: the rules they are of, as compiled */
	__u16 audit_rule;
};

/* What the event ring carries of a verdict that matters: no plain PROCEED_SOFT. */
struct fl_verdict_event {
	struct fl_record head;
	__u64 time_ns; /* CLOCK_BOOTTIME */
	struct fl_attempt attempt;
	struct fl_said said;
};

/* A cgroup has been made whose class takes a look at it; until then it is what is not known. */
#define FL_CGROUP_PATH 256

struct fl_cgroup_event {
	struct fl_record head;
	__u64 id;
	char path[FL_CGROUP_PATH]; /* below the host's root; what is longer is cut */
};

/* CONNECT_AUTHORIZATION was asked of an interface that nobody has gone by so far. */
struct fl_link_event {
	struct fl_record head;
	__u64 netns_cookie;
	__u32 interface; /* ifindex */
	__u32 pad;
};

/* What the program judge_again is run on. */
struct fl_again {
	__u64 flow_id;
	__u32 interface; /* ifindex of the route now; 0: no rule asks for it */
	__u32 pad;
};

enum fl_again_answer {
	FL_AGAIN_REJECTED,
	FL_AGAIN_PROCEEDS,
	FL_AGAIN_GONE,	  /* it has ended, or nobody here opened it */
	FL_AGAIN_NO_LINK, /* nobody has looked at that interface yet */
	FL_AGAIN_UNKNOWN, /* of what a rule asks for something is not known: not judged */
};

/* Whose attempts no policy denies: without them nobody is left to change it. */
FL_RULE int fl_policy_exempt(__u32 pid, __u32 daemon_pid)
{
	return pid == 1 || (pid && pid == daemon_pid);
}

#define FL_TICK_NS 10000000 /* of times in /proc/PID/stat, on every architecture */

/* The same while the daemon may be dead and its number another's. */
FL_RULE int fl_policy_exempts(const struct fl_policy_state *state, const struct fl_proc_key *proc)
{
	if (!fl_policy_exempt(proc->pid, state->daemon_pid))
		return 0;
	return proc->pid == 1 || proc->start_ns / FL_TICK_NS == state->daemon_ticks;
}

/* DEV of a file; of a cgroup that is not named by its id: FL_BIRTH_*. */
FL_RULE __u64 fl_policy_kind(__u32 slot, enum fl_dimension d, __u32 dev)
{
	return (__u64)dev << 32 | (__u32)d << 16 | slot;
}

FL_RULE __u32 fl_policy_kind_slot(__u64 kind)
{
	return kind & 0xffff;
}

FL_RULE struct fl_policy_value_class fl_policy_value_seal(const struct fl_policy_value *key,
							  __u32 class)
{
	const __u64 words[2] = { key->kind, key->id };
	struct fl_policy_value_class v = { .class = class };

	fl_seal(v.sealed, words, FL_SEAL_WORDS(*key), class);
	return v;
}

/* CLASS was read once. */
FL_RULE int fl_policy_value_fits(const struct fl_policy_value_class *v,
				 const struct fl_policy_value *key, __u64 class)
{
	const __u64 words[2] = { key->kind, key->id };

	return fl_seal_fits(v->sealed, words, FL_SEAL_WORDS(*key), class);
}

/* The words of the key of a place, of which the first two are halves. */
FL_RULE void fl_policy_place_words(const struct fl_policy_place *key, __u64 words[4])
{
	words[0] = (__u64)key->slot << 32 | key->dimension;
	words[1] = key->inode;
	words[2] = key->dev;
	words[3] = key->name;
}

FL_RULE struct fl_policy_place_class fl_policy_place_seal(const struct fl_policy_place *key,
							  __u32 class)
{
	struct fl_policy_place_class v = { .class = class };
	__u64 words[4];

	fl_policy_place_words(key, words);
	fl_seal(v.sealed, words, FL_SEAL_WORDS(*key), class);
	return v;
}

FL_RULE int fl_policy_place_fits(const struct fl_policy_place_class *v,
				 const struct fl_policy_place *key, __u64 class)
{
	__u64 words[4];

	fl_policy_place_words(key, words);
	return fl_seal_fits(v->sealed, words, FL_SEAL_WORDS(*key), class);
}

/* What a policy says to an attempt. */
struct fl_judgement {
	__u32 rule;    /* that decides, FL_NO_RULE: the default does */
	__u32 audited; /* first rule in audit before it, FL_NO_RULE: none */
};

/* The same, remembered: see seal.h. */
struct fl_answer {
	__u64 said; /* fl_judgement_pack() */
	struct fl_question sealed;
};

FL_RULE __u32 fl_question_class(const struct fl_question *q, enum fl_dimension d)
{
	return q->words[d / FL_CLASSES_A_WORD] >> d % FL_CLASSES_A_WORD * 16 & 0xffff;
}

/* The class of D, which is WAS, becomes CLASS. */
FL_RULE void fl_question_put(struct fl_question *q, enum fl_dimension d, __u32 was, __u32 class)
{
	q->words[d / FL_CLASSES_A_WORD] ^= (__u64)((was ^ class) & 0xffff)
					   << d % FL_CLASSES_A_WORD * 16;
}

/* Without a branch: see fl_lowest_bit(). */
FL_RULE __u32 fl_port_in_use(const struct fl_attempt *a)
{
	return (a->known >> FL_DIM_PORT_IN_USE & 1) * (1 + (a->port_in_use_by_other & 1));
}

/* Where in fl_policy.hooks the class of the hook is, of an attempt whose FL_HOOK_INDEX() is INDEX
 * and to which FACT, an enum fl_fact, is the case. */
FL_RULE __u32 fl_hook_class(__u32 index, __u32 fact)
{
	return index * FL_FACTS + fact;
}

/* Where in fl_policy.listeners the class is of how many there are. */
FL_RULE __u32 fl_listeners_index(const struct fl_attempt *a, enum fl_per per)
{
	__u32 listeners = a->listeners[per];

	if (!(a->known >> (FL_DIM_LISTENERS + per) & 1))
		return FL_LISTENERS_UNKNOWN;
	return listeners < FL_LISTENERS_MAX ? listeners : FL_LISTENERS_MAX;
}

/* Of what no rule names, at the hook that is in none. */
FL_RULE struct fl_question fl_question_of(const struct fl_policy *policy, __u64 generation)
{
	struct fl_question q = policy->others;

	q.words[3] |= generation << 32;
	return q;
}

/* A judgement as one number, which is read and written at once. */
FL_RULE __u64 fl_judgement_pack(struct fl_judgement j)
{
	return (__u64)j.audited << 32 | j.rule;
}

FL_RULE struct fl_judgement fl_judgement_unpack(__u64 packed)
{
	return (struct fl_judgement){ .rule = (__u32)packed, .audited = packed >> 32 };
}

FL_RULE void fl_block_meet(struct fl_rule_block *block, const struct fl_rule_block *with)
{
	for (unsigned int i = 0; i < FL_BLOCK_WORDS; i++)
		block->words[i] &= with->words[i];
}

/*
 * Number of the lowest set bit, 64 when there is none. By counting the bits below it, without a
 * branch: BPF has no instruction for it, and its verifier would follow each way of every branch.
 */
FL_RULE __u32 fl_lowest_bit(__u64 word)
{
	__u64 below = (word & -word) - 1;

	below -= below >> 1 & 0x5555555555555555ULL;
	below = (below & 0x3333333333333333ULL) + (below >> 2 & 0x3333333333333333ULL);
	below = (below + (below >> 4)) & 0x0f0f0f0f0f0f0f0fULL;
	return (__u32)(below * 0x0101010101010101ULL >> 56);
}

/*
 * First rule of BLOCK that is in ENFORCED, or with FLIP ~0 is not; FL_NO_RULE there is none. FIRST
 * is the number of the block's first rule. Without a branch, as above: each way out of a loop is
 * one more way through all that comes after it.
 */
FL_RULE __u32 fl_block_first(const struct fl_rule_block *block,
			     const struct fl_rule_block *enforced, __u64 flip, __u32 first)
{
	__u64 lowest = 0, base = FL_NO_RULE - 64;

	for (__u32 i = FL_BLOCK_WORDS; i-- > 0;) {
		__u64 word = block->words[i] & (enforced->words[i] ^ flip);
		__u64 here = fl_mask(word);

		lowest ^= (lowest ^ word) & here;
		base ^= (base ^ (first + i * 64)) & here;
	}
	return (__u32)base + fl_lowest_bit(lowest);
}

/*
 * What the rules from FIRST on say, of which those in BLOCK match. A rule in audit is as if it were
 * not there; what it would have said is told beside it.
 */
FL_RULE struct fl_judgement fl_block_judge(const struct fl_rule_block *block,
					   const struct fl_rule_block *enforced, __u32 first)
{
	struct fl_judgement j = {
		.rule = fl_block_first(block, enforced, 0, first),
		.audited = fl_block_first(block, enforced, ~0ULL, first),
	};

	if (j.audited > j.rule) /* FL_NO_RULE is the largest of all */
		j.audited = FL_NO_RULE;
	return j;
}

/* What two blocks say, of which the first does not decide. Without a branch. */
FL_RULE struct fl_judgement fl_judgement_join(struct fl_judgement first, struct fl_judgement second)
{
	__u32 is_first = (__u32)fl_mask(first.audited ^ FL_NO_RULE);

	second.audited ^= (second.audited ^ first.audited) & is_first;
	return second;
}

_Static_assert(FL_DIMS_KNOWN == FL_DIM_LISTENERS + FL_PERS, "one dimension for each");
_Static_assert(FL_PLACE_LISTENERS + FL_PERS < FL_DIMS, "the places of a route are enough");
_Static_assert(FL_DIMS * 16 + 32 <= 8 * sizeof(struct fl_question), "a class has 16 bits");
_Static_assert(FL_CLASSES_MAX <= 65536, "a class has 16 bits");
FL_ASSERT_SIZE(fl_rule_block, FL_BLOCK_RULES / 8);
FL_ASSERT_SIZE(fl_class, 2 * FL_BLOCKS);
FL_ASSERT_SIZE(fl_question, 32);
FL_ASSERT_SIZE(fl_judgement, 8);
FL_ASSERT_SIZE(fl_attempt, 176);
FL_ASSERT_SIZE(fl_answer, 40);
FL_ASSERT_SIZE(fl_policy_value, 16);
FL_ASSERT_SIZE(fl_policy_place, 32);
FL_ASSERT_SIZE(fl_policy_value_class, 24);
FL_ASSERT_SIZE(fl_policy_place_class, 40);
FL_ASSERT_SIZE(fl_policy_prefix, 24);
FL_ASSERT_SIZE(fl_policy_rule, 48);
FL_ASSERT_SIZE(fl_policy_state, 24);
FL_ASSERT_SIZE(fl_policy_area, 1040);
FL_ASSERT_SIZE(fl_spared, 16);
FL_ASSERT_SIZE(fl_policy_kept, 3144);
FL_ASSERT_SIZE(fl_verdict_event, 232);
FL_ASSERT_SIZE(fl_cgroup_event, 272);
FL_ASSERT_SIZE(fl_link_event, 24);
FL_ASSERT_SIZE(fl_again, 16);

#endif /* FLOWNER_POLICY_H */
