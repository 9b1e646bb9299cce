/* SPDX-License-Identifier: BSD-2-Clause */
/* Listeners to be ended: all of them, when they are there; who never comes is not waited for. */
#include "text/clock.h"
#include "fake_agent.h"
#include "daemon/condemned.h"
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake_clock.h"

#define BATCH 8192 /* of the event ring */

static struct condemned *condemned;
static size_t cut, comes_with_it;
static bool no_memory;
void *__real_reallocarray(void *ptr, size_t count, size_t size);
void *__wrap_reallocarray(void *ptr, size_t count, size_t size);
void *__wrap_reallocarray(void *ptr, size_t count, size_t size)
{
	return no_memory ? NULL : __real_reallocarray(ptr, count, size);
}

static void add(__u64 cookie, size_t count)
{
	const struct fl_attempt a = { .cookie = cookie, .hook = FL_HOOK_LISTEN };

	for (size_t i = 0; i < count; i++)
		condemned_add(condemned, &a);
}

int __wrap_abort_flow(struct agent *agent, const struct fl_flow *flow, struct fail *ret_said);
int __wrap_abort_flow(struct agent *agent, const struct fl_flow *flow, struct fail *ret_said)
{
	size_t more = comes_with_it;

	(void)agent;
	(void)ret_said;
	assert_int_equal(flow->id, CUTTABLE);
	cut++;
	comes_with_it = 0;
	add(CUTTABLE, more);
	return 0;
}

static int begin(void **state)
{
	(void)state;
	fake_new();
	cut = comes_with_it = 0;
	no_memory = false;
	later_s = 0;
	assert_int_equal(condemned_new(&fake.agent, &condemned), 0);
	return 0;
}

static int end(void **state)
{
	(void)state;
	condemned_free(condemned);
	fake_free();
	return 0;
}

static void listens(__u64 cookie)
{
	fake_add(make_flow(cookie, 0, "10.0.0.1", 22, NULL, 0));
}

/* Until nobody waits any more. */
static size_t turns(void)
{
	struct pollfd p = { .fd = condemned_fd(condemned), .events = POLLIN };
	size_t turns = 0;

	while (poll(&p, 1, 100) == 1 && turns < 1000) {
		condemned_run(condemned);
		turns++;
	}
	return turns;
}

static void who_listens_already_is_ended(void **state)
{
	(void)state;
	listens(CUTTABLE);
	assert_int_equal(turns(), 0);
	add(CUTTABLE, 1);
	assert_int_equal(turns(), 1);
	assert_int_equal(cut, 1);
}

static void who_does_not_yet_is_ended_then(void **state)
{
	(void)state;
	add(CUTTABLE, 1);
	condemned_run(condemned);
	assert_int_equal(cut, 0);
	listens(CUTTABLE);
	turns();
	assert_int_equal(cut, 1);
}

static void all_of_a_batch_are_ended(void **state)
{
	(void)state;
	listens(CUTTABLE);
	add(CUTTABLE, BATCH);
	comes_with_it = BATCH;
	assert_true(turns() > 2); /* others have theirs in between */
	assert_int_equal(cut, 2 * BATCH);
	assert_int_equal(fake.counted[FL_CNT_ABORT_REFUSED], 0);
}

static void who_never_comes_stands_in_nobodys_way(void **state)
{
	(void)state;
	add(7, BATCH);
	add(CUTTABLE, 3);
	listens(CUTTABLE);
	for (size_t i = 0; i < BATCH && cut < 3; i++)
		condemned_run(condemned);
	assert_int_equal(cut, 3);
	later_s = 3;
	assert_true(turns() < 100);
	condemned_run(condemned);
	assert_int_equal(turns(), 0);
}

static void who_there_is_no_memory_for_is_counted(void **state)
{
	(void)state;
	listens(CUTTABLE);
	no_memory = true;
	add(CUTTABLE, 2);
	assert_int_equal(fake.counted[FL_CNT_ABORT_REFUSED], 2);
	no_memory = false;
	add(CUTTABLE, 1);
	turns();
	assert_int_equal(cut, 1);
}

static void more_than_anybody_could_mean_are_counted(void **state)
{
	(void)state;
	listens(CUTTABLE);
	add(CUTTABLE, 70000);
	assert_int_equal(fake.counted[FL_CNT_ABORT_REFUSED], 70000 - 65536);
	turns();
	assert_int_equal(cut, 65536);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, begin, end)
	const struct CMUnitTest tests[] = {
		T(who_listens_already_is_ended),
		T(who_does_not_yet_is_ended_then),
		T(all_of_a_batch_are_ended),
		T(who_never_comes_stands_in_nobodys_way),
		T(who_there_is_no_memory_for_is_counted),
		T(more_than_anybody_could_mean_are_counted),
	};

	return cmocka_run_group_tests_name("condemned", tests, NULL, NULL);
}
