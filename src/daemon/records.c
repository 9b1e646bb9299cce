/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/records.h"
#include "daemon/proc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct fl_record head(unsigned int type, size_t size)
{
	return (struct fl_record){ .type = (enum fl_record_type)type, .size = (__u32)size };
}

void records_flow(const struct fl_flow *flow, const struct fl_event *event, __u64 sequence,
		  struct wire_flow *ret_record)
{
	*ret_record = (struct wire_flow){
		.head = head(WIRE_FLOW, sizeof(*ret_record)),
		.sequence = sequence,
		.time_ns = event ? event->time_ns : 0,
		.event = event ? event->head.type : 0,
		.flow = *flow,
	};
}

void records_notice(const char *action, const char *why, __u64 time_ns, __u64 count, __u64 sequence,
		    struct wire_notice *ret_record)
{
	*ret_record = (struct wire_notice){
		.head = head(WIRE_NOTICE, sizeof(*ret_record)),
		.sequence = sequence,
		.time_ns = time_ns,
		.count = count,
	};
	snprintf(ret_record->action, sizeof(ret_record->action), "%s", action);
	snprintf(ret_record->why, sizeof(ret_record->why), "%s", why);
}

/* Path and arguments as the kernel side writes them. Returns the bytes used. */
static size_t text_of(const struct process *p, struct fl_text *t)
{
	size_t exe = p->exe ? strnlen(p->exe, FL_EXE_MAX) : 0;
	size_t args = p->args && p->args_len < FL_ARGS_MAX ? p->args_len : FL_ARGS_MAX;

	if (!p->args)
		args = 0;
	memset(t, 0, offsetof(struct fl_text, text));
	t->key = p->rec.key;
	t->ready = 1;
	t->exe_len = (__u32)exe;
	t->args_len = (__u32)args;
	t->args_truncated = p->args_truncated || args < p->args_len;
	if (exe)
		memcpy(t->text, p->exe, exe);
	t->text[exe] = '\0';
	if (args)
		memcpy(t->text + exe + 1, p->args, args);
	t->head = head(FL_RECORD_TEXT, offsetof(struct fl_text, text) + exe + 1 + args);
	return t->head.size;
}

struct image_records {
	struct wire_flow flow;
	struct fl_process process;
	struct fl_text text;
};

void *records_image(const struct fl_flow *flow, const struct process *process, size_t *ret_size)
{
	struct image_records *image = malloc(sizeof(*image));

	if (!image)
		return NULL;
	records_flow(flow, NULL, 0, &image->flow);
	*ret_size = offsetof(struct image_records, process);
	if (process) {
		image->process = process->rec;
		image->process.head = head(FL_RECORD_PROCESS, sizeof(image->process));
		*ret_size = offsetof(struct image_records, text) + text_of(process, &image->text);
	}
	return image;
}
