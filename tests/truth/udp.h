/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * UDP sessions for the ledger. A datagram carries the number of its sender's slot, so that who
 * receives without an address still knows, afterwards, from whom.
 */
#ifndef TRUTH_UDP_H
#define TRUTH_UDP_H

#include "net.h"

#define UDP_PEERS 32

/* A socket with its own entry and its peers; all of them end with it. */
struct udp {
	struct conn own; /* fd, and the local-only entry or the session of connect() */
	struct session *peers[UDP_PEERS];
	uint32_t peer_slots[UDP_PEERS]; /* of the other end */
	unsigned int count;
	bool *seen; /* storm: 65536 ports of peers already known, instead of the list */
};

#define UDP_NONE ((struct udp){ .own = { .fd = -1 } })
#define _udp_ __attribute__((cleanup(udp_drop)))

/* A socket without a name yet. */
int udp_new(struct udp *u);
/* bind(): the local-only entry begins. */
int udp_bind(struct udp *u, const struct ep *at);
int udp_connect(struct udp *u, const struct ep *to);

/* The first datagram to TO from an unconnected socket: a session of its own, from address FROM. */
int udp_send_first(struct udp *u, const struct ep *to, const struct ep *from);
/* By connect()ed socket. */
int udp_send(struct udp *u);
int udp_receive(struct udp *u); /* any datagram, without recording */

int udp_wait(const struct udp *u); /* until there is one */
/*
 * Receives one datagram, with or without asking from where; a new peer is a session. LOCAL: the
 * address it was sent to. -EAGAIN when there is none.
 */
int udp_take(struct udp *u, bool with_addr, const struct ep *local, uint64_t before,
	     struct ep *ret_from);
/* Sessions received without an address get their endpoints from the slots of their senders. */
void udp_settle(struct udp *u);
int udp_reply(struct udp *u, const struct ep *to, const struct ep *from);

/* The kernel chose the port: an entry nobody asked for, so it may be left out. */
void udp_autobound(struct udp *u);

int udp_close(struct udp *u);
void udp_drop(struct udp *u);

#endif
