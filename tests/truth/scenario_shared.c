/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One UDP socket in several processes that use it at once: each peer is whose call it was, not of
 * who came in between. A look at a datagram (MSG_PEEK) that does not ask from where is no receive.
 */
#include "scenario.h"

#include "text/cleanup.h"
#include <poll.h>
#include <stdio.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "actor.h"
#include "udp_server.h"

#define SHARERS 4
#define CLIENTS 24

struct share {
	int fd;
	struct ep first; /* of UDP_PEERS ports where nobody is */
};

static int sends_shared(int ctl, void *arg)
{
	const struct share *share = arg;
	_udp_ struct udp u = { .own = { .fd = share->fd } };
	struct ep to = share->first;
	uint64_t go;

	TRY(say(ctl, 0));
	TRY(hear(ctl, &go));
	for (int i = 0; i < UDP_PEERS; i++, to.port++) {
		TRY(udp_send_first(&u, &to, NULL));
		u.peers[i]->flags |= T_NO_MIRROR;
	}
	return udp_close(&u);
}

/* Each sends to peers of its own, as fast as it can. */
int udp_shared_send(void)
{
	struct actor a[SHARERS] = { ACTOR_NONE, ACTOR_NONE, ACTOR_NONE, ACTOR_NONE };
	_udp_ struct udp u = UDP_NONE;
	struct ep here = loopback(1, 0);
	struct share share[SHARERS];
	uint64_t ready;

	TRY(udp_new(&u));
	TRY(udp_bind(&u, &here));
	for (int i = 0; i < SHARERS; i++) {
		share[i] = (struct share){ .fd = u.own.fd, .first = loopback(1, 0) };
		share[i].first.port = (uint16_t)(2000 + i * UDP_PEERS);
		TRY(actor_start(&a[i], "udp-sharer", sends_shared, &share[i]));
		TRY(hear(a[i].ctl, &ready));
	}
	for (int i = 0; i < SHARERS; i++)
		TRY(say(a[i].ctl, 0));
	for (int i = 0; i < SHARERS; i++)
		TRY(actor_join(&a[i]));
	return udp_close(&u);
}

static int serves_shared(int ctl, void *arg)
{
	struct udp_serve *sv = arg;
	_udp_ struct udp u = { .own = { .fd = sv->bound->own.fd } };

	TRY(say(ctl, 0));
	TRY(udp_serve_until_told(ctl, &u, sv));
	return udp_close(&u);
}

static int asks_often(int ctl, void *arg)
{
	struct udp u[CLIENTS];
	int r = 0;

	(void)ctl;
	for (int i = 0; i < CLIENTS; i++)
		u[i] = UDP_NONE;
	for (int i = 0; i < CLIENTS && r == 0; i++)
		r = udp_new(&u[i]) ?: udp_connect(&u[i], arg);
	for (int i = 0; i < CLIENTS && r == 0; i++)
		r = udp_send(&u[i]);
	for (int i = 0; i < CLIENTS && r == 0; i++)
		r = udp_receive(&u[i]);
	for (int i = 0; i < CLIENTS; i++)
		udp_drop(&u[i]);
	return r;
}

/* Each takes what it gets, and asks from where. */
int udp_shared_recv(void)
{
	struct actor a[SHARERS] = { ACTOR_NONE, ACTOR_NONE, ACTOR_NONE, ACTOR_NONE };
	_udp_ struct udp u = UDP_NONE;
	struct udp_serve sv = udp_serve_plain();
	struct ep to = sv.local;
	uint64_t ready;

	TRY(udp_new(&u));
	TRY(udp_bind(&u, &sv.at));
	to.port = sv.local.port = u.own.s->local.port;
	sv.bound = &u;
	for (int i = 0; i < SHARERS; i++) {
		TRY(actor_start(&a[i], "udp-sharer", serves_shared, &sv));
		TRY(hear(a[i].ctl, &ready));
	}
	TRY(udp_asked_by("udp-clients", asks_often, &to));
	for (int i = 0; i < SHARERS; i++)
		TRY(udp_server_stop(&a[i]));
	return udp_close(&u);
}

/* A look that asks from where counts as a receive; any may, without a hook at the end of each. */
static bool looks_count(void)
{
	struct utsname name;
	int major, minor;

	if (!(turn() & 1))
		return true;
	if (uname(&name) < 0 || sscanf(name.release, "%d.%d", &major, &minor) != 2)
		return false;
	return major < 6 || (major == 6 && minor < 3);
}

static int takes_inherited(int ctl, void *arg)
{
	struct udp_serve *sv = arg;
	_udp_ struct udp u = { .own = { .fd = sv->bound->own.fd } };

	TRY(udp_serve_until_told(ctl, &u, sv));
	if (looks_count())
		for (unsigned int i = 0; i < u.count; i++) {
			u.peers[i]->flags |= T_ANY_HOLDER;
			session_holder(u.peers[i], getppid());
		}
	return udp_close(&u);
}

static int looks_for_child(int ctl, void *arg)
{
	struct udp_serve sv = *(struct udp_serve *)arg;
	_actor_ struct actor child = ACTOR_NONE;
	_udp_ struct udp u = UDP_NONE;
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	uint32_t slot;
	uint64_t end;

	TRY(udp_new(&u));
	TRY(udp_bind(&u, &sv.at));
	sv.local.port = u.own.s->local.port;
	sv.bound = &u;
	TRY(say(ctl, sv.local.port));
	TRY(udp_wait(&u));
	if (turn() & 1)
		SYS(recv(u.own.fd, &slot, sizeof(slot), MSG_PEEK));
	else
		SYS(recvfrom(u.own.fd, &slot, sizeof(slot), MSG_PEEK, (struct sockaddr *)&from,
			     &len));
	TRY(actor_start(&child, "udp-takes", takes_inherited, &sv));
	TRY(hear(ctl, &end));
	TRY(udp_server_stop(&child));
	return udp_close(&u);
}

/* The parent looks, the child takes. */
int udp_peeked(void)
{
	_actor_ struct actor a = ACTOR_NONE;
	struct udp_serve sv = udp_serve_plain();
	struct ep to = sv.local;
	uint64_t port;

	TRY(actor_start(&a, "udp-looks", looks_for_child, &sv));
	TRY(hear(a.ctl, &port));
	to.port = (uint16_t)port;
	TRY(udp_asked_by("udp-client", udp_ask, &to));
	return udp_server_stop(&a);
}
