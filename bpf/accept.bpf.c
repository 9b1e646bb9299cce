// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Who accepted: the ladder of hooks that run in the acceptor's context, best first, of which the
 * hook table turns on the first that is seen to fire; and the first touch of a socket, which is
 * what is left when accept() was given no address buffer and no better hook is there.
 */
#include "mptcp.bpf.h"
#include "udp.bpf.h"
#include <bpf/bpf_tracing.h>
#include <linux/net.h>

#define MSG_PEEK 2
#define MSG_ERRQUEUE 0x2000 /* what comes back is no datagram of a peer */
#define S_IFMT 0170000
#define S_IFSOCK 0140000

extern const volatile __u64 scope_cgroup_id;
/* accept and accept4 on this architecture, set before load; -1 where there is none */
extern const volatile long accept_syscalls[2];
/* the one that is all of the socket calls in one, as the C library of s390 has it */
extern const volatile long socketcall_syscall;

/* A child socket cannot be in a second life: its flow id is its cookie. */
static __always_inline void accepted_tcp(struct sock *sk)
{
	__u64 cookie = sock_existing_cookie(sk);

	if (!cookie || BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP)
		return;
	if (BPF_CORE_READ(sk, __sk_common.skc_state) != FL_STATE_CLOSE) {
		flow_accepted(cookie);
		return;
	}
	if (bpf_map_lookup_elem(&socket_to_process, &cookie) || !sock_in_scope(sk, scope_cgroup_id))
		return;
	flow_accept_late(cookie);
}

__noinline int mptcp_accepted(__u64 connection)
{
	struct mptcp_walk w;

	if (!mptcp_exists())
		return 0;
	w = mptcp_walk((struct sock *)connection);
#pragma clang loop unroll(disable)
	for (int i = 0; i < MPTCP_PATHS; i++) {
		struct sock *path = mptcp_next(&w);
		__u64 id;

		if (!path)
			return 0;
		id = mptcp_flow(&w, path);
		if (id)
			flow_accepted(id);
	}
	mptcp_left(&w);
	return 0;
}

/* Noted first, then looked for: who opens the flow does it the other way round, see there. */
__noinline int mptcp_accepting(__u64 connection)
{
	struct fl_owner o = {};
	struct mptcp_walk w;
	struct sock *path;
	__u64 key, id;

	if (!mptcp_exists())
		return 0;
	w = mptcp_walk((struct sock *)connection);
	path = mptcp_next(&w);
	if (!path || BPF_CORE_READ(path, __sk_common.skc_state) != FL_STATE_SYN_RECV)
		return 0;
	key = mptcp_key((struct mptcp_sock *)connection);
	owner_current(&o);
	process_current(&o);
	if (bpf_map_update_elem(&mptcp_accepts, &key, &o, BPF_ANY))
		count(FL_CNT_MPTCP_UNOWNED);
	id = mptcp_flow(&w, path);
	if (id && bpf_map_lookup_elem(&socket_to_process, &id))
		bpf_map_delete_elem(&mptcp_accepts, &key);
	return 0;
}

static __always_inline void accepted(struct sock *sk)
{
	if (is_mptcp(sk)) {
		mptcp_accepting(address_of(sk));
		mptcp_accepted(address_of(sk));
	} else {
		accepted_tcp(sk);
	}
}

SEC("lsm/sock_graft")
int BPF_PROG(accept_lsm, struct sock *sk, struct socket *parent)
{
	note_fired(FL_PROBE_ACCEPT_LSM);
	accepted(sk);
	return 0;
}

/* The same place without a security module. Not the return of inet_csk_accept(): the socket is not
 * locked there, and another CPU may not yet have told that it is established. */
SEC("fentry/security_sock_graft")
int BPF_PROG(accept_fentry, struct sock *sk, struct socket *parent)
{
	note_fired(FL_PROBE_ACCEPT_FENTRY);
	accepted(sk);
	return 0;
}

SEC("kprobe/security_sock_graft")
int BPF_KPROBE(accept_kprobe, struct sock *sk, struct socket *parent)
{
	note_fired(FL_PROBE_ACCEPT_KPROBE);
	accepted(sk);
	return 0;
}

/* Runs inside accept() when the caller wants the address, and in getpeername() itself. */
static __always_inline void peer_asked(struct bpf_sock_addr *ctx)
{
	struct bpf_sock *bs = ctx->sk;

	if (bs && (ctx->protocol == IPPROTO_TCP || ctx->protocol == IPPROTO_MPTCP))
		accepted((struct sock *)address_of(bs));
}

SEC("cgroup/getpeername4")
int accept_getpeername4(struct bpf_sock_addr *ctx)
{
	peer_asked(ctx);
	return 1;
}

SEC("cgroup/getpeername6")
int accept_getpeername6(struct bpf_sock_addr *ctx)
{
	peer_asked(ctx);
	return 1;
}

/* The socket behind a descriptor of the current process, by the table it has at this moment. */
static __always_inline struct sock *sock_from_fd(long fd)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct fdtable *fdt = BPF_CORE_READ(task, files, fdt);
	struct file **slots = BPF_CORE_READ(fdt, fd), *file = NULL;
	struct socket *socket;

	if (fd < 0 || fd >= BPF_CORE_READ(fdt, max_fds))
		return NULL;
	bpf_probe_read_kernel(&file, sizeof(file), slots + fd);
	if (!file || (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
		return NULL;
	socket = BPF_CORE_READ(file, private_data);
	return BPF_CORE_READ(socket, sk);
}

static __always_inline bool is_accept(void *regs)
{
	long nr = syscall_number(regs);

	if (nr == socketcall_syscall) {
		nr = socketcall_number(regs);
		return nr == SYS_ACCEPT || nr == SYS_ACCEPT4;
	}
	return nr == accept_syscalls[0] || nr == accept_syscalls[1];
}

/* Exact whatever the buffers, but every system call of the machine pays: by --accept=syscall. */
SEC("tp_btf/sys_exit")
int BPF_PROG(accept_syscall, void *regs, long ret)
{
	struct sock *sk;
	__u16 family;

	if (!is_accept(regs))
		return 0;
	note_fired(FL_PROBE_ACCEPT_SYSCALL);
	sk = sock_from_fd(ret);
	if (!sk)
		return 0;
	family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if (family == AF_INET || family == AF_INET6)
		accepted(sk);
	return 0;
}

/* First touch: the process that reads or writes an unaccepted passive socket has accepted it. */
static __always_inline bool waits(__u64 cookie)
{
	struct fl_socket *s = bpf_map_lookup_elem(&socket_to_process, &cookie);

	return s && !s->accepted && s->role == FL_ROLE_ACCEPTOR;
}

static __always_inline void touched(struct sock *sk)
{
	__u64 cookie = sk->__sk_common.skc_cookie.counter;

	if (cookie && waits(cookie))
		flow_accepted(cookie);
}

/* Paths that came to it since have the owner of the first. */
static __noinline int touched_mptcp(struct sock *sk)
{
	struct mptcp_walk w = mptcp_walk(sk);
	struct sock *path = mptcp_next(&w);

	if (path && waits(mptcp_flow(&w, path)))
		mptcp_accepted(address_of(sk));
	return 0;
}

static __always_inline bool is_inet(struct sock *sk)
{
	__u16 family = sk->__sk_common.skc_family;

	return family == AF_INET || family == AF_INET6;
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(touch_send, struct sock *sk, int ret, int flags)
{
	note_fired(FL_PROBE_TOUCH);
	if (!is_inet(sk))
		return 0;
	if (sk->sk_protocol == IPPROTO_TCP)
		touched(sk);
	else if (is_mptcp(sk))
		touched_mptcp(sk);
	return 0;
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(touch_recv, struct sock *sk, int ret, int flags)
{
	if (!is_inet(sk))
		return 0;
	if (sk->sk_protocol == IPPROTO_TCP)
		touched(sk);
	else if (sk->sk_protocol == IPPROTO_UDP)
		udp_received(sk, ret >= 0 && !(flags & (MSG_PEEK | MSG_ERRQUEUE)));
	else if (is_mptcp(sk))
		touched_mptcp(sk);
	return 0;
}
