/* SPDX-License-Identifier: BSD-2-Clause */
/* Flows, notices and images as records of wire.h: what the API sends to those who ask for them. */
#ifndef FLOWNER_RECORDS_H
#define FLOWNER_RECORDS_H

#include "flow/wire.h"
#include <stddef.h>

struct process;

/* EVENT NULL for a flow of an answer. Both fill all of the record. */
void records_flow(const struct fl_flow *flow, const struct fl_event *event, __u64 sequence,
		  struct wire_flow *ret_record);
void records_notice(const char *action, const char *why, __u64 time_ns, __u64 count, __u64 sequence,
		    struct wire_notice *ret_record);

/*
 * FLOW, and what is known of its owner's image (may be NULL): struct fl_process, struct fl_text cut
 * after the last used byte. One malloc'ed block, NULL without memory.
 */
void *records_image(const struct fl_flow *flow, const struct process *process, size_t *ret_size);

#endif
