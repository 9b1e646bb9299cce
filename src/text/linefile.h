/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lines on their way to a file, without ever waiting for its disk: they are put into a bounded
 * buffer, and a thread of this file's own writes them. A line is in the file as a whole or not at
 * all; what cannot be written is kept and tried again, and what there is no room for is refused.
 */
#ifndef FLOWNER_LINEFILE_H
#define FLOWNER_LINEFILE_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define LINEFILE_BYTES (4u << 20) /* room for lines that wait; as much again is being written */

struct linefile;

struct linefile_state {
	__u64 written; /* lines */
	__u64 refused; /* lines there was no room for, or that were never written when it closed */
	__u64 no_space, io_errors, other_errors; /* attempts to write that failed, by reason */
	int error;				 /* errno of the last attempt to write, 0 fine */
	int open_error;				 /* of the last attempt to open it again */
};

/*
 * Appends to PATH, which is made (0640, of GROUP if that may be) when it is not there. A line that
 * a crash has cut gets its end. Not through a symbolic link: -ELOOP; -EINVAL no regular file.
 */
int linefile_open(const char *path, gid_t group, struct linefile **ret_file);

/* From now on it is written to. The thread has the privileges of who calls this. */
int linefile_start(struct linefile *f);

/* SIZE bytes that end in a newline and hold no other. -ENOBUFS. */
int linefile_put(struct linefile *f, const char *line, size_t size);

/* The path is opened anew, soon; when that fails the open file stays. */
void linefile_reopen(struct linefile *f);

struct linefile_state linefile_state(struct linefile *f);

/* Gives what waits a few seconds. NULL is fine. */
void linefile_close(struct linefile *f);

#endif
