/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where a rule redirects to, and what a socket remembers of it: where it was to go, by where it
 * went instead. Pure; compiles on both sides.
 */
#ifndef FLOWNER_REDIRECT_H
#define FLOWNER_REDIRECT_H

#include <flowner/flow.h>
#include <flowner/rule.h>

#define FL_TARGET_ADDR 1u
#define FL_TARGET_PORT 2u

/* What is not among `parts` stays as it was asked for. */
struct fl_target {
	struct fl_addr addr;
	__u16 port;  /* host order */
	__u16 parts; /* FL_TARGET_* */
	__u32 pad;
};

struct fl_place {
	struct fl_addr addr;
	__u16 port; /* host order */
	__u16 pad;
	__u32 used; /* 0: nothing is here */
};

/* To where it went, from where it was to go. */
struct fl_detour {
	struct fl_place to;
	struct fl_place from;
};

/* Of one socket: of its connect(), and of datagrams sent without, the oldest making room. */
#define FL_DETOURS 4 /* a power of two */

struct fl_detours {
	struct fl_detour connected;
	struct fl_detour sent[FL_DETOURS];
	__u32 next; /* counted up, masked in use */
	__u32 pad;
};

FL_RULE int fl_place_is(const struct fl_place *place, const struct fl_addr *addr, __u16 port)
{
	__u64 a[2], b[2];

	__builtin_memcpy(a, place->addr.b, sizeof(a));
	__builtin_memcpy(b, addr->b, sizeof(b));
	return place->used && place->port == port && a[0] == b[0] && a[1] == b[1];
}

/* An address that every network namespace has for its own: of 127.0.0.0/8, ::1, and what connect()
 * takes for them, 0.0.0.0 and ::. */
FL_RULE int fl_addr_is_everywhere(const struct fl_addr *addr)
{
	const __u8 *b = addr->b;
	__u64 words[2];

	__builtin_memcpy(words, b, sizeof(words));
	if (words[0] || b[8] || b[9])
		return 0;
	if (b[10] == 0xff && b[11] == 0xff)
		return b[12] == 127 || !(b[12] | b[13] | b[14] | b[15]);
	return !(b[10] | b[11] | b[12] | b[13] | b[14]) && b[15] <= 1;
}

/* Where ADDR and PORT lead to by TARGET. */
FL_RULE void fl_target_apply(const struct fl_target *target, struct fl_addr *addr, __u16 *port)
{
	if (target->parts & FL_TARGET_ADDR)
		*addr = target->addr;
	if (target->parts & FL_TARGET_PORT)
		*port = target->port;
}

/* What comes from ADDR and PORT is shown as from RET_FROM. */
FL_RULE int fl_detours_find(const struct fl_detours *d, const struct fl_addr *addr, __u16 port,
			    struct fl_place *ret_from)
{
	if (fl_place_is(&d->connected.to, addr, port)) {
		*ret_from = d->connected.from;
		return 1;
	}
	for (int i = 0; i < FL_DETOURS; i++) {
		if (fl_place_is(&d->sent[i].to, addr, port)) {
			*ret_from = d->sent[i].from;
			return 1;
		}
	}
	return 0;
}

/* connect() by a detour: that is the last that was said of where it leads to. */
FL_RULE void fl_detours_connect(struct fl_detours *d, const struct fl_detour *new)
{
	for (int i = 0; i < FL_DETOURS; i++) {
		if (fl_place_is(&d->sent[i].to, &new->to.addr, new->to.port))
			d->sent[i].to.used = 0;
	}
	d->connected = *new;
}

/* The same of a datagram; who is connected to that place hears from its peer alone. 1 when an older
 * one has made room that may still be asked for. */
FL_RULE int fl_detours_send(struct fl_detours *d, const struct fl_detour *new)
{
	struct fl_detour *room;
	int lost;

	if (fl_place_is(&d->connected.to, &new->to.addr, new->to.port))
		return 0;
	for (int i = 0; i < FL_DETOURS; i++) {
		if (fl_place_is(&d->sent[i].to, &new->to.addr, new->to.port)) {
			d->sent[i].from = new->from;
			return 0;
		}
	}
	room = &d->sent[d->next++ & (FL_DETOURS - 1)];
	lost = room->to.used;
	*room = *new;
	return lost;
}

/* Sent straight to ADDR and PORT: what comes from there is of nobody else now, but for the peer. */
FL_RULE void fl_detours_straight(struct fl_detours *d, const struct fl_addr *addr, __u16 port)
{
	for (int i = 0; i < FL_DETOURS; i++) {
		if (fl_place_is(&d->sent[i].to, addr, port))
			d->sent[i].to.used = 0;
	}
}

FL_ASSERT_SIZE(fl_target, 24);
FL_ASSERT_SIZE(fl_place, 24);
FL_ASSERT_SIZE(fl_detours, 8 + 48 * (FL_DETOURS + 1));

#endif /* FLOWNER_REDIRECT_H */
