/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The verbs that change which policy is in force, all of it. One is put in force first and saved
 * then: what is saved has been accepted. It is saved as a whole: the directory with it takes the
 * place of the one that was there, which stays beside it under another name.
 */
#include "cli/cmd_policy.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "text/cleanup.h"
#include "cli/client.h"
#include "cli/options.h"
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

/* PATH's text goes to the end of the body, and what it is called into the query. */
static int add_file(struct load *l, const char *path)
{
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

/* --- save --- */

static int write_all(int fd, const char *text, size_t size)
{
	while (size) {
		ssize_t n = write(fd, text, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		size -= (size_t)n;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

/* NUMBER, not 0 where there are several, keeps their order; files of one name do not meet. */
static int save_file(int dir, const char *from, int number)
{
	char order[16] = "";
	const char *base = strrchr(from, '/');
	_free_ char *text = NULL;
	_close_ int fd = -1;
	char name[NAME_MAX + 1];
	size_t size;
	int r = textfile_read(from, POLICY_BYTES_MAX, &text, &size);

	if (r < 0)
		return r;
	base = base ? base + 1 : from;
	if (number)
		snprintf(order, sizeof(order), "%02d-", number);
	snprintf(name, sizeof(name), "%s%.200s%s", order, base,
		 strlen(base) > 5 && !strcmp(base + strlen(base) - 5, ".yaml") ? "" : ".yaml");
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : write_all(fd, text, size);
}

static int save_files(const char *path, const struct options *o)
{
	_close_ int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = dir < 0 ? -errno : 0;

	for (int i = 0; !r && i < o->arg_count; i++)
		r = save_file(dir, o->args[i], o->arg_count > 1 ? i + 1 : 0);
	return r ? r : fsync(dir) < 0 ? -errno : 0;
}

/* One step for whoever reads DIR: it has all of the old policy, or all of the new one. */
static int take_place(const char *dir, const char *next)
{
	_free_ char *old = NULL;

	if (renameat2(AT_FDCWD, next, AT_FDCWD, dir, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EEXIST && errno != ENOTEMPTY)
		return -errno;
	if (renameat2(AT_FDCWD, next, AT_FDCWD, dir, RENAME_EXCHANGE) < 0)
		return -errno;
	if (asprintf(&old, "%s.%lld", dir, (long long)time(NULL)) < 0) {
		old = NULL;
		return -ENOMEM;
	}
	if (rename(next, old) < 0)
		return -errno;
	printf("what was saved before is in '%s'\n", old);
	return 0;
}

static int save(const struct options *o, const char *dir)
{
	_free_ char *next = NULL;
	int r;

	if (asprintf(&next, "%s.XXXXXX", dir) < 0) {
		next = NULL;
		return refuse_memory();
	}
	r = mkdtemp(next) ? save_files(next, o) : -errno;
	if (!r)
		r = take_place(dir, next);
	if (r < 0) {
		command_error("the policy is in force, but cannot be saved at '%s': %s", dir,
			      strerror(-r));
		return EXIT_REFUSED;
	}
	printf("saved at '%s'\n", dir);
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
		code = add_file(&l, o->args[i]);
	if (code == EXIT_FOUND)
		code = command_send(o, "PUT", "/v1/policy", l.query, l.body, l.size, on_loaded, &l);
	if (code != EXIT_FOUND || !options_own(o, "save"))
		return code;
	return save(o, l.dir ? l.dir : POLICY_DIR);
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
