/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The parser is a state machine over two kinds of input: lines of the protocol (status, fields,
 * chunk sizes), collected in `head`, and bytes of the body, cut at '\n' and collected in `line`
 * only when a piece ends in the middle of one. Anything unusual is refused, not guessed at.
 */
#include "text/response.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum state {
	STATE_STATUS,
	STATE_FIELDS,
	STATE_COUNTED, /* Content-Length: `left` bytes of body to come */
	STATE_UNTIL_CLOSE,
	STATE_CHUNK_SIZE,
	STATE_CHUNK,	 /* `left` bytes of this chunk to come */
	STATE_CHUNK_END, /* the empty line behind it */
	STATE_TRAILERS,
	STATE_COMPLETE,
};

struct response {
	response_line_fn fn;
	void *arg;
	enum state state;
	int status;
	bool chunked;
	bool counted;
	bool raw;
	uint64_t length; /* Content-Length, when counted */
	uint64_t left;
	size_t head_bytes; /* of the whole head so far, trailers included */
	size_t head_len;
	char head[RESPONSE_FIELD_MAX];
	char *line;
	size_t line_len;
	size_t line_room;
};

int response_new(response_line_fn fn, void *arg, struct response **ret_response)
{
	struct response *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->fn = fn;
	r->arg = arg;
	*ret_response = r;
	return 0;
}

void response_free(struct response *r)
{
	if (!r)
		return;
	free(r->line);
	free(r);
}

void response_raw(struct response *r)
{
	r->raw = true;
}

bool response_complete(const struct response *r)
{
	return r->state == STATE_COMPLETE;
}

int response_status(const struct response *r)
{
	return r->state > STATE_FIELDS ? r->status : 0;
}

/* Hands out what is held of a line; a body that ends without '\n' has one too. */
static int finish_line(struct response *r)
{
	size_t len = r->line_len;

	r->line_len = 0;
	return r->fn(r->line ? r->line : "", len, r->arg);
}

static int complete(struct response *r)
{
	r->state = STATE_COMPLETE;
	return r->line_len > 0 ? finish_line(r) : 0;
}

static int hold(struct response *r, const char *data, size_t len)
{
	size_t need = r->line_len + len;

	if (need > RESPONSE_LINE_MAX)
		return -EMSGSIZE;
	if (need > r->line_room) {
		size_t room = need < 2048 ? 4096 : need * 2;
		char *line = realloc(r->line, room);

		if (!line)
			return -ENOMEM;
		r->line = line;
		r->line_room = room;
	}
	memcpy(r->line + r->line_len, data, len);
	r->line_len = need;
	return 0;
}

/* DATA are bytes of the body: every line that ends in them goes out, the rest is held. */
static int body(struct response *r, const char *data, size_t len)
{
	if (r->raw)
		return len ? r->fn(data, len, r->arg) : 0;
	while (len > 0) {
		const char *end = memchr(data, '\n', len);
		size_t n = end ? (size_t)(end - data) : len;
		int ret;

		if (n > RESPONSE_LINE_MAX)
			return -EMSGSIZE;
		if (end && r->line_len == 0) {
			ret = r->fn(data, n, r->arg);
		} else {
			ret = hold(r, data, n);
			if (ret == 0 && end)
				ret = finish_line(r);
		}
		if (ret != 0)
			return ret;
		n += end ? 1 : 0;
		data += n;
		len -= n;
	}
	return 0;
}

/*
 * Takes bytes up to a CRLF into `head`. 1: it now holds a line, NUL terminated, without the CRLF.
 * A line ended by LF alone and a NUL inside are refused: no server of ours writes them.
 */
static int take_head(struct response *r, const char **data, size_t *len)
{
	const char *end = memchr(*data, '\n', *len);
	size_t n = end ? (size_t)(end - *data) + 1 : *len;

	if (n > sizeof(r->head) - r->head_len || n > RESPONSE_HEAD_MAX - r->head_bytes)
		return -EMSGSIZE;
	if (memchr(*data, '\0', n))
		return -EPROTO;
	memcpy(r->head + r->head_len, *data, n);
	r->head_len += n;
	r->head_bytes += n;
	*data += n;
	*len -= n;
	if (!end)
		return 0;
	if (r->head_len < 2 || r->head[r->head_len - 2] != '\r')
		return -EPROTO;
	r->head[r->head_len - 2] = '\0';
	r->head_len = 0;
	return 1;
}

/* "HTTP/1.1 200 OK". 1xx are refused: we never ask for one. */
static int status_line(struct response *r)
{
	const char *s = r->head;

	if (strncmp(s, "HTTP/1.", 7) != 0 || (s[7] != '0' && s[7] != '1') || s[8] != ' ')
		return -EPROTO;
	s += 9;
	for (int i = 0; i < 3; i++)
		if (s[i] < '0' || s[i] > '9')
			return -EPROTO;
	if (s[3] != '\0' && s[3] != ' ')
		return -EPROTO;
	r->status = (s[0] - '0') * 100 + (s[1] - '0') * 10 + (s[2] - '0');
	if (r->status < 200 || r->status > 599)
		return -EPROTO;
	r->state = STATE_FIELDS;
	return 0;
}

static int content_length(struct response *r, const char *value)
{
	uint64_t n = 0;

	if (r->counted || *value == '\0')
		return -EPROTO;
	for (; *value; value++) {
		if (*value < '0' || *value > '9' || n > (UINT64_MAX - 9) / 10)
			return -EPROTO;
		n = n * 10 + (uint64_t)(*value - '0');
	}
	r->counted = true;
	r->length = n;
	return 0;
}

static int transfer_encoding(struct response *r, const char *value)
{
	if (r->chunked || strcasecmp(value, "chunked") != 0)
		return -EPROTO;
	r->chunked = true;
	return 0;
}

static bool is_token(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)s[i]) && !strchr("!#$%&'*+-.^_`|~", s[i]))
			return false;
	return len > 0;
}

static int field_line(struct response *r)
{
	char *colon = strchr(r->head, ':');
	char *value;
	size_t len;

	if (!colon || !is_token(r->head, (size_t)(colon - r->head)))
		return -EPROTO;
	*colon = '\0';
	value = colon + 1 + strspn(colon + 1, " \t");
	len = strlen(value);
	while (len > 0 && (value[len - 1] == ' ' || value[len - 1] == '\t'))
		value[--len] = '\0';
	if (strcasecmp(r->head, "Content-Length") == 0)
		return content_length(r, value);
	if (strcasecmp(r->head, "Transfer-Encoding") == 0)
		return transfer_encoding(r, value);
	return 0;
}

/* The empty line: how the body is delimited is known. Both ways at once is an attack or a bug. */
static int end_of_fields(struct response *r)
{
	if (r->chunked && r->counted)
		return -EPROTO;
	if (r->chunked) {
		r->state = STATE_CHUNK_SIZE;
		return 0;
	}
	if (r->status == 204 || r->status == 304 || (r->counted && r->length == 0))
		return complete(r);
	r->left = r->length;
	r->state = r->counted ? STATE_COUNTED : STATE_UNTIL_CLOSE;
	return 0;
}

/* "1f3;ext=1": hex digits, then nothing or an extension, which says nothing to us. */
static int chunk_size(struct response *r)
{
	const char *s = r->head;
	uint64_t n = 0;

	if (!isxdigit((unsigned char)*s))
		return -EPROTO;
	for (; isxdigit((unsigned char)*s); s++) {
		unsigned int digit = isdigit((unsigned char)*s)
					     ? (unsigned int)(*s - '0')
					     : (unsigned int)((*s | 32) - 'a' + 10);

		if (n > UINT64_MAX >> 4)
			return -EPROTO;
		n = n << 4 | digit;
	}
	if (*s != '\0' && !strchr("; \t", *s))
		return -EPROTO;
	/* A stream has chunks without end: only the head and the trailers share a bound. */
	r->head_bytes = 0;
	r->left = n;
	r->state = n > 0 ? STATE_CHUNK : STATE_TRAILERS;
	return 0;
}

static int head_line(struct response *r)
{
	bool empty = r->head[0] == '\0';

	switch (r->state) {
	case STATE_STATUS:
		return status_line(r);
	case STATE_FIELDS:
		return empty ? end_of_fields(r) : field_line(r);
	case STATE_CHUNK_SIZE:
		return chunk_size(r);
	case STATE_CHUNK_END:
		r->state = STATE_CHUNK_SIZE;
		return empty ? 0 : -EPROTO;
	case STATE_TRAILERS:
		return empty ? complete(r) : 0;
	case STATE_COUNTED:
	case STATE_UNTIL_CLOSE:
	case STATE_CHUNK:
	case STATE_COMPLETE:
		break;
	}
	return -EPROTO;
}

/* As much of DATA as belongs to the body here and now. */
static int body_piece(struct response *r, const char **data, size_t *len)
{
	size_t n = *len;
	int ret;

	if (r->state != STATE_UNTIL_CLOSE && n > r->left)
		n = (size_t)r->left;
	ret = body(r, *data, n);
	if (ret != 0)
		return ret;
	*data += n;
	*len -= n;
	if (r->state == STATE_UNTIL_CLOSE)
		return 0;
	r->left -= n;
	if (r->left > 0)
		return 0;
	if (r->state == STATE_COUNTED)
		return complete(r);
	r->state = STATE_CHUNK_END;
	return 0;
}

static bool in_body(const struct response *r)
{
	return r->state == STATE_COUNTED || r->state == STATE_UNTIL_CLOSE ||
	       r->state == STATE_CHUNK;
}

int response_feed(struct response *r, const char *data, size_t len)
{
	while (len > 0 && r->state != STATE_COMPLETE) {
		int ret;

		if (in_body(r)) {
			ret = body_piece(r, &data, &len);
		} else {
			ret = take_head(r, &data, &len);
			if (ret > 0)
				ret = head_line(r);
			/* head_line() may end the body and so hand out its last line */
		}
		if (ret != 0)
			return ret;
	}
	return 0;
}

int response_end(struct response *r)
{
	if (r->state == STATE_COMPLETE)
		return 0;
	if (r->state != STATE_UNTIL_CLOSE)
		return -ECONNRESET;
	return complete(r);
}
