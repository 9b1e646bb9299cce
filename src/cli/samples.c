/* SPDX-License-Identifier: BSD-2-Clause */
/* Two tables of flows take turns: the last sample, and the one being added. */
#include "cli/samples.h"

#include <errno.h>
#include <stdlib.h>

#include "text/places.h"

#define FIRST_ROOM 256

/* Flows in the order they came. */
struct table {
	struct sampled_flow *flows;
	size_t count, room;
	struct places by_id;
	__u64 time_ns; /* 0: no sample */
};

struct samples {
	struct table last, next;
	__u64 interval_ns;
};

static void table_release(struct table *t)
{
	free(t->flows);
	places_release(&t->by_id);
	*t = (struct table){ 0 };
}

static __u64 hash_of(__u64 id)
{
	return id * 0x9e3779b97f4a7c15ULL;
}

static bool is_of(const void *flows, size_t place, const void *id)
{
	return ((const struct sampled_flow *)flows)[place].flow.id == *(const __u64 *)id;
}

static struct sampled_flow *table_find(const struct table *t, __u64 id)
{
	size_t place = places_find(&t->by_id, hash_of(id), is_of, t->flows, &id);

	return place == PLACES_NONE ? NULL : &t->flows[place];
}

/* One more, with this id. */
static int table_add(struct table *t, __u64 id, struct sampled_flow **ret_flow)
{
	size_t room = t->room ? 2 * t->room : FIRST_ROOM;
	struct sampled_flow *flows;
	int r;

	if (t->count == t->room) {
		flows = reallocarray(t->flows, room, sizeof(*flows));
		if (!flows)
			return -ENOMEM;
		t->flows = flows;
		t->room = room;
	}
	r = places_add(&t->by_id, hash_of(id), t->count);
	if (r < 0)
		return r;
	*ret_flow = &t->flows[t->count++];
	return 0;
}

int samples_new(struct samples **ret_samples)
{
	struct samples *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	*ret_samples = s;
	return 0;
}

void samples_free(struct samples *s)
{
	if (!s)
		return;
	table_release(&s->last);
	table_release(&s->next);
	free(s);
}

void samples_begin(struct samples *s, __u64 now_ns)
{
	samples_abandon(s);
	s->next.time_ns = now_ns;
}

/* Two sources tell a number of one socket, while it lives and at its end: it may not go down. */
static __u64 more(__u64 now, __u64 before)
{
	return now > before ? now - before : 0;
}

static struct fl_counts difference(const struct fl_counts *now, const struct fl_counts *before)
{
	return (struct fl_counts){
		.bytes_sent = more(now->bytes_sent, before->bytes_sent),
		.bytes_received = more(now->bytes_received, before->bytes_received),
		.packets_sent = more(now->packets_sent, before->packets_sent),
		.packets_received = more(now->packets_received, before->packets_received),
	};
}

/* Of one that is older than that and was not seen before, nobody knows since when it counts. */
static void compare(const struct samples *s, struct sampled_flow *f)
{
	const struct sampled_flow *before = table_find(&s->last, f->flow.id);

	if (!s->last.time_ns)
		return;
	if (before && before->flow.ended_ns) {
		f->past = true;
	} else if (before) {
		f->measured = f->flow.counted && before->flow.counted;
		f->since = difference(&f->flow.counts, &before->flow.counts);
	} else if (f->flow.opened_ns >= s->last.time_ns) {
		f->opened = true;
		f->measured = f->flow.counted;
		f->since = f->flow.counts;
	}
}

int samples_add(struct samples *s, const struct fl_flow *flow)
{
	struct table *t = &s->next;
	struct sampled_flow *f = table_find(t, flow->id);
	int r;

	if (f && f->flow.ended_ns)
		return 0;
	if (!f) {
		r = table_add(t, flow->id, &f);
		if (r < 0)
			return r;
	}
	*f = (struct sampled_flow){ .flow = *flow };
	compare(s, f);
	return 0;
}

void samples_end(struct samples *s)
{
	__u64 before = s->last.time_ns;

	table_release(&s->last);
	s->last = s->next;
	s->next = (struct table){ 0 };
	s->interval_ns = before ? more(s->last.time_ns, before) : 0;
}

void samples_abandon(struct samples *s)
{
	table_release(&s->next);
}

void samples_forget(struct samples *s)
{
	table_release(&s->last);
	s->interval_ns = 0;
}

__u64 samples_time_ns(const struct samples *s)
{
	return s->last.time_ns;
}

__u64 samples_interval_ns(const struct samples *s)
{
	return s->interval_ns;
}

size_t samples_count(const struct samples *s)
{
	return s->last.count;
}

const struct sampled_flow *samples_at(const struct samples *s, size_t i)
{
	return &s->last.flows[i];
}

const struct sampled_flow *samples_find(const struct samples *s, __u64 id)
{
	return table_find(&s->last, id);
}
