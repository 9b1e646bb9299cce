/* SPDX-License-Identifier: BSD-2-Clause */
/* One question to the daemon that is asked while other things go on: client.h with its end. */
#ifndef FLOWNER_JOB_H
#define FLOWNER_JOB_H

#include <stdbool.h>

#include "cli/client.h"
#include "flow/intake.h"

#define JOB_CONNECT_MS 1000
#define JOB_SILENT_MS 15000 /* so long may it say nothing */

struct job {
	struct client *client; /* NULL: nothing is asked */
	struct client_request request;
	struct client_answer answer; /* when it is there */
	char *target;
	struct intake intake;
	__u64 began_ms, heard_ms;
};

/*
 * Asks METHOD (NULL = GET) of PATH?QUERY (may be NULL); the answer's lines to FN. 0, or as
 * client_get(). What was asked before is not waited for any more.
 */
int job_ask(struct job *j, const char *socket, const char *method, const char *path,
	    const char *query, response_line_fn fn, void *arg);

/* The same for records. */
int job_ask_records(struct job *j, const char *socket, const char *path, const char *query,
		    intake_fn fn, void *arg);

void job_end(struct job *j);

int job_fd(const struct job *j); /* -1: nothing is asked */

/* -EAGAIN: not yet. Else it has ended: 0 and j->answer, or as client_get(). */
int job_take(struct job *j, bool readable);

#endif
