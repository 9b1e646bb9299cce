/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A policy edited: what is added, what is taken out, what has had its time. The rules that stay
 * keep their order, mode and place, whatever comes and goes around them.
 */
#include "policy/policyedit.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BASE                                                                                       \
	"default: {listen: reject}\nmode: enforce\nrules:\n"                                       \
	"- {name: a, hooks: bind, verdict: deny}\n- {name: b, hooks: bind, verdict: deny}\n"

/* The policy as it is after each step, and the edits that its texts come from. */
#define STEPS 8
static struct policyedit edits[STEPS];
static struct policy *policy;
static struct policy_text base;
static const struct policy_text *texts;
static size_t text_count, steps;
static struct policy_error error;

static void read_again(void)
{
	char line[1024];

	policy_free(policy);
	policy = NULL;
	if (text_count && policy_parse(texts, text_count, &policy, &error))
		fail_msg("%s", policy_error_format(&error, line, sizeof(line)));
}

static void begin_with(const char *text)
{
	base = (struct policy_text){ .name = "base", .text = text, .size = strlen(text) };
	texts = &base;
	text_count = *text ? 1 : 0;
	steps = 0;
	read_again();
}

static void take(void)
{
	texts = edits[steps].texts;
	text_count = edits[steps++].count;
	assert_true(steps < STEPS);
	read_again();
}

static int end(void **state)
{
	(void)state;
	policy_free(policy);
	policy = NULL;
	while (steps)
		policyedit_release(&edits[--steps]);
	return 0;
}

static int add_until(const char *name, const char *text, __u64 ends_ns)
{
	const struct policy_text document = {
		.name = name, .text = text, .size = strlen(text), .ends_ns = ends_ns
	};
	int r = policyedit_add(policy, texts, text_count, &document, &edits[steps], &error);

	if (!r)
		take();
	return r;
}

static int add(const char *name, const char *text)
{
	return add_until(name, text, 0);
}

static int take_out(const char *name)
{
	int r = policyedit_delete(policy, texts, text_count, name, &edits[steps]);

	if (!r)
		take();
	return r;
}

static void expire(__u64 now_ns)
{
	assert_int_equal(policyedit_expire(texts, text_count, now_ns, &edits[steps]), 0);
	take();
}

/* NAME of each rule, and ! when it is enforced. */
static void rules_are(const char *wanted)
{
	char got[256] = "";
	size_t used = 0;

	for (size_t i = 0; policy && i < policy->rule_count; i++)
		used += (size_t)snprintf(got + used, sizeof(got) - used, "%s%s%s", i ? " " : "",
					 policy->rules[i].name,
					 policy->rules[i].enforced ? "!" : "");
	assert_string_equal(got, wanted);
}

static void error_is(const char *place, const char *about)
{
	char line[1024];

	policy_error_format(&error, line, sizeof(line));
	if (strncmp(line, place, strlen(place)) != 0 || !strstr(line, about))
		fail_msg("%s", line);
}

#define DENY(name) "rules: [{name: " name ", hooks: connect, verdict: deny}]"

static void what_is_added_comes_first(void **state)
{
	(void)state;
	begin_with(BASE);
	assert_int_equal(add("x", DENY("x")), 0);
	rules_are("x! a! b!");
	assert_int_equal(add("two", "rules:\n- {name: y, hooks: bind, verdict: allow}\n"
				    "- {name: z, hooks: bind, verdict: allow}\n"),
			 0);
	rules_are("y! z! x! a! b!");
	assert_string_equal(policy->rules[1].place.file, "two");
	assert_int_equal(policy->rules[1].place.line, 3);
	assert_int_equal(policy->rules[1].text, 2);
	assert_int_equal(policy->rules[4].place.line, 5);
	assert_int_equal(policy->hooks,
			 1u << FL_HOOK_BIND | 1u << FL_HOOK_CONNECT | 1u << FL_HOOK_LISTEN);
}

/* Nobody else's rule changes its mode by it. */
static void a_mode_that_is_added_is_that_of_its_rules(void **state)
{
	(void)state;
	begin_with(BASE);
	assert_int_equal(add("x", "mode: audit\n" DENY("x")), 0);
	rules_are("x a! b!");
	assert_true(policy->enforced && policy->defaults[FL_HOOK_LISTEN].enforced);
	end(NULL);
	begin_with("rules: [{name: a, hooks: bind, verdict: deny}]");
	assert_int_equal(add("x", "mode: enforce\n" DENY("x")), 0);
	assert_int_equal(add("y", DENY("y")), 0);
	rules_are("y x! a");
	assert_false(policy->enforced);
}

static void rules_without_a_policy_are_one(void **state)
{
	(void)state;
	begin_with("");
	assert_int_equal(add("x", "mode: enforce\n" DENY("x")), 0);
	assert_int_equal(add("y", DENY("y")), 0);
	rules_are("y x!");
	assert_int_equal(take_out("x"), 0);
	rules_are("y");
	assert_int_equal(take_out("y"), 0);
	assert_int_equal(text_count, 0);
}

static void what_cannot_be_added_is_refused(void **state)
{
	(void)state;
	begin_with(BASE);
	assert_int_equal(add("x", "rules: [{name: x,\n hooks: bind, verdict: no}]"), -EINVAL);
	error_is("x:2:", "not a verdict");
	assert_int_equal(add("x", "rules: ["), -EINVAL);
	error_is("x:", "");
	assert_int_equal(add("x", "default: {listen: allow}\n" DENY("x")), -EINVAL);
	error_is("x:1:19: ", "no default");
	assert_int_equal(add("x", "mode: audit\n"), -EINVAL);
	error_is("x: ", "no rule");
	assert_int_equal(add("x", ""), -EINVAL);
	assert_int_equal(add("x", "rules:\n- {name: x, hooks: bind, verdict: deny}\n"
				  "- {name: b, hooks: bind, verdict: deny}"),
			 -EEXIST);
	error_is("x:3:3: ", "'b' is already that of the rule in base:5");
	rules_are("a! b!");
	assert_int_equal(steps, 0);
}

static void there_are_no_more_rules_than_there_may_be(void **state)
{
	char *text, *p;

	(void)state;
#ifdef __SANITIZE_ADDRESS__ /* copies all rules at each realloc() of libcyaml: minutes */
	skip();
#endif
	text = p = calloc(FL_RULES_MAX, 64);
	assert_non_null(text);
	p += sprintf(p, "rules:\n");
	for (int i = 0; i < FL_RULES_MAX - 1; i++)
		p += sprintf(p, "- {name: r%d, hooks: bind, verdict: deny}\n", i);
	begin_with(text);
	assert_int_equal(add("x", DENY("x")), 0);
	assert_int_equal(add("y", DENY("y")), -E2BIG);
	error_is("y:1:9: ", "1024");
	assert_int_equal(take_out("r7"), 0);
	assert_int_equal(add("y", DENY("y")), 0);
	free(text);
}

static void a_rule_that_is_taken_out_leaves_the_others(void **state)
{
	(void)state;
	begin_with(BASE);
	assert_int_equal(take_out("c"), -ENOENT);
	assert_int_equal(take_out("a"), 0);
	rules_are("b!");
	assert_int_equal(policy->rules[0].place.line, 5);
	assert_int_equal(take_out("a"), -ENOENT);
	assert_int_equal(add("x", DENY("a")), 0); /* its name is free again */
	rules_are("a! b!");
	assert_string_equal(policy->rules[0].place.file, "x");
	assert_int_equal(take_out("a"), 0);
	assert_int_equal(text_count, 1); /* what was added went with its last rule */
	assert_int_equal(take_out("b"), 0);
	rules_are("");
	assert_int_equal(text_count, 1); /* what was loaded has a default yet */
	assert_int_equal(policy->defaults[FL_HOOK_LISTEN].verdict, FL_REJECT);
}

static void a_name_in_another_is_another(void **state)
{
	(void)state;
	begin_with("rules:\n- {name: ab, hooks: bind, verdict: deny}\n"
		   "- {name: b, hooks: bind, verdict: deny}\n"
		   "- {name: a b, hooks: bind, verdict: deny}\n");
	assert_int_equal(take_out("ab"), 0);
	rules_are("b a b");
	assert_int_equal(take_out("a b"), 0);
	rules_are("b");
}

static void what_has_had_its_time_goes(void **state)
{
	(void)state;
	begin_with(BASE);
	assert_int_equal(policyedit_next_end(texts, text_count), 0);
	assert_int_equal(add_until("x", DENY("x"), 300), 0);
	assert_int_equal(add_until("y", DENY("y"), 200), 0);
	assert_int_equal(add("z", DENY("z")), 0);
	assert_int_equal(policyedit_next_end(texts, text_count), 200);
	expire(199);
	rules_are("z! y! x! a! b!");
	expire(200);
	rules_are("z! x! a! b!");
	assert_int_equal(policyedit_next_end(texts, text_count), 300);
	expire(~0ull);
	rules_are("z! a! b!");
	assert_int_equal(policyedit_next_end(texts, text_count), 0);
}

int main(void)
{
#define T(test) cmocka_unit_test_teardown(test, end)
	const struct CMUnitTest tests[] = {
		T(what_is_added_comes_first),
		T(a_mode_that_is_added_is_that_of_its_rules),
		T(rules_without_a_policy_are_one),
		T(what_cannot_be_added_is_refused),
		T(there_are_no_more_rules_than_there_may_be),
		T(a_rule_that_is_taken_out_leaves_the_others),
		T(a_name_in_another_is_another),
		T(what_has_had_its_time_goes),
	};

	return cmocka_run_group_tests_name("policyedit", tests, NULL, NULL);
}
