// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "attempt.bpf.h"

static __always_inline bool file_of_task(struct task_struct *task, struct fl_file *f)
{
	struct inode *inode = BPF_CORE_READ(task, mm, exe_file, f_inode);

	if (!inode)
		return false;
	f->inode = BPF_CORE_READ(inode, i_ino);
	f->dev = BPF_CORE_READ(inode, i_sb, s_dev);
	return true;
}

int attempt_by_current(struct fl_attempt *a)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct task_struct *parent = BPF_CORE_READ(task, real_parent);

	owner_of_task(task, &a->owner);
	a->cgroup_id = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
	a->known |= KNOWS(FL_DIM_UID) | KNOWS(FL_DIM_GID) | KNOWS(FL_DIM_CGROUP);
	if (file_of_task(task, &a->exe))
		a->known |= KNOWS(FL_DIM_EXE);
	if (file_of_task(parent, &a->parent))
		a->known |= KNOWS(FL_DIM_PARENT);
	return 0;
}
