/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The BPF object: open, size, load, pin, attach by the hook table, seed, detach. The only module
 * that knows the skeleton. Does not print: failures are worded in struct fail.
 */
#ifndef FLOWNER_TRACK_H
#define FLOWNER_TRACK_H

#include "text/fail.h"
#include "kernel/maps.h"
#include <stdbool.h>

struct config;
struct hooks;
struct track;

/*
 * Loads and attaches everything the table and this kernel allow, below CGROUP (the host's root or a
 * part of it; its id in SCOPE, 0 for all), pinned in config->pin_dir. What is pinned there already
 * is taken over: maps continue, old programs are detached after the new ones are attached. On
 * failure what was attached is taken off again. -EBUSY another daemon; -EOPNOTSUPP, -EPERM,
 * -ENOTSUP, -ESTALE pins of another layout.
 */
int track_open(const struct config *config, const char *cgroup, __u64 scope, struct hooks *hooks,
	       struct track **ret_track, struct fail *f);

/* DETACH: nothing of us stays in the kernel. Else links and maps stay pinned and go on. */
void track_close(struct track *t, bool detach);

/* Walks what is open and puts it into the maps. Returns the sockets found, or negative errno. */
int track_seed(struct track *t);

/* Whether track_seed() may make its iterators: 0, or negative errno. */
int track_iterates(const struct track *t);

/* What holders.h asks with: the link's descriptor, and the cookies. -EOPNOTSUPP it is not on. */
int track_holders(const struct track *t, __u64 **ret_wanted);

/* Adds to FL_CNT_RUNS_SKIPPED what the kernel has skipped since the last call. */
void track_count_skipped(struct track *t);

/* True when the maps were pinned before: this daemon continues another one's work. */
bool track_resumed(const struct track *t);

struct maps *track_maps(struct track *t); /* owned by T */
int track_ring(const struct track *t);	  /* map fd of the event ring */

/* Takes away what a dead daemon left at PIN_DIR. -EBUSY when one lives; 0 when nothing is there. */
int track_remove_pins(const char *pin_dir, struct fail *f);

#endif
