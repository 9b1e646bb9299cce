/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel's own list of sockets in one network namespace (sock_diag), through libmnl. */
#ifndef FLOWNER_SOCKDIAG_H
#define FLOWNER_SOCKDIAG_H

#include <flowner/flow.h>
#include <linux/inet_diag.h>
#include <stdbool.h>
#include <stddef.h>

/* One socket as the kernel tells it, and as it wants to be told which one is meant. */
struct sockdiag_socket {
	struct inet_diag_sockid id;
	enum fl_proto proto;
	enum fl_state state; /* TIME_WAIT in all its substates */
	__u32 uid, mark;     /* by which its route is chosen, beside the ends */
	__u8 family, tos;
};

__u64 sockdiag_cookie(const struct sockdiag_socket *s);

/* Whom it is connected to, v4-mapped where that is IPv4; idiag_dport has the port, in network byte
 * order, 0: nobody. */
void sockdiag_remote(const struct sockdiag_socket *s, struct fl_addr *ret_remote);

/*
 * FN once for each TCP socket (but TIME_WAIT and request sockets) and each UDP socket of the
 * namespace of FD, a NETLINK_SOCK_DIAG socket. A dump is no snapshot: a socket may be passed over
 * while others come and go, so absence here is a reason to ask sockdiag_exists(). No mark, no tos.
 */
int sockdiag_each(int fd, int (*fn)(const struct sockdiag_socket *s, void *arg), void *arg);

/* 1 when the socket with COOKIE is at KEY, 0 when it is not, negative errno when nobody knows. */
int sockdiag_exists(int fd, const struct fl_key *key, __u64 cookie);

/*
 * The socket with COOKIE: at KEY, or wherever the kernel lists it. Its own remote end may be
 * another than KEY's: a UDP socket is found by any datagram it would get. -ENOENT there is none.
 */
int sockdiag_find(int fd, const struct fl_key *key, __u64 cookie,
		  struct sockdiag_socket *ret_socket);

/* The socket's own ends, not those of a datagram it would get, are KEY's. */
bool sockdiag_is_at(const struct sockdiag_socket *s, const struct fl_key *key);

/*
 * Its owner gets ECONNABORTED, the peer of a TCP session a reset. Returns 0 when the kernel says
 * so; -ENOENT not there (any more); -EOPNOTSUPP not by this kernel, or not in this state; -EPERM.
 */
int sockdiag_destroy(int fd, const struct sockdiag_socket *s);

/*
 * What the kernel tells of that TCP socket: SIZE bytes of its struct tcp_info at most, the rest of
 * INFO zeroed, in whatever version this kernel has. -ENOENT when there is no such socket.
 */
int sockdiag_tcp_info(int fd, const struct fl_key *key, __u64 cookie, void *info, size_t size);

#endif
