// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Who has a socket open: every descriptor of every process is looked at, and those of the sockets
 * asked for are told to the reader of the iterator. A descriptor, not a mapping, a message on its
 * way or a table of io_uring. `current` is the reader: holders come from the task walked.
 */
#include "file.bpf.h"
#include "mptcp.bpf.h"
#include "owner.bpf.h"
#include <bpf/bpf_tracing.h>

/* Cookies, 0 = none. Written by the daemon (holders.c), which asks for as many at once. */
__u64 wanted_sockets[FL_HOLDER_WALKS];

static __always_inline bool is_wanted(__u64 cookie)
{
	for (int i = 0; i < FL_HOLDER_WALKS; i++)
		if (wanted_sockets[i] == cookie)
			return cookie;
	return false;
}

/* What the kernel gathers is given out when something was written: often, so that a read is short
 * however many files there are. */
static __always_inline void tell_progress(struct bpf_iter_meta *meta)
{
	struct fl_holder nobody = {};

	if (meta->seq_num % FL_HOLDER_PACE == FL_HOLDER_PACE - 1)
		bpf_seq_write(meta->seq, &nobody, sizeof(nobody));
}

static __noinline int tell_holder(struct bpf_iter__task_file *ctx, __u64 cookie)
{
	struct fl_holder holder = { .cookie = cookie, .fd = ctx->fd };
	struct task_struct *task = ctx->task;

	if (!task || !is_wanted(cookie))
		return 0;
	owner_of_task(task, &holder.owner);
	bpf_seq_write(ctx->meta->seq, &holder, sizeof(holder));
	return 0;
}

/* Who has the connection has all its paths. */
static __noinline int tell_holder_of_paths(struct bpf_iter__task_file *ctx, struct sock *sk)
{
	struct mptcp_walk w = mptcp_walk(sk);

#pragma clang loop unroll(disable)
	for (int i = 0; i < MPTCP_PATHS; i++) {
		struct sock *path = mptcp_next(&w);

		if (!path)
			return 0;
		tell_holder(ctx, mptcp_flow(&w, path));
	}
	mptcp_left(&w);
	return 0;
}

SEC("iter/task_file")
int find_holders(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct socket *socket;
	struct sock *sk;

	if (!task || !file)
		return 0;
	tell_progress(ctx->meta);
	socket = socket_of_file(file);
	if (!socket)
		return 0;
	sk = can_tracing_socket ? socket->sk : BPF_CORE_READ(socket, sk);
	if (!sk)
		return 0;
	return is_mptcp(sk) ? tell_holder_of_paths(ctx, sk)
			    : tell_holder(ctx, sock_existing_cookie(sk));
}
