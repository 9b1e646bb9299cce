/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a session looks like on the other side of NAT, as conntrack of one network namespace has it
 * (its default zone), through libmnl.
 */
#ifndef FLOWNER_CONNTRACK_H
#define FLOWNER_CONNTRACK_H

#include <flowner/flow.h>

/* The ends of a session as one of its owners, or somebody who looks at packets, sees them. */
struct ends {
	struct fl_addr local, remote;
	__u16 local_port, remote_port; /* host order */
};

/*
 * SEEN on the other side of NAT. NETNS_INUM is the namespace that translates, 0 our own. -ENOENT it
 * does not know SEEN, or does not translate it, or has no conntrack: asking where that is not
 * loaded would have the kernel load it. -EPERM without CAP_NET_ADMIN or the helper.
 */
int conntrack_other_side(__u32 netns_inum, enum fl_proto proto, const struct ends *seen,
			 struct ends *ret_other);

#endif
