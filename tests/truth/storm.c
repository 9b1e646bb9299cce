/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Storms: many short-lived processes (fork and exec, a few connections, gone), few processes with
 * many sessions, and the same over UDP. A client sends the number of its slot, so that the server
 * knows the endpoints without asking the socket. A failed call counts, it does not stop the storm.
 */
#include "scenario.h"

#include <arpa/inet.h>
#include <cleanup.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actor.h"
#include "net.h"
#include "role.h"

#define BURST 4	      /* connections of one short-lived process */
#define AT_ONCE 8     /* short-lived processes at a time */
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

static int burst_start(uint16_t port)
{
	pid_t pid = vfork();

	if (pid == 0) {
		exec_role(NULL, -1, "burst", -1, port, BURST);
		_exit(127);
	}
	return pid < 0 ? -errno : 0;
}

static int burst_all(uint16_t port, uint32_t processes)
{
	int running = 0;

	for (uint32_t i = 0; i < processes; i++) {
		TRY(burst_start(port));
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

static int storm(bool short_lived)
{
	struct ep any = any_address(0);
	struct timeval look = {.tv_usec = 100000}; /* servers look for the stop this often */
	_actor_ struct actor a = ACTOR_NONE, b = ACTOR_NONE;
	struct actor *servers[SERVERS] = {&a, &b};
	_conn_ struct conn l = CONN_NONE;
	struct ep at;
	uint64_t deadline;
	uint32_t want;

	watchdog(60 + stage.storm / 200);
	atomic_store(&ledger->stop, 0);
	atomic_store(&ledger->served, 0);
	TRY(tcp_listen(&l, &any, &at));
	SYS(setsockopt(l.fd, SOL_SOCKET, SO_RCVTIMEO, &look, sizeof(look)));
	for (int i = 0; i < SERVERS; i++)
		TRY(actor_start(servers[i], "storm-server", storm_server, &l.fd));
	if (short_lived) {
		want = stage.storm / 2 / BURST * BURST;
		TRY(burst_all(at.port, want / BURST));
	} else {
		want = stage.storm / 2 / CHURNERS * CHURNERS;
		TRY(churn_all(at.port));
	}
	deadline = now_ns() + (uint64_t)patience_ms() * 1000000;
	while (atomic_load(&ledger->served) < want && now_ns() < deadline)
		usleep(1000); /* the queue drains; there is no event to wait for here */
	atomic_store(&ledger->stop, 1);
	for (int i = 0; i < SERVERS; i++)
		TRY(actor_join(servers[i]));
	if (atomic_load(&ledger->served) != want)
		return failed(__FILE__, __LINE__, "connections not accepted", -ETIMEDOUT);
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
