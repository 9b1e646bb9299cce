/* SPDX-License-Identifier: BSD-2-Clause */
/* Open addressing, never more than half full. Half of the hash is kept: enough to grow by. */
#include "text/places.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#define FIRST_SIZE 512 /* a power of two, as all that follow */

struct place {
	__u32 hash;
	__u32 number; /* place + 1; 0 nothing is here */
};

/* Hashes of the callers differ in their upper bits. */
static __u32 upper(__u64 hash)
{
	return (__u32)(hash >> 32);
}

static void put(struct places *p, struct place place)
{
	size_t i = place.hash & (p->size - 1);

	while (p->slots[i].number)
		i = (i + 1) & (p->size - 1);
	p->slots[i] = place;
	p->used++;
}

static int grow(struct places *p)
{
	struct places bigger = { .size = p->size ? p->size * 2 : FIRST_SIZE };

	bigger.slots = calloc(bigger.size, sizeof(*bigger.slots));
	if (!bigger.slots)
		return -ENOMEM;
	for (size_t i = 0; i < p->size; i++)
		if (p->slots[i].number)
			put(&bigger, p->slots[i]);
	places_release(p);
	*p = bigger;
	return 0;
}

size_t places_find(const struct places *p, __u64 hash, places_is is, const void *array,
		   const void *key)
{
	if (!p->size)
		return PLACES_NONE;
	for (size_t i = upper(hash) & (p->size - 1); p->slots[i].number;
	     i = (i + 1) & (p->size - 1)) {
		if (p->slots[i].hash == upper(hash) && is(array, p->slots[i].number - 1, key))
			return p->slots[i].number - 1;
	}
	return PLACES_NONE;
}

int places_add(struct places *p, __u64 hash, size_t place)
{
	int r = p->used * 2 >= p->size ? grow(p) : 0;

	if (!r && place >= UINT32_MAX)
		r = -ENOMEM;
	if (!r)
		put(p, (struct place){ upper(hash), (__u32)place + 1 });
	return r;
}

void places_release(struct places *p)
{
	free(p->slots);
	*p = (struct places){ 0 };
}
