/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The chain of one hook: who is asked, in which order, and what comes of it. */
#ifndef FLOWNER_VERDICT_JUDGE_BPF_H
#define FLOWNER_VERDICT_JUDGE_BPF_H

#include "attempt.bpf.h"

/* The verdict on ATTEMPT: an enum fl_verdict, PROCEED_HARD perhaps with FL_VERDICT_LIFTS. What
 * matters is told, what matched is counted. */
__u32 judge(const struct fl_attempt *a) __hidden;

/* The verdict on what is not even known well enough to be an attempt: counted, and closed. */
__u32 judge_failed(void) __hidden;

/*
 * As a hook of a cgroup says it: 1 may pass, 0 may not. The kernel asks all programs, those of a
 * cgroup below before ours, and the error of one that said no is there to be taken back.
 */
extern const volatile bool can_set_retval;

#define EACCES 13

static __always_inline int judge_cgroup(const struct fl_attempt *a)
{
	__u32 verdict = judge(a);

	if (can_set_retval) { /* 5.18: else it is EPERM, and nothing can be lifted */
		if (verdict == FL_REJECT)
			bpf_set_retval(-EACCES);
		else if (verdict & FL_VERDICT_LIFTS)
			bpf_set_retval(0);
	}
	return verdict != FL_REJECT;
}

#endif /* FLOWNER_VERDICT_JUDGE_BPF_H */
