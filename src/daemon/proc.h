/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The daemon's table of process images: what the kernel side recorded, completed from /proc only
 * for images older than the agent. Bounded: images no live or recent flow refers to go first.
 */
#ifndef FLOWNER_PROC_H
#define FLOWNER_PROC_H

#include <flowner/flow.h>
#include <stdbool.h>
#include <stddef.h>

struct maps;
struct procs;

struct process {
	struct fl_process rec; /* key always set; else zero (login_uid unset) when not known */
	bool known;	       /* rec came from the kernel side */
	char *exe;	       /* NULL = not known; without " (deleted)" */
	char *args;	       /* ARGS_LEN bytes with NULs; NULL = not known */
	size_t args_len;
	bool args_truncated;
	const char *previous_exe; /* image this one replaced by exec, if seen; owned by the table */
};

/* LIMIT images at the most. */
int procs_new(const struct maps *maps, size_t limit, struct procs **ret_procs);
void procs_free(struct procs *procs);

/* From the ring. SIZE bytes were received; short or inconsistent records are refused: -EINVAL. */
int procs_add_process(struct procs *procs, const struct fl_process *rec, size_t size);
int procs_add_text(struct procs *procs, const struct fl_text *text, size_t size);
int procs_exited(struct procs *procs, const struct fl_exit *rec, size_t size);

/*
 * The image OWNER names: from the table, else from the maps, else (process still running and older
 * than the agent) from /proc between two equal reads of start time and exe inode. Never invented:
 * a field that could not be had stays empty. NULL when OWNER is all zero or memory is short.
 * Valid until the next call of any procs_ function.
 */
const struct process *procs_get(struct procs *procs, const struct fl_owner *owner);

size_t procs_count(const struct procs *procs);

#endif
