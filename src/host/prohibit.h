/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A routing rule that prohibits what bears a mark, in network namespaces where a connect() was
 * rejected at CONNECT_AUTHORIZATION: a socket that is marked then has no route before its SYN
 * leaves, and connect() is EHOSTUNREACH at once. What bears the mark is nobody else's, and our
 * rules are known by their protocol number.
 */
#ifndef FLOWNER_PROHIBIT_H
#define FLOWNER_PROHIBIT_H

#include "text/idset.h"
#include <linux/types.h>
#include <stdbool.h>

#define PROHIBIT_MARK 0x666c776eu
#define PROHIBIT_PROTOCOL 102 /* in `ip rule`: proto */

/* The bits of MASK in a socket's mark are those of VALUE. No mask: no rules. */
struct prohibit_mark {
	__u32 value, mask;
};

struct prohibit {
	struct prohibit_mark mark;
	struct idset looked_at; /* cookies of namespaces */
	bool any;		/* there may be such rules */
	int error;		/* 0, or why there is none in the last that should have one */
};

/*
 * The one rule of ours in that namespace, for IPv4 and IPv6. P->error: -ENOENT no process is in
 * there, -EOPNOTSUPP this kernel has no routing rules, -EPERM. A namespace is looked at once.
 */
void prohibit_in(struct prohibit *p, __u64 netns_cookie, __u32 netns_inum);

/* There are none any more, those of an earlier flownerd included. */
void prohibit_nowhere(struct prohibit *p);

/* Nothing is held of any namespace: each is looked at anew, for somebody may have taken the rule
 * away. The rules stay. */
void prohibit_forget(struct prohibit *p);

#endif
