/* SPDX-License-Identifier: BSD-2-Clause */
/* A UDP server of its own process, for the scenarios, and those who ask it. */
#include "udp_server.h"

#include "text/cleanup.h"
#include <poll.h>

/* Everything that has arrived. */
static int drain(struct udp *u, const struct udp_serve *sv, uint64_t before)
{
	struct ep from;
	int r;

	while ((r = udp_take(u, sv->with_addr, &sv->local, before, &from)) == 0)
		if (sv->with_addr)
			TRY(udp_reply(u, &from, sv->pktinfo ? &sv->local : NULL));
	return r == -EAGAIN ? 0 : r;
}

/* Takes and answers datagrams until the channel speaks; what came before that is taken too. */
int udp_serve_until_told(int ctl, struct udp *u, const struct udp_serve *sv)
{
	struct pollfd p[2] = { { .fd = u->own.fd, .events = POLLIN },
			       { .fd = ctl, .events = POLLIN } };
	uint64_t stop;

	for (;;) {
		uint64_t before = now_ns();

		if (SYS(poll(p, 2, patience_ms())) == 0)
			return -ETIMEDOUT;
		TRY(drain(u, sv, before));
		if (!p[1].revents)
			continue;
		TRY(hear(ctl, &stop));
		TRY(drain(u, sv, before));
		udp_settle(u);
		return 0;
	}
}

static int server(int ctl, void *arg)
{
	struct udp_serve sv = *(struct udp_serve *)arg;
	_udp_ struct udp u = UDP_NONE;

	TRY(udp_new(&u));
	if (sv.reuseport)
		TRY(sock_flag(u.own.fd, SOL_SOCKET, SO_REUSEPORT, 1));
	TRY(udp_bind(&u, &sv.at));
	sv.local.port = u.own.s->local.port;
	TRY(say(ctl, sv.local.port));
	TRY(udp_serve_until_told(ctl, &u, &sv));
	return udp_close(&u);
}

struct udp_serve udp_serve_plain(void)
{
	return (struct udp_serve){ .at = turn() & 2 ? any_address(0) : loopback(1, 0),
				   .local = loopback(1, 0),
				   .with_addr = true };
}

int udp_server_start(struct actor *a, const char *name, const struct udp_serve *sv,
		     struct ep *ret_at)
{
	uint64_t port;

	TRY(actor_start(a, name, server, (void *)sv));
	TRY(hear(a->ctl, &port));
	*ret_at = sv->local;
	ret_at->port = (uint16_t)port;
	return 0;
}

int udp_server_stop(struct actor *a)
{
	TRY(say(a->ctl, 0));
	TRY(actor_join(a));
	return 0;
}

int udp_ask(int ctl, void *arg)
{
	_udp_ struct udp u = UDP_NONE;

	(void)ctl;
	TRY(udp_new(&u));
	TRY(udp_connect(&u, arg));
	TRY(udp_send(&u));
	TRY(udp_receive(&u));
	return udp_close(&u);
}

int udp_asked_by(const char *name, actor_fn fn, const struct ep *to)
{
	_actor_ struct actor a = ACTOR_NONE;

	TRY(actor_start(&a, name, fn, (void *)to));
	TRY(actor_join(&a));
	return 0;
}
