/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sockets that are older than the agent: made, then held still until told, then used and closed.
 * In this network namespace and in another, over IPv4 and IPv6. Each socket has exactly one holder.
 */
#include "hold.h"

#include "text/cleanup.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actor.h"
#include "place.h"
#include "udp.h"

#define LONG 3600 /* seconds: how long a test may look at it */

enum port { ACCEPTED, BLOCKED, QUEUED, UDP_ANY, UDP_PAIR, PORTS };

struct server {
	struct conn listener[3]; /* ACCEPTED, BLOCKED, QUEUED */
	struct conn accepted, late;
	struct session *queued[2]; /* the first will be accepted, the second never */
	struct udp any, pair;
	bool other_netns;
};

struct client {
	struct conn accepted, queued[2];
	struct udp pair;
	struct ep at[PORTS];
	pid_t server; /* whose network namespace is ours; 0: stay */
	uint32_t netns;
};

/* Waits for the next word as long as it takes: the agent is being started meanwhile. */
static int hear_late(int ctl, uint64_t *ret_value)
{
	int r;

	do
		r = hear(ctl, ret_value);
	while (r == -ETIMEDOUT);
	return r;
}

static void older(struct session *s)
{
	s->flags |= T_PRE;
}

static int server_opens(struct server *sv, int ctl)
{
	struct ep at = loopback(1, 0);

	for (int i = 0; i < 3; i++) {
		TRY(tcp_listen(&sv->listener[i], NULL, NULL));
		older(sv->listener[i].s);
		TRY(say(ctl, sv->listener[i].s->local.port));
	}
	TRY(udp_new(&sv->any));
	TRY(udp_bind(&sv->any, &at));
	older(sv->any.own.s);
	TRY(say(ctl, sv->any.own.s->local.port));
	TRY(udp_new(&sv->pair));
	TRY(udp_bind(&sv->pair, &at));
	older(sv->pair.own.s);
	return say(ctl, sv->pair.own.s->local.port);
}

/* The client has connected: accept one, note the others, connect the UDP pair. */
static int server_completes(struct server *sv, int ctl)
{
	struct ep to = loopback(1, 0);
	uint64_t value;

	TRY(tcp_accept(&sv->accepted, sv->listener[ACCEPTED].fd, true));
	older(sv->accepted.s);
	for (int i = 0; i < 2; i++) {
		TRY(hear(ctl, &value));
		sv->queued[i] = tcp_queued(session_at((uint32_t)value), sv->listener[QUEUED].s);
		older(sv->queued[i]);
	}
	TRY(hear(ctl, &value));
	to.port = (uint16_t)value;
	return udp_connect(&sv->pair, &to);
}

struct blocked {
	pthread_t thread;
	struct conn *listener;
	struct conn c;
	int result;
};

static void *accepts(void *arg)
{
	struct blocked *b = arg;

	b->result = tcp_accept(&b->c, b->listener->fd, true);
	return NULL;
}

/* accept() sleeps in the kernel from before the agent; no time limit may end it. */
static int blocked_start(struct blocked *b)
{
	struct timeval none = { 0 };

	SYS(setsockopt(b->listener->fd, SOL_SOCKET, SO_RCVTIMEO, &none, sizeof(none)));
	TRY(-pthread_create(&b->thread, NULL, accepts, b));
	return 0;
}

/* The queued connection is now this process's, and its socket has a descriptor. */
static int accept_queued(struct server *sv)
{
	TRY(tcp_accept(&sv->late, sv->listener[QUEUED].fd, true));
	older(sv->late.s);
	atomic_store(&sv->queued[0]->state, SLOT_CLAIMED); /* withdrawn: this slot replaces it */
	return 0;
}

static int server_uses(struct server *sv, int ctl)
{
	struct pollfd p = { .fd = sv->any.own.fd, .events = POLLIN };
	struct ep local = sv->any.own.s->local, from;
	uint64_t before = now_ns(), end;

	TRY(recv_byte(sv->accepted.fd));
	TRY(send_byte(sv->accepted.fd));
	TRY(accept_queued(sv));
	TRY(udp_receive(&sv->pair));
	SYS(poll(&p, 1, patience_ms()));
	TRY(udp_take(&sv->any, true, &local, before, &from));
	TRY(udp_reply(&sv->any, &from, NULL));
	TRY(say(ctl, 0));
	return hear(ctl, &end);
}

static int server_closes(struct server *sv)
{
	uint64_t before = now_ns();

	TRY(conn_close(&sv->accepted));
	TRY(conn_close(&sv->late));
	for (int i = 0; i < 3; i++)
		TRY(conn_close(&sv->listener[i]));
	session_closed(sv->queued[1], before);
	TRY(udp_close(&sv->any));
	return udp_close(&sv->pair);
}

static int server_actor(int ctl, void *arg)
{
	struct server *sv = arg;
	struct blocked blocked = { .listener = &sv->listener[BLOCKED], .c = CONN_NONE };
	uint64_t go;

	watchdog(LONG);
	if (sv->other_netns) {
		TRY(own_netns());
	}
	TRY(server_opens(sv, ctl));
	TRY(server_completes(sv, ctl));
	TRY(blocked_start(&blocked));
	TRY(say(ctl, 0));
	TRY(hear_late(ctl, &go));
	TRY(server_uses(sv, ctl));
	pthread_join(blocked.thread, NULL);
	TRY(blocked.result);
	TRY(recv_end(blocked.c.fd));
	TRY(conn_close(&blocked.c));
	return server_closes(sv);
}

static int client_opens(struct client *cl, int ctl)
{
	TRY(tcp_connect(&cl->accepted, &cl->at[ACCEPTED]));
	older(cl->accepted.s);
	for (int i = 0; i < 2; i++) {
		TRY(tcp_connect(&cl->queued[i], &cl->at[QUEUED]));
		older(cl->queued[i].s);
		TRY(say(ctl, session_index(cl->queued[i].s)));
	}
	TRY(udp_new(&cl->pair));
	TRY(udp_connect(&cl->pair, &cl->at[UDP_PAIR]));
	older(cl->pair.own.s);
	return say(ctl, cl->pair.own.s->local.port);
}

static int client_uses(struct client *cl)
{
	_conn_ struct conn fresh = CONN_NONE;
	_udp_ struct udp asks = UDP_NONE;

	TRY(send_byte(cl->accepted.fd));
	TRY(recv_byte(cl->accepted.fd));
	TRY(tcp_connect(&fresh, &cl->at[BLOCKED]));
	TRY(send_byte(fresh.fd));
	TRY(conn_close(&fresh));
	TRY(udp_send(&cl->pair));
	TRY(udp_new(&asks));
	TRY(udp_connect(&asks, &cl->at[UDP_ANY]));
	TRY(udp_send(&asks));
	TRY(udp_receive(&asks));
	return udp_close(&asks);
}

static int client_actor(int ctl, void *arg)
{
	struct client *cl = arg;
	char name[32];
	uint64_t go;

	watchdog(LONG);
	if (cl->server) {
		_close_ int fd = -1;

		snprintf(name, sizeof(name), "%d/ns/net", cl->server);
		fd = SYS(openat(proc_dir, name, O_RDONLY | O_CLOEXEC));
		SYS(setns(fd, CLONE_NEWNET));
		stage.netns = cl->netns;
	}
	TRY(client_opens(cl, ctl));
	TRY(hear_late(ctl, &go));
	TRY(client_uses(cl));
	TRY(conn_close(&cl->accepted));
	for (int i = 0; i < 2; i++)
		TRY(conn_close(&cl->queued[i]));
	return udp_close(&cl->pair);
}

struct pair {
	struct actor server, client;
};

#define NO_PAIR                                                                                    \
	{                                                                                          \
		ACTOR_NONE, ACTOR_NONE                                                             \
	}

/* Everything of one namespace is open and still when this returns. */
static int pair_opens(struct pair *pair, bool other_netns)
{
	static struct server sv;
	static struct client cl;
	uint64_t value;

	sv = (struct server){ .listener = { CONN_NONE, CONN_NONE, CONN_NONE },
			      .accepted = CONN_NONE,
			      .late = CONN_NONE,
			      .other_netns = other_netns };
	cl = (struct client){ .accepted = CONN_NONE, .queued = { CONN_NONE, CONN_NONE } };
	TRY(actor_start(&pair->server, "hold-server", server_actor, &sv));
	for (int i = 0; i < PORTS; i++) {
		TRY(hear(pair->server.ctl, &value));
		cl.at[i] = loopback(1, (uint16_t)value);
	}
	cl.server = other_netns ? pair->server.pid : 0;
	cl.netns = atomic_load(&ledger->netns); /* the server's, made last */
	TRY(actor_start(&pair->client, "hold-client", client_actor, &cl));
	for (int i = 0; i < 3; i++) { /* two in the queue, and the port of the UDP pair */
		TRY(hear(pair->client.ctl, &value));
		TRY(say(pair->server.ctl, value));
	}
	return hear(pair->server.ctl, &value);
}

static int pair_goes(struct pair *pair)
{
	uint64_t value;

	TRY(say(pair->server.ctl, 0));
	TRY(say(pair->client.ctl, 0));
	TRY(hear(pair->server.ctl, &value));
	TRY(say(pair->server.ctl, 0));
	TRY(actor_join(&pair->client));
	TRY(actor_join(&pair->server));
	return 0;
}

static int wait_for_go(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin))
		if (!strcmp(line, "go\n"))
			return 0;
	return -ECANCELED;
}

static int hold_pairs(struct pair *pairs, int count, const struct names *names)
{
	for (int i = 0; i < count; i++) {
		stage.family = i < 2 ? FAMILY_V4 : FAMILY_V6;
		TRY(pair_opens(&pairs[i], i & 1));
	}
	report_meta(stdout);
	report_sessions(stdout, names, 0, atomic_load(&ledger->sessions));
	printf("READY\n");
	fflush(stdout);
	TRY(wait_for_go());
	for (int i = 0; i < count; i++)
		TRY(pair_goes(&pairs[i]));
	return 0;
}

int hold(const char *path, const struct names *names)
{
	_fclose_ FILE *out = fopen(path, "ae");
	struct pair pairs[4] = { NO_PAIR, NO_PAIR, NO_PAIR, NO_PAIR };
	int r, count = geteuid() ? 1 : 4;

	if (!out) {
		fprintf(stderr, "truth: cannot write '%s': %s\n", path, strerror(errno));
		return 1;
	}
	if (count == 1)
		fprintf(stderr, "hold: other network namespaces and IPv6 skipped: needs root\n");
	if (count == 4 && !family_here(FAMILY_V6))
		count = 2;
	stage = (struct stage){ .scenario = UINT32_MAX, .family = FAMILY_V4 };
	report_meta(out);
	r = hold_pairs(pairs, count, names);
	for (int i = 0; i < count; i++) {
		actor_drop(&pairs[i].client);
		actor_drop(&pairs[i].server);
	}
	report_sessions(out, names, 0, atomic_load(&ledger->sessions));
	if (r < 0)
		fprintf(stderr, "truth: hold: %s\n", ledger->failure);
	return r < 0 ? 1 : 0;
}
