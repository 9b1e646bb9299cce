/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Why a way to see something is not on here, and how to get it: from what the kernel answered and
 * what the host says of itself. Nothing here looks at the host. Where nobody knows it is silent.
 */
#ifndef FLOWNER_REMEDY_H
#define FLOWNER_REMEDY_H

#include <stdbool.h>
#include <stddef.h>

struct facts;
struct hook;
struct hooks;

#define REMEDY_TEXT 400

struct remedy {
	char why[REMEDY_TEXT]; /* never empty */
	char how[REMEDY_TEXT]; /* "": nothing is known to help */
};

/*
 * For HOOK as it stands: a row of H, or one like it (attach, status, error). False when it is on,
 * when nobody misses it, or when nobody knows.
 */
bool remedy_find(const struct hooks *h, const struct hook *hook, const struct facts *facts,
		 struct remedy *ret_remedy);

/* For what netns_helper_state() says. */
bool remedy_of_helper(int state, const struct facts *facts, struct remedy *ret_remedy);

#endif
