/* SPDX-License-Identifier: BSD-2-Clause */
/* The compiled tables against the rules read one by one: random policies, and corners by hand. */
#include "policy/compile.h"
#include "random_policy.h"
#include "whole_set.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define ATTEMPTS 4000
#define ATTEMPTS_AT_MANY 1000 /* rules, which are read one by one */

static const struct plain_default soft[FL_HOOKS] = {
	{ FL_PROCEED_SOFT, true, 0 }, { FL_PROCEED_SOFT, true, 0 }, { FL_PROCEED_SOFT, true, 0 },
	{ FL_PROCEED_SOFT, true, 0 }, { FL_PROCEED_SOFT, true, 0 },
};

static struct random_policy policy;

static int tag_of(const struct compiled *c, __u32 rule)
{
	return rule == FL_NO_RULE ? -1 : (int)c->rules[rule].tag;
}

static void agree(size_t rules, uint64_t seed)
{
	struct compiled *c = NULL;

	random_policy(&policy, seed, rules);
	assert_int_equal(compile(policy.plain, rules, policy.defaults, &c), 0);
	for (int i = 0; i < (rules > 2000 ? ATTEMPTS_AT_MANY : ATTEMPTS); i++) {
		struct fl_attempt a;
		struct fl_judgement j;
		int decides, audited;

		random_attempt(&policy, &a);
		says_policy(&policy, &a, &decides, &audited);
		j = compiled_judge(c, &a);
		assert_int_equal(tag_of(c, j.rule), decides);
		assert_int_equal(tag_of(c, j.audited), audited);
		for (size_t k = 0; k < 4; k++) {
			const struct random_rule *r = &policy.rules[rnd(&policy, (uint32_t)rules)];

			assert_int_equal(plain_rule_matches(&r->rule, &a), says_rule(r, &a));
		}
	}
	compiled_free(c);
}

static void random_policies_agree(void **state)
{
	static const size_t sizes[] = { 1, 2, 7, 63, 64, 65, 200, 1024, 1025, 10000 };

	(void)state;
	for (uint64_t seed = 1; seed <= 3; seed++) {
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
			agree(sizes[i], seed * 100 + i);
	}
}

/* --- corners --- */

static struct fl_attempt attempt(enum fl_hook hook)
{
	return (struct fl_attempt){ .hook = hook,
				    .key = { .proto = FL_TCP },
				    .known = (1u << FL_DIMS) - 1 };
}

static __u32 rule_for(const struct plain_rule *rules, size_t count, const struct fl_attempt *a)
{
	struct compiled *c;
	__u32 rule;

	assert_int_equal(compile(rules, count, soft, &c), 0);
	rule = compiled_judge(c, a).rule;
	rule = rule == FL_NO_RULE ? rule : (__u32)c->rules[rule].tag;
	compiled_free(c);
	return rule;
}

static void an_empty_policy_says_nothing(void **state)
{
	struct fl_attempt a = attempt(FL_HOOK_LISTEN);

	(void)state;
	assert_int_equal(rule_for(NULL, 0, &a), FL_NO_RULE);
}

static void a_rule_without_attributes_is_for_all(void **state)
{
	const struct plain_rule rule = {
		.hooks = 1 << FL_HOOK_LISTEN, .tcp = true, .enforced = true, .tag = 9
	};
	struct fl_attempt a = attempt(FL_HOOK_LISTEN);

	(void)state;
	assert_int_equal(rule_for(&rule, 1, &a), 9);
	a.known = 0;
	assert_int_equal(rule_for(&rule, 1, &a), 9);
	a.key.proto = FL_UDP;
	assert_int_equal(rule_for(&rule, 1, &a), FL_NO_RULE);
	a = attempt(FL_HOOK_BIND);
	assert_int_equal(rule_for(&rule, 1, &a), FL_NO_RULE);
}

static void what_is_asked_for_at_a_hook(void **state)
{
	struct term_value value = { .id = { 1 } };
	struct term exe = { FL_DIM_EXE, false, 1, &value }, uid = { FL_DIM_UID, true, 1, &value };
	const struct plain_rule rules[] = {
		{ .hooks = 1 << FL_HOOK_BIND, .tcp = true, .term_count = 1, .terms = &exe },
		{ .hooks = 1 << FL_HOOK_BIND | 1 << FL_HOOK_CONNECT,
		  .tcp = true,
		  .udp = true,
		  .term_count = 1,
		  .terms = &uid },
	};
	struct compiled *c;

	(void)state;
	assert_int_equal(compile(rules, 2, soft, &c), 0);
	for (__u32 hook = 0; hook < FL_HOOKS; hook++) {
		bool bind = hook == FL_HOOK_BIND, connect = hook == FL_HOOK_CONNECT;
		__u32 both = bind || connect ? 1 << FL_DIM_UID : 0;

		assert_int_equal(c->policy.asked[FL_HOOK_INDEX(hook, FL_UDP)], both);
		assert_int_equal(c->policy.asked[FL_HOOK_INDEX(hook, FL_TCP)],
				 both | (bind ? 1 << FL_DIM_EXE : 0));
	}
	compiled_free(c);
}

static void ports_at_the_very_ends(void **state)
{
	struct term_value values[] = { { .first = 0, .last = 0 },
				       { .first = 65535, .last = 65535 },
				       { .first = 80, .last = 90 },
				       { .first = 85, .last = 100 } };
	struct term term = { FL_DIM_LOCAL_PORT, false, 4, values };
	struct plain_rule rule = {
		.hooks = 1, .tcp = true, .enforced = true, .tag = 1, .term_count = 1, .terms = &term
	};
	static const struct {
		__u16 port;
		bool in;
	} cases[] = {
		{ 0, true },  { 1, false },  { 79, false },  { 80, true },     { 90, true },
		{ 91, true }, { 100, true }, { 101, false }, { 65534, false }, { 65535, true }
	};

	(void)state;
	for (int negated = 0; negated < 2; negated++) {
		term.negated = negated;
		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
			struct fl_attempt a = attempt(FL_HOOK_BIND);

			a.key.local_port = cases[i].port;
			assert_int_equal(rule_for(&rule, 1, &a) == 1, cases[i].in != negated);
		}
	}
}

static struct fl_addr v4(__u8 a, __u8 b, __u8 c, __u8 d)
{
	return (struct fl_addr){ { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d } };
}

/* 0.0.0.0/0 is every IPv4 address, ::/0 holds those too; a hole in a prefix in a prefix. */
static void prefixes_in_prefixes(void **state)
{
	struct term_value wide = { .addr = v4(10, 0, 0, 0), .bits = 96 + 8 };
	struct term_value hole = { .addr = v4(10, 1, 0, 0), .bits = 96 + 16 };
	struct term_value all4 = { .addr = v4(0, 0, 0, 0), .bits = 96 };
	struct term terms[] = { { FL_DIM_REMOTE_ADDR, false, 1, &wide },
				{ FL_DIM_REMOTE_ADDR, true, 1, &hole },
				{ FL_DIM_REMOTE_ADDR, false, 1, &all4 } };
	const struct plain_rule rules[] = {
		{ .hooks = 1,
		  .tcp = true,
		  .enforced = true,
		  .tag = 1,
		  .term_count = 2,
		  .terms = terms },
		{ .hooks = 1,
		  .tcp = true,
		  .enforced = true,
		  .tag = 2,
		  .term_count = 1,
		  .terms = &terms[2] },
	};
	struct fl_attempt a = attempt(FL_HOOK_BIND);

	(void)state;
	a.key.remote = v4(10, 2, 3, 4);
	assert_int_equal(rule_for(rules, 2, &a), 1);
	a.key.remote = v4(10, 1, 3, 4);
	assert_int_equal(rule_for(rules, 2, &a), 2);
	a.key.remote = v4(11, 1, 3, 4);
	assert_int_equal(rule_for(rules, 2, &a), 2);
	a.key.remote = (struct fl_addr){ { 0xfd } };
	assert_int_equal(rule_for(rules, 2, &a), FL_NO_RULE);
}

static void a_namespace_comes_before_all(void **state)
{
	struct term_value id = { .id = { 77, 0 } };
	struct term term = { FL_DIM_NETNS, false, 1, &id };
	const struct plain_rule rules[] = {
		{ .hooks = 1, .tcp = true, .enforced = true, .tag = 1 },
		{ .hooks = 1,
		  .tcp = true,
		  .enforced = true,
		  .tag = 2,
		  .term_count = 1,
		  .terms = &term },
	};
	struct fl_attempt a = attempt(FL_HOOK_BIND);

	(void)state;
	a.key.netns_cookie = 77;
	assert_int_equal(rule_for(rules, 2, &a), 2);
	a.key.netns_cookie = 78;
	assert_int_equal(rule_for(rules, 2, &a), 1);
}

/* An interface's number means something in one namespace only: that is no reason to go first. */
static void an_implied_namespace_keeps_the_order(void **state)
{
	struct term_value id = { .id = { 77, 0 } };
	struct term term = { FL_DIM_NETNS, false, 1, &id };
	const struct plain_rule rules[] = {
		{ .hooks = 1, .tcp = true, .enforced = true, .tag = 1 },
		{ .hooks = 1,
		  .tcp = true,
		  .enforced = true,
		  .here = true,
		  .tag = 2,
		  .term_count = 1,
		  .terms = &term },
	};
	struct fl_attempt a = attempt(FL_HOOK_BIND);

	(void)state;
	a.key.netns_cookie = 77;
	assert_int_equal(rule_for(rules, 2, &a), 1);
}

/* A name that stands for nothing: its dimension is asked for, or nobody would know that. */
static void no_value_is_no_match(void **state)
{
	struct term term = { FL_DIM_EXE, false, 0, NULL };
	const struct plain_rule rule = {
		.hooks = 1, .tcp = true, .enforced = true, .tag = 1, .term_count = 1, .terms = &term
	};
	struct fl_attempt a = attempt(FL_HOOK_BIND);
	struct compiled *c;

	(void)state;
	assert_int_equal(rule_for(&rule, 1, &a), FL_NO_RULE);
	term.negated = true;
	assert_int_equal(rule_for(&rule, 1, &a), 1);
	assert_int_equal(compile(&rule, 1, soft, &c), 0);
	assert_true(c->policy.wanted >> FL_DIM_EXE & 1);
	compiled_free(c);
	term.dimension = FL_DIM_LOCAL_PORT;
	assert_int_equal(rule_for(&rule, 1, &a), 1);
}

/* A value that comes later is what it would have been from the beginning. */
static void values_that_come_later(void **state)
{
	struct compiled *c = NULL, *later = NULL;

	(void)state;
	random_policy(&policy, 77, 200);
	assert_int_equal(compile(policy.plain, 200, policy.defaults, &c), 0);
	for (size_t i = 0; i < c->entry_count; i++) {
		const struct compiled_entry *e = &c->entries[i];
		struct term_value v = { 0 };
		bool is_new = true;
		__u32 class;

		memcpy(v.id, e->key.id, sizeof(v.id));
		assert_int_equal(
			compiled_classify(c, policy.plain, e->key.dimension, &v, &class, &is_new),
			0);
		assert_int_equal(class, e->class);
		assert_false(is_new);
	}
	for (size_t i = 0; i < 200; i++)
		policy.rules[i].values[0][0].id[0] = 1000 + i % 7;
	assert_int_equal(compile(policy.plain, 200, policy.defaults, &later), 0);
	for (size_t i = 0; i < later->entry_count; i++) {
		const struct compiled_entry *e = &later->entries[i];
		struct whole_set got, want;
		struct term_value v = { 0 };
		bool is_new;
		__u32 class;

		memcpy(v.id, e->key.id, sizeof(v.id));
		assert_int_equal(
			compiled_classify(c, policy.plain, e->key.dimension, &v, &class, &is_new),
			0);
		got = whole_set(c, class);
		want = whole_set(later, e->class);
		assert_memory_equal(&got, &want, sizeof(got));
	}
	compiled_free(later);
	compiled_free(c);
}

/* What is not known permits nothing and is rejected by whoever rejects any value. */
static void not_known_is_the_stricter(void **state)
{
	struct term_value id = { .id = { 5, 1 } };
	struct term term = { FL_DIM_EXE, false, 1, &id };
	struct plain_rule rules[] = {
		{ .hooks = 1,
		  .tcp = true,
		  .enforced = true,
		  .verdict = FL_PROCEED_SOFT,
		  .tag = 1,
		  .term_count = 1,
		  .terms = &term },
		{ .hooks = 1,
		  .tcp = true,
		  .enforced = true,
		  .verdict = FL_REJECT,
		  .tag = 2,
		  .term_count = 1,
		  .terms = &term },
	};
	struct fl_attempt a = attempt(FL_HOOK_BIND);

	(void)state;
	a.exe = (struct fl_file){ .inode = 5, .dev = 1 };
	assert_int_equal(rule_for(rules, 2, &a), 1);
	a.known &= ~(1u << FL_DIM_EXE);
	assert_int_equal(rule_for(rules, 2, &a), 2);
	term.negated = true;
	assert_int_equal(rule_for(rules, 2, &a), 2);
}

static void too_many(void **state)
{
	struct compiled *c;

	(void)state;
	assert_int_equal(compile(policy.plain, FL_RULES_MAX + 1, soft, &c), -E2BIG);
}

/*
 * Every rule has a value of its own in four dimensions, and in none of them the others are the
 * same: more classes than there may be. The same without the last dimension is a policy.
 */
static void too_many_classes(void **state)
{
	static const enum fl_dimension of[] = { FL_DIM_UID, FL_DIM_GID, FL_DIM_CGROUP,
						FL_DIM_INTERFACE };
	enum { RULES = 10000, KINDS = 4 };
	struct plain_rule *rules = calloc(RULES + KINDS, sizeof(*rules));
	struct term *terms = calloc((RULES + KINDS) * KINDS, sizeof(*terms));
	struct term_value *values = calloc(RULES + KINDS, sizeof(*values));
	struct compiled *c;

	(void)state;
	assert_true(rules && terms && values);
	for (size_t i = 0; i < RULES + KINDS; i++) {
		bool alone = i < KINDS; /* names one of the dimensions only */

		values[i].id[0] = i;
		rules[i] = (struct plain_rule){ .hooks = 1,
						.tcp = true,
						.enforced = true,
						.term_count = alone ? 1 : KINDS,
						.terms = &terms[i * KINDS] };
		for (size_t t = 0; t < KINDS; t++)
			rules[i].terms[t] = (struct term){ of[alone ? i : t], false, 1,
							   &values[i] };
	}
	assert_int_equal(compile(rules, RULES + KINDS, soft, &c), -E2BIG);
	for (size_t i = KINDS; i < RULES + KINDS; i++)
		rules[i].term_count = KINDS - 1;
	assert_int_equal(compile(rules, RULES + KINDS, soft, &c), 0);
	assert_true(c->classes.count > 3 * RULES);
	compiled_free(c);
	free(values);
	free(terms);
	free(rules);
}

/* Two limits of one policy, at their borders; where nothing is known it is taken for too many. */
static void limits(void **state)
{
	static struct term_value three = { .first = 3, .last = 65535 },
				 most = { .first = FL_LISTENERS_MAX, .last = 65535 };
	static struct term of_process = { FL_DIM_LISTENERS + FL_PER_PROCESS, false, 1, &three },
			   of_exe = { FL_DIM_LISTENERS + FL_PER_EXE, false, 1, &most };
	const struct plain_rule rules[] = {
		{ .hooks = 1u << FL_HOOK_LISTEN,
		  .tcp = true,
		  .enforced = true,
		  .verdict = FL_REJECT,
		  .tag = 0,
		  .term_count = 1,
		  .terms = &of_process },
		{ .hooks = 1u << FL_HOOK_LISTEN,
		  .tcp = true,
		  .enforced = true,
		  .verdict = FL_REJECT,
		  .tag = 1,
		  .term_count = 1,
		  .terms = &of_exe },
	};
	static const struct {
		__u32 process, exe;
		int decides;
	} cases[] = {
		{ 0, 0, -1 },	    { 2, FL_LISTENERS_MAX - 1, -1 },
		{ 3, 0, 0 },	    { 2, FL_LISTENERS_MAX, 1 },
		{ 2, 1u << 31, 1 }, { 1u << 31, 1u << 31, 0 },
	};
	struct fl_attempt a = { .hook = FL_HOOK_LISTEN,
				.key.proto = FL_TCP,
				.known = (1u << FL_DIM_HOOK) | FL_KNOWS_LISTENERS };
	struct compiled *c = NULL;

	(void)state;
	assert_int_equal(compile(rules, 2, soft, &c), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		a.listeners[FL_PER_PROCESS] = cases[i].process;
		a.listeners[FL_PER_EXE] = cases[i].exe;
		a.listeners[FL_PER_USER] = a.listeners[FL_PER_CGROUP] = FL_LISTENERS_MAX;
		assert_int_equal(tag_of(c, compiled_judge(c, &a).rule), cases[i].decides);
	}
	a.listeners[FL_PER_PROCESS] = a.listeners[FL_PER_EXE] = 0;
	a.known &= ~(1u << (FL_DIM_LISTENERS + FL_PER_EXE));
	assert_int_equal(tag_of(c, compiled_judge(c, &a).rule), 1);
	assert_int_equal(c->policy.asked[FL_HOOK_INDEX(FL_HOOK_LISTEN, FL_TCP)],
			 1u << (FL_DIM_LISTENERS + FL_PER_PROCESS) |
				 1u << (FL_DIM_LISTENERS + FL_PER_EXE));
	compiled_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_policies_agree),
		cmocka_unit_test(limits),
		cmocka_unit_test(an_empty_policy_says_nothing),
		cmocka_unit_test(a_rule_without_attributes_is_for_all),
		cmocka_unit_test(what_is_asked_for_at_a_hook),
		cmocka_unit_test(ports_at_the_very_ends),
		cmocka_unit_test(prefixes_in_prefixes),
		cmocka_unit_test(a_namespace_comes_before_all),
		cmocka_unit_test(an_implied_namespace_keeps_the_order),
		cmocka_unit_test(no_value_is_no_match),
		cmocka_unit_test(values_that_come_later),
		cmocka_unit_test(not_known_is_the_stricter),
		cmocka_unit_test(too_many),
		cmocka_unit_test(too_many_classes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
