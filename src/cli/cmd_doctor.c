/* SPDX-License-Identifier: BSD-2-Clause */
/* `flowner doctor`: which hooks this kernel gave us, what is lost for want of the others, and how
 * to get them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "text/cleanup.h"
#include "cli/command.h"
#include "cli/options.h"
#include "cli/record.h"
#include "cli/table.h"

static const struct column columns[] = {
	{ .title = "HOOK" },
	{ .title = "ATTACH" },
	{ .title = "STATUS" },
	{ .title = "LOST", .cut = 1, .least = 12 },
};
#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

static void free_table(struct table **t)
{
	table_free(*t);
}

static void put_scalar(const json_t *value)
{
	char buf[RECORD_TEXT];
	const char *text = record_text(value, "", buf);

	if (json_is_boolean(value))
		text = json_is_true(value) ? "yes" : "no";
	table_put(stdout, text, 0);
}

/* "tier: full"; a list of words or a set of switches on one line. */
static void print_field(const char *key, const json_t *value)
{
	const char *name;
	json_t *item;
	size_t i;

	table_put(stdout, key, 0);
	putchar(':');
	if (json_is_object(value)) {
		json_object_foreach ((json_t *)value, name, item) {
			putchar(' ');
			table_put(stdout, name, 0);
			putchar('=');
			put_scalar(item);
		}
	} else if (json_is_array(value)) {
		json_array_foreach (value, i, item) {
			putchar(' ');
			put_scalar(item);
		}
	} else {
		putchar(' ');
		put_scalar(value);
	}
	putchar('\n');
}

/* "refused: Operation not permitted": ERROR is an errno or a text already. */
static const char *status_text(const json_t *hook, char *buf)
{
	const char *status = record_string(hook, "status");
	const json_t *error = record_get(hook, "error");
	const char *why = json_string_value(error);

	if (json_integer_value(error) > 0)
		why = strerror((int)json_integer_value(error));
	if (!status || !why)
		return status;
	snprintf(buf, RECORD_TEXT, "%s: %s", status, why);
	return buf;
}

static int print_hooks(const json_t *hooks, bool header)
{
	_cleanup_(free_table) struct table *table = NULL;
	const json_t *hook;
	size_t i;
	int r = table_new(columns, COLUMNS, &table);

	if (r < 0)
		return r;
	json_array_foreach (hooks, i, hook) {
		char buf[RECORD_TEXT];
		const char *row[COLUMNS] = {
			record_string(hook, "moment"),
			record_string(hook, "attach"),
			status_text(hook, buf),
			record_string(hook, "lost"),
		};

		r = table_add(table, (__s64)i, 0, row);
		if (r < 0)
			return r;
	}
	putchar('\n');
	table_print(table, stdout, table_width(STDOUT_FILENO), header);
	return 0;
}

static void put_text(const json_t *hook, const char *key)
{
	const char *text = record_string(hook, key);

	table_put(stdout, text ? text : "", 0);
}

static bool same_text(const json_t *a, const json_t *b, const char *key)
{
	const char *one = record_string(a, key), *other = record_string(b, key);

	return one && other ? strcmp(one, other) == 0 : one == other;
}

static bool has_cause(const json_t *hook, const json_t *cause)
{
	return same_text(hook, cause, "why") && same_text(hook, cause, "remedy");
}

/* "lsm/sock_graft, fentry/__sk_free": the hooks from FIRST on that miss the same for the same. */
static void put_attaches(const json_t *hooks, size_t first)
{
	const json_t *cause = json_array_get(hooks, first);
	const json_t *hook;
	size_t i;

	json_array_foreach (hooks, i, hook) {
		if (!has_cause(hook, cause))
			continue;
		if (i > first)
			fputs(", ", stdout);
		put_text(hook, "attach");
	}
}

static bool is_told(const json_t *hooks, size_t i)
{
	for (size_t before = 0; before < i; before++)
		if (has_cause(json_array_get(hooks, before), json_array_get(hooks, i)))
			return true;
	return false;
}

/* Why what is missing is missing, and how to get it: whole lines, for they may be long. */
static void print_remedies(const json_t *hooks)
{
	const char *before = "\n";
	const json_t *hook;
	size_t i;

	json_array_foreach (hooks, i, hook) {
		if (!record_string(hook, "why") || is_told(hooks, i))
			continue;
		fputs(before, stdout);
		fputs("missing: ", stdout);
		put_attaches(hooks, i);
		fputs(": ", stdout);
		put_text(hook, "why");
		if (record_string(hook, "remedy")) {
			fputs("; ", stdout);
			put_text(hook, "remedy");
		}
		putchar('\n');
		before = "";
	}
}

static void print_notes(const json_t *notes)
{
	const json_t *note;
	size_t i;

	if (json_array_size(notes) > 0)
		putchar('\n');
	json_array_foreach (notes, i, note) {
		fputs("note: ", stdout);
		put_scalar(note);
		putchar('\n');
	}
}

static int print_report(json_t *report, bool header)
{
	const json_t *hooks = json_object_get(report, "hooks");
	const char *key;
	json_t *value;
	int r = 0;

	json_object_foreach (report, key, value)
		if (strcmp(key, "hooks") != 0 && strcmp(key, "notes") != 0)
			print_field(key, value);
	if (hooks)
		r = print_hooks(hooks, header);
	print_remedies(hooks);
	print_notes(json_object_get(report, "notes"));
	return r;
}

static int run_doctor(struct options *o)
{
	return command_ask_object(o, "/v1/doctor", "the hooks", print_report);
}

const struct command command_doctor = {
	.name = "doctor",
	.arguments = "",
	.help = "Show which hooks this kernel gives the daemon, what is lost without the others, "
		"and how to get them.",
	.run = run_doctor,
};
