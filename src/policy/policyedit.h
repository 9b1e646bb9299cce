/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The texts of a policy after one edit: something was added, a rule taken out, or the time of what
 * was added is over. The texts themselves stay as they were read: an edit says which of them count,
 * so that each rule keeps its place. Pure.
 */
#ifndef FLOWNER_POLICYEDIT_H
#define FLOWNER_POLICYEDIT_H

#include "policy/policy.h"

/* No texts: no policy is left. */
struct policyedit {
	struct policy_text *texts; /* what they point to is that of the texts before, and GONE */
	size_t count;
	char *gone;
};

/*
 * DOCUMENT, as something added, behind COUNT texts, which are those of POLICY; NULL and 0: of none.
 * -EINVAL it is no list of rules; -EEXIST one of them has the name of another; -E2BIG too many;
 * -ENOMEM. All with ERROR.
 */
int policyedit_add(const struct policy *policy, const struct policy_text *texts, size_t count,
		   const struct policy_text *document, struct policyedit *ret_edit,
		   struct policy_error *error);

/* Without the rule NAME; what was added goes with its last rule. -ENOENT; -ENOMEM. */
int policyedit_delete(const struct policy *policy, const struct policy_text *texts, size_t count,
		      const char *name, struct policyedit *ret_edit);

/* Without what has ended at NOW_NS. -ENOMEM. */
int policyedit_expire(const struct policy_text *texts, size_t count, __u64 now_ns,
		      struct policyedit *ret_edit);

/* When the first of them ends; 0: none does. */
__u64 policyedit_next_end(const struct policy_text *texts, size_t count);

void policyedit_release(struct policyedit *e);

#endif
