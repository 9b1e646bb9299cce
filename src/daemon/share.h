/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How much each asker may hold of what there is a bounded amount of: connections, flows copied for
 * answers, readers of the history. Who does not read must not keep all of it from the others, and
 * least of all from root.
 */
#ifndef FLOWNER_SHARE_H
#define FLOWNER_SHARE_H

#include "host/peer.h"

/* By whom at the most: anybody, all but root, all who do not see all, and one user of these. */
struct share {
	size_t all, all_but_root, others, one;
	struct holding *list;
};

/* What one answer or connection holds of it. Zero: nothing. */
struct holding {
	struct share *share;
	struct holding *previous, *next;
	struct peer peer;
	size_t count;
};

/* So much more of SHARE for PEER. -EBUSY. Always the same two for one holding. */
int share_take(struct share *share, struct holding *h, const struct peer *peer, size_t count);

/* So much less, or all of it. H must not move in between. */
void share_return(struct holding *h, size_t count);
void share_give_back(struct holding *h);

#endif
