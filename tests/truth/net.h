/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sockets of the running scenario's family whose life is written into the ledger.
 *
 * An accepted socket is never asked for its peer: getpeername() runs the very hook an agent may
 * use to see accept(), and would answer the question for it. Its endpoints come from accept()'s own
 * buffer or from the client's slot.
 */
#ifndef TRUTH_NET_H
#define TRUTH_NET_H

#include <sys/socket.h>

#include "report.h"

enum family {
	FAMILY_V4,
	FAMILY_V6,
	FAMILY_MAPPED, /* dual-stack AF_INET6 sockets with v4-mapped addresses */
};

struct conn {
	int fd;
	struct session *s; /* NULL: not recorded */
};

#define CONN_NONE ((struct conn){ .fd = -1 })
#define _conn_ __attribute__((cleanup(conn_drop)))

/* Whether this host has FAMILY; makes it the stage's. */
bool family_here(uint32_t family);
bool mptcp_here(void);

#ifndef IPPROTO_MPTCP /* glibc 2.32 */
#define IPPROTO_MPTCP 262
#endif

int sock_new(int type); /* SOCK_STREAM or SOCK_DGRAM, close-on-exec, with time limits */
int sock_limits(int fd);
int sock_flag(int fd, int level, int option, int value);
int sock_device(int fd, const char *name); /* SO_BINDTODEVICE; "" for none */
int keep_over_exec(int fd);

/* This family's loopback address; HOST picks 127.0.0.HOST where there is more than one. */
struct ep loopback(unsigned int host, uint16_t port);
struct ep any_address(uint16_t port);
int ep_of_fd(int fd, struct ep *ret_ep); /* getsockname() */
void ep_from_sa(const struct sockaddr_storage *sa, struct ep *ret_ep);
/* For a socket of address family AF. */
socklen_t ep_to_sa(int af, const struct ep *ep, struct sockaddr_storage *ret_sa);
int sock_af(int fd);

/* A free port outside the range the kernel gives out by itself: it stays free between two uses. */
int port_choose(struct ep *at);
int sock_bind(int fd, const struct ep *at);
/* Without a record. -errno of connect(). */
int sock_connect(int fd, const struct ep *to);

/* A recorded listener at AT (NULL: loopback(1, 0)); where it listens in *ret_at (may be NULL). */
int tcp_listen(struct conn *ret, const struct ep *at, struct ep *ret_at);
int tcp_listen_fd(struct conn *ret, int fd);
int tcp_connect(struct conn *ret, const struct ep *to);
int tcp_connect_fd(struct conn *ret, int fd, const struct ep *to, uint32_t flags);
/* WITH_ADDR false: accept(fd, NULL, NULL), endpoints still to be mirrored. */
int tcp_accept(struct conn *ret, int listener, bool with_addr);
/* Until a connection is in the queue: a client that has connected may be ahead of its own. */
int tcp_wait_queued(int listener);
/* A session nobody has a descriptor of: the far end of CLIENT, in the queue of the caller. */
struct session *tcp_queued(const struct session *client, const struct session *listener);

int conn_close(struct conn *c); /* stamps the slot */
/* The same by who closes last: neither end waits for anything when this returns. A cable that
 * goes too early takes the last acknowledgement with it. */
int conn_finish(struct conn *c);
int conn_reset(struct conn *c); /* the same by RST */
void conn_drop(struct conn *c);

int send_byte(int fd);
int recv_byte(int fd);
int recv_end(int fd); /* until the other end has closed */

#endif
