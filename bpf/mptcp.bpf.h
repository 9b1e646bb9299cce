/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * MPTCP. What a process has is the socket of a connection; what is on the wire are its paths, each
 * a TCP socket of its own and a session like any other. The kernel opens paths beside the first by
 * itself, in a worker thread or when the peer asks for one: they belong to who has the connection,
 * whom another path of it tells.
 */
#ifndef FLOWNER_MPTCP_BPF_H
#define FLOWNER_MPTCP_BPF_H

#include "owner.bpf.h"

#define IPPROTO_MPTCP 262

/* As many are looked at: eight beside the first are the most that kernels up to 6.18 let be
 * configured. Of more, which 7.2 allows, those behind have no holders here, and stay the listener's
 * and interim when they came before accept(): counted. */
#define MPTCP_PATHS 9

/* A kernel built without has no such type, and the verifier drops what asks for it. */
static __always_inline bool mptcp_exists(void)
{
	return bpf_core_type_exists(struct mptcp_sock);
}

/* SK, any pointer that BPF_CORE_READ can follow, is the socket of a connection. */
static __always_inline bool is_mptcp(struct sock *sk)
{
	return mptcp_exists() && BPF_CORE_READ(sk, sk_protocol) == IPPROTO_MPTCP;
}

/* What makes TP a path, NULL where it is none. */
static __always_inline struct mptcp_subflow_context *mptcp_path(struct tcp_sock *tp)
{
	struct inet_connection_sock *icsk = (struct inet_connection_sock *)tp;

	if (!mptcp_exists() || !BPF_CORE_READ(tp, is_mptcp))
		return NULL;
	return BPF_CORE_READ(icsk, icsk_ulp_data);
}

/* What happens to this path is the doing of the kernel, which nobody has asked for it just now. */
static __always_inline bool mptcp_by_worker(struct tcp_sock *tp)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

	return mptcp_path(tp) && BPF_CORE_READ(task, flags) & PF_KTHREAD;
}

/* A path beside the first, whoever runs here: a worker, or who configures paths ('ip mptcp'). */
static __always_inline bool mptcp_is_joined(struct tcp_sock *tp)
{
	struct mptcp_subflow_context *path = mptcp_path(tp);
	struct mptcp_sock *connection;

	if (!path)
		return false;
	connection = (struct mptcp_sock *)BPF_CORE_READ(path, conn);
	return BPF_CORE_READ(connection, first) != (struct sock *)tp;
}

/* The paths of a connection, or the one of a listener. Without a lock: what is taken out meanwhile
 * leads nowhere, which ends the walk. */
struct mptcp_walk {
	struct list_head *end, *at;
	struct mptcp_subflow_context *path;
};

static __always_inline struct mptcp_walk mptcp_walk(struct sock *connection)
{
	void *end = (void *)connection + bpf_core_field_offset(struct mptcp_sock, conn_list);

	return (struct mptcp_walk){ end, end, NULL };
}

/* The next, NULL when there is none. */
static __always_inline struct sock *mptcp_next(struct mptcp_walk *w)
{
	struct list_head *at = w->at;
	struct mptcp_subflow_context *path;

	at = BPF_CORE_READ(at, next);
	if (!at || at == w->end)
		return NULL;
	w->at = at;
	path = (void *)at - bpf_core_field_offset(struct mptcp_subflow_context, node);
	w->path = path;
	return BPF_CORE_READ(path, tcp_sock);
}

/* All that may be looked at were: there may be more. */
static __always_inline void mptcp_left(struct mptcp_walk *w)
{
	if (mptcp_next(w))
		count(FL_CNT_MPTCP_PATHS_LEFT);
}

/* The flow that SK is, which mptcp_next() has found; 0: none yet, or not this path any more. The
 * memory of a socket that was closed may be another's at once, that of PATH not while we run. */
static __always_inline __u64 mptcp_flow(const struct mptcp_walk *w, struct sock *sk)
{
	struct inet_connection_sock *icsk = (struct inet_connection_sock *)sk;
	__u64 cookie = sock_existing_cookie(sk);

	return BPF_CORE_READ(icsk, icsk_ulp_data) == w->path ? cookie : 0;
}

/*
 * The flow of another path of the same CONNECTION than that with COOKIE, whose owner is known; 0:
 * there is none. Known by its cookie, in its first life only: rather nobody than another. Not
 * static, with numbers for arguments: verified once, by itself.
 */
__weak __noinline __u64 mptcp_sibling(__u64 connection, __u64 cookie)
{
	struct mptcp_walk w;

	if (!mptcp_exists())
		return 0;
	w = mptcp_walk((struct sock *)connection);
#pragma clang loop unroll(disable)
	for (int i = 0; i < MPTCP_PATHS; i++) {
		struct sock *path = mptcp_next(&w);
		struct fl_socket *s;
		__u64 id;

		if (!path)
			return 0;
		id = mptcp_flow(&w, path);
		s = id && id != cookie ? bpf_map_lookup_elem(&socket_to_process, &id) : NULL;
		if (s && s->owner.proc.pid)
			return id;
	}
	mptcp_left(&w);
	return 0;
}

/* The same of TP, 0 also where it is no path. */
static __always_inline __u64 mptcp_sibling_of(struct tcp_sock *tp, __u64 cookie)
{
	struct mptcp_subflow_context *path = mptcp_path(tp);

	return path ? mptcp_sibling((unsigned long)BPF_CORE_READ(path, conn), cookie) : 0;
}

/* What nobody else's connection has; 0: none yet. */
static __always_inline __u64 mptcp_key(struct mptcp_sock *connection)
{
	return BPF_CORE_READ(connection, local_key);
}

/* The process that runs here has the CONNECTION: its paths that were not accepted are from now on.
 * A number for argument: as above. In accept.bpf.c. */
int mptcp_accepted(__u64 connection);

#endif /* FLOWNER_MPTCP_BPF_H */
