/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a stranger can have of us is bounded: so many connections, each for so many bytes, one
 * request and ten seconds in all, however it spends them. The maps are counted once a second at
 * the most, whatever the number of those who ask.
 */
#include "daemon/scrape.h"
#include "text/address.h"
#include "daemon/agent.h"
#include "text/cleanup.h"
#include "text/clock.h"
#include "text/fail.h"
#include "daemon/metrics.h"
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <microhttpd.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define CONNECTIONS_MAX 16
#define CONNECTION_BYTES 8192 /* a request must fit */
#define BACKLOG 16
#define LIFE_NS 10000000000ULL /* how long Prometheus waits, if it was not told otherwise */
#define FRESH_NS 1000000000ULL
#define NS_PER_MS 1000000ULL

/* One connection; FD is not ours to close. */
struct visit {
	int fd; /* -1: nobody */
	__u64 until_ns;
};

struct page {
	struct MHD_Response *response; /* NULL: not made yet */
	__u64 made_ns;
};

struct scrape {
	struct agent *agent;
	struct MHD_Daemon *daemon;
	int listen_fd; /* until the daemon has it */
	struct visit visits[CONNECTIONS_MAX];
	struct page pages[METRICS_FORMATS];
	struct scrape_counts counts;
};

/* --- answers --- */

static void cleanup_response(struct MHD_Response **response)
{
	if (*response)
		MHD_destroy_response(*response);
}

#define _response_ _cleanup_(cleanup_response)

/* TEXT (malloc'ed, NULL: no memory) is taken. The connection ends with it. */
static int make_response(char *text, const char *type, struct MHD_Response **ret_response)
{
	_response_ struct MHD_Response *response = NULL;

	if (!text)
		return -ENOMEM;
	response = MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
	if (!response)
		free(text);
	if (!response ||
	    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type) != MHD_YES ||
	    MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close") != MHD_YES)
		return -ENOMEM;
	*ret_response = TAKE_PTR(response);
	return 0;
}

static enum MHD_Result refuse(struct scrape *s, struct MHD_Connection *connection)
{
	_response_ struct MHD_Response *response = NULL;

	s->counts.refused++;
	if (make_response(strdup("only GET /metrics is here\n"), "text/plain", &response) < 0)
		return MHD_NO;
	return MHD_queue_response(connection, MHD_HTTP_NOT_FOUND, response);
}

static int refresh(struct scrape *s, enum metrics_format format)
{
	struct page *page = &s->pages[format];
	__u64 now_ns = clock_ns(CLOCK_MONOTONIC);
	struct MHD_Response *response = NULL;
	int r;

	if (page->response && now_ns - page->made_ns < FRESH_NS)
		return 0;
	r = make_response(metrics_text(s->agent, format), metrics_type(format), &response);
	if (r < 0)
		return r;
	cleanup_response(&page->response);
	*page = (struct page){ response, now_ns };
	return 0;
}

static enum MHD_Result handle_request(void *arg, struct MHD_Connection *connection,
				      const char *path, const char *method, const char *version,
				      const char *piece, size_t *piece_size, void **seen)
{
	struct scrape *s = arg;
	enum metrics_format format = metrics_format_for(
		MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT));

	(void)version;
	(void)piece;
	(void)piece_size;
	(void)seen;
	if (strcmp(path, "/metrics") != 0 ||
	    (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0))
		return refuse(s, connection);
	if (refresh(s, format) < 0)
		return MHD_NO;
	s->counts.answered++;
	return MHD_queue_response(connection, MHD_HTTP_OK, s->pages[format].response);
}

/* --- connections --- */

static struct visit *free_visit(struct scrape *s)
{
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		if (s->visits[i].fd < 0)
			return &s->visits[i];
	return NULL;
}

static void notify_connection(void *arg, struct MHD_Connection *connection, void **context,
			      enum MHD_ConnectionNotificationCode code)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct visit *visit = *context;

	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (visit)
			visit->fd = -1;
		*context = NULL;
		return;
	}
	visit = info ? free_visit(arg) : NULL;
	if (visit)
		*visit = (struct visit){ info->connect_fd, clock_ns(CLOCK_MONOTONIC) + LIFE_NS };
	*context = visit;
}

/* For libmicrohttpd, the peer hangs up. */
static void drop_slow(struct scrape *s)
{
	__u64 now_ns = clock_ns(CLOCK_MONOTONIC);

	for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
		struct visit *v = &s->visits[i];

		if (v->fd < 0 || v->until_ns > now_ns)
			continue;
		shutdown(v->fd, SHUT_RDWR);
		v->until_ns = UINT64_MAX;
		s->counts.dropped++;
	}
}

/* --- life --- */

/* Each family by itself: a host without IPv6 has no mapped addresses either. */
static socklen_t make_address(const struct endpoint *ep, struct sockaddr_storage *ret_address)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret_address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret_address;

	*ret_address = (struct sockaddr_storage){ 0 };
	if (address_is_v4(&ep->addr)) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(ep->port);
		memcpy(&v4->sin_addr, ep->addr.b + 12, sizeof(v4->sin_addr));
		return sizeof(*v4);
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(ep->port);
	memcpy(&v6->sin6_addr, ep->addr.b, sizeof(v6->sin6_addr));
	return sizeof(*v6);
}

/* flownerd is there before the network: an address may come later. */
static int bind_early(int fd, const struct sockaddr *address, socklen_t size, bool *ret_later)
{
	const int on = 1;

	*ret_later = false;
	if (bind(fd, address, size) == 0)
		return 0;
	if (errno != EADDRNOTAVAIL)
		return -errno;
	*ret_later = true;
	if (setsockopt(fd, SOL_IP, IP_FREEBIND, &on, sizeof(on)) < 0 || bind(fd, address, size) < 0)
		return -errno;
	return 0;
}

/* [::] is every address, of IPv4 too, whatever the host's default. */
static int listen_at(const char *endpoint, int *ret_fd, bool *ret_later)
{
	const int on = 1, off = 0;
	struct sockaddr_storage address;
	_close_ int fd = -1;
	struct endpoint ep;
	socklen_t size;
	int r = endpoint_parse_exact(endpoint, &ep);

	if (r < 0)
		return r;
	size = make_address(&ep, &address);
	fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    (address.ss_family == AF_INET6 &&
	     setsockopt(fd, SOL_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0))
		return -errno;
	r = bind_early(fd, (struct sockaddr *)&address, size, ret_later);
	if (r < 0)
		return r;
	if (listen(fd, BACKLOG) < 0)
		return -errno;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int start_daemon(struct scrape *s)
{
	s->daemon = MHD_start_daemon(
		MHD_USE_EPOLL, 0, NULL, NULL, handle_request, s, MHD_OPTION_LISTEN_SOCKET,
		s->listen_fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned int)CONNECTIONS_MAX,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
		MHD_OPTION_NOTIFY_CONNECTION, notify_connection, s, MHD_OPTION_END);
	if (!s->daemon)
		return errno ? -errno : -EIO;
	(void)TAKE_FD(s->listen_fd); /* closed with the daemon */
	return scrape_fd(s) < 0 ? -EIO : 0;
}

static void cleanup_scrape(struct scrape **s)
{
	scrape_free(*s);
}

int scrape_new(struct agent *agent, const char *endpoint, struct scrape **ret_scrape,
	       bool *ret_later, struct fail *f)
{
	_cleanup_(cleanup_scrape) struct scrape *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return fail(f, -ENOMEM, "out of memory");
	s->agent = agent;
	s->listen_fd = -1;
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		s->visits[i].fd = -1;
	r = listen_at(endpoint, &s->listen_fd, ret_later);
	if (!r)
		r = start_daemon(s);
	if (r < 0)
		return fail(f, r, "cannot serve metrics at '%s': %s", endpoint, strerror(-r));
	*ret_scrape = TAKE_PTR(s);
	return 0;
}

void scrape_free(struct scrape *s)
{
	if (!s)
		return;
	if (s->daemon)
		MHD_stop_daemon(s->daemon);
	for (size_t i = 0; i < METRICS_FORMATS; i++)
		cleanup_response(&s->pages[i].response);
	cleanup_close(&s->listen_fd);
	free(s);
}

int scrape_fd(const struct scrape *s)
{
	const union MHD_DaemonInfo *info =
		s ? MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD) : NULL;

	return info ? info->epoll_fd : -1;
}

int scrape_run(struct scrape *s)
{
	if (!s)
		return 0;
	drop_slow(s);
	return MHD_run(s->daemon) == MHD_YES ? 0 : -EIO;
}

static __u64 first_end_ns(const struct scrape *s)
{
	__u64 first = UINT64_MAX;

	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		if (s->visits[i].fd >= 0 && s->visits[i].until_ns < first)
			first = s->visits[i].until_ns;
	return first;
}

int scrape_timeout_ms(const struct scrape *s)
{
	__u64 now_ns = clock_ns(CLOCK_MONOTONIC), end_ns;
	MHD_UNSIGNED_LONG_LONG ms;

	if (!s)
		return -1;
	if (MHD_get_timeout(s->daemon, &ms) == MHD_YES)
		return ms < INT_MAX ? (int)ms : INT_MAX;
	end_ns = first_end_ns(s);
	if (end_ns == UINT64_MAX)
		return -1;
	return end_ns > now_ns ? (int)((end_ns - now_ns) / NS_PER_MS) + 1 : 0;
}

struct scrape_counts scrape_counts(const struct scrape *s)
{
	return s ? s->counts : (struct scrape_counts){ 0 };
}
