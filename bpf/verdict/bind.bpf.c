// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * BIND: bind() of a TCP or UDP socket. Port 0 is judged when the kernel has chosen one. A
 * connect(), listen() or sendto() on a socket that was not bound passes no such hook on any kernel.
 * What was bound while this was asked is told when it is bound no longer.
 */
#include "event.bpf.h"
#include "judge.bpf.h"

/* What a socket was permitted to be bound to, so that it is not judged once more when it is. This
 * address and no other: two threads may bind one socket. What is forgotten is judged again. */
struct judged_bind {
	__u64 cookie;
	struct fl_addr addr;
	__u64 port;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct judged_bind);
	__type(value, __u8);
} judged_binds SEC(".maps");

/* What sockets are bound to: by SO_COOKIE. The oldest is forgotten first. */
struct bound {
	struct fl_key key;
	struct fl_owner owner;
	__u64 since_ns; /* CLOCK_BOOTTIME */
	__u64 check;	/* fl_check_word() with the cookie: see seal.h */
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

static __noinline int judged_remember(const struct fl_attempt *a)
{
	struct judged_bind j = { a->cookie, a->key.local, a->key.local_port };
	__u8 yes = 1;

	bpf_map_update_elem(&judged_binds, &j, &yes, BPF_ANY);
	return 0;
}

static __noinline bool judged_before(const struct fl_attempt *a)
{
	struct judged_bind j = { a->cookie, a->key.local, a->key.local_port };

	return !bpf_map_delete_elem(&judged_binds, &j);
}

/* As judge() has said of the address asked for. */
static __always_inline int go(struct bpf_sock_addr *ctx, __u32 family, struct fl_attempt *a,
			      __u32 verdict)
{
	struct fl_policy_rule *rule = judge_redirect(verdict);
	struct fl_key *key = &a->key;

	if (rule) {
		fl_target_apply(&rule->to, &key->local, &key->local_port);
		user_replace(ctx, family, &key->local, key->local_port);
	} else if (!judge_says(verdict)) {
		return 0;
	}
	if (key->local_port)
		judged_remember(a);
	return 1;
}

/* Of inet_flags, whose bits have no type: set before load. */
extern const volatile __u64 no_port_flag;

/*
 * IP_BIND_ADDRESS_NO_PORT: the port is chosen by connect(), and no hook of bind() is there to see
 * it. Another thread may set it between this and the bind() that this is asked for.
 */
static __always_inline __u64 has_no_port(struct bpf_sock *bs)
{
	struct inet_sock *sk = (struct inet_sock *)address_of(bs);
	struct inet_sock___bits *bits = (void *)sk;

	if (bpf_core_field_exists(bits->bind_address_no_port))
		return BPF_CORE_READ_BITFIELD_PROBED(bits, bind_address_no_port);
	return bpf_core_field_exists(sk->inet_flags) &&
	       BPF_CORE_READ(sk, inet_flags) & no_port_flag;
}

/* The address asked for; FAMILY is a constant, see sock.bpf.h. */
static __always_inline int bind_called(struct bpf_sock_addr *ctx, __u32 family)
{
	struct fl_attempt a = { .hook = FL_HOOK_BIND };
	struct bpf_sock *sk = ctx->sk;
	__u64 now;

	if (!sk || !is_ours(ctx->protocol))
		return 1;
	a.cookie = bpf_get_socket_cookie(ctx);
	a.key.local_port = port_from_user(ctx);
	addr_from_user(ctx, family, &a.key.local);
	a.key.proto = ctx->protocol;
	a.key.ifindex = sk->bound_dev_if;
	a.known = KNOWS_LOCAL;
	attempt_namespace(&a, bpf_get_netns_cookie(ctx));
	attempt_by_caller(&a, bpf_skc_to_tcp_sock(sk));
	now = fl_opaque(a.key.local_port | has_no_port(sk)); /* one branch: see KNOWS_IF */
	if (!now && !judge_would_redirect(&a))
		return 1; /* when the port is chosen */
	return go(ctx, family, &a, judge_or_redirect(&a));
}

static __noinline int hold(const struct fl_attempt *a)
{
	struct bound b = { .key = a->key, .owner = a->owner, .since_ns = bpf_ktime_get_boot_ns() };

	b.check = fl_check_word(&b.key, a->cookie, &b.owner);
	if (bpf_map_update_elem(&bind_held, &a->cookie, &b, BPF_ANY))
		count(FL_CNT_VERDICT_UNTOLD); /* its end will not be */
	return 1;
}

/* What was permitted is what it is bound to; else the port was chosen now. */
static __always_inline int bound(struct bpf_sock *sk, __u32 family)
{
	struct fl_attempt a = { .hook = FL_HOOK_BIND };

	if (!is_ours(sk->protocol))
		return 1;
	a.cookie = bpf_get_socket_cookie(sk);
	key_from_bound(sk, family, bound_ifindex(sk), bpf_get_netns_cookie(sk), &a.key);
	a.key.proto = sk->protocol;
	a.known = KNOWS_LOCAL;
	attempt_namespace(&a, a.key.netns_cookie);
	/* the context is the socket itself */
	attempt_by_caller(&a, sk->protocol == FL_TCP ? (struct tcp_sock *)(void *)sk : NULL);
	if (!judged_before(&a) && !judge_says(judge(&a)))
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
	struct bound held;
	struct fl_event *e;

	if (!b)
		return 1;
	held = *b;
	bpf_map_delete_elem(&bind_held, &cookie);
	if (fl_check_word(&held.key, cookie, &held.owner) != held.check) {
		count(FL_CNT_VERDICT_UNTOLD); /* forgotten just now: the element is another's */
		return 1;
	}
	e = event_reserve(FL_EVENT_UNBIND);
	if (!e)
		return 1;
	e->flow.id = e->flow.cookie = cookie;
	e->flow.key = held.key;
	e->flow.owner = held.owner;
	e->flow.opened_ns = held.since_ns;
	event_submit(e);
	return 1;
}
