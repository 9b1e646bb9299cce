/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * An executable by its file, or else by its place: the name it has in its directory. A new version
 * is renamed over the old one and run before the daemon can know its file; it is in the same place.
 * A file of the same name elsewhere is not, whatever path leads to it: what is mounted over a name
 * keeps its own directory and name.
 *
 * A name that is read while it changes is half of one that this directory had and half of another:
 * who can do that may choose names in it.
 */
#ifndef FLOWNER_VERDICT_PLACE_BPF_H
#define FLOWNER_VERDICT_PLACE_BPF_H

#include "policy.bpf.h"

#include <bpf/bpf_core_read.h>

/* As BPF_CORE_READ() of one field, by way of ROOM: there is not much left on the stack. */
#define READ_IN(room, at, field)                                                                   \
	({                                                                                         \
		__typeof__((at)->field) read_;                                                     \
		bpf_core_read(room, sizeof(read_), &(at)->field);                                  \
		__builtin_memcpy(&read_, room, sizeof(read_));                                     \
		read_;                                                                             \
	})

/* Through a pointer that is NULL one reads 0. */
static __always_inline struct dentry *dentry_of_current(__u32 dimension, __u64 *room)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct mm_struct *mm;
	struct file *exe;

	if (dimension == FL_DIM_PARENT)
		task = READ_IN(room, task, real_parent);
	mm = READ_IN(room, task, mm);
	exe = READ_IN(room, mm, exe_file);
	return READ_IN(room, exe, f_path.dentry);
}

static __always_inline __u64 name_of(struct dentry *dentry, __u64 *room)
{
	const unsigned char *name = READ_IN(room, dentry, d_name.name);
	__u64 left = READ_IN(room, dentry, d_name.len) & FL_NAME_MAX;
	__u64 hash = left;

	for (; left >= sizeof(*room); left -= sizeof(*room)) {
		bpf_probe_read_kernel(room, sizeof(*room), name);
		name += sizeof(*room);
		hash = fl_name_step(hash, *room);
	}
	*room = 0;
	bpf_probe_read_kernel(room, left % sizeof(*room), name);
	return fl_name_end(fl_name_step(hash, *room));
}

static __always_inline void place_of_current(__u32 dimension, struct fl_policy_place *place)
{
	__u64 *room = &place->name;
	struct dentry *dentry = dentry_of_current(dimension, room);
	struct dentry *parent = READ_IN(room, dentry, d_parent);
	struct inode *dir = READ_IN(room, parent, d_inode);
	struct super_block *sb = READ_IN(room, dir, i_sb);

	place->inode = READ_IN(room, dir, i_ino);
	place->dev = READ_IN(room, sb, s_dev);
	place->name = name_of(dentry, room);
}

/*
 * The class of the place of the process which runs here, or of its parent; OTHER where nobody has
 * named it, UNKNOWN where what was found became another's meanwhile. Not static, with numbers for
 * arguments: it is verified once, by itself, and the key is on no other's stack.
 */
__weak __noinline __u32 place_class(__u32 slot, __u32 dimension, __u32 other, __u32 unknown)
{
	struct fl_policy_place key = { .slot = slot, .dimension = dimension };
	struct fl_policy_place_class *found;
	__u64 class;

	place_of_current(dimension, &key);
	found = bpf_map_lookup_elem(&policy_places, &key);
	if (!found)
		return other;
	class = *(volatile const __u64 *)&found->class;
	return fl_policy_place_fits(found, &key, class) ? class : unknown;
}

#endif /* FLOWNER_VERDICT_PLACE_BPF_H */
