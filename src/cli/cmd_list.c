/* SPDX-License-Identifier: BSD-2-Clause */
/* `flowner list`: the sessions that match, a line each, oldest first. */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "text/cleanup.h"
#include "cli/client.h"
#include "cli/command.h"
#include "cli/options.h"
#include "cli/record.h"
#include "cli/table.h"

enum {
	AGE,
	PROTO,
	STATE,
	DIR,
	LOCAL,
	REMOTE,
	PID,
	USER,
	COMM,
	UNIT,
	FLOW_ID,
	COLUMNS,
};

static const struct column columns[COLUMNS] = {
	[AGE] = { .title = "AGE" },
	[PROTO] = { .title = "PROTO" },
	[STATE] = { .title = "STATE", .cut = 4, .least = 5 },
	[DIR] = { .title = "DIR", .cut = 5, .least = 3, .drop = 2 },
	[LOCAL] = { .title = "LOCAL" },
	[REMOTE] = { .title = "REMOTE" },
	[PID] = { .title = "PID" },
	[USER] = { .title = "USER", .cut = 3, .least = 5, .drop = 3 },
	[COMM] = { .title = "COMM", .cut = 1, .least = 6 },
	[UNIT] = { .title = "UNIT/CONTAINER", .cut = 2, .least = 6, .drop = 1 },
	[FLOW_ID] = { .title = "FLOW_ID" },
};

static const record_cell cells[COLUMNS] = {
	[AGE] = record_age,	  [PROTO] = record_proto,     [STATE] = record_state,
	[DIR] = record_direction, [LOCAL] = record_local,     [REMOTE] = record_remote,
	[PID] = record_pid,	  [USER] = record_user,	      [COMM] = record_comm,
	[UNIT] = record_unit,	  [FLOW_ID] = record_flow_id,
};

struct listing {
	struct record_view view;
	struct table *table;
	size_t lines;
};

static void free_table(struct table **t)
{
	table_free(*t);
}

/* Flows of unknown age come last. */
static int add_row(struct listing *l, const json_t *record)
{
	char buf[COLUMNS][RECORD_TEXT];
	const char *row[COLUMNS];
	__u64 began = record_began(record);

	for (size_t i = 0; i < COLUMNS; i++)
		row[i] = cells[i](record, &l->view, buf[i]);
	return table_add(l->table, began ? (__s64)began : INT64_MAX, record_id(record), row);
}

static int on_row(const char *line, size_t len, void *arg)
{
	struct listing *l = arg;
	json_t *record;
	int r;

	if (len == 0)
		return LINE_MORE;
	record = command_json(line, len);
	if (!record)
		return LINE_FAILED;
	r = add_row(l, record);
	json_decref(record);
	l->lines++;
	if (r < 0)
		command_error("cannot list all flows: %s", strerror(-r));
	return r < 0 ? LINE_FAILED : LINE_MORE;
}

static int on_json(const char *line, size_t len, void *arg)
{
	struct listing *l = arg;

	if (len == 0)
		return LINE_MORE;
	l->lines++;
	return command_pass(line, len);
}

static int run_list(struct options *o)
{
	_cleanup_(free_table) struct table *table = NULL;
	struct listing l = { 0 };
	int code;

	if (table_new(columns, COLUMNS, &table) < 0) {
		command_error("cannot list flows: %s", strerror(ENOMEM));
		return EXIT_REFUSED;
	}
	l.table = table;
	record_view_init(&l.view, o->numeric, options_own(o, "services") != NULL);
	code = command_ask(o, "/v1/flows", o->query, CLIENT_WAIT_MS, o->json ? on_json : on_row,
			   &l);
	if (code != EXIT_FOUND)
		return code;
	if (!o->json) {
		table_sort(table);
		table_print(table, stdout, table_width(STDOUT_FILENO), !o->no_header);
	}
	return l.lines ? EXIT_FOUND : EXIT_NOT_FOUND;
}

static const struct filter_field own_options[] = { OPTION_SERVICES, { .name = NULL } };

const struct command command_list = {
	.name = "list",
	.arguments = "[ADDR[/LEN][:PORT]...]",
	.help = "List sessions, listeners and unconnected UDP sockets with their owners.",
	.options = own_options,
	.filters = true,
	.max_args = -1,
	.run = run_list,
};
