/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a policy would say to an attempt described in words: `flowner policy test`. Names are
 * compared as names, so neither the file, the cgroup nor the interface must exist here.
 */
#ifndef FLOWNER_REHEARSE_H
#define FLOWNER_REHEARSE_H

#include "policy.h"

struct rehearsal {
	enum fl_hook hook;
	bool udp;
	const char *words[POLICY_ATTRIBUTES]; /* NULL: not given; addresses and ports apart */
};

struct rehearsed {
	const struct policy_rule *rule; /* that decides as the policy stands; NULL: the default */
	const struct policy_rule *audited; /* first in audit before it; NULL: none */
	const struct policy_rule *first;   /* were all enforced */
	__u32 verdict;			   /* as the policy stands; enum fl_verdict */
	__u32 strict;			   /* were all enforced */
	__u32 unknown; /* bit 1 << enum policy_attribute: asked for, not given */
};

/* What happens where an attempt is judged. */
struct rehearsed_effect {
	const char *application, *peer; /* one clause each */
	const char *error;		/* "EACCES"; NULL: no call fails */
};

/* -EINVAL with ERROR (no place): a word that cannot be, or a user that does not exist. -ENOMEM. */
int rehearse(const struct policy *policy, const struct rehearsal *attempt,
	     struct rehearsed *ret_rehearsed, struct policy_error *error);

/* Of VERDICT at HOOK; on kernels and tiers where it is another, application says so too. */
struct rehearsed_effect rehearse_effect(enum fl_hook hook, bool udp, enum fl_verdict verdict);

#endif
