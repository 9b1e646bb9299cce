/* SPDX-License-Identifier: BSD-2-Clause */
/* The text is UTF-8 whatever the locale is; only how wide a character is comes from libc. */
#include "text/printable.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "text/utf8.h"

/* Bytes of the character at the start of TEXT, SIZE bytes long; 0 = there is none. */
static size_t decode(const char *text, size_t size, uint32_t *ret_c)
{
	size_t n = utf8_length(text, size);
	uint32_t c;

	if (n == 0)
		return 0;
	c = n == 1 ? (unsigned char)*text : (unsigned char)*text & (0x7fu >> n);
	for (size_t i = 1; i < n; i++)
		c = c << 6 | ((unsigned char)text[i] & 0x3f);
	*ret_c = c;
	return n;
}

/* Characters without a shape that change how their neighbours are shown. */
static bool steers(uint32_t c)
{
	return (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2060 && c <= 0x206f) || c == 0x061c || c == 0xfeff ||
	       (c >= 0xe0000 && c <= 0xe0fff);
}

static bool shows(uint32_t c)
{
	if (c < 0x80)
		return c >= 0x20 && c < 0x7f;
	return c >= 0xa0 && !steers(c);
}

size_t printable(const char *text, char *buf)
{
	size_t left = strlen(text);
	char *p = buf;

	while (left > 0) {
		uint32_t c = 0;
		size_t n = decode(text, left, &c);

		if (n > 0 && shows(c)) {
			memcpy(p, text, n);
			p += n;
		} else if (n > 1) {
			p += sprintf(p, c > 0xffff ? "\\U%08x" : "\\u%04x", c);
		} else {
			n = 1;
			p += sprintf(p, "\\x%02x", (unsigned char)*text);
		}
		text += n;
		left -= n;
	}
	*p = '\0';
	return (size_t)(p - buf);
}

static size_t columns_of(uint32_t c)
{
	int w = c < 0x80 ? 1 : wcwidth((wchar_t)c);

	return w < 0 ? 1 : (size_t)w;
}

size_t printable_cut(const char *text, size_t columns, size_t *ret_used)
{
	size_t size = strlen(text), at = 0, used = 0;

	while (at < size) {
		uint32_t c = 0;
		size_t n = decode(text + at, size - at, &c);
		size_t w = n ? columns_of(c) : 1;

		if (w > columns - used)
			break;
		used += w;
		at += n ? n : 1;
	}
	*ret_used = used;
	return at;
}

size_t printable_columns(const char *text)
{
	size_t used;

	printable_cut(text, SIZE_MAX, &used);
	return used;
}
