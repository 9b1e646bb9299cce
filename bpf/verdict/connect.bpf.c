// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * CONNECT: connect() of a TCP or UDP socket, and a datagram sent without one, before routing: may
 * it be, and where does it go. A v4-mapped destination is an IPv4 one, and what is no address one
 * of this host: it is judged as the one that it leads to, and made to lead there.
 */
#include "judge.bpf.h"
#include "redirect.bpf.h"
#include "storage.bpf.h"
#include <flowner/nowhere.h>

/* connect(), or a datagram sent without. */
enum call { CALL_CONNECT, CALL_SENDMSG };

/* A datagram does not change whom a socket is connected to; no hook tells of its end. */
static __always_inline bool stays_connected(enum call call, __u32 state)
{
	return call == CALL_SENDMSG && state == BPF_TCP_ESTABLISHED;
}

/* What led there has no more to do with what comes from there now. Of connect() nothing is left of
 * an earlier one. */
static __noinline int go_straight(struct bpf_sock *sk, enum call call, const struct fl_key *key)
{
	struct redirected *r = bpf_sk_storage_get(&redirected_sockets, sk, 0, 0);
	__u32 state = sk->state;

	if (!r)
		return 0;
	bpf_spin_lock(&r->lock);
	if (!stays_connected(call, state))
		r->detours.connected.to.used = 0;
	fl_detours_straight(&r->detours, &key->remote, key->remote_port);
	bpf_spin_unlock(&r->lock);
	return 0;
}

/* -ENOMEM where the socket cannot remember it: it would not be where it believes to be. */
static __noinline int go_round(struct bpf_sock *sk, enum call call, const struct fl_key *key,
			       const struct fl_target *target)
{
	struct redirected *r = storage_make(&redirected_sockets, sk);
	struct fl_detour d = { .to.used = 1, .from.used = 1 };
	__u32 state = sk->state;
	int lost = 0;

	if (!r)
		return -12; /* ENOMEM */
	d.from.addr = d.to.addr = key->remote;
	d.from.port = d.to.port = key->remote_port;
	fl_target_apply(target, &d.to.addr, &d.to.port);
	bpf_spin_lock(&r->lock);
	if (!stays_connected(call, state))
		r->detours.connected.to.used = 0;
	if (call == CALL_CONNECT)
		fl_detours_connect(&r->detours, &d);
	else
		lost = fl_detours_send(&r->detours, &d);
	bpf_spin_unlock(&r->lock);
	if (lost)
		count(FL_CNT_REDIRECTS_FULL);
	return 0;
}

/* As judge() has said. FAMILY is a constant, see sock.bpf.h. */
static __always_inline int go(struct bpf_sock_addr *ctx, struct bpf_sock *sk, __u32 family,
			      enum call call, struct fl_key *key, __u32 verdict)
{
	struct fl_policy_rule *rule = judge_redirect(verdict);

	if (!rule) {
		go_straight(sk, call, key);
		user_replace(ctx, family, &key->remote, key->remote_port);
		return judge_says(verdict);
	}
	if (go_round(sk, call, key, &rule->to))
		return judge_failed(FL_HOOK_CONNECT) != FL_REJECT;
	fl_target_apply(&rule->to, &key->remote, &key->remote_port);
	user_replace(ctx, family, &key->remote, key->remote_port);
	return 1;
}

/* What it sends from, 0: not known yet. Of a v4-mapped datagram the IPv4 program is asked. */
static __always_inline __u64 source_of(struct bpf_sock_addr *ctx, __u32 family, enum call call)
{
	struct inet_sock *sk;

	if (call == CALL_SENDMSG)
		return family == AF_INET ? ctx->msg_src_ip4 : 0;
	sk = (struct inet_sock *)address_of(ctx->sk);
	return BPF_CORE_READ(sk, inet_saddr); /* not what it is bound to where that is a group */
}

/* The address asked for is the one it leads to from now on. */
static __always_inline void lead(struct bpf_sock_addr *ctx, __u32 family, enum call call,
				 struct fl_attempt *a)
{
	__u64 unknown = fl_nowhere_leads(&a->key.remote, &a->key.local,
					 source_of(ctx, family, call), a->key.ifindex);

	a->known &= ~((__u32)unknown & KNOWS(FL_DIM_REMOTE_ADDR));
}

/*
 * The socket has a source route: the kernel sends to the first address on it, whichever is asked
 * for. What goes to a v4-mapped one has that of IPv4. No hook is shown what a datagram has beside
 * it. Not static, with numbers for arguments: verified once, by itself.
 */
__noinline __u32 has_source_route(__u64 socket, __u32 family)
{
	struct inet_sock *sk = (void *)socket;
	struct ip_options_rcu *v4 = BPF_CORE_READ(sk, inet_opt);
	struct ipv6_txoptions *v6;

	if (v4 && BPF_CORE_READ(v4, opt.srr))
		return 1;
	if (family != AF_INET6)
		return 0;
	v6 = BPF_CORE_READ(sk, pinet6, opt);
	return v6 && BPF_CORE_READ(v6, srcrt);
}

/* The local end is known when the socket was bound. A datagram without an address, which has no
 * port either, goes to whom the socket is connected to: that was judged. */
static __always_inline int connecting(struct bpf_sock_addr *ctx, __u32 family, enum call call)
{
	struct fl_attempt a = { .hook = FL_HOOK_CONNECT };
	struct bpf_sock *sk = ctx->sk;

	if (!sk || (ctx->protocol != FL_TCP && ctx->protocol != FL_UDP))
		return 1;
	if (call == CALL_SENDMSG && !ctx->user_port)
		return 1;
	a.key.local_port = sk->src_port;
	if (family == AF_INET)
		addr_from_v4(&a.key.local, sk->src_ip4);
	else
		ADDR_FROM_CTX(&a.key.local, sk->src_ip6);
	addr_from_user(ctx, family, &a.key.remote);
	a.key.remote_port = port_from_user(ctx);
	a.key.proto = ctx->protocol;
	a.key.ifindex = sk->bound_dev_if;
	a.cookie = bpf_get_socket_cookie(ctx);
	a.known = KNOWS_REMOTE | KNOWS_IF(a.key.local_port, KNOWS_LOCAL);
	a.known |= KNOWS_IF(has_source_route(address_of(sk), family), FL_KNOWN_ELSEWHERE);
	lead(ctx, family, call, &a);
	attempt_namespace(&a, bpf_get_netns_cookie(ctx));
	attempt_by_caller(&a, bpf_skc_to_tcp_sock(sk));
	return go(ctx, sk, family, call, &a.key, judge_or_redirect(&a));
}

SEC("cgroup/connect4")
int verdict_connect4(struct bpf_sock_addr *ctx)
{
	return connecting(ctx, AF_INET, CALL_CONNECT);
}

SEC("cgroup/connect6")
int verdict_connect6(struct bpf_sock_addr *ctx)
{
	return connecting(ctx, AF_INET6, CALL_CONNECT);
}

SEC("cgroup/sendmsg4")
int verdict_sendmsg4(struct bpf_sock_addr *ctx)
{
	return connecting(ctx, AF_INET, CALL_SENDMSG);
}

SEC("cgroup/sendmsg6")
int verdict_sendmsg6(struct bpf_sock_addr *ctx)
{
	return connecting(ctx, AF_INET6, CALL_SENDMSG);
}
