/* SPDX-License-Identifier: BSD-2-Clause */
/* What a policy would cut of what lives, and that the way to change it is not cut unseen. */
#include "policy/safety.h"

#include "policy/policy.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define DAEMON 500
#define EVERYTHING ((1u << FL_DIMS) - 1)

static struct compiled *compiled;
static struct safety safety;
static const __u32 ancestors[] = { 900, 800, 700, 1 };
static const struct safety_caller caller = { ancestors, 4, DAEMON };

static int teardown(void **state)
{
	(void)state;
	safety_release(&safety);
	compiled_free(compiled);
	compiled = NULL;
	return 0;
}

static struct live live(__u64 id, __u32 pid, enum fl_role role, enum fl_state state, __u16 port)
{
	struct live l = { .flow_id = id, .role = role, .state = state };

	l.attempt.owner.proc.pid = pid;
	l.attempt.key.proto = FL_TCP;
	l.attempt.key.local_port = port;
	l.attempt.key.remote_port = 40000;
	l.attempt.known = EVERYTHING;
	return l;
}

/* One rule that rejects PORT, near or far, at HOOKS; or by default. */
static void policy_of(__u32 hooks, __u16 port, bool enforced, __u32 default_verdict)
{
	struct term_value value = { .first = port, .last = port };
	struct term term = { FL_DIM_LOCAL_PORT, false, 1, &value };
	struct plain_rule rule = { .hooks = hooks,
				   .tcp = true,
				   .udp = true,
				   .enforced = enforced,
				   .verdict = FL_REJECT,
				   .tag = 42,
				   .term_count = 1,
				   .terms = &term };
	struct plain_default defaults[FL_HOOKS];

	for (__u32 hook = 0; hook < FL_HOOKS; hook++)
		defaults[hook] = (struct plain_default){ default_verdict, enforced, hook };
	compiled_free(compiled);
	assert_int_equal(compile(&rule, 1, defaults, &compiled), 0);
}

static void check(const struct live *l, size_t count)
{
	safety_release(&safety);
	assert_int_equal(safety_check(compiled, l, count, &caller, &safety), 0);
}

#define ALL ((1u << FL_HOOKS) - 1)

static void each_role_came_by_its_hooks(void **state)
{
	static const struct {
		enum fl_role role;
		enum fl_state state;
		__u32 hooks;
	} cases[] = {
		{ FL_ROLE_OPENER, FL_STATE_ESTABLISHED, 1 << FL_HOOK_CONNECT },
		{ FL_ROLE_ACCEPTOR, FL_STATE_ESTABLISHED, 1 << FL_HOOK_RECV_ACCEPT },
		{ FL_ROLE_LISTENER, FL_STATE_LISTEN, 1 << FL_HOOK_BIND | 1 << FL_HOOK_LISTEN },
		{ FL_ROLE_USER, FL_STATE_UNCONN, 1 << FL_HOOK_BIND },
		{ FL_ROLE_EXISTING, FL_STATE_LISTEN, 1 << FL_HOOK_BIND | 1 << FL_HOOK_LISTEN },
		{ FL_ROLE_EXISTING, FL_STATE_UNCONN, 1 << FL_HOOK_BIND },
		{ FL_ROLE_EXISTING, FL_STATE_ESTABLISHED,
		  1 << FL_HOOK_CONNECT | 1 << FL_HOOK_CONNECT_AUTHORIZATION |
			  1 << FL_HOOK_RECV_ACCEPT },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct live l = live(1, 10, cases[i].role, cases[i].state, 80);

		for (enum fl_hook hook = 0; hook < FL_HOOKS; hook++) {
			policy_of(1u << hook, 80, true, FL_PROCEED_SOFT);
			check(&l, 1);
			assert_int_equal(safety.cut_count, cases[i].hooks >> hook & 1);
			if (!safety.cut_count)
				continue;
			assert_int_equal(safety.cuts[0].hook, hook);
			assert_int_equal(safety.cuts[0].rule, 42);
			assert_false(safety.cuts[0].is_default);
			assert_false(safety.cuts_caller);
		}
	}
}

/* Nobody has remembered by which interface a session goes: no rule on one cuts it. */
static void an_interface_is_not_remembered(void **state)
{
	struct term_value value = { .id = { 71 } };
	struct term term = { FL_DIM_INTERFACE_TYPE, false, 1, &value };
	const struct plain_rule rule = { .hooks = 1u << FL_HOOK_CONNECT_AUTHORIZATION,
					 .tcp = true,
					 .udp = true,
					 .enforced = true,
					 .verdict = FL_REJECT,
					 .term_count = 1,
					 .terms = &term };
	struct plain_default defaults[FL_HOOKS] = { 0 };
	struct live l = live(1, 10, FL_ROLE_EXISTING, FL_STATE_ESTABLISHED, 80);

	(void)state;
	for (__u32 hook = 0; hook < FL_HOOKS; hook++)
		defaults[hook] = (struct plain_default){ FL_PROCEED_SOFT, false, hook };
	assert_int_equal(compile(&rule, 1, defaults, &compiled), 0);
	l.attempt.known &= ~(1u << FL_DIM_INTERFACE_TYPE);
	check(&l, 1);
	assert_int_equal(safety.cut_count, 0);
	l.attempt.known |= 1u << FL_DIM_INTERFACE_TYPE;
	l.attempt.interface_type = 71;
	check(&l, 1);
	assert_int_equal(safety.cut_count, 1);
	l.attempt.interface_type = 6;
	check(&l, 1);
	assert_int_equal(safety.cut_count, 0);
}

/* Nor whether somebody listened there before: of two who share a port it is said of one. */
static void a_port_in_use_is_not_remembered(void **state)
{
	struct term_value value = { .id = { 1 } };
	struct term term = { FL_DIM_PORT_IN_USE, false, 1, &value };
	const struct plain_rule rule = { .hooks = 1u << FL_HOOK_LISTEN,
					 .tcp = true,
					 .enforced = true,
					 .verdict = FL_REJECT,
					 .term_count = 1,
					 .terms = &term };
	struct plain_default defaults[FL_HOOKS] = { 0 };
	struct live l = live(1, 10, FL_ROLE_LISTENER, FL_STATE_LISTEN, 80);

	(void)state;
	for (__u32 hook = 0; hook < FL_HOOKS; hook++)
		defaults[hook] = (struct plain_default){ FL_PROCEED_SOFT, false, hook };
	assert_int_equal(compile(&rule, 1, defaults, &compiled), 0);
	l.attempt.known &= ~(1u << FL_DIM_PORT_IN_USE);
	check(&l, 1);
	assert_int_equal(safety.cut_count, 0);
	l.attempt.known |= 1u << FL_DIM_PORT_IN_USE;
	l.attempt.port_in_use_by_other = 1;
	check(&l, 1);
	assert_int_equal(safety.cut_count, 1);
}

static void the_caller_s_own(void **state)
{
	const struct live all[] = {
		live(1, 10, FL_ROLE_ACCEPTOR, FL_STATE_ESTABLISHED, 80),
		live(2, 800, FL_ROLE_ACCEPTOR, FL_STATE_ESTABLISHED, 22),
		live(3, 10, FL_ROLE_ACCEPTOR, FL_STATE_ESTABLISHED, 22),
		live(4, 700, FL_ROLE_LISTENER, FL_STATE_LISTEN, 22),
	};

	(void)state;
	policy_of(ALL, 80, true, FL_PROCEED_SOFT);
	check(all, 4);
	assert_int_equal(safety.cut_count, 1);
	assert_false(safety.cuts_caller);
	policy_of(1 << FL_HOOK_RECV_ACCEPT, 22, true, FL_PROCEED_SOFT);
	check(all, 4);
	assert_int_equal(safety.cut_count, 2);
	assert_true(safety.cuts_caller);
	assert_true(safety.cuts[0].callers && safety.cuts[0].live == 1);
	assert_false(safety.cuts[1].callers);
	/* the way back in */
	policy_of(1 << FL_HOOK_LISTEN, 22, true, FL_PROCEED_SOFT);
	check(all, 4);
	assert_int_equal(safety.cut_count, 1);
	assert_true(safety.cuts_caller);
}

static void defaults_cut_too(void **state)
{
	const struct live l = live(1, 900, FL_ROLE_OPENER, FL_STATE_ESTABLISHED, 5);

	(void)state;
	policy_of(0, 80, true, FL_REJECT);
	check(&l, 1);
	assert_int_equal(safety.cut_count, 1);
	assert_true(safety.cuts[0].is_default);
	assert_int_equal(safety.cuts[0].rule, FL_HOOK_CONNECT);
	assert_true(safety.cuts_caller);
}

static void audit_cuts_nothing(void **state)
{
	const struct live l = live(1, 900, FL_ROLE_OPENER, FL_STATE_ESTABLISHED, 80);

	(void)state;
	policy_of(ALL, 80, false, FL_REJECT);
	check(&l, 1);
	assert_int_equal(safety.cut_count, 0);
}

/* pid 1 and the daemon; nobody knows is not nobody. */
static void some_are_never_cut(void **state)
{
	const struct live all[] = {
		live(1, 1, FL_ROLE_LISTENER, FL_STATE_LISTEN, 80),
		live(2, DAEMON, FL_ROLE_OPENER, FL_STATE_ESTABLISHED, 80),
		live(3, 0, FL_ROLE_OPENER, FL_STATE_ESTABLISHED, 80),
	};
	struct safety_caller no_daemon = { NULL, 0, 0 };

	(void)state;
	policy_of(ALL, 80, true, FL_REJECT);
	check(all, 3);
	assert_int_equal(safety.cut_count, 1);
	assert_int_equal(safety.cuts[0].live, 2);
	safety_release(&safety);
	assert_int_equal(safety_check(compiled, all, 3, &no_daemon, &safety), 0);
	assert_int_equal(safety.cut_count, 2);
	assert_true(fl_policy_exempt(1, 0) && fl_policy_exempt(7, 7));
	assert_false(fl_policy_exempt(0, 0) || fl_policy_exempt(7, 8));
}

static void not_known_is_cut(void **state)
{
	struct live l = live(1, 10, FL_ROLE_OPENER, FL_STATE_ESTABLISHED, 5);

	(void)state;
	l.attempt.known &= ~(1u << FL_DIM_LOCAL_PORT);
	policy_of(ALL, 80, true, FL_PROCEED_SOFT);
	check(&l, 1);
	assert_int_equal(safety.cut_count, 1);
}

static void what_a_kernel_cannot_do_at_once(void **state)
{
	static const char text[] = "mode: enforce\nrules:\n"
				   "- {name: a, hooks: [listen, bind], verdict: allow}\n"
				   "- {name: b, hooks: listen, verdict: deny, mode: audit}\n"
				   "- {name: c, hooks: listen, verdict: deny, allow_async: true}\n"
				   "- {name: d, hooks: [bind, listen], verdict: deny}\n";
	static const char by_default[] = "mode: enforce\ndefault: {listen: deny}\n";
	struct policy_text one = { .name = "f", .text = text, .size = sizeof(text) - 1 };
	struct policy_error error;
	struct policy_place place;
	struct policy *policy;
	enum fl_hook hook;

	(void)state;
	assert_int_equal(policy_parse(&one, 1, &policy, &error), 0);
	assert_int_equal(safety_enforceable(policy, ALL, &place, &hook), 0);
	assert_int_equal(safety_enforceable(policy, ALL & ~(1u << FL_HOOK_LISTEN), &place, &hook),
			 -ENOTSUP);
	assert_int_equal(place.line, 6);
	assert_int_equal(hook, FL_HOOK_LISTEN);
	policy_free(policy);
	one = (struct policy_text){ .name = "f",
				    .text = by_default,
				    .size = sizeof(by_default) - 1 };
	assert_int_equal(policy_parse(&one, 1, &policy, &error), 0);
	assert_int_equal(safety_enforceable(policy, 0, &place, &hook), -ENOTSUP);
	assert_int_equal(place.line, 2);
	policy_free(policy);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, teardown)
	const struct CMUnitTest tests[] = {
		TEST(each_role_came_by_its_hooks),
		TEST(an_interface_is_not_remembered),
		TEST(a_port_in_use_is_not_remembered),
		TEST(the_caller_s_own),
		TEST(defaults_cut_too),
		TEST(audit_cuts_nothing),
		TEST(some_are_never_cut),
		TEST(not_known_is_cut),
		TEST(what_a_kernel_cannot_do_at_once),
	};

	return cmocka_run_group_tests_name("safety", tests, NULL, NULL);
}
