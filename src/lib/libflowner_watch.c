/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The daemon's event stream: one connection, its records queued as they come in one read and handed
 * out one by one.
 */
#include "lib/libflowner.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "text/cleanup.h"
#include "host/dial.h"
#include "text/response.h"

#define API __attribute__((visibility("default")))

#define TARGET_BYTES 512
#define PIECE_BYTES 16384
/* Of one read, and one that was under way. The head of the answer may bring records, too. */
#define QUEUE (2 * PIECE_BYTES / sizeof(struct wire_flow) + 2)

struct flowner_watch {
	int fd;
	struct response *response;
	struct intake intake;
	size_t next, count;
	struct flowner_event queue[QUEUE];
};

static __u32 notice_action(const struct wire_notice *w)
{
	return strcmp(w->action, "resync") == 0 ? FLOWNER_RESYNC : FLOWNER_LOST;
}

static int enqueue(const struct fl_record *record, void *arg)
{
	const struct wire_notice *notice = (const struct wire_notice *)record;
	const struct wire_flow *flow = (const struct wire_flow *)record;
	struct flowner_watch *w = arg;
	struct flowner_event *e;

	if (w->count == QUEUE)
		return -EPROTO; /* more than fits into what was read */
	e = &w->queue[w->count];
	memset(e, 0, sizeof(*e));
	if ((unsigned int)record->type == WIRE_FLOW) {
		e->sequence = flow->sequence;
		e->time_ns = flow->time_ns;
		e->action = flow->event;
		flowner_export(&flow->flow, &e->flow);
		w->count++;
	} else if ((unsigned int)record->type == WIRE_NOTICE) {
		e->sequence = notice->sequence;
		e->time_ns = notice->time_ns;
		e->action = notice_action(notice);
		e->count = notice->count;
		w->count++;
	}
	return 0;
}

static int on_body(const char *data, size_t len, void *arg)
{
	struct flowner_watch *w = arg;

	return response_status(w->response) == 200 ? intake_feed(&w->intake, data, len) : 0;
}

API void flowner_watch_close(struct flowner_watch *w)
{
	if (!w)
		return;
	cleanup_close(&w->fd);
	response_free(w->response);
	free(w);
}

static void cleanup_watch(struct flowner_watch **w)
{
	flowner_watch_close(*w);
}

/* It becomes part of a request line. */
static bool is_query(const char *text)
{
	for (; *text; text++)
		if (*text <= ' ' || *text > '~' || *text == '#')
			return false;
	return true;
}

API int flowner_watch_open(struct flowner *h, const char *filter, struct flowner_watch **ret_watch)
{
	_cleanup_(cleanup_watch) struct flowner_watch *w = NULL;
	char target[TARGET_BYTES];
	int n, r;

	if (filter && !is_query(filter))
		return -EINVAL;
	n = snprintf(target, sizeof(target), "/v1/events%s%s", filter && *filter ? "?" : "",
		     filter ? filter : "");
	if (n < 0 || (size_t)n >= sizeof(target))
		return -EINVAL;
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->fd = -1;
	intake_init(&w->intake, enqueue, w);
	r = response_new(on_body, w, &w->response);
	if (r < 0)
		return r;
	response_raw(w->response);
	r = ask_stream(&h->ask, target, w->response, &w->fd);
	if (r < 0)
		return r;
	*ret_watch = TAKE_PTR(w);
	return 0;
}

API int flowner_watch_fd(const struct flowner_watch *w)
{
	return w->fd;
}

/* 1 something was read, 0 nothing in time. */
static int fill(struct flowner_watch *w, int timeout_ms)
{
	char piece[PIECE_BYTES];
	ssize_t n;
	int r;

	r = dial_wait(w->fd, POLLIN, timeout_ms);
	if (r < 0)
		return r == -ETIMEDOUT ? 0 : r;
	n = recv(w->fd, piece, sizeof(piece), MSG_DONTWAIT);
	if (n < 0)
		return errno == EINTR || errno == EAGAIN ? 1 : -errno;
	if (n == 0)
		return -ECONNRESET;
	r = response_feed(w->response, piece, (size_t)n);
	if (r == 0 && response_complete(w->response) && w->next == w->count)
		return -ECONNRESET; /* the daemon has said its end */
	return r < 0 ? r : 1;
}

API int flowner_watch_next(struct flowner_watch *w, struct flowner_event *ret_event, int timeout_ms)
{
	int r;

	while (w->next == w->count) {
		if (response_complete(w->response))
			return -ECONNRESET;
		w->next = w->count = 0;
		r = fill(w, timeout_ms);
		if (r <= 0)
			return r;
	}
	*ret_event = w->queue[w->next++];
	return 1;
}
