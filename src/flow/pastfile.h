/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The lines of the history, oldest first: of the file that was rotated last (PATH.1), then of PATH,
 * as they are when it is opened; what is written later is not seen. Never more than one line is
 * held. Where to begin is found by halves: lines are about in the order of their ends.
 */
#ifndef FLOWNER_PASTFILE_H
#define FLOWNER_PASTFILE_H

#include <linux/types.h>
#include <stddef.h>

struct pastfile;

/*
 * At the first line that may have ended at SINCE_NS (CLOCK_REALTIME) or later. -ENOENT: there is
 * neither, the path alone may be gone for a moment. Negative errno.
 */
int pastfile_open(const char *path, __u64 since_ns, struct pastfile **ret_file);
void pastfile_close(struct pastfile *f);

/*
 * 1: the next line, without its newline, valid until the next call. 0: there is no more. A line
 * that has no end, or is longer than any of ours, is passed over. Negative errno.
 */
int pastfile_next(struct pastfile *f, const char **ret_line, size_t *ret_size);

/* Instead of the beginning: the lines of the last BYTES of both. */
void pastfile_skip_to_tail(struct pastfile *f, size_t bytes);

#endif
