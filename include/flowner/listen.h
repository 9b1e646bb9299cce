/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Listeners: by whom they are counted; and when two of one port and network namespace are in each
 * other's way, as some connection could come to either. They share the port (SO_REUSEPORT), or one
 * takes from the other what is for its address. Pure; compiles on both sides.
 */
#ifndef FLOWNER_LISTEN_H
#define FLOWNER_LISTEN_H

#include <flowner/flow.h>
#include <flowner/rule.h>

/* Whose listeners are counted. */
enum fl_per {
	FL_PER_PROCESS,
	FL_PER_USER,
	FL_PER_CGROUP,
	FL_PER_EXE,
	FL_PERS,
};

/* How many listeners one process, user, cgroup or executable has; the daemon deletes what was 0 for
 * a while. */
struct fl_listeners_key {
	__u64 id[2]; /* start and pid; uid; the cgroup's; inode and device */
	__u32 per;   /* enum fl_per */
	__u32 pad;
};

struct fl_listeners_count {
	__u64 listeners;
	__u64 used_ns; /* CLOCK_BOOTTIME */
};

/* What a socket listens at, beside its port. */
struct fl_listens_at {
	const struct fl_addr *addr;
	__u32 ifindex; /* bound to it; 0: to none */
	__u32 v6only;  /* 1: IPV6_V6ONLY, which only matters at [::] */
};

FL_RULE __u64 fl_addr_word(const struct fl_addr *a, unsigned int word)
{
	__u64 w;

	__builtin_memcpy(&w, a->b + word * sizeof(w), sizeof(w));
	return w;
}

/* 0: A is 0.0.0.0, v4-mapped as all of IPv4; with the bits of MASK only, of its second half. */
FL_RULE __u64 fl_addr_not_v4(const struct fl_addr *a, const struct fl_addr *mask)
{
	const struct fl_addr v4 = { .b = { [10] = 0xff, [11] = 0xff } };

	return fl_addr_word(a, 0) |
	       ((fl_addr_word(a, 1) ^ fl_addr_word(&v4, 1)) & fl_addr_word(mask, 1));
}

/* Not 0: who listens at X gets what is for the address of Y, too. Without a branch where BPF's
 * verifier would follow both ways. */
FL_RULE __u64 fl_listens_for(const struct fl_listens_at *x, const struct fl_listens_at *y)
{
	const struct fl_addr prefix = { .b = { [8] = 0xff, 0xff, 0xff, 0xff } };
	const struct fl_addr whole = {
		.b = { [8] = 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }
	};
	__u64 y_is_v4 = ~fl_mask(fl_addr_not_v4(y->addr, &prefix));
	__u64 any_v4 = ~fl_mask(fl_addr_not_v4(x->addr, &whole));
	__u64 any_v6 = ~fl_mask(fl_addr_word(x->addr, 0) | fl_addr_word(x->addr, 1));
	__u64 differ = fl_mask((fl_addr_word(x->addr, 0) ^ fl_addr_word(y->addr, 0)) |
			       (fl_addr_word(x->addr, 1) ^ fl_addr_word(y->addr, 1)));

	return ~differ | (any_v4 & y_is_v4) | (any_v6 & ~(y_is_v4 & fl_mask(x->v6only)));
}

FL_RULE __u64 fl_listens_overlap(const struct fl_listens_at *x, const struct fl_listens_at *y)
{
	__u64 apart = fl_mask(x->ifindex) & fl_mask(y->ifindex) & fl_mask(x->ifindex ^ y->ifindex);

	return (fl_listens_for(x, y) | fl_listens_for(y, x)) & ~apart;
}

#endif /* FLOWNER_LISTEN_H */
