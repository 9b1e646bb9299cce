/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The chain of one hook: who is asked, in which order, and what comes of it. */
#ifndef FLOWNER_VERDICT_JUDGE_BPF_H
#define FLOWNER_VERDICT_JUDGE_BPF_H

#include "attempt.bpf.h"
#include "policy.bpf.h"

/* The verdict on ATTEMPT: an enum fl_verdict, PROCEED_HARD perhaps with FL_VERDICT_LIFTS. What
 * matters is told, what matched is counted. */
__u32 judge(const struct fl_attempt *a) __hidden;

/* The same of a listen(): how many listeners there are is found, and where the verdict is to
 * proceed there is one more of them from now on. AGAIN: the socket is one of them already. */
__u32 judge_limited(struct fl_attempt *a, bool again) __hidden;

/* Or PROCEED_SOFT with FL_VERDICT_REDIRECTS and where in policy_rules, see judge_redirect(). */
__u32 judge_or_redirect(const struct fl_attempt *a) __hidden;

/* The rule that decides is one that redirects: it is to be judged now, and not when more is known
 * of it. Tells and counts nothing. */
bool judge_would_redirect(const struct fl_attempt *a) __hidden;

#define JUDGE_RULE_SHIFT 16

static __always_inline struct fl_policy_rule *judge_redirect(__u32 verdict)
{
	__u32 index = verdict >> JUDGE_RULE_SHIFT;

	if (!(verdict & FL_VERDICT_REDIRECTS))
		return NULL;
	return bpf_map_lookup_elem(&policy_rules, &index);
}

/* The verdict on what is not even known well enough to be an attempt: counted, and closed where the
 * policy may reject at that hook. */
__u32 judge_failed(__u32 hook) __hidden;

/*
 * As a hook of a cgroup says it: 1 may pass, 0 may not. The kernel asks all programs, those of a
 * cgroup below before ours, and the error of one that said no is there to be taken back.
 */
extern const volatile bool can_set_retval;

#define EACCES 13

static __always_inline int judge_says(__u32 verdict)
{
	if (can_set_retval) { /* 5.18: else it is EPERM, and nothing can be lifted */
		if (verdict == FL_REJECT)
			bpf_set_retval(-EACCES);
		else if (verdict & FL_VERDICT_LIFTS)
			bpf_set_retval(0);
	}
	return verdict != FL_REJECT;
}

#endif /* FLOWNER_VERDICT_JUDGE_BPF_H */
