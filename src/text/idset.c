/* SPDX-License-Identifier: BSD-2-Clause */
#include "text/idset.h"

#include <errno.h>
#include <stdlib.h>

static size_t slot_of(const struct idset *s, __u64 id)
{
	return (size_t)((id * 0x9e3779b97f4a7c15ull) >> 32) & (s->size - 1);
}

static void put(struct idset *s, __u64 id)
{
	size_t i = slot_of(s, id);

	while (s->slots[i])
		i = (i + 1) & (s->size - 1);
	s->slots[i] = id;
	s->used++;
}

static int grow(struct idset *s)
{
	struct idset bigger = { .size = s->size ? s->size * 2 : 1024 };

	bigger.slots = calloc(bigger.size, sizeof(*bigger.slots));
	if (!bigger.slots)
		return -ENOMEM;
	for (size_t i = 0; i < s->size; i++) {
		if (s->slots[i])
			put(&bigger, s->slots[i]);
	}
	idset_release(s);
	*s = bigger;
	return 0;
}

int idset_add(struct idset *s, __u64 id)
{
	int r;

	if (idset_has(s, id))
		return 0;
	if (s->used * 2 >= s->size) {
		r = grow(s);
		if (r < 0)
			return r;
	}
	put(s, id);
	return 0;
}

bool idset_has(const struct idset *s, __u64 id)
{
	if (!s->size)
		return false;
	for (size_t i = slot_of(s, id); s->slots[i]; i = (i + 1) & (s->size - 1)) {
		if (s->slots[i] == id)
			return true;
	}
	return false;
}

size_t idset_count_missing(const struct idset *s, const struct idset *in)
{
	size_t missing = 0;

	for (size_t i = 0; i < s->size; i++) {
		if (s->slots[i] && !idset_has(in, s->slots[i]))
			missing++;
	}
	return missing;
}

void idset_release(struct idset *s)
{
	free(s->slots);
	*s = (struct idset){ 0 };
}
