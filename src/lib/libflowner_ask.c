/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Questions to the daemon: HTTP over its unix socket, answered with the records of wire.h. One
 * connection is kept for all of them; when the daemon closed it meanwhile, another is made once.
 */
#include "lib/libflowner.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "text/address.h"
#include "text/cleanup.h"
#include "host/dial.h"
#include "flow/flowtext.h"
#include "text/response.h"

#define TARGET_BYTES 512
#define PIECE_BYTES 16384

static void cleanup_response(struct response **r)
{
	response_free(*r);
}

int ask_init(struct ask *ask, const char *path, int timeout_ms)
{
	ask->fd = -1;
	ask->timeout_ms = timeout_ms;
	ask->path = strdup(path);
	if (!ask->path)
		return -ENOMEM;
	pthread_mutex_init(&ask->lock, NULL);
	return 0;
}

static void hang_up(struct ask *ask)
{
	cleanup_close(&ask->fd);
	ask->fd = -1;
}

void ask_release(struct ask *ask)
{
	if (!ask->path)
		return;
	hang_up(ask);
	pthread_mutex_destroy(&ask->lock);
	free(ask->path);
}

int ask_error(int status)
{
	switch (status) {
	case 400:
		return -EINVAL;
	case 403:
		return -EACCES;
	case 404:
		return -ENOENT;
	case 406:
		return -ESTALE;
	case 503:
		return -EBUSY;
	default:
		return -EPROTO;
	}
}

/* -ENOENT is an answer of the daemon's, never that there is none. */
static int connect_to(const struct ask *ask, int *ret_fd)
{
	int r = dial_connect(ask->path, ask->timeout_ms, ret_fd);

	return r == -ENOENT || r == -ENOTDIR ? -ECONNREFUSED : r;
}

static int send_question(int fd, const char *target, int timeout_ms)
{
	char text[TARGET_BYTES + 256];
	int n = snprintf(text, sizeof(text),
			 "GET %s HTTP/1.1\r\nHost: flowner\r\n"
			 "User-Agent: libflowner/" FLOWNER_VERSION "\r\nAccept: " WIRE_TYPE
			 "\r\n\r\n",
			 target);

	if (n < 0 || (size_t)n >= sizeof(text))
		return -EINVAL;
	return dial_send(fd, text, (size_t)n, timeout_ms);
}

/* One piece of the answer. 0; -ECONNRESET also when the daemon closed in the middle of it. */
static int read_piece(int fd, struct response *response, int timeout_ms)
{
	char piece[PIECE_BYTES];
	ssize_t n;
	int r;

	do {
		r = dial_wait(fd, POLLIN, timeout_ms);
		if (r < 0)
			return r;
		n = recv(fd, piece, sizeof(piece), MSG_DONTWAIT);
	} while (n < 0 && (errno == EINTR || errno == EAGAIN));
	if (n < 0)
		return -errno;
	return n > 0 ? response_feed(response, piece, (size_t)n) : response_end(response);
}

/* Records of an answer with status 200; the sentence of another one is left to people's tools. */
struct reading {
	struct response *response;
	struct intake intake;
};

static int on_body(const char *data, size_t len, void *arg)
{
	struct reading *reading = arg;

	if (response_status(reading->response) != 200)
		return 0;
	return intake_feed(&reading->intake, data, len);
}

static int exchange(int fd, const char *target, intake_fn fn, void *arg, int timeout_ms)
{
	_cleanup_(cleanup_response) struct response *response = NULL;
	struct reading reading;
	int r;

	r = response_new(on_body, &reading, &response);
	if (r < 0)
		return r;
	response_raw(response);
	reading.response = response;
	intake_init(&reading.intake, fn, arg);
	r = send_question(fd, target, timeout_ms);
	while (r == 0 && !response_complete(response))
		r = read_piece(fd, response, timeout_ms);
	if (r == -ECONNRESET && response_status(response))
		return -ECONNABORTED; /* half an answer: FN has had some of it */
	if (r < 0)
		return r;
	if (response_status(response) != 200)
		return ask_error(response_status(response));
	return intake_between(&reading.intake) ? 0 : -EPROTO;
}

static int ask_locked(struct ask *ask, const char *target, intake_fn fn, void *arg)
{
	bool kept = ask->fd >= 0 && ask->pid == getpid();
	int r;

	if (!kept)
		hang_up(ask);
	for (;;) {
		if (ask->fd < 0) {
			r = connect_to(ask, &ask->fd);
			if (r < 0)
				return r;
			ask->pid = getpid();
		}
		r = exchange(ask->fd, target, fn, arg, ask->timeout_ms);
		if (r != 0 && r != -ENOENT)
			hang_up(ask);
		if (!kept || r != -ECONNRESET)
			return r;
		kept = false; /* closed while nobody looked, before it answered */
	}
}

static int ask_get(struct ask *ask, const char *target, intake_fn fn, void *arg)
{
	int r;

	pthread_mutex_lock(&ask->lock);
	r = ask_locked(ask, target, fn, arg);
	pthread_mutex_unlock(&ask->lock);
	return r;
}

/* "&local=10.0.0.1%3A80" */
static int put_end(char *buf, size_t size, const char *name, const struct fl_addr *addr, __u16 port)
{
	char text[ADDRESS_TEXT];
	bool v4 = address_is_v4(addr);

	return snprintf(buf, size, "&%s=%s%s%s%%3A%u", name, v4 ? "" : "%5B",
			address_format(addr, text), v4 ? "" : "%5D", port);
}

/* AT_NS NULL: now. */
static void session_target(char *buf, const struct fl_key *key, __u32 netns_inum,
			   const __u64 *at_ns)
{
	size_t size = TARGET_BYTES;
	int n = snprintf(buf, size, "/v1/session?proto=%s&ifindex=%u", proto_text(key->proto),
			 key->ifindex);

	if (at_ns)
		n += snprintf(buf + n, size - (size_t)n, "&around=%" PRIu64, (uint64_t)*at_ns);
	if (netns_inum)
		n += snprintf(buf + n, size - (size_t)n, "&netns=%u", netns_inum);
	else
		n += snprintf(buf + n, size - (size_t)n, "&netns_cookie=%" PRIu64,
			      (uint64_t)key->netns_cookie);
	n += put_end(buf + n, size - (size_t)n, "local", &key->local, key->local_port);
	if (key->remote_port)
		put_end(buf + n, size - (size_t)n, "remote", &key->remote, key->remote_port);
}

struct gathering {
	struct around around;
	__u64 at_ns;
};

static int gather(const struct fl_record *record, void *arg)
{
	struct gathering *g = arg;

	if ((unsigned int)record->type == WIRE_FLOW)
		around_add(&g->around, &((const struct wire_flow *)record)->flow, g->at_ns);
	return 0;
}

int ask_around(struct ask *ask, const struct fl_key *key, __u32 netns_inum, __u64 at_ns,
	       struct around *ret_around)
{
	struct gathering g = { .at_ns = at_ns };
	char target[TARGET_BYTES];
	int r;

	session_target(target, key, netns_inum, &at_ns);
	r = ask_get(ask, target, gather, &g);
	if (r == 0)
		*ret_around = g.around;
	return r;
}

struct counting {
	struct fl_flow flow; /* the last */
	size_t count;
};

static int count_flow(const struct fl_record *record, void *arg)
{
	struct counting *c = arg;

	if ((unsigned int)record->type != WIRE_FLOW)
		return 0;
	c->flow = ((const struct wire_flow *)record)->flow;
	c->count++;
	return 0;
}

int ask_nat(struct ask *ask, const struct fl_key *key, __u32 netns_inum, struct fl_flow *ret_flow)
{
	struct counting c = { .count = 0 };
	char target[TARGET_BYTES];
	int r;

	session_target(target, key, netns_inum, NULL);
	r = ask_get(ask, target, count_flow, &c);
	if (r == 0 && c.count != 1)
		r = -ENOENT;
	if (r == 0)
		*ret_flow = c.flow;
	return r;
}

struct one {
	struct fl_flow *flow;
	struct fl_process *process;
	struct fl_text *text;
	bool found;
};

static int take_one(const struct fl_record *record, void *arg)
{
	struct one *one = arg;

	switch ((unsigned int)record->type) {
	case WIRE_FLOW:
		*one->flow = ((const struct wire_flow *)record)->flow;
		one->found = true;
		break;
	case FL_RECORD_PROCESS:
		if (one->process)
			memcpy(one->process, record, sizeof(*one->process));
		break;
	case FL_RECORD_TEXT:
		if (one->text)
			memcpy(one->text, record, record->size);
		break;
	default:
		break;
	}
	return 0;
}

int ask_id(struct ask *ask, __u64 id, struct fl_flow *ret_flow, struct fl_process *ret_process,
	   struct fl_text *ret_text)
{
	struct fl_flow flow = { 0 };
	struct one one = { .flow = &flow, .process = ret_process, .text = ret_text };
	char target[64];
	int r;

	if (ret_process)
		memset(ret_process, 0, sizeof(*ret_process));
	if (ret_text)
		memset(ret_text, 0, sizeof(*ret_text));
	snprintf(target, sizeof(target), "/v1/flows/%016" PRIx64, (uint64_t)id);
	r = ask_get(ask, target, take_one, &one);
	if (r == 0 && !one.found)
		r = -EPROTO;
	if (r == 0)
		*ret_flow = flow;
	return r;
}

struct list {
	struct fl_flow *flows;
	size_t count, room;
};

static int take_all(const struct fl_record *record, void *arg)
{
	struct list *list = arg;

	if ((unsigned int)record->type != WIRE_FLOW)
		return 0;
	if (list->count == list->room) {
		size_t room = list->room ? list->room * 2 : 1024;
		struct fl_flow *flows = reallocarray(list->flows, room, sizeof(*flows));

		if (!flows)
			return -ENOMEM;
		list->flows = flows;
		list->room = room;
	}
	list->flows[list->count++] = ((const struct wire_flow *)record)->flow;
	return 0;
}

int ask_each(struct ask *ask, maps_flow_fn fn, void *arg)
{
	struct list list = { 0 };
	int r;

	r = ask_get(ask, "/v1/flows", take_all, &list);
	for (size_t i = 0; i < list.count && r == 0; i++)
		r = fn(&list.flows[i], arg);
	free(list.flows);
	return r;
}

static int take_none(const struct fl_record *record, void *arg)
{
	(void)record;
	(void)arg;
	return 0;
}

int ask_hello(struct ask *ask)
{
	int r = ask_get(ask, "/v1/flows/1", take_none, NULL); /* any answer of our layout will do */

	return r == -ENOENT ? 0 : r;
}

int ask_stream(const struct ask *ask, const char *target, struct response *response, int *ret_fd)
{
	_close_ int fd = -1;
	int r;

	r = connect_to(ask, &fd);
	if (r == 0)
		r = send_question(fd, target, ask->timeout_ms);
	while (r == 0 && !response_status(response))
		r = read_piece(fd, response, ask->timeout_ms);
	if (r == 0 && response_status(response) != 200)
		r = ask_error(response_status(response));
	if (r == 0)
		*ret_fd = TAKE_FD(fd);
	return r;
}
