/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A name that several hold, and that lives as long as one of them does: of a rule, in a policy that
 * is gone, in an event that is still to be sent. One thread.
 */
#ifndef FLOWNER_LABEL_H
#define FLOWNER_LABEL_H

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct label {
	size_t holders;
	char text[];
};

/* Held once. NULL without memory. */
static inline struct label *label_new(const char *text)
{
	size_t size = strlen(text) + 1;
	struct label *l = malloc(sizeof(*l) + size);

	if (!l)
		return NULL;
	l->holders = 1;
	memcpy(l->text, text, size);
	return l;
}

static inline struct label *label_hold(struct label *l)
{
	if (l)
		l->holders++;
	return l;
}

static inline void label_drop(struct label *l)
{
	if (l && --l->holders == 0)
		free(l);
}

#endif
