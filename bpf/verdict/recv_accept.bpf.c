// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * RECV_ACCEPT: somebody wants in. The SYN at a listener, the first datagram of each peer at a UDP
 * socket; `current` is nobody here, so the process is the one that the maps name. What is rejected
 * is dropped without an answer.
 */
#include "condemned.bpf.h"
#include "header.bpf.h"
#include "judge.bpf.h"
#include "policy.bpf.h"

#define TCP_SYN 0x02
#define TCP_ACK 0x10

/* Peers of UDP sockets that have been judged: dropped first when there are many. */
struct peer {
	__u64 cookie;
	__u64 generation; /* of the policy: another one judges anew */
	struct fl_addr remote;
	__u32 remote_port;
	__u32 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct peer);
	__type(value, __u32); /* what the program returns */
} judged_peers SEC(".maps");

/* Addresses and ports of a packet that arrives; 0 or the offset of its TCP or UDP header. */
static __noinline __u32 key_from_packet(struct __sk_buff *skb, __u8 proto, struct fl_key *k)
{
	__u8 version, protocol;
	__be16 ports[2];
	__be32 v4[2];
	__u32 off;

	if (!load(skb, 0, &version, 1))
		return 0;
	if (version >> 4 == 4) {
		if (!load(skb, 9, &protocol, 1) || protocol != proto || !load(skb, 12, v4, 8))
			return 0;
		addr_from_v4(&k->remote, v4[0]);
		addr_from_v4(&k->local, v4[1]);
		off = (version & 15) * 4;
	} else {
		off = skip_ipv6(skb, proto);
		if (!off || !load(skb, 8, &k->remote, 16) || !load(skb, 24, &k->local, 16))
			return 0;
	}
	if (!load(skb, off, ports, sizeof(ports)))
		return 0;
	k->remote_port = bpf_ntohs(ports[0]);
	k->local_port = bpf_ntohs(ports[1]);
	k->proto = proto;
	return off;
}

/* The owner of a flow in the maps, who does not run here. Of a parent nobody made a record. */
static __noinline int attempt_by_owner(struct fl_attempt *a)
{
	struct fl_process *p;

	if (!fl_owner_known(&a->owner))
		return 0;
	a->known |= KNOWS(FL_DIM_UID) | KNOWS(FL_DIM_GID);
	p = bpf_map_lookup_elem(&processes, &a->owner.proc);
	if (!p)
		return 0;
	a->cgroup_id = p->cgroup_id;
	a->exe.inode = p->exe_inode;
	a->exe.dev = p->exe_dev;
	a->known |= KNOWS(FL_DIM_CGROUP);
	a->known |= KNOWS_IF(p->exe_inode, KNOWS(FL_DIM_EXE));
	return 0;
}

/* The socket with COOKIE, as the maps know it: its namespace, and who owns it. */
static __noinline int attempt_by_socket(struct fl_attempt *a, __u64 cookie)
{
	struct fl_socket *s = bpf_map_lookup_elem(&socket_to_process, &cookie);

	if (!s)
		return 0;
	attempt_namespace(a, s->key.netns_cookie);
	a->owner = s->owner;
	a->key.ifindex = s->key.ifindex;
	return attempt_by_owner(a);
}

static __always_inline __u32 judge_arrival(struct __sk_buff *skb, struct fl_attempt *a)
{
	a->interface = skb->ifindex;
	a->known |= KNOWS_LOCAL | KNOWS_REMOTE | KNOWS(FL_DIM_INTERFACE);
	attempt_by_socket(a, a->cookie);
	return judge(a) != FL_REJECT;
}

static __always_inline int syn(struct __sk_buff *skb)
{
	struct fl_attempt a = { .hook = FL_HOOK_RECV_ACCEPT };
	__u32 off;
	__u8 flags;

	a.cookie = bpf_get_socket_cookie(skb);
	if (is_condemned(a.cookie))
		return 0;
	off = key_from_packet(skb, FL_TCP, &a.key);
	if (!off || !load(skb, off + 13, &flags, 1))
		return judge_failed() != FL_REJECT;
	if ((flags & (TCP_SYN | TCP_ACK)) != TCP_SYN)
		return 1;
	return judge_arrival(skb, &a);
}

static __always_inline __u64 generation(void)
{
	struct fl_policy_state *state;
	struct fl_policy *policy;
	__u32 zero = 0, slot;

	state = bpf_map_lookup_elem(&policy_state, &zero);
	if (!state)
		return 0;
	slot = state->slot;
	policy = bpf_map_lookup_elem(&policies, &slot);
	return policy ? policy->generation : 0;
}

static __always_inline int datagram(struct __sk_buff *skb)
{
	struct fl_attempt a = { .hook = FL_HOOK_RECV_ACCEPT };
	struct peer peer = { .generation = generation() };
	__u32 *known, verdict;

	if (!key_from_packet(skb, FL_UDP, &a.key))
		return judge_failed() != FL_REJECT;
	a.cookie = peer.cookie = bpf_get_socket_cookie(skb);
	peer.remote = a.key.remote;
	peer.remote_port = a.key.remote_port;
	known = bpf_map_lookup_elem(&judged_peers, &peer);
	if (known)
		return *known & 1;
	verdict = judge_arrival(skb, &a);
	bpf_map_update_elem(&judged_peers, &peer, &verdict, BPF_ANY);
	return verdict & 1;
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
		return syn(skb);
	return is_open(sk) ? datagram(skb) : 1;
}
