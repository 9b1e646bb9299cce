/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where network namespaces are that no process lives in and that have no name in /run/netns: one
 * that a thread went to, that somebody has a descriptor of, or that is mounted elsewhere, here or
 * in another mount namespace. None is kept alive by being found.
 *
 * All descriptors and threads of the machine are looked at: for when something is to be found. That
 * takes two seconds of CPU time at the most, what would be found after is not.
 */
#ifndef FLOWNER_NETNS_PLACES_H
#define FLOWNER_NETNS_PLACES_H

#include <linux/types.h>

/* Those that netns_each() does not find by itself; what was found before is forgotten. -ENOMEM. */
int netns_places_find(void);

/*
 * FN with a path that opens each, as long as FN runs; what is not there any more is passed over.
 * FN's first non-zero value ends the walk and is returned.
 */
int netns_places_each(int (*fn)(const char *path, void *arg), void *arg);

void netns_places_forget(void);

#endif
