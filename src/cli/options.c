/* SPDX-License-Identifier: BSD-2-Clause */
/* One list of rows per command: getopt_long() is generated from it, and so is the help. */
#include "cli/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "text/cleanup.h"
#include "cli/client.h"

#define ROWS_MAX 64
#define LONG_BASE 256 /* what getopt_long() returns for row 0: above every letter */

enum global {
	GLOBAL_SOCKET,
	GLOBAL_JSON,
	GLOBAL_NUMERIC,
	GLOBAL_NO_HEADER,
	GLOBAL_HELP,
};

const struct filter_field options_global[] = {
	[GLOBAL_SOCKET] = { .name = "socket",
			    .value = "PATH",
			    .help = "socket of the daemon (also $FLOWNER_SOCKET)" },
	[GLOBAL_JSON] = { .name = "json",
			  .letter = 'j',
			  .flag = true,
			  .help = "JSON as the daemon sends it" },
	[GLOBAL_NUMERIC] = { .name = "numeric",
			     .letter = 'n',
			     .flag = true,
			     .help = "user ids instead of user names" },
	[GLOBAL_NO_HEADER] = { .name = "no-header",
			       .letter = 'H',
			       .flag = true,
			       .help = "no line with the names of the columns" },
	[GLOBAL_HELP] = { .name = "help", .letter = 'h', .flag = true, .help = "this text" },
	{ .name = NULL },
};

/* All that one command takes; for getopt_long() and for looking its answers up. */
struct rows {
	const struct filter_field *row[ROWS_MAX];
	size_t count;
	struct option longs[ROWS_MAX + 1];
	char letters[2 * ROWS_MAX + 3];
};

static void free_filter(struct filter **f)
{
	filter_free(*f);
}

static bool named(const char *const *names, const char *name)
{
	for (; names && *names; names++)
		if (strcmp(*names, name) == 0)
			return true;
	return false;
}

static void add_rows(struct rows *rows, const struct filter_field *from, const char *const *except)
{
	for (; from && from->name && rows->count < ROWS_MAX; from++)
		if (!named(except, from->name))
			rows->row[rows->count++] = from;
}

/* ':' first: a missing value is told apart and getopt prints nothing; '+': stop at an argument. */
static void generate_getopt(struct rows *rows, bool stop)
{
	char *p = rows->letters;

	if (stop)
		*p++ = '+';
	*p++ = ':';
	for (size_t i = 0; i < rows->count; i++) {
		const struct filter_field *row = rows->row[i];

		rows->longs[i].name = row->name;
		rows->longs[i].has_arg = row->flag ? no_argument : required_argument;
		rows->longs[i].val = LONG_BASE + (int)i;
		if (!row->letter)
			continue;
		*p++ = row->letter;
		if (!row->flag)
			*p++ = ':';
	}
	*p = '\0';
}

static void rows_init(struct rows *rows, const struct command *cmd)
{
	memset(rows, 0, sizeof(*rows));
	add_rows(rows, cmd->options, NULL);
	if (cmd->filters)
		add_rows(rows, filter_fields, cmd->no_filters);
	add_rows(rows, options_global, NULL);
}

static const struct filter_field *find_row(const struct rows *rows, int c)
{
	if (c >= LONG_BASE)
		return rows->row[c - LONG_BASE];
	for (size_t i = 0; i < rows->count; i++)
		if (rows->row[i]->letter == c)
			return rows->row[i];
	return NULL;
}

void options_init(struct options *o)
{
	const char *socket = getenv("FLOWNER_SOCKET");

	*o = (struct options){ .socket = socket && *socket ? socket : CLIENT_SOCKET };
}

void options_release(struct options *o)
{
	free(o->query);
	o->query = NULL;
}

static __u64 realtime_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (__u64)ts.tv_sec * 1000000000ULL + (__u64)ts.tv_nsec;
}

/* A namespace may be one that only the daemon can look into: that it exists is not for us to say.
 */
static int check_filter(const char *name, const char *value, const char **ret_why)
{
	_cleanup_(free_filter) struct filter *f = NULL;
	int r;

	if (strcmp(name, "netns") == 0)
		return 0;
	r = filter_new(&f);
	return r < 0 ? r : filter_add(f, name, value, realtime_ns(), ret_why);
}

int options_filter(struct options *o, const char *name, const char *value)
{
	const char *why = NULL;
	int r = check_filter(name, value ? value : "", &why);

	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		snprintf(o->why, sizeof(o->why), "%s", why ? why : strerror(-r));
		return -EINVAL;
	}
	return client_query(&o->query, name, value ? value : "1");
}

static int set_global(struct options *o, enum global which, const char *value)
{
	switch (which) {
	case GLOBAL_SOCKET:
		o->socket = value;
		return 0;
	case GLOBAL_JSON:
		o->json = true;
		return 0;
	case GLOBAL_NUMERIC:
		o->numeric = true;
		return 0;
	case GLOBAL_NO_HEADER:
		o->no_header = true;
		return 0;
	case GLOBAL_HELP:
		o->help = true;
		return 0;
	}
	return -EINVAL;
}

static int set_option(struct options *o, const struct filter_field *row, const char *value)
{
	if (row >= options_global && row <= &options_global[GLOBAL_HELP])
		return set_global(o, (enum global)(row - options_global), value);
	for (size_t i = 0; o->own_rows && o->own_rows[i].name && i < OPTIONS_OWN_MAX; i++) {
		if (row == &o->own_rows[i]) {
			o->own[i] = row->flag ? "" : value;
			return 0;
		}
	}
	return options_filter(o, row->name, row->flag ? NULL : value);
}

/* C is what getopt_long() said; LAST the argument it stood on. */
static int bad_option(struct options *o, int c, const char *last)
{
	const char *what = c == ':' ? "needs a value" : "is not an option";
	const char *value = strchr(last, '=');

	if (strncmp(last, "--", 2) != 0 && optopt > 0 && optopt < LONG_BASE)
		snprintf(o->why, sizeof(o->why), "'-%c' %s", optopt, what);
	else if (c == '?' && value && optopt)
		snprintf(o->why, sizeof(o->why), "'%.*s' takes no value", (int)(value - last),
			 last);
	else
		snprintf(o->why, sizeof(o->why), "'%s' %s", last, what);
	return -EINVAL;
}

static int take_arguments(struct options *o, const struct command *cmd)
{
	int r = 0;

	if (o->help)
		return 0;
	if (o->arg_count < cmd->min_args) {
		snprintf(o->why, sizeof(o->why), "'%s' needs %s", cmd->name, cmd->arguments);
		return -EINVAL;
	}
	if (cmd->max_args >= 0 && o->arg_count > cmd->max_args) {
		snprintf(o->why, sizeof(o->why), "unexpected argument '%s'",
			 o->args[cmd->max_args]);
		return -EINVAL;
	}
	for (int i = 0; cmd->filters && i < o->arg_count && r == 0; i++)
		r = options_filter(o, "addr", o->args[i]);
	return r;
}

int options_parse(struct options *o, const struct command *cmd, bool stop, int argc, char **argv)
{
	struct rows rows;
	int c;

	rows_init(&rows, cmd);
	generate_getopt(&rows, stop);
	o->own_rows = cmd->options;
	opterr = 0;
	optind = 0; /* glibc: start afresh */
	while ((c = getopt_long(argc, argv, rows.letters, rows.longs, NULL)) != -1) {
		const struct filter_field *row = find_row(&rows, c);
		int r;

		if (!row)
			return bad_option(o, c, argv[optind - 1]);
		r = set_option(o, row, optarg);
		if (r < 0)
			return r;
	}
	o->args = argv + optind;
	o->arg_count = argc - optind;
	return take_arguments(o, cmd);
}

const char *options_own(const struct options *o, const char *name)
{
	for (size_t i = 0; o->own_rows && o->own_rows[i].name && i < OPTIONS_OWN_MAX; i++)
		if (strcmp(o->own_rows[i].name, name) == 0)
			return o->own[i];
	return NULL;
}

static void help_row(const struct filter_field *row, FILE *out)
{
	char left[64];
	char letter[] = { '-', row->letter, ',', '\0' };

	snprintf(left, sizeof(left), "  %-3s --%s%s%s", row->letter ? letter : "", row->name,
		 row->flag ? "" : " ", row->flag || !row->value ? "" : row->value);
	fprintf(out, "%-28s %s\n", left, row->help ? row->help : "");
}

static void help_rows(const char *title, const struct filter_field *row, const char *const *except,
		      FILE *out)
{
	if (!row || !row->name)
		return;
	fprintf(out, "\n%s:\n", title);
	for (; row->name; row++)
		if (!named(except, row->name))
			help_row(row, out);
}

void options_help(const struct command *cmd, FILE *out)
{
	fprintf(out, "Usage: flowner %s%s%s%s\n%s\n", cmd->name, cmd->filters ? " [FILTERS]" : "",
		*cmd->arguments ? " " : "", cmd->arguments, cmd->help);
	options_help_rows(cmd, out);
}

void options_help_rows(const struct command *cmd, FILE *out)
{
	help_rows("Options", cmd->options, NULL, out);
	if (cmd->filters)
		help_rows("Filters, all of which must hold; of one given twice either may",
			  filter_fields, cmd->no_filters, out);
	help_rows("Options of every command", options_global, cmd->no_globals, out);
	fprintf(out, "\nExit status: 0 found or done, 1 not found, 2 wrong usage, 3 no daemon,\n"
		     "4 not permitted or failed.\n");
}
