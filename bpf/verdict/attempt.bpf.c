// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "attempt.bpf.h"

/* Through a pointer that is NULL one reads 0. */
static __always_inline void file_of_task(struct task_struct *task, struct fl_file *f)
{
	struct inode *inode = BPF_CORE_READ(task, mm, exe_file, f_inode);

	f->inode = BPF_CORE_READ(inode, i_ino);
	f->dev = BPF_CORE_READ(inode, i_sb, s_dev);
}

int attempt_by_current(struct fl_attempt *a)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct task_struct *parent = BPF_CORE_READ(task, real_parent);

	owner_of_task(task, &a->owner);
	a->cgroup_id = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
	a->known |= KNOWS(FL_DIM_UID) | KNOWS(FL_DIM_GID) | KNOWS(FL_DIM_CGROUP) | FL_KNOWN_CURRENT;
	file_of_task(task, &a->exe);
	a->known |= KNOWS_IF(a->exe.inode, KNOWS(FL_DIM_EXE));
	file_of_task(parent, &a->parent);
	a->known |= KNOWS_IF(a->parent.inode, KNOWS(FL_DIM_PARENT));
	return 0;
}
