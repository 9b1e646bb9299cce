/* SPDX-License-Identifier: BSD-2-Clause */
#include "text/distinct.h"
#include "text/cleanup.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#define FIRST_ROOM 64 /* a power of two */
#define NONE UINT32_MAX

const void *distinct_at(const struct distinct *d, __u32 number)
{
	return d->items + number * d->size;
}

static __u32 bucket_of(const struct distinct *d, const void *item)
{
	const char *at = item;
	__u64 hash = 0;

	for (size_t i = 0; i < d->size; i += 4) {
		__u32 word;

		memcpy(&word, at + i, sizeof(word));
		hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;
		hash ^= hash >> 32;
	}
	return (__u32)hash & (2 * d->room - 1);
}

/* Where ITEM is, or belongs. */
static __u32 *place_of(const struct distinct *d, const void *item)
{
	__u32 at = bucket_of(d, item);

	while (d->buckets[at] != NONE && memcmp(distinct_at(d, d->buckets[at]), item, d->size) != 0)
		at = (at + 1) & (2 * d->room - 1);
	return &d->buckets[at];
}

static int grow(struct distinct *d)
{
	__u32 room = d->room ? 2 * d->room : FIRST_ROOM;
	_free_ __u32 *buckets = malloc(2 * room * sizeof(*buckets));
	char *items = realloc(d->items, room * d->size);

	if (items)
		d->items = items;
	if (!items || !buckets)
		return -ENOMEM;
	memset(buckets, 0xff, 2 * room * sizeof(*buckets)); /* NONE */
	free(d->buckets);
	d->buckets = TAKE_PTR(buckets);
	d->room = room;
	for (__u32 i = 0; i < d->count; i++)
		*place_of(d, distinct_at(d, i)) = i;
	return 0;
}

int distinct_put(struct distinct *d, const void *item, __u32 *ret_number)
{
	int r = d->count == d->room ? grow(d) : 0;
	__u32 *place;

	if (r < 0)
		return r;
	place = place_of(d, item);
	if (*place == NONE) {
		if (d->count == d->max)
			return -E2BIG;
		memcpy(d->items + d->count * d->size, item, d->size);
		*place = d->count++;
	}
	*ret_number = *place;
	return 0;
}

void distinct_release(struct distinct *d)
{
	free(d->items);
	free(d->buckets);
	d->items = NULL;
	d->buckets = NULL;
	d->count = d->room = 0;
}
