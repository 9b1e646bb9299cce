/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What differs between kernels, one getter each. The daemon finds out by trial loads which helper a
 * program type may call here and sets the constants; the verifier then drops the other branch.
 */
#ifndef FLOWNER_COMPAT_BPF_H
#define FLOWNER_COMPAT_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

/* bpf_get_current_task_btf(): 5.11. Plain loads then cost a tenth of probe reads. */
extern const volatile bool can_task_btf;
/* bpf_get_socket_cookie() and socket storage in tracing programs and iterators: 5.11 */
extern const volatile bool can_tracing_socket;
/* What the configuration has counted: of TCP the kernel's own numbers are read at the close, of UDP
 * every datagram is counted. */
extern const volatile bool count_tcp;
extern const volatile bool count_udp;

/* Only where the kernel has audit. */
static __always_inline __u32 task_login_uid(struct task_struct *task)
{
	if (!bpf_core_field_exists(task->loginuid))
		return 0xffffffffu;
	return BPF_CORE_READ(task, loginuid.val);
}

/* A pointer as a number: what the verifier knows of one it lets be read by name only, and gives to
 * no function that takes a number. */
static __always_inline __u64 address_of(const void *pointer)
{
	__u64 address = 0;

	bpf_probe_read_kernel(&address, sizeof(address), &pointer);
	return address;
}

/* The cookie a socket already has, 0 when nobody asked for it yet. */
static __always_inline __u64 sock_existing_cookie(struct sock *sk)
{
	return BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
}

/* The cookie of a network namespace. Before 5.12 there is none until netns.bpf.c asked for it. */
static __always_inline __u64 net_cookie_lazy(struct net *net)
{
	struct net___lazy *lazy = (void *)net;

	return BPF_CORE_READ(lazy, net_cookie.counter);
}

static __always_inline __u64 net_cookie(struct net *net) /* a pointer the verifier knows */
{
	if (bpf_core_field_exists(net->net_cookie))
		return net->net_cookie;
	return net_cookie_lazy(net);
}

static __always_inline __u64 net_cookie_probed(struct net *net) /* any other */
{
	if (bpf_core_field_exists(net->net_cookie))
		return BPF_CORE_READ(net, net_cookie);
	return net_cookie_lazy(net);
}

/* The cgroup a socket was made in. Before 5.15 the pointer shared its word with what cgroup1 sets:
 * NULL then, and nothing says which it was. */
static __always_inline struct cgroup *sock_cgroup(struct sock *sk)
{
	struct sock_cgroup_data___shared *shared;
	__u64 value;

	if (bpf_core_field_exists(sk->sk_cgrp_data.cgroup))
		return BPF_CORE_READ(sk, sk_cgrp_data.cgroup);
	shared = (void *)sk + bpf_core_field_offset(struct sock, sk_cgrp_data);
	value = BPF_CORE_READ(shared, val);
	return value & 3 ? NULL : (struct cgroup *)value;
}

/* The number of the system call that is returning. */
static __always_inline long syscall_number(void *regs)
{
	struct pt_regs___x86_syscall *x86 = regs;
	struct pt_regs___arm64_syscall *arm64 = regs;
	struct pt_regs___s390_syscall *s390 = regs;

	if (bpf_core_field_exists(x86->orig_ax))
		return BPF_CORE_READ(x86, orig_ax);
	if (bpf_core_field_exists(arm64->syscallno))
		return BPF_CORE_READ(arm64, syscallno);
	return BPF_CORE_READ(s390, int_code) & 0xffff;
}

/* The call within socketcall(2) that is returning, -1 where it is not known. */
static __always_inline long socketcall_number(void *regs)
{
	struct pt_regs___s390_syscall *s390 = regs;

	if (bpf_core_field_exists(s390->orig_gpr2))
		return BPF_CORE_READ(s390, orig_gpr2);
	return -1;
}

#endif /* FLOWNER_COMPAT_BPF_H */
