/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line: finding the subcommand that is meant. */
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "text/cleanup.h"
#include "cli/command.h"
#include "cli/options.h"

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; command_flowner.verbs[i]; i++)
		if (strcmp(command_flowner.verbs[i]->name, name) == 0)
			return command_flowner.verbs[i];
	return NULL;
}

static int print_help(void)
{
	const struct command *const *commands = command_flowner.verbs;

	printf("Usage: flowner %s %s\n%s\n\nCommands:\n", command_flowner.name,
	       command_flowner.arguments, command_flowner.help);
	for (size_t i = 0; commands[i]; i++)
		printf("  %-10s %s\n", commands[i]->name, commands[i]->help);
	printf("  %-10s %s\n", "help", "Show what a command takes: 'flowner help list'.");
	options_help_rows(&command_flowner, stdout);
	return command_end(EXIT_FOUND);
}

static int unknown_command(const char *name)
{
	char sentence[OPTIONS_WHY_TEXT];

	snprintf(sentence, sizeof(sentence), "there is no command '%s'", name);
	return command_usage("", sentence);
}

static const struct command *find_verb(const struct command *cmd, const char *name)
{
	size_t skip = strlen(cmd->name) + 1;

	for (size_t i = 0; cmd->verbs[i]; i++)
		if (strcmp(cmd->verbs[i]->name + skip, name) == 0)
			return cmd->verbs[i];
	return NULL;
}

static int print_verbs(const struct command *cmd)
{
	printf("Usage: flowner %s %s\n%s\n\nVerbs:\n", cmd->name, cmd->arguments, cmd->help);
	for (size_t i = 0; cmd->verbs[i]; i++)
		printf("  %-10s %s\n", cmd->verbs[i]->name + strlen(cmd->name) + 1,
		       cmd->verbs[i]->help);
	options_help_rows(cmd, stdout);
	return command_end(EXIT_FOUND);
}

static int unknown_verb(const struct command *cmd, const char *name)
{
	char sentence[OPTIONS_WHY_TEXT];

	snprintf(sentence, sizeof(sentence), "'%s' cannot '%s'", cmd->name, name);
	return command_usage(cmd->name, sentence);
}

/* `flowner help [CMD [VERB]]` */
static int run_help(int argc, char **argv)
{
	const struct command *cmd = argc > 1 ? find_command(argv[1]) : NULL;

	if (argc > 1 && !cmd)
		return unknown_command(argv[1]);
	if (!cmd)
		return print_help();
	if (cmd->verbs && argc > 2) {
		const struct command *verb = find_verb(cmd, argv[2]);

		if (!verb)
			return unknown_verb(cmd, argv[2]);
		cmd = verb;
	}
	if (cmd->verbs)
		return print_verbs(cmd);
	options_help(cmd, stdout);
	return command_end(EXIT_FOUND);
}

/* ARGV[0] is the command's name. */
static int run_verb(struct options *o, const struct command *cmd, int argc, char **argv)
{
	const struct command *verb;

	if (options_parse(o, cmd, true, argc, argv) < 0)
		return command_usage(cmd->name, o->why);
	if (o->help)
		return print_verbs(cmd);
	if (o->arg_count == 0)
		return command_usage(cmd->name, "a verb is missing");
	verb = find_verb(cmd, o->args[0]);
	if (!verb)
		return unknown_verb(cmd, o->args[0]);
	return command_main(verb, o, o->arg_count, o->args);
}

static int run(struct options *o, int argc, char **argv)
{
	const struct command *cmd;

	if (options_parse(o, &command_flowner, true, argc, argv) < 0)
		return command_usage("", o->why);
	if (options_own(o, "version")) {
		puts("flowner " FLOWNER_VERSION);
		return command_end(EXIT_FOUND);
	}
	if (o->help)
		return print_help();
	if (o->arg_count == 0)
		return command_usage("", "a command is missing");
	if (strcmp(o->args[0], "help") == 0)
		return run_help(o->arg_count, o->args);
	cmd = find_command(o->args[0]);
	if (!cmd)
		return unknown_command(o->args[0]);
	memset(o->own, 0, sizeof(o->own));
	if (cmd->verbs)
		return run_verb(o, cmd, o->arg_count, o->args);
	return command_main(cmd, o, o->arg_count, o->args);
}

/* A socket that came to lie on a closed standard descriptor would get what is printed. */
static void keep_standard_descriptors(void)
{
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
			(void)!open("/dev/null", O_RDONLY);
}

int main(int argc, char **argv)
{
	_cleanup_(options_release) struct options o;

	keep_standard_descriptors();
	/* A reader that left is seen by the failing write: no reason to die with a message of the
	 * shell. */
	signal(SIGPIPE, SIG_IGN);
	/* What we print is UTF-8 whatever the locale; this is for the width of its characters. */
	setlocale(LC_CTYPE, "C.UTF-8");
	options_init(&o);
	return run(&o, argc, argv);
}
