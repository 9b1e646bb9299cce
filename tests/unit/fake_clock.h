/* SPDX-License-Identifier: BSD-2-Clause */
/* Seconds that pass when a test says so: stands in for the system call that wrap.mk names. */
#ifndef FAKE_CLOCK_H
#define FAKE_CLOCK_H

#include <time.h>

static time_t later_s; /* than it is */

int __real_clock_gettime(clockid_t clock, struct timespec *ret);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret)
{
	int r = __real_clock_gettime(clock, ret);

	ret->tv_sec += later_s;
	return r;
}

#endif
