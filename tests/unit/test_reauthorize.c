/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which live flows are judged again, when, and which are cut for it. The verdict is the test's own;
 * no rule asks for an interface, so no kernel is asked for routes.
 */
#include "fake_agent.h"
#include "host/procfs.h"
#include "daemon/reauthorize.h"
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#define FOREVER_MS 300

static struct reauthorize *again;
static const struct fl_policy policy = { .rules = 1 };
static size_t judged;
static __u64 rejected; /* flow id, 0: all */

static int reject(__u64 flow_id, __u32 ifindex)
{
	judged++;
	assert_int_equal(ifindex, 0);
	return rejected && flow_id != rejected ? FL_AGAIN_PROCEEDS : FL_AGAIN_REJECTED;
}

/* Not by working: somebody else has the CPU. */
static int reject_late(__u64 flow_id, __u32 ifindex)
{
	usleep(2 * FOREVER_MS * 1000); /* lint: poll */
	return reject(flow_id, ifindex);
}

static int not_known(__u64 flow_id, __u32 ifindex)
{
	(void)flow_id;
	(void)ifindex;
	return FL_AGAIN_UNKNOWN;
}

static int begin(void **state)
{
	(void)state;
	fake_new();
	memset(&enforced, 0, sizeof(enforced));
	fake.enters = true;
	enforced.judge_again = reject;
	judged = 0;
	rejected = 0;
	return reauthorize_new(&fake.agent, NULL, &again);
}

static int end(void **state)
{
	(void)state;
	reauthorize_free(again);
	fake_free();
	return 0;
}

/* Until there is nothing left to do. */
static void run(void)
{
	struct pollfd p = { .fd = reauthorize_fd(again), .events = POLLIN };

	while (poll(&p, 1, FOREVER_MS) == 1)
		reauthorize_run(again);
}

/* One slice. */
static void turn(void)
{
	struct pollfd p = { .fd = reauthorize_fd(again), .events = POLLIN };

	assert_int_equal(poll(&p, 1, 10000), 1);
	reauthorize_run(again);
}

static void add(__u64 id, enum fl_role role)
{
	struct fl_flow f = make_flow(id, 0, "10.0.0.2", 40000, "10.0.0.9", 443);

	f.role = role;
	fake_add(f);
}

static void what_is_rejected_is_cut(void **state)
{
	(void)state;
	add(1, FL_ROLE_OPENER);
	add(2, FL_ROLE_OPENER);
	rejected = 2;
	reauthorize_policy(again, &policy, NULL);
	run();
	assert_int_equal(judged, 2);
	assert_int_equal(fake.cut, 1);
	assert_int_equal(fake.cut_last, 2);
	assert_int_equal(fake.counted[FL_CNT_AGAIN_CUT], 1);
	run();
	assert_int_equal(judged, 2);
}

static void only_what_was_opened_here(void **state)
{
	static const enum fl_role roles[] = { FL_ROLE_UNKNOWN, FL_ROLE_ACCEPTOR, FL_ROLE_LISTENER,
					      FL_ROLE_USER, FL_ROLE_EXISTING };

	(void)state;
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		add(i + 1, roles[i]);
	reauthorize_policy(again, &policy, NULL);
	run();
	assert_int_equal(judged, 0);
	assert_int_equal(fake.counted[FL_CNT_AGAIN_UNJUDGED], 0); /* somebody listens there */
}

/* What was found open. */
static void what_says_that_it_was_opened_here(void **state)
{
	struct fl_flow f = make_flow(1, 0, "10.0.0.2", 40000, "10.0.0.9", 443);

	(void)state;
	f.role = FL_ROLE_EXISTING;
	f.opened_here = 1;
	fake_add(f);
	reauthorize_policy(again, &policy, NULL);
	run();
	assert_int_equal(judged, 1);
	assert_int_equal(fake.cut_last, 1);
	assert_int_equal(fake.counted[FL_CNT_AGAIN_UNJUDGED], 0);
}

static void who_opened_it_is_not_known(void **state)
{
	struct fl_flow datagrams = make_flow(3, 0, "10.0.0.2", 40000, "10.0.0.9", 443);

	(void)state;
	datagrams.key.proto = FL_UDP;
	datagrams.role = FL_ROLE_EXISTING; /* each of them is judged */
	add(1, FL_ROLE_EXISTING);
	add(2, FL_ROLE_UNKNOWN);
	fake_add(datagrams);
	reauthorize_policy(again, &policy, NULL);
	run();
	assert_int_equal(judged, 0);
	assert_int_equal(fake.counted[FL_CNT_AGAIN_UNJUDGED], 2);
}

static void a_policy_that_does_not_judge(void **state)
{
	(void)state;
	add(1, FL_ROLE_OPENER);
	reauthorize_policy(again, NULL, NULL);
	run();
	assert_int_equal(judged, 0);
	reauthorize_policy(again, &policy, NULL);
	reauthorize_policy(again, NULL, NULL); /* before its turn came */
	run();
	assert_int_equal(judged, 0);
}

static void made_anew(void)
{
	fake.at_drain = NULL;
	reauthorize_policy(again, &policy, NULL);
}

/* What comes out of the ring before the list is made may have taken new tables. */
static void made_anew_as_a_run_begins(void **state)
{
	(void)state;
	add(1, FL_ROLE_OPENER);
	add(2, FL_ROLE_OPENER);
	rejected = 2;
	fake.at_drain = made_anew;
	reauthorize_policy(again, &policy, NULL);
	run();
	assert_int_equal(judged, 2);
	assert_int_equal(fake.cut, 1);
}

static void many_are_judged_in_slices(void **state)
{
	const size_t count = 100000;

	(void)state;
	for (size_t i = 1; i <= count; i++)
		add(i, FL_ROLE_OPENER);
	reauthorize_policy(again, &policy, NULL);
	turn();
	assert_true(judged && judged < count);
	reauthorize_policy(again, &policy, NULL); /* from the beginning */
	rejected = count;
	judged = 0;
	fake.cut = 0;
	/* a look-up in the fake takes as long as there are flows: the first ones will do */
	for (int i = 0; i < 10; i++)
		turn();
	assert_true(judged && judged < count);
	assert_int_equal(fake.cut, 0);
}

static void the_caller_is_spared(void **state)
{
	struct fl_flow mine = make_flow(1, 0, "10.0.0.2", 40000, "10.0.0.9", 443);
	struct fl_flow another = make_flow(2, 0, "10.0.0.2", 40001, "10.0.0.9", 443);
	struct fl_spared spared[FL_SPARED_MAX] = { 0 };

	(void)state;
	mine.owner.proc.pid = another.owner.proc.pid = (__u32)getppid();
	mine.owner.proc.start_ns = procfs_ticks((__u32)getppid()) * FL_TICK_NS;
	another.owner.proc.start_ns = mine.owner.proc.start_ns + FL_TICK_NS; /* a reused pid */
	fake_add(mine);
	fake_add(another);
	reauthorize_spare(getpid(), spared);
	reauthorize_policy(again, &policy, spared);
	run();
	assert_int_equal(fake.cut, 1);
	assert_int_equal(fake.cut_last, 2);
	assert_int_equal(fake.counted[FL_CNT_AGAIN_LEFT], 1);
	reauthorize_policy(again, &policy, NULL);
	run();
	assert_int_equal(fake.cut, 3);
}

static void what_cannot_be_cut_is_counted(void **state)
{
	(void)state;
	add(1, FL_ROLE_OPENER);
	fake.cut_error = -EOPNOTSUPP;
	reauthorize_policy(again, &policy, NULL);
	run();
	assert_int_equal(fake.counted[FL_CNT_AGAIN_LEFT], 1);
	fake.cut_error = -ENOENT; /* it has ended meanwhile */
	reauthorize_policy(again, &policy, NULL);
	run();
	assert_int_equal(fake.counted[FL_CNT_AGAIN_LEFT], 1);
	assert_int_equal(fake.counted[FL_CNT_AGAIN_CUT], 0);
}

static void what_is_not_known_is_not_cut(void **state)
{
	(void)state;
	add(1, FL_ROLE_OPENER);
	enforced.judge_again = not_known;
	reauthorize_policy(again, &policy, NULL);
	run();
	assert_int_equal(fake.cut, 0);
	assert_int_equal(fake.counted[FL_CNT_AGAIN_UNJUDGED], 1);
}

/* One that was rejected at once fails by itself, and is gone by then. */
static void a_connect_that_is_under_way_has_its_time(void **state)
{
	struct fl_flow f = make_flow(1, 0, "10.0.0.2", 40000, "10.0.0.9", 443);

	(void)state;
	f.state = FL_STATE_SYN_SENT;
	fake_add(f);
	reauthorize_policy(again, &policy, NULL);
	turn();
	assert_int_equal(judged, 1);
	assert_int_equal(fake.cut, 0);
	run();
	assert_int_equal(judged, 2);
	assert_int_equal(fake.cut, 1);
}

/* The run that follows does not come as late as the one before was long. */
static void where_the_cpu_is_scarce_nobody_waits_longer(void **state)
{
	enforced.judge_again = reject_late;
	a_connect_that_is_under_way_has_its_time(state);
}

static void a_namespace_nobody_can_enter(void **state)
{
	struct fl_flow f = make_flow(1, 0, "10.0.0.2", 40000, "10.0.0.9", 443);

	(void)state;
	f.key.netns_cookie = OTHER_COOKIE;
	f.netns_inum = OTHER_INUM;
	fake_add(f);
	reauthorize_policy(again, &policy, NULL);
	run();
	assert_int_equal(judged, 1);
	assert_int_equal(fake.cut, 0);
	assert_int_equal(fake.counted[FL_CNT_AGAIN_LEFT], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_rejected_is_cut, begin, end),
		cmocka_unit_test_setup_teardown(only_what_was_opened_here, begin, end),
		cmocka_unit_test_setup_teardown(what_says_that_it_was_opened_here, begin, end),
		cmocka_unit_test_setup_teardown(who_opened_it_is_not_known, begin, end),
		cmocka_unit_test_setup_teardown(a_policy_that_does_not_judge, begin, end),
		cmocka_unit_test_setup_teardown(made_anew_as_a_run_begins, begin, end),
		cmocka_unit_test_setup_teardown(many_are_judged_in_slices, begin, end),
		cmocka_unit_test_setup_teardown(the_caller_is_spared, begin, end),
		cmocka_unit_test_setup_teardown(what_cannot_be_cut_is_counted, begin, end),
		cmocka_unit_test_setup_teardown(what_is_not_known_is_not_cut, begin, end),
		cmocka_unit_test_setup_teardown(a_connect_that_is_under_way_has_its_time, begin,
						end),
		cmocka_unit_test_setup_teardown(where_the_cpu_is_scarce_nobody_waits_longer, begin,
						end),
		cmocka_unit_test_setup_teardown(a_namespace_nobody_can_enter, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
