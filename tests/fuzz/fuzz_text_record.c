/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as records of the event ring. The input is a list of {kind, size (2 bytes)} and that
 * many bytes, so that one run mixes records of one image; sizes and types are put right half of
 * the time, which random bytes would hardly ever do. The same bytes also stand in the maps, whose
 * lookup is here.
 */
#include "kernel/maps.h"
#include "daemon/proc.h"

#include <errno.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define KINDS 4
#define REPAIRED 0x80

static struct {
	const void *bytes;
	size_t size;
} map_value;

int maps_get_process(const struct maps *m, const struct fl_proc_key *key,
		     struct fl_process *ret_process, struct fl_text *ret_text)
{
	size_t size = map_value.size;

	(void)m;
	(void)key;
	if (size < sizeof(struct fl_record))
		return -ENOENT;
	if (ret_process) {
		memset(ret_process, 0, sizeof(*ret_process));
		memcpy(ret_process, map_value.bytes,
		       size < sizeof(*ret_process) ? size : sizeof(*ret_process));
	}
	if (ret_text) {
		memset(ret_text, 0, sizeof(*ret_text));
		memcpy(ret_text, map_value.bytes,
		       size < sizeof(*ret_text) ? size : sizeof(*ret_text));
	}
	return 0;
}

/* Few keys, so that records meet; no pid that /proc could answer for. */
static struct fl_owner owner_of(uint8_t which)
{
	return (struct fl_owner){
		.proc = { .start_ns = 1,
			  .pid = 0x40000000u + (which & 1),
			  .exec_id = which >> 1 & 3 },
	};
}

static void repair(uint8_t *bytes, uint16_t size, uint8_t kind, uint8_t which)
{
	static const enum fl_record_type types[KINDS] = { FL_RECORD_PROCESS, FL_RECORD_TEXT,
							  FL_RECORD_EXIT, FL_RECORD_TEXT };
	const struct fl_record head = { .type = types[kind], .size = size };
	const struct fl_proc_key key = owner_of(which).proc;

	if (size < sizeof(head) + sizeof(key))
		return;
	memcpy(bytes, &head, sizeof(head));
	memcpy(bytes + sizeof(head), &key, sizeof(key));
}

static void feed(struct procs *procs, const void *record, uint16_t size, uint8_t kind)
{
	if (kind == 0)
		procs_add_process(procs, record, size);
	else if (kind == 2)
		procs_exited(procs, record, size);
	else
		procs_add_text(procs, record, size);
}

static void expect_sound(const struct process *p)
{
	if (!p)
		abort();
	if (p->exe && (p->exe[0] == '\0' || strlen(p->exe) > FL_EXE_MAX + 1))
		abort();
	if (p->args ? !p->args_len || p->args_len > FL_ARGS_MAX || p->args[p->args_len]
		    : p->args_len)
		abort();
	if (p->rec.ancestor_count > FL_ANCESTORS ||
	    strnlen(p->rec.comm, FL_COMM_LEN) == FL_COMM_LEN)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct procs *procs;

	/* any address will do: the maps are above */
	if (procs_new((const struct maps *)&map_value, 5, &procs))
		return 0;
	while (size >= 3) {
		const uint8_t kind = data[0] % KINDS, which = data[0] >> 2;
		uint16_t len = (uint16_t)(data[1] | data[2] << 8);
		struct fl_owner owner = owner_of(which);
		uint8_t *record;

		if (len > size - 3)
			len = (uint16_t)(size - 3);
		record = malloc(len ? len : 1);
		if (!record)
			break;
		memcpy(record, data + 3, len);
		if (data[0] & REPAIRED)
			repair(record, len, kind, which);
		feed(procs, record, len, kind);
		map_value.bytes = record;
		map_value.size = len;
		expect_sound(procs_get(procs, &owner));
		free(record);
		if (procs_count(procs) > 5)
			abort();
		data += 3 + len;
		size -= 3 + (size_t)len;
	}
	procs_free(procs);
	return 0;
}
