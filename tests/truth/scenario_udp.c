/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * UDP: a session belongs to who used it first. Sent first: the sender (opener). Received first: who
 * received it (acceptor), and who bound the socket as long as nobody did. The socket's own,
 * local-only entry belongs to who bound it; who used it last is as good an answer.
 */
#include "scenario.h"

#include "text/cleanup.h"
#include <poll.h>
#include <string.h>

#include "actor.h"
#include "udp_server.h"

/* --- connect() --- */

static int connected_server(int ctl, void *arg)
{
	_udp_ struct udp u = UDP_NONE;
	struct ep at = loopback(1, 0);
	uint64_t go;

	TRY(udp_new(&u));
	TRY(udp_bind(&u, &at));
	TRY(say(ctl, u.own.s->local.port));
	TRY(udp_connect(&u, arg));
	TRY(say(ctl, 0));
	TRY(udp_receive(&u));
	TRY(udp_send(&u));
	TRY(hear(ctl, &go));
	return udp_close(&u);
}

/* Both ends bind, then connect to each other. */
int udp_connected(void)
{
	_actor_ struct actor a = ACTOR_NONE;
	_udp_ struct udp u = UDP_NONE;
	struct ep at = loopback(1, 0), to = at;
	uint64_t value;

	TRY(udp_new(&u));
	TRY(udp_bind(&u, &at));
	TRY(actor_start(&a, "udp-connected", connected_server, &u.own.s->local));
	TRY(hear(a.ctl, &value));
	to.port = (uint16_t)value;
	TRY(udp_connect(&u, &to));
	TRY(hear(a.ctl, &value));
	TRY(udp_send(&u));
	TRY(udp_receive(&u));
	TRY(udp_server_stop(&a));
	return udp_close(&u);
}

int udp_unbound(void)
{
	_actor_ struct actor a = ACTOR_NONE;
	struct udp_serve sv = udp_serve_plain();
	struct ep to;

	TRY(udp_server_start(&a, "udp-server", &sv, &to));
	TRY(udp_asked_by("udp-client", udp_ask, &to));
	return udp_server_stop(&a);
}

int udp_many_peers(void)
{
	_actor_ struct actor a = ACTOR_NONE;
	struct udp_serve sv = udp_serve_plain();
	struct ep to;

	TRY(udp_server_start(&a, "udp-server", &sv, &to));
	for (int i = 0; i < 4; i++)
		TRY(udp_asked_by(i & 1 ? "odd" : "even", udp_ask, &to));
	return udp_server_stop(&a);
}

struct two {
	struct ep first, second;
};

static int ask_two_by_connect(int ctl, void *arg)
{
	const struct two *to = arg;
	_udp_ struct udp u = UDP_NONE;
	struct ep here = loopback(1, 0);

	(void)ctl;
	TRY(udp_new(&u));
	if (turn() & 1)
		TRY(udp_bind(&u, &here));
	for (int i = 0; i < 3; i++) {
		TRY(udp_connect(&u, i == 1 ? &to->second : &to->first));
		TRY(udp_send(&u));
		TRY(udp_receive(&u));
	}
	return udp_close(&u);
}

static int ask_two_by_name(int ctl, void *arg)
{
	const struct two *to = arg;
	_udp_ struct udp u = UDP_NONE;

	(void)ctl;
	TRY(udp_new(&u));
	TRY(udp_connect(&u, &to->first));
	TRY(udp_send(&u));
	TRY(udp_receive(&u));
	/* A name in the call goes before the connected one; the answer does not come through. */
	TRY(udp_send_first(&u, &to->second, NULL));
	return udp_close(&u);
}

static int two_servers(const char *name, actor_fn fn)
{
	_actor_ struct actor a = ACTOR_NONE, b = ACTOR_NONE;
	struct udp_serve sv = udp_serve_plain();
	struct two to;
	_actor_ struct actor client = ACTOR_NONE;

	TRY(udp_server_start(&a, "udp-first", &sv, &to.first));
	TRY(udp_server_start(&b, "udp-second", &sv, &to.second));
	TRY(actor_start(&client, name, fn, &to));
	TRY(actor_join(&client));
	TRY(udp_server_stop(&a));
	return udp_server_stop(&b);
}

int udp_reconnect(void)
{
	return two_servers("udp-reconnects", ask_two_by_connect);
}

int udp_connected_sendto(void)
{
	return two_servers("udp-both", ask_two_by_name);
}

int udp_silent(void)
{
	_actor_ struct actor a = ACTOR_NONE;
	_udp_ struct udp u = UDP_NONE;
	struct udp_serve sv = udp_serve_plain();
	struct ep to;

	TRY(udp_server_start(&a, "udp-server", &sv, &to));
	TRY(udp_new(&u));
	TRY(udp_connect(&u, &to));
	u.own.s->flags |= T_NO_MIRROR;
	TRY(udp_close(&u));
	return udp_server_stop(&a);
}

int udp_refused(void)
{
	_udp_ struct udp u = UDP_NONE, deaf = UDP_NONE;
	struct ep at = loopback(1, 0), elsewhere = loopback(1, 9);

	/* Connected elsewhere, it hears nobody else, and nobody else can take its port. */
	TRY(udp_new(&deaf));
	TRY(udp_bind(&deaf, &at));
	TRY(udp_connect(&deaf, &elsewhere));
	deaf.own.s->flags |= T_NO_MIRROR;
	TRY(udp_new(&u));
	TRY(udp_connect(&u, &deaf.own.s->local));
	u.own.s->flags |= T_NO_MIRROR;
	TRY(udp_send(&u));
	if (udp_receive(&u) != -ECONNREFUSED)
		return failed(__FILE__, __LINE__, "refused", -EPROTO);
	TRY(udp_close(&deaf));
	return udp_close(&u);
}

/* --- sendto() --- */

static int ask_many(int ctl, void *arg)
{
	const struct ep *to = arg;
	_udp_ struct udp u = UDP_NONE;
	struct ep here = loopback(1, 0);

	(void)ctl;
	TRY(udp_new(&u));
	if (turn() & 1)
		TRY(udp_bind(&u, &here));
	for (int i = 0; i < 3; i++)
		TRY(udp_send_first(&u, &to[i], NULL));
	for (int i = 0; i < 3; i++)
		TRY(udp_receive(&u));
	if (!u.own.s)
		udp_autobound(&u);
	return udp_close(&u);
}

int udp_one_to_many(void)
{
	_actor_ struct actor a = ACTOR_NONE, b = ACTOR_NONE, c = ACTOR_NONE;
	struct actor *all[] = { &a, &b, &c };
	struct udp_serve sv = udp_serve_plain();
	struct ep to[3];

	for (int i = 0; i < 3; i++)
		TRY(udp_server_start(all[i], "udp-server", &sv, &to[i]));
	TRY(udp_asked_by("udp-one", ask_many, to));
	for (int i = 0; i < 3; i++)
		TRY(udp_server_stop(all[i]));
	return 0;
}

static int ask_from(int ctl, void *arg)
{
	_udp_ struct udp u = UDP_NONE;
	struct ep from = loopback(7, 0);

	(void)ctl;
	TRY(udp_new(&u));
	TRY(udp_send_first(&u, arg, &from));
	TRY(udp_receive(&u));
	udp_autobound(&u);
	return udp_close(&u);
}

/* Source addresses chosen by IP_PKTINFO, at both ends. */
int udp_pktinfo(void)
{
	_actor_ struct actor a = ACTOR_NONE;
	struct udp_serve sv = {
		.at = any_address(0), .local = loopback(9, 0), .with_addr = true, .pktinfo = true
	};
	struct ep to;

	TRY(udp_server_start(&a, "udp-server", &sv, &to));
	TRY(udp_asked_by("udp-pktinfo", ask_from, &to));
	return udp_server_stop(&a);
}

/* --- receiving --- */

/* To a server that does not answer. */
static int tell(int ctl, void *arg)
{
	_udp_ struct udp u = UDP_NONE;

	(void)ctl;
	TRY(udp_new(&u));
	TRY(udp_connect(&u, arg));
	TRY(udp_send(&u));
	return udp_close(&u);
}

int udp_recv_null(void)
{
	_actor_ struct actor a = ACTOR_NONE;
	struct udp_serve sv = udp_serve_plain();
	struct ep to;

	sv.with_addr = false;
	TRY(udp_server_start(&a, "udp-server", &sv, &to));
	for (int i = 0; i < 3; i++)
		TRY(udp_asked_by("udp-client", tell, &to));
	return udp_server_stop(&a);
}

int udp_reuseport(void)
{
	_actor_ struct actor a = ACTOR_NONE, b = ACTOR_NONE, c = ACTOR_NONE;
	struct actor *all[] = { &a, &b, &c };
	struct udp_serve sv = udp_serve_plain();
	struct ep to = sv.local;

	sv.reuseport = true;
	for (int i = 0; i < 3; i++) {
		TRY(udp_server_start(all[i], "udp-member", &sv, &to));
		sv.at.port = to.port;
	}
	for (int i = 0; i < 6; i++)
		TRY(udp_asked_by("udp-client", udp_ask, &to));
	for (int i = 0; i < 3; i++)
		TRY(udp_server_stop(all[i]));
	return 0;
}

static int binds_only(int ctl, void *arg)
{
	struct udp_serve sv = *(struct udp_serve *)arg;
	_udp_ struct udp u = UDP_NONE;
	struct session *s;
	uint64_t client, before;

	TRY(udp_new(&u));
	TRY(udp_bind(&u, &sv.at));
	TRY(say(ctl, u.own.s->local.port));
	TRY(hear(ctl, &client));
	s = session_open(&(struct opening){ .fd = u.own.fd,
					    .proto = IPPROTO_UDP,
					    .role = ROLE_ACCEPTOR,
					    .flags = T_NUMBERED | T_NOT_ACCEPTED,
					    .before = session_at((uint32_t)client)->opened[0] });
	session_mirror(s, session_at((uint32_t)client));
	before = now_ns();
	TRY(udp_close(&u));
	session_closed(s, before);
	return 0;
}

/* A datagram nobody takes: the session is there, and is the binder's. */
int udp_unread(void)
{
	_actor_ struct actor a = ACTOR_NONE;
	_udp_ struct udp u = UDP_NONE;
	struct udp_serve sv = udp_serve_plain();
	struct ep to = sv.local;
	uint64_t port;

	TRY(actor_start(&a, "udp-binder", binds_only, &sv));
	TRY(hear(a.ctl, &port));
	to.port = (uint16_t)port;
	TRY(udp_new(&u));
	TRY(udp_connect(&u, &to));
	TRY(udp_send(&u));
	TRY(say(a.ctl, session_index(u.own.s)));
	TRY(actor_join(&a));
	return udp_close(&u);
}

/* --- one socket in several processes --- */

static int serves_inherited(int ctl, void *arg)
{
	struct udp_serve *sv = arg;
	_udp_ struct udp u = { .own = { .fd = sv->bound->own.fd } };

	TRY(udp_serve_until_told(ctl, &u, sv));
	for (unsigned int i = 0; i < u.count; i++)
		session_holder(u.peers[i], getppid());
	return udp_close(&u);
}

/* bind() in the parent, receive in the child. */
static int binds_for_child(int ctl, void *arg)
{
	struct udp_serve sv = *(struct udp_serve *)arg;
	_udp_ struct udp u = UDP_NONE;
	_actor_ struct actor child = ACTOR_NONE;
	uint64_t end;

	TRY(udp_new(&u));
	TRY(udp_bind(&u, &sv.at));
	sv.local.port = u.own.s->local.port;
	sv.bound = &u;
	TRY(actor_start(&child, "udp-child", serves_inherited, &sv));
	u.own.s->flags |= T_ANY_HOLDER;
	session_holder(u.own.s, child.pid);
	TRY(say(ctl, sv.local.port));
	TRY(hear(ctl, &end));
	TRY(udp_server_stop(&child));
	return udp_close(&u);
}

static int forked(bool with_addr)
{
	_actor_ struct actor a = ACTOR_NONE;
	struct udp_serve sv = udp_serve_plain();
	struct ep to = sv.local;
	uint64_t port;

	sv.with_addr = with_addr;
	TRY(actor_start(&a, "udp-parent", binds_for_child, &sv));
	TRY(hear(a.ctl, &port));
	to.port = (uint16_t)port;
	for (int i = 0; i < 2; i++)
		TRY(udp_asked_by("udp-client", with_addr ? udp_ask : tell, &to));
	return udp_server_stop(&a);
}

int udp_forked_addr(void)
{
	return forked(true);
}

int udp_forked_null(void)
{
	return forked(false);
}

struct reply {
	struct udp *u;
	struct ep to;
};

static int replies_only(int ctl, void *arg)
{
	struct reply *rp = arg;

	(void)ctl;
	return udp_reply(rp->u, &rp->to, NULL);
}

static int receives_for_child(int ctl, void *arg)
{
	struct udp_serve sv = *(struct udp_serve *)arg;
	_udp_ struct udp u = UDP_NONE;
	_actor_ struct actor child = ACTOR_NONE;
	struct reply rp = { .u = &u };
	struct pollfd p;
	uint64_t before = now_ns();

	TRY(udp_new(&u));
	TRY(udp_bind(&u, &sv.at));
	sv.local.port = u.own.s->local.port;
	TRY(say(ctl, sv.local.port));
	p = (struct pollfd){ .fd = u.own.fd, .events = POLLIN };
	SYS(poll(&p, 1, patience_ms()));
	TRY(udp_take(&u, true, &sv.local, before, &rp.to));
	TRY(actor_start(&child, "udp-replies", replies_only, &rp));
	u.own.s->flags |= T_ANY_HOLDER;
	session_holder(u.own.s, child.pid);
	TRY(actor_join(&child));
	return udp_close(&u);
}

/* The child sends the reply; the session stays with who received the question. */
int udp_reply_only(void)
{
	_actor_ struct actor a = ACTOR_NONE;
	struct udp_serve sv = udp_serve_plain();
	struct ep to = sv.local;
	uint64_t port;

	TRY(actor_start(&a, "udp-receives", receives_for_child, &sv));
	TRY(hear(a.ctl, &port));
	to.port = (uint16_t)port;
	TRY(udp_asked_by("udp-client", udp_ask, &to));
	TRY(actor_join(&a));
	return 0;
}

struct send {
	struct ep to;
	int fd;
};

static int sends_inherited(int ctl, void *arg)
{
	const struct send *job = arg;
	_udp_ struct udp u = { .own = { .fd = job->fd } };

	(void)ctl;
	TRY(udp_send_first(&u, &job->to, NULL));
	TRY(udp_receive(&u));
	return udp_close(&u);
}

/* bind() in the parent, the first datagram to a peer from the child: the child's session. */
int udp_forked_send(void)
{
	_actor_ struct actor a = ACTOR_NONE, child = ACTOR_NONE;
	_udp_ struct udp u = UDP_NONE;
	struct udp_serve sv = udp_serve_plain();
	struct ep here = loopback(1, 0);
	struct send job;

	TRY(udp_server_start(&a, "udp-server", &sv, &job.to));
	TRY(udp_new(&u));
	TRY(udp_bind(&u, &here));
	job.fd = u.own.fd;
	TRY(actor_start(&child, "udp-sender", sends_inherited, &job));
	u.own.s->flags |= T_ANY_HOLDER;
	session_holder(u.own.s, child.pid);
	TRY(actor_join(&child));
	TRY(udp_server_stop(&a));
	return udp_close(&u);
}
