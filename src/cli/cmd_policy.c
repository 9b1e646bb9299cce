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
#include "policy/policy.h"
#include "policy/rehearse.h"
#include "policy/resolve.h"
#include "text/utf8.h"

static const struct filter_field options[] = {
	{ .name = "hook",
	  .value = "HOOK",
	  .help = "bind, listen, connect, connect_authorization, recv_accept" },
	{ .name = "proto", .value = "PROTO", .help = "tcp (if not said) or udp" },
	{ .name = "local", .value = "ADDR:PORT", .help = "near end; also only :PORT or ADDR" },
	{ .name = "remote", .value = "ADDR:PORT", .help = "far end" },
	{ .name = "exe", .value = "PATH", .help = "executable of the process" },
	{ .name = "parent", .value = "PATH", .help = "executable of its parent" },
	{ .name = "user", .value = "NAME", .help = "effective user" },
	{ .name = "uid", .value = "NUMBER", .help = "the same by number" },
	{ .name = "group", .value = "NAME", .help = "effective group" },
	{ .name = "cgroup",
	  .value = "PATH",
	  .help = "below the cgroup2 mount; tells unit and "
		  "container too" },
	{ .name = "unit", .value = "NAME", .help = "systemd unit" },
	{ .name = "container", .value = "ID", .help = "id or name of a container" },
	{ .name = "netns", .value = "NAME", .help = "network namespace" },
	{ .name = "interface", .value = "NAME", .help = "network interface" },
	{ .name = "interface-type", .value = "TYPE", .help = "IANA's ifType, word or number" },
	{ .name = "tunnel-type", .value = "TYPE", .help = "IANA's tunnelType, word or number" },
	{ .name = "port-in-use-by-other",
	  .value = "BOOL",
	  .help = "at listen: another process listens there" },
	{ .name = "process-listeners",
	  .value = "N",
	  .help = "at listen: so many listeners has the process already" },
	{ .name = "user-listeners", .value = "N", .help = "the same of the user" },
	{ .name = "cgroup-listeners", .value = "N", .help = "the same of the cgroup" },
	{ .name = "exe-listeners", .value = "N", .help = "the same of the executable" },
	{ .name = NULL },
};

/* Of the attempt's options that are one word. */
static const struct {
	const char *option;
	enum policy_attribute attribute;
} words[] = {
	{ "exe", POLICY_EXE },
	{ "parent", POLICY_PARENT },
	{ "user", POLICY_USER },
	{ "uid", POLICY_UID },
	{ "group", POLICY_GROUP },
	{ "cgroup", POLICY_CGROUP },
	{ "unit", POLICY_UNIT },
	{ "container", POLICY_CONTAINER },
	{ "netns", POLICY_NETNS },
	{ "interface", POLICY_INTERFACE },
	{ "interface-type", POLICY_INTERFACE_TYPE },
	{ "tunnel-type", POLICY_TUNNEL_TYPE },
	{ "port-in-use-by-other", POLICY_PORT_IN_USE },
	{ "process-listeners", POLICY_LIMIT },
	{ "user-listeners", POLICY_LIMIT_USER },
	{ "cgroup-listeners", POLICY_LIMIT_CGROUP },
	{ "exe-listeners", POLICY_LIMIT_EXE },
};

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

/* TEXT may be the name of a file, or words cut short: bytes that are no character, too. */
static json_t *json_text(const char *text)
{
	_free_ char *clean = NULL;
	size_t size;

	if (!text || utf8_clean(text, strlen(text), &clean, &size) < 0)
		return json_null();
	return json_stringn(clean, size);
}

static json_t *json_place(const struct policy_place *place)
{
	return json_pack("{s:o, s:I, s:I}", "file", json_text(place->file), "line",
			 (json_int_t)place->line, "column", (json_int_t)place->column);
}

static json_t *json_hooks(__u32 hooks)
{
	json_t *list = json_array();

	for (enum fl_hook hook = 0; hook < FL_HOOKS; hook++) {
		if (hooks >> hook & 1)
			json_array_append_new(list, json_string(policy_hook_text(hook)));
	}
	return list;
}

/* WRONG when the policy is, EXIT_REFUSED when it could not be read. */
static int tell_error(const struct options *o, const struct policy_error *error, int r, int wrong)
{
	char line[4096 + sizeof(error->why)];

	if (o->json)
		print_json(json_pack("{s:b, s:o, s:o}", "valid", 0, "error", json_text(error->why),
				     "place", json_place(&error->place)));
	else if (*error->why)
		command_error("%s", policy_error_format(error, line, sizeof(line)));
	return r == -EINVAL || r == -E2BIG ? wrong : EXIT_REFUSED;
}

static void print_valid(const struct options *o, const struct policy *policy)
{
	size_t enforced = 0;
	const char *before = ", hooks ";

	for (size_t i = 0; i < policy->rule_count; i++)
		enforced += policy->rules[i].enforced;
	if (o->json) {
		print_json(json_pack("{s:b, s:I, s:I, s:o}", "valid", 1, "rules",
				     (json_int_t)policy->rule_count, "enforced",
				     (json_int_t)enforced, "hooks", json_hooks(policy->hooks)));
		return;
	}
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

/* --- test: the attempt --- */

static int wrong_option(struct options *o, const char *option, const char *value)
{
	snprintf(o->why, sizeof(o->why), "'%.128s' is not what '--%s' takes", value, option);
	return -EINVAL;
}

/* ":0" is a port too, one that the kernel is to choose, though no filter would ask for it. */
static int read_endpoint(struct options *o, const char *option, struct endpoint *ret_endpoint)
{
	const char *text = options_own(o, option);
	struct endpoint ep = { 0 };
	char without[128];
	size_t len;

	if (!text)
		return 0;
	len = strlen(text);
	if (len > 2 && len < sizeof(without) && strcmp(text + len - 2, ":0") == 0) {
		snprintf(without, sizeof(without), "%.*s:1", (int)len - 2, text);
		if (endpoint_parse(without, &ep) || !ep.has_port)
			return wrong_option(o, option, text);
		ep.port = 0;
	} else if (endpoint_parse(text, &ep)) {
		return wrong_option(o, option, text);
	}
	if (ep.has_addr && ep.prefix != 128)
		return wrong_option(o, option, text);
	*ret_endpoint = ep;
	return 0;
}

static int read_attempt(struct options *o, struct rehearsal *attempt)
{
	const char *hook = options_own(o, "hook"), *proto = options_own(o, "proto");

	if (!hook) {
		snprintf(o->why, sizeof(o->why), "'test' needs '--hook'");
		return -EINVAL;
	}
	if (policy_hook_parse(hook, &attempt->hook))
		return wrong_option(o, "hook", hook);
	if (proto && strcmp(proto, "tcp") != 0 && strcmp(proto, "udp") != 0)
		return wrong_option(o, "proto", proto);
	attempt->udp = proto && *proto == 'u';
	if (attempt->udp && attempt->hook == FL_HOOK_LISTEN)
		return wrong_option(o, "proto", "udp at listen");
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		attempt->words[words[i].attribute] = options_own(o, words[i].option);
	if (read_endpoint(o, "local", &attempt->local))
		return -EINVAL;
	return read_endpoint(o, "remote", &attempt->remote);
}

/* --- test: the answer --- */

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

/* RULE decides, if there is one. */
static struct rehearsed_effect effect_of(const struct rehearsal *attempt,
					 const struct policy_rule *rule, enum fl_verdict verdict)
{
	if (rule && rule->flags & FL_RULE_REDIRECT)
		return rehearse_redirect(attempt->hook, attempt->udp);
	return rehearse_effect(attempt->hook, attempt->udp, verdict,
			       rule && rule->flags & FL_RULE_OVERRIDE);
}

static void print_effect(const char *label, const struct rehearsal *attempt,
			 const struct policy_rule *rule, enum fl_verdict verdict)
{
	const struct rehearsed_effect e = effect_of(attempt, rule, verdict);
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

static json_t *json_rule(const struct policy_rule *rule)
{
	if (!rule)
		return json_null();
	return json_pack("{s:s, s:o, s:I, s:b}", "name", rule->name, "file",
			 json_text(rule->place.file), "line", (json_int_t)rule->place.line,
			 "enforced", rule->enforced);
}

static json_t *json_effect(const struct rehearsal *attempt, const struct policy_rule *rule,
			   enum fl_verdict verdict)
{
	const struct rehearsed_effect e = effect_of(attempt, rule, verdict);
	bool redirects = rule && rule->flags & FL_RULE_REDIRECT;
	char to[ENDPOINT_TEXT];

	return json_pack("{s:o, s:s, s:s*, s:s, s:s?, s:s?, s:s}", "rule", json_rule(rule),
			 "verdict", policy_outcome_text(rule, verdict), "to",
			 redirects ? policy_target_text(&rule->to, to) : NULL, "application",
			 e.application, "error", e.error, "otherwise", e.otherwise, "peer", e.peer);
}

static json_t *json_unknown(const struct rehearsed *said)
{
	json_t *list = json_array();

	for (enum policy_attribute a = 0; a < POLICY_ATTRIBUTES; a++) {
		if (said->unknown >> a & 1)
			json_array_append_new(list, json_string(policy_attribute_text(a)));
	}
	return list;
}

static int run_test(struct options *o)
{
	_cleanup_(free_policy) struct policy *policy = NULL;
	struct rehearsal attempt = { 0 };
	struct rehearsed said;
	struct policy_error error;
	int r;

	if (read_attempt(o, &attempt))
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
		print_json(json_pack("{s:s, s:o, s:o, s:o, s:o}", "hook",
				     policy_hook_text(attempt.hook), "as_it_is",
				     json_effect(&attempt, said.rule, said.verdict), "if_enforced",
				     json_effect(&attempt, said.first, said.strict), "audited",
				     json_rule(said.audited), "not_given", json_unknown(&said)));
	else
		print_said(policy, &attempt, &said);
	return said.verdict == FL_REJECT ? EXIT_NOT_FOUND : EXIT_FOUND;
}

const struct command command_policy_test = {
	.name = "policy test",
	.arguments = "--hook HOOK FILE...",
	.help = "What a policy would say to an attempt, and who would see what. Status 1: "
		"rejected.",
	.options = options,
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
