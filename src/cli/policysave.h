/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A policy as files of a directory, saved as a whole: the directory with it takes the place of the
 * one that was there, which stays beside it under another name.
 */
#ifndef FLOWNER_POLICYSAVE_H
#define FLOWNER_POLICYSAVE_H

#include <stddef.h>

/* One file. Of PATH, where it was read, only the last part counts. */
struct policysave_text {
	const char *path;
	const char *text;
	size_t size;
};

/*
 * Saves COUNT texts, in their order, at DIR, or where the link DIR leads. The new directory is
 * owned as the one before and as open as it was, at first only its owner's; the files are always.
 * 0 and where the one before is now (*RET_BEFORE, NULL: there was none; caller frees). Negative
 * errno: DIR is as it was, and nothing is left beside it.
 */
int policysave(const char *dir, const struct policysave_text *texts, size_t count,
	       char **ret_before);

#endif
