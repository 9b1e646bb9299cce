// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "attempt.bpf.h"
#include "mptcp.bpf.h"
#include <flowner/link.h>

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

int attempt_by_owner(struct fl_attempt *a)
{
	struct fl_process *p;

	if (!fl_owner_known(&a->owner))
		return 0;
	a->known |= KNOWS(FL_DIM_UID) | KNOWS(FL_DIM_GID);
	p = bpf_map_lookup_elem(&processes, &a->owner.proc);
	if (!p)
		return 0;
	a->cgroup_id = p->cgroup_id;
	a->exe.inode = p->exe_inode;
	a->exe.dev = p->exe_dev;
	a->known |= KNOWS(FL_DIM_CGROUP);
	a->known |= KNOWS_IF(p->exe_inode, KNOWS(FL_DIM_EXE));
	return 0;
}

/* What the maps say of flow ID: its owner into A, its key. -ENOENT: nothing. */
static __noinline int flow_of(__u64 id, struct fl_attempt *a, struct fl_key *ret_key)
{
	struct fl_socket *s = bpf_map_lookup_elem(&socket_to_process, &id);

	if (!s)
		return -2;
	*ret_key = s->key;
	a->owner = s->owner;
	if (socket_is(s, id, ret_key, &a->owner))
		return 0;
	__builtin_memset(&a->owner, 0, sizeof(a->owner));
	return -2;
}

int attempt_by_socket(struct fl_attempt *a, __u64 id)
{
	struct fl_key key;

	if (flow_of(id, a, &key))
		return 0;
	attempt_namespace(a, key.netns_cookie);
	a->key.ifindex = key.ifindex;
	return attempt_by_owner(a);
}

int attempt_by_caller(struct fl_attempt *a, struct tcp_sock *tp)
{
	struct fl_key key;

	if (!tp || !mptcp_is_joined(tp))
		attempt_by_current(a);
	else if (!flow_of(mptcp_sibling_of(tp, a->cookie), a, &key))
		attempt_by_owner(a);
	a->known = fl_opaque(a->known); /* what follows is the same for all of them */
	return 0;
}

/* Not static, with numbers for arguments: verified once, by itself. interface_type << 32 | that of
 * the tunnel. */
__noinline __u64 link_types(__u64 kind_0, __u64 kind_1, __u32 hardware, __u64 wireless)
{
	struct fl_link_types types = fl_link_types(kind_0, kind_1, hardware, wireless);

	return (__u64)types.interface_type << 32 | types.tunnel_type;
}

/* Only where the kernel has wireless networks at all. */
static __always_inline __u64 is_wireless(struct net_device *dev)
{
	if (!bpf_core_field_exists(dev->ieee80211_ptr))
		return 0;
	return (__u64)(unsigned long)BPF_CORE_READ(dev, ieee80211_ptr);
}

/* Through a pointer that is NULL one reads 0, so there is no need for a branch. */
int attempt_by_device(struct fl_attempt *a, struct net_device *dev)
{
	union fl_link_text name = {}, kind = {};
	__u64 types;

	BPF_CORE_READ_STR_INTO(&name.text, dev, name);
	bpf_probe_read_kernel_str(kind.text, sizeof(kind.text),
				  BPF_CORE_READ(dev, rtnl_link_ops, kind));
	types = link_types(kind.words[0], kind.words[1], BPF_CORE_READ(dev, type),
			   is_wireless(dev));
	a->interface = fl_link_name(name.words[0], name.words[1]);
	a->next_hop_interface = (__u32)BPF_CORE_READ(dev, ifindex);
	a->interface_type = (__u32)(types >> 32);
	a->tunnel_type = (__u32)types;
	a->known |= KNOWS_IF((unsigned long)dev, KNOWS(FL_DIM_INTERFACE) |
							 KNOWS(FL_DIM_INTERFACE_TYPE) |
							 KNOWS(FL_DIM_TUNNEL_TYPE));
	return 0;
}
