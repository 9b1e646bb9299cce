/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The HTTP server: connections and who is behind them, the table of routes, the way of a request
 * to its handler. No thread: libmicrohttpd runs when api_run() is called and never blocks.
 */
#include "daemon/api.h"
#include "daemon/agent.h"
#include "daemon/answers.h"
#include "daemon/answers_policy.h"
#include "text/cleanup.h"
#include "host/config.h"
#include "daemon/doctor.h"
#include "daemon/journal.h"
#include "daemon/metrics.h"
#include "daemon/share.h"
#include "daemon/stream.h"
#include "host/unixsock.h"
#include "flow/wire.h"
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#define CONNECTIONS_MAX 64
static const struct share connections = { CONNECTIONS_MAX, 56, 48, 16, NULL };

/* Flows copied by all answers under way: whoever does not read must not eat the daemon. */
#define COPIES_MAX ((size_t)1 << 20)
static const struct share copies = { COPIES_MAX, COPIES_MAX / 8 * 7, COPIES_MAX / 4 * 3,
				     COPIES_MAX / 2, NULL };

#define CONNECTION_BYTES 65536 /* request, headers and one chunk of the answer */
#define BODY_MAX (8u << 20)
#define IDLE_S 30     /* also how long a stream may be unable to send */
#define END_ROUNDS 16 /* chances for streams to send their end when the daemon stops */

struct api {
	struct agent *agent;
	struct MHD_Daemon *daemon;
	struct streams *streams;
	int epoll_fd; /* the daemon's epoll, WAKE_FD, and the connections of waiting streams */
	int wake_fd;  /* eventfd: streams have become ready */
	int listen_fd;
	gid_t group;
	char *path;
	struct unixsock_file file;
	struct share connections, copies;
	__u64 requests;
};

/* One connection. */
struct client {
	struct peer peer;
	struct holding place;
};

/* What has come of the body of a request. */
struct upload {
	char *bytes;
	size_t size;
	bool refused; /* too long, or no memory: the rest is thrown away */
};

/* --- routes --- */

static enum MHD_Result answer_doctor(struct request *request);
static enum MHD_Result answer_stats(struct request *request);
static enum MHD_Result answer_metrics(struct request *request);

static const struct route {
	const char *method;
	const char
		*path; /* what ends in '/' takes one word more as its argument, in '*' the rest */
	request_handler handler;
	/* what changes something, and what reads a body: root only */
	enum { ASKS, ASKS_BY_BODY, CHANGES, CHANGES_BY_BODY } what;
} routes[] = {
	{ "GET", "/v1/flows", answer_flows, ASKS },
	{ "GET", "/v1/flows/", answer_flow, ASKS },
	{ "DELETE", "/v1/flows/", answer_abort, CHANGES },
	{ "GET", "/v1/who", answer_who, ASKS },
	{ "GET", "/v1/session", answer_session, ASKS },
	{ "GET", "/v1/events", answer_events, ASKS },
	{ "GET", "/v1/policy", answer_policy, ASKS },
	{ "PUT", "/v1/policy", answer_policy_load, CHANGES_BY_BODY },
	{ "DELETE", "/v1/policy", answer_policy_clear, CHANGES },
	{ "POST", "/v1/policy/rules", answer_policy_add, CHANGES_BY_BODY },
	{ "DELETE", "/v1/policy/rules/*", answer_policy_delete, CHANGES },
	{ "POST", "/v1/policy/confirm", answer_policy_confirm, CHANGES },
	{ "POST", "/v1/policy/check", answer_policy_check, ASKS_BY_BODY },
	{ "POST", "/v1/policy/test", answer_policy_test, ASKS_BY_BODY },
	{ "GET", "/v1/doctor", answer_doctor, ASKS },
	{ "GET", "/v1/stats", answer_stats, ASKS },
	{ "GET", "/metrics", answer_metrics, ASKS },
};

#define ROUTES (sizeof(routes) / sizeof(routes[0]))

/* The argument in PATH, "" of a route without one; NULL: it is not this route's. */
static const char *argument_of(const struct route *route, const char *path)
{
	size_t size = strlen(route->path);
	bool any = route->path[size - 1] == '*';

	if (any)
		size--;
	if (strncmp(path, route->path, size) != 0)
		return NULL;
	path += size;
	if (route->path[size - 1] != '/')
		return *path ? NULL : path;
	return *path && (any || !strchr(path, '/')) ? path : NULL;
}

static enum MHD_Result refuse_method(struct request *request, const char *path)
{
	char allow[32] = "";
	size_t used = 0;

	for (size_t i = 0; i < ROUTES; i++)
		if (argument_of(&routes[i], path))
			used += (size_t)snprintf(allow + used, sizeof(allow) - used, "%s%s",
						 used ? ", " : "", routes[i].method);
	if (!used)
		return reply_error(request, MHD_HTTP_NOT_FOUND, "no such path");
	return reply_error_with(request, MHD_HTTP_METHOD_NOT_ALLOWED,
				"this path does not take that method", MHD_HTTP_HEADER_ALLOW,
				allow);
}

static const struct route *find_route(const char *method, const char *path)
{
	for (size_t i = 0; i < ROUTES; i++)
		if (strcmp(routes[i].method, method) == 0 && argument_of(&routes[i], path))
			return &routes[i];
	return NULL;
}

static bool has_body(struct MHD_Connection *connection)
{
	const char *length = MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
							 MHD_HTTP_HEADER_CONTENT_LENGTH);

	return (length && strcmp(length, "0") != 0) ||
	       MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
					   MHD_HTTP_HEADER_TRANSFER_ENCODING);
}

static bool may_take(const struct route *route, const struct request *request)
{
	return route->what == ASKS || peer_may_change(&request->peer) ||
	       (route->what == ASKS_BY_BODY && !has_body(request->connection));
}

static enum MHD_Result dispatch(struct request *request, const char *method, const char *path)
{
	const struct route *route = find_route(method, path);

	if (!route)
		return refuse_method(request, path);
	if (!may_take(route, request))
		return reply_error_with(request, MHD_HTTP_FORBIDDEN, "only root may do this",
					MHD_HTTP_HEADER_CONNECTION, "close");
	request->rest = argument_of(route, path);
	return route->handler(request);
}

static enum MHD_Result answer_object(struct request *request, json_t *(*make)(struct agent *))
{
	char why[QUERY_WHY];

	if (query_none(&request->query, why) < 0)
		return reply_error(request, MHD_HTTP_BAD_REQUEST, why);
	return reply_json(request, MHD_HTTP_OK, make(request->agent));
}

static enum MHD_Result answer_doctor(struct request *request)
{
	return answer_object(request, doctor_json);
}

static enum MHD_Result answer_stats(struct request *request)
{
	return answer_object(request, metrics_stats);
}

static enum MHD_Result answer_metrics(struct request *request)
{
	enum metrics_format format = metrics_format_for(MHD_lookup_connection_value(
		request->connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT));
	char why[QUERY_WHY];

	if (query_none(&request->query, why) < 0)
		return reply_error(request, MHD_HTTP_BAD_REQUEST, why);
	return reply_text(request, metrics_type(format), metrics_text(request->agent, format));
}

/* --- requests --- */

static enum MHD_Result collect(void *arg, enum MHD_ValueKind kind, const char *name,
			       size_t name_size, const char *value, size_t value_size)
{
	struct query *q = arg;

	(void)kind;
	if (!value)
		value = "";
	/* a NUL inside (%00) would have us read less than was sent */
	if (q->count == QUERY_PARAMETERS || strlen(name) != name_size ||
	    strlen(value) != value_size) {
		q->count = QUERY_PARAMETERS + 1;
		return MHD_NO;
	}
	q->parameters[q->count].name = name;
	q->parameters[q->count].value = value;
	q->count++;
	return MHD_YES;
}

/* JSON is what everybody takes; records are asked for with their layout, or not at all. */
static int wants_records(struct MHD_Connection *connection, bool *ret_records)
{
	const char *accept = MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
							 MHD_HTTP_HEADER_ACCEPT);

	*ret_records = accept && strcmp(accept, WIRE_TYPE) == 0;
	if (!accept || *ret_records || strncmp(accept, WIRE_KIND, strlen(WIRE_KIND)) != 0)
		return 0;
	return -ESTALE;
}

/* A body that was not read is still to come: after this answer nothing can be. */
static enum MHD_Result refuse_body(struct request *request, const char *sentence)
{
	return reply_error_with(request, MHD_HTTP_CONTENT_TOO_LARGE, sentence,
				MHD_HTTP_HEADER_CONNECTION, "close");
}

static bool takes_body(const char *method, const char *path)
{
	const struct route *route = find_route(method, path);

	return route && (route->what == ASKS_BY_BODY || route->what == CHANGES_BY_BODY);
}

/* UPLOAD NULL: the body, if there is one, has not been read. */
static enum MHD_Result answer(struct api *api, struct MHD_Connection *connection,
			      const struct client *client, const char *method, const char *path,
			      const struct upload *upload)
{
	struct request request = {
		.agent = api->agent,
		.streams = api->streams,
		.copies = &api->copies,
		.connection = connection,
		.peer = client->peer,
	};

	api->requests++;
	if (has_body(connection) && !upload && !takes_body(method, path))
		return refuse_body(&request, "requests here have no body");
	if (upload && upload->refused)
		return refuse_body(&request, "the body is too long");
	if (upload) {
		request.body = upload->bytes;
		request.body_size = upload->size;
	}
	MHD_get_connection_values_n(connection, MHD_GET_ARGUMENT_KIND, collect, &request.query);
	if (request.query.count > QUERY_PARAMETERS)
		return reply_error(&request, MHD_HTTP_BAD_REQUEST,
				   "the query has too many parameters, or a NUL in one");
	if (wants_records(connection, &request.records) < 0)
		return reply_error(&request, MHD_HTTP_NOT_ACCEPTABLE,
				   "this flownerd has records of another layout");
	return dispatch(&request, method, path);
}

/* --- bodies: of root only, and only where a route takes one --- */

static void upload_take(struct upload *u, const char *piece, size_t size)
{
	char *bytes;

	if (u->refused || size > BODY_MAX - u->size) {
		u->refused = true;
		return;
	}
	bytes = realloc(u->bytes, u->size + size);
	if (!bytes) {
		u->refused = true;
		return;
	}
	memcpy(bytes + u->size, piece, size);
	u->bytes = bytes;
	u->size += size;
}

static void upload_free(void *arg, struct MHD_Connection *connection, void **seen,
			enum MHD_RequestTerminationCode code)
{
	struct upload *u = *seen;

	(void)arg;
	(void)connection;
	(void)code;
	if (!u)
		return;
	free(u->bytes);
	free(u);
	*seen = NULL;
}

/* Called once when the headers are there, with each piece of a body, and when that is complete. */
static enum MHD_Result handle_request(void *arg, struct MHD_Connection *connection,
				      const char *path, const char *method, const char *version,
				      const char *piece, size_t *piece_size, void **seen)
{
	struct upload *upload = *seen;
	const struct client *client;
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	(void)version;
	if (!info || !info->socket_context)
		return MHD_NO; /* a client we turned away */
	client = info->socket_context;
	if (!upload) {
		if (has_body(connection) &&
		    !(takes_body(method, path) && peer_may_change(&client->peer)))
			return answer(arg, connection, client, method, path, NULL);
		*seen = calloc(1, sizeof(struct upload));
		return *seen ? MHD_YES : MHD_NO;
	}
	if (*piece_size) {
		upload_take(upload, piece, *piece_size);
		*piece_size = 0;
		return MHD_YES;
	}
	return answer(arg, connection, client, method, path, upload);
}

/* --- connections --- */

static int client_new(struct api *api, int fd, struct client **ret_client)
{
	_free_ struct client *client = calloc(1, sizeof(*client));
	int r = client ? peer_get(fd, api->group, &client->peer) : -ENOMEM;

	if (!r)
		r = share_take(&api->connections, &client->place, &client->peer, 1);
	if (r < 0)
		return r;
	*ret_client = TAKE_PTR(client);
	return 0;
}

static void client_free(struct client *client)
{
	share_give_back(&client->place);
	free(client);
}

/* Before its first byte. libmicrohttpd has no way to refuse here: for it, the peer hangs up. */
static void turn_away(int fd)
{
	static const char sentence[] =
		"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n"
		"Content-Length: 46\r\nConnection: close\r\n\r\n"
		"{\"error\":\"too many connections of your user\"}\n";

	send(fd, sentence, sizeof(sentence) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	shutdown(fd, SHUT_RDWR);
}

static void notify_connection(void *arg, struct MHD_Connection *connection, void **context,
			      enum MHD_ConnectionNotificationCode code)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct api *api = arg;
	struct client *client = NULL;

	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (*context)
			client_free(*context);
		*context = NULL;
	} else if (info && client_new(api, info->connect_fd, &client) == 0) {
		*context = client;
	} else if (info) {
		turn_away(info->connect_fd);
	}
}

/* --- life --- */

/* Without its error log: a peer that hung up or sent junk is no news. */
static int start_daemon(struct api *api)
{
	const union MHD_DaemonInfo *info;
	struct epoll_event event = { .events = EPOLLIN };

	api->daemon = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, handle_request, api,
		MHD_OPTION_LISTEN_SOCKET, api->listen_fd, MHD_OPTION_CONNECTION_LIMIT,
		(unsigned int)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)CONNECTION_BYTES, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)IDLE_S,
		MHD_OPTION_NOTIFY_CONNECTION, notify_connection, api, MHD_OPTION_NOTIFY_COMPLETED,
		upload_free, NULL, MHD_OPTION_END);
	if (!api->daemon)
		return errno ? -errno : -EIO;
	(void)TAKE_FD(api->listen_fd); /* closed with the daemon */
	info = MHD_get_daemon_info(api->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info || info->epoll_fd < 0)
		return -EIO;
	if (epoll_ctl(api->epoll_fd, EPOLL_CTL_ADD, info->epoll_fd, &event) < 0)
		return -errno;
	return 0;
}

static void cleanup_api(struct api **api)
{
	api_free(*api);
}

static int open_fds(struct api *api)
{
	struct epoll_event event = { .events = EPOLLIN };

	api->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (api->epoll_fd < 0)
		return -errno;
	api->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (api->wake_fd < 0)
		return -errno;
	if (epoll_ctl(api->epoll_fd, EPOLL_CTL_ADD, api->wake_fd, &event) < 0)
		return -errno;
	return 0;
}

int api_new(struct agent *agent, const char *path, struct api **ret_api)
{
	_cleanup_(cleanup_api) struct api *api = calloc(1, sizeof(*api));
	int r;

	if (!api)
		return -ENOMEM;
	api->agent = agent;
	api->epoll_fd = api->wake_fd = api->listen_fd = -1;
	api->connections = connections;
	api->copies = copies;
	api->group = peer_group(agent->config ? agent->config->group : NULL);
	api->path = strdup(path);
	if (!api->path)
		return -ENOMEM;
	r = unixsock_listen(path, &api->file, &api->listen_fd);
	if (r == 0)
		r = open_fds(api);
	if (r == 0)
		r = streams_new(agent, api->epoll_fd, api->wake_fd, &api->streams);
	if (r == 0)
		r = start_daemon(api);
	if (r < 0)
		return r;
	*ret_api = TAKE_PTR(api);
	return 0;
}

static void stop_daemon(struct api *api)
{
	streams_end(api->streams);
	for (unsigned int i = 0; i < END_ROUNDS && streams_counts(api->streams).open; i++)
		MHD_run(api->daemon);
	MHD_stop_daemon(api->daemon);
}

void api_free(struct api *api)
{
	if (!api)
		return;
	if (api->path)
		unixsock_remove(api->path, &api->file);
	if (api->daemon)
		stop_daemon(api);
	streams_free(api->streams);
	cleanup_close(&api->listen_fd);
	cleanup_close(&api->wake_fd);
	cleanup_close(&api->epoll_fd);
	free(api->path);
	free(api);
}

int api_fd(const struct api *api)
{
	return api->epoll_fd;
}

int api_run(struct api *api)
{
	struct epoll_event events[CONNECTIONS_MAX];
	int count = epoll_wait(api->epoll_fd, events, CONNECTIONS_MAX, 0);
	eventfd_t wakes;

	if (count < 0)
		return errno == EINTR ? 0 : -errno;
	eventfd_read(api->wake_fd, &wakes);
	for (int i = 0; i < count; i++)
		if (events[i].data.ptr)
			stream_hung_up(events[i].data.ptr);
	return MHD_run(api->daemon) == MHD_YES ? 0 : -EIO;
}

int api_timeout_ms(struct api *api)
{
	MHD_UNSIGNED_LONG_LONG timeout;

	if (MHD_get_timeout(api->daemon, &timeout) != MHD_YES)
		return -1;
	return timeout < INT_MAX ? (int)timeout : INT_MAX;
}

void api_publish(struct api *api, const struct fl_event *event)
{
	streams_publish(api->streams, event);
	journal_event(api->agent->journal, event);
}

void api_verdict(struct api *api, const struct stream_verdict *verdict)
{
	streams_verdict(api->streams, verdict);
	journal_verdict(api->agent->journal, verdict);
}

void api_notice(struct api *api, const char *action, const char *why, __u64 count)
{
	streams_notice(api->streams, action, why, count);
	if (strcmp(action, "lost") == 0)
		journal_lost_events(api->agent->journal, why, count);
}

struct api_counts api_counts(const struct api *api)
{
	struct stream_counts streams = streams_counts(api->streams);
	struct api_counts counts = {
		.streams = streams.open,
		.requests = api->requests,
		.events_lost = streams.lost,
	};

	for (const struct holding *h = api->connections.list; h; h = h->next)
		counts.connections += h->count;
	return counts;
}
