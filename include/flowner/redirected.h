/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a proxy may ask the socket it has accepted, when a rule led somebody there: where they
 * wanted to go, and who they are. Compiles on both sides; the answer is in the host's byte order,
 * addresses in network order.
 *
 * It is an option of the socket, so no library is needed:
 *	getsockopt(fd, FL_SOL_FLOWNER, FL_SO_REDIRECTED, &redirected, &size)
 * ENOPROTOOPT: nobody was led here, or what was asked for has not the room.
 */
#ifndef FLOWNER_REDIRECTED_H
#define FLOWNER_REDIRECTED_H

#include <flowner/flow.h>

#define FL_SOL_FLOWNER 0x666c /* no level of the kernel's: it leaves the answer to us */
#define FL_SO_REDIRECTED 1

struct fl_redirected {
	struct fl_addr addr; /* that connect() was called with; IPv4 as ::ffff:a.b.c.d */
	__u16 port;	     /* host order */
	__u16 pad[3];
	__u64 flow_id; /* of the end that connected; 0: nothing is known of who it is */
	struct fl_owner owner;
};

FL_ASSERT_SIZE(fl_redirected, 72);

#endif /* FLOWNER_REDIRECTED_H */
