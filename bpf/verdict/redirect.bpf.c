// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What becomes of a redirect after connect(): both ends may ask where it was to go. The one that
 * connected is shown that as its peer; the one that accepted asks for SO_ORIGINAL_DST, as behind a
 * NAT of netfilter, or for FL_SO_REDIRECTED, which tells who it was, too.
 */
#include "listener.bpf.h"
#include "redirect.bpf.h"
#include "storage.bpf.h"
#include "tcp.bpf.h"
#include <flowner/check.h>

#define SOL_IP 0
#define SOL_IPV6 41
#define SO_ORIGINAL_DST 80 /* IP6T_SO_ORIGINAL_DST, too */
#define ANCESTORS 8
#define SMALLEST_PAGE 4096
#define LOOPBACK_IFINDEX 1 /* in every namespace */

/* --- whether --- */

/* The process that runs here is that one, or one that it has started. Of pid 1 everybody is. */
static __always_inline bool comes_from(__u32 pid, __u64 start_ns)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

	if (pid <= 1)
		return false;
	for (int i = 0; i < ANCESTORS; i++) {
		struct task_struct *leader = BPF_CORE_READ(task, group_leader);

		if ((__u32)BPF_CORE_READ(leader, tgid) == pid)
			return BPF_CORE_READ(leader, start_boottime) == start_ns;
		task = BPF_CORE_READ(leader, real_parent);
	}
	return false;
}

/*
 * Whoever listens where a connection is redirected to would be redirected to itself: true for that
 * process. But anybody may listen at all addresses, or (IP_FREEBIND) at one that is another
 * machine's: it is where the redirect leads to only if the address is one of this namespace, which
 * is its HOME. END is the port, and above it the protocol. Not static, with numbers for arguments:
 * it is verified once, by itself.
 */
__noinline int is_listeners_own(__u64 netns_cookie, __u64 home, __u64 high, __u64 low, __u32 end)
{
	struct fl_key k = { .netns_cookie = netns_cookie,
			    .local_port = end & 0xffff,
			    .proto = end >> 16 };
	struct fl_connection *c;
	struct fl_owner o;

	k.ifindex = LOOPBACK_IFINDEX; /* by which what is sent to an own address arrives */
	__builtin_memcpy(&k.local.b[0], &high, sizeof(high));
	__builtin_memcpy(&k.local.b[8], &low, sizeof(low));
	if ((!home || home != netns_cookie) && !fl_addr_is_everywhere(&k.local))
		return 0;
	c = listener_find(&k);
	return c && listener_owner_is(c, &k, &o) && comes_from(o.proc.pid, o.proc.start_ns);
}

int redirect_applies(const struct fl_attempt *a, __u32 index)
{
	struct fl_policy_rule *rule = bpf_map_lookup_elem(&policy_rules, &index);
	bool binds = a->hook == FL_HOOK_BIND;
	const struct fl_addr *addr = binds ? &a->key.local : &a->key.remote;
	__u16 port = binds ? a->key.local_port : a->key.remote_port;
	struct fl_addr to = *addr;
	__u16 to_port = port;
	__u64 words[2];

	if (!rule)
		return 0;
	fl_target_apply(&rule->to, &to, &to_port);
	if (to_port == port && addr_equal(&to, addr))
		return 0;
	__builtin_memcpy(words, to.b, sizeof(words));
	return binds || !is_listeners_own(a->key.netns_cookie, rule->home, words[0], words[1],
					  to_port | (__u32)a->key.proto << 16);
}

/* --- the end that connected --- */

/* As all sock_addr programs, these are told who the peer is, or where a datagram came from. */
enum question { ASKS_PEER, ASKS_SENDER };

static __always_inline bool shown(struct bpf_sock_addr *ctx, __u32 family, enum question asks,
				  struct fl_place *ret_from)
{
	struct bpf_sock *sk = ctx->sk;
	struct redirected *r = sk ? bpf_sk_storage_get(&redirected_sockets, sk, 0, 0) : NULL;
	struct fl_addr addr = {};
	bool found;
	__u16 port;

	if (!r)
		return false;
	addr_from_user(ctx, family, &addr);
	port = port_from_user(ctx);
	bpf_spin_lock(&r->lock);
	if (asks == ASKS_SENDER) {
		found = fl_detours_find(&r->detours, &addr, port, ret_from);
	} else {
		found = fl_place_is(&r->detours.connected.to, &addr, port);
		*ret_from = r->detours.connected.from;
	}
	bpf_spin_unlock(&r->lock);
	return found;
}

SEC("cgroup/getpeername4")
int redirect_getpeername4(struct bpf_sock_addr *ctx)
{
	struct fl_place from;

	if (shown(ctx, AF_INET, ASKS_PEER, &from))
		user_replace(ctx, AF_INET, &from.addr, from.port);
	return 1;
}

SEC("cgroup/getpeername6")
int redirect_getpeername6(struct bpf_sock_addr *ctx)
{
	struct fl_place from;

	if (shown(ctx, AF_INET6, ASKS_PEER, &from))
		user_replace(ctx, AF_INET6, &from.addr, from.port);
	return 1;
}

SEC("cgroup/recvmsg4")
int redirect_recvmsg4(struct bpf_sock_addr *ctx)
{
	struct fl_place from;

	if (shown(ctx, AF_INET, ASKS_SENDER, &from))
		user_replace(ctx, AF_INET, &from.addr, from.port);
	return 1;
}

SEC("cgroup/recvmsg6")
int redirect_recvmsg6(struct bpf_sock_addr *ctx)
{
	struct fl_place from;

	if (shown(ctx, AF_INET6, ASKS_SENDER, &from))
		user_replace(ctx, AF_INET6, &from.addr, from.port);
	return 1;
}

/* --- from the one end to the other --- */

/* A tuple has one live owner in its namespace, but for sockets that are bound to devices. */
static __always_inline void key_of(struct tcp_sock *tp, struct fl_key *k)
{
	key_from_tcp(tp, k);
	k->ifindex = 0;
}

/* All but the last word, which it is for. */
static __always_inline __u64 redirect_check(const struct fl_key *key, const struct redirect *r)
{
	__u64 h = fl_check_mix(FL_CHECK_SEED, key, sizeof(*key) / 8);

	return fl_check_mix(h, r, offsetof(struct redirect, check) / 8) | 1;
}

/* There is one of this tuple by another device. Nobody can tell to which end of the two belongs
 * who accepts: rather to none. */
static __noinline bool is_ambiguous(const struct fl_key *key, __u32 ifindex)
{
	struct redirect *other = bpf_map_lookup_elem(&redirects_open, key);

	return other && other->ifindex != ifindex;
}

/* The tuple is complete, the SYN has not left. What is known of it already was an earlier one's,
 * whose end was not told. */
static __noinline int open(struct bpf_sock_ops *ctx, struct bpf_sock *bs, struct tcp_sock *tp)
{
	struct redirected *r = bpf_sk_storage_get(&redirected_sockets, bs, 0, 0);
	struct redirect new = {};
	struct fl_key key = {};

	key_from_tcp(tp, &key);
	new.ifindex = key.ifindex;
	key.ifindex = 0;
	if (!r || !r->detours.connected.to.used) {
		bpf_map_delete_elem(&redirects_open, &key);
		return 0;
	}
	bpf_sock_ops_cb_flags_set(ctx, ctx->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_STATE_CB_FLAG);
	new.flow_id = tcp_flow_id(bs, bpf_get_socket_cookie(ctx));
	new.from = r->detours.connected.from;
	new.check = redirect_check(&key, &new);
	if (is_ambiguous(&key, new.ifindex)) {
		bpf_map_delete_elem(&redirects_open, &key);
		count(FL_CNT_REDIRECTS_FULL);
	} else if (bpf_map_update_elem(&redirects_open, &key, &new, BPF_ANY)) {
		count(FL_CNT_REDIRECTS_FULL);
	}
	return 0;
}

/* The flow of the end that connected is older than its SYN; it may end at any moment, and then it
 * is not known who that was. */
static __noinline int take_owner(struct fl_redirected *taken, const struct fl_key *key,
				 __u64 flow_id)
{
	struct fl_connection *c = bpf_map_lookup_elem(&l7_connections, key);

	if (!taken)
		return 0;
	if (c) {
		taken->flow_id = flow_id;
		taken->owner = c->owner;
		if (*(volatile const __u64 *)&c->check ==
		    fl_check_word(key, flow_id, &taken->owner))
			return 0;
		taken->flow_id = 0;
		__builtin_memset(&taken->owner, 0, sizeof(taken->owner));
	}
	count(FL_CNT_REDIRECTS_FULL);
	return 0;
}

static __noinline int take(struct bpf_sock *bs, struct tcp_sock *tp)
{
	struct fl_key own = {}, key = {};
	struct fl_redirected *taken;
	struct redirect *found, open;

	key_of(tp, &own);
	key.netns_cookie = own.netns_cookie;
	key.local = own.remote;
	key.remote = own.local;
	key.local_port = own.remote_port;
	key.remote_port = own.local_port;
	key.proto = FL_TCP;
	found = bpf_map_lookup_elem(&redirects_open, &key);
	if (!found)
		return 0;
	open = *found;
	if (open.check != redirect_check(&key, &open))
		return 0; /* it has just ended, and the element is another's */
	taken = storage_make(&redirects_taken, bs);
	if (!taken) {
		count(FL_CNT_REDIRECTS_FULL);
		return 0;
	}
	taken->addr = open.from.addr;
	taken->port = open.from.port;
	key.ifindex = open.ifindex;
	return take_owner(taken, &key, open.flow_id);
}

static __noinline int closed(struct bpf_sock *bs, struct tcp_sock *tp, __u64 cookie)
{
	struct fl_key key = {};
	struct redirect *open;

	if (!bpf_sk_storage_get(&redirected_sockets, bs, 0, 0))
		return 0;
	key_of(tp, &key);
	open = bpf_map_lookup_elem(&redirects_open, &key);
	if (open && open->flow_id == tcp_flow_id(bs, cookie))
		bpf_map_delete_elem(&redirects_open, &key);
	return 0;
}

SEC("sockops")
int redirect_sockops(struct bpf_sock_ops *ctx)
{
	struct bpf_sock *bs = ctx->sk;
	__u32 op = ctx->op;
	struct tcp_sock *tp;

	if (!bs ||
	    (op != BPF_SOCK_OPS_TCP_CONNECT_CB && op != BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB &&
	     (op != BPF_SOCK_OPS_STATE_CB || ctx->args[1] != FL_STATE_CLOSE)))
		return 1;
	tp = bpf_skc_to_tcp_sock(bs);
	if (!tp)
		return 1;
	if (op == BPF_SOCK_OPS_TCP_CONNECT_CB)
		open(ctx, bs, tp);
	else if (op == BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB)
		take(bs, tp);
	else
		closed(bs, tp, bpf_get_socket_cookie(ctx));
	return 1;
}

/* --- the end that accepted --- */

struct original4 { /* sockaddr_in */
	__u16 family;
	__be16 port;
	__u8 addr[4];
	__u64 zero;
};

struct original6 { /* sockaddr_in6 */
	__u16 family;
	__be16 port;
	__u32 flowinfo;
	__u8 addr[16];
	__u32 scope;
};

static __always_inline bool answer4(struct bpf_sockopt *ctx, const struct fl_redirected *from)
{
	struct original4 *to = ctx->optval;

	if (!addr_is_v4(&from->addr) || (void *)(to + 1) > ctx->optval_end)
		return false;
	to->family = AF_INET;
	to->port = bpf_htons(from->port);
	__builtin_memcpy(to->addr, &from->addr.b[12], sizeof(to->addr));
	to->zero = 0;
	ctx->optlen = sizeof(*to);
	return true;
}

/* An IPv4 one as v4-mapped: who listens for both asks so of every connection. */
static __always_inline bool answer6(struct bpf_sockopt *ctx, const struct fl_redirected *from)
{
	struct original6 *to = ctx->optval;

	if ((void *)(to + 1) > ctx->optval_end)
		return false;
	to->family = AF_INET6;
	to->port = bpf_htons(from->port);
	to->flowinfo = 0;
	__builtin_memcpy(to->addr, &from->addr, sizeof(to->addr));
	to->scope = 0;
	ctx->optlen = sizeof(*to);
	return true;
}

static __always_inline bool answer_all(struct bpf_sockopt *ctx, const struct fl_redirected *from)
{
	struct fl_redirected *to = ctx->optval;

	if ((void *)(to + 1) > ctx->optval_end)
		return false;
	__builtin_memcpy(to, from, sizeof(*to));
	ctx->optlen = sizeof(*to);
	return true;
}

static __always_inline bool is_asked(const struct bpf_sockopt *ctx)
{
	if (ctx->level == FL_SOL_FLOWNER)
		return ctx->optname == FL_SO_REDIRECTED;
	return ctx->optname == SO_ORIGINAL_DST && (ctx->level == SOL_IP || ctx->level == SOL_IPV6);
}

static __always_inline bool answer(struct bpf_sockopt *ctx, const struct fl_redirected *from)
{
	if (ctx->level == FL_SOL_FLOWNER)
		return answer_all(ctx, from);
	return ctx->level == SOL_IP ? answer4(ctx, from) : answer6(ctx, from);
}

SEC("cgroup/getsockopt")
int redirect_getsockopt(struct bpf_sockopt *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	struct fl_redirected *r;

	/* what is longer than a page we do not get: it is to stay as the kernel has it */
	if (ctx->optlen > SMALLEST_PAGE) {
		ctx->optlen = 0;
		return 1;
	}
	if (!sk || !is_asked(ctx))
		return 1;
	r = bpf_sk_storage_get(&redirects_taken, sk, 0, 0);
	if (!r)
		return 1;
	if (answer(ctx, r))
		ctx->retval = 0; /* whatever netfilter knows or does not */
	return 1;
}
