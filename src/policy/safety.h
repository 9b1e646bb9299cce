/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Before a policy is put in force: what it would cut, and whether that is who asks for it. Pure:
 * the caller brings the compiled policy and the list of what lives.
 */
#ifndef FLOWNER_SAFETY_H
#define FLOWNER_SAFETY_H

#include "policy/compile.h"

/* A live session, or a listener. */
struct live {
	__u64 flow_id;
	enum fl_role role;
	enum fl_state state;
	struct fl_attempt attempt; /* hook is not read; attributes not known are not in `known` */
};

/* Who must not be cut off, and who never is. */
struct safety_caller {
	const __u32 *pids; /* the caller and its ancestors, in the initial pid namespace */
	size_t pid_count;
	__u32 daemon_pid;
};

struct safety_cut {
	size_t live;	   /* index */
	enum fl_hook hook; /* at which it would be rejected */
	__u32 rule;	   /* tag of the rule, or of the default */
	bool is_default;
	bool callers; /* owned by the caller or an ancestor of it: its session, or its way back */
};

struct safety {
	size_t cut_count;
	struct safety_cut *cuts; /* free with safety_release() */
	bool cuts_caller;
};

/* -ENOMEM. */
int safety_check(const struct compiled *c, const struct live *live, size_t count,
		 const struct safety_caller *caller, struct safety *ret_safety);
void safety_release(struct safety *s);

struct policy;
struct policy_place;
struct policy_rule;

/*
 * What asks for more than this kernel has: an enforced reject without allow_async at a hook that is
 * not in SYNCHRONOUS (bit 1 << enum fl_hook). -ENOTSUP, with the place of the rule, or of the
 * default, and the hook. 0 nothing does.
 */
int safety_enforceable(const struct policy *policy, __u32 synchronous,
		       struct policy_place *ret_place, enum fl_hook *ret_hook);

/* The first rule that is enforced and lifts what other programs deny; NULL: none does. */
const struct policy_rule *safety_lifting(const struct policy *policy);

#endif
