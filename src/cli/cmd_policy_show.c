/* SPDX-License-Identifier: BSD-2-Clause */
/* `flowner policy show`: the policy in force, what its rules have decided, and where it judges. */
#include "cli/cmd_policy.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "text/cleanup.h"
#include "cli/options.h"
#include "cli/record.h"
#include "cli/table.h"

void policy_tell_unresolved(const json_t *list)
{
	const json_t *item;
	size_t i;

	json_array_foreach (list, i, item) {
		const char *rule = record_string(item, "rule");

		command_error("rule '%s': %s '%s' stands for nothing yet: %s", rule ? rule : "-",
			      record_string(item, "attribute"), record_string(item, "word"),
			      record_string(item, "why"));
	}
}

static const struct column rule_columns[] = {
	{ .title = "RULE", .cut = 1, .least = 12 },
	{ .title = "HOOKS" },
	{ .title = "VERDICT" },
	{ .title = "MODE" },
	{ .title = "HITS" },
	{ .title = "PLACE", .cut = 2, .least = 12 },
	{ .title = "UNTIL" }, /* where a rule goes again */
};
#define RULE_COLUMNS (sizeof(rule_columns) / sizeof(rule_columns[0]))

static const struct column way_columns[] = {
	{ .title = "HOOK" },
	{ .title = "ATTACH" },
	{ .title = "STATUS" },
	{ .title = "WHOSE ATTEMPT IS REJECTED SEES", .cut = 1, .least = 20 },
};
#define WAY_COLUMNS (sizeof(way_columns) / sizeof(way_columns[0]))

static void free_table(struct table **t)
{
	table_free(*t);
}

static void join_words(const json_t *list, char *buf, size_t size)
{
	size_t used = 0, i;
	const json_t *word;

	*buf = '\0';
	json_array_foreach (list, i, word)
		if (used < size)
			used += (size_t)snprintf(buf + used, size - used, "%s%s", i ? "," : "",
						 json_string_value(word));
}

static bool some_end(const json_t *rules)
{
	const json_t *rule;
	size_t i;

	json_array_foreach (rules, i, rule)
		if (json_object_get(rule, "until"))
			return true;
	return false;
}

static int print_rules(const json_t *rules, bool header)
{
	_cleanup_(free_table) struct table *table = NULL;
	const json_t *rule;
	size_t i;
	int r = table_new(rule_columns, RULE_COLUMNS - !some_end(rules), &table);

	json_array_foreach (rules, i, rule) {
		char hooks[RECORD_TEXT], hits[RECORD_TEXT], line[RECORD_TEXT];
		char place[PATH_MAX + RECORD_TEXT];
		const char *row[RULE_COLUMNS] = {
			record_string(rule, "name"),	 hooks,
			record_string(rule, "verdict"),	 record_string(rule, "mode"),
			record_text(rule, "hits", hits), place,
			record_string(rule, "until"),
		};

		if (r < 0)
			return r;
		join_words(json_object_get(rule, "hooks"), hooks, sizeof(hooks));
		snprintf(place, sizeof(place), "%s:%s", record_string(rule, "file"),
			 record_text(rule, "line", line));
		r = table_add(table, (__s64)i, 0, row);
	}
	if (r < 0)
		return r;
	putchar('\n');
	table_print(table, stdout, table_width(STDOUT_FILENO), header);
	return 0;
}

static int print_ways(const json_t *ways, bool header)
{
	_cleanup_(free_table) struct table *table = NULL;
	const json_t *way;
	size_t i;
	int r = table_new(way_columns, WAY_COLUMNS, &table);

	json_array_foreach (ways, i, way) {
		const char *row[WAY_COLUMNS] = {
			record_string(way, "hook"),
			record_string(way, "attach"),
			record_string(way, "status"),
			record_string(way, "sees"),
		};

		if (r < 0)
			return r;
		r = table_add(table, (__s64)i, 0, row);
	}
	if (r < 0)
		return r;
	putchar('\n');
	table_print(table, stdout, table_width(STDOUT_FILENO), header);
	return 0;
}

static void print_defaults(const json_t *list)
{
	const json_t *item;
	size_t i;

	json_array_foreach (list, i, item) {
		printf("default at %s: %s (%s)\n", record_string(item, "hook"),
		       record_string(item, "verdict"), record_string(item, "mode"));
	}
}

static int print_policy(json_t *policy, bool header)
{
	const char *ends = record_string(policy, "trial_ends");
	const char *trouble = record_string(policy, "trouble");
	int r;

	if (trouble)
		command_error("%s", trouble);
	if (!json_is_true(json_object_get(policy, "loaded"))) {
		printf("no policy is loaded\n");
		return 0;
	}
	printf("mode %s, %zu rules, since %s\n", record_string(policy, "mode"),
	       json_array_size(json_object_get(policy, "rules")), record_string(policy, "since"));
	if (ends)
		printf("on trial until %s: 'flowner policy confirm' keeps it\n", ends);
	print_defaults(json_object_get(policy, "defaults"));
	r = print_rules(json_object_get(policy, "rules"), header);
	if (!r)
		r = print_ways(json_object_get(policy, "ways"), header);
	policy_tell_unresolved(json_object_get(policy, "unresolved"));
	return r;
}

static int run_show(struct options *o)
{
	return command_ask_object(o, "/v1/policy", "the policy", print_policy);
}

const struct command command_policy_show = {
	.name = "policy show",
	.arguments = "",
	.help = "Show the policy in force, how often each rule has matched, and where it judges.",
	.run = run_show,
};
