/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * IPv6 extension headers: how long one is, and so where the next one begins. Whoever sends a packet
 * chooses all of these bytes. Pure; compiles on both sides.
 */
#ifndef FLOWNER_IPV6_H
#define FLOWNER_IPV6_H

#include <flowner/rule.h>

#define FL_IPV6_HOP_BY_HOP 0
#define FL_IPV6_ROUTING 43
#define FL_IPV6_FRAGMENT 44
#define FL_IPV6_DESTINATION 60

/* The first bytes of an extension header, and what they say about it. */
#define FL_IPV6_HEAD 4

/*
 * Bytes of an extension header of TYPE that begins with HEAD; 0: there is no way past it. Of a
 * fragment the second byte is no length: it is reserved, whatever the sender wrote there. What is
 * behind the header of a later fragment is the middle of something, and no ports. A whole packet
 * may have one, too: the kernel takes it as it is, and leaves the header where it was (RFC 6946).
 */
FL_RULE __u32 fl_ipv6_extension(__u8 type, const __u8 head[FL_IPV6_HEAD])
{
	switch (type) {
	case FL_IPV6_HOP_BY_HOP:
	case FL_IPV6_ROUTING:
	case FL_IPV6_DESTINATION:
		return 8 + head[1] * 8u;
	case FL_IPV6_FRAGMENT:
		return head[2] || head[3] & 0xf8 ? 0 : 8;
	default:
		return 0;
	}
}

#endif /* FLOWNER_IPV6_H */
