/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Network namespaces by cookie, inode, name (ip netns) or pid, and netlink sockets inside them.
 * The one file that calls setns().
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
 * One callback per distinct namespace found in /proc/PID/ns/net, /run/netns and /run/docker/netns;
 * PATH opens it, while it lasts. FN's first non-zero value ends the walk and is returned.
 */
int netns_each(int (*fn)(const char *path, __u32 inum, void *arg), void *arg);

/*
 * A NETLINK_SOCK_DIAG socket inside the namespace at PATH, and that namespace's cookie (0 before
 * 5.14, where an internet socket is made on the way, for netns.bpf.c to see). The calling thread is
 * back in its own namespace on return, also on failure; the process is aborted if that cannot be
 * done. Needs CAP_SYS_ADMIN unless PATH is the caller's own namespace. Caller closes.
 */
int netns_diag_socket(const char *path, int *ret_fd, __u64 *ret_cookie);

/*
 * Calls FN while the calling thread is in the namespace at PATH, and returns what FN returns. The
 * thread is back in its own namespace afterwards, as above.
 */
int netns_run(const char *path, int (*fn)(void *arg), void *arg);

#endif
