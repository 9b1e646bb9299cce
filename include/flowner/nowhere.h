/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where connect() or a datagram to no address goes: 0.0.0.0, ::ffff:0.0.0.0 and :: are this host
 * to the kernel, which puts another in their place after all hooks. Pure; compiles on both sides.
 */
#ifndef FLOWNER_NOWHERE_H
#define FLOWNER_NOWHERE_H

#include <flowner/listen.h>

/* The one half of a 16-byte address where MASK has all bits, else the other. */
FL_RULE __u64 fl_select(__u64 mask, __u64 yes, __u64 no)
{
	return no ^ (mask & (yes ^ no));
}

/*
 * TO becomes where that leads, from a socket at LOCAL: instead of 0.0.0.0 the address that it sends
 * from, SOURCE (network order; 0: none yet), else 127.0.0.1; instead of :: what is loopback to
 * LOCAL's family. Not 0, and TO as it was: the kernel will choose one of the INTERFACE that the
 * socket is bound to. Without a branch, see fl_opaque().
 */
FL_RULE __u64 fl_nowhere_leads(struct fl_addr *to, const struct fl_addr *local, __u32 source,
			       __u32 interface)
{
	const struct fl_addr any = { .b = { [10] = 0xff, [11] = 0xff } };
	const struct fl_addr v4 = { .b = { [10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1 } };
	const struct fl_addr v6 = { .b = { [15] = 1 } };
	const struct fl_addr prefix = { .b = { [8] = 0xff, 0xff, 0xff, 0xff } };
	__u64 first = fl_addr_word(to, 0), second = fl_addr_word(to, 1), none, leads;
	__u64 is_any4 = ~fl_mask(first | (second ^ fl_addr_word(&any, 1)));
	__u64 is_any6 = ~fl_mask(first | second);
	struct fl_addr from = any;

	__builtin_memcpy(&from.b[12], &source, sizeof(source));
	none = fl_select(fl_mask(interface), fl_addr_word(&any, 1), fl_addr_word(&v4, 1));
	leads = fl_select(fl_mask(source), fl_addr_word(&from, 1), none);
	second = fl_select(is_any4, leads, second);
	leads = fl_select(fl_mask(fl_addr_not_v4(local, &prefix)), fl_addr_word(&v6, 1),
			  fl_addr_word(&v4, 1));
	second = fl_select(is_any6, leads, second);
	__builtin_memcpy(to->b + sizeof(second), &second, sizeof(second));
	return is_any4 & ~fl_mask(source) & fl_mask(interface);
}

#endif /* FLOWNER_NOWHERE_H */
