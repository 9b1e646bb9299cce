/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The pin directory: who owns it, what mode its entries have, and how all of it goes away. Links
 * live below links/, one by the name of its program; maps beside it by their own name. What a
 * policy needs is in a directory of its own, and comes and goes with that.
 */
#ifndef FLOWNER_PINS_H
#define FLOWNER_PINS_H

#include "text/fail.h"
#include <stdbool.h>

struct pins {
	const char *dir; /* the caller's */
	int lock;	 /* the directory, locked: one daemon at a time */
};

/*
 * Makes DIR (0750, group GROUP when it exists) on a bpf filesystem and locks it. -EBUSY another
 * daemon has it; -ENOTSUP DIR is not on a bpf filesystem; -ENOTEMPTY it holds what is not ours.
 */
int pins_open(struct pins *p, const char *dir, const char *group, struct fail *f);
void pins_close(struct pins *p); /* gives the lock up; what is pinned stays */

/* Path of a map or link pin into BUF. */
const char *pins_map_path(const struct pins *p, const char *name, char *buf, size_t size);
const char *pins_link_path(const struct pins *p, const char *name, char *buf, size_t size);

/* Mode and group of a map other people may read. */
int pins_publish(const struct pins *p, const char *name, const char *group);

/* Takes away every link pin for which KEEP says no (all when KEEP is NULL). */
int pins_drop_links(const struct pins *p, bool (*keep)(const char *name, void *arg), void *arg);

/*
 * Below DIR, what a policy is pinned in: its maps, and in links/ its programs. Made anew: what was
 * there is taken away first. Negative errno.
 */
#define PINS_POLICY "policy"
int pins_make_policy(const char *dir);
int pins_remove_policy(const char *dir);

/* Everything, the directory too. Programs whose last reference was a pin are detached by it. */
int pins_remove(const struct pins *p);

#endif
