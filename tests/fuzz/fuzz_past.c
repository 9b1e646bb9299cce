/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as a line of the history: refused, or a flow that ended and has an id. Input: the line;
 * or, behind a NUL, the values of the fields that are read, each in a line.
 */
#include "flow/past.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define OFFSET_NS 1767323045000000000LL

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const char *line, size_t size)
{
	struct past p;

	if (past_parse(line, size, OFFSET_NS, &p) < 0)
		return;
	if (!p.flow.id || !p.flow.ended_ns || p.flow.role > FL_ROLE_EXISTING ||
	    !memchr(p.flow.owner.comm, 0, sizeof(p.flow.owner.comm)))
		abort();
	/* who is not known is nobody */
	if (!p.flow.owner.proc.pid && p.flow.owner.uid && !json_object_get(p.object, "user"))
		abort();
	past_release(&p);
}

static const char *next(char **rest)
{
	const char *value = strsep(rest, "\n");

	return value ? value : "";
}

/* The first are usual: most inputs get past them. */
static void check_fields(char *values)
{
	const char *start = next(&values), *id = next(&values), *ip = next(&values);
	const char *remote = next(&values), *uid = next(&values), *state = next(&values);
	const char *role = next(&values), *comm = next(&values), *end = next(&values);
	json_t *object = json_pack(
		"{s:{s:s} s:{s:s s:s} s:{s:s s:s s:s s:{s:s s:i} s:{s:s s:i} s:s} s:{s:s} "
		"s:{s:i s:s}}",
		"network", "transport", "tcp", "event", "start", start, "end",
		*end ? end : "2026-01-02T03:04:05Z", "flowner", "flow_id", *id ? id : "abc",
		"state", state, "role", role, "local", "ip", ip, "port", (int)strlen(ip) * 9999,
		"remote", "ip", remote, "port", (int)strlen(remote), "opened_before", start, "user",
		"id", uid, "process", "pid", 7, "name", comm);
	char *line = object ? json_dumps(object, 0) : NULL;

	if (line)
		check(line, strlen(line));
	free(line);
	json_decref(object);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *values;

	if (!size || *data) {
		check((const char *)data, size);
		return 0;
	}
	values = strndup((const char *)data + 1, size - 1);
	if (values)
		check_fields(values);
	free(values);
	return 0;
}
