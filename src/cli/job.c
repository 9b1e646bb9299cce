/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/job.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/clock.h"

void job_end(struct job *j)
{
	client_free(j->client);
	free(j->target);
	j->client = NULL;
	j->target = NULL;
}

static int begin(struct job *j, const char *path, const char *query, response_line_fn fn, void *arg)
{
	int r;

	if (asprintf(&j->target, "%s%s%s", path, query ? "?" : "", query ? query : "") < 0) {
		j->target = NULL;
		return -ENOMEM;
	}
	j->request.target = j->target;
	j->request.wait_ms = JOB_CONNECT_MS;
	j->answer = (struct client_answer){ 0 };
	r = client_begin(&j->request, fn, arg, &j->client);
	if (r < 0)
		job_end(j);
	j->began_ms = j->heard_ms = clock_ms(CLOCK_MONOTONIC);
	return r;
}

int job_ask(struct job *j, const char *socket, const char *method, const char *path,
	    const char *query, response_line_fn fn, void *arg)
{
	job_end(j);
	j->request = (struct client_request){ .socket = socket, .method = method };
	return begin(j, path, query, fn, arg);
}

static int on_piece(const char *data, size_t len, void *arg)
{
	struct job *j = arg;

	return intake_feed(&j->intake, data, len);
}

int job_ask_records(struct job *j, const char *socket, const char *path, const char *query,
		    intake_fn fn, void *arg)
{
	job_end(j);
	j->request = (struct client_request){ .socket = socket, .records = true };
	intake_init(&j->intake, fn, arg);
	return begin(j, path, query, on_piece, j);
}

int job_fd(const struct job *j)
{
	return j->client ? client_fd(j->client) : -1;
}

int job_take(struct job *j, bool readable)
{
	int r = -EAGAIN;

	if (!j->client)
		return r;
	if (readable) {
		j->heard_ms = clock_ms(CLOCK_MONOTONIC);
		r = client_take(j->client, &j->answer);
	} else if (clock_ms(CLOCK_MONOTONIC) - j->heard_ms > JOB_SILENT_MS) {
		r = -ETIMEDOUT;
	}
	if (r != -EAGAIN)
		job_end(j);
	return r;
}
