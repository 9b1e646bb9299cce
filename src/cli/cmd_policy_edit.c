/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The verbs that change the policy in force by a few rules: `flowner policy add` and `delete`. None
 * of it is saved: the files of the policy are what somebody wrote there.
 */
#include "cli/cmd_policy.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "text/cleanup.h"
#include "cli/client.h"
#include "cli/options.h"
#include "policy/policy.h"
#include "cli/record.h"
#include "text/textfile.h"

struct edit {
	const struct options *options;
	char *query;
	bool cut;
};

static void edit_release(struct edit *e)
{
	free(e->query);
}

static int refuse_memory(void)
{
	command_error("cannot change the policy: %s", strerror(ENOMEM));
	return EXIT_REFUSED;
}

static void tell_added(const json_t *answer)
{
	json_int_t added = json_integer_value(json_object_get(answer, "added"));
	json_int_t audited = json_integer_value(json_object_get(answer, "audited"));
	const char *until = record_string(answer, "until");

	if (!added)
		return;
	printf("%lld rules added before all others%s%s\n", added, until ? ", until " : "",
	       until ? until : "");
	if (audited)
		printf("%lld of them in audit: what they reject is told, and let in\n", audited);
}

static int on_edited(const char *line, size_t len, void *arg)
{
	const struct edit *e = arg;
	json_t *answer;

	if (len == 0)
		return LINE_MORE;
	if (e->options->json)
		return command_pass(line, len);
	answer = command_json(line, len);
	if (!answer)
		return LINE_FAILED;
	tell_added(answer);
	policy_tell_outcome(answer, e->cut);
	json_decref(answer);
	return LINE_MORE;
}

static int read_orders(struct edit *e)
{
	const char *time = options_own(e->options, "for");

	e->cut = options_own(e->options, "cut");
	if ((time && client_query(&e->query, "for", time) < 0) ||
	    (e->cut && client_query(&e->query, "cut", "1") < 0) ||
	    (options_own(e->options, "force") && client_query(&e->query, "force", "1") < 0))
		return refuse_memory();
	return EXIT_FOUND;
}

/* --- add --- */

static int name_file(struct edit *e, const char *name, size_t size)
{
	_free_ char *value = NULL;

	if (asprintf(&value, "%zu:%s", size, name) < 0) {
		value = NULL;
		return refuse_memory();
	}
	return client_query(&e->query, "file", value) < 0 ? refuse_memory() : EXIT_FOUND;
}

static int run_add(struct options *o)
{
	_cleanup_(edit_release) struct edit e = { .options = o };
	bool is_stdin = strcmp(o->args[0], "-") == 0;
	const char *name = is_stdin ? "stdin" : o->args[0];
	_free_ char *text = NULL;
	size_t size;
	int r, code;

	r = is_stdin ? textfile_read_fd(STDIN_FILENO, POLICY_BYTES_MAX, &text, &size)
		     : textfile_read(name, POLICY_BYTES_MAX, &text, &size);
	if (r < 0) {
		command_error("cannot read '%s': %s", name, strerror(-r));
		return EXIT_REFUSED;
	}
	if (!size) {
		command_error("%s: there is no rule in it", name);
		return EXIT_REFUSED;
	}
	code = read_orders(&e);
	if (code == EXIT_FOUND)
		code = name_file(&e, name, size);
	return code == EXIT_FOUND ? command_send(o, "POST", "/v1/policy/rules", e.query, text, size,
						 on_edited, &e)
				  : code;
}

static const struct filter_field add_options[] = {
	{ .name = "for", .value = "TIME", .help = "take them out again after TIME, such as 10m" },
	{ .name = "cut", .flag = true, .help = "cut what lives and they would reject" },
	{ .name = "force", .flag = true, .help = "cut your own session, too" },
	{ .name = NULL },
};

const struct command command_policy_add = {
	.name = "policy add",
	.arguments = "FILE|-",
	.help = "Put rules in force before those of the policy, which stay as they are.",
	.options = add_options,
	.min_args = 1,
	.max_args = 1,
	.run = run_add,
};

/* --- delete --- */

static int run_delete(struct options *o)
{
	_cleanup_(edit_release) struct edit e = { .options = o };
	_free_ char *word = client_word(o->args[0]), *path = NULL;
	int code = read_orders(&e);

	if (!*o->args[0])
		return command_usage("policy delete", "a rule's name is not empty");
	if (!word || asprintf(&path, "/v1/policy/rules/%s", word) < 0) {
		path = NULL;
		return refuse_memory();
	}
	return code == EXIT_FOUND ? command_send(o, "DELETE", path, e.query, NULL, 0, on_edited, &e)
				  : code;
}

static const struct filter_field delete_options[] = {
	{ .name = "cut", .flag = true, .help = "cut what lives and is rejected without it" },
	{ .name = "force", .flag = true, .help = "cut your own session, too" },
	{ .name = NULL },
};

const struct command command_policy_delete = {
	.name = "policy delete",
	.arguments = "NAME",
	.help = "Take one rule out of the policy; the others stay as they are.",
	.options = delete_options,
	.min_args = 1,
	.max_args = 1,
	.run = run_delete,
};
