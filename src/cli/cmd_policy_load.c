/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The verbs that change which policy is in force, all of it. One is put in force first and saved
 * then, the same bytes: what is saved has been accepted.
 */
#include "cli/cmd_policy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/cleanup.h"
#include "cli/client.h"
#include "cli/options.h"
#include "cli/policysave.h"
#include "policy/policy.h"
#include "cli/record.h"
#include "text/textfile.h"

#define FILES_MAX 48 /* parameters of one request, with room for the others */

/* --- load --- */

struct load {
	struct options *options;
	char *query;
	char *body;
	size_t size;
	size_t sizes[FILES_MAX]; /* of the files, one behind the other in BODY */
	bool cut;
	char *dir; /* of the daemon's policy */
};

static void load_release(struct load *l)
{
	free(l->query);
	free(l->body);
	free(l->dir);
}

static int refuse_memory(void)
{
	command_error("cannot load the policy: %s", strerror(ENOMEM));
	return EXIT_REFUSED;
}

/* The text of argument I goes to the end of the body, and what it is called into the query. */
static int add_file(struct load *l, int i)
{
	const char *path = l->options->args[i];
	_free_ char *text = NULL, *value = NULL;
	char *body;
	size_t size;
	int r = textfile_read(path, POLICY_BYTES_MAX, &text, &size);

	if (r < 0) {
		command_error("cannot read '%s': %s", path, strerror(-r));
		return EXIT_REFUSED;
	}
	body = realloc(l->body, l->size + size + 1);
	if (!body)
		return refuse_memory();
	l->body = body;
	memcpy(l->body + l->size, text, size);
	l->size += size;
	l->sizes[i] = size;
	if (asprintf(&value, "%zu:%s", size, path) < 0) {
		value = NULL;
		return refuse_memory();
	}
	return client_query(&l->query, "file", value) < 0 ? refuse_memory() : EXIT_FOUND;
}

static void tell_rejected(const json_t *answer, bool cut_them)
{
	json_int_t rejected = json_integer_value(json_object_get(answer, "rejected"));
	json_int_t cut = json_integer_value(json_object_get(answer, "cut"));
	json_int_t left = json_integer_value(json_object_get(answer, "left"));
	bool callers = json_is_true(json_object_get(answer, "callers"));

	if (!rejected)
		return;
	if (!cut_them)
		printf("%lld live listeners and sessions would not be let in now: they live on, "
		       "but for what connect_authorization rejects; --cut cuts them\n",
		       rejected);
	else
		printf("%lld live listeners and sessions cut, %lld left\n", cut, left);
	if (callers && !cut_them)
		command_error("your own session, or the listener you came in by, is one of them: "
			      "you may not get in again");
}

void policy_tell_outcome(const json_t *answer, bool cut)
{
	const char *mode = record_string(answer, "mode");
	const char *ends = record_string(answer, "trial_ends");

	if (mode)
		printf("%lld rules in force, mode %s\n",
		       json_integer_value(json_object_get(answer, "rules")), mode);
	else
		printf("no policy is in force any more\n");
	if (ends)
		printf("on trial until %s: 'flowner policy confirm' keeps it\n", ends);
	tell_rejected(answer, cut);
	policy_tell_unresolved(json_object_get(answer, "unresolved"));
}

static int on_loaded(const char *line, size_t len, void *arg)
{
	struct load *l = arg;
	json_t *answer;
	const char *dir;

	if (len == 0)
		return LINE_MORE;
	answer = command_json(line, len);
	if (!answer)
		return LINE_FAILED;
	dir = record_string(answer, "policy_dir");
	l->dir = dir ? strdup(dir) : NULL;
	if (l->options->json)
		command_pass(line, len);
	else
		policy_tell_outcome(answer, l->cut);
	json_decref(answer);
	return LINE_MORE;
}

static int save(const struct load *l, const char *dir)
{
	struct policysave_text texts[FILES_MAX];
	const struct options *o = l->options;
	_free_ char *before = NULL;
	const char *text = l->body;
	int r;

	for (int i = 0; i < o->arg_count; i++) {
		texts[i] = (struct policysave_text){ o->args[i], text, l->sizes[i] };
		text += l->sizes[i];
	}
	r = policysave(dir, texts, (size_t)o->arg_count, &before);
	if (r < 0) {
		command_error("the policy is in force, but cannot be saved at '%s': %s", dir,
			      strerror(-r));
		return EXIT_REFUSED;
	}
	if (o->json)
		return EXIT_FOUND;
	if (before)
		command_line("what was saved before is in '%s'", before);
	command_line("saved at '%s'", dir);
	return EXIT_FOUND;
}

static int read_orders(struct load *l)
{
	const struct options *o = l->options;
	const char *trial = options_own(o, "try");

	l->cut = options_own(o, "cut");
	if (trial && options_own(o, "save"))
		return command_usage("policy load",
				     "what is on trial is not saved: load it with --save when it "
				     "has proved itself");
	if (o->arg_count > FILES_MAX)
		return command_usage("policy load", "too many files");
	if ((trial && client_query(&l->query, "try", trial) < 0) ||
	    (l->cut && client_query(&l->query, "cut", "1") < 0) ||
	    (options_own(o, "force") && client_query(&l->query, "force", "1") < 0))
		return refuse_memory();
	return EXIT_FOUND;
}

static int run_load(struct options *o)
{
	_cleanup_(load_release) struct load l = { .options = o };
	int code = read_orders(&l);

	for (int i = 0; code == EXIT_FOUND && i < o->arg_count; i++)
		code = add_file(&l, i);
	if (code == EXIT_FOUND)
		code = command_send(o, "PUT", "/v1/policy", l.query, l.body, l.size, on_loaded, &l);
	if (code != EXIT_FOUND || !options_own(o, "save"))
		return code;
	return save(&l, l.dir ? l.dir : POLICY_DIR);
}

static const struct filter_field load_options[] = {
	{ .name = "try",
	  .value = "TIME",
	  .help = "go back to what was before after TIME, such as 60s, unless confirmed" },
	{ .name = "cut", .flag = true, .help = "cut what lives and would be rejected now" },
	{ .name = "force", .flag = true, .help = "cut your own session, too" },
	{ .name = "save", .flag = true, .help = "load it also when the daemon starts" },
	{ .name = NULL },
};

const struct command command_policy_load = {
	.name = "policy load",
	.arguments = "FILE...",
	.help = "Put a policy in force, all of it at once.",
	.options = load_options,
	.min_args = 1,
	.max_args = -1,
	.run = run_load,
};

/* --- confirm, clear --- */

static int run_confirm(struct options *o)
{
	return command_order(o, "POST", "/v1/policy/confirm");
}

const struct command command_policy_confirm = {
	.name = "policy confirm",
	.arguments = "",
	.help = "Keep the policy that is on trial.",
	.run = run_confirm,
};

static int run_clear(struct options *o)
{
	return command_order(o, "DELETE", "/v1/policy");
}

const struct command command_policy_clear = {
	.name = "policy clear",
	.arguments = "",
	.help = "Take the policy away: everything is let in again.",
	.run = run_clear,
};
