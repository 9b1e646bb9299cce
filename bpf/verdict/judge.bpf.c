// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The policy is the first member of every chain; hook programs of others will be the next. */
#include "judge.bpf.h"
#include "event.bpf.h"
#include "limit.bpf.h"
#include "match.bpf.h"
#include "redirect.bpf.h"

/*
 * Half of the ring, which wakes its reader at a quarter: who is denied in a loop must not take the
 * place of what is told of sessions. But a listen() that is denied late is ended by who reads it.
 */
static __always_inline bool ring_has_room(__u32 hook)
{
	return hook == FL_HOOK_LISTEN ||
	       bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) < 2ULL * ring_wake_bytes;
}

static __noinline int judge_tell(const struct fl_attempt *a, const struct fl_said *said)
{
	struct fl_verdict_event *e = NULL;

	if (ring_has_room(a->hook))
		e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	if (!e) {
		count(FL_CNT_VERDICT_UNTOLD);
		return 0;
	}
	e->head.type = FL_EVENT_VERDICT;
	e->head.size = sizeof(*e);
	e->time_ns = bpf_ktime_get_boot_ns();
	e->attempt = *a;
	e->said = *said;
	bpf_ringbuf_submit(e, ring_flags(sizeof(*e)));
	return 0;
}

static __always_inline void judge_hit(__u32 area, __u32 rule)
{
	__u32 index = area * FL_RULES_MAX + rule;
	__u64 *hits = bpf_map_lookup_elem(&policy_hits, &index);

	if (hits)
		__sync_fetch_and_add(hits, 1);
}

/* FL_RULE_*: what the rule has beside its verdict. */
static __always_inline __u32 judge_rule(__u32 slot, __u32 rule, __u32 *verdict, __u64 *tag)
{
	__u32 index = slot * FL_RULES_MAX + rule;
	struct fl_policy_rule *r = bpf_map_lookup_elem(&policy_rules, &index);

	*verdict = r ? r->verdict : FL_REJECT;
	*tag = r ? r->tag : 0;
	return r ? r->flags : 0;
}

/* No rule decides: the default of the hook does, or in audit would. */
static __always_inline void judge_default(const struct fl_policy *policy, __u32 hook, bool audited,
					  struct fl_said *said)
{
	const struct fl_policy_rule *d;

	if (hook >= FL_HOOKS)
		return;
	d = &policy->defaults[hook];
	if (policy->default_enforced >> hook & 1) {
		said->verdict = d->verdict;
		said->tag = d->tag;
		said->flags |= FL_VERDICT_ENFORCED;
	} else if (!audited) {
		said->audit_verdict = d->verdict;
		said->audit_tag = d->tag;
		said->flags |= FL_VERDICT_AUDITED;
	}
}

/* Not static, with numbers for arguments: verified once, by itself. INDEX in 64 bits: a shift pair
 * between check and use would lose the bound. */
__noinline int judge_unknown(__u32 slot, __u64 index, __u32 known)
{
	struct fl_policy *policy = bpf_map_lookup_elem(&policies, &slot);

	if (policy && index < FL_HOOK_INDEXES && policy->asked[index] & ~known)
		count(FL_CNT_VERDICT_UNKNOWN);
	return 0;
}

/* Of a rule's FLAGS one, as another. */
#define AS(flags, from, to) (((flags) & (from)) * ((to) / (from)))

/* What decides a listen() rejects it. Not static, with numbers for arguments: as above. */
__noinline int judge_rejects_listen(__u32 slot, __u32 rule)
{
	struct fl_policy *policy = bpf_map_lookup_elem(&policies, &slot);
	__u32 verdict = FL_PROCEED_SOFT;
	__u64 tag;

	if (rule != FL_NO_RULE)
		judge_rule(slot, rule, &verdict, &tag);
	else if (policy && policy->default_enforced >> FL_HOOK_LISTEN & 1)
		verdict = policy->defaults[FL_HOOK_LISTEN].verdict;
	return fl_verdict_of(verdict) == FL_REJECT;
}

static __noinline int judge_match(const struct fl_attempt *a, __u32 slot,
				  struct fl_judgement *ret_judgement)
{
	return policy_match(a, slot, ret_judgement);
}

/* Of a listen(): which rule decides, and where that does not reject and the policy has limits, the
 * place is taken. AGAIN: it has one. */
static __noinline int judge_match_limited(struct fl_attempt *a, __u32 slot, bool again,
					  struct fl_judgement *ret_judgement)
{
	bool limited = limit_asked(slot);

	a->known |= KNOWS_IF(limited & again, FL_KNOWS_LISTENERS);
	limited &= !again;
#pragma clang loop unroll(disable)
	for (int i = 0; i < LIMIT_TRIES; i++) {
		int r;

		if (limited)
			limit_read(a);
		r = policy_match(a, slot, ret_judgement);
		if (r || !limited || judge_rejects_listen(slot, ret_judgement->rule) ||
		    limit_take_by(a, slot))
			return r;
	}
	return -11; /* EAGAIN: others were faster each time */
}

/* By the rules that were found to decide. Negative errno when it cannot be judged. */
static __noinline int judge_policy(const struct fl_attempt *a, __u32 slot,
				   const struct fl_judgement *j, struct fl_said *said)
{
	struct fl_policy *policy = bpf_map_lookup_elem(&policies, &slot);
	__u32 flags;

	if (!policy)
		return -2; /* ENOENT */
	if (a->known & FL_KNOWN_ELSEWHERE)
		return -18; /* EXDEV */
	judge_unknown(slot, FL_HOOK_INDEX(a->hook, a->key.proto), a->known);
	said->generation = policy->generation;
	if (j->audited != FL_NO_RULE) {
		flags = judge_rule(slot, j->audited, &said->audit_verdict, &said->audit_tag);
		judge_hit(policy->area, j->audited);
		said->flags |= FL_VERDICT_AUDITED |
			       AS(flags, FL_RULE_REDIRECT, FL_VERDICT_AUDIT_REDIRECTS);
		said->audit_rule = j->audited;
	}
	if (j->rule != FL_NO_RULE) {
		flags = judge_rule(slot, j->rule, &said->verdict, &said->tag);
		judge_hit(policy->area, j->rule);
		said->flags |= FL_VERDICT_ENFORCED | AS(flags, FL_RULE_OVERRIDE, FL_VERDICT_LIFTS) |
			       AS(flags, FL_RULE_REDIRECT, FL_VERDICT_REDIRECTS);
		said->rule = j->rule;
	} else {
		judge_default(policy, a->hook, j->audited != FL_NO_RULE, said);
	}
	return 0;
}

/* A rule that redirects does not redirect everybody. */
static __noinline int judge_redirects(const struct fl_attempt *a, __u32 slot, struct fl_said *said)
{
	__u32 first = slot * FL_RULES_MAX;

	if (said->flags & FL_VERDICT_REDIRECTS && !redirect_applies(a, first + said->rule))
		said->flags &= ~FL_VERDICT_REDIRECTS;
	if (said->flags & FL_VERDICT_AUDIT_REDIRECTS &&
	    !redirect_applies(a, first + said->audit_rule))
		said->flags &= ~FL_VERDICT_AUDIT_REDIRECTS;
	return 0;
}

static __always_inline bool judge_matters(const struct fl_said *said)
{
	return said->verdict != FL_PROCEED_SOFT ||
	       said->flags &
		       (FL_VERDICT_FAILED | FL_VERDICT_REDIRECTS | FL_VERDICT_AUDIT_REDIRECTS) ||
	       (said->flags & FL_VERDICT_AUDITED && said->audit_verdict != FL_PROCEED_SOFT);
}

/* What judge() answers: see there. */
static __always_inline __u32 judge_answer(const struct fl_said *said, __u32 slot)
{
	if (said->verdict == FL_PROCEED_HARD) /* the rule's word, not that of another member */
		return FL_PROCEED_HARD | (said->flags & FL_VERDICT_LIFTS);
	if (said->verdict == FL_PROCEED_SOFT && said->flags & FL_VERDICT_REDIRECTS)
		return FL_PROCEED_SOFT | FL_VERDICT_REDIRECTS |
		       (slot * FL_RULES_MAX + said->rule) << JUDGE_RULE_SHIFT;
	return said->verdict;
}

/* In a frame of its own: not much is left of the stack. */
static __noinline int judge_unable(__u32 hook, struct fl_said *said)
{
	said->verdict = judge_failed(hook);
	said->flags = FL_VERDICT_FAILED;
	return 0;
}

/* Where nothing can be redirected, a rule that would is one that cannot be judged. */
static __always_inline __u32 judge_as(const struct fl_attempt *a, bool can_redirect,
				      struct fl_attempt *limited, bool again)
{
	struct fl_judgement j = { .rule = FL_NO_RULE, .audited = FL_NO_RULE };
	struct fl_said said = { .verdict = FL_PROCEED_SOFT, .audit_verdict = FL_PROCEED_SOFT };
	struct fl_chain chain = fl_chain_begin();
	struct fl_policy_state *state;
	__u32 zero = 0, slot;
	int r;

	state = bpf_map_lookup_elem(&policy_state, &zero);
	slot = state ? state->slot : FL_POLICY_NONE; /* once: it may change */
	if (!state || slot == FL_POLICY_NONE || fl_policy_exempts(state, &a->owner.proc))
		return FL_PROCEED_SOFT;
	r = limited ? judge_match_limited(limited, slot, again, &j) : judge_match(a, slot, &j);
	if (!r)
		r = judge_policy(a, slot, &j, &said);
	if (can_redirect)
		judge_redirects(a, slot, &said);
	else
		r |= said.flags & FL_VERDICT_REDIRECTS;
	if (r)
		judge_unable(a->hook, &said);
	fl_chain_add(&chain, FL_MEMBER_POLICY, said.verdict, said.flags & FL_VERDICT_REDIRECTS);
	said.verdict = chain.verdict;
	if (judge_matters(&said))
		judge_tell(a, &said);
	return judge_answer(&said, slot);
}

__u32 judge(const struct fl_attempt *a)
{
	return judge_as(a, false, NULL, false);
}

__u32 judge_limited(struct fl_attempt *a, bool again)
{
	return judge_as(a, false, a, again);
}

__u32 judge_or_redirect(const struct fl_attempt *a)
{
	return judge_as(a, true, NULL, false);
}

bool judge_would_redirect(const struct fl_attempt *a)
{
	struct fl_judgement j = { .rule = FL_NO_RULE };
	struct fl_policy_state *state;
	struct fl_policy_rule *rule;
	__u32 zero = 0, index;

	state = bpf_map_lookup_elem(&policy_state, &zero);
	index = state ? state->slot : FL_POLICY_NONE;
	if (index >= FL_POLICY_SLOTS || policy_match(a, index, &j) || j.rule == FL_NO_RULE)
		return false;
	index = index * FL_RULES_MAX + j.rule;
	rule = bpf_map_lookup_elem(&policy_rules, &index);
	return rule && rule->flags & FL_RULE_REDIRECT;
}

__u32 judge_failed(__u32 hook)
{
	struct fl_policy_state *state;
	__u32 zero = 0;

	state = bpf_map_lookup_elem(&policy_state, &zero);
	if (!state || state->slot == FL_POLICY_NONE)
		return FL_PROCEED_SOFT;
	count(FL_CNT_VERDICT_FAILED);
	return state->closed_hooks >> (hook & 31) & 1 ? FL_REJECT : FL_PROCEED_SOFT;
}
