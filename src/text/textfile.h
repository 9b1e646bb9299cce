/* SPDX-License-Identifier: BSD-2-Clause */
/* A file into memory, up to a bound. */
#ifndef FLOWNER_TEXTFILE_H
#define FLOWNER_TEXTFILE_H

#include <stddef.h>
#include <sys/types.h>

/* -EFBIG more than MAX bytes: what is longer is not what is meant, and may be /dev/zero. */
int textfile_read(const char *path, size_t max, char **ret_text, size_t *ret_size);

/* The same of FD from where it is on, which stays the caller's. */
int textfile_read_fd(int fd, size_t max, char **ret_text, size_t *ret_size);

/* The first SIZE bytes of NAME below DIR, with no end put to them; there may be more. How many, or
 * -errno. */
ssize_t textfile_read_at(int dir, const char *name, char *buf, size_t size);

#endif
