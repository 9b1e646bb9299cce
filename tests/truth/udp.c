/* SPDX-License-Identifier: BSD-2-Clause */
/* UDP sockets whose sessions are written into the ledger. */
#include "udp.h"

#include "text/cleanup.h"
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "actor.h"

int udp_new(struct udp *u)
{
	*u = UDP_NONE;
	u->own.fd = sock_new(SOCK_DGRAM);
	return u->own.fd < 0 ? u->own.fd : 0;
}

int udp_bind(struct udp *u, const struct ep *at)
{
	uint64_t before = now_ns();
	int r = sock_bind(u->own.fd, at);

	if (r < 0)
		return r;
	u->own.s = session_open(&(struct opening){
		.fd = u->own.fd, .proto = IPPROTO_UDP, .role = ROLE_USER, .before = before });
	return 0;
}

/* The local-only entry becomes the session, under the same id: the slot is taken over. */
static void own_becomes_session(struct udp *u, const struct ep *to)
{
	u->own.s->role = ROLE_OPENER;
	u->own.s->has_remote = true;
	u->own.s->remote = *to;
	ep_of_fd(u->own.fd, &u->own.s->local);
	session_bound(u->own.s, u->own.fd);
}

int udp_connect(struct udp *u, const struct ep *to)
{
	uint64_t before = now_ns();
	bool again = u->own.s && u->own.s->has_remote;
	int r;

	if (again)
		session_closed(u->own.s, before);
	r = sock_connect(u->own.fd, to);
	if (r < 0)
		return r;
	if (u->own.s && !again) {
		own_becomes_session(u, to);
		return 0;
	}
	u->own.s = session_open(&(struct opening){ .fd = u->own.fd,
						   .proto = IPPROTO_UDP,
						   .role = ROLE_OPENER,
						   .flags = again ? T_NUMBERED : 0,
						   .remote = to,
						   .before = before });
	return 0;
}

static int add_peer(struct udp *u, struct session *s, uint32_t slot)
{
	if (u->seen) {
		u->seen[s->remote.port] = true;
		return 0;
	}
	if (u->count == UDP_PEERS)
		return -ENOSPC;
	u->peers[u->count] = s;
	u->peer_slots[u->count++] = slot;
	return 0;
}

static void set_source(struct msghdr *msg, const struct ep *from, int af)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);
	struct in6_pktinfo six = { .ipi6_addr = from->ip };
	struct in_pktinfo four = { 0 };

	if (af == AF_INET) {
		memcpy(&four.ipi_spec_dst, &from->ip.s6_addr[12], 4);
		c->cmsg_level = IPPROTO_IP;
		c->cmsg_type = IP_PKTINFO;
		c->cmsg_len = CMSG_LEN(sizeof(four));
		memcpy(CMSG_DATA(c), &four, sizeof(four));
	} else {
		c->cmsg_level = IPPROTO_IPV6;
		c->cmsg_type = IPV6_PKTINFO;
		c->cmsg_len = CMSG_LEN(sizeof(six));
		memcpy(CMSG_DATA(c), &six, sizeof(six));
	}
	msg->msg_controllen = CMSG_SPACE(af == AF_INET ? sizeof(four) : sizeof(six));
}

/* SLOT as a datagram to TO (NULL: where it is connected to), from the address FROM (NULL: any). */
static int send_slot(int fd, uint32_t slot, const struct ep *to, const struct ep *from)
{
	struct sockaddr_storage sa;
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	} control = { 0 };
	struct iovec iov = { &slot, sizeof(slot) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (to) {
		msg.msg_namelen = ep_to_sa(sock_af(fd), to, &sa);
		msg.msg_name = &sa;
	}
	if (from) {
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
		set_source(&msg, from, sock_af(fd));
	}
	return sendmsg(fd, &msg, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int udp_send_first(struct udp *u, const struct ep *to, const struct ep *from)
{
	struct ep bound = { 0 }, local;
	struct session *s;
	int r;

	/* The slot's number has to be known before the call that opens the session. */
	s = session_open(&(struct opening){ .fd = u->own.fd,
					    .proto = IPPROTO_UDP,
					    .role = ROLE_OPENER,
					    .flags = T_NUMBERED,
					    .remote = to,
					    .before = now_ns() });
	r = send_slot(u->own.fd, session_index(s), to, from);
	if (r == 0)
		r = ep_of_fd(u->own.fd, &bound); /* the port is chosen by now */
	if (r < 0)
		return r;
	s->opened[1] = now_ns();
	local = from ? *from : loopback(1, 0);
	local.port = bound.port;
	s->local = local;
	return add_peer(u, s, UINT32_MAX);
}

int udp_send(struct udp *u)
{
	return send_slot(u->own.fd, session_index(u->own.s), NULL, NULL);
}

int udp_receive(struct udp *u)
{
	uint32_t slot;

	if (recv(u->own.fd, &slot, sizeof(slot), 0) < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	return 0;
}

static bool same_ep(const struct ep *a, const struct ep *b)
{
	return a->port == b->port && a->scope == b->scope && !memcmp(&a->ip, &b->ip, sizeof(a->ip));
}

/* FROM, or where that was not asked for the client that is in SLOT. */
static bool is_peer(const struct udp *u, unsigned int peer, uint32_t slot, const struct ep *from)
{
	const struct session *s = u->peers[peer];
	const struct ep *there = s->has_remote ? &s->remote
					       : &session_at(u->peer_slots[peer])->local;

	return same_ep(there, from ? from : &session_at(slot)->local);
}

/* The same endpoints are one session here, however often the other end began anew: another socket
 * may be given the port of one that was closed. */
static bool peer_known(const struct udp *u, uint32_t slot, const struct ep *from)
{
	if (u->seen)
		return u->seen[from->port];
	for (unsigned int i = 0; i < u->count; i++)
		if (is_peer(u, i, slot, from))
			return true;
	return false;
}

/* Of its sessions with us, only the one that ours began with has a mirror image. */
static void note_again(const struct udp *u, uint32_t slot)
{
	for (unsigned int i = 0; i < u->count; i++)
		if (u->peer_slots[i] == slot)
			return;
	session_at(slot)->flags |= T_NO_MIRROR;
}

int udp_wait(const struct udp *u)
{
	struct pollfd p = { .fd = u->own.fd, .events = POLLIN };
	int r = poll(&p, 1, patience_ms());

	if (r < 0)
		return -errno;
	return r ? 0 : -ETIMEDOUT;
}

int udp_take(struct udp *u, bool with_addr, const struct ep *local, uint64_t before,
	     struct ep *ret_from)
{
	struct sockaddr_storage sa = { 0 };
	socklen_t len = sizeof(sa);
	struct session *s;
	uint32_t slot;
	ssize_t got;

	if (with_addr)
		got = recvfrom(u->own.fd, &slot, sizeof(slot), MSG_DONTWAIT, (struct sockaddr *)&sa,
			       &len);
	else
		got = recv(u->own.fd, &slot, sizeof(slot), MSG_DONTWAIT);
	if (got != sizeof(slot))
		return got < 0 ? -errno : -EPROTO;
	if (with_addr)
		ep_from_sa(&sa, ret_from);
	if (peer_known(u, slot, with_addr ? ret_from : NULL)) {
		note_again(u, slot);
		return 0;
	}
	/* The session begins when the datagram arrives, which is before we look. */
	if (session_at(slot)->opened[0] < before)
		before = session_at(slot)->opened[0];
	s = session_open(&(struct opening){ .fd = u->own.fd,
					    .proto = IPPROTO_UDP,
					    .role = ROLE_ACCEPTOR,
					    .flags = T_NUMBERED,
					    .local = local,
					    .remote = with_addr ? ret_from : NULL,
					    .before = before });
	return add_peer(u, s, slot);
}

void udp_settle(struct udp *u)
{
	for (unsigned int i = 0; i < u->count; i++)
		if (!u->peers[i]->has_remote)
			session_mirror(u->peers[i], session_at(u->peer_slots[i]));
}

int udp_reply(struct udp *u, const struct ep *to, const struct ep *from)
{
	return send_slot(u->own.fd, 0, to, from);
}

void udp_autobound(struct udp *u)
{
	u->own.s = session_open(&(struct opening){ .fd = u->own.fd,
						   .proto = IPPROTO_UDP,
						   .role = ROLE_USER,
						   .flags = T_OPTIONAL,
						   .before = u->peers[0]->opened[0] });
}

int udp_close(struct udp *u)
{
	uint64_t before = now_ns();
	int r = conn_close(&u->own);

	for (unsigned int i = 0; r == 0 && i < u->count; i++)
		session_closed(u->peers[i], before);
	u->count = 0;
	return r;
}

void udp_drop(struct udp *u)
{
	if (u->own.fd >= 0)
		udp_close(u);
}
