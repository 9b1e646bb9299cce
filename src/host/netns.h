/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Network namespaces by cookie, inode, name (ip netns) or pid, and netlink sockets inside them.
 */
#ifndef FLOWNER_NETNS_H
#define FLOWNER_NETNS_H

#include <linux/types.h>

#define NETNS_OWN "/proc/thread-self/ns/net"

/* Cookie (0 before 5.14: no socket tells it there) and inode of the calling thread's namespace. */
int netns_self(__u64 *ret_cookie, __u32 *ret_inum);

/*
 * "4026531840" (inode, not looked for), "12345" (pid), "name" below /run/netns, "/path". A number
 * no pid can reach is an inode: the host's own namespace is 4026531833 since 6.18, below what used
 * to be the first. -ENOENT when there is no such namespace, -EINVAL when TEXT cannot be one.
 */
int netns_parse(const char *text, __u32 *ret_inum);

/*
 * One callback per distinct namespace found in /proc/PID/ns/net, /run/netns and /run/docker/netns,
 * and where netns_places_find() has found more; PATH itself, no copy of it, opens it until FN
 * returns, whatever becomes of who lives there. FN's first non-zero value ends the walk and is
 * returned.
 */
int netns_each(int (*fn)(const char *path, __u32 inum, void *arg), void *arg);

/*
 * A netlink socket of PROTOCOL in the namespace at PATH, and that namespace's cookie (0 before
 * 5.14, where an internet socket is made on the way, for netns.bpf.c to see). Any but our own needs
 * the helper (netns_helper.h). Caller closes.
 */
int netns_socket(const char *path, int protocol, int *ret_fd, __u64 *ret_cookie);

/* The same in the namespace of the calling thread. */
int netns_socket_here(int protocol, int *ret_fd, __u64 *ret_cookie);

/* The namespace at PATH itself: as "/proc/self/fd/N" it is a path for the others. Caller closes. */
int netns_open(const char *path, int *ret_fd);

/* bpf_iter_create() of LINK, which shows what is in the namespace at PATH. */
int netns_iterator(const char *path, int link, int *ret_fd);
int netns_iterator_here(int link, int *ret_fd);

/*
 * A run of PROGRAM, which is of the tc kind, in the namespace at PATH: on a packet of nothing, of
 * the interface IFINDEX there. -ENODEV there is none.
 */
int netns_run(const char *path, int program, __u32 ifindex);
int netns_run_here(int program, __u32 ifindex);

#endif
