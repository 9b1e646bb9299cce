/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What every subcommand of `flowner` is and shares: its row of the table, the exit codes, asking
 * the daemon, and the words for what went wrong. Only this module and flowner.c talk to stderr.
 */
#ifndef FLOWNER_COMMAND_H
#define FLOWNER_COMMAND_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "flow/filter.h"
#include "text/response.h"

struct options;

enum exit_code {
	EXIT_FOUND = 0, /* or done */
	EXIT_NOT_FOUND = 1,
	EXIT_USAGE = 2,
	EXIT_NO_DAEMON = 3,
	EXIT_REFUSED = 4, /* not permitted, or it failed */
};

struct command {
	const char *name;
	const char *arguments;		    /* as in the usage line, without the options */
	const char *help;		    /* one line */
	const struct filter_field *options; /* its own, ended by a NULL name; NULL = none */
	bool filters;		       /* takes filter_fields[] too, its arguments are `addr` */
	const char *const *no_filters; /* but not these, ended by NULL; NULL = all of them */
	const char *const *no_globals; /* of options_global, what it only refuses; as above */
	int min_args;
	int max_args;			    /* -1 = any number */
	int (*run)(struct options *o);	    /* returns an exit code */
	const struct command *const *verbs; /* instead of the rest: ended by NULL, each named
					     * "COMMAND VERB", those of flowner "COMMAND" */
};

extern const struct command command_flowner; /* its verbs are all commands */
extern const struct command command_list;
extern const struct command command_who;
extern const struct command command_show;
extern const struct command command_watch;
extern const struct command command_top;
extern const struct command command_abort;
extern const struct command command_policy;
extern const struct command command_doctor;
extern const struct command command_stats;
extern const struct command command_metrics;

/* What a function for the lines of an answer returns. */
enum line_verdict {
	LINE_MORE = 0,
	LINE_DONE = 1,	 /* enough seen, or nobody reads our output any more */
	LINE_FAILED = 2, /* and a line on stderr said why */
};

/* Parses ARGV (ARGV[0] is the name of the command) into O, runs, ends the output: an exit code. */
int command_main(const struct command *cmd, struct options *o, int argc, char **argv);

/* `flowner: SENTENCE` on stderr, made safe for a terminal. */
void command_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A line of an answer on stdout, made safe likewise: what others have named is in it. */
void command_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* As command_error(), with the way to the help of COMMAND ("" = flowner's); returns EXIT_USAGE. */
int command_usage(const char *command, const char *sentence);

/* One sentence about R, what client_get() or job.h failed with. */
void command_why(int r, const char *socket, char *why, size_t size);

/*
 * GETs PATH?QUERY (QUERY may be NULL), the lines to FN. An exit code: EXIT_FOUND when the answer
 * was complete or FN had enough. IDLE_MS as in client.h.
 */
int command_ask(const struct options *o, const char *path, const char *query, int idle_ms,
		response_line_fn fn, void *arg);

/* The same for records of wire.h: FN gets their bytes in pieces, see intake.h. */
int command_ask_records(const struct options *o, const char *path, const char *query,
			response_line_fn fn, void *arg);

/* The same for what changes something: METHOD on PATH. */
int command_tell(const struct options *o, const char *method, const char *path, response_line_fn fn,
		 void *arg);

/* The same where all there is to know of the answer is whether it was done. */
int command_order(const struct options *o, const char *method, const char *path);

/* METHOD on PATH?QUERY (may be NULL) with a body, which stays the caller's. */
int command_send(const struct options *o, const char *method, const char *path, const char *query,
		 const void *body, size_t size, response_line_fn fn, void *arg);

/* LINE is a JSON object: a new reference, or NULL and a line on stderr. */
json_t *command_json(const char *line, size_t len);

/*
 * GETs PATH, whose answer is one object: passed on with --json, else SHOWn (negative errno; HEADER:
 * titles over tables). WHAT it is called when that fails.
 */
int command_ask_object(const struct options *o, const char *path, const char *what,
		       int (*show)(json_t *object, bool header));

/* Copies LINE and a newline to stdout. LINE_DONE when stdout takes no more: command_end() says why.
 */
int command_pass(const char *line, size_t len);
int command_flush(void); /* the same for what stdout still holds */

/* Flushes stdout. CODE, or EXIT_REFUSED after a line on stderr; a reader that left is no error. */
int command_end(int code);

#endif
