/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which listener a local end belongs to.
 */
#ifndef FLOWNER_LISTENER_BPF_H
#define FLOWNER_LISTENER_BPF_H

#include "sock.bpf.h"
#include <flowner/check.h>

static __always_inline struct fl_connection *listener_at(struct fl_key *k, __u32 ifindex)
{
	struct fl_connection *c;

	k->ifindex = ifindex;
	c = bpf_map_lookup_elem(&l7_connections, k);
	if (c || !ifindex)
		return c;
	k->ifindex = 0;
	return bpf_map_lookup_elem(&l7_connections, k);
}

/*
 * Who hears what is sent to the local end of K and arrives by its interface, as the kernel chooses:
 * the address itself before any-address, IPv4's any before IPv6's (which takes IPv4 too), and for
 * each a bound interface before none. K becomes the key of what was found.
 */
static __always_inline struct fl_connection *listener_find(struct fl_key *k)
{
	__u32 ifindex = k->ifindex;
	struct fl_connection *c;

	key_clear_remote(k);
	c = listener_at(k, ifindex);
	if (c)
		return c;
	if (addr_is_v4(&k->local)) {
		addr_from_v4(&k->local, 0);
		c = listener_at(k, ifindex);
		if (c)
			return c;
	}
	__builtin_memset(&k->local, 0, sizeof(k->local));
	return listener_at(k, ifindex);
}

/* Whose C is, which was found by K; false: of another by now, or of one among many. */
static __always_inline bool listener_owner_is(const struct fl_connection *c, const struct fl_key *k,
					      struct fl_owner *ret_owner)
{
	__u64 id = c->flow_id;

	*ret_owner = c->owner;
	return fl_check_word(k, id, ret_owner) == *(volatile const __u64 *)&c->check;
}

#endif /* FLOWNER_LISTENER_BPF_H */
