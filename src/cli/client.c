/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One request, one connection: connect, send, feed the parser until it is content. The socket never
 * blocks; every wait is a poll() with an end. A body with another status than 200 is kept aside
 * for its error sentence and never reaches the caller's function.
 */
#include "cli/client.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "text/cleanup.h"
#include "host/dial.h"
#include "flow/wire.h"

#define PIECE_BYTES (64 * 1024)
#define ERROR_BODY_MAX (16 * 1024)

struct client {
	const struct client_request *request;
	response_line_fn fn;
	void *arg;
	int fd;
	struct response *response;
	char *piece; /* PIECE_BYTES */
	char *error_body;
	size_t error_len;
};

void client_free(struct client *c)
{
	if (!c)
		return;
	cleanup_close(&c->fd);
	response_free(c->response);
	free(c->piece);
	free(c->error_body);
	free(c);
}

static void cleanup_client(struct client **c)
{
	client_free(*c);
}

/*
 * Not "Connection: close": a body of unknown size would then end with the connection, and a daemon
 * that died half way through would look like one that had no more to say.
 */
static int send_request(int fd, const struct client_request *request)
{
	_free_ char *text = NULL;
	char length[64] = "";
	int n, r;

	if (request->body)
		snprintf(length, sizeof(length), "Content-Length: %zu\r\n", request->body_size);
	n = asprintf(&text,
		     "%s %s HTTP/1.1\r\n"
		     "Host: flowner\r\n"
		     "User-Agent: flowner/" FLOWNER_VERSION "\r\n"
		     "%s%s\r\n",
		     request->method ? request->method : "GET", request->target,
		     request->records ? "Accept: " WIRE_TYPE "\r\n" : "", length);

	if (n < 0) {
		text = NULL;
		return -ENOMEM;
	}
	r = dial_send(fd, text, (size_t)n, request->wait_ms);
	if (!r && request->body)
		r = dial_send(fd, request->body, request->body_size, request->wait_ms);
	return r;
}

static int on_body(const char *line, size_t len, void *arg)
{
	struct client *c = arg;
	size_t room = ERROR_BODY_MAX - c->error_len;

	if (response_status(c->response) == 200)
		return c->fn(line, len, c->arg);
	if (!c->error_body)
		c->error_body = malloc(ERROR_BODY_MAX);
	if (!c->error_body)
		return 0;
	if (len > room)
		len = room;
	memcpy(c->error_body + c->error_len, line, len);
	c->error_len += len;
	return 0;
}

/* {"error":"one sentence"}; anything else has no sentence for people. */
static void error_sentence(const struct client *c, char *sentence, size_t size)
{
	json_t *body = c->error_body ? json_loadb(c->error_body, c->error_len, 0, NULL) : NULL;
	const char *text = json_string_value(json_object_get(body, "error"));

	snprintf(sentence, size, "%s", text ? text : "");
	json_decref(body);
}

int client_begin(const struct client_request *request, response_line_fn fn, void *arg,
		 struct client **ret_client)
{
	_cleanup_(cleanup_client) struct client *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	*c = (struct client){ .request = request, .fn = fn, .arg = arg, .fd = -1 };
	r = dial_connect(request->socket, request->wait_ms, &c->fd);
	if (r < 0)
		return r;
	c->piece = malloc(PIECE_BYTES);
	if (!c->piece)
		return -ENOMEM;
	r = response_new(on_body, c, &c->response);
	if (r < 0)
		return r;
	if (request->records)
		response_raw(c->response);
	r = send_request(c->fd, request);
	if (r < 0)
		return r;
	*ret_client = TAKE_PTR(c);
	return 0;
}

int client_fd(const struct client *c)
{
	return c->fd;
}

int client_take(struct client *c, struct client_answer *ret_answer)
{
	ssize_t n = recv(c->fd, c->piece, PIECE_BYTES, MSG_DONTWAIT);
	int r;

	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	r = n > 0 ? response_feed(c->response, c->piece, (size_t)n) : response_end(c->response);
	if (r != 0)
		return r;
	if (!response_complete(c->response))
		return -EAGAIN;
	ret_answer->status = response_status(c->response);
	error_sentence(c, ret_answer->sentence, sizeof(ret_answer->sentence));
	return 0;
}

int client_get(const struct client_request *request, response_line_fn fn, void *arg,
	       struct client_answer *ret_answer)
{
	_cleanup_(cleanup_client) struct client *c = NULL;
	int r = client_begin(request, fn, arg, &c);

	while (r == 0 && !response_complete(c->response)) {
		bool head = response_status(c->response) == 0;

		r = dial_wait(c->fd, POLLIN, head ? request->wait_ms : request->idle_ms);
		if (r == 0)
			r = client_take(c, ret_answer);
		if (r == -EAGAIN)
			r = 0;
	}
	return r;
}

static bool unreserved(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("-._~", c));
}

/* Three bytes for each of VALUE at most, and the NUL. */
static void encode(char *to, const char *value)
{
	static const char hex[] = "0123456789ABCDEF";

	for (; *value; value++) {
		if (unreserved(*value)) {
			*to++ = *value;
			continue;
		}
		*to++ = '%';
		*to++ = hex[(unsigned char)*value >> 4];
		*to++ = hex[(unsigned char)*value & 15];
	}
	*to = '\0';
}

char *client_word(const char *text)
{
	char *word = malloc(3 * strlen(text) + 1);

	if (word)
		encode(word, text);
	return word;
}

int client_query(char **query, const char *name, const char *value)
{
	size_t held = *query ? strlen(*query) : 0;
	char *text = realloc(*query, held + 1 + strlen(name) + 1 + 3 * strlen(value) + 1);
	char *p;

	if (!text)
		return -ENOMEM;
	*query = text;
	p = text + held;
	p += sprintf(p, "%s%s=", held ? "&" : "", name);
	encode(p, value);
	return 0;
}
