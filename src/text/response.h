/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A strict parser for one HTTP/1.x response, fed in pieces of any size: status, then the body cut
 * into lines. It knows chunked, counted and close-delimited bodies, and bounds everything a peer
 * can send. It does no input or output: client.c does, and the fuzzer feeds it directly.
 */
#ifndef FLOWNER_RESPONSE_H
#define FLOWNER_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>

#define RESPONSE_LINE_MAX (8u << 20)   /* bytes of one line of the body: a policy is one */
#define RESPONSE_HEAD_MAX (64u * 1024) /* bytes of status line, fields and trailers together */
#define RESPONSE_FIELD_MAX 8192	       /* bytes of one of those lines */

/* One line of the body without its '\n', not NUL terminated. Non-zero stops and must be positive.
 */
typedef int (*response_line_fn)(const char *line, size_t len, void *arg);

struct response;

/* The body is no text: FN gets its bytes as they come, in pieces of any size. */
void response_raw(struct response *r);

/* FN gets the lines of the body, whatever the status is: it may ask response_status(). -ENOMEM. */
int response_new(response_line_fn fn, void *arg, struct response **ret_response);
void response_free(struct response *r);

/*
 * 0, or what FN returned, or -EPROTO (this is not HTTP/1.x as we take it), -EMSGSIZE (a line or the
 * head is too long), -ENOMEM. After anything but 0 the parser is spent. Bytes after a complete
 * response are ignored.
 */
int response_feed(struct response *r, const char *data, size_t len);

/* The peer has closed: hands out an unfinished last line. -ECONNRESET when it had more to say. */
int response_end(struct response *r);

bool response_complete(const struct response *r);
int response_status(const struct response *r); /* 0 until the head has been read */

#endif
