/* SPDX-License-Identifier: BSD-2-Clause */
/* What stays in the kernel when a daemon ends: told to stop, replaced, or because it failed. */
#include "daemon/daemon.h"
#include "daemon/ending.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static bool leaves(int result, bool served, bool found, enum config_on_stop on_stop)
{
	return ending_leaves(&(struct ending){ result, served, found, on_stop });
}

static void who_is_told_to_stop_does_as_configured(void **state)
{
	(void)state;
	for (int found = 0; found < 2; found++) {
		assert_false(leaves(0, true, found, CONFIG_STOP_DETACH));
		assert_true(leaves(0, true, found, CONFIG_STOP_KEEP));
	}
}

static void who_is_replaced_leaves_it(void **state)
{
	(void)state;
	assert_true(leaves(DAEMON_REPLACED, true, false, CONFIG_STOP_DETACH));
	assert_true(leaves(DAEMON_REPLACED, true, true, CONFIG_STOP_KEEP));
}

static void a_start_that_fails_leaves_what_it_found(void **state)
{
	(void)state;
	for (enum config_on_stop on_stop = CONFIG_STOP_DETACH; on_stop <= CONFIG_STOP_KEEP;
	     on_stop++) {
		assert_true(leaves(-ENOMEM, false, true, on_stop));
		assert_false(leaves(-ENOMEM, false, false, on_stop));
	}
}

static void who_fails_later_leaves_it_as_if_killed(void **state)
{
	(void)state;
	for (int found = 0; found < 2; found++) {
		assert_true(leaves(-EIO, true, found, CONFIG_STOP_DETACH));
		assert_true(leaves(-EIO, true, found, CONFIG_STOP_KEEP));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_told_to_stop_does_as_configured),
		cmocka_unit_test(who_is_replaced_leaves_it),
		cmocka_unit_test(a_start_that_fails_leaves_what_it_found),
		cmocka_unit_test(who_fails_later_leaves_it_as_if_killed),
	};

	return cmocka_run_group_tests_name("ending", tests, NULL, NULL);
}
