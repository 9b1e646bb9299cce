/* SPDX-License-Identifier: BSD-2-Clause */
/* `flowner` itself as a row: what stands before the subcommand, and which subcommands there are. */
#include "cli/command.h"

static const struct filter_field options[] = {
	{ .name = "version", .letter = 'V', .flag = true, .help = "print the version" },
	{ .name = NULL },
};

static const struct command *const commands[] = {
	&command_list,	&command_who,	 &command_show,	  &command_watch, &command_top,
	&command_abort, &command_policy, &command_doctor, &command_stats, &command_metrics,
	NULL,
};

const struct command command_flowner = {
	.name = "COMMAND",
	.arguments = "[ARGUMENTS]",
	.help = "Which process owns this connection?",
	.options = options,
	.max_args = -1,
	.verbs = commands,
};
