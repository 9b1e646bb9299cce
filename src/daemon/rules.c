/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Three states: no policy, a policy, a policy on trial with what was before it (a policy or none).
 * A load while a trial is under way replaces what is tried; what was before stays what was before.
 * What was added to a policy for a time goes when that is over, or before it is put back.
 * All of it ends with a daemon that stops, and goes on without one that was killed: the next one
 * takes it up, and puts back what was before when the trial has ended meanwhile.
 */
#include "daemon/rules.h"
#include "daemon/agent.h"
#include "host/cgroup.h"
#include "text/cleanup.h"
#include "text/clock.h"
#include "daemon/condemned.h"
#include "policy/enforce.h"
#include "daemon/living.h"
#include "kernel/maps.h"
#include "policy/policydir.h"
#include "policy/policyedit.h"
#include "daemon/reauthorize.h"
#include "daemon/ruleset.h"
#include "policy/safety.h"
#include "daemon/tell.h"
#include "policy/verdicts.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

#define TICK_NS 1000000000ull
#define SHORT_NS 10000000000ull	 /* so long memory may be short at the end of a trial */
#define REMAKE_NS 10000000000ull /* all tables anew takes a while: not more often */

static void look_at_cgroups(struct rules *r);
static void follow(struct rules *r, int e);
static void take_up(struct rules *r);

struct rules {
	struct agent *agent;
	struct enforce *enforce;
	char *cgroup_mount;
	struct verdicts *verdicts;
	struct condemned *condemned;
	struct reauthorize *again;
	struct ruleset *current;
	struct ruleset *before;	      /* of a trial; NULL: there was none */
	struct enforce_resumed found; /* of an earlier daemon, and not taken up; FL_AREA_NONE: is */
	__u64 trial_ends_ns;	      /* CLOCK_BOOTTIME; 0: no trial */
	__u64 retry_ns;		      /* what has ended could not be taken out: not before then */
	__u64 short_ns;		      /* since when there is no memory to take the trial back; 0 */
	__u64 ticked_ns;
	__u64 remade_ns;
	int epoll, timer;
	bool sees_host;	      /* paths of cgroups are what the kernel side calls them */
	bool look_at_cgroups; /* one has come that only that will find */
	bool changes;	      /* what is current is not what is in force: see tell_all() */
	bool stale;	      /* the tables lack what names of the policy stand for now */
	struct fail trouble;
};

/* --- verdicts --- */

static const struct ruleset *set_of(const struct rules *r, __u64 generation)
{
	const struct ruleset *sets[] = { r->current, r->before };

	for (size_t i = 0; i < 2; i++) {
		if (sets[i] && generation && sets[i]->generation == generation)
			return sets[i];
	}
	return NULL;
}

static void tell(void *arg, const struct verdict *v)
{
	const struct rules *r = arg;

	tell_verdict(r->agent, set_of(r, v->generation), v);
}

static void rejected(struct rules *r, const struct fl_attempt *a)
{
	__u32 inum = 0;

	if (a->hook == FL_HOOK_LISTEN && a->known & FL_KNOWN_LATE)
		condemned_add(r->condemned, a);
	if (a->hook != FL_HOOK_CONNECT_AUTHORIZATION || a->key.proto != FL_TCP || r->changes)
		return; /* of the next policy the first one tells, if it rejects any */
	(void)maps_netns_inum(r->agent->maps, a->key.netns_cookie, &inum);
	enforce_rejected_in(r->enforce, a->key.netns_cookie, inum);
}

void rules_take(struct rules *r, const struct fl_verdict_event *e)
{
	if (!r)
		return; /* of an earlier daemon's policy, whose rules we do not know */
	verdicts_take(r->verdicts, e);
	if (fl_verdict_of(e->said.verdict) == FL_REJECT)
		rejected(r, &e->attempt);
}

static bool is_found(const struct enforce_kept *kept)
{
	return kept->area != FL_AREA_NONE;
}

/* Nobody tells which cgroups they were that the kernel side had no room for. */
static bool is_incomplete(const struct rules *r)
{
	return r->current && (r->stale || enforce_misses_cgroups(r->enforce));
}

/*
 * What did not work when it was told. New tables may have room for what those in use have none for;
 * until then, what they do not have is what is not known.
 */
static void try_again(struct rules *r, __u64 now)
{
	bool incomplete = is_incomplete(r);

	if ((!incomplete && !is_found(&r->found.current) && !is_found(&r->found.before)) ||
	    (r->remade_ns && now - r->remade_ns < REMAKE_NS))
		return;
	r->remade_ns = now;
	take_up(r);
	if (!incomplete)
		return;
	look_at_cgroups(r);
	follow(r, -ENOSPC);
}

static void look_at_those_that_came(struct rules *r)
{
	if (r->look_at_cgroups)
		look_at_cgroups(r);
	r->look_at_cgroups = false;
}

void rules_tick(struct rules *r)
{
	__u64 now = clock_ns(CLOCK_BOOTTIME);

	if (!r || now - r->ticked_ns < TICK_NS)
		return;
	r->ticked_ns = now;
	verdicts_expire(r->verdicts, now);
	enforce_count_skipped(r->enforce, r->agent->maps);
	look_at_those_that_came(r);
	try_again(r, now);
}

/*
 * What was said of the old policy is told while its names are known. A cgroup that comes to light
 * with it is not written by that policy, whose tables are gone or another one's by now: it waits
 * for look_at_those_that_came(), when what is in force is current.
 */
static void tell_all(struct rules *r)
{
	r->changes = true;
	(void)agent_drain(r->agent);
	verdicts_flush(r->verdicts);
	r->changes = false;
}

/* --- life --- */

static int watch(struct rules *r, int fd)
{
	struct epoll_event event = { .events = EPOLLIN };

	return epoll_ctl(r->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int open_fds(struct rules *r)
{
	int e;

	r->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (r->epoll < 0)
		return -errno;
	r->timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (r->timer < 0)
		return -errno;
	e = watch(r, r->timer);
	e = e ? e : watch(r, condemned_fd(r->condemned));
	return e ? e : watch(r, reauthorize_fd(r->again));
}

static void cleanup_rules(struct rules **r)
{
	rules_free(*r);
}

int rules_new(struct agent *agent, struct enforce *enforce, const char *cgroup_mount,
	      struct rules **ret_rules)
{
	_cleanup_(cleanup_rules) struct rules *r = calloc(1, sizeof(*r));
	int e;

	if (!r)
		return -ENOMEM;
	r->agent = agent;
	r->enforce = enforce;
	r->epoll = r->timer = -1;
	r->found.current.area = r->found.before.area = FL_AREA_NONE;
	(void)cgroup_is_host_namespace(&r->sees_host);
	if (cgroup_mount) {
		r->cgroup_mount = strdup(cgroup_mount);
		if (!r->cgroup_mount)
			return -ENOMEM;
	}
	e = verdicts_new(tell, r, &r->verdicts);
	if (!e)
		e = condemned_new(agent, &r->condemned);
	if (!e)
		e = reauthorize_new(agent, enforce, &r->again);
	if (!e)
		e = open_fds(r);
	if (e < 0)
		return e;
	*ret_rules = TAKE_PTR(r);
	return 0;
}

void rules_free(struct rules *r)
{
	if (!r)
		return;
	if (r->verdicts)
		verdicts_flush(r->verdicts);
	ruleset_free(r->current);
	ruleset_free(r->before);
	enforce_resumed_release(&r->found);
	condemned_free(r->condemned);
	reauthorize_free(r->again);
	verdicts_free(r->verdicts);
	cleanup_close(&r->timer);
	cleanup_close(&r->epoll);
	free(r->cgroup_mount);
	free(r);
}

/* --- in force --- */

/* A hook that is judged late is fine where every rule that could reject there says so. */
static bool allows_late(const struct ruleset *set, struct policy_place *ret_place)
{
	enum fl_hook hook;

	return safety_enforceable(set->policy, ~(1u << FL_HOOK_LISTEN), ret_place, &hook) == 0;
}

static int allows_lifting(const struct ruleset *set, struct fail *f)
{
	const struct policy_rule *rule = safety_lifting(set->policy);

	if (!rule || enforce_lifts())
		return 0;
	return fail(
		f, -EOPNOTSUPP,
		"%s:%zu:%zu: on this kernel allow_override can do nothing: what another program "
		"denied can be lifted since Linux 5.18",
		rule->place.file, rule->place.line, rule->place.column);
}

/* Neither that of what is in force nor of what may come back. */
static __u32 free_area(const struct rules *r)
{
	__u32 area = 0;

	while ((r->current && r->current->area == area) || (r->before && r->before->area == area) ||
	       r->found.current.area == area || r->found.before.area == area)
		area++;
	return area;
}

static int write_change(void *arg, const struct resolve_change *change)
{
	struct rules *r = arg;

	return enforce_change(r->enforce, &change->key, change->class, change->grown, change->gone);
}

/* What is in force is judged by, unless it is on trial: a cut could not be taken back. */
static void judge_again(struct rules *r, const struct ruleset *set, bool on_trial)
{
	bool has_rules = set && ruleset_hooks(set) >> FL_HOOK_CONNECT_AUTHORIZATION & 1;

	reauthorize_policy(r->again, has_rules && !on_trial ? &set->compiled->policy : NULL,
			   has_rules ? set->spared : NULL);
}

struct put {
	struct rules *rules;
	struct ruleset *set;
};

static int last_look(void *arg)
{
	const struct put *put = arg;

	return resolution_look_at_cgroups(put->set->resolution, put->set->compiled, write_change,
					  put->rules);
}

/* Of each rule of SET as compiled where FROM has it, FL_NO_RULE: nowhere. */
static int find_places(const struct ruleset *from, const struct ruleset *set, __u32 **ret_places)
{
	size_t count = from->policy->rule_count, at = 0;
	__u32 *places = calloc(set->compiled->policy.rules + 1, sizeof(*places));

	if (!places)
		return -ENOMEM;
	for (__u32 i = 0; i < set->compiled->policy.rules; i++) {
		const char *name = set->policy->rules[set->compiled->order[i]].name;

		places[i] = FL_NO_RULE;
		/* those that stay are in the same order: the next one is it, mostly */
		for (size_t j = 0; j < count && places[i] == FL_NO_RULE; j++, at++) {
			if (strcmp(from->policy->rules[at % count].name, name) == 0)
				places[i] = from->places[at % count];
		}
	}
	*ret_places = places;
	return 0;
}

static void forget_found(struct enforce_kept *kept)
{
	enforce_resumed_release(&(struct enforce_resumed){ .current = *kept });
	*kept = (struct enforce_kept){ .area = FL_AREA_NONE };
}

/* A trial begins, of something instead of what an earlier daemon left and we could not take up. */
static bool tries_over_found(const struct rules *r, __u64 trial_ends_ns)
{
	return trial_ends_ns && !r->trial_ends_ns && !r->current && is_found(&r->found.current);
}

static void found_is_before(struct rules *r)
{
	forget_found(&r->found.before);
	r->found.before = r->found.current;
	r->found.current = (struct enforce_kept){ .area = FL_AREA_NONE };
}

/* BEFORE is what comes back at the end of the trial; SET is EDITED after an edit, if not NULL. */
static int put_in_force(struct rules *r, struct ruleset *set, __u64 trial_ends_ns,
			const struct ruleset *before, const struct ruleset *edited, struct fail *f)
{
	_free_ __u32 *places = NULL;
	struct policy_place place = { 0 };
	bool late = allows_late(set, &place), over_found = tries_over_found(r, trial_ends_ns);
	const struct enforce_kept *found = over_found ? &r->found.current : &r->found.before;
	int e = edited ? find_places(edited, set, &places) : 0;
	struct put put = { r, set };
	struct enforce_policy p = {
		.compiled = set->compiled,
		.hooks = ruleset_hooks(set),
		.closed_hooks = ruleset_closed_hooks(set),
		.late_allowed = late,
		.redirects = ruleset_redirects(set),
		.again = set->area != FL_AREA_NONE,
		.area = set->area == FL_AREA_NONE ? free_area(r) : set->area,
		.hits_area = edited ? edited->area : FL_AREA_NONE,
		.hits = places,
		.since_ns = set->since_ns ? set->since_ns : clock_ns(CLOCK_BOOTTIME),
		.trial_ends_ns = trial_ends_ns,
		.before = before ? before->area : found->area,
		.texts = set->texts,
		.text_count = set->text_count,
		.spared = set->spared,
		.last_look = last_look,
		.arg = &put,
	};
	if (e < 0)
		return fail(f, e, "out of memory");
	e = allows_lifting(set, f);
	if (!e)
		e = enforce_load(r->enforce, &p, f);
	if (e == -EOPNOTSUPP && !late && place.file) {
		struct fail why = *f;

		return fail(f, e, "%s:%zu:%zu: %.600s", place.file, place.line, place.column,
			    why.text);
	}
	if (e < 0)
		return e;
	set->generation = enforce_generation(r->enforce);
	set->area = p.area;
	set->since_ns = p.since_ns;
	r->stale = false;
	if (over_found)
		found_is_before(r);
	else
		forget_found(&r->found.current);
	r->trouble.text[0] = '\0';
	judge_again(r, set, trial_ends_ns);
	return 0;
}

/* When something of SET ends; 0: nothing does. */
static __u64 next_end(const struct ruleset *set)
{
	return set ? policyedit_next_end(set->texts, set->text_count) : 0;
}

/* The timer, for what ends first. */
static void arm(struct rules *r)
{
	__u64 ends_ns = r->trial_ends_ns, next = next_end(r->current);

	if (next && next < r->retry_ns)
		next = r->retry_ns;
	if (ends_ns && ends_ns < r->retry_ns)
		ends_ns = r->retry_ns;
	if (!ends_ns || (next && next < ends_ns))
		ends_ns = next;
	timerfd_settime(
		r->timer, TFD_TIMER_ABSTIME,
		&(struct itimerspec){ .it_value = { .tv_sec = (time_t)(ends_ns / 1000000000ull),
						    .tv_nsec = (long)(ends_ns % 1000000000ull) } },
		NULL);
}

static void set_trial(struct rules *r, __u64 ends_ns)
{
	r->trial_ends_ns = ends_ns;
	r->short_ns = 0;
	arm(r);
}

static void forget_before(struct rules *r)
{
	set_trial(r, 0);
	ruleset_free(r->before);
	r->before = NULL;
	forget_found(&r->found.before);
}

/* SET is in force: what was becomes what was before, or is gone. */
static void take_place(struct rules *r, struct ruleset *set, __u64 trial_ends_ns)
{
	bool on_trial = r->trial_ends_ns;

	tell_all(r);
	if (trial_ends_ns && !on_trial)
		r->before = r->current;
	else
		ruleset_free(r->current);
	r->current = set;
	(void)watch(r, resolution_fd(set->resolution));
	if (trial_ends_ns)
		set_trial(r, trial_ends_ns);
	else
		forget_before(r);
	look_at_those_that_came(r);
}

static int refuse_callers(const struct rules_order *order, const struct living *l, struct fail *f)
{
	if (!order->cut || !l->callers || order->force)
		return 0;
	return fail(f, -EBUSY,
		    "it would cut your own session, or the listener you came in by: without --cut "
		    "it lives on, with --force it is cut");
}

static void settle(struct rules *r, const struct rules_order *order, const struct living *l,
		   struct rules_outcome *outcome)
{
	*outcome = (struct rules_outcome){ .generation = r->current->generation,
					   .rejected = l->count,
					   .callers = l->callers };
	if (!order->cut)
		return;
	outcome->cut = living_cut(r->agent, l);
	outcome->left = l->count - outcome->cut;
}

static void cleanup_ruleset(struct ruleset **set)
{
	ruleset_free(*set);
}

/* Where nobody asks, as at SIGHUP, it is who loaded the policy that SET is instead of. */
static void spare(struct ruleset *set, const struct rules_order *order, const struct ruleset *now)
{
	if (order->force)
		return;
	if (order->caller)
		reauthorize_spare(order->caller, set->spared);
	else if (now)
		memcpy(set->spared, now->spared, sizeof(set->spared));
}

/* As rules_load(). EDITED, when not NULL: what TEXTS are an edit of, which is in force. */
static int replace(struct rules *r, const struct policy_text *texts, size_t count,
		   const struct rules_order *order, const struct ruleset *edited,
		   struct rules_outcome *ret_outcome, struct fail *f)
{
	_cleanup_(cleanup_ruleset) struct ruleset *set = NULL;
	_cleanup_(living_release) struct living living = { 0 };
	__u64 ends = order->trial_ns ? clock_ns(CLOCK_BOOTTIME) + order->trial_ns : 0;
	int e = ruleset_new(r->agent, r->cgroup_mount, texts, count, edited, &set, f);

	if (e < 0)
		return e;
	set->since_ns = edited ? edited->since_ns : 0;
	spare(set, order, r->current);
	(void)agent_drain(r->agent);
	e = living_find(r->agent, set->compiled, edited ? edited->compiled : NULL, order->caller,
			&living);
	if (e < 0)
		return fail(f, e, "cannot read the flows: %s", strerror(-e));
	e = refuse_callers(order, &living, f);
	if (!e)
		e = put_in_force(r, set, ends, r->trial_ends_ns ? r->before : r->current, edited,
				 f);
	if (e < 0)
		return e;
	take_place(r, TAKE_PTR(set), ends);
	settle(r, order, &living, ret_outcome);
	return 0;
}

int rules_load(struct rules *r, const struct rules_order *order, struct rules_outcome *ret_outcome,
	       struct fail *f)
{
	if (order->trial_ns && order->cut)
		return fail(f, -EINVAL,
			    "a trial cuts nothing, for that could not be taken back: confirm it, "
			    "then load with --cut");
	return replace(r, order->texts, order->count, order, NULL, ret_outcome, f);
}

int rules_confirm(struct rules *r, struct fail *f)
{
	if (!r->trial_ends_ns)
		return fail(f, -ENOENT, "no policy is on trial");
	(void)enforce_confirm(r->enforce);
	forget_before(r);
	judge_again(r, r->current, false);
	return 0;
}

static void clear(struct rules *r)
{
	enforce_count_skipped(r->enforce, r->agent->maps); /* the programs go */
	judge_again(r, NULL, false);
	enforce_clear(r->enforce);
	tell_all(r);
	ruleset_free(r->current);
	r->current = NULL;
	forget_before(r);
	forget_found(&r->found.current);
	r->trouble.text[0] = '\0';
}

int rules_clear(struct rules *r, struct fail *f)
{
	if (!enforce_generation(r->enforce))
		return fail(f, -ENOENT, "no policy is loaded");
	clear(r);
	return 0;
}

/* --- edits --- */

static int refuse_edit(const struct rules *r, struct fail *f)
{
	if (r->trial_ends_ns)
		return fail(f, -EBUSY,
			    "a policy is on trial: confirm it first, or wait until the trial ends");
	if (!r->current && enforce_generation(r->enforce))
		return fail(f, -EBUSY,
			    "the policy in force is one that cannot be read any more: load one");
	return 0;
}

/* What EDIT leaves of the policy in force is in force. */
static int put_edit(struct rules *r, const struct policyedit *edit, const struct rules_order *order,
		    struct rules_outcome *ret_outcome, struct fail *f)
{
	if (edit->count)
		return replace(r, edit->texts, edit->count, order, r->current, ret_outcome, f);
	clear(r);
	*ret_outcome = (struct rules_outcome){ 0 };
	return 0;
}

static void count_added(const struct ruleset *set, struct rules_outcome *outcome)
{
	for (size_t i = 0; i < set->policy->rule_count; i++) {
		const struct policy_rule *rule = &set->policy->rules[i];

		if (rule->text != set->text_count - 1)
			continue;
		outcome->added++;
		outcome->audited += !rule->enforced;
	}
	outcome->ends_ns = set->texts[set->text_count - 1].ends_ns;
}

int rules_add(struct rules *r, const struct rules_order *order, struct rules_outcome *ret_outcome,
	      struct fail *f)
{
	_cleanup_(policyedit_release) struct policyedit edit = { 0 };
	const struct ruleset *now = r->current;
	struct policy_text document = order->texts[0];
	struct policy_error error = { 0 };
	char sentence[sizeof(error.why) + 256];
	int e = refuse_edit(r, f);

	if (e < 0)
		return e;
	document.ends_ns = order->for_ns ? clock_ns(CLOCK_BOOTTIME) + order->for_ns : 0;
	e = policyedit_add(now ? now->policy : NULL, now ? now->texts : NULL,
			   now ? now->text_count : 0, &document, &edit, &error);
	if (e < 0)
		return fail(f, e, "%s", policy_error_format(&error, sentence, sizeof(sentence)));
	e = replace(r, edit.texts, edit.count, order, r->current, ret_outcome, f);
	if (!e && r->current) /* it is, which analysers do not know */
		count_added(r->current, ret_outcome);
	return e;
}

int rules_delete(struct rules *r, const char *name, const struct rules_order *order,
		 struct rules_outcome *ret_outcome, struct fail *f)
{
	_cleanup_(policyedit_release) struct policyedit edit = { 0 };
	int e = refuse_edit(r, f);

	if (e < 0)
		return e;
	if (!r->current)
		return fail(f, -ENOENT, "no policy is loaded");
	e = policyedit_delete(r->current->policy, r->current->texts, r->current->text_count, name,
			      &edit);
	if (e < 0)
		return fail(f, e,
			    e == -ENOENT ? "the policy in force has no rule '%.64s'"
					 : "cannot take out the rule '%.64s': out of memory",
			    name);
	return put_edit(r, &edit, order, ret_outcome, f);
}

/* What is left of SET at NOW_NS, when something of it has ended, else NULL. -ENODATA nothing is. */
static int without_ended(const struct rules *r, const struct ruleset *set, __u64 now_ns,
			 struct ruleset **ret_rest, struct fail *f)
{
	_cleanup_(policyedit_release) struct policyedit edit = { 0 };
	__u64 end = next_end(set);
	int e;

	*ret_rest = NULL;
	if (!end || end > now_ns)
		return 0;
	e = policyedit_expire(set->texts, set->text_count, now_ns, &edit);
	if (e < 0)
		return fail(f, e, "out of memory");
	if (!edit.count)
		return -ENODATA;
	e = ruleset_new(r->agent, r->cgroup_mount, edit.texts, edit.count, set, ret_rest, f);
	if (e < 0)
		return e;
	(*ret_rest)->since_ns = set->since_ns;
	memcpy((*ret_rest)->spared, set->spared, sizeof(set->spared));
	return 0;
}

/* True: NEWS is one. */
static bool try_later(struct rules *r, __u64 now_ns, const struct fail *why, struct fail *news)
{
	struct fail told = r->trouble;

	r->retry_ns = now_ns + TICK_NS;
	arm(r);
	(void)fail(&r->trouble, 0,
		   "the time of rules is over, and they cannot be taken out yet: %.700s",
		   why->text);
	*news = r->trouble;
	return strcmp(told.text, r->trouble.text) != 0;
}

/* True: something of the policy in force had its time; NEWS is a line for the log. */
static bool end_rules(struct rules *r, __u64 now_ns, struct fail *news)
{
	_cleanup_(cleanup_ruleset) struct ruleset *rest = NULL;
	struct fail why;
	int e = without_ended(r, r->current, now_ns, &rest, &why);

	if (e == -ENODATA) {
		clear(r);
		(void)fail(news, 0, "the time of the last rules is over: no policy is in force");
		return true;
	}
	if (e >= 0 && !rest)
		return false;
	if (e >= 0)
		e = put_in_force(r, rest, 0, NULL, r->current, &why);
	if (e < 0)
		return try_later(r, now_ns, &why, news);
	(void)fail(news, 0, "the time of %zu rules is over: %zu are in force",
		   r->current->policy->rule_count - rest->policy->rule_count,
		   rest->policy->rule_count);
	take_place(r, TAKE_PTR(rest), 0);
	return true;
}

/* --- back --- */

static int make_again(struct rules *r, const struct enforce_kept *kept, struct ruleset **ret_set,
		      struct fail *f)
{
	int e = -EINVAL;

	(void)fail(f, e, "its texts are not there");
	if (kept->text_count)
		e = ruleset_new(r->agent, r->cgroup_mount, kept->texts, kept->text_count, NULL,
				ret_set, f);
	if (e < 0)
		return e;
	(*ret_set)->area = kept->area;
	(*ret_set)->since_ns = kept->since_ns;
	memcpy((*ret_set)->spared, kept->spared, sizeof(kept->spared));
	(void)watch(r, resolution_fd((*ret_set)->resolution));
	return 0;
}

/* What an earlier daemon had before its trial, with its texts. */
static int make_before(struct rules *r, struct fail *f)
{
	int e = make_again(r, &r->found.before, &r->before, f);

	if (e < 0)
		return e;
	forget_found(&r->found.before);
	r->trouble.text[0] = '\0';
	return 0;
}

/* What was before is in force, but for what has ended of it meanwhile. -ENODATA that was all. */
static int put_back(struct rules *r, struct fail *f)
{
	struct ruleset *rest;
	int e = is_found(&r->found.before) ? make_before(r, f) : 0;

	if (!e)
		e = without_ended(r, r->before, clock_ns(CLOCK_BOOTTIME), &rest, f);
	if (e < 0)
		return e;
	if (!rest) {
		(void)fail(f, 0, "out of memory");
		e = ruleset_compile(r->before, NULL);
		return e ? e : put_in_force(r, r->before, 0, NULL, NULL, f);
	}
	e = put_in_force(r, rest, 0, NULL, r->before, f);
	if (e < 0) {
		ruleset_free(rest);
		return e;
	}
	ruleset_free(r->before);
	r->before = rest;
	(void)watch(r, resolution_fd(rest->resolution));
	return 0;
}

/* True: in a moment there may be memory for it. */
static bool roll_back_later(struct rules *r, __u64 now_ns)
{
	if (!r->short_ns)
		r->short_ns = now_ns;
	if (now_ns - r->short_ns > SHORT_NS)
		return false;
	r->retry_ns = now_ns + TICK_NS;
	arm(r);
	return true;
}

/* Who tries a policy trusts that this takes it away: if what was before cannot be put back, then
 * nothing is in force. False: not yet. */
static bool roll_back(struct rules *r, __u64 now_ns, struct fail *news)
{
	struct fail why;
	int e = r->before || is_found(&r->found.before) ? put_back(r, &why) : -ENODATA;

	if (e == -ENOMEM && roll_back_later(r, now_ns))
		return false;
	if (e < 0) {
		bool lost = e != -ENODATA;

		clear(r);
		(void)fail(news, 0, "nobody confirmed the policy in time: none is in force%s%.700s",
			   lost ? ", for what was before cannot be put back: " : "",
			   lost ? why.text : "");
		if (lost)
			r->trouble = *news;
		return true;
	}
	tell_all(r);
	ruleset_free(r->current);
	r->current = TAKE_PTR(r->before);
	set_trial(r, 0);
	look_at_those_that_came(r);
	(void)fail(news, 0, "nobody confirmed the policy in time: what was before is in force");
	return true;
}

/* --- after an earlier daemon --- */

/*
 * What was said before is told by its old generation; from then on there is ours. What cannot be
 * put in force with our tables is not current: those that are have other numbers than ours.
 */
static int take_up_current(struct rules *r, struct fail *f)
{
	int e = make_again(r, &r->found.current, &r->current, f);

	if (e < 0)
		return e;
	r->current->generation = enforce_generation(r->enforce);
	tell_all(r);
	e = put_in_force(r, r->current, r->trial_ends_ns, r->before, NULL, f);
	if (e < 0) {
		ruleset_free(r->current);
		r->current = NULL;
		return e;
	}
	arm(r);
	look_at_those_that_came(r);
	return 0;
}

/* Once more what could not be: who is named may be known by now. */
static void take_up(struct rules *r)
{
	struct fail why_not_before, why;
	bool lost = is_found(&r->found.before) && make_before(r, &why_not_before) < 0;

	if (is_found(&r->found.current) && take_up_current(r, &why) < 0)
		(void)fail(&r->trouble, 0,
			   "the policy of an earlier flownerd is in force, and this one cannot "
			   "follow it: clear it, or load it anew: %.700s",
			   why.text);
	else if (lost)
		(void)fail(
			&r->trouble, 0,
			"what was before the trial cannot be read, and would not come back: %.700s",
			why_not_before.text);
}

int rules_resume(struct rules *r, struct fail *f)
{
	int e = enforce_resume(r->enforce, &r->found, f);

	if (e <= 0)
		return e;
	if (r->found.trial_ends_ns)
		set_trial(r, r->found.trial_ends_ns);
	take_up(r);
	return 1;
}

/* --- names --- */

static int ignore_change(void *arg, const struct resolve_change *change)
{
	(void)arg;
	(void)change;
	return 0;
}

/* What is in force stays so where that fails, and is changed by its own tables as before. */
static int remake(struct rules *r, struct fail *f)
{
	struct compiled *before;
	int e = ruleset_compile(r->current, &before);

	if (e < 0)
		return e;
	e = put_in_force(r, r->current, r->trial_ends_ns, r->before, NULL, f);
	if (e < 0)
		ruleset_uncompile(r->current, before);
	else
		compiled_free(before);
	return e;
}

/* When the tables have no room for a change, they are made anew, now or by try_again(). */
static void follow(struct rules *r, int e)
{
	struct fail why;

	if (e >= 0)
		return;
	(void)fail(&why, e, "%s", strerror(-e));
	e = remake(r, &why);
	r->stale = e < 0;
	if (r->stale)
		(void)fail(&r->trouble, e,
			   "what names of the policy stand for has changed, and the policy could "
			   "not follow: %.700s",
			   why.text);
}

static void follow_names(struct rules *r)
{
	if (r->current)
		follow(r, resolution_run(r->current->resolution, r->current->compiled, write_change,
					 r));
	if (r->before) /* it is compiled before it is put back */
		(void)resolution_run(r->before->resolution, r->before->compiled, ignore_change, r);
}

void rules_cgroup(struct rules *r, const struct fl_cgroup_event *e)
{
	char path[FL_CGROUP_PATH];

	if (!r || !r->current)
		return;
	memcpy(path, e->path, sizeof(path));
	path[sizeof(path) - 1] = '\0';
	if (!*path || !r->sees_host || r->changes) /* its path is another here, or too long */
		r->look_at_cgroups = true;
	else
		follow(r, resolution_cgroup_came(r->current->resolution, e->id, path,
						 r->current->compiled, write_change, r));
}

void rules_link(struct rules *r, const struct fl_link_event *e)
{
	if (r)
		reauthorize_link(r->again, e);
}

static void look_at_cgroups(struct rules *r)
{
	if (r->current)
		follow(r, resolution_look_at_cgroups(r->current->resolution, r->current->compiled,
						     write_change, r));
	if (r->before)
		(void)resolution_look_at_cgroups(r->before->resolution, r->before->compiled,
						 ignore_change, r);
}

void rules_look_again(struct rules *r)
{
	if (!r)
		return;
	enforce_look_again(r->enforce);
	look_at_cgroups(r);
	if (r->current)
		follow(r, resolution_look_again(r->current->resolution, r->current->compiled,
						write_change, r));
	if (r->before)
		(void)resolution_look_again(r->before->resolution, r->before->compiled,
					    ignore_change, r);
}

int rules_fd(const struct rules *r)
{
	return r->epoll;
}

/* True: something had its time; NEWS is a line for the log. */
static bool end_what_is_over(struct rules *r, struct fail *news)
{
	__u64 now = clock_ns(CLOCK_BOOTTIME);

	if (now < r->retry_ns)
		return false;
	if (!r->trial_ends_ns)
		return r->current && end_rules(r, now, news);
	return now >= r->trial_ends_ns && roll_back(r, now, news);
}

/* What lives is not cut for rules whose time is over. */
bool rules_run(struct rules *r, struct fail *ret_news)
{
	uint64_t expirations;
	bool news;

	condemned_run(r->condemned);
	follow_names(r);
	(void)!read(r->timer, &expirations, sizeof(expirations));
	news = end_what_is_over(r, ret_news);
	reauthorize_run(r->again);
	return news;
}

/* --- policy.d --- */

int rules_load_dir(struct rules *r, const char *dir, bool *ret_harmless, struct fail *f)
{
	_cleanup_(policydir_release) struct policydir found = { 0 };
	struct rules_outcome outcome;
	struct rules_order order;
	int e = policydir_read(dir, &found, f);

	*ret_harmless = e == 0 && !policydir_may_enforce(&found);
	if (e < 0)
		return e;
	if (!found.count) {
		if (enforce_generation(r->enforce))
			clear(r);
		return 0;
	}
	order = (struct rules_order){ .texts = found.texts, .count = found.count };
	return rules_load(r, &order, &outcome, f);
}

/* --- what is --- */

const struct ruleset *rules_current(const struct rules *r)
{
	return r ? r->current : NULL;
}

__u64 rules_trial_ends_ns(const struct rules *r)
{
	return r->trial_ends_ns;
}

const struct enforce *rules_enforce(const struct rules *r)
{
	return r->enforce;
}

const struct verdicts *rules_verdicts(const struct rules *r)
{
	return r->verdicts;
}

const char *rules_deaf(const struct rules *r)
{
	return r ? reauthorize_deaf(r->again) : NULL;
}

const char *rules_trouble(const struct rules *r)
{
	return r->trouble.text;
}
