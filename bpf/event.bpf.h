/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Counters and the event ring: reserve, stamp, submit. There is no wake-up per event: it costs
 * twenty times the event. The reader has a timer; only a ring filling up wakes it.
 */
#ifndef FLOWNER_EVENT_BPF_H
#define FLOWNER_EVENT_BPF_H

#include "maps.bpf.h"
#include <bpf/bpf_core_read.h>

/* Bytes in the ring from which its reader is woken; set before load to a quarter of the ring. */
extern const volatile __u32 ring_wake_bytes;

static __always_inline void count(enum fl_counter counter)
{
	__u32 index = counter;
	__u64 *value = bpf_map_lookup_elem(&counters, &index);

	if (value)
		__sync_fetch_and_add(value, 1);
}

/* What was counted was something else. */
static __always_inline void count_back(enum fl_counter counter)
{
	__u32 index = counter;
	__u64 *value = bpf_map_lookup_elem(&counters, &index);

	if (value)
		__sync_fetch_and_add(value, -1);
}

static __always_inline struct fl_config *config_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&config, &zero);
}

static __always_inline bool events_watched(void)
{
	struct fl_config *c = config_get();

	return c && c->watched;
}

/* For the self-test at start: the program of this row ran in the process that makes the test. */
static __always_inline void note_fired(enum fl_probe probe)
{
	struct fl_config *c = config_get();
	__u32 index = probe;
	__u64 *n;

	if (!c || !c->selftest_pid)
		return;
	if ((__u32)BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), tgid) !=
	    c->selftest_pid)
		return;
	n = bpf_map_lookup_elem(&fired, &index);
	if (n)
		__sync_fetch_and_add(n, 1);
}

/* Wake when the fill crosses the mark: one record past it is one wake-up, not one per event. */
static __always_inline __u64 ring_flags(__u32 size)
{
	__u64 fill = bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA);

	if (fill >= ring_wake_bytes && fill < ring_wake_bytes + 4 * size)
		return BPF_RB_FORCE_WAKEUP;
	return BPF_RB_NO_WAKEUP;
}

static __always_inline struct fl_event *event_reserve(enum fl_record_type type)
{
	struct fl_event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);

	if (!e) {
		count(FL_CNT_RING_FULL);
		return NULL;
	}
	__builtin_memset(e, 0, sizeof(*e));
	e->head.type = type;
	e->head.size = sizeof(*e);
	e->time_ns = bpf_ktime_get_boot_ns();
	return e;
}

static __always_inline void event_submit(struct fl_event *e)
{
	bpf_ringbuf_submit(e, ring_flags(sizeof(*e)));
}

/* A record that already stands in a map value. SIZE is what the ring gets. */
static __always_inline void record_send(void *record, __u64 size)
{
	if (bpf_ringbuf_output(&events, record, size, ring_flags(size)))
		count(FL_CNT_RING_FULL);
}

#endif /* FLOWNER_EVENT_BPF_H */
