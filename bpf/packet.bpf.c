// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Every UDP datagram: is its peer known to this socket? TCP pays for this hook, so it leaves first.
 * A datagram of the peer seen last costs one comparison; another known one a lookup; a new one
 * opens a flow. Where datagrams are counted each costs a lookup more. No path drops a packet.
 */
#include "header.bpf.h"
#include "udp.bpf.h"

#define ETH_P_IP 0x0800
#define PACKET_HOST 0
#define UDP_HEADER 8

/* The headers most datagrams have: nothing between those of IP and UDP. */
struct ip4_udp {
	__u8 version;
	__u8 unused[8];
	__u8 proto;
	__be16 sum;
	__be32 source, destination;
	__be16 ports[2];
};

struct ip6_udp {
	__u8 unused[6];
	__u8 next;
	__u8 hops;
	__u32 source[4], destination[4];
	__be16 ports[2];
};

static __always_inline bool is_v4(const struct __sk_buff *skb)
{
	return skb->protocol == bpf_htons(ETH_P_IP);
}

/* By its first bytes, where they are at hand: a helper call less for each packet of TCP. */
static __always_inline bool surely_tcp(struct __sk_buff *skb)
{
	const __u8 *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	__u8 proto;

	if (data + 10 > end)
		return false;
	proto = is_v4(skb) ? data[9] : data[6];
	return proto == IPPROTO_TCP;
}

static __always_inline struct fl_addr *source_of(struct fl_key *k, bool egress)
{
	return egress ? &k->local : &k->remote;
}

static __always_inline struct fl_addr *destination_of(struct fl_key *k, bool egress)
{
	return egress ? &k->remote : &k->local;
}

static __always_inline void key_ports(struct fl_key *k, const __be16 ports[2], bool egress)
{
	k->local_port = bpf_ntohs(ports[egress ? 0 : 1]);
	k->remote_port = bpf_ntohs(ports[egress ? 1 : 0]);
}

/*
 * Network header and ports into K, whatever stands between them. Offset of the UDP header, or 0
 * when it is not a datagram that can be read.
 */
static __noinline __u32 key_from_options(struct __sk_buff *skb, bool egress, struct fl_key *k)
{
	__u8 version, proto;
	__be16 ports[2];
	__be32 v4[2];
	__u32 off;

	if (is_v4(skb)) {
		if (!load(skb, 0, &version, 1) || !load(skb, 9, &proto, 1) ||
		    proto != IPPROTO_UDP || !load(skb, 12, v4, 8))
			return 0;
		addr_from_v4(source_of(k, egress), v4[0]);
		addr_from_v4(destination_of(k, egress), v4[1]);
		off = (version & 15) * 4;
	} else {
		off = skip_ipv6(skb, IPPROTO_UDP);
		if (!off || !load(skb, 8, source_of(k, egress), 16) ||
		    !load(skb, 24, destination_of(k, egress), 16))
			return 0;
	}
	if (!load(skb, off, ports, sizeof(ports)))
		return 0;
	key_ports(k, ports, egress);
	return off;
}

static __always_inline __u32 key_from_datagram(struct __sk_buff *skb, bool egress, struct fl_key *k)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	const struct ip4_udp *v4 = data;
	const struct ip6_udp *v6 = data;

	if (is_v4(skb)) {
		if (data + sizeof(*v4) > end || v4->version != 0x45 || v4->proto != IPPROTO_UDP)
			return key_from_options(skb, egress, k);
		addr_from_v4(source_of(k, egress), v4->source);
		addr_from_v4(destination_of(k, egress), v4->destination);
		key_ports(k, v4->ports, egress);
		return 20;
	}
	if (data + sizeof(*v6) > end || v6->next != IPPROTO_UDP)
		return key_from_options(skb, egress, k);
	__builtin_memcpy(source_of(k, egress), v6->source, sizeof(v6->source));
	__builtin_memcpy(destination_of(k, egress), v6->destination, sizeof(v6->destination));
	key_ports(k, v6->ports, egress);
	return 40;
}

/* Of a socket that is bound to no device. Not inlined: every program behind it would be verified
 * for each way through. */
static __noinline int key_scope(struct __sk_buff *skb, struct fl_key *k)
{
	if (addr_has_scope(&k->remote))
		k->ifindex = skb->ifindex;
	return 0;
}

/* A datagram of flow ID. One skb may be many of them: segmentation offload. Not inlined: the frame
 * of these programs stands above the longest chain there is. */
static __noinline int count_datagram(struct __sk_buff *skb, __u64 id, __u32 off, bool egress)
{
	struct fl_counts *c;
	__u32 segments;

	c = bpf_map_lookup_elem(&udp_counts, &id);
	if (!c)
		return 0;
	segments = skb->gso_segs;
	__sync_fetch_and_add(egress ? &c->bytes_sent : &c->bytes_received,
			     skb->len - off - UDP_HEADER);
	__sync_fetch_and_add(egress ? &c->packets_sent : &c->packets_received,
			     segments ? segments : 1);
	return 0;
}

#define NOT_KNOWN (~0ULL)

/* The flow of the datagram before, if K is of the same peer; 0 if that had none. Under the lock:
 * several CPUs deliver to one socket. Not inlined, as the frame below peer_seen() must be small. */
static __noinline __u64 seen_last(struct fl_udp *u, const struct fl_key *k, __u64 epoch)
{
	__u64 id;
	bool same;

	bpf_spin_lock(&u->lock);
	same = u->last_epoch == epoch && u->last_ifindex == k->ifindex &&
	       u->last_remote_port == k->remote_port && u->last_local_port == k->local_port &&
	       addr_equal(&u->last_remote, &k->remote) && addr_equal(&u->last_local, &k->local);
	id = u->last_id;
	bpf_spin_unlock(&u->lock);
	return same ? id : NOT_KNOWN;
}

static __noinline int remember_last(struct fl_udp *u, const struct fl_key *k, __u64 epoch, __u64 id)
{
	bpf_spin_lock(&u->lock);
	u->last_epoch = epoch;
	u->last_id = id;
	u->last_ifindex = k->ifindex;
	u->last_remote = k->remote;
	u->last_local = k->local;
	u->last_remote_port = k->remote_port;
	u->last_local_port = k->local_port;
	bpf_spin_unlock(&u->lock);
	return 0;
}

/* Who stands behind it is written first: the release may walk the list at this moment. */
static __always_inline void link_peer(struct fl_udp *u, __u64 id)
{
	struct fl_socket *s = bpf_map_lookup_elem(&socket_to_process, &id);

	if (!s)
		return;
	s->active_ns = s->opened_ns;
	bpf_spin_lock(&u->lock);
	s->next = u->peers;
	u->peers = id;
	bpf_spin_unlock(&u->lock);
}

/* A sendto() on a socket that was never bound: its port was chosen on the way. */
static __noinline int open_unbound(struct bpf_sock *sk, struct fl_udp *u)
{
	struct fl_key own = {};

	key_from_bound(sk, sk->family, sk->bound_dev_if, u->netns_cookie, &own);
	udp_open_own(u, &own);
	udp_end_if_closed(u);
	return 0;
}

/* The thread that runs here sends, from this socket, to an address it named. A datagram may be sent
 * on by others: who gave it a verdict in user space, or whoever a softirq has interrupted. */
static __noinline bool sent_from_here(const struct fl_udp *u)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	__u64 thread = (__u64)BPF_CORE_READ(task, tgid) << 32 | (__u32)BPF_CORE_READ(task, pid);

	return udp_call_is(udp_call_of(&udp_sends, thread), thread, u->cookie);
}

/* Who used the socket last runs here: connected when it sent, and disconnected on the way. */
static __noinline bool user_runs(const struct fl_udp *u)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

	return (__u32)BPF_CORE_READ(task, tgid) == u->user.proc.pid;
}

/* How a datagram came to be, or HERE: sent_from_here(). */
enum way { WAY_CAME, WAY_SENT, WAY_SENT_HERE };

/* The new flow's id, 0 when there is none. Of who sends: others may have used the socket since. */
static __noinline __u64 open_peer(struct fl_udp *u, const struct fl_key *k, enum way way)
{
	__u64 id = flow_number();

	if (way == WAY_SENT && !user_runs(u))
		count(FL_CNT_UDP_CALL_UNSEEN);
	if (!id || udp_insert(u, id, k, way ? FL_ROLE_OPENER : FL_ROLE_ACCEPTOR,
			      way == WAY_SENT_HERE ? NULL : &u->user))
		return 0;
	link_peer(u, id);
	if (way == WAY_CAME)
		udp_pending_add(u, id);
	if (u->flags & UDP_CLOSED) /* the release walked the list before we were on it */
		udp_end_flow(id);
	return id;
}

static __always_inline bool addr_is_multicast(const struct fl_addr *a)
{
	return addr_is_v4(a) ? a->b[12] >= 224 : a->b[0] == 0xff;
}

/*
 * The flow of this peer is another socket's, S, but the kernel gives its datagrams to us now: we
 * bound the same port later, or joined its group. Only what comes in for one socket says so. Those
 * of one process are not told apart.
 */
static __noinline bool taken_over(struct __sk_buff *skb, struct fl_udp *u,
				  const struct fl_socket *s, const struct fl_key *k)
{
	if (s->cookie == u->cookie || fl_proc_equal(&s->owner.proc, &u->user.proc) ||
	    skb->pkt_type != PACKET_HOST || addr_is_multicast(&k->local))
		return false;
	if (u->taken_over >= UDP_TAKE_OVER_MAX) {
		count(FL_CNT_UDP_CONTESTED);
		return false;
	}
	u->taken_over++;
	return true;
}

/* Not the peer of last time, but known: its flow, 0 when that is just ending. */
static __noinline __u64 peer_known(struct __sk_buff *skb, struct fl_udp *u, struct fl_key *k,
				   bool egress)
{
	struct fl_connection *known = bpf_map_lookup_elem(&l7_connections, k);
	struct fl_socket *s;
	__u64 id;

	if (!known)
		return NOT_KNOWN;
	id = known->flow_id;
	s = bpf_map_lookup_elem(&socket_to_process, &id);
	if (!s)
		return 0;
	if (!egress && taken_over(skb, u, s, k))
		return NOT_KNOWN;
	if (s->active_ns)
		s->active_ns = bpf_ktime_get_boot_ns();
	return id;
}

/* No process hook has seen this socket. */
static __noinline struct fl_udp *udp_unseen(struct __sk_buff *skb, struct bpf_sock *sk)
{
	struct fl_socket *s;
	__u64 cookie;

	if (!can_tracing_socket) {
		cookie = bpf_get_socket_cookie(skb);
		s = bpf_map_lookup_elem(&socket_to_process, &cookie);
		if (s)
			return udp_create(sk, s->key.netns_cookie, cookie);
	}
	count(FL_CNT_UDP_UNOWNED);
	return NULL;
}

static __noinline int key_of_socket(struct bpf_sock *sk, struct fl_key *k)
{
	__builtin_memset(k, 0, sizeof(*k));
	key_from_sock((struct sock *)address_of(sk), FL_UDP, k);
	return 0;
}

/* What a connected socket sends without an address is for its peer, whatever the header says by
 * now: NAT comes before us. The key is then the socket's own. */
static __always_inline bool is_for_peer(struct bpf_sock *sk, const struct fl_udp *u,
					struct fl_key *k, enum way way)
{
	if (!(u->flags & UDP_CONNECTED))
		return false;
	if (u->remote_port == k->remote_port && addr_equal(&u->remote, &k->remote))
		return true;
	if (way == WAY_SENT)
		key_of_socket(sk, k);
	return way == WAY_SENT;
}

/* The flow of a datagram that is not as the one before it; 0 when there is none. */
static __noinline __u64 flow_sought(struct __sk_buff *skb, struct bpf_sock *sk, struct fl_udp *u,
				    struct fl_key *k, bool egress)
{
	enum way way = WAY_CAME;
	__u64 id;

	if (u->flags & UDP_CLOSED)
		return 0;
	if (udp_unsettled(u, sk->state))
		udp_settle(u, address_of(sk));
	if (egress)
		way = sent_from_here(u) ? WAY_SENT_HERE : WAY_SENT;
	if (is_for_peer(sk, u, k, way)) {
		udp_open_session(u, k);
		return u->own_id;
	}
	if (!u->own_id && !(u->flags & UDP_CONNECTED))
		open_unbound(sk, u);
	id = peer_known(skb, u, k, egress);
	return id == NOT_KNOWN ? open_peer(u, k, way) : id;
}

/* Which flow a datagram of K belongs to; 0 when none. */
static __always_inline __u64 flow_of_datagram(struct __sk_buff *skb, struct bpf_sock *sk,
					      struct fl_udp *u, struct fl_key *k, bool egress)
{
	struct fl_config *c = config_get();
	__u64 epoch = c ? c->udp_epoch + 1 : 1;
	__u64 id = udp_unsettled(u, sk->state) ? NOT_KNOWN : seen_last(u, k, epoch);

	if (id != NOT_KNOWN)
		return id;
	if (u->last_epoch != epoch)
		u->taken_over = 0;
	id = flow_sought(skb, sk, u, k, egress);
	remember_last(u, k, epoch, id);
	return id;
}

static __always_inline int datagram(struct __sk_buff *skb, bool egress)
{
	struct bpf_sock *sk = skb->sk;
	struct fl_key k = {};
	struct fl_udp *u;
	__u32 off;
	__u64 id;

	if (!sk || surely_tcp(skb))
		return 1;
	sk = bpf_sk_fullsock(sk);
	if (!sk || sk->protocol != IPPROTO_UDP)
		return 1;
	u = bpf_sk_storage_get(&udp_sockets, sk, 0, 0);
	if (!u)
		u = udp_unseen(skb, sk);
	if (!u)
		return 1;
	off = key_from_datagram(skb, egress, &k);
	if (!off) {
		/* IPsec comes before us; of a connected socket the answer shows it, or the close */
		if (!egress || sk->state != FL_STATE_ESTABLISHED)
			count(FL_CNT_UDP_PARSE);
		return 1;
	}
	k.netns_cookie = u->netns_cookie;
	k.ifindex = sk->bound_dev_if;
	if (!k.ifindex && !is_v4(skb))
		key_scope(skb, &k);
	k.proto = FL_UDP;
	id = flow_of_datagram(skb, sk, u, &k, egress);
	if (count_udp && id)
		count_datagram(skb, id, off, egress);
	return 1;
}

SEC("cgroup_skb/egress")
int udp_egress(struct __sk_buff *skb)
{
	return datagram(skb, true);
}

SEC("cgroup_skb/ingress")
int udp_ingress(struct __sk_buff *skb)
{
	return datagram(skb, false);
}
