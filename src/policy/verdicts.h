/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the kernel side says of attempts: counted by hook and verdict, and told. The same verdict
 * again within ten seconds is only counted; the next telling says how many there were. Pure: time
 * comes with the events.
 */
#ifndef FLOWNER_VERDICTS_H
#define FLOWNER_VERDICTS_H

#include <flowner/policy.h>
#include <stdbool.h>

#define VERDICTS_WINDOW_NS 10000000000ull

/* One telling. The same: equal in all but time, count, and what the attempt has beside its place.
 */
struct verdict {
	struct fl_attempt attempt; /* the last one's */
	__u64 time_ns;		   /* CLOCK_BOOTTIME */
	__u64 generation;	   /* of the policy, with tag; both 0: it could not be judged */
	__u64 tag;
	__u64 count;
	__u32 verdict; /* enum fl_verdict */
	bool enforced; /* it happened; else a rule in audit would have said it */
	bool failed;   /* it could not be judged */
	bool redirected;
	bool again; /* of a session that lives */
};

typedef void (*verdicts_fn)(void *arg, const struct verdict *v);

struct verdicts;

/* Everything is told to FN. -ENOMEM. */
int verdicts_new(verdicts_fn fn, void *arg, struct verdicts **ret_verdicts);
void verdicts_free(struct verdicts *v);

void verdicts_take(struct verdicts *v, const struct fl_verdict_event *e);
void verdicts_expire(struct verdicts *v, __u64 now_ns); /* now and then */
void verdicts_flush(struct verdicts *v); /* tells all there is: a policy is about to go */

/* Attempts since the start, of those that are told: no plain PROCEED_SOFT. */
__u64 verdicts_counted(const struct verdicts *v, enum fl_hook hook, enum fl_verdict verdict,
		       bool enforced);
__u64 verdicts_redirected(const struct verdicts *v, enum fl_hook hook, bool enforced);

#endif
