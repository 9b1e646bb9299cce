/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `flowner policy`, and those of its verbs that neither ask a daemon nor need to be root: what is
 * wrong with a policy, and what it would say.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "text/address.h"
#include "text/cleanup.h"
#include "cli/cmd_policy.h"
#include "cli/options.h"
#include "policy/attempt.h"
#include "policy/policy.h"
#include "policy/policyjson.h"
#include "policy/rehearse.h"
#include "policy/resolve.h"

static void free_policy(struct policy **policy)
{
	policy_free(*policy);
}

/* --- files --- */

struct paths {
	char **items;
	size_t count;
};

static void free_paths(struct paths *paths)
{
	policy_files_free(paths->items);
}

static int paths_add(struct paths *paths, const char *path)
{
	char **grown = reallocarray(paths->items, paths->count + 2, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	paths->items = grown;
	grown[paths->count + 1] = NULL;
	grown[paths->count] = strdup(path);
	if (!grown[paths->count])
		return -ENOMEM;
	paths->count++;
	return 0;
}

static int paths_add_directory(struct paths *paths, const char *dir)
{
	_cleanup_(free_paths) struct paths below = { 0 };
	int r = policy_files(dir, &below.items, &below.count);

	for (size_t i = 0; !r && i < below.count; i++)
		r = paths_add(paths, below.items[i]);
	return r;
}

/* The files of ARGS; of a directory, those the daemon would take. */
static int find_files(char *const *args, int count, struct paths *paths, struct policy_error *error)
{
	int r = 0;

	for (int i = 0; !r && i < count; i++) {
		struct stat st;

		if (stat(args[i], &st) == 0 && S_ISDIR(st.st_mode))
			r = paths_add_directory(paths, args[i]);
		else
			r = paths_add(paths, args[i]);
		if (r)
			snprintf(error->why, sizeof(error->why), "cannot read '%.400s': %s",
				 args[i], strerror(-r));
	}
	return r;
}

/* Also that the people it names are there. */
static int read_policy(char *const *args, int count, struct policy **ret_policy,
		       struct policy_error *error)
{
	_cleanup_(free_paths) struct paths paths = { 0 };
	int r;

	*error = (struct policy_error){ 0 };
	r = find_files(args, count, &paths, error);
	if (r)
		return r;
	r = policy_read((const char *const *)paths.items, paths.count, ret_policy, error);
	/* the names in it are those of the list */
	if (r && error->place.file) {
		static char name[4096];

		snprintf(name, sizeof(name), "%s", error->place.file);
		error->place.file = name;
	}
	return r ? r : resolve_people(*ret_policy, error);
}

/* --- check --- */

static void print_json(json_t *object)
{
	json_dumpf(object, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(object);
}

/* WRONG when the policy is, EXIT_REFUSED when it could not be read. */
static int tell_error(const struct options *o, const struct policy_error *error, int r, int wrong)
{
	char line[4096 + sizeof(error->why)];

	if (o->json)
		print_json(policyjson_invalid(error));
	else if (*error->why)
		command_error("%s", policy_error_format(error, line, sizeof(line)));
	return r == -EINVAL || r == -E2BIG ? wrong : EXIT_REFUSED;
}

static void print_valid(const struct options *o, const struct policy *policy)
{
	size_t enforced = 0;
	const char *before = ", hooks ";

	if (o->json) {
		print_json(policyjson_valid(policy));
		return;
	}
	for (size_t i = 0; i < policy->rule_count; i++)
		enforced += policy->rules[i].enforced;
	printf("valid: %zu rules, %zu of them enforced, the others in audit", policy->rule_count,
	       enforced);
	for (enum fl_hook hook = 0; hook < FL_HOOKS; hook++) {
		if (!(policy->hooks >> hook & 1))
			continue;
		printf("%s%s", before, policy_hook_text(hook));
		before = " ";
	}
	putchar('\n');
}

static int run_check(struct options *o)
{
	_cleanup_(free_policy) struct policy *policy = NULL;
	struct policy_error error;
	int r;

	r = read_policy(o->args, o->arg_count, &policy, &error);
	if (r)
		return tell_error(o, &error, r, EXIT_NOT_FOUND);
	print_valid(o, policy);
	return EXIT_FOUND;
}

const struct command command_policy_check = {
	.name = "policy check",
	.arguments = "FILE...",
	.help = "Say whether a policy is valid, without a daemon. Status 1: it is not.",
	.min_args = 1,
	.max_args = -1,
	.run = run_check,
};

/* --- test --- */

static const char *given(const void *arg, const char *name)
{
	return options_own(arg, name);
}

static void print_rule(const char *label, const struct policy *policy, enum fl_hook hook,
		       const struct policy_rule *rule)
{
	const struct policy_place *by_default = &policy->default_places[hook];

	if (rule)
		command_line("%-12s %s (%s:%zu)", label, rule->name, rule->place.file,
			     rule->place.line);
	else if (by_default->line)
		command_line("%-12s none; the default of %s (%s:%zu)", label,
			     policy_hook_text(hook), by_default->file, by_default->line);
	else
		command_line("%-12s none; what no rule is for may proceed", label);
}

static void print_effect(const char *label, const struct rehearsal *attempt,
			 const struct policy_rule *rule, enum fl_verdict verdict)
{
	const struct rehearsed_effect e = rehearse_outcome(attempt, rule, verdict);
	char to[ENDPOINT_TEXT] = "";

	if (rule && rule->flags & FL_RULE_REDIRECT)
		policy_target_text(&rule->to, to);
	printf("%-12s %s%s%s\n", label, policy_outcome_text(rule, verdict), *to ? " to " : "", to);
	printf("  application: %s%s%s\n", e.application, e.error ? " with " : "",
	       e.error ? e.error : "");
	if (e.otherwise)
		printf("               (%s)\n", e.otherwise);
	printf("  peer:        %s\n", e.peer);
}

static void print_unknown(const struct rehearsed *said)
{
	const char *before = "not given:  ";

	for (enum policy_attribute a = 0; a < POLICY_ATTRIBUTES; a++) {
		if (!(said->unknown >> a & 1))
			continue;
		printf("%s %s", before, policy_attribute_text(a));
		before = ",";
	}
	if (said->unknown)
		printf(" - taken for what restricts more\n");
}

static void print_said(const struct policy *policy, const struct rehearsal *attempt,
		       const struct rehearsed *said)
{
	print_rule("rule:", policy, attempt->hook, said->rule);
	if (said->audited)
		print_rule("in audit:", policy, attempt->hook, said->audited);
	print_unknown(said);
	print_effect("as it is:", attempt, said->rule, said->verdict);
	if (said->first != said->rule)
		print_rule("enforced:", policy, attempt->hook, said->first);
	print_effect("if enforced:", attempt, said->first, said->strict);
}

static int run_test(struct options *o)
{
	_cleanup_(free_policy) struct policy *policy = NULL;
	struct rehearsal attempt = { 0 };
	struct rehearsed said;
	struct policy_error error;
	int r;

	if (attempt_read(given, o, "--", &attempt, o->why))
		return command_usage("policy test", o->why);
	r = read_policy(o->args, o->arg_count, &policy, &error);
	if (r)
		return tell_error(o, &error, r, EXIT_REFUSED);
	r = rehearse(policy, &attempt, &said, &error);
	if (r == -EINVAL)
		return command_usage("policy test", error.why);
	if (r)
		return tell_error(o, &error, r, EXIT_REFUSED);
	if (o->json)
		print_json(policyjson_rehearsed(&attempt, &said));
	else
		print_said(policy, &attempt, &said);
	return said.verdict == FL_REJECT ? EXIT_NOT_FOUND : EXIT_FOUND;
}

const struct command command_policy_test = {
	.name = "policy test",
	.arguments = "--hook HOOK FILE...",
	.help = "What a policy would say to an attempt, and who would see what. Status 1: "
		"rejected.",
	.options = attempt_fields,
	.min_args = 1,
	.max_args = -1,
	.run = run_test,
};

/* --- */

static const struct command *const verbs[] = {
	&command_policy_check, &command_policy_test,   &command_policy_load,
	&command_policy_add,   &command_policy_delete, &command_policy_confirm,
	&command_policy_show,  &command_policy_clear,  NULL,
};

const struct command command_policy = {
	.name = "policy",
	.arguments = "VERB [ARGUMENTS]",
	.help = "Say which sessions may be: check a policy, load it, try it, show what it does.",
	.max_args = -1,
	.verbs = verbs,
};
