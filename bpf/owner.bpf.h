/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Current task -> owner and process record.
 *
 * `current` may be trusted only in process context: connect, bind, sendmsg, recvmsg, getpeername
 * and sock_release programs, sockops TCP_CONNECT_CB and TCP_LISTEN_CB, a state change made by the
 * holder of the socket lock, the accept hooks, task exit and exec. Never in PASSIVE_ESTABLISHED_CB,
 * cgroup_skb/ingress or an iterator, where it is whoever was interrupted or reads.
 */
#ifndef FLOWNER_OWNER_BPF_H
#define FLOWNER_OWNER_BPF_H

#include "compat.bpf.h"
#include "event.bpf.h"
#include <flowner/check.h>

#define EEXIST 17
#define PF_KTHREAD 0x00200000

/* A thread of the kernel itself: it works for somebody, and nothing tells for whom. */
static __always_inline bool current_is_kernel(void)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

	return BPF_CORE_READ(task, flags) & PF_KTHREAD;
}

/* The daemon looks at everybody's descriptors: a socket that its process closes meanwhile is closed
 * when the daemon lets go of it. */
static __always_inline bool current_walks(void)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct fl_config *c = config_get();

	return c && c->walker == (__u32)BPF_CORE_READ(task, tgid);
}

/* All but the name. */
static __always_inline void owner_ids_of_task(struct task_struct *task, struct fl_owner *o)
{
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);
	const struct cred *cred = BPF_CORE_READ(task, cred);

	o->proc.start_ns = BPF_CORE_READ(leader, start_boottime);
	o->proc.pid = BPF_CORE_READ(task, tgid);
	o->proc.exec_id = (__u32)BPF_CORE_READ(task, self_exec_id);
	o->uid = BPF_CORE_READ(cred, euid.val);
	o->gid = BPF_CORE_READ(cred, egid.val);
}

static __always_inline void owner_of_task(struct task_struct *task, struct fl_owner *o)
{
	owner_ids_of_task(task, o);
	BPF_CORE_READ_INTO(&o->comm, task, group_leader, comm);
}

static __always_inline void owner_ids(struct fl_owner *o)
{
	struct task_struct *task;

	if (!can_task_btf) {
		owner_ids_of_task((struct task_struct *)bpf_get_current_task(), o);
		return;
	}
	task = bpf_get_current_task_btf();
	o->proc.start_ns = task->group_leader->start_boottime;
	o->proc.pid = task->tgid;
	o->proc.exec_id = (__u32)task->self_exec_id;
	o->uid = task->cred->euid.val;
	o->gid = task->cred->egid.val;
}

static __always_inline void owner_current(struct fl_owner *o)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

	owner_ids(o);
	BPF_CORE_READ_INTO(&o->comm, task, group_leader, comm);
}

/* The namespace of a socket the process opened: its inode is read when the cookie is a new one. */
static __always_inline void netns_note(struct fl_process *p, __u64 cookie, struct sock *sk)
{
	__u32 inum;

	if (!p || !cookie || p->netns_cookie == cookie)
		return;
	inum = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	p->netns_cookie = cookie;
	p->netns_inum = inum;
	bpf_map_update_elem(&netns, &cookie, &inum, BPF_ANY);
}

/*
 * The record of the image of TASK, whose owner is O: made when this is its first socket event. With
 * TEXT, path and arguments too, which only `current` may ask for, also where a walk was first.
 */
int process_ensure(struct task_struct *task, const struct fl_owner *o, bool text) __hidden;

static __always_inline struct fl_process *process_current(const struct fl_owner *o)
{
	struct fl_process *p = bpf_map_lookup_elem(&processes, &o->proc);

	if (p && p->text_taken)
		return p;
	process_ensure((struct task_struct *)bpf_get_current_task(), o, true);
	return bpf_map_lookup_elem(&processes, &o->proc);
}

static __always_inline void process_flow_added(struct fl_process *p)
{
	if (p)
		__sync_fetch_and_add(&p->flows, 1);
}

static __always_inline void process_delete(const struct fl_proc_key *key)
{
	bpf_map_delete_elem(&process_text, key);
	bpf_map_delete_elem(&processes, key);
}

/* One flow fewer; the record goes if its image is gone too. A flow never goes with its process. */
static __always_inline void process_flow_removed(const struct fl_proc_key *key)
{
	struct fl_process *p;

	if (!key->pid)
		return;
	p = bpf_map_lookup_elem(&processes, key);
	if (!p)
		return;
	__sync_fetch_and_add(&p->flows, -1);
	if (p->exited_ns && !p->flows)
		process_delete(key);
}

#endif /* FLOWNER_OWNER_BPF_H */
