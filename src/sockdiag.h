/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel's own list of sockets in one network namespace (sock_diag), through libmnl. */
#ifndef FLOWNER_SOCKDIAG_H
#define FLOWNER_SOCKDIAG_H

#include <flowner/flow.h>

/*
 * FN once for each TCP socket (but TIME_WAIT and request sockets) and each UDP socket of the
 * namespace of FD, a NETLINK_SOCK_DIAG socket. A dump is no snapshot: a socket may be passed over
 * while others come and go, so absence here is a reason to ask sockdiag_exists().
 */
int sockdiag_each(int fd, int (*fn)(__u64 cookie, enum fl_proto proto, void *arg), void *arg);

/* 1 when the socket with COOKIE is at KEY, 0 when it is not, negative errno when nobody knows. */
int sockdiag_exists(int fd, const struct fl_key *key, __u64 cookie);

#endif
