/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where to look when no session has the packet: the socket bound to the address, the one bound to
 * any address of its family, the IPv6 one that takes IPv4 as well. In this order, as the kernel
 * does. Pure, for the daemon's `who` and the library's packets.
 */
#ifndef FLOWNER_LADDER_H
#define FLOWNER_LADDER_H

#include <flowner/flow.h>
#include <stdbool.h>
#include <string.h>

enum ladder {
	LADDER_BOUND, /* to the address itself */
	LADDER_ANY,   /* to any address of the family */
	LADDER_DUAL,  /* to any IPv6 address; IPV6_V6ONLY is not known to us */
	LADDER_RUNGS,
};

static inline bool ladder_is_v4(const struct fl_addr *a)
{
	static const __u8 prefix[12] = { [10] = 0xff, [11] = 0xff };

	return memcmp(a->b, prefix, sizeof(prefix)) == 0;
}

/* The key on RUNG for the local end of END. False: there is none that an earlier rung had not. */
static inline bool ladder_key(const struct fl_key *end, enum ladder rung, struct fl_key *ret_key)
{
	struct fl_key key = *end;

	memset(&key.remote, 0, sizeof(key.remote));
	key.remote_port = 0;
	if (rung == LADDER_DUAL && !ladder_is_v4(&end->local))
		return false;
	if (rung == LADDER_DUAL || (rung == LADDER_ANY && !ladder_is_v4(&end->local)))
		memset(&key.local, 0, sizeof(key.local));
	else if (rung == LADDER_ANY)
		memset(&key.local.b[12], 0, 4);
	if (rung == LADDER_ANY && memcmp(&key.local, &end->local, sizeof(key.local)) == 0)
		return false;
	*ret_key = key;
	return true;
}

#endif
