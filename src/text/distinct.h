/* SPDX-License-Identifier: BSD-2-Clause */
/* Things of one size, each kept once: equal ones have one number, from 0 in order of coming. */
#ifndef FLOWNER_DISTINCT_H
#define FLOWNER_DISTINCT_H

#include <linux/types.h>
#include <stddef.h>

struct distinct {
	size_t size; /* of one, in bytes: a multiple of 4 */
	__u32 max;   /* how many there may be */
	__u32 count;
	__u32 room;
	char *items;
	__u32 *buckets; /* twice as many as there is room; numbers */
};

/* The number of ITEM, which is copied when it is new. -E2BIG there are MAX others; -ENOMEM. */
int distinct_put(struct distinct *d, const void *item, __u32 *ret_number);

/* Until the next put. */
const void *distinct_at(const struct distinct *d, __u32 number);

void distinct_release(struct distinct *d);

#endif
