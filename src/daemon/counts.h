/* SPDX-License-Identifier: BSD-2-Clause */
/* What went through a flow that lives: the kernel is asked when somebody asks us. */
#ifndef FLOWNER_COUNTS_H
#define FLOWNER_COUNTS_H

#include <flowner/flow.h>

#include <stdbool.h>
#include <stddef.h>

struct agent;

/*
 * Fills in FLOW's counts, if it is a session that lives, or did when FLOW was copied, and is
 * counted here. May read the ring.
 */
void counts_fill(struct agent *agent, struct fl_flow *flow);

/*
 * For who asks for many: a netlink socket for each namespace, opened at its first flow. Of more
 * than COUNTS_NETNS namespaces some are not counted.
 */
#define COUNTS_NETNS 128
struct counts_sockets {
	int own; /* -1: not opened */
	struct {
		int fd;
		__u32 inum;
	} other[COUNTS_NETNS];
	size_t count;
	bool looked; /* for others */
};

void counts_sockets_init(struct counts_sockets *s);
void counts_sockets_close(struct counts_sockets *s);
void counts_fill_next(struct counts_sockets *s, struct agent *agent, struct fl_flow *flow);

#endif
