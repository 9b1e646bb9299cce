/* SPDX-License-Identifier: BSD-2-Clause */
/* What is told of verdicts, and when; what is only counted. */
#include "policy/verdicts.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define S 1000000000ull

static struct verdicts *verdicts;
static struct verdict told[4096];
static size_t told_count;

static void tell(void *arg, const struct verdict *v)
{
	(void)arg;
	if (told_count < sizeof(told) / sizeof(told[0]))
		told[told_count] = *v;
	told_count++;
}

static int begin(void **state)
{
	(void)state;
	told_count = 0;
	return verdicts_new(tell, NULL, &verdicts);
}

static int end(void **state)
{
	(void)state;
	verdicts_free(verdicts);
	return 0;
}

/* A connect() of one process to port 443 of one host, rejected by rule 7. */
static struct fl_verdict_event rejected(__u64 time_ns)
{
	struct fl_verdict_event e = { .time_ns = time_ns };

	e.attempt.hook = FL_HOOK_CONNECT;
	e.attempt.owner.proc = (struct fl_proc_key){ .start_ns = 5, .pid = 100, .exec_id = 1 };
	e.attempt.key.remote.b[15] = 9;
	e.attempt.key.remote_port = 443;
	e.attempt.key.local_port = 40000;
	e.attempt.key.proto = FL_TCP;
	e.said.generation = 3;
	e.said.tag = 7;
	e.said.verdict = FL_REJECT;
	e.said.audit_verdict = FL_PROCEED_SOFT;
	e.said.flags = FL_VERDICT_ENFORCED;
	return e;
}

static void take(struct fl_verdict_event e)
{
	verdicts_take(verdicts, &e);
}

static void the_first_is_told_at_once(void **state)
{
	(void)state;
	take(rejected(100 * S));
	assert_int_equal(told_count, 1);
	assert_int_equal(told[0].count, 1);
	assert_int_equal(told[0].tag, 7);
	assert_true(told[0].enforced);
	assert_int_equal(told[0].verdict, FL_REJECT);
}

static void the_same_is_joined_for_ten_seconds(void **state)
{
	struct fl_verdict_event e = rejected(101 * S);

	(void)state;
	take(rejected(100 * S));
	take(e);
	e.attempt.key.local_port = 40001; /* the next try has another port */
	take(e);
	verdicts_expire(verdicts, 109 * S);
	assert_int_equal(told_count, 1);
	verdicts_expire(verdicts, 110 * S);
	assert_int_equal(told_count, 2);
	assert_int_equal(told[1].count, 2);
	take(rejected(111 * S));
	assert_int_equal(told_count, 2); /* a window begins with each telling */
	verdicts_expire(verdicts, 120 * S);
	assert_int_equal(told_count, 3);
	assert_int_equal(told[2].count, 1);
	verdicts_expire(verdicts, 130 * S);
	take(rejected(131 * S));
	assert_int_equal(told_count, 4);
}

/* Soft, and yet told: where it went is not where it was to go. */
static void a_redirect_is_told(void **state)
{
	struct fl_verdict_event e = rejected(100 * S);

	(void)state;
	e.said.verdict = FL_PROCEED_SOFT;
	take(e);
	assert_int_equal(told_count, 0);
	e.said.flags |= FL_VERDICT_REDIRECTS;
	take(e);
	assert_int_equal(told_count, 1);
	assert_true(told[0].redirected);
	assert_true(told[0].enforced);
	e.said.flags = FL_VERDICT_AUDITED | FL_VERDICT_AUDIT_REDIRECTS;
	e.said.audit_tag = 8;
	take(e);
	assert_int_equal(told_count, 2);
	assert_true(told[1].redirected);
	assert_false(told[1].enforced);
	assert_int_equal(told[1].tag, 8);
	assert_int_equal(verdicts_redirected(verdicts, FL_HOOK_CONNECT, true), 1);
	assert_int_equal(verdicts_redirected(verdicts, FL_HOOK_CONNECT, false), 1);
	assert_int_equal(verdicts_counted(verdicts, FL_HOOK_CONNECT, FL_PROCEED_SOFT, true), 0);
}

static void without_a_timer_the_next_one_tells(void **state)
{
	(void)state;
	take(rejected(100 * S));
	take(rejected(105 * S));
	take(rejected(110 * S));
	assert_int_equal(told_count, 2);
	assert_int_equal(told[1].count, 2);
}

static void another_is_not_joined(void **state)
{
	struct fl_verdict_event e = rejected(100 * S);

	(void)state;
	take(e);
	e.attempt.key.remote_port = 80;
	take(e);
	e.attempt.key.remote.b[15] = 10;
	take(e);
	e.attempt.owner.proc.exec_id = 2; /* another image */
	take(e);
	e.said.tag = 8;
	take(e);
	e.said.generation = 4;
	take(e);
	e.attempt.key.netns_cookie = 5;
	take(e);
	e.attempt.key.proto = FL_UDP;
	take(e);
	e.attempt.hook = FL_HOOK_BIND;
	take(e);
	assert_int_equal(told_count, 9);
}

static void a_live_session_is_not_an_attempt(void **state)
{
	struct fl_verdict_event e = rejected(100 * S);

	(void)state;
	take(e);
	assert_false(told[0].again);
	e.attempt.known |= FL_KNOWN_AGAIN;
	take(e);
	assert_int_equal(told_count, 2);
	assert_true(told[1].again);
}

/* Who knocks comes from another port each time. */
static void those_who_want_in_are_joined_by_address(void **state)
{
	struct fl_verdict_event e = rejected(100 * S);

	(void)state;
	e.attempt.hook = FL_HOOK_RECV_ACCEPT;
	e.attempt.key.local_port = 22;
	for (__u16 port = 1; port <= 100; port++) {
		e.attempt.key.remote_port = port;
		take(e);
	}
	assert_int_equal(told_count, 1);
	e.attempt.key.local_port = 23;
	take(e);
	assert_int_equal(told_count, 2);
}

static void a_rule_in_audit_is_told_beside_what_was_enforced(void **state)
{
	struct fl_verdict_event e = rejected(100 * S);

	(void)state;
	e.said.verdict = FL_PROCEED_HARD;
	e.said.audit_verdict = FL_REJECT;
	e.said.audit_tag = 2;
	e.said.flags |= FL_VERDICT_AUDITED;
	take(e);
	assert_int_equal(told_count, 2);
	assert_int_equal(told[0].verdict, FL_PROCEED_HARD);
	assert_true(told[0].enforced);
	assert_int_equal(told[1].verdict, FL_REJECT);
	assert_int_equal(told[1].tag, 2);
	assert_false(told[1].enforced);
	assert_int_equal(verdicts_counted(verdicts, FL_HOOK_CONNECT, FL_REJECT, false), 1);
	assert_int_equal(verdicts_counted(verdicts, FL_HOOK_CONNECT, FL_REJECT, true), 0);
	assert_int_equal(verdicts_counted(verdicts, FL_HOOK_CONNECT, FL_PROCEED_HARD, true), 1);
}

static void what_could_not_be_judged_has_no_rule(void **state)
{
	struct fl_verdict_event e = rejected(100 * S);

	(void)state;
	e.said.flags = FL_VERDICT_FAILED;
	take(e);
	e.said.verdict = FL_PROCEED_SOFT; /* not fail closed: it went through */
	take(e);
	assert_int_equal(told_count, 2);
	assert_true(told[0].failed && told[0].enforced);
	assert_true(told[1].failed && !told[1].enforced);
	assert_int_equal(told[0].generation, 0);
}

static void a_number_that_is_no_verdict_is_a_reject(void **state)
{
	struct fl_verdict_event e = rejected(100 * S);

	(void)state;
	e.said.verdict = 77;
	take(e);
	assert_int_equal(told[0].verdict, FL_REJECT);
	e.attempt.hook = FL_HOOKS; /* and no hook is nothing */
	take(e);
	assert_int_equal(told_count, 1);
}

/* Each of more than the table can hold: nothing is lost, all of them are told in the end. */
static void a_flood_is_told_in_full(void **state)
{
	struct fl_verdict_event e = rejected(100 * S);
	__u64 sum = 0;

	(void)state;
	for (int round = 0; round < 2; round++) {
		for (__u32 i = 0; i < 5000; i++) {
			memcpy(e.attempt.key.remote.b + 12, &i, sizeof(i));
			e.time_ns++;
			take(e);
		}
	}
	verdicts_flush(verdicts);
	assert_true(told_count >= 5000);
	assert_int_equal(verdicts_counted(verdicts, FL_HOOK_CONNECT, FL_REJECT, true), 10000);
	told_count = 0;
	for (__u32 i = 0; i < 1000; i++) {
		memcpy(e.attempt.key.remote.b + 12, &(__u32){ i % 50 }, sizeof(i));
		e.time_ns++;
		take(e);
	}
	verdicts_flush(verdicts);
	assert_true(told_count <= 100);
	for (size_t i = 0; i < told_count; i++)
		sum += told[i].count;
	assert_int_equal(sum, 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_first_is_told_at_once, begin, end),
		cmocka_unit_test_setup_teardown(the_same_is_joined_for_ten_seconds, begin, end),
		cmocka_unit_test_setup_teardown(without_a_timer_the_next_one_tells, begin, end),
		cmocka_unit_test_setup_teardown(a_redirect_is_told, begin, end),
		cmocka_unit_test_setup_teardown(another_is_not_joined, begin, end),
		cmocka_unit_test_setup_teardown(a_live_session_is_not_an_attempt, begin, end),
		cmocka_unit_test_setup_teardown(those_who_want_in_are_joined_by_address, begin,
						end),
		cmocka_unit_test_setup_teardown(a_rule_in_audit_is_told_beside_what_was_enforced,
						begin, end),
		cmocka_unit_test_setup_teardown(what_could_not_be_judged_has_no_rule, begin, end),
		cmocka_unit_test_setup_teardown(a_number_that_is_no_verdict_is_a_reject, begin,
						end),
		cmocka_unit_test_setup_teardown(a_flood_is_told_in_full, begin, end),
	};

	return cmocka_run_group_tests_name("verdicts", tests, NULL, NULL);
}
