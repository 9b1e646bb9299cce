/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which policy is in force: loading, trials and their end, what is cut, what stands in policy.d.
 * The agent and the verdict programs are fakes; the policy, its names and tables are the real ones.
 */
#include "text/clock.h"
#include "fake_agent.h"
#include "text/label.h"
#include "daemon/rules.h"
#include "daemon/ruleset.h"
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_clock.h"

#define MS 1000000ull

static char directory[64];
static char path[96];
static struct rules *rules;
static struct fail f;

static int people_error; /* 0: everybody is there */

int __wrap_people_uid(const char *name, __u64 *ret_uid);
int __wrap_people_uid(const char *name, __u64 *ret_uid)
{
	*ret_uid = strcmp(name, "bob") == 0 ? 1000 : 1001;
	return people_error;
}

static bool new_cgroup;	   /* there is one that nothing was known of, now or after a drain */
static __u64 changes_then; /* when it came */

int __wrap_cgroup_is_host_namespace(bool *ret_host);
int __wrap_cgroup_is_host_namespace(bool *ret_host)
{
	*ret_host = true;
	return 0;
}

int __wrap_cgroup_each(const char *mount, int (*fn)(void *arg, __u64 id, const char *path),
		       void *arg);
int __wrap_cgroup_each(const char *mount, int (*fn)(void *arg, __u64 id, const char *path),
		       void *arg)
{
	(void)mount;
	return new_cgroup ? fn(arg, 77, "/new") : 0;
}

static int begin(void **state)
{
	(void)state;
	strcpy(directory, "/tmp/flowner-test-XXXXXX");
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/sock", directory);
	fake_new();
	memset(&enforced, 0, sizeof(enforced));
	assert_int_equal(api_new(&fake.agent, path, &fake.agent.api), 0);
	later_s = 0;
	people_error = 0;
	new_cgroup = false;
	changes_then = 0;
	assert_int_equal(rules_new(&fake.agent, NULL, "/cgroup2", &rules), 0);
	return 0;
}

static int end(void **state)
{
	char command[128];

	(void)state;
	rules_free(rules);
	fake_free();
	snprintf(command, sizeof(command), "rm -rf '%s'", directory);
	return system(command);
}

static void take(enum fl_hook hook, enum fl_proto proto, enum fl_verdict verdict)
{
	struct fl_verdict_event e = {
		.attempt = { .hook = hook,
			     .key = { .netns_cookie = OTHER_COOKIE, .proto = proto } },
		.said = { .verdict = verdict, .audit_verdict = FL_REJECT },
	};

	rules_take(rules, &e);
}

/* One rule NAME at HOOK that rejects port 22. */
static const char *policy(const char *name, const char *hook, const char *more)
{
	static char text[512];

	snprintf(text, sizeof(text),
		 "mode: enforce\nrules:\n  - name: %s\n    hooks: [%s]\n    local: {port: 22}\n"
		 "    verdict: reject\n%s",
		 name, hook, more);
	return text;
}

static struct rules_outcome outcome;

static struct policy_text text_of(const char *text)
{
	return (struct policy_text){ .name = "x.yaml", .text = text, .size = strlen(text) };
}

static int load_as(const char *text, __u64 trial_ns, bool cut, bool force, pid_t caller)
{
	struct policy_text texts[] = { text_of(text) };
	struct rules_order order = { .texts = texts,
				     .count = 1,
				     .trial_ns = trial_ns,
				     .cut = cut,
				     .force = force,
				     .caller = caller };

	return rules_load(rules, &order, &outcome, &f);
}

static int load(const char *name)
{
	return load_as(policy(name, "listen", ""), 0, false, false, 0);
}

static int try(const char *name)
{
	return load_as(policy(name, "listen", ""), 5 * MS, false, false, 0);
}

static const char *in_force(void)
{
	const struct ruleset *set = rules_current(rules);

	return set ? set->policy->rules[0].name : "none";
}

/* The Nth process that what is in force was told to spare. */
static __u32 spared(size_t n)
{
	return enforced.policy.spared[n].pid;
}

/* Until the trial is over; what the daemon would log is in f. */
static void wait_for_the_end(void)
{
	struct pollfd p = { .fd = rules_fd(rules), .events = POLLIN };

	for (int i = 0; i < 100; i++) {
		assert_int_equal(poll(&p, 1, 10000), 1);
		if (rules_run(rules, &f))
			return;
	}
	fail_msg("the trial does not end");
}

/* --- cgroups that the kernel side had no room for --- */

static void who_misses_cgroups_is_made_anew(void **state)
{
	(void)state;
	enforced.misses_cgroups = true;
	rules_tick(rules); /* of no policy */
	assert_int_equal(load("first"), 0);
	assert_int_equal(enforced.loads, 1);
	rules_free(rules); /* what ticked a moment ago does not again */
	assert_int_equal(rules_new(&fake.agent, NULL, NULL, &rules), 0);
	assert_int_equal(load("second"), 0);
	rules_tick(rules);
	assert_int_equal(enforced.loads, 3);
	assert_string_equal(in_force(), "second");
	assert_string_equal(rules_trouble(rules), "");
}

static void what_cannot_be_made_anew_stays_as_it_was(void **state)
{
	const struct compiled *compiled;

	(void)state;
	assert_int_equal(load("first"), 0);
	compiled = rules_current(rules)->compiled;
	enforced.misses_cgroups = true;
	enforced.refuse = -ENOSPC;
	rules_tick(rules);
	assert_ptr_equal(rules_current(rules)->compiled, compiled);
	assert_int_equal(enforced.loads, 1);
	assert_non_null(strstr(rules_trouble(rules), "the kernel says no"));
}

/* --- cgroups that come out of the ring while one policy takes the place of another --- */

static const char names_cgroups[] = "mode: enforce\nrules:\n"
				    "- {name: a, hooks: listen, cgroup: /x, verdict: deny}\n";

static void a_cgroup_comes(void)
{
	struct fl_cgroup_event e = { .id = 77, .path = "/new" };

	new_cgroup = true;
	rules_cgroup(rules, &e);
	changes_then = enforced.changes;
}

static void a_cgroup_comes_with_the_second(void)
{
	if (enforced.loads == 2)
		a_cgroup_comes();
}

static void a_cgroup_does_not_bring_back_what_was_cleared(void **state)
{
	(void)state;
	assert_int_equal(load_as(names_cgroups, 0, false, false, 0), 0);
	fake.at_drain = a_cgroup_comes;
	assert_int_equal(rules_clear(rules, &f), 0);
	assert_int_equal(enforced.loads, 1);
	assert_int_equal(enforced.generation, 0);
	assert_string_equal(in_force(), "none");
}

static void nor_what_was_on_trial(void **state)
{
	(void)state;
	assert_int_equal(load_as(names_cgroups, 5 * MS, false, false, 0), 0);
	fake.at_drain = a_cgroup_comes;
	wait_for_the_end();
	assert_int_equal(enforced.loads, 1);
	assert_int_equal(enforced.generation, 0);
}

/* Class numbers of the one are those of other rules in the other. */
static void what_is_in_force_is_changed_by_its_own_numbers(void **state)
{
	(void)state;
	assert_int_equal(load_as(names_cgroups, 0, false, false, 0), 0);
	fake.at_drain = a_cgroup_comes_with_the_second;
	assert_int_equal(load_as(names_cgroups, 0, false, false, 0), 0);
	assert_true(new_cgroup);
	assert_int_equal(changes_then, 0);
	assert_int_equal(enforced.changes, 1);
	rules_tick(rules);
	assert_int_equal(enforced.changes, 1);
}

static void what_comes_back_is_changed_by_its_own_numbers(void **state)
{
	(void)state;
	assert_int_equal(load_as(names_cgroups, 0, false, false, 0), 0);
	assert_int_equal(load_as(names_cgroups, 5 * MS, false, false, 0), 0);
	fake.at_drain = a_cgroup_comes;
	wait_for_the_end();
	assert_int_equal(enforced.loads, 3);
	assert_int_equal(changes_then, 0);
	assert_int_equal(enforced.changes, 1);
}

/* Nobody tells of it once more: what could not be written is tried until it can be. */
static void what_could_not_be_written_is_tried_again(void **state)
{
	(void)state;
	assert_int_equal(load_as(names_cgroups, 0, false, false, 0), 0);
	enforced.refuse_change = enforced.refuse = -ENOSPC;
	a_cgroup_comes();
	assert_non_null(strstr(rules_trouble(rules), "could not follow: the kernel says no"));
	later_s += 1;
	rules_tick(rules);
	assert_int_equal(enforced.loads, 1);
	enforced.refuse = 0;
	later_s += 2; /* not yet */
	rules_tick(rules);
	assert_int_equal(enforced.loads, 1);
	later_s += 10;
	rules_tick(rules);
	assert_int_equal(enforced.loads, 2);
	assert_string_equal(rules_trouble(rules), "");
	later_s += 10;
	rules_tick(rules);
	assert_int_equal(enforced.loads, 2);
}

/* --- what is rejected --- */

static void where_a_connect_was_rejected_the_next_fails_at_once(void **state)
{
	(void)state;
	take(FL_HOOK_CONNECT_AUTHORIZATION, FL_UDP, FL_REJECT);
	take(FL_HOOK_CONNECT_AUTHORIZATION, FL_TCP, FL_PROCEED_HARD);
	take(FL_HOOK_CONNECT, FL_TCP, FL_REJECT);
	assert_int_equal(enforced.rejected_in, 0);
	take(FL_HOOK_CONNECT_AUTHORIZATION, FL_TCP, FL_REJECT);
	assert_int_equal(enforced.rejected_in, OTHER_COOKIE);
	assert_int_equal(enforced.rejected_inum, OTHER_INUM);
}

static void a_namespace_is_looked_at_again_now_and_then(void **state)
{
	(void)state;
	rules_look_again(rules);
	assert_int_equal(enforced.looked_again, 1);
}

static void rejects(void)
{
	take(FL_HOOK_CONNECT_AUTHORIZATION, FL_TCP, FL_REJECT);
}

/* What is made for it in that namespace went with the policy. */
static void what_was_rejected_is_nothing_to_who_comes_next(void **state)
{
	(void)state;
	assert_int_equal(load("ssh"), 0);
	fake.at_drain = rejects;
	assert_int_equal(rules_clear(rules, &f), 0);
	assert_int_equal(enforced.rejected_in, 0);
	rejects();
	assert_int_equal(enforced.rejected_in, OTHER_COOKIE);
}

/* --- loading --- */

static void nothing_is_in_force_at_first(void **state)
{
	(void)state;
	assert_null(rules_current(rules));
	assert_int_equal(rules_clear(rules, &f), -ENOENT);
	assert_int_equal(rules_confirm(rules, &f), -ENOENT);
}

static void a_policy_is_in_force(void **state)
{
	(void)state;
	assert_int_equal(load("ssh"), 0);
	assert_string_equal(in_force(), "ssh");
	assert_int_equal(outcome.generation, 1);
	assert_int_equal(enforced.rules, 1);
	assert_int_equal(enforced.hooks, 1u << FL_HOOK_LISTEN);
	assert_int_equal(enforced.closed_hooks, 1u << FL_HOOK_LISTEN);
	assert_int_equal(rules_clear(rules, &f), 0);
	assert_string_equal(in_force(), "none");
	assert_int_equal(enforced.clears, 1);
}

/* What cannot be judged is rejected where something enforced could do so, and only there. */
static void hooks_are_closed_by_their_rules(void **state)
{
	static const struct {
		const char *text;
		__u32 closed;
	} cases[] = {
		{ "mode: audit\nrules: [{name: a, hooks: [bind, listen], proto: tcp, verdict: "
		  "deny}]",
		  0 },
		{ "rules:\n- {name: a, hooks: connect, verdict: deny, mode: enforce}\n"
		  "- {name: b, hooks: [bind, listen], proto: tcp, verdict: deny}",
		  1u << FL_HOOK_CONNECT },
		{ "mode: enforce\nrules:\n- {name: a, hooks: connect, verdict: deny, mode: audit}\n"
		  "- {name: b, hooks: [bind, recv_accept], verdict: deny}",
		  1u << FL_HOOK_BIND | 1u << FL_HOOK_RECV_ACCEPT },
		{ "mode: enforce\nrules: [{name: a, hooks: connect, verdict: allow}]", 0 },
		{ "mode: enforce\nrules: [{name: a, hooks: connect, verdict: redirect,"
		  " to: '127.0.0.1:1'}]",
		  1u << FL_HOOK_CONNECT },
		{ "mode: enforce\ndefault: {listen: deny, bind: allow}", 1u << FL_HOOK_LISTEN },
		{ "mode: audit\ndefault: {listen: deny}", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(load_as(cases[i].text, 0, false, false, 0), 0);
		assert_int_equal(enforced.closed_hooks, cases[i].closed);
	}
}

static void what_is_no_policy_changes_nothing(void **state)
{
	(void)state;
	assert_int_equal(load("ssh"), 0);
	assert_int_equal(load_as("rules: [", 0, false, false, 0), -EINVAL);
	assert_non_null(strstr(f.text, "x.yaml:"));
	assert_string_equal(in_force(), "ssh");
	assert_int_equal(enforced.loads, 1);
}

static const char names_people[] = "mode: enforce\nrules:\n"
				   "- {name: a, hooks: listen, user: [eve, bob], verdict: deny}\n"
				   "- {name: b, hooks: listen, uid: 7, verdict: deny}\n";

/* A rule that rejects somebody does not become one that rejects nobody. */
static void who_cannot_be_looked_up_is_not_nobody(void **state)
{
	static const int errors[] = { -ENOENT, -ETIMEDOUT, -ENOMEM, -EAGAIN };

	(void)state;
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		people_error = errors[i];
		assert_true(load_as(names_people, 0, false, false, 0) < 0);
		assert_string_equal(in_force(), "none");
	}
}

static void what_the_kernel_refuses_changes_nothing(void **state)
{
	(void)state;
	assert_int_equal(load("ssh"), 0);
	enforced.refuse = -EOPNOTSUPP;
	assert_int_equal(load("other"), -EOPNOTSUPP);
	assert_non_null(strstr(f.text, "the kernel says no"));
	assert_string_equal(in_force(), "ssh");
	assert_int_equal(try("other"), -EOPNOTSUPP);
	assert_int_equal(rules_trial_ends_ns(rules), 0);
}

static void late_denials_are_for_rules_that_allow_them(void **state)
{
	(void)state;
	assert_int_equal(load("ssh"), 0);
	assert_false(enforced.late_allowed);
	assert_int_equal(
		load_as(policy("a", "listen", "    allow_async: true\n"), 0, false, false, 0), 0);
	assert_true(enforced.late_allowed);
	assert_int_equal(load_as(policy("a", "listen", "    mode: audit\n"), 0, false, false, 0),
			 0);
	assert_true(enforced.late_allowed);
}

static void lifting_takes_a_kernel_that_can(void **state)
{
	static const char *const format = "mode: %s\nrules:\n- {name: a, hooks: bind,"
					  " verdict: allow_hard, allow_override: true}\n";
	char audited[256], enforced_text[256];

	(void)state;
	snprintf(audited, sizeof(audited), format, "audit");
	snprintf(enforced_text, sizeof(enforced_text), format, "enforce");
	kernel_lifts = false;
	assert_int_equal(load_as(audited, 0, false, false, 0), 0);
	assert_int_equal(load("ssh"), 0);
	assert_int_equal(load_as(enforced_text, 0, false, false, 0), -EOPNOTSUPP);
	assert_non_null(strstr(f.text, "x.yaml:3:3: on this kernel allow_override"));
	assert_string_equal(in_force(), "ssh");
	kernel_lifts = true;
	assert_int_equal(load_as(enforced_text, 0, false, false, 0), 0);
}

/* --- edits --- */

static int add_as(const char *text, __u64 for_ns, bool cut, pid_t caller)
{
	struct policy_text texts[] = { text_of(text) };
	struct rules_order order = {
		.texts = texts, .count = 1, .for_ns = for_ns, .cut = cut, .caller = caller
	};

	return rules_add(rules, &order, &outcome, &f);
}

static int add(const char *name, __u64 for_ns)
{
	return add_as(policy(name, "listen", ""), for_ns, false, 0);
}

static int take_out(const char *name)
{
	return rules_delete(rules, name, &(struct rules_order){ 0 }, &outcome, &f);
}

static void the_others_keep_their_hits(void **state)
{
	__u32 area;

	(void)state;
	assert_int_equal(load_as("mode: enforce\nrules:\n"
				 "- {name: a, hooks: bind, verdict: deny}\n"
				 "- {name: b, hooks: bind, netns: 1, verdict: deny}\n"
				 "- {name: c, hooks: bind, verdict: deny}\n",
				 0, false, false, 0),
			 0);
	assert_int_equal(enforced.policy.hits_area, FL_AREA_NONE);
	area = enforced.policy.area;
	assert_int_equal(add("x", 0), 0);
	assert_string_equal(in_force(), "x");
	assert_int_equal(outcome.added, 1);
	assert_int_equal(outcome.audited, 0);
	assert_int_equal(enforced.policy.hits_area, area);
	assert_int_not_equal(enforced.policy.area, area);
	assert_false(enforced.policy.again);
	/* b names a namespace: it is compiled before all others */
	assert_int_equal(enforced.hits[0], 0);
	assert_int_equal(enforced.hits[1], FL_NO_RULE);
	assert_int_equal(enforced.hits[2], 1);
	assert_int_equal(enforced.hits[3], 2);
	assert_int_equal(take_out("a"), 0);
	assert_int_equal(enforced.hits[0], 0);
	assert_int_equal(enforced.hits[1], 1);
	assert_int_equal(enforced.hits[2], 3);
	assert_int_equal(load("ssh"), 0);
	assert_int_equal(enforced.policy.hits_area, FL_AREA_NONE);
}

static void an_edit_is_since_when_the_policy_was(void **state)
{
	__u64 since;

	(void)state;
	assert_int_equal(load("ssh"), 0);
	since = rules_current(rules)->since_ns;
	assert_int_equal(add("x", 0), 0);
	assert_int_equal(rules_current(rules)->since_ns, since);
	assert_int_equal(outcome.generation, 2);
}

static void what_cannot_be_edited_stays(void **state)
{
	(void)state;
	assert_int_equal(take_out("ssh"), -ENOENT);
	assert_int_equal(load("ssh"), 0);
	assert_int_equal(add("ssh", 0), -EEXIST);
	assert_non_null(strstr(f.text, "x.yaml:3:5: "));
	assert_int_equal(add_as("rules: [", 0, false, 0), -EINVAL);
	assert_int_equal(take_out("other"), -ENOENT);
	enforced.refuse = -ENOSPC;
	assert_int_equal(add("x", 0), -ENOSPC);
	assert_int_equal(take_out("ssh"), -ENOSPC);
	assert_string_equal(in_force(), "ssh");
}

static void what_has_had_its_time_goes(void **state)
{
	(void)state;
	assert_int_equal(load("ssh"), 0);
	assert_int_equal(add("long", 3600 * S), 0);
	assert_int_equal(add("short", 5 * MS), 0);
	assert_string_equal(in_force(), "short");
	wait_for_the_end();
	assert_string_equal(f.text, "the time of 1 rules is over: 2 are in force");
	assert_string_equal(in_force(), "long");
	assert_int_equal(enforced.hits[0], 1);
	assert_false(rules_run(rules, &f));
}

static void with_the_last_of_no_policy_there_is_none(void **state)
{
	(void)state;
	assert_int_equal(add("x", 5 * MS), 0);
	wait_for_the_end();
	assert_string_equal(in_force(), "none");
	assert_int_equal(enforced.clears, 1);
	assert_int_equal(add("x", 0), 0);
	assert_int_equal(take_out("x"), 0);
	assert_string_equal(in_force(), "none");
	assert_int_equal(enforced.clears, 2);
}

static void what_cannot_go_goes_later(void **state)
{
	struct fail news;

	(void)state;
	assert_int_equal(load("ssh"), 0);
	assert_int_equal(add("short", 5 * MS), 0);
	enforced.refuse = -ENOSPC;
	wait_for_the_end();
	assert_non_null(strstr(f.text, "cannot be taken out yet: the kernel says no"));
	assert_string_equal(rules_trouble(rules), f.text);
	assert_false(rules_run(rules, &news));
	enforced.refuse = 0;
	wait_for_the_end();
	assert_string_equal(in_force(), "ssh");
	assert_string_equal(rules_trouble(rules), "");
}

static __u64 second_user_of(const char *rule)
{
	const struct ruleset *set = rules_current(rules);
	const struct plain_rule *plain;
	size_t count;

	assert_string_equal(in_force(), rule);
	plain = resolution_rules(set->resolution, &count);
	assert_int_equal(plain->terms[0].count, 2);
	return plain->terms[0].values[1].id[0];
}

/* No name service is asked for what an edit leaves. */
static void who_was_named_stays_who_it_was(void **state)
{
	static const int errors[] = { -ENOENT, -ETIMEDOUT, -ENOMEM };

	(void)state;
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		people_error = 0;
		assert_int_equal(load_as(names_people, 0, false, false, 0), 0);
		assert_int_equal(add("short", 5 * MS), 0);
		people_error = errors[i];
		wait_for_the_end();
		assert_string_equal(f.text, "the time of 1 rules is over: 2 are in force");
		assert_int_equal(second_user_of("a"), 1000);
		assert_int_equal(add("short", 1 * MS), 0);
		assert_int_equal(try("new"), 0);
		wait_for_the_end();
		assert_int_equal(second_user_of("a"), 1000);
		assert_int_equal(take_out("b"), 0);
		assert_int_equal(second_user_of("a"), 1000);
	}
}

static void nothing_is_edited_during_a_trial(void **state)
{
	(void)state;
	assert_int_equal(load("old"), 0);
	assert_int_equal(load_as(policy("new", "listen", ""), 60 * S, false, false, 0), 0);
	assert_int_equal(add("x", 0), -EBUSY);
	assert_int_equal(take_out("new"), -EBUSY);
	assert_string_equal(in_force(), "new");
	assert_int_equal(rules_confirm(rules, &f), 0);
	assert_int_equal(add("x", 0), 0);
}

static void a_trial_does_not_bring_back_what_had_its_time(void **state)
{
	__u32 before;

	(void)state;
	assert_int_equal(load("old"), 0);
	assert_int_equal(add("short", 1 * MS), 0);
	before = enforced.policy.area;
	assert_int_equal(try("new"), 0);
	wait_for_the_end();
	assert_string_equal(in_force(), "old");
	assert_int_equal(enforced.policy.hits_area, before);
	assert_int_equal(enforced.hits[0], 1);
	assert_int_equal(rules_clear(rules, &f), 0);
	assert_int_equal(add("short", 1 * MS), 0);
	assert_int_equal(try("new"), 0);
	wait_for_the_end();
	assert_string_equal(in_force(), "none");
	assert_string_equal(rules_trouble(rules), "");
}

/* --- after a killed daemon --- */

static struct enforce_kept kept_of(struct policy_text *text, __u32 area)
{
	return (struct enforce_kept){ .area = area,
				      .since_ns = 7000 + area,
				      .texts = text,
				      .text_count = text ? 1 : 0,
				      .spared[0] = { .ticks = 1, .pid = 8000 + area } };
}

static void what_was_in_force_goes_on(void **state)
{
	struct policy_text text = text_of(policy("ssh", "listen", ""));
	const struct enforce_resumed left = { kept_of(&text, 2), kept_of(NULL, FL_AREA_NONE), 0 };

	(void)state;
	assert_int_equal(rules_resume(rules, &f), 0);
	enforced.left = &left;
	enforced.loads = enforced.generation = 41;
	assert_int_equal(rules_resume(rules, &f), 1);
	assert_string_equal(in_force(), "ssh");
	assert_int_equal(rules_current(rules)->generation, 42);
	assert_int_equal(rules_current(rules)->since_ns, 7002);
	assert_int_equal(enforced.policy.area, 2);
	assert_true(enforced.policy.again);
	assert_int_equal(load("other"), 0);
	assert_int_not_equal(enforced.policy.area, 2);
	assert_false(enforced.policy.again);
}

static void what_an_earlier_daemon_wrote_is_not_changed_by_other_numbers(void **state)
{
	struct policy_text text = text_of(names_cgroups);
	const struct enforce_resumed left = { kept_of(&text, 2), kept_of(NULL, FL_AREA_NONE), 0 };

	(void)state;
	enforced.left = &left;
	enforced.loads = enforced.generation = 41;
	fake.at_drain = a_cgroup_comes;
	assert_int_equal(rules_resume(rules, &f), 1);
	assert_int_equal(enforced.loads, 42);
	assert_int_equal(changes_then, 0);
	assert_int_equal(enforced.changes, 1);
}

static void what_cannot_be_taken_up_is_left_alone(void **state)
{
	struct policy_text text = text_of(names_cgroups);
	const struct enforce_resumed left = { kept_of(&text, 0), kept_of(NULL, FL_AREA_NONE), 0 };

	(void)state;
	enforced.left = &left;
	enforced.loads = enforced.generation = 41;
	enforced.refuse = -ENOMEM;
	assert_int_equal(rules_resume(rules, &f), 1);
	assert_string_equal(in_force(), "none");
	assert_non_null(strstr(rules_trouble(rules), "cannot follow it: clear it, or load it"));
	a_cgroup_comes();
	rules_look_again(rules);
	assert_int_equal(enforced.changes, 0);
	assert_int_equal(add("x", 0), -EBUSY);
	enforced.refuse = 0;
	assert_int_equal(load("ssh"), 0);
	assert_int_equal(enforced.policy.area, 1);
	assert_string_equal(rules_trouble(rules), "");
	assert_int_equal(load("other"), 0);
	assert_int_equal(enforced.policy.area, 0);
}

/* Who is named need not be known at the start, when the machine and its name service do. */
static void what_cannot_be_taken_up_is_taken_up_later(void **state)
{
	struct policy_text text = text_of(names_people);
	const struct enforce_resumed left = { kept_of(&text, 2), kept_of(NULL, FL_AREA_NONE), 0 };

	(void)state;
	text.ends_ns = clock_ns(CLOCK_BOOTTIME) + 12 * S;
	enforced.left = &left;
	enforced.generation = 41;
	people_error = -ETIMEDOUT;
	assert_int_equal(rules_resume(rules, &f), 1);
	rules_tick(rules);
	assert_string_equal(in_force(), "none");
	assert_non_null(strstr(rules_trouble(rules), "does not say who 'eve' is"));
	people_error = 0;
	later_s += 5;
	rules_tick(rules);
	assert_string_equal(in_force(), "none");
	later_s += 10;
	rules_tick(rules);
	assert_string_equal(in_force(), "a");
	assert_string_equal(rules_trouble(rules), "");
	assert_int_equal(enforced.policy.area, 2);
	assert_true(rules_run(rules, &f)); /* its time was over meanwhile */
	assert_int_equal(enforced.clears, 1);
}

/* What comes back is kept where it was as long as it may come back. */
static void what_was_before_need_not_be_known_at_once(void **state)
{
	char before[512];
	struct policy_text old = text_of(names_people), new = text_of(policy("new", "listen", ""));
	struct enforce_resumed left = { kept_of(&new, 0), kept_of(&old, 1),
					clock_ns(CLOCK_BOOTTIME) + 60 * S };

	(void)state;
	strcpy(before, new.text);
	new.text = before;
	enforced.left = &left;
	people_error = -ETIMEDOUT;
	assert_int_equal(rules_resume(rules, &f), 1);
	assert_string_equal(in_force(), "new");
	assert_int_equal(enforced.policy.before, 1);
	assert_non_null(strstr(rules_trouble(rules), "cannot be read, and would not come back"));
	assert_int_equal(load_as(policy("newer", "listen", ""), 60 * S, false, false, 0), 0);
	assert_int_equal(enforced.policy.area, 2);
	assert_int_equal(enforced.policy.before, 1);
	people_error = 0;
	later_s += 61;
	assert_true(rules_run(rules, &f));
	assert_string_equal(in_force(), "a");
	assert_int_equal(enforced.policy.area, 1);
	assert_int_equal(enforced.clears, 0);
}

/* Also what is in force and could not be taken up is what was before a trial. */
static void what_was_not_taken_up_comes_back_after_a_trial(void **state)
{
	struct policy_text text = text_of(names_people);
	const struct enforce_resumed left = { kept_of(&text, 2), kept_of(NULL, FL_AREA_NONE), 0 };

	(void)state;
	enforced.left = &left;
	enforced.generation = 41;
	people_error = -ETIMEDOUT;
	assert_int_equal(rules_resume(rules, &f), 1);
	assert_int_equal(load_as(policy("new", "listen", ""), 60 * S, false, false, 0), 0);
	assert_string_equal(in_force(), "new");
	assert_int_equal(enforced.policy.before, 2);
	rules_tick(rules);
	assert_non_null(strstr(rules_trouble(rules), "cannot be read, and would not come back"));
	assert_int_equal(load_as(policy("newer", "listen", ""), 60 * S, false, false, 0), 0);
	assert_int_not_equal(enforced.policy.area, 2);
	assert_int_equal(enforced.policy.before, 2);
	people_error = 0;
	later_s += 61;
	assert_true(rules_run(rules, &f));
	assert_string_equal(in_force(), "a");
	assert_int_equal(enforced.policy.area, 2);
	assert_true(enforced.policy.again);
	assert_int_equal(rules_current(rules)->since_ns, 7002);
	assert_int_equal(rules_trial_ends_ns(rules), 0);
	assert_string_equal(rules_trouble(rules), "");
	assert_int_equal(enforced.clears, 0);
}

/* What does not begin leaves it where it is; what is confirmed is instead of it. */
static void what_was_not_taken_up_goes_with_a_confirmation_only(void **state)
{
	struct policy_text text = text_of(names_people);
	const struct enforce_resumed left = { kept_of(&text, 0), kept_of(NULL, FL_AREA_NONE), 0 };

	(void)state;
	enforced.left = &left;
	enforced.generation = 41;
	people_error = -ETIMEDOUT;
	assert_int_equal(rules_resume(rules, &f), 1);
	enforced.refuse = -ENOSPC;
	assert_int_equal(try("new"), -ENOSPC);
	enforced.refuse = 0;
	assert_int_equal(load_as(policy("new", "listen", ""), 60 * S, false, false, 0), 0);
	assert_int_equal(enforced.policy.area, 1);
	assert_int_equal(enforced.policy.before, 0);
	assert_int_equal(rules_confirm(rules, &f), 0);
	assert_int_equal(load("other"), 0);
	assert_int_equal(enforced.policy.area, 0);
	people_error = 0;
	later_s += 61;
	assert_false(rules_run(rules, &f));
	assert_string_equal(in_force(), "other");
}

static void a_trial_goes_on(void **state)
{
	char before[512];
	struct policy_text old, new = text_of(policy("old", "listen", ""));
	struct enforce_resumed left;

	(void)state;
	strcpy(before, new.text);
	old = text_of(before);
	new = text_of(policy("new", "listen", ""));
	left = (struct enforce_resumed){ kept_of(&new, 0), kept_of(&old, 1),
					 clock_ns(CLOCK_BOOTTIME) + 3600 * S };
	enforced.left = &left;
	assert_int_equal(rules_resume(rules, &f), 1);
	assert_int_equal(rules_trial_ends_ns(rules), left.trial_ends_ns);
	assert_false(rules_run(rules, &f));
	assert_int_equal(enforced.policy.before, 1);
	assert_int_equal(try("newer"), 0);
	assert_int_equal(enforced.policy.area, 2); /* neither of the others */
	assert_int_equal(enforced.policy.before, 1);
	wait_for_the_end();
	assert_string_equal(in_force(), "old");
	assert_int_equal(enforced.policy.area, 1);
	assert_int_equal(enforced.policy.trial_ends_ns, 0);
}

/* Of each policy who loaded it: that is kept for the daemon that comes next. */
static void who_loaded_it_is_spared(void **state)
{
	(void)state;
	assert_int_equal(load_as(policy("old", "listen", ""), 0, false, false, getpid()), 0);
	assert_int_equal(spared(0), getpid());
	assert_int_equal(spared(1), getppid());
	assert_int_equal(load("reloaded"), 0); /* as at SIGHUP: by nobody */
	assert_int_equal(spared(0), getpid());
	assert_int_equal(load_as(policy("new", "listen", ""), 5 * MS, false, false, getppid()), 0);
	assert_int_equal(spared(0), getppid());
	wait_for_the_end();
	assert_string_equal(in_force(), "reloaded");
	assert_int_equal(spared(0), getpid());
	assert_int_equal(add("short", 5 * MS), 0);
	wait_for_the_end();
	assert_int_equal(spared(0), getpid());
	assert_int_equal(load_as(policy("new", "listen", ""), 0, false, true, getpid()), 0);
	assert_int_equal(spared(0), 0);
}

static void who_loaded_it_is_spared_by_the_next_daemon(void **state)
{
	char before[512];
	struct policy_text old, new = text_of(policy("old", "listen", ""));
	struct enforce_resumed left;

	(void)state;
	strcpy(before, new.text);
	old = text_of(before);
	new = text_of(policy("new", "listen", ""));
	left = (struct enforce_resumed){ kept_of(&new, 0), kept_of(&old, 1), 1 };
	enforced.left = &left;
	assert_int_equal(rules_resume(rules, &f), 1);
	assert_int_equal(spared(0), 8000);
	assert_true(rules_run(rules, &f));
	assert_string_equal(in_force(), "old");
	assert_int_equal(spared(0), 8001);
}

static void a_trial_that_ended_meanwhile_is_taken_back(void **state)
{
	struct policy_text text = text_of(policy("new", "listen", ""));
	const struct enforce_resumed left = { kept_of(&text, 0), kept_of(NULL, FL_AREA_NONE), 1 };

	(void)state;
	enforced.left = &left;
	assert_int_equal(rules_resume(rules, &f), 1);
	assert_true(rules_run(rules, &f));
	assert_string_equal(in_force(), "none");
	assert_int_equal(enforced.clears, 1);
}

static void what_cannot_be_read_stays_in_force_and_is_told(void **state)
{
	struct policy_text text = text_of("rules: [");
	const struct enforce_resumed left = { kept_of(&text, 0), kept_of(NULL, FL_AREA_NONE), 0 };

	(void)state;
	enforced.left = &left;
	enforced.generation = 3;
	assert_int_equal(rules_resume(rules, &f), 1);
	assert_string_equal(in_force(), "none");
	assert_non_null(strstr(rules_trouble(rules), "x.yaml:"));
	assert_int_equal(enforced.clears + enforced.loads, 0);
	assert_int_equal(add("x", 0), -EBUSY);
	assert_int_equal(take_out("x"), -EBUSY);
	assert_int_equal(rules_clear(rules, &f), 0);
	assert_string_equal(rules_trouble(rules), "");
}

static void what_had_its_time_meanwhile_goes(void **state)
{
	struct policy_text texts[2];
	struct enforce_resumed left = { kept_of(texts, 2), kept_of(NULL, FL_AREA_NONE), 0 };
	char base[512];

	(void)state;
	strcpy(base, policy("base", "listen", ""));
	texts[0] = text_of(base);
	texts[1] = text_of(policy("short", "listen", ""));
	texts[1].added = true;
	texts[1].ends_ns = 1;
	left.current.text_count = 2;
	enforced.left = &left;
	assert_int_equal(rules_resume(rules, &f), 1);
	assert_string_equal(in_force(), "short");
	assert_true(rules_run(rules, &f));
	assert_string_equal(in_force(), "base");
	assert_int_equal(enforced.policy.hits_area, 2);
	assert_int_equal(rules_current(rules)->since_ns, 7002);
	assert_false(rules_run(rules, &f));
}

static __u32 judged_by; /* so many rules */

static int judge(__u64 flow_id, __u32 ifindex)
{
	(void)flow_id;
	(void)ifindex;
	judged_by = enforced.rules;
	return FL_AGAIN_PROCEEDS;
}

static void what_had_its_time_judges_nothing_that_lives(void **state)
{
	struct policy_text texts[2];
	struct enforce_resumed left = { kept_of(texts, 2), kept_of(NULL, FL_AREA_NONE), 0 };
	char base[512];

	(void)state;
	strcpy(base, policy("base", "connect_authorization", ""));
	texts[0] = text_of(base);
	texts[1] = text_of(policy("short", "connect_authorization", ""));
	texts[1].added = true;
	texts[1].ends_ns = 1;
	left.current.text_count = 2;
	enforced.left = &left;
	enforced.judge_again = judge;
	fake_add(make_flow(5, 0, "10.0.0.1", 22, "10.0.0.9", 443));
	fake.enters = true;
	judged_by = 0;
	assert_int_equal(rules_resume(rules, &f), 1);
	assert_true(rules_run(rules, &f));
	assert_string_equal(in_force(), "base");
	assert_int_equal(judged_by, 1);
}

/* --- trials --- */

static void a_confirmed_trial_stays(void **state)
{
	(void)state;
	assert_int_equal(load("old"), 0);
	assert_int_equal(load_as(policy("new", "listen", ""), 60 * S, false, false, 0), 0);
	assert_true(rules_trial_ends_ns(rules));
	assert_int_equal(rules_confirm(rules, &f), 0);
	assert_int_equal(enforced.confirms, 1);
	assert_int_equal(rules_trial_ends_ns(rules), 0);
	assert_int_equal(rules_confirm(rules, &f), -ENOENT);
	assert_string_equal(in_force(), "new");
}

static void a_trial_ends_with_what_was_before(void **state)
{
	(void)state;
	assert_int_equal(load("old"), 0);
	assert_int_equal(try("new"), 0);
	assert_string_equal(in_force(), "new");
	wait_for_the_end();
	assert_string_equal(in_force(), "old");
	assert_int_equal(enforced.loads, 3);
	assert_int_equal(rules_current(rules)->generation, 3);
	assert_int_equal(rules_trial_ends_ns(rules), 0);
	assert_int_equal(rules_confirm(rules, &f), -ENOENT);
}

static void a_trial_of_the_first_policy_ends_with_none(void **state)
{
	(void)state;
	assert_int_equal(try("new"), 0);
	wait_for_the_end();
	assert_string_equal(in_force(), "none");
	assert_int_equal(enforced.clears, 1);
}

static void a_trial_on_top_of_a_trial_keeps_what_was_before(void **state)
{
	(void)state;
	assert_int_equal(load("old"), 0);
	assert_int_equal(load_as(policy("one", "listen", ""), 60 * S, false, false, 0), 0);
	assert_int_equal(try("two"), 0);
	assert_string_equal(in_force(), "two");
	wait_for_the_end();
	assert_string_equal(in_force(), "old");
}

static void a_load_ends_the_trial(void **state)
{
	(void)state;
	assert_int_equal(load("old"), 0);
	assert_int_equal(try("new"), 0);
	assert_int_equal(load("third"), 0);
	assert_int_equal(rules_trial_ends_ns(rules), 0);
	usleep(10000); /* lint: poll */
	assert_false(rules_run(rules, &f));
	assert_string_equal(in_force(), "third");
}

static void to_clear_ends_the_trial(void **state)
{
	(void)state;
	assert_int_equal(load("old"), 0);
	assert_int_equal(try("new"), 0);
	assert_int_equal(rules_clear(rules, &f), 0);
	usleep(10000); /* lint: poll */
	assert_false(rules_run(rules, &f));
	assert_string_equal(in_force(), "none");
}

static void what_there_is_no_memory_for_is_put_back_later(void **state)
{
	(void)state;
	assert_int_equal(load("old"), 0);
	assert_int_equal(try("new"), 0);
	enforced.refuse = -ENOMEM;
	later_s += 1;
	assert_false(rules_run(rules, &f));
	assert_string_equal(in_force(), "new");
	enforced.refuse = 0;
	assert_false(rules_run(rules, &f)); /* at once would be too often */
	later_s += 2;
	assert_true(rules_run(rules, &f));
	assert_string_equal(in_force(), "old");
	assert_int_equal(try("new"), 0);
	enforced.refuse = -ENOMEM;
	for (int i = 0; i < 10; i++) {
		later_s += 1;
		assert_false(rules_run(rules, &f));
	}
	later_s += 2; /* nobody has to wait for it for ever */
	assert_true(rules_run(rules, &f));
	assert_string_equal(in_force(), "none");
}

static void what_cannot_be_put_back_is_not_kept_either(void **state)
{
	(void)state;
	assert_int_equal(load("old"), 0);
	assert_int_equal(try("new"), 0);
	enforced.refuse = -ENOSPC;
	wait_for_the_end();
	assert_string_equal(in_force(), "none");
	assert_non_null(strstr(rules_trouble(rules), "cannot be put back: the kernel says no"));
	enforced.refuse = 0;
	assert_int_equal(load("old"), 0);
	assert_string_equal(rules_trouble(rules), "");
}

/* --- what lives --- */

static struct fl_flow listener(__u64 id, __u32 pid, __u16 port)
{
	struct fl_flow flow = make_flow(id, 0, "10.0.0.1", port, NULL, 0);

	flow.owner.proc.pid = pid;
	return flow;
}

static void what_would_be_rejected_is_counted_and_lives(void **state)
{
	(void)state;
	fake_add(listener(CUTTABLE, 100, 22));
	fake_add(listener(7, 100, 80));
	fake_add(listener(8, 1, 22)); /* never denied */
	assert_int_equal(load("ssh"), 0);
	assert_int_equal(outcome.rejected, 1);
	assert_int_equal(outcome.cut, 0);
	assert_int_equal(fake.aborted, 0);
	assert_int_equal(load_as(policy("ssh", "listen", "    mode: audit\n"), 0, false, false, 0),
			 0);
	assert_int_equal(outcome.rejected, 0);
}

static void what_would_be_rejected_is_cut(void **state)
{
	(void)state;
	fake_add(listener(CUTTABLE, 100, 22));
	fake_add(listener(7, 100, 22)); /* this one cannot be cut */
	assert_int_equal(load_as(policy("ssh", "listen", ""), 0, true, false, 0), 0);
	assert_int_equal(outcome.rejected, 2);
	assert_int_equal(outcome.cut, 1);
	assert_int_equal(outcome.left, 1);
	assert_int_equal(fake.aborted, CUTTABLE);
}

static void an_edit_cuts_only_what_it_rejects(void **state)
{
	(void)state;
	fake_add(listener(7, 100, 22));
	assert_int_equal(load("ssh"), 0);
	assert_int_equal(outcome.rejected, 1);
	fake_add(listener(CUTTABLE, 100, 80));
	assert_int_equal(add_as("rules: [{name: web, hooks: listen, local: {port: 80},"
				" verdict: reject}]",
				0, true, 0),
			 0);
	assert_int_equal(outcome.rejected, 1);
	assert_int_equal(outcome.cut, 1);
	assert_int_equal(fake.aborted, CUTTABLE);
	assert_int_equal(take_out("web"), 0);
	assert_int_equal(outcome.rejected, 0);
}

static void an_edit_does_not_cut_the_caller_off(void **state)
{
	(void)state;
	fake_add(listener(CUTTABLE, (__u32)getppid(), 22));
	assert_int_equal(add_as("mode: enforce\nrules: [{name: x, hooks: listen, verdict: deny}]",
				0, true, getpid()),
			 -EBUSY);
	assert_string_equal(in_force(), "none");
	assert_int_equal(fake.aborted, 0);
}

/* The flow is of the caller's parent: sshd, as it were. */
static void the_caller_is_not_cut_off(void **state)
{
	(void)state;
	fake_add(listener(CUTTABLE, (__u32)getppid(), 22));
	assert_int_equal(load_as(policy("ssh", "listen", ""), 0, true, false, getpid()), -EBUSY);
	assert_string_equal(in_force(), "none");
	assert_int_equal(enforced.loads, 0);
	assert_int_equal(fake.aborted, 0);
	assert_int_equal(load_as(policy("ssh", "listen", ""), 0, false, false, getpid()), 0);
	assert_true(outcome.callers);
	assert_int_equal(load_as(policy("ssh", "listen", ""), 0, true, true, getpid()), 0);
	assert_int_equal(fake.aborted, CUTTABLE);
}

static void a_trial_cuts_nothing(void **state)
{
	(void)state;
	fake_add(listener(CUTTABLE, 100, 22));
	assert_int_equal(load_as(policy("ssh", "listen", ""), 60 * S, true, false, 0), -EINVAL);
	assert_string_equal(in_force(), "none");
	assert_int_equal(fake.aborted, 0);
}

/* --- policy.d --- */

static void write_file(const char *name, const char *text)
{
	char file[160];
	int fd;

	snprintf(file, sizeof(file), "%s/%s", directory, name);
	fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void a_directory_is_one_policy(void **state)
{
	bool harmless;

	(void)state;
	write_file("20-b.yaml", policy("b", "bind", ""));
	write_file("10-a.yaml", policy("a", "listen", ""));
	write_file("notes.txt", "no policy");
	if (rules_load_dir(rules, directory, &harmless, &f) < 0)
		fail_msg("%s", f.text);
	assert_int_equal(enforced.rules, 2);
	assert_string_equal(in_force(), "a");
}

static void no_directory_is_no_policy(void **state)
{
	bool harmless;

	(void)state;
	assert_int_equal(rules_load_dir(rules, "/nonexistent", &harmless, &f), 0);
	assert_string_equal(in_force(), "none");
	assert_int_equal(load("ssh"), 0);
	assert_int_equal(rules_load_dir(rules, "/nonexistent", &harmless, &f), 0);
	assert_string_equal(in_force(), "none");
}

static void only_what_can_not_be_enforced_is_harmless(void **state)
{
	static const char *const may[] = {
		"mode: ENFORCE\n",
		"mode: audit # or enforce\nrules: [",
		"rules: [{name: \"case #42\", hooks: bind, verdict: deny, mode: enforce}, 1]",
		"rules: # one\r- {name: a, hooks: bind, verdict: deny, mode: enforce}\r- 1",
		"mode: \"\\x65nforce\"\nrules: [",
	};
	bool harmless;

	(void)state;
	assert_int_equal(load("ssh"), 0);
	write_file("a.yaml", "mode: audit # for now\nrules: [");
	assert_int_equal(rules_load_dir(rules, directory, &harmless, &f), -EINVAL);
	assert_true(harmless);
	for (size_t i = 0; i < sizeof(may) / sizeof(may[0]); i++) {
		write_file("b.yaml", may[i]);
		assert_int_equal(rules_load_dir(rules, directory, &harmless, &f), -EINVAL);
		assert_false(harmless);
	}
	assert_string_equal(in_force(), "ssh");
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, begin, end)
	const struct CMUnitTest tests[] = {
		T(where_a_connect_was_rejected_the_next_fails_at_once),
		T(a_namespace_is_looked_at_again_now_and_then),
		T(what_was_rejected_is_nothing_to_who_comes_next),
		T(nothing_is_in_force_at_first),
		T(who_misses_cgroups_is_made_anew),
		T(what_cannot_be_made_anew_stays_as_it_was),
		T(a_cgroup_does_not_bring_back_what_was_cleared),
		T(nor_what_was_on_trial),
		T(what_is_in_force_is_changed_by_its_own_numbers),
		T(what_comes_back_is_changed_by_its_own_numbers),
		T(what_could_not_be_written_is_tried_again),
		T(a_policy_is_in_force),
		T(hooks_are_closed_by_their_rules),
		T(what_is_no_policy_changes_nothing),
		T(who_cannot_be_looked_up_is_not_nobody),
		T(what_the_kernel_refuses_changes_nothing),
		T(late_denials_are_for_rules_that_allow_them),
		T(lifting_takes_a_kernel_that_can),
		T(the_others_keep_their_hits),
		T(an_edit_is_since_when_the_policy_was),
		T(what_cannot_be_edited_stays),
		T(what_has_had_its_time_goes),
		T(with_the_last_of_no_policy_there_is_none),
		T(what_cannot_go_goes_later),
		T(who_was_named_stays_who_it_was),
		T(nothing_is_edited_during_a_trial),
		T(a_trial_does_not_bring_back_what_had_its_time),
		T(what_was_in_force_goes_on),
		T(what_an_earlier_daemon_wrote_is_not_changed_by_other_numbers),
		T(what_cannot_be_taken_up_is_left_alone),
		T(what_cannot_be_taken_up_is_taken_up_later),
		T(what_was_before_need_not_be_known_at_once),
		T(what_was_not_taken_up_comes_back_after_a_trial),
		T(what_was_not_taken_up_goes_with_a_confirmation_only),
		T(a_trial_goes_on),
		T(who_loaded_it_is_spared),
		T(who_loaded_it_is_spared_by_the_next_daemon),
		T(a_trial_that_ended_meanwhile_is_taken_back),
		T(what_cannot_be_read_stays_in_force_and_is_told),
		T(what_had_its_time_meanwhile_goes),
		T(what_had_its_time_judges_nothing_that_lives),
		T(a_confirmed_trial_stays),
		T(a_trial_ends_with_what_was_before),
		T(a_trial_of_the_first_policy_ends_with_none),
		T(a_trial_on_top_of_a_trial_keeps_what_was_before),
		T(a_load_ends_the_trial),
		T(to_clear_ends_the_trial),
		T(what_there_is_no_memory_for_is_put_back_later),
		T(what_cannot_be_put_back_is_not_kept_either),
		T(what_would_be_rejected_is_counted_and_lives),
		T(what_would_be_rejected_is_cut),
		T(an_edit_cuts_only_what_it_rejects),
		T(an_edit_does_not_cut_the_caller_off),
		T(the_caller_is_not_cut_off),
		T(a_trial_cuts_nothing),
		T(a_directory_is_one_policy),
		T(no_directory_is_no_policy),
		T(only_what_can_not_be_enforced_is_harmless),
	};

	return cmocka_run_group_tests_name("rules", tests, NULL, NULL);
}
