/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A small process that may enter other network namespaces, so that the daemon need not be able to:
 * it is given a namespace and hands out a netlink socket, or an iterator, made in there, or runs a
 * program of ours there. A filter leaves it the system calls for that and no others. The one file
 * that calls setns().
 */
#ifndef FLOWNER_NETNS_HELPER_H
#define FLOWNER_NETNS_HELPER_H

#include <linux/types.h>

/* One for this process; to be forked while it is small. -EPERM it may not enter namespaces. */
int netns_helper_start(void);
void netns_helper_stop(void);

/* 0 while it works; else why it does not, negative errno. -ECHILD: never started. */
int netns_helper_state(void);

/*
 * A netlink socket of PROTOCOL in the namespace NETNS refers to, with its cookie, as
 * netns_socket_here(). What netns_helper_state() says when there is no helper.
 */
int netns_helper_socket(int netns, int protocol, int *ret_fd, __u64 *ret_cookie);

/* netns_run_here() in that namespace. */
int netns_helper_run(int netns, int program, __u32 ifindex);

/* bpf_iter_create() in that namespace, of the link LINK. */
int netns_helper_iterator(int netns, int link, int *ret_fd);

#endif
