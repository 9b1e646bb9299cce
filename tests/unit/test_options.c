/* SPDX-License-Identifier: BSD-2-Clause */
/* Options: every row of every table is taken, told in the help and clashes with no other. */
#include <ctype.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/client.h"
#include "cli/options.h"

static const struct command *const commands[] = {
	&command_list,	 &command_who,	 &command_show,	   &command_watch,
	&command_doctor, &command_stats, &command_metrics,
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))
#define ARGS_MAX 16

/* LINE split at spaces; the words stay until the next call. */
static int parse(struct options *o, const struct command *cmd, bool stop, const char *line)
{
	static char copy[512];
	static char *argv[ARGS_MAX + 1];
	int argc = 0;

	snprintf(copy, sizeof(copy), "%s", line);
	for (char *word = strtok(copy, " "); word && argc < ARGS_MAX; word = strtok(NULL, " "))
		argv[argc++] = word;
	argv[argc] = NULL;
	options_init(o);
	return options_parse(o, cmd, stop, argc, argv);
}

static void expect_query(const struct command *cmd, const char *line, const char *query)
{
	struct options o;
	int r = parse(&o, cmd, false, line);

	if (r < 0)
		fail_msg("%s: %s", line, o.why);
	if (query) {
		assert_non_null(o.query);
		assert_string_equal(o.query, query);
	} else {
		assert_null(o.query);
	}
	options_release(&o);
}

static void expect_refusal(const struct command *cmd, const char *line, const char *why)
{
	struct options o;

	assert_int_equal(parse(&o, cmd, false, line), -EINVAL);
	assert_string_equal(o.why, why);
	options_release(&o);
}

static void defaults(void **state)
{
	struct options o;

	(void)state;
	unsetenv("FLOWNER_SOCKET");
	assert_int_equal(parse(&o, &command_list, false, "list"), 0);
	assert_string_equal(o.socket, CLIENT_SOCKET);
	assert_false(o.json || o.numeric || o.no_header || o.help);
	assert_null(o.query);
	assert_int_equal(o.arg_count, 0);
	setenv("FLOWNER_SOCKET", "/env", 1);
	assert_int_equal(parse(&o, &command_list, false, "list"), 0);
	assert_string_equal(o.socket, "/env");
	assert_int_equal(parse(&o, &command_list, false, "list --socket /given"), 0);
	assert_string_equal(o.socket, "/given");
	setenv("FLOWNER_SOCKET", "", 1);
	assert_int_equal(parse(&o, &command_list, false, "list"), 0);
	assert_string_equal(o.socket, CLIENT_SOCKET);
	unsetenv("FLOWNER_SOCKET");
}

static void global_options(void **state)
{
	struct options o;

	(void)state;
	assert_int_equal(parse(&o, &command_doctor, false, "doctor -jnH"), 0);
	assert_true(o.json && o.numeric && o.no_header && !o.help);
	assert_int_equal(
		parse(&o, &command_doctor, false, "doctor --json --numeric --no-header --help"), 0);
	assert_true(o.json && o.numeric && o.no_header && o.help);
	assert_int_equal(parse(&o, &command_show, false, "show -h"), 0);
	assert_true(o.help);
}

static void filters_become_the_query(void **state)
{
	(void)state;
	expect_query(&command_list, "list --lport 443 -t -4", "lport=443&tcp=1&ipv4=1");
	expect_query(&command_list, "list --comm=a&b", "comm=a%26b");
	expect_query(&command_list, "list 10.0.0.0/8:443 --pid 7 :53",
		     "pid=7&addr=10.0.0.0%2F8%3A443&addr=%3A53");
	expect_query(&command_list, "list --rport 1 -- :53", "rport=1&addr=%3A53");
	expect_query(&command_watch, "watch -u --user bob [::1]:80",
		     "udp=1&user=bob&addr=%5B%3A%3A1%5D%3A80");
	expect_query(&command_list, "list --since 10m --closed", "since=10m&closed=1");
	/* which namespaces there are is for the daemon to see */
	expect_query(&command_list, "list --netns no-such-name", "netns=no-such-name");
	expect_query(&command_list, "list -j", NULL);
}

static void values_are_checked_here(void **state)
{
	struct options o;

	(void)state;
	assert_int_equal(parse(&o, &command_list, false, "list --lport 99999"), -EINVAL);
	assert_non_null(strstr(o.why, "'99999'"));
	assert_null(o.query);
	assert_int_equal(parse(&o, &command_list, false, "list 10.0.0.1/99"), -EINVAL);
	assert_non_null(strstr(o.why, "'10.0.0.1/99'"));
	assert_int_equal(parse(&o, &command_list, false, "list --since soon"), -EINVAL);
	assert_non_null(strstr(o.why, "'soon'"));
}

static void wrong_usage(void **state)
{
	(void)state;
	expect_refusal(&command_list, "list --nope", "'--nope' is not an option");
	expect_refusal(&command_list, "list --nope=1", "'--nope=1' is not an option");
	expect_refusal(&command_list, "list -X", "'-X' is not an option");
	expect_refusal(&command_list, "list -tX", "'-X' is not an option");
	expect_refusal(&command_list, "list --lport", "'--lport' needs a value");
	expect_refusal(&command_list, "list --tcp=yes", "'--tcp' takes no value");
	expect_refusal(&command_watch, "watch -c", "'-c' needs a value");
	expect_refusal(&command_watch, "watch --since 10m", "'--since' is not an option");
	expect_refusal(&command_watch, "watch -a", "'-a' is not an option");
	expect_refusal(&command_show, "show", "'show' needs FLOW_ID");
	expect_refusal(&command_show, "show 1 2", "unexpected argument '2'");
	expect_refusal(&command_stats, "stats all", "unexpected argument 'all'");
	expect_refusal(&command_stats, "stats --lport 1", "'--lport' is not an option");
}

static void own_options(void **state)
{
	struct options o;

	(void)state;
	assert_int_equal(parse(&o, &command_watch, false, "watch -c 3 --replay 17 -c 4"), 0);
	assert_string_equal(options_own(&o, "count"), "4");
	assert_string_equal(options_own(&o, "replay"), "17");
	assert_null(options_own(&o, "nope"));
	assert_null(o.query);
	assert_int_equal(parse(&o, &command_who, false, "who :53 --at 10m"), 0);
	assert_string_equal(options_own(&o, "at"), "10m");
	assert_null(options_own(&o, "netns"));
}

static void stops_at_the_command(void **state)
{
	static const struct command any = { .name = "any", .arguments = "", .max_args = -1 };
	struct options o;

	(void)state;
	assert_int_equal(parse(&o, &any, true, "flowner -j list -H --whatever"), 0);
	assert_true(o.json);
	assert_false(o.no_header);
	assert_int_equal(o.arg_count, 3);
	assert_string_equal(o.args[0], "list");
}

static size_t collect(const struct command *cmd, const struct filter_field *all[64])
{
	size_t n = 0;

	for (const struct filter_field *f = cmd->options; f && f->name; f++)
		all[n++] = f;
	for (const struct filter_field *f = filter_fields; cmd->filters && f->name; f++) {
		bool without = false;

		for (const char *const *no = cmd->no_filters; no && *no; no++)
			without |= strcmp(*no, f->name) == 0;
		if (!without)
			all[n++] = f;
	}
	return n;
}

static void names_and_letters_are_unique(void **state)
{
	(void)state;
	for (size_t c = 0; c < COMMANDS; c++) {
		const struct filter_field *all[64];
		size_t n = collect(commands[c], all);

		for (size_t i = 0; i < n; i++) {
			if (all[i]->letter && strchr("jnHhV", all[i]->letter))
				fail_msg("%s: -%c is a global option", commands[c]->name,
					 all[i]->letter);
			for (size_t j = 0; j < i; j++) {
				assert_string_not_equal(all[i]->name, all[j]->name);
				if (all[i]->letter)
					assert_int_not_equal(all[i]->letter, all[j]->letter);
			}
		}
	}
}

static char *help_of(const struct command *cmd)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(f);
	options_help(cmd, f);
	fclose(f);
	return text;
}

static void help_tells_every_option(void **state)
{
	(void)state;
	for (size_t c = 0; c < COMMANDS; c++) {
		char *help = help_of(commands[c]);
		const struct filter_field *all[64];
		size_t n = collect(commands[c], all);
		char usage[64], option[64];

		snprintf(usage, sizeof(usage), "Usage: flowner %s", commands[c]->name);
		assert_ptr_equal(strstr(help, usage), help);
		assert_non_null(strstr(help, commands[c]->help));
		assert_true(!strstr(help, "  -j, --json ") == (commands[c] == &command_metrics));
		assert_non_null(strstr(help, "  -h, --help "));
		for (size_t i = 0; i < n; i++) {
			snprintf(option, sizeof(option), " --%s ", all[i]->name);
			if (!strstr(help, option) || !strstr(help, all[i]->help))
				fail_msg("%s: no help for --%s", commands[c]->name, all[i]->name);
		}
		for (char *line = strtok(help, "\n"); line; line = strtok(NULL, "\n"))
			if (strlen(line) > 100)
				fail_msg("%s: too long a line: %s", commands[c]->name, line);
		free(help);
	}
}

static void help_leaves_out_what_does_not_apply(void **state)
{
	char *help = help_of(&command_watch);

	(void)state;
	assert_null(strstr(help, "--since"));
	assert_null(strstr(help, "--closed"));
	free(help);
	help = help_of(&command_stats);
	assert_null(strstr(help, "--lport"));
	free(help);
	help = help_of(&command_top);
	assert_null(strstr(help, "--json"));
	assert_non_null(strstr(help, "--numeric"));
	free(help);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(global_options),
		cmocka_unit_test(filters_become_the_query),
		cmocka_unit_test(values_are_checked_here),
		cmocka_unit_test(wrong_usage),
		cmocka_unit_test(own_options),
		cmocka_unit_test(stops_at_the_command),
		cmocka_unit_test(names_and_letters_are_unique),
		cmocka_unit_test(help_tells_every_option),
		cmocka_unit_test(help_leaves_out_what_does_not_apply),
	};

	return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
