/* SPDX-License-Identifier: BSD-2-Clause */
/* One question by netlink, and all of its answer; what they say is for who asks. */
#ifndef FLOWNER_NETLINK_H
#define FLOWNER_NETLINK_H

#include <libmnl/libmnl.h>

/*
 * Sends QUESTION, a dump or one with NLM_F_ACK, and reads FD to the end of the answer, whatever FN
 * says; FN, which may be NULL, once for each message but the last. Negative errno, of the kernel's
 * answer too.
 */
int netlink_ask(int fd, const struct nlmsghdr *question, mnl_cb_t fn, void *arg);

#endif
