/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One policy on this machine: its texts, its rules, what their names stand for now, and the tables
 * made of that. Ready to be put in force, or to be put back.
 */
#ifndef FLOWNER_RULESET_H
#define FLOWNER_RULESET_H

#include "policy/compile.h"
#include "text/fail.h"
#include "policy/policy.h"
#include "policy/resolve.h"

struct agent;
struct label;

/* The tag of a hook's default: the tags of rules are below. */
#define RULESET_DEFAULT(hook) (FL_RULES_MAX + (__u64)(hook))

struct ruleset {
	struct policy_text *texts;
	size_t text_count;
	struct policy *policy;
	struct resolve_world world;
	struct resolution *resolution;
	struct compiled *compiled;
	struct label **names; /* of the rules */
	__u32 *places;	      /* of rule i of the policy: its place as compiled */
	__u64 generation;     /* in force or lately; 0 = never */
	__u64 since_ns;	      /* CLOCK_BOOTTIME */
	struct fl_spared spared[FL_SPARED_MAX];
	__u32 area; /* of policy.h, its own; FL_AREA_NONE: not in force yet */
};

/*
 * TEXTS are copied. -EINVAL, -E2BIG with a sentence that says where; -ENOMEM. CGROUP_MOUNT, which
 * may be NULL, and AGENT outlive it. FROM, when not NULL: what TEXTS are an edit of, in which users
 * and groups are who they were there, whatever has become of them.
 */
int ruleset_new(struct agent *agent, const char *cgroup_mount, const struct policy_text *texts,
		size_t count, const struct ruleset *from, struct ruleset **ret_set, struct fail *f);
void ruleset_free(struct ruleset *set);

/* R, and its sentence: of ERROR, when that says something. */
int ruleset_refuse(const struct policy_error *error, int r, struct fail *f);

/*
 * Compiled anew, when the names mean something else than its tables can hold. RET_BEFORE, if not
 * NULL, gets the tables of before, for compiled_free() or, where the new ones cannot be in force,
 * for ruleset_uncompile(), which takes them. -E2BIG, -ENOMEM.
 */
int ruleset_compile(struct ruleset *set, struct compiled **ret_before);
void ruleset_uncompile(struct ruleset *set, struct compiled *before);

/* What is judged where: bits 1 << enum fl_hook. */
__u32 ruleset_hooks(const struct ruleset *set);

/* The same: what cannot be judged there is rejected, for a rule that is enforced or the default
 * might say so. */
__u32 ruleset_closed_hooks(const struct ruleset *set);

/* A rule that is enforced redirects connections. */
bool ruleset_redirects(const struct ruleset *set);

/* The rule of TAG, NULL when that is a default. */
const struct policy_rule *ruleset_rule(const struct ruleset *set, __u64 tag);

#endif
