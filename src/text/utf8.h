/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes a process chose (file names, arguments, comm) made into valid UTF-8, so that no record is
 * refused or lost for them: each byte that is part of no character becomes U+FFFD. */
#ifndef FLOWNER_UTF8_H
#define FLOWNER_UTF8_H

#include <stddef.h>

/* Length in bytes of the valid character at TEXT, at most SIZE; 0 when there is none. */
size_t utf8_length(const char *text, size_t size);

/* NUL-terminated copy, caller frees; NULs inside are kept. -ENOMEM. */
int utf8_clean(const char *text, size_t size, char **ret_clean, size_t *ret_size);

#endif
