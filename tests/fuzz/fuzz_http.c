/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The response parser on arbitrary bytes, in pieces: the first byte says how large they are. The
 * same bytes in one piece must give the same status, verdict and lines.
 */
#include "text/response.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct seen {
	uint64_t hash; /* of all lines with their lengths */
	size_t lines;
};

static int on_line(const char *line, size_t len, void *arg)
{
	struct seen *seen = arg;

	seen->hash = seen->hash * 31 + len;
	for (size_t i = 0; i < len; i++)
		seen->hash = seen->hash * 31 + (unsigned char)line[i];
	seen->lines++;
	return len == 3 && memcmp(line, "bye", 3) == 0 ? 7 : 0;
}

static int parse(const char *data, size_t len, size_t piece, struct seen *seen, int *ret_status)
{
	struct response *r = NULL;
	int ret;

	if (response_new(on_line, seen, &r) < 0)
		abort();
	ret = 0;
	for (size_t at = 0; at < len && ret == 0; at += piece)
		ret = response_feed(r, data + at, piece < len - at ? piece : len - at);
	if (ret == 0)
		ret = response_end(r);
	if (ret == 0 && !response_complete(r))
		abort();
	*ret_status = response_status(r);
	response_free(r);
	return ret;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data + 1;
	struct seen pieces = { 0 }, whole = { 0 };
	int status_pieces, status_whole, a, b;

	if (size < 2)
		return 0;
	a = parse(text, size - 1, (size_t)data[0] + 1, &pieces, &status_pieces);
	b = parse(text, size - 1, size, &whole, &status_whole);
	/* of two things wrong at once, pieces may show the other one first */
	if ((a < 0) != (b < 0) || (a >= 0 && a != b) || status_pieces != status_whole ||
	    pieces.lines != whole.lines || pieces.hash != whole.hash)
		abort();
	return 0;
}
