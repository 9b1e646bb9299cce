/* SPDX-License-Identifier: BSD-2-Clause */
#include "flow/intake.h"

#include <errno.h>
#include <string.h>

void intake_init(struct intake *in, intake_fn fn, void *arg)
{
	in->fn = fn;
	in->arg = arg;
	in->used = 0;
}

static bool flow_is_sound(const struct wire_flow *w)
{
	return w->head.size == sizeof(*w) && w->flow.id &&
	       (w->flow.key.proto == FL_TCP || w->flow.key.proto == FL_UDP);
}

static bool notice_is_sound(const struct wire_notice *w)
{
	return w->head.size == sizeof(*w) && memchr(w->action, '\0', sizeof(w->action));
}

static bool process_is_sound(const struct fl_process *p)
{
	return p->head.size == sizeof(*p) && p->ancestor_count <= FL_ANCESTORS;
}

/* Path, NUL, arguments fill exactly what the size says. */
static bool text_is_sound(const struct fl_text *t)
{
	return t->head.size > offsetof(struct fl_text, text) && t->exe_len <= FL_EXE_MAX &&
	       t->args_len <= FL_ARGS_MAX &&
	       offsetof(struct fl_text, text) + t->exe_len + 1 + t->args_len == t->head.size &&
	       !t->text[t->exe_len];
}

/* The record is complete. */
static int finish(struct intake *in)
{
	bool sound;

	switch ((unsigned int)in->record.head.type) {
	case WIRE_FLOW:
		sound = flow_is_sound(&in->record.flow);
		break;
	case WIRE_NOTICE:
		sound = notice_is_sound(&in->record.notice);
		break;
	case FL_RECORD_PROCESS:
		sound = process_is_sound(&in->record.process);
		break;
	case FL_RECORD_TEXT:
		sound = text_is_sound(&in->record.text);
		break;
	default:
		in->used = 0;
		return 0;
	}
	in->used = 0;
	return sound ? in->fn(&in->record.head, in->arg) : -EPROTO;
}

int intake_feed(struct intake *in, const char *data, size_t len)
{
	while (len > 0) {
		size_t want = sizeof(in->record.head), n;
		int r;

		if (in->used >= want)
			want = in->record.head.size;
		n = want - in->used < len ? want - in->used : len;
		memcpy((char *)&in->record + in->used, data, n);
		in->used += n;
		data += n;
		len -= n;
		if (in->used < want)
			return 0;
		if (want == sizeof(in->record.head) &&
		    (in->record.head.size <= want || in->record.head.size > sizeof(in->record)))
			return -EPROTO;
		if (in->used < in->record.head.size)
			continue;
		r = finish(in);
		if (r != 0)
			return r;
	}
	return 0;
}
