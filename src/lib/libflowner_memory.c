/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ended flows, so that the packets of one are one question to the daemon and not one each. A fixed
 * table in which the next flow with the same place takes it over; nothing is ever wrong in it,
 * because who had a session at a moment that is past does not change any more.
 */
#include "lib/libflowner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PLACES 8192 /* a power of two; 1.5 MB, of which the kernel gives what is used */

struct place {
	struct fl_flow flow; /* id 0: free */
	__u64 until_ns;
};

struct memory {
	pthread_mutex_t lock;
	struct place places[PLACES];
};

int memory_new(struct memory **ret_memory)
{
	struct memory *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	pthread_mutex_init(&m->lock, NULL);
	*ret_memory = m;
	return 0;
}

void memory_free(struct memory *m)
{
	if (!m)
		return;
	pthread_mutex_destroy(&m->lock);
	free(m);
}

static struct place *place_of(struct memory *m, const struct fl_key *key)
{
	const char *words = (const char *)key;
	__u64 hash = 0, word;

	for (size_t i = 0; i < sizeof(*key); i += sizeof(word)) {
		memcpy(&word, words + i, sizeof(word));
		hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;
		hash ^= hash >> 32;
	}
	return &m->places[hash & (PLACES - 1)];
}

void memory_add(struct memory *m, const struct fl_flow *flow, __u64 until_ns)
{
	struct place *p = place_of(m, &flow->key);

	pthread_mutex_lock(&m->lock);
	if (p->flow.id != flow->id || p->until_ns < until_ns)
		p->until_ns = until_ns;
	p->flow = *flow;
	pthread_mutex_unlock(&m->lock);
}

bool memory_find(struct memory *m, const struct fl_key *key, __u64 at_ns, struct fl_flow *ret_flow)
{
	const struct place *p = place_of(m, key);
	bool found;

	pthread_mutex_lock(&m->lock);
	found = p->flow.id && memcmp(&p->flow.key, key, sizeof(*key)) == 0 &&
		flow_began_ns(&p->flow) <= at_ns && at_ns <= p->until_ns;
	if (found)
		*ret_flow = p->flow;
	pthread_mutex_unlock(&m->lock);
	return found;
}
