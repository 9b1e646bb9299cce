/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Work that takes long says how far it is: from its second second on, once a second and only what
 * is new, as a line where people or the journal read it, and to the service manager, which is asked
 * for more time. Said by a thread of this file's own: the work itself may be one long system call.
 */
#ifndef FLOWNER_PROGRESS_H
#define FLOWNER_PROGRESS_H

#include <linux/types.h>
#include <stddef.h>

struct progress;

/* What is being done: "seeding". DONE counts sockets, of about TOTAL, 0 nobody knows of how many;
 * NULL nobody counts. It is called by the thread. */
struct progress_step {
	const char *what;
	__u64 (*done)(void *arg);
	void *arg;
	__u64 total;
};

/* Negative errno; NULL does for the others: then nothing is said. */
int progress_new(struct progress **ret_progress);

/* From now on this is what is done. */
void progress_next(struct progress *p, const struct progress_step *step);

/* When this has returned nothing more is said. */
void progress_free(struct progress *p);

/* "seeding: 40000 of about 100000 sockets" of a STEP of which DONE are done. */
void progress_text(const struct progress_step *step, __u64 done, char *text, size_t size);

#endif
