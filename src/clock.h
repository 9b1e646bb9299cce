/* SPDX-License-Identifier: BSD-2-Clause */
/* The time as one number. CLOCK_BOOTTIME is what the kernel side stamps its records with. */
#ifndef FLOWNER_CLOCK_H
#define FLOWNER_CLOCK_H

#include <linux/types.h>
#include <time.h>

/* Nanoseconds. */
static inline __u64 clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (__u64)ts.tv_sec * 1000000000ULL + (__u64)ts.tv_nsec;
}

static inline __u64 clock_ms(clockid_t clock)
{
	return clock_ns(clock) / 1000000;
}

#endif
