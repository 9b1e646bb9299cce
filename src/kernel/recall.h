/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the pinned event ring still holds of records that were taken from it. A daemon that follows
 * a killed one reads them again, so that the recent index and the replay of events outlive it.
 *
 * A record's beginning can only be found from another one's: each life leaves marks in `meta`.
 */
#ifndef FLOWNER_RECALL_H
#define FLOWNER_RECALL_H

#include <flowner/control.h>
#include <flowner/flow.h>
#include <stdbool.h>
#include <stddef.h>

struct recall;

/* RING_FD and META_FD are map fds and stay the caller's. */
int recall_new(int ring_fd, int meta_fd, struct recall **ret_recall);
void recall_free(struct recall *recall);

/*
 * FN with every record that was taken before now and has not been overwritten, oldest first. DATA
 * is a copy, aligned to 8. Programs may write meanwhile: what they overwrite is passed over. A
 * non-zero result of FN ends the walk. 0, FN's result, negative errno.
 */
int recall_each(struct recall *recall, int (*fn)(void *arg, void *data, size_t size), void *arg);

/* How much programs have written to the ring, and how much was taken from it, since it was made. */
__u64 recall_written(const struct recall *recall);
__u64 recall_taken(const struct recall *recall);

/* What was told to watchers, and must not be told again: see fl_meta. */
struct recall_told {
	__u64 sequence;
	__u64 lost[FL_LOSSES];
};

struct recall_told recall_told(const struct recall *recall);
int recall_tell(struct recall *recall, const struct recall_told *told);

/* Between two records taken: leaves a mark, when the last one is far enough away. */
int recall_mark(struct recall *recall);

/* The daemon whose life is the newest in `meta` is past its self-test, now, at READY_NS. */
int recall_ready(struct recall *recall, __u64 ready_ns);

/* Whether what PID did at TIME_NS (CLOCK_BOOTTIME) was the self-test of a daemon, any daemon. */
bool recall_was_selftest(const struct recall *recall, __u32 pid, __u64 time_ns);

#endif
