// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * RECV_ACCEPT: somebody wants in. The SYN at a listener, the first datagram of each peer at a UDP
 * socket, to each of its addresses and by each interface; `current` is nobody here, so the process
 * is the one that the maps name. What is rejected is dropped without an answer.
 */
#include "asked.bpf.h"
#include "condemned.bpf.h"
#include "judge.bpf.h"
#include "packet.bpf.h"
#include "udp.bpf.h"

#define TCP_SYN 0x02
#define TCP_ACK 0x10

/* Of UDP sockets. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct asked);
	__type(value, struct answered);
} judged_peers SEC(".maps");

static __noinline __u32 key_arriving(struct __sk_buff *skb, __u8 proto, struct fl_key *k)
{
	return key_from_packet(skb, proto, false, k);
}

/* ID: the flow that the socket is, in whichever life. */
static __noinline int attempt_by_arrival(struct fl_attempt *a, struct __sk_buff *skb, __u64 id)
{
	a->known |= KNOWS_LOCAL | KNOWS_REMOTE;
	attempt_by_device(a, device_of(skb));
	return attempt_by_socket(a, id);
}

static __always_inline __u32 judge_arrival(struct __sk_buff *skb, struct fl_attempt *a, __u64 id)
{
	attempt_by_arrival(a, skb, id);
	return judge(a) != FL_REJECT;
}

static __always_inline __u64 udp_flow_id(struct bpf_sock *sk, __u64 cookie)
{
	struct fl_udp *u = bpf_sk_storage_get(&udp_sockets, sk, 0, 0);
	__u64 id = u ? u->own_id : 0;

	return id ? id : cookie;
}

/* Not inlined, as the next: the keys would stand in a frame below which the policy is asked. */
static __noinline int peer_known(const struct fl_attempt *a, __u64 generation)
{
	struct asked peer = {};

	asked_by(a, generation, &peer);
	return asked_before(&judged_peers, &peer);
}

static __noinline int peer_remember(const struct fl_attempt *a, __u64 generation, bool may)
{
	struct asked peer = {};

	asked_by(a, generation, &peer);
	asked_now(&judged_peers, &peer, may);
	return may;
}

/* Nobody receives it: who receives without asking from whom is given the next that came. */
static __noinline int not_pending(struct __sk_buff *skb, struct bpf_sock *sk, struct fl_key *k)
{
	struct fl_udp *u = bpf_sk_storage_get(&udp_sockets, sk, 0, 0);
	struct fl_connection *c;
	__u64 id;

	if (!u)
		return 0;
	k->netns_cookie = u->netns_cookie;
	k->ifindex = key_ifindex(k, sk->bound_dev_if, skb->ifindex);
	c = bpf_map_lookup_elem(&l7_connections, k);
	id = c && c->role == FL_ROLE_ACCEPTOR && !c->accepted ? c->flow_id : 0;
	if (id)
		udp_pending_drop(u, id);
	return 0;
}

static __always_inline int syn(struct __sk_buff *skb, struct bpf_sock *sk)
{
	struct fl_attempt a = { .hook = FL_HOOK_RECV_ACCEPT };
	__u32 off;
	__u8 flags;

	a.cookie = bpf_get_socket_cookie(skb);
	if (is_condemned(sk, a.cookie))
		return 0;
	off = key_arriving(skb, FL_TCP, &a.key);
	if (!off || !load(skb, off + 13, &flags, 1))
		return judge_failed(FL_HOOK_RECV_ACCEPT) != FL_REJECT;
	if ((flags & (TCP_SYN | TCP_ACK)) != TCP_SYN)
		return 1;
	return judge_arrival(skb, &a, tcp_flow_id(sk, a.cookie));
}

static __always_inline int datagram(struct __sk_buff *skb, struct bpf_sock *sk)
{
	struct fl_attempt a = { .hook = FL_HOOK_RECV_ACCEPT };
	__u64 generation = policy_generation();
	int may;

	if (!key_arriving(skb, FL_UDP, &a.key))
		return judge_failed(FL_HOOK_RECV_ACCEPT) != FL_REJECT;
	a.cookie = bpf_get_socket_cookie(skb);
	a.next_hop_interface = skb->ifindex;
	may = peer_known(&a, generation);
	if (may < 0)
		may = peer_remember(&a, generation,
				    judge_arrival(skb, &a, udp_flow_id(sk, a.cookie)));
	if (!may)
		not_pending(skb, sk, &a.key);
	return may;
}

/* A connected UDP socket's one peer it has chosen itself. */
static __always_inline bool is_open(struct bpf_sock *sk)
{
	return sk->protocol == FL_UDP && sk->state != BPF_TCP_ESTABLISHED;
}

SEC("cgroup_skb/ingress")
int verdict_recv_accept(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;

	if (!sk)
		return 1;
	sk = bpf_sk_fullsock(sk);
	if (!sk)
		return 1;
	if (sk->protocol == FL_TCP && sk->state == BPF_TCP_LISTEN)
		return syn(skb, sk);
	return is_open(sk) ? datagram(skb, sk) : 1;
}
