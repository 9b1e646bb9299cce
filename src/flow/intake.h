/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes in pieces of any size to whole records of wire.h, each checked before anybody sees it:
 * type, size, the lengths inside. Pure; the fuzzer feeds it directly.
 */
#ifndef FLOWNER_INTAKE_H
#define FLOWNER_INTAKE_H

#include "flow/wire.h"
#include <stdbool.h>
#include <stddef.h>

/* Aligned, of a known type, complete; others are passed over. Non-zero stops, and is positive. */
typedef int (*intake_fn)(const struct fl_record *record, void *arg);

struct intake {
	intake_fn fn;
	void *arg;
	size_t used;
	union {
		struct fl_record head;
		struct wire_flow flow;
		struct wire_notice notice;
		struct fl_process process;
		struct fl_text text;
	} record; /* under way */
};

void intake_init(struct intake *in, intake_fn fn, void *arg);

/* 0, what FN returned, or -EPROTO: these are not our records. */
int intake_feed(struct intake *in, const char *data, size_t len);

static inline bool intake_between(const struct intake *in) /* no record is under way */
{
	return in->used == 0;
}

#endif
