/* SPDX-License-Identifier: BSD-2-Clause */
/* Holdings are few, at most some for each connection: they are counted anew each time. */
#include "daemon/share.h"

#include <errno.h>

static bool is_root(const struct peer *peer)
{
	return peer->uid == 0;
}

int share_take(struct share *share, struct holding *h, const struct peer *peer, size_t count)
{
	size_t all = count, all_but_root = count, others = count, one = count;

	for (const struct holding *i = share->list; i; i = i->next) {
		all += i->count;
		all_but_root += is_root(&i->peer) ? 0 : i->count;
		others += i->peer.sees_all ? 0 : i->count;
		one += i->peer.uid == peer->uid ? i->count : 0;
	}
	if (all > share->all || (!is_root(peer) && all_but_root > share->all_but_root) ||
	    (!peer->sees_all && (others > share->others || one > share->one)))
		return -EBUSY;
	if (!h->share) {
		h->share = share;
		h->peer = *peer;
		h->next = share->list;
		if (h->next)
			h->next->previous = h;
		share->list = h;
	}
	h->count += count;
	return 0;
}

void share_return(struct holding *h, size_t count)
{
	h->count -= count;
}

void share_give_back(struct holding *h)
{
	if (!h->share)
		return;
	if (h->previous)
		h->previous->next = h->next;
	else
		h->share->list = h->next;
	if (h->next)
		h->next->previous = h->previous;
	*h = (struct holding){ 0 };
}
