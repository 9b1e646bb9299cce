/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The options of a subcommand: the global ones, its own, and the filters, all rows of tables from
 * which both the parser and the help are made. Filters are checked here and kept as a query.
 */
#ifndef FLOWNER_OPTIONS_H
#define FLOWNER_OPTIONS_H

#include <stdbool.h>
#include <stdio.h>

#include "cli/command.h"

#define OPTIONS_OWN_MAX 24
#define OPTIONS_WHY_TEXT 256

struct options {
	const char *socket;
	bool json;
	bool numeric;
	bool no_header;
	bool help;
	const char *own[OPTIONS_OWN_MAX]; /* last value of each row of the command's own table */
	const struct filter_field *own_rows;
	char *query; /* of the filters given, percent-encoded; NULL = none */
	char **args; /* what is left of argv */
	int arg_count;
	char why[OPTIONS_WHY_TEXT];
};

/* Of commands that show ends of flows. */
#define OPTION_SERVICES                                                                            \
	{                                                                                          \
		.name = "services", .letter = 'S', .flag = true,                                   \
		.help = "names of services instead of port numbers"                                \
	}

/* What every command takes, ended by a NULL name. */
extern const struct filter_field options_global[];

/* The defaults and $FLOWNER_SOCKET. */
void options_init(struct options *o);
void options_release(struct options *o);

/*
 * Adds what ARGV says; ARGV[0] is skipped. With STOP the first argument that is no option ends it.
 * -EINVAL: o->why is one sentence. -ENOMEM.
 */
int options_parse(struct options *o, const struct command *cmd, bool stop, int argc, char **argv);

/* A filter as if given as option: -EINVAL with o->why, -ENOMEM. VALUE is NULL for a flag. */
int options_filter(struct options *o, const char *name, const char *value);

/* Value of the command's own option NAME, "" for a flag; NULL when it was not given. */
const char *options_own(const struct options *o, const char *name);

/* Everything CMD takes, from the same tables. */
void options_help(const struct command *cmd, FILE *out);
void options_help_rows(const struct command *cmd, FILE *out); /* without the usage line */

#endif
