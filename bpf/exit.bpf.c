// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The end of a process image: exit of its last thread, or an exec that replaces it. Marks the
 * record; never ends a flow: sockets drain, and are handed on, after their process is gone.
 */
#include "listener_counts.bpf.h"
#include <bpf/bpf_tracing.h>

static __always_inline void image_gone(struct task_struct *task, __u32 exec_id, bool replaced)
{
	struct fl_proc_key key = {
		.start_ns = BPF_CORE_READ(task, group_leader, start_boottime),
		.pid = BPF_CORE_READ(task, tgid),
		.exec_id = exec_id,
	};
	struct fl_process *p = bpf_map_lookup_elem(&processes, &key);
	struct fl_exit x = { .head = { FL_RECORD_EXIT, sizeof(x) },
			     .key = key,
			     .replaced = replaced };

	if (!p || p->exited_ns)
		return;
	x.time_ns = bpf_ktime_get_boot_ns();
	p->exited_ns = x.time_ns;
	if (!p->flows)
		process_delete(&key);
	record_send(&x, sizeof(x));
}

/* After live was counted down: of two last threads that end at once both may see 0, at the entry of
 * do_exit() neither 1. The second argument is too young to use. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(exit_tp, struct task_struct *task)
{
	note_fired(FL_PROBE_EXIT);
	listeners_give_back(listeners_thread());
	if (BPF_CORE_READ(task, signal, live.counter) == 0)
		image_gone(task, (__u32)BPF_CORE_READ(task, self_exec_id), false);
	return 0;
}

/* self_exec_id is already the new image's here; a fork inherits it, an exec adds one. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(exec_tp, struct task_struct *task, int old_pid)
{
	image_gone(task, (__u32)BPF_CORE_READ(task, self_exec_id) - 1, true);
	return 0;
}
