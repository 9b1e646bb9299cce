/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The daemon as the command line sees it: one HTTP request over its unix socket, the answer line by
 * line, or record by record, as it comes. It prints nothing; the words for a failure are in
 * command.c.
 */
#ifndef FLOWNER_CLIENT_H
#define FLOWNER_CLIENT_H

#include <stdbool.h>

#include "text/response.h"

#define CLIENT_SOCKET "/run/flowner/flowner.sock"
#define CLIENT_WAIT_MS 30000
/* For what changes something: who gives up does not stop it, and does not hear how it went. */
#define CLIENT_CHANGE_MS 300000
#define CLIENT_ERROR_TEXT 512

struct client_request {
	const char *socket; /* path of the unix socket */
	const char *method; /* NULL = GET */
	const char *target; /* path and query, percent-encoded: see client_query() */
	const void *body;   /* NULL = none */
	size_t body_size;
	int wait_ms;  /* for the head of the answer, and for room to send; -1 = for ever */
	int idle_ms;  /* between two pieces of the body; -1 = for ever, for streams */
	bool records; /* of wire.h, not lines: FN gets their bytes in pieces, for intake.h */
};

struct client_answer {
	int status;			  /* 200, 404, ... */
	char sentence[CLIENT_ERROR_TEXT]; /* of the "error" in the body when STATUS is not 200, or
					     "" */
};

/*
 * 0: the daemon answered, see RET_ANSWER; FN got the lines of a body with status 200. Positive:
 * what FN returned to stop. -ENOENT, -ENOTDIR, -ECONNREFUSED nobody listens; -EACCES, -EPERM not
 * for us; -ENAMETOOLONG; -ETIMEDOUT; -ECONNRESET it went away; -EPROTO, -EMSGSIZE it is not our
 * daemon.
 */
int client_get(const struct client_request *request, response_line_fn fn, void *arg,
	       struct client_answer *ret_answer);

/*
 * The same for who has other things to wait for. REQUEST and what it points to must outlive it.
 * client_begin() is there once the request is sent; then client_take() whenever client_fd() is
 * readable: -EAGAIN = there is more to come, else as client_get().
 */
struct client;
int client_begin(const struct client_request *request, response_line_fn fn, void *arg,
		 struct client **ret_client);
int client_fd(const struct client *c);
int client_take(struct client *c, struct client_answer *ret_answer);
void client_free(struct client *c);

/*
 * Appends NAME=VALUE, VALUE percent-encoded, to the query *QUERY (malloc'ed, or NULL at first).
 * -ENOMEM leaves *QUERY alone.
 */
int client_query(char **query, const char *name, const char *value);

/* TEXT percent-encoded, one word of a path; malloc'ed, NULL: no memory. */
char *client_word(const char *text);

#endif
