// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * BIND: bind() of a TCP or UDP socket. Port 0 is judged when the kernel has chosen one. A
 * connect(), listen() or sendto() on a socket that was not bound passes no such hook on any kernel.
 * What was bound while this was asked is told when it is bound no longer.
 */
#include "event.bpf.h"
#include "judge.bpf.h"

/* Sockets whose port the kernel is choosing: SO_COOKIE. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, __u8);
} bind_chooses SEC(".maps");

/* What sockets are bound to: by SO_COOKIE. The oldest is forgotten first. */
struct bound {
	struct fl_key key;
	struct fl_owner owner;
	__u64 since_ns; /* CLOCK_BOOTTIME */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct bound);
} bind_held SEC(".maps");

static __always_inline bool is_ours(__u32 protocol)
{
	return protocol == FL_TCP || protocol == FL_UDP;
}

/* As judge() has said of the address asked for. */
static __always_inline int go(struct bpf_sock_addr *ctx, __u32 family, struct fl_key *key,
			      __u32 verdict)
{
	struct fl_policy_rule *rule = judge_redirect(verdict);

	if (!rule)
		return judge_says(verdict);
	fl_target_apply(&rule->to, &key->local, &key->local_port);
	user_replace(ctx, family, &key->local, key->local_port);
	return 1;
}

/* The address asked for; FAMILY is a constant, see sock.bpf.h. */
static __always_inline int bind_called(struct bpf_sock_addr *ctx, __u32 family)
{
	struct fl_attempt a = { .hook = FL_HOOK_BIND };
	struct bpf_sock *sk = ctx->sk;
	__u8 yes = 1;

	if (!sk || !is_ours(ctx->protocol))
		return 1;
	a.cookie = bpf_get_socket_cookie(ctx);
	a.key.local_port = port_from_user(ctx);
	addr_from_user(ctx, family, &a.key.local);
	a.key.proto = ctx->protocol;
	a.key.ifindex = sk->bound_dev_if;
	a.known = KNOWS_LOCAL;
	attempt_namespace(&a, bpf_get_netns_cookie(ctx));
	attempt_by_current(&a);
	if (!a.key.local_port && !judge_would_redirect(&a)) {
		if (bpf_map_update_elem(&bind_chooses, &a.cookie, &yes, BPF_ANY))
			return judge_failed() != FL_REJECT; /* nobody would judge it later */
		return 1;
	}
	return go(ctx, family, &a.key, judge_or_redirect(&a));
}

static __noinline int hold(const struct fl_attempt *a)
{
	struct bound b = { .key = a->key, .owner = a->owner, .since_ns = bpf_ktime_get_boot_ns() };

	if (bpf_map_update_elem(&bind_held, &a->cookie, &b, BPF_ANY))
		count(FL_CNT_VERDICT_UNTOLD); /* its end will not be */
	return 1;
}

/* The port is chosen. One that was asked for has been judged. */
static __always_inline int bound(struct bpf_sock *sk, __u32 family)
{
	struct fl_attempt a = { .hook = FL_HOOK_BIND };
	bool chosen;

	if (!is_ours(sk->protocol))
		return 1;
	a.cookie = bpf_get_socket_cookie(sk);
	chosen = !bpf_map_delete_elem(&bind_chooses, &a.cookie);
	key_from_bound(sk, family, bound_ifindex(sk), bpf_get_netns_cookie(sk), &a.key);
	a.key.proto = sk->protocol;
	a.known = KNOWS_LOCAL;
	attempt_namespace(&a, a.key.netns_cookie);
	attempt_by_current(&a);
	if (chosen && !judge_says(judge(&a)))
		return 0;
	return hold(&a);
}

SEC("cgroup/bind4")
int verdict_bind4(struct bpf_sock_addr *ctx)
{
	return bind_called(ctx, AF_INET);
}

SEC("cgroup/bind6")
int verdict_bind6(struct bpf_sock_addr *ctx)
{
	return bind_called(ctx, AF_INET6);
}

SEC("cgroup/post_bind4")
int verdict_post_bind4(struct bpf_sock *sk)
{
	return bound(sk, AF_INET);
}

SEC("cgroup/post_bind6")
int verdict_post_bind6(struct bpf_sock *sk)
{
	return bound(sk, AF_INET6);
}

/* Its owner is who bound it: who closes it last may be another, or nobody. */
SEC("cgroup/sock_release")
int verdict_unbind(struct bpf_sock *sk)
{
	__u64 cookie = bpf_get_socket_cookie(sk);
	struct bound *b = bpf_map_lookup_elem(&bind_held, &cookie);
	struct fl_event *e;

	if (!b)
		return 1;
	e = event_reserve(FL_EVENT_UNBIND);
	if (e) {
		e->flow.id = e->flow.cookie = cookie;
		e->flow.key = b->key;
		e->flow.owner = b->owner;
		e->flow.opened_ns = b->since_ns;
		event_submit(e);
	}
	bpf_map_delete_elem(&bind_held, &cookie);
	return 1;
}
