/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What each rule has decided. The kernel counts by area and place (see policy.h); a policy that was
 * edited has an area of its own, and the counts of the rules that stay go there with them.
 */
#ifndef FLOWNER_POLICYHITS_H
#define FLOWNER_POLICYHITS_H

#include "policy/policymaps.h"

struct policyhits {
	/* Counted at the old place while the count was on its way to this one. Where rules may be
	 * counting there is no adding to what they count. */
	__u64 missed[FL_POLICY_AREAS][FL_RULES_MAX];
};

/* What an earlier daemon had in there. */
void policyhits_recall(struct policyhits *h, const struct policymaps *m);

/* From where to where: of rule i of TO its place in FROM, FL_NO_RULE: it is new. */
struct policyhits_move {
	__u32 from, to; /* areas */
	const __u32 *places;
	__u32 rules;
};

/* The first RULES rules of AREA have matched nothing yet. */
int policyhits_none(struct policyhits *h, const struct policymaps *m, __u32 area, __u32 rules);

int policyhits_of(const struct policyhits *h, const struct policymaps *m, __u32 area, __u32 rule,
		  __u64 *ret_hits);

/* Before TO is in force, and after: what was counted in between goes along. */
int policyhits_begin(struct policyhits *h, const struct policymaps *m,
		     const struct policyhits_move *move);
void policyhits_end(struct policyhits *h, const struct policymaps *m,
		    const struct policyhits_move *move);

#endif
