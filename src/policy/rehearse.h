/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a policy would say to an attempt described in words: `flowner policy test` and POST
 * /v1/policy/test. Names are compared as names, so neither the file, the cgroup nor the interface
 * must exist here.
 */
#ifndef FLOWNER_REHEARSE_H
#define FLOWNER_REHEARSE_H

#include "text/address.h"
#include "policy/policy.h"

/* Not given is not known, which is taken for what restricts more. */
struct rehearsal {
	enum fl_hook hook;
	bool udp;
	const char *words[POLICY_ATTRIBUTES]; /* NULL: not given; not of protocol and endpoints */
	struct endpoint local, remote;	      /* whole addresses; has_addr, has_port: given */
	bool as_written; /* its paths come from who may not have us look for files: none is */
};

struct rehearsed {
	const struct policy_rule *rule; /* that decides as the policy stands; NULL: the default */
	const struct policy_rule *audited; /* first in audit before it; NULL: none */
	const struct policy_rule *first;   /* that decides were all enforced; NULL: the default */
	enum fl_verdict verdict;	   /* as the policy stands */
	enum fl_verdict strict;		   /* were all enforced */
	__u32 unknown; /* bit 1 << enum policy_attribute: asked for on the way, not given */
};

/* -EINVAL with ERROR (no place): a word that cannot be, or a user that does not exist. -ENOMEM. */
int rehearse(const struct policy *policy, const struct rehearsal *attempt,
	     struct rehearsed *ret_rehearsed, struct policy_error *error);

/* What both sides see of VERDICT at HOOK: one clause each. */
struct rehearsed_effect {
	const char *application, *peer;
	const char *error;     /* of the application's call, "EACCES"; NULL: none fails */
	const char *otherwise; /* where this kernel is another: one sentence; NULL: nowhere */
};

struct rehearsed_effect rehearse_effect(enum fl_hook hook, bool udp, enum fl_verdict verdict,
					bool lifts);

/* The same where a rule redirects. */
struct rehearsed_effect rehearse_redirect(enum fl_hook hook, bool udp);

/* The same of VERDICT to ATTEMPT, by RULE or, where that is NULL, by default. */
struct rehearsed_effect rehearse_outcome(const struct rehearsal *attempt,
					 const struct policy_rule *rule, enum fl_verdict verdict);

#endif
