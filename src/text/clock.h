/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The time as one number, and how far two clocks are apart. CLOCK_BOOTTIME is what the kernel side
 * stamps its records with.
 */
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

#define CLOCK_TRIES 4
#define CLOCK_NEAR_NS 2000

/*
 * CLOCK_REALTIME minus CLOCK_BOOTTIME: as exact as the shortest of a few tries to read one between
 * two readings of the other. Some are paused between them; where a reading is a system call, or the
 * machine is emulated, all of them are long. The truth is within *RET_WITHIN_NS of it.
 */
static inline __s64 clock_realtime_offset(__u64 *ret_within_ns)
{
	__u64 before, real, after, shortest = ~0ULL;
	__s64 offset = 0;

	for (int i = 0; i < CLOCK_TRIES && shortest > CLOCK_NEAR_NS; i++) {
		before = clock_ns(CLOCK_BOOTTIME);
		real = clock_ns(CLOCK_REALTIME);
		after = clock_ns(CLOCK_BOOTTIME);
		if (after - before >= shortest)
			continue;
		shortest = after - before;
		offset = (__s64)(real - before - shortest / 2);
	}
	*ret_within_ns = shortest;
	return offset;
}

static inline __s64 clock_realtime_offset_ns(void)
{
	__u64 within_ns;

	return clock_realtime_offset(&within_ns);
}

/* Whether the real time was set, by more than a millisecond: then *OFFSET_NS is followed up. */
#define CLOCK_STEP_NS 1000000

static inline int clock_follow(__s64 *offset_ns)
{
	__u64 within_ns;
	__s64 now_ns = clock_realtime_offset(&within_ns), step_ns = now_ns - *offset_ns;

	if ((__u64)(step_ns < 0 ? -step_ns : step_ns) <= within_ns + CLOCK_STEP_NS)
		return 0;
	*offset_ns = now_ns;
	return 1;
}

#endif
