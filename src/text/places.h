/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where in an array an element is, by the hash of its key. Array and keys are the caller's, who may
 * move them: only places are kept here. Pure.
 */
#ifndef FLOWNER_PLACES_H
#define FLOWNER_PLACES_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

struct places { /* zeroed: empty */
	struct place *slots;
	size_t size, used;
};

#define PLACES_NONE ((size_t)-1)

/* Whether the element at PLACE of the array has the KEY. */
typedef bool (*places_is)(const void *array, size_t place, const void *key);

/* Of the element with this KEY, whose hash is HASH; or PLACES_NONE. */
size_t places_find(const struct places *p, __u64 hash, places_is is, const void *array,
		   const void *key);

/* PLACE is that of an element that is not there yet. -ENOMEM. */
int places_add(struct places *p, __u64 hash, size_t place);

void places_release(struct places *p);

#endif
