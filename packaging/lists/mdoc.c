/* SPDX-License-Identifier: BSD-2-Clause */
/* The lists as mdoc(7). */
#include <flowner/policy.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/arguments.h"
#include "cli/command.h"
#include "host/config.h"
#include "lists.h"
#include "cli/options.h"
#include "policy/attempt.h"
#include "policy/policywords.h"
#include "host/settings.h"

#define COLUMNS_MAX 72

static const char begin[] = ".Bl -tag -width Ds\n", end[] = ".El\n";

/* --- text --- */

/* A word at the beginning of a line is no macro, and a backslash is one. */
static void put_word(FILE *out, const char *word, size_t len, bool first)
{
	if (first && (*word == '.' || *word == '\''))
		fputs("\\&", out);
	for (size_t i = 0; i < len; i++)
		if (word[i] == '\\')
			fputs("\\e", out);
		else
			putc(word[i], out);
}

/* As manuals are written: short lines, and each sentence begins one. */
static void put_text(FILE *out, const char *text)
{
	size_t column = 0;

	while (*text) {
		size_t len = strcspn(text, " ");
		bool ends = len && strchr(".!?", text[len - 1]);

		if (column && column + 1 + len > COLUMNS_MAX) {
			putc('\n', out);
			column = 0;
		}
		if (column)
			putc(' ', out);
		put_word(out, text, len, column == 0);
		column += len + 1;
		text += len + strspn(text + len, " ");
		if (ends && *text) {
			putc('\n', out);
			column = 0;
		}
	}
	putc('\n', out);
}

/* --- flowner --- */

static void put_option(FILE *out, const struct filter_field *row)
{
	fputs(".It ", out);
	if (row->letter)
		fprintf(out, "Fl %c , ", row->letter);
	fprintf(out, "Fl -%s", row->name);
	if (!row->flag)
		fprintf(out, " Ar %s", row->value);
	putc('\n', out);
	put_text(out, row->help);
}

static void put_options(FILE *out, const struct filter_field *row)
{
	if (!row || !row->name)
		return;
	fputs(begin, out);
	for (; row->name; row++)
		put_option(out, row);
	fputs(end, out);
}

static void put_exceptions(FILE *out, const char *const *names)
{
	fputs("All filters but\n", out);
	for (; *names; names++)
		fprintf(out, ".Fl -%s%s\n", *names, names[1] ? " ," : " .");
}

static void put_command(FILE *out, const struct command *cmd)
{
	fprintf(out, ".It Cm %s%s%s%s\n", cmd->name, cmd->filters ? " No [FILTERS]" : "",
		*cmd->arguments ? " No " : "", cmd->arguments);
	put_text(out, cmd->help);
	if (cmd->no_filters)
		put_exceptions(out, cmd->no_filters);
	put_options(out, cmd->options);
	for (size_t i = 0; cmd->verbs && cmd->verbs[i]; i++)
		put_command(out, cmd->verbs[i]);
}

void mdoc_commands(FILE *out)
{
	fputs(begin, out);
	for (size_t i = 0; command_flowner.verbs[i]; i++)
		put_command(out, command_flowner.verbs[i]);
	fputs(end, out);
}

void mdoc_filters(FILE *out)
{
	put_options(out, filter_fields);
}

void mdoc_options(FILE *out)
{
	put_options(out, options_global);
	fputs(".Pp\nBefore the command also:\n", out);
	put_options(out, command_flowner.options);
}

/* --- flownerd --- */

void mdoc_arguments(FILE *out)
{
	fputs(begin, out);
	for (const struct argument *row = argument_table; row->name; row++) {
		fprintf(out, ".It Fl -%s%s%s\n", row->name, row->value ? " Ar " : "",
			row->value ? row->value : "");
		put_text(out, row->help);
	}
	fputs(end, out);
}

/* --- flowner.yaml --- */

struct unit {
	const char *name;
	uint64_t size;
};

static const struct unit durations[] = {
	{ "d", 86400000000000ull }, { "h", 3600000000000ull }, { "m", 60000000000ull },
	{ "s", 1000000000ull },	    { "ms", 1000000ull },      { "", 1 },
};
static const struct unit sizes[] = {
	{ "GiB", 1ull << 30 },
	{ "MiB", 1ull << 20 },
	{ "KiB", 1ull << 10 },
	{ "", 1 },
};
static const struct unit counts[] = { { "", 1 } };

/* In the largest unit that it is a whole number of. */
static void put_number(FILE *out, const struct setting *s, uint64_t value)
{
	const struct unit *unit;

	if (s->kind == KIND_MARK) {
		fprintf(out, "0x%llx", (unsigned long long)value);
		return;
	}
	unit = s->kind == KIND_DURATION ? durations : s->kind == KIND_RING ? sizes : counts;

	value *= s->unit_ns ? s->unit_ns : 1;
	while (value % unit->size)
		unit++;
	fprintf(out, "%llu%s", (unsigned long long)(value / unit->size), unit->name);
}

static void put_choices(FILE *out, const struct setting *s, const char *between)
{
	for (size_t i = 0; s->choices[i]; i++)
		fprintf(out, "%s%s", i ? between : "", s->choices[i]);
}

static void put_possible(FILE *out, const struct setting *s)
{
	switch (s->kind) {
	case KIND_PATH:
		fputs("An absolute path", out);
		return;
	case KIND_NAME:
		fputs("A name", out);
		return;
	case KIND_ADDRESS:
		fputs("ADDRESS:PORT", out);
		return;
	case KIND_SET:
		fputs("A list of\n", out);
		put_choices(out, s, ",\n");
		return;
	case KIND_CHOICE:
		put_choices(out, s, " or ");
		return;
	case KIND_COUNT:
	case KIND_DURATION:
	case KIND_MARK:
	case KIND_RING:
		put_number(out, s, s->min);
		fputs(" to ", out);
		put_number(out, s, s->max);
		return;
	}
}

static uint64_t number_at(const struct setting *s, const void *at)
{
	uint32_t narrow;
	uint64_t wide;

	if (s->bytes == sizeof(wide)) {
		memcpy(&wide, at, sizeof(wide));
		return wide;
	}
	memcpy(&narrow, at, sizeof(narrow));
	return narrow;
}

static void put_usual(FILE *out, const struct setting *s, const struct config *c)
{
	const void *at = (const char *)c + s->offset;
	const char *text;

	switch (s->kind) {
	case KIND_PATH:
	case KIND_NAME:
	case KIND_ADDRESS:
		text = *(const char *const *)at;
		fputs(text ? text : "none", out);
		return;
	case KIND_CHOICE:
		fputs(s->choices[number_at(s, at)], out);
		return;
	case KIND_SET: /* no such list is usual */
		fputs("none", out);
		return;
	case KIND_COUNT:
	case KIND_DURATION:
	case KIND_MARK:
	case KIND_RING:
		put_number(out, s, number_at(s, at));
		return;
	}
}

void mdoc_settings(FILE *out)
{
	struct config c;

	if (config_init(&c) < 0)
		abort(); /* no page without its keys */
	fputs(begin, out);
	for (const struct setting *s = settings; s->where; s++) {
		fprintf(out, ".It Cm %s\n", s->where);
		put_text(out, s->help);
		fputs(".br\n", out);
		put_possible(out, s);
		fputs("; if not said:\n.Li ", out);
		put_usual(out, s, &c);
		putc('\n', out);
	}
	fputs(end, out);
	config_release(&c);
}

/* --- a policy --- */

static bool everywhere(enum policy_attribute attribute)
{
	for (enum fl_hook hook = 0; hook < FL_HOOKS; hook++)
		if (!policy_hook_has(hook, attribute))
			return false;
	return true;
}

void mdoc_attributes(FILE *out)
{
	fputs(".Bl -tag -width port_in_use_by_other -compact\n", out);
	for (enum policy_attribute a = POLICY_EXE; a < POLICY_ATTRIBUTES; a++) {
		const char *separator = "";

		fprintf(out, ".It Cm %s\n", policy_attribute_text(a));
		for (enum fl_hook hook = 0; hook < FL_HOOKS && !everywhere(a); hook++) {
			if (!policy_hook_has(hook, a))
				continue;
			fprintf(out, "%s%s", separator, policy_hook_text(hook));
			separator = ", ";
		}
		fputs(everywhere(a) ? "every hook\n" : "\n", out);
	}
	fputs(end, out);
}

/* --- the API --- */

static void put_parameters(FILE *out, const struct filter_field *row)
{
	fputs(".Bl -tag -width Ds -compact\n", out);
	for (; row->name; row++) {
		fprintf(out, ".It Cm %s%s%s\n", row->name, row->flag ? "" : " Ns = Ns Ar ",
			row->flag ? "" : row->value);
		put_text(out, row->help);
	}
	fputs(end, out);
}

void mdoc_parameters(FILE *out)
{
	put_parameters(out, filter_fields);
}

void mdoc_attempt(FILE *out)
{
	put_parameters(out, attempt_fields);
}
