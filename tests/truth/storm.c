/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Storms: many short-lived processes (fork and exec, a few connections, gone), few processes with
 * many sessions, and the same over UDP. A client sends the number of its slot, so that the server
 * knows the endpoints without asking the socket. A failed call counts, it does not stop the storm.
 */
#include "scenario.h"

#include "text/cleanup.h"
#include <poll.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actor.h"
#include "net.h"
#include "role.h"
#include "udp.h"

#define BURST 4	  /* connections of one short-lived process */
#define AT_ONCE 8 /* short-lived processes at a time */
#define SERVERS 2
#define CHURNERS 4

static int storm_serve_one(int listener)
{
	_conn_ struct conn c = CONN_NONE;
	uint32_t client;
	ssize_t got;
	int r = tcp_accept(&c, listener, atomic_load(&ledger->served) & 1);

	if (r < 0)
		return r;
	/* The short time limit of the listener came along: it is not this socket's. */
	do
		got = recv(c.fd, &client, sizeof(client), MSG_WAITALL);
	while (got < 0 && errno == EAGAIN);
	if (got != sizeof(client))
		return failed(__FILE__, __LINE__, "client's slot", got < 0 ? -errno : -EPIPE);
	if (!c.s->has_remote)
		session_mirror(c.s, session_at(client));
	TRY(conn_close(&c));
	atomic_fetch_add(&ledger->served, 1);
	return 0;
}

static int storm_server(int ctl, void *arg)
{
	int listener = *(int *)arg;

	(void)ctl;
	watchdog(60 + stage.storm / 200);
	while (!atomic_load(&ledger->stop)) {
		int r = storm_serve_one(listener);

		if (r < 0 && r != -ETIMEDOUT)
			return failed(__FILE__, __LINE__, "accept", r);
	}
	return 0;
}

/* One session; every other one ends by a reset. Servers see the bytes first in any case. */
static int storm_call(const struct ep *to, uint32_t i)
{
	_conn_ struct conn c = CONN_NONE;
	uint32_t index;

	TRY(tcp_connect(&c, to));
	index = session_index(c.s);
	SYS(send(c.fd, &index, sizeof(index), MSG_NOSIGNAL));
	if (i % 4 == 3) {
		TRY(recv_end(c.fd));
		return conn_reset(&c);
	}
	return conn_close(&c);
}

/* Destinations differ, else the client's ports would run out: TIME_WAIT lasts a minute. */
static struct ep storm_target(uint16_t port, uint32_t i)
{
	return loopback(1 + i % 200 * 256, port);
}

/* Role "burst": what the short-lived program does. */
int role_burst(int ctl, uint64_t port, uint64_t sessions)
{
	(void)ctl;
	for (uint32_t i = 0; i < sessions; i++) {
		struct ep to = storm_target((uint16_t)port, (uint32_t)getpid() + i);

		TRY(storm_call(&to, i));
	}
	return 0;
}

static int reap_one(int *running)
{
	int status;

	/* Servers are children too: they end only after the stop. */
	SYS(wait(&status));
	(*running)--;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -ECHILD;
}

static int burst_all(uint16_t port, uint32_t processes)
{
	int running = 0;

	for (uint32_t i = 0; i < processes; i++) {
		TRY(spawn_role("burst", port, BURST));
		if (++running == AT_ONCE)
			TRY(reap_one(&running));
	}
	while (running)
		TRY(reap_one(&running));
	return 0;
}

static int churn_client(int ctl, void *arg)
{
	uint32_t sessions = stage.storm / 2 / CHURNERS;
	uint16_t port = *(uint16_t *)arg;

	(void)ctl;
	watchdog(60 + stage.storm / 200);
	for (uint32_t i = 0; i < sessions; i++) {
		struct ep to = storm_target(port, i);

		TRY(storm_call(&to, i));
	}
	return 0;
}

static int churn_all(uint16_t port)
{
	struct actor a[CHURNERS];

	for (int i = 0; i < CHURNERS; i++)
		TRY(actor_start(&a[i], "churner", churn_client, &port));
	for (int i = 0; i < CHURNERS; i++)
		TRY(actor_join(&a[i]));
	return 0;
}

static int storm_servers(struct actor **servers, int listener)
{
	struct timeval look = { .tv_usec = 100000 }; /* they look for the stop this often */

	atomic_store(&ledger->stop, 0);
	atomic_store(&ledger->served, 0);
	SYS(setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &look, sizeof(look)));
	for (int i = 0; i < SERVERS; i++)
		TRY(actor_start(servers[i], "storm-server", storm_server, &listener));
	return 0;
}

/* The queues drain; there is no event to wait for here. */
static int storm_over(struct actor **servers, int count, uint32_t want)
{
	uint64_t deadline = now_ns() + (uint64_t)patience_ms() * 1000000;

	while (atomic_load(&ledger->served) < want && now_ns() < deadline)
		usleep(1000); /* lint: poll */
	atomic_store(&ledger->stop, 1);
	for (int i = 0; i < count; i++)
		TRY(actor_join(servers[i]));
	if (atomic_load(&ledger->served) != want)
		return failed(__FILE__, __LINE__, "sessions not served", -ETIMEDOUT);
	return 0;
}

static int storm(bool short_lived)
{
	struct ep any = any_address(0);
	_actor_ struct actor a = ACTOR_NONE, b = ACTOR_NONE;
	struct actor *servers[SERVERS] = { &a, &b };
	_conn_ struct conn l = CONN_NONE;
	struct ep at;
	uint32_t want;

	watchdog(60 + stage.storm / 200);
	TRY(tcp_listen(&l, &any, &at));
	TRY(storm_servers(servers, l.fd));
	if (short_lived) {
		want = stage.storm / 2 / BURST * BURST;
		TRY(burst_all(at.port, want / BURST));
	} else {
		want = stage.storm / 2 / CHURNERS * CHURNERS;
		TRY(churn_all(at.port));
	}
	TRY(storm_over(servers, SERVERS, want));
	return conn_close(&l);
}

int storm_tcp(void)
{
	return storm(true);
}

int storm_churn(void)
{
	return storm(false);
}

/* --- UDP: a process asks one question and is gone --- */

static int udp_storm_server(int ctl, void *arg)
{
	struct udp *u = arg;
	struct ep local = loopback(1, u->own.s->local.port);

	(void)ctl;
	watchdog(60 + stage.storm / 200);
	while (!atomic_load(&ledger->stop)) {
		struct pollfd p = { .fd = u->own.fd, .events = POLLIN };
		uint64_t before = now_ns();
		struct ep from;

		if (poll(&p, 1, 100) <= 0)
			continue;
		if (udp_take(u, true, &local, before, &from) < 0)
			continue;
		TRY(udp_reply(u, &from, NULL));
		atomic_fetch_add(&ledger->served, 1);
	}
	return 0;
}

/* A datagram's look-up can be led away by a socket of the same hash chain that connect() moves to
 * another at that moment, and be refused where a server is (6.18 with nothing of ours loaded: 1 of
 * 240 000, in tables of 128). Whoever asks by UDP asks again. */
static int udp_ask(struct udp *u)
{
	int r;

	TRY(udp_send(u));
	r = udp_receive(u);
	if (r != -ECONNREFUSED)
		return r;
	TRY(udp_send(u));
	return udp_receive(u);
}

static int udp_storm_client(const struct ep *to)
{
	_udp_ struct udp u = UDP_NONE;

	TRY(udp_new(&u));
	TRY(udp_connect(&u, to));
	TRY(udp_ask(&u));
	return udp_close(&u);
}

static int udp_storm_all(const struct ep *to, uint32_t want)
{
	int running = 0;

	for (uint32_t i = 0; i < want; i++) {
		pid_t pid = SYS(fork_self());

		if (pid == 0)
			_exit(udp_storm_client(to) < 0);
		if (++running == AT_ONCE)
			TRY(reap_one(&running));
	}
	while (running)
		TRY(reap_one(&running));
	return 0;
}

static int udp_storm_starts(int ctl, void *arg)
{
	static bool seen[65536]; /* clients' ports repeat within a storm: one session here */
	struct ep at = loopback(1, 0);
	_udp_ struct udp u = UDP_NONE;

	(void)arg;
	TRY(udp_new(&u));
	u.seen = seen;
	TRY(udp_bind(&u, &at));
	TRY(say(ctl, u.own.s->local.port));
	TRY(udp_storm_server(ctl, &u));
	return udp_close(&u);
}

int storm_udp(void)
{
	_actor_ struct actor server = ACTOR_NONE;
	struct actor *servers[] = { &server };
	uint32_t want = stage.storm / 2;
	struct ep to;
	uint64_t port;

	watchdog(60 + stage.storm / 200);
	atomic_store(&ledger->stop, 0);
	atomic_store(&ledger->served, 0);
	TRY(actor_start(&server, "storm-server", udp_storm_starts, NULL));
	TRY(hear(server.ctl, &port));
	to = loopback(1, (uint16_t)port);
	TRY(udp_storm_all(&to, want));
	return storm_over(servers, 1, want);
}
