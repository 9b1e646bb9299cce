// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The records of process images: filled once, at the first socket event of the image. */
#include "exe.bpf.h"
#include "owner.bpf.h"

static __always_inline void ancestors_read(struct task_struct *task, struct fl_process *p)
{
	struct task_struct *t = task;
	__u32 n = 0;

	for (int i = 0; i < FL_ANCESTORS; i++) {
		struct fl_ancestor *a = &p->ancestors[i];

		t = BPF_CORE_READ(t, real_parent, group_leader);
		a->pid = BPF_CORE_READ(t, tgid);
		if (!a->pid)
			break;
		a->start_ns = BPF_CORE_READ(t, start_boottime);
		BPF_CORE_READ_INTO(&a->comm, t, comm);
		n++;
	}
	p->ancestor_count = n;
}

/* Everything that does not need the memory of the process: also right for another task. */
static __always_inline void process_fill(struct task_struct *task, const struct fl_owner *o,
					 struct fl_process *p)
{
	struct file *exe = BPF_CORE_READ(task, mm, exe_file);

	p->head.type = FL_RECORD_PROCESS;
	p->head.size = sizeof(*p);
	p->key = o->proc;
	p->seen_ns = bpf_ktime_get_boot_ns();
	p->cgroup_id = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
	if (exe) {
		p->exe_inode = BPF_CORE_READ(exe, f_inode, i_ino);
		p->exe_dev = BPF_CORE_READ(exe, f_inode, i_sb, s_dev);
		p->exe_flags = exe_flags(exe);
	}
	p->uid = o->uid;
	p->gid = o->gid;
	p->login_uid = task_login_uid(task);
	__builtin_memcpy(p->comm, o->comm, sizeof(p->comm));
	ancestors_read(task, p);
}

/*
 * The record of a process image, made at its first socket event. Elements start as copies of the
 * blank one and are filled in place: BPF_NOEXIST makes us their only writer.
 */
static __always_inline struct fl_process *process_add(struct task_struct *task,
						      const struct fl_owner *o)
{
	__u32 zero = 0;
	struct blank *b = bpf_map_lookup_elem(&blank, &zero);
	struct fl_process *p;
	int r;

	if (!b)
		return NULL;
	r = bpf_map_update_elem(&processes, &o->proc, &b->process, BPF_NOEXIST);
	if (r) {
		if (r != -EEXIST) /* else another thread of the process is at it */
			count(FL_CNT_PROCESSES_FULL);
		return NULL;
	}
	p = bpf_map_lookup_elem(&processes, &o->proc);
	if (!p)
		return NULL;
	process_fill(task, o, p);
	return p;
}

__noinline int exe_step_at(__u64 start_ns, __u32 pid, __u32 exec_id)
{
	struct fl_proc_key key = { .start_ns = start_ns, .pid = pid, .exec_id = exec_id };
	struct fl_text *t = bpf_map_lookup_elem(&process_text, &key);

	return t ? exe_step(exe_walk_of(t), t) : -1;
}

__noinline int exe_climb(__u64 start_ns, __u32 pid, __u32 exec_id)
{
	int more = 1;

	for (int i = 0; i < EXE_CLIMB_STEPS && more > 0; i++)
		more = exe_step_at(start_ns, pid, exec_id);
	return more;
}

/*
 * Not static and not hidden, with nothing but numbers for arguments: the verifier then takes it
 * apart once for a program and not at every call, and the walk along a path is most of what there
 * is to verify.
 */
__noinline int process_text_add(__u64 start_ns, __u32 pid, __u32 exec_id)
{
	struct fl_proc_key key = { .start_ns = start_ns, .pid = pid, .exec_id = exec_id };
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	__u32 zero = 0, len;
	struct blank *b = bpf_map_lookup_elem(&blank, &zero);
	struct fl_text *t;
	int r;

	if (!b)
		return 0;
	r = bpf_map_update_elem(&process_text, &key, &b->text, BPF_NOEXIST);
	if (r) {
		if (r != -EEXIST) /* else another thread of the process is at it */
			count(FL_CNT_PROCESSES_FULL);
		return 0;
	}
	t = bpf_map_lookup_elem(&process_text, &key);
	if (!t)
		return 0;
	t->head.type = FL_RECORD_TEXT;
	t->key = key;
	exe_read(task, t, &key);
	args_read(task, t);
	len = sizeof(*t) - FL_TEXT_BYTES + t->exe_len + 1 + t->args_len;
	t->head.size = len;
	t->ready = 1;
	len = t->head.size;
	if (len > sizeof(*t))
		return 0;
	record_send(t, len);
	return 0;
}

int process_ensure(struct task_struct *task, const struct fl_owner *o, bool text)
{
	struct fl_process *p = process_add(task, o);
	bool added = p != NULL;

	if (!p)
		p = bpf_map_lookup_elem(&processes, &o->proc);
	if (!p)
		return 0;
	if (text && !p->text_taken) {
		p->text_taken = 1;
		process_text_add(o->proc.start_ns, o->proc.pid, o->proc.exec_id);
	}
	p = bpf_map_lookup_elem(&processes, &o->proc);
	if (p && added)
		record_send(p, sizeof(*p));
	return 0;
}
