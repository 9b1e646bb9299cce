/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Answers of the daemon about lives that have ended, so that the packets of one are one question
 * and not one each. A fixed table in which the next session with the same place takes it over.
 *
 * An answer is kept with the moments of which the daemon, asked again, would say the same: which
 * life comes next is a part of it, because a packet between two may belong to either.
 */
#include "lib/libflowner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "text/clock.h"

#define PLACES 8192	       /* a power of two; 4 MB, of which the kernel gives what is used */
#define FINAL_NS 1000000000ULL /* a record is final this long after its end */

struct place {
	struct fl_key key;
	struct around around;	 /* neither before nor after: nobody had it */
	__u64 from_ns, until_ns; /* until 0: free */
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

/* It has ended, and whose it was is known for good. */
static bool is_final(const struct fl_flow *flow)
{
	bool interim = flow->role == FL_ROLE_ACCEPTOR && !flow->accepted;

	return flow->ended_ns && !(interim && flow->ended_ns + FINAL_NS > clock_ns(CLOCK_BOOTTIME));
}

/*
 * AROUND is the answer up to here when a life that begins at NEXT_NS, or may, is not a part of it:
 * no packet is so long before a session that it is the next one's, and none is before a socket.
 */
static __u64 until_next(const struct fl_key *key, const struct around *around, __u64 next_ns)
{
	__u64 early_ns = key->remote_port ? AROUND_EARLY_NS : 0;
	__u64 until_ns = next_ns > early_ns + 1 ? next_ns - early_ns - 1 : 0;

	if (around->has_before && until_ns < around->before.ended_ns)
		until_ns = around->before.ended_ns;
	return until_ns < next_ns ? until_ns : next_ns - 1;
}

void memory_add(struct memory *m, const struct fl_key *key, const struct around *around,
		__u64 asked_ns)
{
	struct place new = { .key = *key, .around = *around };
	struct place *p = place_of(m, key);

	if (around->has_before && !is_final(&around->before))
		return;
	if (around->has_before)
		new.from_ns = flow_began_ns(&around->before);
	new.until_ns = around->has_after ? flow_began_ns(&around->after) - 1 : asked_ns;
	if (!around->has_after || !is_final(&around->after)) {
		new.around.has_after = false;
		new.until_ns = until_next(key, &new.around, new.until_ns + 1);
	}
	pthread_mutex_lock(&m->lock);
	*p = new;
	pthread_mutex_unlock(&m->lock);
}

bool memory_find(struct memory *m, const struct fl_key *key, __u64 at_ns, struct around *ret_around)
{
	const struct place *p = place_of(m, key);
	bool found;

	pthread_mutex_lock(&m->lock);
	found = p->until_ns && p->from_ns <= at_ns && at_ns <= p->until_ns &&
		memcmp(&p->key, key, sizeof(*key)) == 0;
	if (found)
		*ret_around = p->around;
	pthread_mutex_unlock(&m->lock);
	return found;
}
