// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * TCP from the tracepoint: the second source of an end, and the only one for sockets older than the
 * agent, whose sockops callbacks were never asked for. One copy, not two: a skipped run is repaired
 * by reconciliation, and sockops, which is never skipped, has been here first for all others.
 */
#include "tcp.bpf.h"
#include <bpf/bpf_tracing.h>

#define IPPROTO_TCP 6

static __always_inline void state_of_seeded(__u64 id, enum fl_state state)
{
	struct fl_socket *s = bpf_map_lookup_elem(&socket_to_process, &id);
	struct fl_connection *c;

	if (!s || s->opened_ns)
		return;
	c = bpf_map_lookup_elem(&l7_connections, &s->key);
	flow_state(id, c, state);
}

/* The flow of a socket that closes. The walk may be putting it in just now (seed.bpf.c): the end is
 * marked first, then looked for. */
static __always_inline struct fl_socket *closing(__u64 id, __u64 cookie)
{
	struct fl_socket *s = bpf_map_lookup_elem(&socket_to_process, &id);

	if (s || socket_ended_lately(cookie))
		return s;
	socket_mark_ended(cookie);
	return bpf_map_lookup_elem(&socket_to_process, &id);
}

static __always_inline void closed(struct sock *sk, __u64 cookie, enum fl_state old)
{
	__u64 id = tcp_flow_id_traced(sk, cookie);
	struct fl_socket *s = closing(id, cookie);
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct fl_counts counts = {};
	bool seeded, counted;

	if (!s)
		return;
	seeded = !s->opened_ns;
	counted = count_tcp && tp && s->role != FL_ROLE_LISTENER;
	if (counted)
		tcp_counts(tp, s->role, old, &counts);
	if (!flow_end(id, fl_reason_from_error(sk->sk_err), counted ? &counts : NULL) && !seeded)
		count(FL_CNT_END_REPAIRED);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(track_set_state, struct sock *sk, int old, int new)
{
	struct fl_config *c;
	__u64 cookie;

	if (sk->sk_protocol != IPPROTO_TCP)
		return 0;
	cookie = sk->__sk_common.skc_cookie.counter;
	/* older than the agent: the walk may give it one while it closes, and look for the mark */
	if (!cookie && new == FL_STATE_CLOSE && can_tracing_socket)
		cookie = bpf_get_socket_cookie(sk);
	if (!cookie)
		return 0;
	if (new == FL_STATE_CLOSE) {
		closed(sk, cookie, old);
		return 0;
	}
	/* a child being cloned: it may still have the cookie of its listener (seen in 5.10) */
	if (old == FL_STATE_LISTEN && new == FL_STATE_SYN_RECV)
		return 0;
	c = config_get();
	if (c && c->seeded)
		state_of_seeded(tcp_flow_id_traced(sk, cookie), new);
	return 0;
}
