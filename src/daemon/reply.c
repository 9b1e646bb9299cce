/* SPDX-License-Identifier: BSD-2-Clause */
/* Answers: JSON objects, text, errors of one sentence, lines that are made while they are sent. */
#include "text/cleanup.h"
#include "daemon/describe.h"
#include "daemon/request.h"
#include "flow/wire.h"
#include <errno.h>
#include <string.h>

#define JSON_TYPE "application/json"
#define LINES_TYPE "application/x-ndjson"
#define BLOCK_BYTES 16384

static void cleanup_response(struct MHD_Response **response)
{
	if (*response)
		MHD_destroy_response(*response);
}

#define _response_ _cleanup_(cleanup_response)

static enum MHD_Result send_response(struct request *request, unsigned int status,
				     struct MHD_Response *response, const char *type)
{
	if (MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type) != MHD_YES ||
	    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store") != MHD_YES)
		return MHD_NO;
	return MHD_queue_response(request->connection, status, response);
}

/* Without memory for an answer the connection is closed: MHD_NO. */
static struct MHD_Response *response_of(void *bytes, size_t size)
{
	struct MHD_Response *response;

	if (!bytes)
		return NULL;
	response = MHD_create_response_from_buffer(size, bytes, MHD_RESPMEM_MUST_FREE);
	if (!response)
		free(bytes);
	return response;
}

static struct MHD_Response *response_from(char *text)
{
	return response_of(text, text ? strlen(text) : 0);
}

enum MHD_Result reply_json(struct request *request, unsigned int status, json_t *body)
{
	_response_ struct MHD_Response *response = response_from(json_line(body));

	return response ? send_response(request, status, response, JSON_TYPE) : MHD_NO;
}

enum MHD_Result reply_text(struct request *request, const char *type, char *text)
{
	_response_ struct MHD_Response *response = response_from(text);

	return response ? send_response(request, MHD_HTTP_OK, response, type) : MHD_NO;
}

enum MHD_Result reply_bytes(struct request *request, const char *type, void *bytes, size_t size)
{
	_response_ struct MHD_Response *response = response_of(bytes, size);

	return response ? send_response(request, MHD_HTTP_OK, response, type) : MHD_NO;
}

enum MHD_Result reply_empty(struct request *request, unsigned int status)
{
	_response_ struct MHD_Response *response =
		MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);

	return response ? MHD_queue_response(request->connection, status, response) : MHD_NO;
}

enum MHD_Result reply_error(struct request *request, unsigned int status, const char *sentence)
{
	return reply_json(request, status, json_error(sentence));
}

enum MHD_Result reply_error_with(struct request *request, unsigned int status, const char *sentence,
				 const char *header, const char *value)
{
	_response_ struct MHD_Response *response = response_from(json_line(json_error(sentence)));

	if (!response || MHD_add_response_header(response, header, value) != MHD_YES)
		return MHD_NO;
	return send_response(request, status, response, JSON_TYPE);
}

static enum MHD_Result reply_read(struct request *request, const char *type,
				  MHD_ContentReaderCallback reader, void *arg,
				  MHD_ContentReaderFreeCallback release)
{
	_response_ struct MHD_Response *response = MHD_create_response_from_callback(
		MHD_SIZE_UNKNOWN, BLOCK_BYTES, reader, arg, release);

	if (!response) {
		release(arg);
		return MHD_NO;
	}
	return send_response(request, MHD_HTTP_OK, response, type);
}

enum MHD_Result reply_lines(struct request *request, MHD_ContentReaderCallback reader, void *arg,
			    MHD_ContentReaderFreeCallback release)
{
	return reply_read(request, request->records ? WIRE_TYPE : LINES_TYPE, reader, arg, release);
}

enum MHD_Result reply_later(struct request *request, MHD_ContentReaderCallback reader, void *arg,
			    MHD_ContentReaderFreeCallback release)
{
	return reply_read(request, JSON_TYPE, reader, arg, release);
}

void pending_set(struct pending *p, char *line)
{
	free(p->text);
	*p = (struct pending){ .text = line, .size = line ? strlen(line) : 0 };
}

int pending_copy(struct pending *p, const void *record, size_t size)
{
	char *copy = malloc(size);

	if (!copy)
		return -ENOMEM;
	memcpy(copy, record, size);
	free(p->text);
	*p = (struct pending){ .text = copy, .size = size };
	return 0;
}

size_t pending_take(struct pending *p, char *buf, size_t max)
{
	size_t left = p->size - p->taken, size = left < max ? left : max;

	if (!p->text)
		return 0;
	memcpy(buf, p->text + p->taken, size);
	p->taken += size;
	if (p->taken == p->size)
		pending_set(p, NULL);
	return size;
}
