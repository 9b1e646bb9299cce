/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The lists of the completion functions of bash and zsh. Which words a value may be is known by its
 * placeholder; those of a filter are tried on the filter itself, so that none is offered in vain.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "flow/flowtext.h"
#include "lists.h"
#include "cli/options.h"
#include "policy/policywords.h"

/* --- what values may be --- */

static const char *proto_word(size_t i)
{
	static const enum fl_proto protos[] = { FL_TCP, FL_UDP };

	return i < sizeof(protos) / sizeof(protos[0]) ? proto_text(protos[i]) : NULL;
}

/* The numbers of the states have holes, which are no state's. */
static const char *state_word(size_t i)
{
	for (enum fl_state s = FL_STATE_ESTABLISHED; s <= FL_STATE_UNCONN; s++) {
		enum fl_state parsed;

		if (state_parse(state_text(s), &parsed) == 0 && i-- == 0)
			return state_text(s);
	}
	return NULL;
}

static const char *direction_word(size_t i)
{
	static const char *const words[] = { "egress", "ingress", NULL };

	return words[i];
}

static const char *hook_word(size_t i)
{
	return i < FL_HOOKS ? policy_hook_text((enum fl_hook)i) : NULL;
}

/* WORD, or what the shells have themselves; a placeholder that is not here: nothing is offered. */
static const struct value {
	const char *placeholder;
	const char *(*word)(size_t i); /* NULL after the last */
	const char *bash, *zsh;
} values[] = {
	{ "PROTO", proto_word, NULL, NULL },   { "STATE", state_word, NULL, NULL },
	{ "DIR", direction_word, NULL, NULL }, { "HOOK", hook_word, NULL, NULL },
	{ "PATH", NULL, "@files", "_files" },  { "USER", NULL, "@users", "_users" },
};

static const struct value *find_value(const char *placeholder)
{
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		if (strcmp(values[i].placeholder, placeholder) == 0)
			return &values[i];
	return NULL;
}

static void check_word(const struct filter_field *row, const char *word)
{
	struct filter *filter;
	const char *why;

	if (filter_new(&filter) < 0)
		abort();
	if (filter_add(filter, row->name, word, 0, &why) < 0) {
		fprintf(stderr, "lists: --%s: %s\n", row->name, why);
		exit(EXIT_FAILURE);
	}
	filter_free(filter);
}

static bool is_filter(const struct filter_field *row)
{
	for (const struct filter_field *f = filter_fields; f->name; f++)
		if (f == row)
			return true;
	return false;
}

/* --- all options of a command --- */

static bool named(const char *const *names, const char *name)
{
	for (; names && *names; names++)
		if (strcmp(*names, name) == 0)
			return true;
	return false;
}

typedef void (*put_option)(FILE *out, const struct filter_field *row);

static void each_option(FILE *out, const struct command *cmd, put_option put)
{
	const struct {
		const struct filter_field *rows;
		const char *const *except;
	} tables[] = {
		{ cmd->options, NULL },
		{ cmd->filters ? filter_fields : NULL, cmd->no_filters },
		{ options_global, cmd->no_globals },
	};

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		for (const struct filter_field *row = tables[i].rows; row && row->name; row++)
			if (!named(tables[i].except, row->name))
				put(out, row);
}

/* FN for flowner, each command, each verb. */
static void each_command(FILE *out, const struct command *cmd,
			 void (*fn)(FILE *out, const struct command *cmd))
{
	fn(out, cmd);
	for (size_t i = 0; cmd->verbs && cmd->verbs[i]; i++)
		each_command(out, cmd->verbs[i], fn);
}

/* As its own command calls it: the verb of "policy check". */
static const char *last_word(const struct command *cmd)
{
	const char *space = strrchr(cmd->name, ' ');

	return space ? space + 1 : cmd->name;
}

/* --- bash --- */

static void bash_flag(FILE *out, const struct filter_field *row)
{
	fprintf(out, " --%s", row->name);
	if (row->letter)
		fprintf(out, " -%c", row->letter);
}

static void bash_words(FILE *out, const struct command *cmd)
{
	fprintf(out, "\t'%s') echo '", cmd == &command_flowner ? "" : cmd->name);
	for (size_t i = 0; cmd->verbs && cmd->verbs[i]; i++)
		fprintf(out, "%s ", last_word(cmd->verbs[i]));
	if (cmd == &command_flowner)
		fputs("help ", out);
	if (strstr(cmd->arguments, "FILE"))
		fputs("@files ", out);
	if (strncmp(cmd->arguments, "[tcp|udp]", 9) == 0)
		fputs("tcp udp ", out);
	each_option(out, cmd, bash_flag);
	fputs("' ;;\n", out);
}

static void bash_value(FILE *out, const struct filter_field *row)
{
	const struct value *value;
	const char *word;

	if (row->flag)
		return;
	value = find_value(row->value);
	fprintf(out, "\t\t--%s", row->name);
	if (row->letter)
		fprintf(out, " | -%c", row->letter);
	fprintf(out, ") echo '%s", !value ? "@value" : value->bash ? value->bash : "");
	for (size_t i = 0; value && value->word && (word = value->word(i)); i++) {
		if (is_filter(row))
			check_word(row, word);
		fprintf(out, "%s%s", i ? " " : "", word);
	}
	fputs("' ;;\n", out);
}

static void bash_values(FILE *out, const struct command *cmd)
{
	fprintf(out, "\t'%s')\n\t\tcase $2 in\n", cmd == &command_flowner ? "" : cmd->name);
	each_option(out, cmd, bash_value);
	fputs("\t\tesac\n\t\t;;\n", out);
}

void bash_commands(FILE *out)
{
	fputs("_flowner_words() { # COMMAND: what may come next\n\tcase $1 in\n", out);
	each_command(out, &command_flowner, bash_words);
	fputs("\tesac\n}\n\n_flowner_values() { # COMMAND OPTION: its values, nothing for a flag\n"
	      "\tcase $1 in\n",
	      out);
	each_command(out, &command_flowner, bash_values);
	fputs("\tesac\n}\n", out);
}

/* --- zsh --- */

/* TEXT in single quotes, a backslash before each of SPECIAL */
static void zsh_text(FILE *out, const char *text, const char *special)
{
	for (; *text; text++) {
		if (*text == '\'')
			fputs("'\\'", out);
		else if (strchr(special, *text))
			putc('\\', out);
		putc(*text, out);
	}
}

static void zsh_value(FILE *out, const struct filter_field *row)
{
	const struct value *value = find_value(row->value);
	const char *word;

	fprintf(out, ":%s:", row->value);
	if (!value || value->zsh) {
		fputs(value ? value->zsh : " ", out);
		return;
	}
	for (size_t i = 0; (word = value->word(i)); i++)
		fprintf(out, "%s%s", i ? " " : "(", word);
	putc(')', out);
}

static void zsh_option(FILE *out, const struct filter_field *row)
{
	fputs("\t\t\t", out);
	if (row->letter && row->flag)
		fprintf(out, "'(-%c --%s)'{-%c,--%s}'", row->letter, row->name, row->letter,
			row->name);
	else if (row->letter)
		fprintf(out, "{-%c+,--%s=}'", row->letter, row->name);
	else
		fprintf(out, "'%s--%s%s", row->flag ? "" : "*", row->name, row->flag ? "" : "=");
	putc('[', out);
	zsh_text(out, row->help, "[]:\\");
	putc(']', out);
	if (!row->flag)
		zsh_value(out, row);
	fputs("' \\\n", out);
}

/* {true}: nothing is offered, without a message, which would keep options from being put in. */
static void zsh_arguments(FILE *out, const struct command *cmd)
{
	if (strstr(cmd->arguments, "FILE"))
		fputs("\t\t\t'*:FILE:_files'\n", out);
	else if (strncmp(cmd->arguments, "[tcp|udp]", 9) == 0)
		fputs("\t\t\t'1:PROTO:(tcp udp)' '*:ADDRESS:{true}'\n", out);
	else
		fputs("\t\t\t'*:ARGUMENT:{true}'\n", out);
}

static void zsh_verbs(FILE *out, const struct command *cmd)
{
	fputs("\t\t\t'1:VERB:((", out);
	for (size_t i = 0; cmd->verbs[i]; i++) {
		fprintf(out, "%s%s\\:\"", i ? " " : "", last_word(cmd->verbs[i]));
		zsh_text(out, cmd->verbs[i]->help, ":\"\\");
		putc('"', out);
	}
	if (cmd == &command_flowner)
		fputs(" help\\:\"Show what a command takes\"", out);
	fputs("))' '(-)*:: :->rest'\n", out);
}

static void zsh_command(FILE *out, const struct command *cmd)
{
	fprintf(out, "\t\t('%s') _arguments -s -S%s : \\\n",
		cmd == &command_flowner ? "" : cmd->name, cmd->verbs ? " -C" : "");
	each_option(out, cmd, zsh_option);
	if (cmd->verbs)
		zsh_verbs(out, cmd);
	else
		zsh_arguments(out, cmd);
	fputs("\t\t\t;;\n", out);
}

void zsh_commands(FILE *out)
{
	each_command(out, &command_flowner, zsh_command);
}
