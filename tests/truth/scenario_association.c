/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * UDP: what becomes of connect(). Who called it owns the session, whoever bound the socket or sends
 * on it; a call that failed made none; connect() with AF_UNSPEC ended the one there was.
 */
#include "scenario.h"

#include "text/cleanup.h"
#include <errno.h>

#include "actor.h"
#include "place.h"
#include "udp_server.h"

struct job {
	struct ep to;
	struct udp *u;
	bool leaves; /* before the first datagram */
};

static int talk(struct udp *u)
{
	TRY(udp_send(u));
	return udp_receive(u);
}

static int undo(struct udp *u)
{
	struct sockaddr sa = { .sa_family = AF_UNSPEC };
	uint64_t before = now_ns();

	SYS(connect(u->own.fd, &sa, sizeof(sa)));
	session_closed(u->own.s, before);
	u->own.s = NULL;
	return 0;
}

/* What a bound socket, or one whose port was chosen, has again when nobody is its only peer. */
static void own_again(struct udp *u)
{
	u->own.s = session_open(&(struct opening){ .fd = u->own.fd,
						   .proto = IPPROTO_UDP,
						   .role = ROLE_USER,
						   .flags = T_OPTIONAL | T_NUMBERED,
						   .before = u->peers[0]->opened[0] });
}

/* --- who --- */

static int connects_inherited(int ctl, void *arg)
{
	struct job *job = arg;
	struct udp u = { .own = { .fd = job->u->own.fd } };
	uint64_t value;

	TRY(udp_connect(&u, &job->to));
	if (!job->leaves)
		TRY(talk(&u));
	TRY(say(ctl, session_index(u.own.s)));
	if (!job->leaves)
		TRY(hear(ctl, &value));
	return 0;
}

/* bind() in the parent, connect() in the child: the child's session, whoever sends first. */
int udp_forked_connect(void)
{
	_actor_ struct actor a = ACTOR_NONE, child = ACTOR_NONE;
	_udp_ struct udp u = UDP_NONE;
	struct udp_serve sv = udp_serve_plain();
	struct ep here = loopback(1, 0);
	struct job job = { .u = &u, .leaves = turn() & 1 };
	uint64_t slot;

	TRY(udp_server_start(&a, "udp-server", &sv, &job.to));
	TRY(udp_new(&u));
	TRY(sock_bind(u.own.fd, &here));
	TRY(actor_start(&child, "udp-connects", connects_inherited, &job));
	TRY(hear(child.ctl, &slot));
	if (job.leaves)
		TRY(actor_join(&child));
	u.own.s = session_at((uint32_t)slot);
	TRY(talk(&u));
	if (!job.leaves)
		TRY(udp_server_stop(&child));
	TRY(udp_server_stop(&a));
	return udp_close(&u);
}

/* --- what came of it --- */

/* 0.0.0.0 and :: are the machine itself: the session has the address it got. */
int udp_connect_any(void)
{
	_actor_ struct actor a = ACTOR_NONE;
	_udp_ struct udp u = UDP_NONE;
	struct udp_serve sv = udp_serve_plain();
	struct ep to, any, here = loopback(1, 0);
	uint64_t before;

	TRY(udp_server_start(&a, "udp-server", &sv, &to));
	any = any_address(to.port);
	if (stage.family == FAMILY_MAPPED)
		any.ip.s6_addr[10] = any.ip.s6_addr[11] = 0xff; /* else it is IPv6's */
	TRY(udp_new(&u));
	if (turn() & 1)
		TRY(sock_bind(u.own.fd, &here));
	before = now_ns();
	TRY(sock_connect(u.own.fd, &any));
	u.own.s = session_open(&(struct opening){ .fd = u.own.fd,
						  .proto = IPPROTO_UDP,
						  .role = ROLE_OPENER,
						  .remote = &to,
						  .before = before });
	TRY(talk(&u));
	TRY(udp_server_stop(&a));
	return udp_close(&u);
}

static int fails_to_connect(struct udp *u)
{
	struct ep there = cable_address(2, 9);
	int r = sock_connect(u->own.fd, &there);

	if (r != -ENETUNREACH && r != -EADDRNOTAVAIL && r != -EHOSTUNREACH)
		return failed(__FILE__, __LINE__, "no route", r ? r : -EISCONN);
	return 0;
}

/* A connect() that fails makes no session, and takes none away. */
int udp_connect_failed(void)
{
	_actor_ struct actor a = ACTOR_NONE;
	_udp_ struct udp u = UDP_NONE, bound = UDP_NONE, silent = UDP_NONE;
	struct udp_serve sv = udp_serve_plain();
	struct ep to, here = loopback(1, 0);
	int r = own_netns();

	if (refused_to_us(r))
		return skipped(CAN_NOT);
	TRY(r);
	TRY(udp_server_start(&a, "udp-server", &sv, &to));
	TRY(udp_new(&u));
	TRY(fails_to_connect(&u));
	TRY(udp_connect(&u, &to));
	TRY(talk(&u));
	TRY(fails_to_connect(&u));
	TRY(talk(&u));
	TRY(udp_new(&bound));
	TRY(udp_bind(&bound, &here));
	TRY(fails_to_connect(&bound));
	TRY(udp_send_first(&bound, &to, NULL));
	TRY(udp_receive(&bound));
	TRY(udp_new(&silent));
	TRY(fails_to_connect(&silent));
	TRY(udp_close(&silent));
	TRY(udp_server_stop(&a));
	TRY(udp_close(&bound));
	return udp_close(&u);
}

/* --- no more --- */

/* Every other time with a port that was asked for: undone, the socket keeps it. */
static int begin(struct udp *u, const struct ep *to)
{
	struct ep here = loopback(1, 0);

	TRY(udp_new(u));
	if (turn() & 1) {
		TRY(port_choose(&here));
		TRY(udp_bind(u, &here));
	}
	TRY(udp_connect(u, to));
	TRY(talk(u));
	return 0;
}

static int undoes(int ctl, void *arg)
{
	const struct ep *to = arg;
	_udp_ struct udp u = UDP_NONE;

	(void)ctl;
	TRY(begin(&u, &to[0]));
	TRY(undo(&u));
	TRY(udp_send_first(&u, &to[1], NULL));
	TRY(udp_receive(&u));
	TRY(udp_send_first(&u, &to[0], NULL)); /* the peer of before is one of many now */
	TRY(udp_receive(&u));
	own_again(&u);
	return udp_close(&u);
}

static int undoes_and_connects(int ctl, void *arg)
{
	const struct ep *to = arg;
	_udp_ struct udp u = UDP_NONE;

	(void)ctl;
	TRY(begin(&u, &to[0]));
	for (int i = 1; i < 3; i++) {
		uint64_t before;

		TRY(undo(&u));
		before = now_ns();
		TRY(sock_connect(u.own.fd, &to[i & 1]));
		u.own.s = session_open(&(struct opening){ .fd = u.own.fd,
							  .proto = IPPROTO_UDP,
							  .role = ROLE_OPENER,
							  .flags = T_NUMBERED,
							  .remote = &to[i & 1],
							  .before = before });
		TRY(talk(&u));
	}
	return udp_close(&u);
}

static int two_servers(const char *name, actor_fn fn)
{
	_actor_ struct actor a = ACTOR_NONE, b = ACTOR_NONE;
	struct udp_serve sv = udp_serve_plain();
	struct ep to[2];

	TRY(udp_server_start(&a, "udp-first", &sv, &to[0]));
	TRY(udp_server_start(&b, "udp-second", &sv, &to[1]));
	TRY(udp_asked_by(name, fn, to));
	TRY(udp_server_stop(&a));
	return udp_server_stop(&b);
}

int udp_undone(void)
{
	return two_servers("udp-undoes", undoes);
}

int udp_undone_again(void)
{
	return two_servers("udp-undoes", undoes_and_connects);
}

/* --- a peer that is connected to afterwards --- */

static int connects_to_peer(int ctl, void *arg)
{
	_udp_ struct udp u = UDP_NONE;
	struct ep at = loopback(1, 0), from;
	uint64_t end;

	(void)arg;
	TRY(udp_new(&u));
	TRY(udp_bind(&u, &at));
	TRY(say(ctl, u.own.s->local.port));
	TRY(udp_wait(&u));
	at.port = u.own.s->local.port;
	TRY(udp_take(&u, true, &at, now_ns(), &from));
	TRY(sock_connect(u.own.fd, &from));
	TRY(udp_send(&u));
	TRY(udp_receive(&u));
	TRY(hear(ctl, &end));
	return udp_close(&u);
}

/* A server connects to who asked it, as those of DTLS do: it is the session it has already. */
int udp_connect_peer(void)
{
	_actor_ struct actor a = ACTOR_NONE;
	_udp_ struct udp u = UDP_NONE;
	struct ep to = loopback(1, 0);
	uint64_t port;

	TRY(actor_start(&a, "udp-server", connects_to_peer, NULL));
	TRY(hear(a.ctl, &port));
	to.port = (uint16_t)port;
	TRY(udp_new(&u));
	TRY(udp_connect(&u, &to));
	TRY(talk(&u));
	TRY(udp_send(&u));
	TRY(udp_server_stop(&a));
	return udp_close(&u);
}
