/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What l7_connections shows, put right by socket_to_process, which is the truth of what lives: no
 * entry without its flow, no flow without an entry at its key, and at a key that several sockets
 * have one of them shown, and their number.
 */
#ifndef FLOWNER_MAPINDEX_H
#define FLOWNER_MAPINDEX_H

#include <linux/types.h>

struct maps;

struct mapindex_result {
	__u64 orphans; /* entries whose flow is no more */
	__u64 missing; /* flows whose entry was not there */
	__u64 shown;   /* keys whose entry showed nobody, or another number of sockets */
};

/*
 * Programs write meanwhile: what they have just put in stays, and what a step of theirs undoes is
 * done again by the next repair. Negative errno.
 */
int mapindex_repair(const struct maps *m, struct mapindex_result *ret_result);

#endif
