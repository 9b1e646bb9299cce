/* SPDX-License-Identifier: BSD-2-Clause */
/* UTF-8 by RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. */
#include "text/utf8.h"
#include "text/cleanup.h"
#include <errno.h>
#include <stdint.h>
#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */
#define REPLACEMENT_BYTES 3

static size_t expected_length(uint8_t first)
{
	if (first < 0x80)
		return 1;
	if (first >= 0xc2 && first <= 0xdf)
		return 2;
	if (first >= 0xe0 && first <= 0xef)
		return 3;
	if (first >= 0xf0 && first <= 0xf4)
		return 4;
	return 0;
}

/* The second byte is where overlong forms, surrogates and too large values show (RFC 3629, 4). */
static int second_fits(uint8_t first, uint8_t second)
{
	uint8_t low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
	uint8_t high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;

	return second >= low && second <= high;
}

size_t utf8_length(const char *text, size_t size)
{
	const uint8_t *p = (const uint8_t *)text;
	size_t length = size ? expected_length(p[0]) : 0;

	if (!length || length > size)
		return 0;
	if (length > 1 && !second_fits(p[0], p[1]))
		return 0;
	for (size_t i = 2; i < length; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return length;
}

int utf8_clean(const char *text, size_t size, char **ret_clean, size_t *ret_size)
{
	char *clean = malloc(size * REPLACEMENT_BYTES + 1);
	size_t used = 0;

	if (!clean)
		return -ENOMEM;
	for (size_t at = 0; at < size;) {
		size_t length = utf8_length(text + at, size - at);

		if (length) {
			memcpy(clean + used, text + at, length);
			at += length;
			used += length;
		} else {
			memcpy(clean + used, REPLACEMENT, REPLACEMENT_BYTES);
			at++;
			used += REPLACEMENT_BYTES;
		}
	}
	clean[used] = '\0';
	*ret_clean = clean;
	*ret_size = used;
	return 0;
}
