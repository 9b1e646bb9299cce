/* SPDX-License-Identifier: BSD-2-Clause */
#include "text/journalentry.h"
#include <endian.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static char *put(char *at, const void *bytes, size_t size)
{
	memcpy(at, bytes, size);
	return at + size;
}

/* "NAME=text\n", or, when a newline is in it, "NAME\n", its length as 8 bytes, "text\n". */
bool journalentry_add(struct journalentry *e, const char *name, const char *text)
{
	size_t name_size = strlen(name), size = text ? strlen(text) : 0;
	char *at = e->bytes + e->size;
	uint64_t length = htole64(size);

	if (!size)
		return true;
	if (name_size + 1 + sizeof(length) + size + 1 > sizeof(e->bytes) - e->size)
		return false;
	at = put(at, name, name_size);
	if (memchr(text, '\n', size)) {
		at = put(at, "\n", 1);
		at = put(at, &length, sizeof(length));
	} else {
		at = put(at, "=", 1);
	}
	at = put(at, text, size);
	at = put(at, "\n", 1);
	e->size = (size_t)(at - e->bytes);
	return true;
}

bool journalentry_print(struct journalentry *e, const char *name, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return journalentry_add(e, name, text);
}
