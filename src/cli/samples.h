/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flows as they are seen from time to time, and what happened between the last two looks: which
 * opened, which ended, what went through each. Pure: no time but what it is told, no I/O.
 *
 *	samples_begin(s, now); samples_add(s, flow)...; samples_end(s);   or samples_abandon(s)
 */
#ifndef FLOWNER_SAMPLES_H
#define FLOWNER_SAMPLES_H

#include <flowner/flow.h>
#include <stdbool.h>
#include <stddef.h>

struct sampled_flow {
	struct fl_flow flow;
	struct fl_counts since; /* what went through since the last sample but this */
	bool measured;		/* SINCE is known */
	bool opened;		/* since then */
	bool past;		/* its end was part of an earlier sample */
};

struct samples;

int samples_new(struct samples **ret_samples); /* -ENOMEM */
void samples_free(struct samples *s);

/* NOW_NS is CLOCK_BOOTTIME of the moment before the question. */
void samples_begin(struct samples *s, __u64 now_ns);

/* In any order; given twice it is one. -ENOMEM. */
int samples_add(struct samples *s, const struct fl_flow *flow);

/* What was added is the sample from now on; or it never was. */
void samples_end(struct samples *s);
void samples_abandon(struct samples *s);

/* The next one is the first: nothing is known to have happened before it. */
void samples_forget(struct samples *s);

__u64 samples_time_ns(const struct samples *s);	    /* of the sample; 0 = there is none */
__u64 samples_interval_ns(const struct samples *s); /* from the one before it; 0 = none was */

size_t samples_count(const struct samples *s);
const struct sampled_flow *samples_at(const struct samples *s, size_t i);
const struct sampled_flow *samples_find(const struct samples *s, __u64 id); /* or NULL */

#endif
