/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/safety.h"

#include "policy/policy.h"

#include <errno.h>
#include <stdlib.h>

#define BIT(hook) (1u << FL_HOOK_##hook)

/* The hooks a live session came by, or would have. Where it is not known which: all it may have.
 * CONNECT_AUTHORIZATION is asked again by itself of what this machine opened (reauthorize.h). */
static __u32 hooks_of(const struct live *l)
{
	switch (l->role) {
	case FL_ROLE_OPENER:
		return BIT(CONNECT);
	case FL_ROLE_ACCEPTOR:
		return BIT(RECV_ACCEPT);
	case FL_ROLE_LISTENER:
		return BIT(BIND) | BIT(LISTEN);
	case FL_ROLE_USER:
		return BIT(BIND);
	case FL_ROLE_UNKNOWN:
	case FL_ROLE_EXISTING:
		break;
	}
	switch (l->state) {
	case FL_STATE_LISTEN:
		return BIT(BIND) | BIT(LISTEN);
	case FL_STATE_UNCONN:
		return BIT(BIND);
	default:
		return BIT(CONNECT) | BIT(CONNECT_AUTHORIZATION) | BIT(RECV_ACCEPT);
	}
}

/* By which interface it goes nobody has remembered, nor whether others were on its port before it
 * listened, nor how many listeners there were. Taken for what restricts more, a rule on one
 * interface would cut what goes by all others. */
static bool lacks_what_was(const struct compiled *c, const struct fl_attempt *a, enum fl_hook hook)
{
	const __u32 forgotten = 1u << FL_DIM_INTERFACE | 1u << FL_DIM_INTERFACE_TYPE |
				1u << FL_DIM_TUNNEL_TYPE | 1u << FL_DIM_PORT_IN_USE |
				FL_KNOWS_LISTENERS;

	return c->policy.asked[FL_HOOK_INDEX(hook, a->key.proto)] & forgotten & ~a->known;
}

/* Whether C rejects L at HOOK, and by what. */
static bool rejects(const struct compiled *c, const struct live *l, enum fl_hook hook,
		    struct safety_cut *cut)
{
	struct fl_attempt attempt = l->attempt;
	struct fl_judgement j;
	const struct fl_policy_rule *says;

	if (lacks_what_was(c, &attempt, hook))
		return false;
	attempt.hook = (__u16)hook;
	j = compiled_judge(c, &attempt);
	cut->hook = hook;
	cut->is_default = j.rule == FL_NO_RULE;
	if (cut->is_default && !(c->policy.default_enforced >> hook & 1))
		return false;
	says = cut->is_default ? &c->policy.defaults[hook] : &c->rules[j.rule];
	cut->rule = (__u32)says->tag;
	return fl_verdict_of(says->verdict) == FL_REJECT;
}

static bool is_callers(const struct live *l, const struct safety_caller *caller)
{
	__u32 pid = l->attempt.owner.proc.pid;

	for (size_t i = 0; pid && i < caller->pid_count; i++) {
		if (caller->pids[i] == pid)
			return true;
	}
	return false;
}

/* Whether L would be cut, at the first hook that does. */
static bool cuts(const struct compiled *c, const struct live *l, const struct safety_caller *caller,
		 struct safety_cut *cut)
{
	__u32 hooks = hooks_of(l);

	if (fl_policy_exempt(l->attempt.owner.proc.pid, caller->daemon_pid))
		return false;
	for (enum fl_hook hook = 0; hook < FL_HOOKS; hook++) {
		if (hooks >> hook & 1 && rejects(c, l, hook, cut)) {
			cut->callers = is_callers(l, caller);
			return true;
		}
	}
	return false;
}

int safety_check(const struct compiled *c, const struct live *live, size_t count,
		 const struct safety_caller *caller, struct safety *ret_safety)
{
	struct safety s = { .cuts = calloc(count + 1, sizeof(*s.cuts)) };

	if (!s.cuts)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		struct safety_cut cut = { .live = i };

		if (!cuts(c, &live[i], caller, &cut))
			continue;
		s.cuts[s.cut_count++] = cut;
		s.cuts_caller = s.cuts_caller || cut.callers;
	}
	*ret_safety = s;
	return 0;
}

void safety_release(struct safety *s)
{
	free(s->cuts);
	*s = (struct safety){ 0 };
}

static enum fl_hook lowest_hook(__u32 hooks)
{
	enum fl_hook hook = 0;

	while (!(hooks >> hook & 1))
		hook++;
	return hook;
}

const struct policy_rule *safety_lifting(const struct policy *policy)
{
	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct policy_rule *rule = &policy->rules[i];

		if (rule->enforced && rule->flags & FL_RULE_OVERRIDE)
			return rule;
	}
	return NULL;
}

int safety_enforceable(const struct policy *policy, __u32 synchronous,
		       struct policy_place *ret_place, enum fl_hook *ret_hook)
{
	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct policy_rule *rule = &policy->rules[i];

		if (rule->verdict != FL_REJECT || !rule->enforced || rule->allow_async ||
		    !(rule->hooks & ~synchronous))
			continue;
		*ret_place = rule->place;
		*ret_hook = lowest_hook(rule->hooks & ~synchronous);
		return -ENOTSUP;
	}
	for (enum fl_hook hook = 0; hook < FL_HOOKS; hook++) {
		const struct plain_default *d = &policy->defaults[hook];

		if (d->verdict != FL_REJECT || !d->enforced || synchronous >> hook & 1)
			continue;
		*ret_place = policy->default_places[hook];
		*ret_hook = hook;
		return -ENOTSUP;
	}
	return 0;
}
