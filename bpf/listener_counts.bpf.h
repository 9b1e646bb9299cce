/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How many listeners each process, user, cgroup and executable has: a flow that listens has a place
 * with each of the four of who called listen(), for as long as it is in the maps.
 *
 * A count is the number of elements of `listeners` and `listeners_held` that are of it. Whoever
 * puts one in adds, whoever takes one out subtracts, and of each there is one: a count does not
 * drift, but where a map was full, which is counted (FL_CNT_LISTENERS_UNCOUNTED).
 *
 * Where a policy has limits, the verdict takes the place (verdict/limit.bpf.h) before the socket
 * listens, and the thread holds it meanwhile. When listen() fails after the verdict, the place is
 * given back at its return, or where that is not seen, at the thread's next listen() or its end.
 */
#ifndef FLOWNER_LISTENER_COUNTS_BPF_H
#define FLOWNER_LISTENER_COUNTS_BPF_H

#include "owner.bpf.h"
#include <flowner/listen.h>

static __always_inline void listener_of_task(struct task_struct *task, struct listener_of *of)
{
	struct inode *exe = BPF_CORE_READ(task, mm, exe_file, f_inode);

	of->start_ns = BPF_CORE_READ(task, group_leader, start_boottime);
	of->pid = BPF_CORE_READ(task, tgid);
	of->uid = BPF_CORE_READ(task, cred, euid.val);
	of->cgroup_id = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
	of->exe_inode = BPF_CORE_READ(exe, i_ino);
	of->exe_dev = BPF_CORE_READ(exe, i_sb, s_dev);
}

/* In `listeners_held`; a number that all programs can have. */
static __always_inline __u64 listeners_thread(void)
{
	return bpf_get_current_task();
}

/* Process context only, see owner.bpf.h. */
static __always_inline void listener_of_current(struct listener_of *of)
{
	listener_of_task((struct task_struct *)bpf_get_current_task(), of);
}

static __always_inline struct fl_listeners_key listeners_key(const struct listener_of *of,
							     enum fl_per per)
{
	struct fl_listeners_key key = { .per = per };

	switch (per) {
	case FL_PER_PROCESS:
		key.id[0] = of->start_ns;
		key.id[1] = of->pid;
		break;
	case FL_PER_USER:
		key.id[0] = of->uid;
		break;
	case FL_PER_CGROUP:
		key.id[0] = of->cgroup_id;
		break;
	case FL_PER_EXE:
		key.id[0] = of->exe_inode;
		key.id[1] = of->exe_dev;
		break;
	case FL_PERS:
		break;
	}
	return key;
}

/* The count of KEY, which is 0 when nobody has asked before. NULL: there is no room for it. */
static __always_inline struct fl_listeners_count *listeners_count(
	const struct fl_listeners_key *key)
{
	struct fl_listeners_count *c = bpf_map_lookup_elem(&listeners_counts, key);
	struct fl_listeners_count none = {};

	if (!c) {
		bpf_map_update_elem(&listeners_counts, key, &none, BPF_NOEXIST);
		c = bpf_map_lookup_elem(&listeners_counts, key);
	}
	if (c)
		c->used_ns = bpf_ktime_get_boot_ns();
	return c;
}

/* These are not static, with numbers for arguments: verified once, by themselves. */

/* One more. No room for the count: counted. */
__weak __noinline int listeners_more(__u64 id_0, __u64 id_1, __u32 per)
{
	struct fl_listeners_key key = { .id = { id_0, id_1 }, .per = per };
	struct fl_listeners_count *c = listeners_count(&key);

	if (c)
		__sync_fetch_and_add(&c->listeners, 1);
	else
		count(FL_CNT_LISTENERS_UNCOUNTED);
	return 0;
}

__weak __noinline int listeners_fewer(__u64 id_0, __u64 id_1, __u32 per)
{
	struct fl_listeners_key key = { .id = { id_0, id_1 }, .per = per };
	struct fl_listeners_count *c = bpf_map_lookup_elem(&listeners_counts, &key);

	if (c && c->listeners) /* 0: there was no room for this one */
		__sync_fetch_and_add(&c->listeners, -1);
	return 0;
}

static __always_inline void listeners_add(const struct listener_of *of)
{
	listeners_more(of->start_ns, of->pid, FL_PER_PROCESS);
	listeners_more(of->uid, 0, FL_PER_USER);
	listeners_more(of->cgroup_id, 0, FL_PER_CGROUP);
	listeners_more(of->exe_inode, of->exe_dev, FL_PER_EXE);
}

static __always_inline void listeners_subtract(const struct listener_of *of)
{
	if (!of->pid) /* nobody's: see listeners_deny() */
		return;
	listeners_fewer(of->start_ns, of->pid, FL_PER_PROCESS);
	listeners_fewer(of->uid, 0, FL_PER_USER);
	listeners_fewer(of->cgroup_id, 0, FL_PER_CGROUP);
	listeners_fewer(of->exe_inode, of->exe_dev, FL_PER_EXE);
}

/* What is in MAP by KEY is a listener no more. 1: it was one; who deletes it counts. */
static __always_inline int listeners_take(void *map, __u64 key)
{
	struct listener_of *its = bpf_map_lookup_elem(map, &key);
	struct listener_of of;

	if (!its)
		return 0;
	of = *its;
	if (bpf_map_delete_elem(map, &key))
		return 0;
	listeners_subtract(&of);
	return 1;
}

/* What a thread holds it needs no more. 1: it held something. */
__weak __noinline int listeners_give_back(__u64 thread)
{
	return listeners_take(&listeners_held, thread);
}

/* Flow ID listens, by `current`, who may hold a place for it. Once for each flow, like the rest. */
__weak __noinline int listeners_begin(__u64 id)
{
	__u64 thread = listeners_thread();
	struct listener_of *held = bpf_map_lookup_elem(&listeners_held, &thread);
	struct listener_of of = {};
	int r;

	if (held)
		of = *held;
	else
		listener_of_current(&of);
	r = bpf_map_update_elem(&listeners, &id, &of, BPF_NOEXIST);
	if (r && r != -EEXIST)
		count(FL_CNT_LISTENERS_UNCOUNTED);
	if (r)
		return listeners_give_back(thread);
	if (held)
		bpf_map_delete_elem(&listeners_held, &thread);
	else
		listeners_add(&of);
	return 0;
}

/* What this thread begins to listen with has no place, and is nobody's. */
__weak __noinline int listeners_deny(void)
{
	__u64 thread = listeners_thread();
	struct listener_of nobody = {};

	return bpf_map_update_elem(&listeners_held, &thread, &nobody, BPF_ANY);
}

/* Flow ID listens no more. 1: it had a place. */
__weak __noinline int listeners_end(__u64 id)
{
	return listeners_take(&listeners, id);
}

#endif /* FLOWNER_LISTENER_COUNTS_BPF_H */
