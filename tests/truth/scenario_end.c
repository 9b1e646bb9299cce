/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP sessions that begin badly, end oddly, or are not the first of their socket. */
#include "scenario.h"

#include "text/cleanup.h"
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>

#include "actor.h"
#include "net.h"

/* An actor doing all of FN, with ARG. */
static int alone(const char *name, actor_fn fn, void *arg)
{
	_actor_ struct actor a = ACTOR_NONE;

	TRY(actor_start(&a, name, fn, arg));
	TRY(actor_join(&a));
	return 0;
}

/* --- what is in the queue of a listener --- */

static int keeps_queue(int ctl, void *arg)
{
	_conn_ struct conn l = CONN_NONE;
	struct session *queued;
	uint64_t client, before;
	struct ep at;

	(void)arg;
	TRY(tcp_listen(&l, NULL, &at));
	TRY(say(ctl, at.port));
	TRY(hear(ctl, &client));
	queued = tcp_queued(session_at((uint32_t)client), l.s);
	TRY(say(ctl, 0));
	if (turn() & 1)
		TRY(hear(ctl, &client)); /* the client has closed */
	before = now_ns();
	TRY(conn_close(&l));
	session_closed(queued, before);
	return say(ctl, 0);
}

int tcp_backlog_closed(void)
{
	_actor_ struct actor server = ACTOR_NONE;
	_conn_ struct conn c = CONN_NONE;
	uint64_t value;
	struct ep to;

	TRY(actor_start(&server, "keeper", keeps_queue, NULL));
	TRY(hear(server.ctl, &value));
	to = loopback(1, (uint16_t)value);
	TRY(tcp_connect(&c, &to));
	TRY(send_byte(c.fd));
	TRY(say(server.ctl, session_index(c.s)));
	TRY(hear(server.ctl, &value));
	if (turn() & 1) {
		TRY(conn_close(&c));
		TRY(say(server.ctl, 0));
	}
	TRY(hear(server.ctl, &value));
	if (c.fd >= 0)
		TRY(conn_close(&c));
	TRY(actor_join(&server));
	return 0;
}

static int accepts_late(int ctl, void *arg)
{
	_conn_ struct conn l = CONN_NONE, c = CONN_NONE;
	bool with_addr = turn() & 1;
	uint64_t client;
	struct ep at;

	(void)arg;
	TRY(tcp_listen(&l, NULL, &at));
	TRY(say(ctl, at.port));
	TRY(hear(ctl, &client));
	TRY(tcp_accept(&c, l.fd, with_addr));
	if (!with_addr)
		session_mirror(c.s, session_at((uint32_t)client));
	return conn_close(&c);
}

/* A reset while it waits in the queue: accept() returns a socket that is closed already. */
int tcp_backlog_reset(void)
{
	_actor_ struct actor server = ACTOR_NONE;
	_conn_ struct conn c = CONN_NONE;
	uint64_t port;
	uint32_t client;
	struct ep to;

	TRY(actor_start(&server, "late", accepts_late, NULL));
	TRY(hear(server.ctl, &port));
	to = loopback(1, (uint16_t)port);
	TRY(tcp_connect(&c, &to));
	client = session_index(c.s);
	TRY(conn_reset(&c));
	TRY(say(server.ctl, client));
	TRY(actor_join(&server));
	return 0;
}

/* --- connect() that takes its time, or fails --- */

/* Begins a connect; the socket says how it went when it becomes writable. */
static int begin_connect(int fd, const struct ep *to)
{
	int r;

	SYS(fcntl(fd, F_SETFL, O_NONBLOCK));
	r = sock_connect(fd, to);
	return r == -EINPROGRESS ? 0 : r;
}

static int wait_connected(int fd, int *ret_error)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	socklen_t len = sizeof(*ret_error);

	if (SYS(poll(&p, 1, patience_ms())) == 0)
		return -ETIMEDOUT;
	SYS(getsockopt(fd, SOL_SOCKET, SO_ERROR, ret_error, &len));
	return 0;
}

static int dials_nonblocking(int ctl, void *arg)
{
	const struct ep *to = arg;
	_conn_ struct conn c = CONN_NONE;
	uint64_t before = now_ns();
	int error = 0;

	(void)ctl;
	c.fd = TRY(sock_new(SOCK_STREAM));
	TRY(begin_connect(c.fd, to));
	TRY(wait_connected(c.fd, &error));
	c.s = session_open(&(struct opening){ .fd = c.fd,
					      .proto = IPPROTO_TCP,
					      .role = ROLE_OPENER,
					      .remote = to,
					      .before = before });
	TRY(-error);
	TRY(send_byte(c.fd));
	return conn_close(&c);
}

int tcp_nonblocking(void)
{
	_actor_ struct actor client = ACTOR_NONE;
	_conn_ struct conn l = CONN_NONE, c = CONN_NONE;
	struct ep at;

	TRY(tcp_listen(&l, NULL, &at));
	TRY(actor_start(&client, "nonblocking", dials_nonblocking, &at));
	TRY(tcp_accept(&c, l.fd, true));
	TRY(recv_end(c.fd));
	TRY(actor_join(&client));
	return conn_close(&c);
}

/* A connect to where nobody answers well: bound and blocking, or unbound and not blocking. */
static int dial_in_vain(const struct ep *to, int want, const char *reason, bool bound)
{
	_conn_ struct conn c = CONN_NONE;
	struct ep here = loopback(1, 0);
	uint64_t before = now_ns();
	int error = 0;

	c.fd = TRY(sock_new(SOCK_STREAM));
	TRY(sock_flag(c.fd, IPPROTO_TCP, TCP_SYNCNT, 1));
	if (bound) {
		TRY(sock_bind(c.fd, &here));
		TRY(ep_of_fd(c.fd, &here)); /* a failed connect() forgets its port */
		error = -sock_connect(c.fd, to);
	} else {
		TRY(begin_connect(c.fd, to));
		TRY(wait_connected(c.fd, &error));
		TRY(ep_of_fd(c.fd, &here));
	}
	c.s = session_open(&(struct opening){ .fd = c.fd,
					      .proto = IPPROTO_TCP,
					      .role = ROLE_OPENER,
					      .flags = T_NO_MIRROR,
					      .local = &here,
					      .remote = to,
					      .before = before });
	session_reason(c.s, reason);
	if (error != want)
		return failed(__FILE__, __LINE__, reason, -error);
	return conn_close(&c);
}

static int refused_actor(int ctl, void *arg)
{
	(void)ctl;
	return dial_in_vain(arg, ECONNREFUSED, "refused", !(turn() & 1));
}

int tcp_refused(void)
{
	struct ep at = loopback(1, 0);
	_close_ int fd = TRY(sock_new(SOCK_STREAM));

	TRY(sock_bind(fd, &at)); /* nobody else listens there */
	TRY(ep_of_fd(fd, &at));
	return alone("refused", refused_actor, &at);
}

static int timed_out_actor(int ctl, void *arg)
{
	(void)ctl;
	return dial_in_vain(arg, ETIMEDOUT, "timed_out", true);
}

/* A listener whose queue is full drops every further SYN. */
int tcp_backlog_full(void)
{
	_conn_ struct conn l = CONN_NONE, c = CONN_NONE;
	struct session *queued;
	struct ep at;

	TRY(tcp_listen(&l, NULL, &at));
	SYS(listen(l.fd, 0)); /* one fits */
	TRY(tcp_connect(&c, &at));
	queued = tcp_queued(c.s, l.s);
	TRY(alone("timed-out", timed_out_actor, &at));
	session_closed(queued, now_ns());
	TRY(conn_close(&l));
	return conn_close(&c);
}

/* --- the process is gone, its data is not --- */

struct drain {
	struct ep to;
	bool serve; /* it accepts instead of connecting */
};

static int fill(int fd)
{
	static const char zeros[65536];

	for (;;) {
		ssize_t sent = send(fd, zeros, sizeof(zeros), MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent < 0)
			return errno == EAGAIN ? 0 : -errno;
	}
}

/* Leaves by exit, with more in its send buffer than the other end takes. */
static int drains(int ctl, void *arg)
{
	const struct drain *d = arg;
	struct conn l = CONN_NONE, c = CONN_NONE; /* never closed by us */
	struct ep at;

	if (d->serve) {
		TRY(tcp_listen(&l, NULL, &at));
		TRY(say(ctl, at.port));
		TRY(tcp_accept(&c, l.fd, true));
	} else {
		TRY(tcp_connect(&c, &d->to));
	}
	return fill(c.fd);
}

int tcp_draining(void)
{
	_actor_ struct actor other = ACTOR_NONE;
	_conn_ struct conn l = CONN_NONE, c = CONN_NONE;
	struct drain d = { .serve = turn() & 1 };
	struct ep to;
	uint64_t port;

	if (!d.serve)
		TRY(tcp_listen(&l, NULL, &d.to));
	TRY(actor_start(&other, "draining", drains, &d));
	if (d.serve) {
		TRY(hear(other.ctl, &port));
		to = loopback(1, (uint16_t)port);
		TRY(tcp_connect(&c, &to));
	} else {
		TRY(tcp_accept(&c, l.fd, true));
	}
	TRY(actor_join(&other)); /* gone */
	TRY(recv_end(c.fd));
	return conn_close(&c);
}

static int half_closes(int ctl, void *arg)
{
	_conn_ struct conn c = CONN_NONE;

	(void)ctl;
	TRY(tcp_connect(&c, arg));
	SYS(shutdown(c.fd, SHUT_WR));
	TRY(recv_byte(c.fd));
	TRY(recv_end(c.fd));
	return conn_close(&c);
}

int tcp_half_closed(void)
{
	_actor_ struct actor client = ACTOR_NONE;
	_conn_ struct conn l = CONN_NONE, c = CONN_NONE;
	struct ep at;

	TRY(tcp_listen(&l, NULL, &at));
	TRY(actor_start(&client, "half-closed", half_closes, &at));
	TRY(tcp_accept(&c, l.fd, true));
	TRY(recv_end(c.fd));
	TRY(send_byte(c.fd));
	TRY(conn_close(&c));
	TRY(actor_join(&client));
	return 0;
}

/* --- more than one session on a socket --- */

static int disconnect(struct conn *c)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	uint64_t before = now_ns();

	SYS(connect(c->fd, &none, sizeof(none)));
	session_closed(c->s, before);
	return 0;
}

static int reconnects(int ctl, void *arg)
{
	const struct ep *to = arg;
	_conn_ struct conn c = CONN_NONE;
	struct ep here = loopback(1, 0);
	int fd = TRY(sock_new(SOCK_STREAM));

	(void)ctl;
	if (turn() & 1)
		TRY(sock_bind(fd, &here));
	TRY(tcp_connect_fd(&c, fd, to, 0));
	TRY(send_byte(fd));
	for (int i = 0; i < 2; i++) {
		TRY(disconnect(&c));
		TRY(tcp_connect_fd(&c, fd, to, T_NUMBERED));
		TRY(send_byte(fd));
	}
	return conn_close(&c);
}

int tcp_reconnect(void)
{
	_actor_ struct actor client = ACTOR_NONE;
	_conn_ struct conn l = CONN_NONE;
	struct ep at;

	TRY(tcp_listen(&l, NULL, &at));
	TRY(actor_start(&client, "reconnects", reconnects, &at));
	for (int i = 0; i < 3; i++) {
		_conn_ struct conn c = CONN_NONE;

		TRY(tcp_accept(&c, l.fd, true));
		TRY(recv_end(c.fd));
		TRY(conn_close(&c));
	}
	TRY(actor_join(&client));
	return conn_close(&l);
}

static int relisten_once(int ctl, struct conn *l)
{
	_conn_ struct conn c = CONN_NONE;

	TRY(say(ctl, l->s->local.port));
	TRY(tcp_accept(&c, l->fd, true));
	TRY(recv_end(c.fd));
	return conn_close(&c);
}

static int relistens(int ctl, void *arg)
{
	_conn_ struct conn l = CONN_NONE;
	uint64_t before;

	(void)arg;
	TRY(tcp_listen(&l, NULL, NULL));
	TRY(relisten_once(ctl, &l));
	before = now_ns();
	SYS(shutdown(l.fd, SHUT_RDWR));
	session_closed(l.s, before);
	TRY(tcp_listen_fd(&l, l.fd));
	l.s->flags |= T_NUMBERED;
	TRY(relisten_once(ctl, &l));
	return conn_close(&l);
}

int tcp_relisten(void)
{
	_actor_ struct actor server = ACTOR_NONE;
	uint64_t port;

	TRY(actor_start(&server, "relistens", relistens, NULL));
	for (int i = 0; i < 2; i++) {
		_conn_ struct conn c = CONN_NONE;
		struct ep to;

		TRY(hear(server.ctl, &port));
		to = loopback(1, (uint16_t)port);
		TRY(tcp_connect(&c, &to));
		TRY(send_byte(c.fd));
		TRY(conn_close(&c));
	}
	TRY(actor_join(&server));
	return 0;
}

static int connects_to_itself(int ctl, void *arg)
{
	_conn_ struct conn c = CONN_NONE;
	struct ep here = loopback(1, 0);
	int fd = TRY(sock_new(SOCK_STREAM));

	(void)ctl;
	(void)arg;
	TRY(sock_bind(fd, &here));
	TRY(ep_of_fd(fd, &here));
	TRY(tcp_connect_fd(&c, fd, &here, T_NO_MIRROR));
	TRY(send_byte(c.fd));
	TRY(recv_byte(c.fd));
	return conn_close(&c);
}

/* One socket, one session, both ends: a simultaneous open with itself. */
int tcp_self_connect(void)
{
	return alone("narcissus", connects_to_itself, NULL);
}

static int turns_to_itself(int ctl, void *arg)
{
	_conn_ struct conn c = CONN_NONE;
	struct ep here = loopback(1, 0);
	int fd = TRY(sock_new(SOCK_STREAM));

	(void)ctl;
	TRY(port_choose(&here)); /* one that it keeps */
	TRY(sock_bind(fd, &here));
	TRY(tcp_connect_fd(&c, fd, arg, 0));
	TRY(send_byte(fd));
	for (int i = 0; i < 2; i++) {
		TRY(disconnect(&c));
		TRY(tcp_connect_fd(&c, fd, &here, T_NUMBERED | T_NO_MIRROR));
		TRY(send_byte(fd));
		TRY(recv_byte(fd));
	}
	return conn_close(&c);
}

/* A simultaneous open is not the socket's first session: it has an id of its own. */
int tcp_reconnect_self(void)
{
	_actor_ struct actor client = ACTOR_NONE;
	_conn_ struct conn l = CONN_NONE, c = CONN_NONE;
	struct ep at;

	TRY(tcp_listen(&l, NULL, &at));
	TRY(actor_start(&client, "turned", turns_to_itself, &at));
	TRY(tcp_accept(&c, l.fd, true));
	TRY(recv_end(c.fd));
	TRY(conn_close(&c));
	TRY(actor_join(&client));
	return conn_close(&l);
}

struct fixed {
	struct ep from, to;
};

static int from_fixed_port(int ctl, void *arg)
{
	const struct fixed *f = arg;
	_conn_ struct conn c = CONN_NONE;
	uint64_t go;
	int fd = TRY(sock_new(SOCK_STREAM));

	TRY(sock_flag(fd, SOL_SOCKET, SO_REUSEADDR, 1));
	TRY(sock_bind(fd, &f->from));
	TRY(tcp_connect_fd(&c, fd, &f->to, 0));
	TRY(send_byte(fd));
	TRY(hear(ctl, &go));
	return conn_reset(&c); /* no TIME_WAIT: the next one can have the port */
}

/* The same endpoints again and again, each time from another process. */
int tcp_tuple_reuse(void)
{
	_conn_ struct conn l = CONN_NONE;
	struct fixed f = { .from = loopback(2, 0) };

	TRY(port_choose(&f.from));
	TRY(tcp_listen(&l, NULL, &f.to));
	for (int i = 0; i < 8; i++) {
		_actor_ struct actor client = ACTOR_NONE;
		_conn_ struct conn c = CONN_NONE;

		TRY(actor_start(&client, i & 1 ? "odd" : "even", from_fixed_port, &f));
		TRY(tcp_accept(&c, l.fd, true));
		TRY(recv_byte(c.fd));
		TRY(say(client.ctl, 0));
		TRY(recv_end(c.fd));
		TRY(conn_close(&c));
		TRY(actor_join(&client));
	}
	return conn_close(&l);
}
