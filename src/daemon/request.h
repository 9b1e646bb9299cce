/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One HTTP request as the handlers see it, and the ways to answer it. Between api.c (connections,
 * routes), answers.c (flows) and stream.c (events) only.
 */
#ifndef FLOWNER_REQUEST_H
#define FLOWNER_REQUEST_H

#include "host/peer.h"
#include "daemon/query.h"
#include <jansson.h>
#include <microhttpd.h>

struct agent;
struct share;
struct streams;

struct request {
	struct agent *agent;
	struct streams *streams;
	struct share *copies; /* of flows, by all answers under way */
	struct MHD_Connection *connection;
	struct peer peer;
	bool records;	  /* the asker takes the records of wire.h, not JSON */
	const char *rest; /* of the path, after the route's: a flow id */
	struct query query;
	const char *body; /* of a route that takes one, else NULL */
	size_t body_size;
};

typedef enum MHD_Result (*request_handler)(struct request *request);

/* Each sends the whole answer; BODY's reference and TEXT (malloc'ed) are taken, NULL: no memory. */
enum MHD_Result reply_json(struct request *request, unsigned int status, json_t *body);
enum MHD_Result reply_text(struct request *request, const char *type, char *text);
enum MHD_Result reply_empty(struct request *request, unsigned int status);
enum MHD_Result reply_error(struct request *request, unsigned int status, const char *sentence);

/* BYTES (malloc'ed) are taken, NULL: no memory. */
enum MHD_Result reply_bytes(struct request *request, const char *type, void *bytes, size_t size);

/* As reply_error() with one more header. */
enum MHD_Result reply_error_with(struct request *request, unsigned int status, const char *sentence,
				 const char *header, const char *value);

/*
 * JSON lines, or records, from READER until it ends. ARG goes to RELEASE in any case, also when
 * this fails.
 */
enum MHD_Result reply_lines(struct request *request, MHD_ContentReaderCallback reader, void *arg,
			    MHD_ContentReaderFreeCallback release);

/* The same for one JSON object that READER does not have yet. */
enum MHD_Result reply_later(struct request *request, MHD_ContentReaderCallback reader, void *arg,
			    MHD_ContentReaderFreeCallback release);

/* Lines or records on their way into a connection, one by one. */
struct pending {
	char *text; /* malloc'ed, NULL = all taken */
	size_t size, taken;
};

void pending_set(struct pending *p, char *line); /* takes LINE */

/* -ENOMEM. */
int pending_copy(struct pending *p, const void *record, size_t size);
size_t pending_take(struct pending *p, char *buf, size_t max);

#endif
