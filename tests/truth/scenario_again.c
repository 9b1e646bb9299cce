/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What others have used before, or use as well: endpoints in TIME_WAIT, a port that was closed a
 * moment ago, a port with several listeners, a peer of another socket, the number of a process.
 */
#include "scenario.h"

#include "text/cleanup.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "actor.h"
#include "place.h"
#include "udp.h"

static int join_told(struct actor *a)
{
	TRY(say(a->ctl, 0));
	TRY(actor_join(a));
	return 0;
}

/* --- TIME_WAIT --- */

struct pair {
	struct ep from, to;
	const struct conn *listener;
	bool client_first; /* to close: TIME_WAIT is on its side */
};

static int connect_when_let(struct conn *c, const struct pair *p)
{
	uint64_t deadline = now_ns() + (uint64_t)patience_ms() * 1000000;
	int r;

	for (;;) {
		int fd = TRY(sock_new(SOCK_STREAM));

		c->fd = fd;
		TRY(sock_flag(fd, SOL_SOCKET, SO_REUSEADDR, 1));
		TRY(sock_bind(fd, &p->from));
		r = tcp_connect_fd(c, fd, &p->to, 0);
		if (r != -EADDRNOTAVAIL || now_ns() > deadline)
			return r;
		TRY(conn_close(c));
		usleep(20000); /* lint: poll, for the clock of TIME_WAIT */
	}
}

static int calls_again(int ctl, void *arg)
{
	const struct pair *p = arg;
	_conn_ struct conn c = CONN_NONE;

	(void)ctl;
	TRY(connect_when_let(&c, p));
	TRY(send_byte(c.fd));
	if (!p->client_first)
		TRY(recv_end(c.fd));
	return conn_close(&c);
}

static int answers_again(int ctl, void *arg)
{
	const struct pair *p = arg;
	_conn_ struct conn c = CONN_NONE;

	(void)ctl;
	TRY(tcp_accept(&c, p->listener->fd, true));
	TRY(recv_byte(c.fd));
	if (!p->client_first)
		SYS(shutdown(c.fd, SHUT_WR)); /* and be in TIME_WAIT before the next one comes */
	TRY(recv_end(c.fd));
	return conn_close(&c);
}

/* The same endpoints, each time with other processes at both ends. */
static int again(struct pair *p, int times)
{
	for (int i = 0; i < times; i++) {
		_actor_ struct actor server = ACTOR_NONE, client = ACTOR_NONE;

		TRY(actor_start(&server, i & 1 ? "odd-server" : "even-server", answers_again, p));
		TRY(actor_start(&client, i & 1 ? "odd" : "even", calls_again, p));
		TRY(actor_join(&client));
		TRY(actor_join(&server));
	}
	return 0;
}

int again_time_wait(void)
{
	_conn_ struct conn l = CONN_NONE;
	struct pair p = { .from = loopback(1, 5555), .listener = &l };
	bool soon;
	int r = own_netns();

	if (refused_to_us(r))
		return skipped(CAN_NOT);
	TRY(r);
	TRY(tcp_listen(&l, NULL, &p.to));
	TRY(again(&p, 3)); /* a new SYN takes the place of the server's TIME_WAIT at once */
	TRY(setting("/proc/sys/net/ipv4/tcp_tw_reuse", "1"));
	soon = setting("/proc/sys/net/ipv4/tcp_tw_reuse_delay", "1") == 0; /* else a second */
	if (!soon && stage.family != FAMILY_V4)
		return conn_close(&l); /* once is enough to wait for */
	p.client_first = true;
	p.from.port++;
	TRY(again(&p, 2));
	return conn_close(&l);
}

/* --- a port closed a moment ago --- */

static int serves_once(int ctl, void *arg)
{
	const struct ep *at = arg, udp_at = { at->ip, (uint16_t)(at->port + 1), 0 };
	_conn_ struct conn l = CONN_NONE, c = CONN_NONE;
	_udp_ struct udp u = UDP_NONE;
	struct ep from;

	TRY(tcp_listen(&l, at, NULL));
	TRY(udp_new(&u));
	TRY(udp_bind(&u, &udp_at));
	TRY(say(ctl, 0));
	TRY(tcp_accept(&c, l.fd, true));
	TRY(recv_end(c.fd));
	TRY(udp_wait(&u));
	TRY(udp_take(&u, true, &udp_at, now_ns(), &from));
	TRY(conn_close(&c));
	TRY(udp_close(&u));
	return conn_close(&l);
}

/* Server after server on one port, with one client; neither side waits for anything. */
int again_port(void)
{
	struct ep at = loopback(3, 0), from = loopback(4, 0), asked;

	TRY(port_choose(&at));
	from.port = (uint16_t)(at.port + 2);
	asked = at;
	asked.port++;
	for (int i = 0; i < 4; i++) {
		_actor_ struct actor server = ACTOR_NONE;
		_conn_ struct conn c = CONN_NONE;
		_udp_ struct udp u = UDP_NONE;
		uint64_t ready;

		TRY(actor_start(&server, i & 1 ? "odd-server" : "even-server", serves_once, &at));
		TRY(hear(server.ctl, &ready));
		TRY(tcp_connect(&c, &at));
		TRY(udp_new(&u));
		TRY(udp_bind(&u, &from));
		TRY(udp_connect(&u, &asked));
		TRY(udp_send(&u));
		TRY(conn_close(&c));
		TRY(actor_join(&server));
		TRY(udp_close(&u));
	}
	return 0;
}

/* --- one port, several listeners --- */

static int listens_shared(int ctl, void *arg)
{
	struct ep *at = arg;
	_conn_ struct conn l = CONN_NONE, c = CONN_NONE;
	uint64_t client;

	l.fd = TRY(sock_new(SOCK_STREAM));
	TRY(sock_flag(l.fd, SOL_SOCKET, SO_REUSEPORT, 1));
	TRY(sock_bind(l.fd, at));
	TRY(tcp_listen_fd(&l, l.fd));
	TRY(say(ctl, 0));
	TRY(tcp_accept(&c, l.fd, true));
	TRY(say(ctl, 0));
	TRY(hear(ctl, &client)); /* of the one that is left in the queue */
	TRY(tcp_wait_queued(l.fd));
	tcp_queued(session_at((uint32_t)client), l.s);
	TRY(say(ctl, 0));
	TRY(recv_end(c.fd));
	TRY(conn_close(&c));
	return conn_close(&l);
}

/* Two calls for who listens at TO: one is accepted, one is not. */
static int call_shared(struct actor *server, const struct ep *to)
{
	_conn_ struct conn taken = CONN_NONE, left = CONN_NONE;
	uint64_t value;

	TRY(tcp_connect(&taken, to));
	TRY(hear(server->ctl, &value));
	TRY(tcp_connect(&left, to));
	TRY(say(server->ctl, session_index(left.s)));
	TRY(hear(server->ctl, &value));
	TRY(conn_close(&taken));
	TRY(actor_join(server));
	return conn_close(&left);
}

/* Any-address, and some of the addresses: the kernel prefers what fits best. */
int again_overlap(void)
{
	struct ep at[] = { any_address(0), loopback(1, 0), loopback(2, 0) };
	_actor_ struct actor a = ACTOR_NONE, b = ACTOR_NONE, c = ACTOR_NONE;
	struct actor *server[] = { &a, &b, &c };
	static const char *const names[] = { "any", "first", "second" };
	int count = stage.family == FAMILY_V6 ? 2 : 3; /* IPv6 has one loopback address */
	struct ep elsewhere;
	uint64_t ready;

	TRY(port_choose(&at[1]));
	at[0].port = at[2].port = at[1].port;
	elsewhere = loopback(9, at[1].port);
	for (int i = 0; i < count; i++) {
		TRY(actor_start(server[i], names[i], listens_shared, &at[i]));
		TRY(hear(server[i]->ctl, &ready));
	}
	for (int i = count - 1; i > 0; i--)
		TRY(call_shared(server[i], &at[i]));
	return call_shared(server[0], &elsewhere); /* IPv6: those who know better are gone */
}

/* --- a peer that goes on with another socket --- */

struct heir {
	struct ep at;
	bool successor;
};

static int takes_one(int ctl, void *arg)
{
	const struct heir *h = arg;
	const struct ep *at = &h->at;
	_udp_ struct udp u = UDP_NONE;
	struct ep from;
	uint64_t go;

	TRY(udp_new(&u));
	TRY(sock_flag(u.own.fd, SOL_SOCKET, SO_REUSEADDR, 1));
	TRY(udp_bind(&u, at));
	TRY(say(ctl, 0));
	TRY(udp_wait(&u));
	TRY(udp_take(&u, true, at, now_ns(), &from));
	if (h->successor) /* the client has one session with both */
		u.peers[0]->flags |= T_NO_MIRROR;
	TRY(udp_reply(&u, &from, NULL));
	TRY(say(ctl, 0));
	TRY(hear(ctl, &go));
	return udp_close(&u);
}

/* A successor binds the same port (SO_REUSEADDR) and takes the next datagram of a known peer. */
int again_taken_over(void)
{
	_actor_ struct actor a = ACTOR_NONE, b = ACTOR_NONE;
	struct actor *all[] = { &a, &b };
	struct heir h = { .at = loopback(5, 0) };
	_udp_ struct udp u = UDP_NONE;
	uint64_t value;

	TRY(port_choose(&h.at));
	TRY(udp_new(&u));
	TRY(udp_connect(&u, &h.at));
	for (int i = 0; i < 2; i++) {
		h.successor = i;
		TRY(actor_start(all[i], i ? "successor" : "before", takes_one, &h));
		TRY(hear(all[i]->ctl, &value));
		TRY(udp_send(&u));
		TRY(hear(all[i]->ctl, &value));
		TRY(udp_receive(&u));
	}
	for (int i = 0; i < 2; i++)
		TRY(join_told(all[i]));
	return udp_close(&u);
}

/* --- pids --- */

#define LIVES 240    /* IPv6: half of it */
#define FEW 60	     /* pids, and some */
#define RESERVED 300 /* the kernel hands these out once only */
#define PID_MAX "/proc/sys/kernel/pid_max"

struct pids {
	bool alone;	 /* the machine is ours: its pid_max too */
	char before[16]; /* pid_max */
};

static int write_number(const char *name, int value)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", value);
	return setting(name, text);
}

/* From now on pids come again soon; SKIPPED when that cannot be had. */
static int pids_begin(struct pids *p)
{
	_close_ int fd = open(PID_MAX, O_RDONLY | O_CLOEXEC);

	*p = (struct pids){ .alone = getenv("TRUTH_ALONE") != NULL };
	if (fd < 0 || read(fd, p->before, sizeof(p->before) - 1) < 0)
		return skipped("kernel.pid_max cannot be read");
	if (p->alone && write_number(PID_MAX, RESERVED + FEW) < 0)
		return skipped("kernel.pid_max cannot be set");
	return 0;
}

/* Where others run too, they keep their pids: one that was given before is asked for instead. */
static pid_t pids_next(const struct pids *p, const pid_t *pids, int life)
{
	return p->alone || life < FEW ? 0 : pids[life - FEW];
}

static void pids_end(struct pids *p)
{
	if (p->alone && p->before[0])
		setting(PID_MAX, p->before);
}

#define _pids_ __attribute__((cleanup(pids_end)))

struct life {
	struct ep from, to, asked; /* TCP, and the UDP server */
	int number;
};

/* From the same endpoints as all the others, under a name of its own. */
static int life(const struct life *l)
{
	struct ep udp_from = l->from;
	_conn_ struct conn c = CONN_NONE;
	_udp_ struct udp u = UDP_NONE;
	char name[16];

	snprintf(name, sizeof(name), "life-%d", l->number);
	prctl(PR_SET_NAME, name);
	udp_from.port++;
	c.fd = TRY(sock_new(SOCK_STREAM));
	TRY(sock_flag(c.fd, SOL_SOCKET, SO_REUSEADDR, 1));
	TRY(sock_bind(c.fd, &l->from));
	TRY(tcp_connect_fd(&c, c.fd, &l->to, 0));
	TRY(udp_new(&u));
	TRY(udp_bind(&u, &udp_from));
	TRY(udp_connect(&u, &l->asked));
	TRY(udp_send(&u));
	TRY(udp_close(&u));
	TRY(send_byte(c.fd));
	TRY(recv_byte(c.fd));
	return conn_reset(&c); /* no TIME_WAIT: the next one can have the port */
}

/* With PID, if that is free; 0: any. */
static int live_and_die(const struct life *l, int listener, struct udp *server, pid_t *pid)
{
	_conn_ struct conn c = CONN_NONE;
	struct ep from;

	*pid = SYS(fork_self_as(*pid));
	if (*pid == 0)
		_exit(life(l) < 0);
	TRY(tcp_accept(&c, listener, true));
	TRY(recv_byte(c.fd));
	TRY(udp_wait(server));
	TRY(udp_take(server, true, &l->asked, now_ns(), &from));
	TRY(send_byte(c.fd));
	TRY(recv_end(c.fd)); /* the reset has come: the endpoints are free */
	TRY(conn_close(&c));
	return wait_pid(*pid);
}

static bool lived_before(const pid_t *pids, int count)
{
	for (int i = 0; i < count; i++)
		if (pids[i] == pids[count])
			return true;
	return false;
}

/* Each pid has several lives, and each life the endpoints of the one before. */
int again_pids(void)
{
	_conn_ struct conn l = CONN_NONE;
	_udp_ struct udp u = UDP_NONE;
	_pids_ struct pids p = { 0 };
	struct life one = { .from = loopback(6, 0) };
	struct ep at = loopback(1, 0);
	pid_t pids[LIVES];
	int lives = stage.family == FAMILY_V4 ? LIVES : LIVES / 2, r, came_again = 0;

	TRY(port_choose(&one.from));
	TRY(tcp_listen(&l, NULL, &one.to));
	TRY(udp_new(&u));
	TRY(udp_bind(&u, &at));
	one.asked = u.own.s->local;
	r = pids_begin(&p);
	if (r)
		return r;
	for (one.number = 0; one.number < lives; one.number++) {
		pids[one.number] = pids_next(&p, pids, one.number);
		TRY(live_and_die(&one, l.fd, &u, &pids[one.number]));
		came_again += lived_before(pids, one.number);
	}
	if (came_again < lives / 4)
		return failed(__FILE__, __LINE__, "pids did not come again", -EAGAIN);
	TRY(udp_close(&u));
	return conn_close(&l);
}
