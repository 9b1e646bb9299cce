/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The path of a process's executable and its arguments, read in the kernel at the first socket
 * event: a process that lives 300 microseconds has no /proc entry by the time anybody looks.
 * The path is walked by dentries and mounts because bpf_d_path() is refused in these programs.
 */
#ifndef FLOWNER_EXE_BPF_H
#define FLOWNER_EXE_BPF_H

#include "event.bpf.h"
#include <bpf/bpf_core_read.h>

#define EXE_CLIMBS 8
#define EXE_CLIMB_STEPS 12 /* times EXE_CLIMBS: components and mounts of a path */
/* The path is put together from its end, which leaves a whole component of room behind it. */
#define EXE_END (FL_TEXT_BYTES - 256)

/* A file that never had a name is the root of a mount nobody can walk to: its dentry is its own
 * parent without being what is mounted. */
static __always_inline bool exe_nameless(struct file *exe)
{
	struct dentry *d = BPF_CORE_READ(exe, f_path.dentry);

	return d == BPF_CORE_READ(d, d_parent) && d != BPF_CORE_READ(exe, f_path.mnt, mnt_root);
}

static __always_inline __u32 exe_flags(struct file *exe)
{
	if (exe_nameless(exe))
		return FL_EXE_MEMFD | FL_EXE_DELETED;
	/* unhashed: what d_path() prints as " (deleted)" */
	if (!BPF_CORE_READ(exe, f_path.dentry, d_hash.pprev))
		return FL_EXE_DELETED;
	return 0;
}

/* Where the walk is stands in the text behind its end meanwhile, and the place in the text in
 * t->exe_len: what is loaded from a map has no history, so the verifier sees every step of the walk
 * as the same step and not as 2^n ways to get there. */
struct exe_walk {
	struct dentry *dentry;
	struct mount *mount;
};

static __always_inline struct exe_walk *exe_walk_of(struct fl_text *t)
{
	return (void *)&t->text[EXE_END];
}

/* One step towards the root: 1 when there is more, 0 at the root, negative when it does not fit. */
static __always_inline int exe_step(struct exe_walk *w, struct fl_text *t)
{
	/* locals: BPF_CORE_READ(w->x, ...) would relocate our own struct too */
	struct dentry *d = w->dentry;
	struct mount *m = w->mount;
	struct dentry *parent = BPF_CORE_READ(d, d_parent);
	const unsigned char *name;
	__u64 len, off; /* 64 bit: a shift pair between check and use would lose the bound */

	if (d == BPF_CORE_READ(m, mnt.mnt_root)) {
		struct mount *up = BPF_CORE_READ(m, mnt_parent);

		if (up == m)
			return 0;
		w->dentry = BPF_CORE_READ(m, mnt_mountpoint);
		w->mount = up;
		return 1;
	}
	name = BPF_CORE_READ(d, d_name.name);
	len = BPF_CORE_READ(d, d_name.len) & 255;
	off = t->exe_len;
	if (off < len + 1)
		return -1;
	off -= len + 1;
	barrier_var(off); /* the bound below must be the one of the address used */
	if (off > EXE_END)
		return -1;
	t->text[off] = '/';
	bpf_probe_read_kernel(&t->text[off + 1], len, name);
	t->exe_len = off;
	if (d == parent)
		return 0;
	w->dentry = parent;
	return 1;
}

/* Some steps of the text with this key: as exe_step(). See process_text_add() for its form. */
int exe_climb(__u64 start_ns, __u32 pid, __u32 exec_id);

static __always_inline void exe_read(struct task_struct *task, struct fl_text *t,
				     const struct fl_proc_key *key)
{
	struct file *exe = BPF_CORE_READ(task, mm, exe_file);
	struct exe_walk *w = exe_walk_of(t);
	__u64 len, off; /* 64 bit: a shift pair between check and use would lose the bound */
	int more = 1;

	if (!exe)
		return;
	w->dentry = BPF_CORE_READ(exe, f_path.dentry);
	w->mount = (void *)BPF_CORE_READ(exe, f_path.mnt) -
		   bpf_core_field_offset(struct mount, mnt);
	t->exe_len = EXE_END;
	for (int i = 0; i < EXE_CLIMBS && more > 0; i++)
		more = exe_climb(key->start_ns, key->pid, key->exec_id);
	off = t->exe_len;
	t->exe_len = 0;
	len = EXE_END - off;
	if (more || off > EXE_END || !len || len > FL_EXE_MAX) {
		count(FL_CNT_EXE_UNREAD);
		return;
	}
	/* downwards over itself: the kernel copies forward */
	bpf_probe_read_kernel(t->text, len, &t->text[off]);
	t->text[len] = '\0';
	t->exe_len = len;
}

static __always_inline void args_read(struct task_struct *task, struct fl_text *t)
{
	unsigned long start = BPF_CORE_READ(task, mm, arg_start);
	unsigned long end = BPF_CORE_READ(task, mm, arg_end);
	__u64 len = end - start;
	__u32 at = t->exe_len + 1;

	if (!start || end <= start)
		return;
	if (len > FL_ARGS_MAX) {
		len = FL_ARGS_MAX;
		t->args_truncated = 1;
	}
	if (at > FL_EXE_MAX + 1)
		return;
	if (bpf_probe_read_user(&t->text[at], len, (void *)start)) {
		count(FL_CNT_ARGS_UNREAD);
		return;
	}
	t->args_len = len;
}

#endif /* FLOWNER_EXE_BPF_H */
