/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One request, one connection: connect, send, feed the parser until it is content. The socket never
 * blocks; every wait is a poll() with an end. A body with another status than 200 is kept aside
 * for its error sentence and never reaches the caller's function.
 */
#include "client.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cleanup.h"
#include "dial.h"

#define PIECE_BYTES (64 * 1024)
#define ERROR_BODY_MAX (16 * 1024)

struct exchange {
	const struct client_request *request;
	response_line_fn fn;
	void *arg;
	struct response *response;
	char *error_body;
	size_t error_len;
};

static void response_cleanup(struct response **r)
{
	response_free(*r);
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
		     "%s\r\n",
		     request->method ? request->method : "GET", request->target, length);

	if (n < 0) {
		text = NULL;
		return -ENOMEM;
	}
	r = dial_send(fd, text, (size_t)n, request->wait_ms);
	if (!r && request->body)
		r = dial_send(fd, request->body, request->body_size, request->wait_ms);
	return r;
}

static int on_body_line(const char *line, size_t len, void *arg)
{
	struct exchange *x = arg;
	size_t room = ERROR_BODY_MAX - x->error_len;

	if (response_status(x->response) == 200)
		return x->fn(line, len, x->arg);
	if (!x->error_body)
		x->error_body = malloc(ERROR_BODY_MAX);
	if (!x->error_body)
		return 0;
	if (len > room)
		len = room;
	memcpy(x->error_body + x->error_len, line, len);
	x->error_len += len;
	return 0;
}

static int receive(int fd, struct exchange *x)
{
	_free_ char *piece = malloc(PIECE_BYTES);

	if (!piece)
		return -ENOMEM;
	while (!response_complete(x->response)) {
		bool head = response_status(x->response) == 0;
		ssize_t n;
		int r;

		r = dial_wait(fd, POLLIN, head ? x->request->wait_ms : x->request->idle_ms);
		if (r < 0)
			return r;
		n = recv(fd, piece, PIECE_BYTES, MSG_DONTWAIT);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0)
			return -errno;
		r = n > 0 ? response_feed(x->response, piece, (size_t)n)
			  : response_end(x->response);
		if (r != 0)
			return r;
	}
	return 0;
}

/* {"error":"one sentence"}; anything else has no sentence for people. */
static void error_sentence(const struct exchange *x, char *sentence, size_t size)
{
	json_t *body = x->error_body ? json_loadb(x->error_body, x->error_len, 0, NULL) : NULL;
	const char *text = json_string_value(json_object_get(body, "error"));

	snprintf(sentence, size, "%s", text ? text : "");
	json_decref(body);
}

int client_get(const struct client_request *request, response_line_fn fn, void *arg,
	       struct client_answer *ret_answer)
{
	struct exchange x = { .request = request, .fn = fn, .arg = arg };
	_cleanup_(response_cleanup) struct response *response = NULL;
	_close_ int fd = -1;
	int r;

	r = dial_connect(request->socket, request->wait_ms, &fd);
	if (r < 0)
		return r;
	r = response_new(on_body_line, &x, &response);
	if (r < 0)
		return r;
	x.response = response;
	r = send_request(fd, request);
	if (r == 0)
		r = receive(fd, &x);
	if (r == 0) {
		ret_answer->status = response_status(response);
		error_sentence(&x, ret_answer->sentence, sizeof(ret_answer->sentence));
	}
	free(x.error_body);
	return r;
}

static bool unreserved(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("-._~", c));
}

int client_query(char **query, const char *name, const char *value)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t held = *query ? strlen(*query) : 0;
	char *text = realloc(*query, held + 1 + strlen(name) + 1 + 3 * strlen(value) + 1);
	char *p;

	if (!text)
		return -ENOMEM;
	*query = text;
	p = text + held;
	p += sprintf(p, "%s%s=", held ? "&" : "", name);
	for (; *value; value++) {
		if (unreserved(*value)) {
			*p++ = *value;
			continue;
		}
		*p++ = '%';
		*p++ = hex[(unsigned char)*value >> 4];
		*p++ = hex[(unsigned char)*value & 15];
	}
	*p = '\0';
	return 0;
}
