/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The optional log of flows that ended: each once, as `flowner list --closed -j` has it and with
 * host.boot.id, which makes its flow id one for all times; a JSON line in a file, for whoever keeps
 * files. A flow is written a second after its end, when nothing more becomes known of it.
 *
 * The daemon that follows a killed one takes the last ends again; those that are in the file by
 * then are not written twice.
 */
#ifndef FLOWNER_HISTORY_H
#define FLOWNER_HISTORY_H

#include "flow/past.h"
#include <flowner/flow.h>
#include <stdbool.h>

struct agent;
struct fail;
struct history;

/* Negative errno, worded in F. All but history_new() take NULL. */
int history_new(struct agent *agent, const char *path, struct history **ret_history,
		struct fail *f);

/* What an earlier daemon took has been taken again. */
void history_recalled(struct history *h);

/* From now on it is written, by a thread with the privileges that we have now. */
int history_start(struct history *h, struct fail *f);

/* FLOW has ended; once for each. */
void history_add(struct history *h, const struct fl_flow *flow);

/* Now and then. True: there is news for the log. */
bool history_tick(struct history *h, struct fail *ret_news);

void history_reopen(struct history *h);
void history_free(struct history *h); /* writes what waits, for a few seconds */

struct history_counts {
	__u64 written;
	__u64 lost_full; /* the disk was too slow for them */
	__u64 lost_memory;
	__u64 no_space, io_errors, other_errors; /* attempts to write that failed */
};

struct history_counts history_counts(struct history *h);

const char *history_path(const struct history *h);
const char *history_boot(const struct history *h);

#endif
