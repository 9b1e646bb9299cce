/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A line of the history read back: as much of the flow as the filters and the rule of who may see
 * it ask for. Whatever the line holds, it is refused or taken, nothing else.
 */
#ifndef FLOWNER_PAST_H
#define FLOWNER_PAST_H

#include "flow/filter.h"
#include <jansson.h>

struct past {
	struct fl_flow flow;	 /* times are as on CLOCK_BOOTTIME, by the offset given */
	struct flow_names names; /* into the object */
	const char *boot;	 /* host.boot.id, NULL none */
	json_t *object;
};

/* REALTIME_OFFSET_NS is CLOCK_REALTIME minus CLOCK_BOOTTIME. -EINVAL, -ENOMEM. */
int past_parse(const char *line, size_t size, __s64 realtime_offset_ns, struct past *ret_past);
void past_release(struct past *p);

/* CLOCK_REALTIME of the end; 0 when that is no such line. */
__u64 past_end_ns(const char *line, size_t size);

/* Of the running kernel, as in host.boot.id; negative errno. */
#define BOOT_ID_TEXT 37
int past_boot_id(char ret_id[BOOT_ID_TEXT]);

#endif
