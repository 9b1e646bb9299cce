/* SPDX-License-Identifier: BSD-2-Clause */
/* An entry of systemd's journal in its native protocol: fields, each a name and any bytes. Pure. */
#ifndef FLOWNER_JOURNALENTRY_H
#define FLOWNER_JOURNALENTRY_H

#include <stdbool.h>
#include <stddef.h>

struct journalentry {
	size_t size;
	char bytes[16384];
};

/* NAME is upper case. NULL and empty TEXT: nothing. False: no room, it is as it was. */
bool journalentry_add(struct journalentry *e, const char *name, const char *text);
__attribute__((format(printf, 3, 4))) bool journalentry_print(struct journalentry *e,
							      const char *name, const char *format,
							      ...);

#endif
