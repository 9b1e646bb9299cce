/* SPDX-License-Identifier: BSD-2-Clause */
/* The offset of two clocks, by clocks that are read as slowly and unevenly as the tests say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define clock_gettime fake_gettime /* before the header that calls it */
#include "../../src/text/clock.h"

#define S 1000000000ULL
#define OFFSET (1000 * S) /* of the real time */

static __u64 now_ns;
static __u64 (*takes)(int reading); /* ns, of the readings counted from 0 */
static int readings;

int fake_gettime(clockid_t clock, struct timespec *ret)
{
	__u64 t = now_ns + (clock == CLOCK_REALTIME ? OFFSET : 0);

	*ret = (struct timespec){ .tv_sec = (time_t)(t / S), .tv_nsec = (long)(t % S) };
	now_ns += takes(readings++);
	return 0;
}

static __s64 offset_when(__u64 (*reading)(int))
{
	now_ns = 5 * S;
	readings = 0;
	takes = reading;
	return clock_realtime_offset_ns();
}

static __u64 fast(int reading)
{
	(void)reading;
	return 50;
}

static __u64 slow(int reading)
{
	(void)reading;
	return 100000;
}

/* Paused for a second in the first and in the third try. */
static __u64 paused(int reading)
{
	return reading == 0 || reading == 7 ? S : slow(reading);
}

static void usual(void **state)
{
	(void)state;
	assert_int_equal(offset_when(fast), OFFSET);
	assert_int_equal(readings, 3);
}

static void always_slow(void **state)
{
	(void)state;
	assert_int_equal(offset_when(slow), OFFSET);
	assert_true(readings <= 3 * CLOCK_TRIES);
}

static void sometimes_paused(void **state)
{
	(void)state;
	assert_int_equal(offset_when(paused), OFFSET);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(usual),
		cmocka_unit_test(always_slow),
		cmocka_unit_test(sometimes_paused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
