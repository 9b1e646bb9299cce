/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Text chosen by others (a process names itself) made safe to show: what a terminal would obey, or
 * what would turn the line around, becomes \x1b or \u202e; the rest of UTF-8 stays as it is.
 */
#ifndef FLOWNER_PRINTABLE_H
#define FLOWNER_PRINTABLE_H

#include <stddef.h>

/* Bytes printable() may make of LEN bytes, with the NUL. */
#define PRINTABLE_ROOM(len) (4 * (len) + 1)

/* TEXT into BUF of PRINTABLE_ROOM(strlen(TEXT)) bytes; returns the bytes written, without the NUL.
 */
size_t printable(const char *text, char *buf);

/* Columns of TEXT, which printable() has made, on a terminal. */
size_t printable_columns(const char *text);

/* Bytes of TEXT, which printable() has made, that fit into COLUMNS; RET_USED of them are taken. */
size_t printable_cut(const char *text, size_t columns, size_t *ret_used);

#endif
