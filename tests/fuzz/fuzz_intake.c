/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What libflowner takes from the daemon's socket: any bytes, in pieces of the size the first byte
 * says, must give the same records as in one piece, and only such as say the truth about their
 * lengths.
 */
#include "flow/intake.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct seen {
	uint64_t hash;
	size_t count;
};

static int on_record(const struct fl_record *record, void *arg)
{
	const struct fl_text *text = (const struct fl_text *)record;
	const unsigned char *bytes = (const unsigned char *)record;
	struct seen *seen = arg;

	if (record->type == FL_RECORD_TEXT &&
	    strlen(text->text) > text->exe_len) /* its NUL is where it says, or before */
		abort();
	for (size_t i = 0; i < record->size; i++) /* all of it is there to be read */
		seen->hash = seen->hash * 31 + bytes[i];
	return ++seen->count == 40 ? 1 : 0;
}

static int take(const char *data, size_t len, size_t piece, struct seen *seen)
{
	struct intake *in = malloc(sizeof(*in));
	int r = 0;

	if (!in)
		abort();
	intake_init(in, on_record, seen);
	for (size_t n; len && r == 0; data += n, len -= n) {
		n = piece < len ? piece : len;
		r = intake_feed(in, data, n);
	}
	free(in);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen pieces = { 0 }, whole = { 0 };
	int a, b;

	if (size < 2)
		return 0;
	a = take((const char *)data + 1, size - 1, (size_t)data[0] + 1, &pieces);
	b = take((const char *)data + 1, size - 1, size, &whole);
	if (a != b || pieces.count != whole.count || pieces.hash != whole.hash)
		abort();
	return 0;
}
