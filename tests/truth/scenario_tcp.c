/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP: who connects and who accepts. Where the server varies, the stage itself is the client and
 * tells the server which slot its session has; where the client varies, the stage is the server.
 */
#include "scenario.h"

#include "text/cleanup.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "actor.h"
#include "net.h"

enum io {
	IO_BOTH, /* server receives, then sends */
	IO_RECV, /* server receives only */
	IO_SEND, /* server sends only */
	IO_NONE, /* server only closes */
};

struct serve {
	bool with_addr;
	enum io io;
	int listener; /* inherited, or -1: its own */
};

static int server_talks(int fd, enum io io)
{
	if (io == IO_BOTH || io == IO_RECV)
		TRY(recv_byte(fd));
	if (io == IO_BOTH || io == IO_SEND)
		TRY(send_byte(fd));
	return 0;
}

/* Every other turn the server closes first. */
static int client_talks(struct conn *c, enum io io)
{
	if (io == IO_BOTH || io == IO_RECV)
		TRY(send_byte(c->fd));
	if (io == IO_BOTH || io == IO_SEND)
		TRY(recv_byte(c->fd));
	if (turn() & 1)
		TRY(recv_end(c->fd));
	return conn_close(c);
}

/* accept() and the client's slot: the connection is complete in the ledger. */
static int accept_known(struct conn *c, int listener, bool with_addr, int ctl)
{
	uint64_t client;

	TRY(tcp_accept(c, listener, with_addr));
	TRY(hear(ctl, &client));
	if (!with_addr)
		session_mirror(c->s, session_at((uint32_t)client));
	return 0;
}

static int serve_one(int ctl, void *arg)
{
	const struct serve *serve = arg;
	_conn_ struct conn l = CONN_NONE, c = CONN_NONE;
	struct ep at;

	if (serve->listener < 0) {
		TRY(tcp_listen(&l, NULL, &at));
		TRY(say(ctl, at.port));
	}
	TRY(accept_known(&c, l.fd >= 0 ? l.fd : serve->listener, serve->with_addr, ctl));
	TRY(server_talks(c.fd, serve->io));
	TRY(conn_close(&c));
	return 0;
}

/* The stage connects to PORT, tells the server its slot and talks. */
static int call(int ctl, uint16_t port, enum io io)
{
	_conn_ struct conn c = CONN_NONE;
	struct ep to = loopback(1, port);

	TRY(tcp_connect(&c, &to));
	TRY(say(ctl, session_index(c.s)));
	TRY(client_talks(&c, io));
	return 0;
}

static int one_server(struct serve serve)
{
	_actor_ struct actor server = ACTOR_NONE;
	uint64_t port;

	serve.listener = -1;
	TRY(actor_start(&server, "server", serve_one, &serve));
	TRY(hear(server.ctl, &port));
	TRY(call(server.ctl, (uint16_t)port, serve.io));
	TRY(actor_join(&server));
	return 0;
}

int tcp_plain(void)
{
	return one_server((struct serve){ .with_addr = true, .io = IO_BOTH });
}

int tcp_accept_recv(void)
{
	return one_server((struct serve){ .io = IO_RECV });
}

int tcp_accept_send(void)
{
	return one_server((struct serve){ .io = IO_SEND });
}

int tcp_accept_untouched(void)
{
	return one_server((struct serve){ .io = IO_NONE });
}

/* Workers wait on one inherited listener; the one that wins learns the client's slot by payload. */
static int prefork_worker(int ctl, void *arg)
{
	const struct serve *serve = arg;
	uint64_t more;

	for (;;) {
		_conn_ struct conn c = CONN_NONE;
		uint32_t client;
		struct pollfd p[2] = { { .fd = serve->listener, .events = POLLIN },
				       { .fd = ctl, .events = POLLIN } };

		SYS(poll(p, 2, patience_ms()));
		if (p[1].revents)
			return hear(ctl, &more) < 0 ? -1 : 0;
		if (tcp_accept(&c, serve->listener, serve->with_addr) < 0)
			continue; /* another worker was faster */
		if (SYS(recv(c.fd, &client, sizeof(client), MSG_WAITALL)) != sizeof(client))
			return -EPROTO;
		if (!serve->with_addr)
			session_mirror(c.s, session_at(client));
		TRY(conn_close(&c));
	}
}

static int call_by_payload(const struct ep *to)
{
	_conn_ struct conn c = CONN_NONE;
	uint32_t index;

	TRY(tcp_connect(&c, to));
	index = session_index(c.s);
	SYS(send(c.fd, &index, sizeof(index), MSG_NOSIGNAL));
	TRY(recv_end(c.fd));
	return conn_close(&c);
}

int tcp_prefork(void)
{
	_actor_ struct actor a = ACTOR_NONE, b = ACTOR_NONE, c = ACTOR_NONE;
	_conn_ struct conn l = CONN_NONE;
	struct serve serve = { .with_addr = turn() & 1 };
	struct actor *all[] = { &a, &b, &c };
	struct ep at;

	TRY(tcp_listen(&l, NULL, &at));
	serve.listener = l.fd;
	/* Non-blocking: all are woken, one wins. */
	SYS(fcntl(l.fd, F_SETFL, O_NONBLOCK));
	for (int i = 0; i < 3; i++)
		TRY(actor_start(all[i], "worker", prefork_worker, &serve));
	for (int i = 0; i < 6; i++)
		TRY(call_by_payload(&at));
	for (int i = 0; i < 3; i++) {
		TRY(say(all[i]->ctl, 0));
		TRY(actor_join(all[i]));
	}
	return 0;
}

struct inherited {
	struct conn c;
	enum io io;
};

static int inetd_child(int ctl, void *arg)
{
	struct inherited *in = arg;
	uint64_t go;

	TRY(hear(ctl, &go)); /* the acceptor has let go */
	TRY(server_talks(in->c.fd, in->io));
	return conn_close(&in->c);
}

/* Accept, fork, let go: the child serves. */
static int inetd_server(int ctl, void *arg)
{
	const struct serve *serve = arg;
	_conn_ struct conn l = CONN_NONE;
	_actor_ struct actor child = ACTOR_NONE;
	struct inherited in = { .c = CONN_NONE, .io = serve->io };
	struct ep at;

	TRY(tcp_listen(&l, NULL, &at));
	TRY(say(ctl, at.port));
	TRY(accept_known(&in.c, l.fd, serve->with_addr, ctl));
	if (!serve->with_addr)
		in.c.s->flags |= T_HANDED_OVER;
	TRY(actor_start(&child, "inetd-child", inetd_child, &in));
	session_holder(in.c.s, child.pid);
	SYS(close(in.c.fd));
	TRY(say(child.ctl, 0));
	TRY(actor_join(&child));
	return 0;
}

static int inetd(bool with_addr)
{
	_actor_ struct actor server = ACTOR_NONE;
	struct serve serve = { .with_addr = with_addr, .io = IO_BOTH };
	uint64_t port;

	TRY(actor_start(&server, "inetd", inetd_server, &serve));
	TRY(hear(server.ctl, &port));
	TRY(call(server.ctl, (uint16_t)port, serve.io));
	TRY(actor_join(&server));
	return 0;
}

int tcp_inetd_addr(void)
{
	return inetd(true);
}

int tcp_inetd_null(void)
{
	return inetd(false);
}

static int receiver(int ctl, void *arg)
{
	_conn_ struct conn c = CONN_NONE;
	uint64_t index;

	(void)arg;
	TRY(hear(ctl, &index));
	TRY(hear_fd(ctl, &c.fd));
	c.s = session_at((uint32_t)index);
	TRY(server_talks(c.fd, IO_BOTH));
	return conn_close(&c);
}

/* Accept, pass the descriptor to a process that is no child, let go. */
static int passing_server(int ctl, void *arg)
{
	const struct serve *serve = arg;
	_conn_ struct conn l = CONN_NONE, c = CONN_NONE;
	_actor_ struct actor other = ACTOR_NONE;
	struct ep at;

	TRY(actor_start(&other, "receiver", receiver, NULL));
	TRY(tcp_listen(&l, NULL, &at));
	TRY(say(ctl, at.port));
	TRY(accept_known(&c, l.fd, serve->with_addr, ctl));
	if (!serve->with_addr)
		c.s->flags |= T_HANDED_OVER;
	session_holder(c.s, other.pid);
	TRY(say(other.ctl, session_index(c.s)));
	TRY(say_fd(other.ctl, c.fd));
	SYS(close(TAKE_FD(c.fd)));
	TRY(actor_join(&other));
	return 0;
}

static int passed(bool with_addr)
{
	_actor_ struct actor server = ACTOR_NONE;
	struct serve serve = { .with_addr = with_addr };
	uint64_t port;

	TRY(actor_start(&server, "passing", passing_server, &serve));
	TRY(hear(server.ctl, &port));
	TRY(call(server.ctl, (uint16_t)port, IO_BOTH));
	TRY(actor_join(&server));
	return 0;
}

int tcp_passed_addr(void)
{
	return passed(true);
}

int tcp_passed_null(void)
{
	return passed(false);
}

struct dial {
	struct ep to;
	int fd; /* inherited, or -1: comes by the channel */
};

/* The actor connects a socket that another process made. */
static int dial_foreign(int ctl, void *arg)
{
	const struct dial *dial = arg;
	_conn_ struct conn c = CONN_NONE;
	int fd = dial->fd;
	uint64_t go;

	if (fd < 0)
		TRY(hear_fd(ctl, &fd));
	TRY(tcp_connect_fd(&c, fd, &dial->to, 0));
	TRY(send_byte(c.fd));
	TRY(say(ctl, 0));
	TRY(hear(ctl, &go)); /* the maker holds it until here */
	return conn_close(&c);
}

static int foreign_socket(bool inherit)
{
	_actor_ struct actor client = ACTOR_NONE;
	_conn_ struct conn l = CONN_NONE, c = CONN_NONE;
	struct dial dial = { .fd = -1 };
	_close_ int fd = -1;
	uint64_t connected;

	TRY(tcp_listen(&l, NULL, &dial.to));
	fd = TRY(sock_new(SOCK_STREAM));
	if (inherit)
		dial.fd = fd;
	TRY(actor_start(&client, "dialler", dial_foreign, &dial));
	if (!inherit)
		TRY(say_fd(client.ctl, fd));
	TRY(tcp_accept(&c, l.fd, true));
	TRY(hear(client.ctl, &connected));
	SYS(close(TAKE_FD(fd)));
	TRY(say(client.ctl, 0));
	TRY(actor_join(&client));
	TRY(recv_end(c.fd));
	return conn_close(&c);
}

int tcp_passed_unconnected(void)
{
	return foreign_socket(false);
}

int tcp_shared_socket(void)
{
	return foreign_socket(true);
}

/* listen() in the parent, accept() in the child; the parent keeps or drops its copy. */
static int listening_parent(int ctl, void *arg)
{
	struct serve *serve = arg;
	_conn_ struct conn l = CONN_NONE;
	_actor_ struct actor child = ACTOR_NONE;
	uint64_t client;
	struct ep at;

	TRY(tcp_listen(&l, NULL, &at));
	serve->listener = l.fd;
	TRY(actor_start(&child, "acceptor", serve_one, serve));
	if (turn() & 1)
		SYS(close(TAKE_FD(l.fd)));
	TRY(say(ctl, at.port));
	TRY(hear(ctl, &client));
	TRY(say(child.ctl, client));
	TRY(actor_join(&child));
	return 0;
}

int tcp_fork_after_listen(void)
{
	_actor_ struct actor server = ACTOR_NONE;
	struct serve serve = { .with_addr = turn() % 3, .io = IO_BOTH };
	uint64_t port;

	TRY(actor_start(&server, "listener", listening_parent, &serve));
	TRY(hear(server.ctl, &port));
	TRY(call(server.ctl, (uint16_t)port, serve.io));
	TRY(actor_join(&server));
	return 0;
}

/* One member of a SO_REUSEPORT group: takes what comes, leaves the last one in its queue. */
static int reuseport_member(int ctl, void *arg)
{
	struct ep at = *(struct ep *)arg;
	_conn_ struct conn l = CONN_NONE;
	struct pollfd p[2];
	uint64_t client;
	int fd = TRY(sock_new(SOCK_STREAM));

	TRY(sock_flag(fd, SOL_SOCKET, SO_REUSEPORT, 1));
	TRY(sock_bind(fd, &at));
	TRY(tcp_listen_fd(&l, fd));
	TRY(say(ctl, l.s->local.port));
	p[0] = (struct pollfd){ .fd = l.fd, .events = POLLIN };
	p[1] = (struct pollfd){ .fd = ctl, .events = POLLIN };
	for (;;) {
		_conn_ struct conn c = CONN_NONE;

		SYS(poll(p, 2, patience_ms()));
		if (p[1].revents)
			return conn_close(&l);
		TRY(say(ctl, 0)); /* it is mine */
		TRY(hear(ctl, &client));
		if (client & 1ULL << 32) {
			tcp_queued(session_at((uint32_t)client), l.s);
			return conn_close(&l);
		}
		TRY(tcp_accept(&c, l.fd, true));
		TRY(recv_end(c.fd));
		TRY(conn_close(&c));
	}
}

/* Which member has the connection of C? It says so itself. */
static int reuseport_call(struct actor **all, int count, const struct ep *to, uint64_t queued,
			  int *ret_member)
{
	_conn_ struct conn c = CONN_NONE;
	struct pollfd p[8];
	uint64_t mine;

	TRY(tcp_connect(&c, to));
	for (int i = 0; i < count; i++)
		p[i] = (struct pollfd){ .fd = all[i]->ctl, .events = POLLIN };
	if (SYS(poll(p, (nfds_t)count, patience_ms())) == 0)
		return failed(__FILE__, __LINE__, "no member answers", -ETIMEDOUT);
	for (int i = 0; i < count; i++) {
		if (!p[i].revents)
			continue;
		TRY(hear(p[i].fd, &mine));
		TRY(say(p[i].fd, session_index(c.s) | queued));
		*ret_member = i;
	}
	if (queued)
		TRY(actor_join(all[*ret_member])); /* resets it with its queue */
	return conn_close(&c);
}

int tcp_reuseport(void)
{
	_actor_ struct actor a = ACTOR_NONE, b = ACTOR_NONE, c = ACTOR_NONE;
	struct actor *all[] = { &a, &b, &c };
	struct ep at = loopback(1, 0);
	uint64_t port;
	int member = 0;

	for (int i = 0; i < 3; i++) {
		TRY(actor_start(all[i], "member", reuseport_member, &at));
		TRY(hear(all[i]->ctl, &port));
		at.port = (uint16_t)port;
	}
	for (int i = 0; i < 6; i++)
		TRY(reuseport_call(all, 3, &at, 0, &member));
	TRY(reuseport_call(all, 3, &at, 1ULL << 32, &member));
	for (int i = 0; i < 3; i++) {
		if (i == member)
			continue;
		TRY(say(all[i]->ctl, 0));
		TRY(actor_join(all[i]));
	}
	return 0;
}

struct thread_work {
	int ctl;
	struct ep to;
	bool leader_leaves;
	bool serve; /* accept instead of connect */
	pthread_t leader;
};

static int thread_connects(struct thread_work *w)
{
	_conn_ struct conn c = CONN_NONE;

	TRY(tcp_connect(&c, &w->to));
	TRY(send_byte(c.fd));
	return conn_close(&c);
}

static int thread_accepts(struct thread_work *w)
{
	_conn_ struct conn l = CONN_NONE, c = CONN_NONE;
	struct ep at;

	TRY(tcp_listen(&l, NULL, &at));
	TRY(say(w->ctl, at.port));
	TRY(tcp_accept(&c, l.fd, true));
	TRY(recv_byte(c.fd));
	return conn_close(&c);
}

static void *thread_main(void *arg)
{
	struct thread_work *w = arg;
	int r;

	prctl(PR_SET_NAME, "other-name");
	if (w->leader_leaves)
		pthread_join(w->leader, NULL);
	r = w->serve ? thread_accepts(w) : thread_connects(w);
	_exit(r < 0 ? 1 : 0);
}

static int threaded(int ctl, void *arg)
{
	static struct thread_work w; /* outlives the leader's stack */
	pthread_t thread;

	w = *(struct thread_work *)arg;
	w.ctl = ctl;
	w.leader = pthread_self();
	TRY(-pthread_create(&thread, NULL, thread_main, &w));
	if (w.leader_leaves)
		pthread_exit(NULL);
	pthread_join(thread, NULL);
	return 0;
}

static int thread_as_client(bool leader_leaves)
{
	_actor_ struct actor client = ACTOR_NONE;
	_conn_ struct conn l = CONN_NONE, c = CONN_NONE;
	struct thread_work work = { .leader_leaves = leader_leaves };

	TRY(tcp_listen(&l, NULL, &work.to));
	TRY(actor_start(&client, "threaded", threaded, &work));
	TRY(tcp_accept(&c, l.fd, true));
	TRY(recv_end(c.fd));
	TRY(actor_join(&client));
	return conn_close(&c);
}

static int thread_as_server(bool leader_leaves)
{
	_actor_ struct actor server = ACTOR_NONE;
	_conn_ struct conn c = CONN_NONE;
	struct thread_work work = { .leader_leaves = leader_leaves, .serve = true };
	struct ep to;
	uint64_t port;

	TRY(actor_start(&server, "threaded", threaded, &work));
	TRY(hear(server.ctl, &port));
	to = loopback(1, (uint16_t)port);
	TRY(tcp_connect(&c, &to));
	TRY(send_byte(c.fd));
	TRY(recv_end(c.fd));
	TRY(actor_join(&server));
	return conn_close(&c);
}

int tcp_thread_comm(void)
{
	TRY(thread_as_client(false));
	return thread_as_server(false);
}

int tcp_leader_exited(void)
{
	TRY(thread_as_client(true));
	return thread_as_server(true);
}
