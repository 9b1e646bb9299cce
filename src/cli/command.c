/* SPDX-License-Identifier: BSD-2-Clause */
/* From negative errno and HTTP status to exit codes and to the one line each failure gets. */
#include "cli/command.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/cleanup.h"
#include "cli/client.h"
#include "cli/options.h"
#include "text/printable.h"

#define WHY_TEXT 4608 /* a path, and words around it */

/* Reason of the first failed write: stdio only remembers that there was one. */
static int output_error;

/* NULL when there is no memory. Caller frees. */
static char *safe_text(const char *format, va_list ap)
{
	_free_ char *text = NULL;
	char *safe;
	int n = vasprintf(&text, format, ap);

	if (n < 0) {
		text = NULL;
		return NULL;
	}
	safe = malloc(PRINTABLE_ROOM((size_t)n));
	if (safe)
		printable(text, safe);
	return safe;
}

void command_error(const char *format, ...)
{
	_free_ char *safe = NULL;
	va_list ap;

	va_start(ap, format);
	safe = safe_text(format, ap);
	va_end(ap);
	if (safe)
		fprintf(stderr, "flowner: %s\n", safe);
}

void command_line(const char *format, ...)
{
	_free_ char *safe = NULL;
	va_list ap;

	va_start(ap, format);
	safe = safe_text(format, ap);
	va_end(ap);
	if (safe)
		puts(safe);
}

int command_usage(const char *command, const char *sentence)
{
	command_error("%s: try 'flowner %s%s--help'", sentence, command, *command ? " " : "");
	return EXIT_USAGE;
}

int command_main(const struct command *cmd, struct options *o, int argc, char **argv)
{
	int r = options_parse(o, cmd, false, argc, argv);

	output_error = 0;
	if (r == -EINVAL)
		return command_usage(cmd->name, o->why);
	if (r < 0) {
		command_error("cannot read the options: %s", strerror(-r));
		return EXIT_REFUSED;
	}
	if (o->help) {
		options_help(cmd, stdout);
		return command_end(EXIT_FOUND);
	}
	return command_end(cmd->run(o));
}

/* What came of asking, in words around the socket's path, and the exit code for it. */
static const struct failure {
	int error;
	int status;
	const char *before, *after; /* AFTER NULL: one can be started there */
} failures[] = {
	{ ENOENT, EXIT_NO_DAEMON, "no daemon at", NULL },
	{ ENOTDIR, EXIT_NO_DAEMON, "no daemon at", NULL },
	{ ECONNREFUSED, EXIT_NO_DAEMON, "no daemon at", NULL },
	{ ECONNRESET, EXIT_NO_DAEMON, "the daemon at", " went away in the middle of its answer" },
	{ ETIMEDOUT, EXIT_NO_DAEMON, "the daemon at", " does not answer" },
	{ ENAMETOOLONG, EXIT_USAGE, "cannot connect to", ": the path is too long for a socket" },
	{ EPROTO, EXIT_REFUSED, "what answers at",
	  " is no flowner daemon: not HTTP as it speaks it" },
	{ EMSGSIZE, EXIT_REFUSED, "what answers at", " is no flowner daemon: an endless line" },
};

#define FAILURES (sizeof(failures) / sizeof(failures[0]))

static const struct failure *failure_of(int r)
{
	for (size_t i = 0; i < FAILURES; i++)
		if (failures[i].error == -r)
			return &failures[i];
	return NULL;
}

void command_why(int r, const char *socket, char *why, size_t size)
{
	const struct failure *f = failure_of(r);

	if (f)
		snprintf(why, size, "%s '%s'%s", f->before, socket, f->after ? f->after : "");
	else
		snprintf(why, size, "cannot connect to '%s': %s", socket,
			 strerror(r < 0 ? -r : ENOMEM));
}

static void print_no_daemon(const char *socket, const char *why)
{
	if (strcmp(socket, CLIENT_SOCKET) == 0)
		command_error("%s: start it with 'sudo systemctl start flowner' or 'sudo flownerd'",
			      why);
	else
		command_error("%s: start it with 'sudo flownerd --socket %s'", why, socket);
}

/* R is what client_get() failed with. */
static int explain_failure(const char *socket, int r)
{
	const struct failure *f = failure_of(r);
	char why[WHY_TEXT];

	command_why(r, socket, why, sizeof(why));
	if (f && !f->after)
		print_no_daemon(socket, why);
	else
		command_error("%s", why);
	return f ? f->status : EXIT_REFUSED;
}

static int explain_status(const struct client_answer *answer)
{
	if (answer->status == 200)
		return EXIT_FOUND;
	if (*answer->sentence)
		command_error("%s", answer->sentence);
	else
		command_error("the daemon answered with HTTP status %d", answer->status);
	switch (answer->status) {
	case 404:
		return EXIT_NOT_FOUND;
	case 400:
		return EXIT_USAGE;
	default:
		return EXIT_REFUSED;
	}
}

static int ask(const struct client_request *request, response_line_fn fn, void *arg)
{
	struct client_answer answer = { 0 };
	int r = client_get(request, fn, arg, &answer);

	if (r > 0)
		return r == LINE_DONE ? EXIT_FOUND : EXIT_REFUSED;
	if (r < 0)
		return explain_failure(request->socket, r);
	if (request->method && answer.status == 204)
		return EXIT_FOUND;
	return explain_status(&answer);
}

/* REQUEST, to be sent to PATH?QUERY. */
static int ask_at(const struct options *o, struct client_request *request, const char *path,
		  const char *query, response_line_fn fn, void *arg)
{
	_free_ char *target = NULL;

	if (asprintf(&target, "%s%s%s", path, query ? "?" : "", query ? query : "") < 0) {
		target = NULL;
		return explain_failure(o->socket, -ENOMEM);
	}
	request->socket = o->socket;
	request->target = target;
	return ask(request, fn, arg);
}

int command_send(const struct options *o, const char *method, const char *path, const char *query,
		 const void *body, size_t size, response_line_fn fn, void *arg)
{
	struct client_request request = {
		.method = method,
		.body = body,
		.body_size = size,
		.wait_ms = CLIENT_CHANGE_MS,
		.idle_ms = CLIENT_WAIT_MS,
	};

	return ask_at(o, &request, path, query, fn, arg);
}

int command_tell(const struct options *o, const char *method, const char *path, response_line_fn fn,
		 void *arg)
{
	return command_send(o, method, path, NULL, NULL, 0, fn, arg);
}

static int ignore_line(const char *line, size_t len, void *arg)
{
	(void)line;
	(void)len;
	(void)arg;
	return LINE_MORE;
}

int command_order(const struct options *o, const char *method, const char *path)
{
	return command_tell(o, method, path, ignore_line, NULL);
}

int command_ask(const struct options *o, const char *path, const char *query, int idle_ms,
		response_line_fn fn, void *arg)
{
	struct client_request request = { .wait_ms = CLIENT_WAIT_MS, .idle_ms = idle_ms };

	return ask_at(o, &request, path, query, fn, arg);
}

int command_ask_records(const struct options *o, const char *path, const char *query,
			response_line_fn fn, void *arg)
{
	struct client_request request = { .records = true,
					  .wait_ms = CLIENT_WAIT_MS,
					  .idle_ms = CLIENT_WAIT_MS };

	return ask_at(o, &request, path, query, fn, arg);
}

json_t *command_json(const char *line, size_t len)
{
	json_error_t error;
	json_t *json = json_loadb(line, len, 0, &error);

	if (!json) {
		command_error("the daemon sent what is not JSON: %s", error.text);
		return NULL;
	}
	if (!json_is_object(json)) {
		command_error("the daemon sent JSON that is not an object");
		json_decref(json);
		return NULL;
	}
	return json;
}

struct showing {
	const struct options *options;
	const char *what;
	int (*show)(json_t *object, bool header);
};

static int show_line(const char *line, size_t len, void *arg)
{
	const struct showing *s = arg;
	json_t *object;
	int r;

	if (len == 0)
		return LINE_MORE;
	if (s->options->json)
		return command_pass(line, len);
	object = command_json(line, len);
	if (!object)
		return LINE_FAILED;
	r = s->show(object, !s->options->no_header);
	json_decref(object);
	if (r < 0)
		command_error("cannot show %s: %s", s->what, strerror(-r));
	return r < 0 ? LINE_FAILED : LINE_MORE;
}

int command_ask_object(const struct options *o, const char *path, const char *what,
		       int (*show)(json_t *object, bool header))
{
	struct showing s = { .options = o, .what = what, .show = show };

	return command_ask(o, path, NULL, CLIENT_WAIT_MS, show_line, &s);
}

int command_pass(const char *line, size_t len)
{
	if (fwrite(line, 1, len, stdout) == len && putc('\n', stdout) != EOF)
		return LINE_MORE;
	if (!output_error)
		output_error = errno;
	return LINE_DONE;
}

int command_flush(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return LINE_MORE;
	if (!output_error)
		output_error = errno;
	return LINE_DONE;
}

int command_end(int code)
{
	if (command_flush() == LINE_MORE || output_error == EPIPE)
		return code;
	command_error("cannot write to the standard output: %s",
		      strerror(output_error ? output_error : EIO));
	return EXIT_REFUSED;
}
