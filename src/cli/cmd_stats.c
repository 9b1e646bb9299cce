/* SPDX-License-Identifier: BSD-2-Clause */
/* `flowner stats`: the counters, and how full the maps are. */
#include <stdio.h>
#include <string.h>

#include "text/cleanup.h"
#include "cli/command.h"
#include "cli/options.h"
#include "cli/record.h"
#include "cli/table.h"

static const struct column counter_columns[] = { { .title = "COUNTER" }, { .title = "VALUE" } };
static const struct column map_columns[] = {
	{ .title = "MAP" }, { .title = "ENTRIES" }, { .title = "CAPACITY" }, { .title = "USED" }
};
#define MAP_COLUMNS (sizeof(map_columns) / sizeof(map_columns[0]))
#define NAME_ROOM 128

static void free_table(struct table **t)
{
	table_free(*t);
}

/* Every number below OBJECT as `name value`; the order is the daemon's. */
static int add_counters(struct table *t, const char *above, const json_t *object)
{
	const char *key;
	json_t *value;
	int r = 0;

	json_object_foreach ((json_t *)object, key, value) {
		char name[NAME_ROOM], buf[RECORD_TEXT];

		snprintf(name, sizeof(name), "%s%s%s", above, *above ? "." : "", key);
		if (json_is_object(value)) {
			r = add_counters(t, name, value);
		} else if (json_is_integer(value) || json_is_string(value)) {
			const char *row[] = { name, record_text(value, "", buf) };

			r = table_add(t, 0, 0, row);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

static int add_map(struct table *t, const char *name, const json_t *map)
{
	json_int_t entries = json_integer_value(json_object_get(map, "entries"));
	json_int_t capacity = json_integer_value(json_object_get(map, "capacity"));
	char entries_text[RECORD_TEXT], capacity_text[RECORD_TEXT], used[RECORD_TEXT] = "";
	const char *row[MAP_COLUMNS] = {
		name,
		record_text(map, "entries", entries_text),
		record_text(map, "capacity", capacity_text),
		used,
	};

	if (capacity > 0)
		snprintf(used, sizeof(used), "%.1f%%", 100.0 * (double)entries / (double)capacity);
	return table_add(t, 0, 0, row);
}

/* {"l7_connections":{"entries":1,"capacity":2}} */
static int print_maps(const json_t *maps, bool header)
{
	_cleanup_(free_table) struct table *t = NULL;
	int r = table_new(map_columns, MAP_COLUMNS, &t);
	const char *name;
	json_t *map;

	json_object_foreach ((json_t *)maps, name, map)
		if (r == 0)
			r = add_map(t, name, map);
	if (r == 0 && table_rows(t) > 0) {
		putchar('\n');
		table_print(t, stdout, 0, header);
	}
	return r;
}

static int print_stats(json_t *stats, bool header)
{
	_cleanup_(free_table) struct table *t = NULL;
	json_t *counters = json_object_get(stats, "counters");
	json_t *maps = json_incref(json_object_get(stats, "maps"));
	int r = table_new(counter_columns, 2, &t);

	json_object_del(stats, "maps");
	if (r == 0)
		r = add_counters(t, "", counters);
	json_object_del(stats, "counters");
	if (r == 0)
		r = add_counters(t, "", stats);
	if (r == 0) {
		table_print(t, stdout, 0, false);
		r = print_maps(maps, header);
	}
	json_decref(maps);
	return r;
}

static int run_stats(struct options *o)
{
	return command_ask_object(o, "/v1/stats", "the counters", print_stats);
}

const struct command command_stats = {
	.name = "stats",
	.arguments = "",
	.help = "Show the daemon's counters and how full its maps are.",
	.run = run_stats,
};
