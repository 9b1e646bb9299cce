/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The same sessions through io_uring: connect, accept, send and recv run inside the submitting
 * system call, in a worker thread (IOSQE_ASYNC), or in the polling thread of the ring (SQPOLL).
 * Both helpers are threads of the process, so the owner is the process in all three.
 */
#include "scenario.h"

#include "actor.h"
#include "net.h"

enum how {
	INLINE,
	ASYNC,
	SQPOLL,
};

#ifdef TRUTH_HAVE_URING
#include <liburing.h>
#include <netinet/tcp.h>

#define _ring_ __attribute__((cleanup(ring_exit)))

struct ring {
	struct io_uring uring;
	bool made;
	enum how how;
};

static void ring_exit(struct ring *ring)
{
	if (ring->made)
		io_uring_queue_exit(&ring->uring);
}

/* SKIPPED when this kernel, or its administrator, does not allow it. */
static int ring_init(struct ring *ring, enum how how)
{
	struct io_uring_params params = { .sq_thread_idle = 1000 };
	int r;

	if (how == SQPOLL)
		params.flags = IORING_SETUP_SQPOLL;
	r = io_uring_queue_init_params(8, &ring->uring, &params);
	if (r == -ENOSYS || r == -EPERM || r == -EACCES || r == -ENOMEM)
		return skipped("io_uring is not available");
	if (r < 0)
		return r;
	ring->made = true;
	ring->how = how;
	if (how == SQPOLL && !(params.features & IORING_FEAT_SQPOLL_NONFIXED))
		return skipped("io_uring polling needs registered files here");
	return 0;
}

static struct io_uring_sqe *next(struct ring *ring)
{
	return io_uring_get_sqe(&ring->uring);
}

/* Submits SQE and waits; the result of the operation. */
static int finish(struct ring *ring, struct io_uring_sqe *sqe)
{
	struct __kernel_timespec limit = { .tv_sec = patience_ms() / 1000 };
	struct io_uring_cqe *cqe;
	int r;

	if (ring->how == ASYNC)
		io_uring_sqe_set_flags(sqe, IOSQE_ASYNC);
	r = io_uring_submit(&ring->uring);
	if (r < 0)
		return r;
	r = io_uring_wait_cqe_timeout(&ring->uring, &cqe, &limit);
	if (r < 0)
		return r == -ETIME ? -ETIMEDOUT : r;
	r = cqe->res;
	io_uring_cqe_seen(&ring->uring, cqe);
	return r;
}

static int ring_send(struct ring *ring, int fd)
{
	struct io_uring_sqe *sqe = next(ring);

	io_uring_prep_send(sqe, fd, "x", 1, MSG_NOSIGNAL);
	return finish(ring, sqe) == 1 ? 0 : -EPIPE;
}

static int ring_recv(struct ring *ring, int fd)
{
	struct io_uring_sqe *sqe = next(ring);
	char byte;

	io_uring_prep_recv(sqe, fd, &byte, 1, 0);
	return finish(ring, sqe) == 1 ? 0 : -EPIPE;
}

static int ring_connect(struct ring *ring, struct conn *c, const struct ep *to)
{
	struct sockaddr_storage sa;
	struct io_uring_sqe *sqe;
	uint64_t before;
	socklen_t len;

	c->fd = TRY(sock_new(SOCK_STREAM));
	len = ep_to_sa(sock_af(c->fd), to, &sa);
	before = now_ns();
	sqe = next(ring);
	io_uring_prep_connect(sqe, c->fd, (struct sockaddr *)&sa, len);
	TRY(finish(ring, sqe));
	c->s = session_open(&(struct opening){ .fd = c->fd,
					       .proto = IPPROTO_TCP,
					       .role = ROLE_OPENER,
					       .flags = T_URING,
					       .remote = to,
					       .before = before });
	return 0;
}

static int ring_accept(struct ring *ring, struct conn *c, int listener, bool with_addr)
{
	struct io_uring_sqe *sqe = next(ring);
	struct sockaddr_storage sa = { 0 };
	socklen_t len = sizeof(sa);
	uint64_t before = now_ns();
	struct ep remote;

	io_uring_prep_accept(sqe, listener, with_addr ? (struct sockaddr *)&sa : NULL,
			     with_addr ? &len : NULL, SOCK_CLOEXEC);
	c->fd = TRY(finish(ring, sqe));
	if (with_addr)
		ep_from_sa(&sa, &remote);
	c->s = session_open(&(struct opening){ .fd = c->fd,
					       .proto = IPPROTO_TCP,
					       .role = ROLE_ACCEPTOR,
					       .flags = T_URING | (with_addr ? 0 : T_ACCEPT_NULL),
					       .remote = with_addr ? &remote : NULL,
					       .before = before });
	return 0;
}

static int ring_server(int ctl, void *arg)
{
	_conn_ struct conn l = CONN_NONE, c = CONN_NONE;
	_ring_ struct ring ring = { .made = false };
	bool with_addr = turn() & 1;
	uint64_t client;
	struct ep at;

	TRY(ring_init(&ring, *(enum how *)arg));
	TRY(tcp_listen(&l, NULL, &at));
	TRY(say(ctl, at.port));
	TRY(ring_accept(&ring, &c, l.fd, with_addr));
	TRY(hear(ctl, &client));
	if (!with_addr)
		session_mirror(c.s, session_at((uint32_t)client));
	TRY(ring_recv(&ring, c.fd));
	TRY(ring_send(&ring, c.fd));
	return conn_close(&c);
}

struct job {
	enum how how;
	struct ep to;
	int server; /* channel */
};

static int ring_client(int ctl, void *arg)
{
	const struct job *job = arg;
	_conn_ struct conn c = CONN_NONE;
	_ring_ struct ring ring = { .made = false };

	(void)ctl;
	TRY(ring_init(&ring, job->how));
	TRY(ring_connect(&ring, &c, &job->to));
	TRY(say(job->server, session_index(c.s)));
	TRY(ring_send(&ring, c.fd));
	TRY(ring_recv(&ring, c.fd));
	return conn_close(&c);
}

static int through_ring(enum how how)
{
	_actor_ struct actor server = ACTOR_NONE, client = ACTOR_NONE;
	struct job job = { .how = how };
	uint64_t port;
	int r;

	{
		_ring_ struct ring probe = { .made = false };

		r = ring_init(&probe, how);
		if (r)
			return r;
	}
	TRY(actor_start(&server, "uring-server", ring_server, &how));
	TRY(hear(server.ctl, &port));
	job.to = loopback(1, (uint16_t)port);
	job.server = server.ctl;
	TRY(actor_start(&client, "uring-client", ring_client, &job));
	TRY(actor_join(&client));
	TRY(actor_join(&server));
	return 0;
}

#else

static int through_ring(enum how how)
{
	(void)how;
	return skipped("built without liburing");
}

#endif

int uring_inline(void)
{
	return through_ring(INLINE);
}

int uring_async(void)
{
	return through_ring(ASYNC);
}

int uring_sqpoll(void)
{
	return through_ring(SQPOLL);
}
