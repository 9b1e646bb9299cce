/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * MPTCP paths that the kernel opens by itself, in a worker thread at one end and for a packet at
 * the other: nobody called connect() or accept() for them. They belong to who did for the first.
 * (Other scenarios are played by MPTCP sockets, too: see truth.c.)
 */
#include "scenario.h"

#include "text/cleanup.h"
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "actor.h"
#include "net.h"
#include "netlink.h"
#include "place.h"

#define JOINED 2 /* paths beside the first */

/* Of the client, one for each path; 2 is the server, which has no other: its kernel would open
 * paths from there, too. */
static const unsigned char hosts[1 + JOINED] = { 1, 3, 4 };

static int run_ip(const char *const *argv)
{
	pid_t pid;
	int r = posix_spawnp(&pid, "ip", NULL, NULL, (char *const *)argv, environ);

	return r ? -r : wait_pid(pid);
}

static int allow_paths(void)
{
	static const char *const limits[] = {
		"ip", "mptcp", "limits", "set", "subflow", "2", NULL
	};

	return run_ip(limits);
}

/* An address for each path, on the cable. */
static int client_place(void)
{
	TRY(allow_paths());
	for (int i = 0; i <= JOINED; i++) {
		struct ep at = cable_address(hosts[i], 0);
		char text[INET6_ADDRSTRLEN];
		const char *const endpoint[] = {
			"ip", "mptcp", "endpoint", "add", ep_text(&at, text), "subflow", NULL
		};

		TRY(address_add("near", &at, cable_prefix()));
		if (i > 0)
			TRY(run_ip(endpoint));
	}
	TRY(link_up("near"));
	return 0;
}

/* --- the kernel's list: nobody has a descriptor to ask --- */

/* As /proc/net/tcp, or tcp6, has an address. */
static void proc_text(const struct ep *ep, bool is_v4, char text[40])
{
	uint32_t words[4];

	memcpy(words, &ep->ip, sizeof(words));
	if (is_v4)
		snprintf(text, 40, "%08X", words[3]);
	else
		snprintf(text, 40, "%08X%08X%08X%08X", words[0], words[1], words[2], words[3]);
}

struct line {
	char here[40], there[40];
	unsigned int port, peer, state;
};

enum { ESTABLISHED = 1, TIME_WAIT = 6, LISTEN = 10 };

static bool next_line(FILE *file, struct line *line)
{
	char text[512];

	while (fgets(text, sizeof(text), file)) {
		if (sscanf(text, " %*u: %39[0-9A-F]:%x %39[0-9A-F]:%x %x", line->here, &line->port,
			   line->there, &line->peer, &line->state) == 5)
			return true;
	}
	return false;
}

/* The port of the established socket at LOCAL whose peer is REMOTE; 0: there is none (yet). */
static uint16_t port_in(const char *path, bool is_v4, const struct ep *local,
			const struct ep *remote)
{
	_fclose_ FILE *file = fopen(path, "re");
	char at[40], to[40];
	struct line line;

	proc_text(local, is_v4, at);
	proc_text(remote, is_v4, to);
	while (file && next_line(file, &line)) {
		if (line.state == ESTABLISHED && line.peer == remote->port &&
		    !strcmp(line.here, at) && !strcmp(line.there, to))
			return (uint16_t)line.port;
	}
	return 0;
}

static int path_port(const struct ep *local, const struct ep *remote, uint16_t *ret_port)
{
	uint64_t deadline = now_ns() + (uint64_t)patience_ms() * 1000000;

	do {
		*ret_port = port_in("/proc/self/net/tcp", true, local, remote);
		if (!*ret_port)
			*ret_port = port_in("/proc/self/net/tcp6", false, local, remote);
		if (*ret_port)
			return 0;
		usleep(2000); /* lint: poll */
	} while (now_ns() < deadline);
	return -ETIMEDOUT;
}

static bool are_open(const char *path)
{
	_fclose_ FILE *file = fopen(path, "re");
	struct line line;

	while (file && next_line(file, &line)) {
		if (line.state != TIME_WAIT && line.state != LISTEN)
			return true;
	}
	return false;
}

/* A worker closes them, and a cable that goes too early takes the last acknowledgement with it. */
static int paths_closed(void)
{
	uint64_t deadline = now_ns() + (uint64_t)patience_ms() * 1000000;

	while (are_open("/proc/self/net/tcp") || are_open("/proc/self/net/tcp6")) {
		if (now_ns() > deadline)
			return -ETIMEDOUT;
		usleep(2000); /* lint: poll */
	}
	return 0;
}

/* --- the two ends --- */

struct paths {
	struct session *s[JOINED];
};

static struct session *path_open(const struct session *first, enum truth_role role,
				 const struct ep *local, const struct ep *remote)
{
	struct session *s = session_open(&(struct opening){ .fd = -1,
							    .proto = IPPROTO_TCP,
							    .role = role,
							    .local = local,
							    .remote = remote,
							    .before = first->opened[0] });

	s->netns_cookie = first->netns_cookie;
	return s;
}

static int close_all(struct conn *c, const struct paths *paths)
{
	uint64_t before = now_ns();

	TRY(conn_close(c));
	for (int i = 0; i < JOINED; i++)
		session_closed(paths->s[i], before);
	return 0;
}

struct serve {
	int listener;
	int ctl;   /* the client's channel */
	bool late; /* accept() when the client has all its paths */
};

/* Not the process that listens. */
static int accepts_paths(int ctl, void *arg)
{
	const struct serve *serve = arg;
	_conn_ struct conn c = CONN_NONE;
	bool with_addr = turn() & 1;
	struct paths paths;
	uint64_t index;

	(void)ctl;
	if (serve->late)
		TRY(hear(serve->ctl, &index));
	TRY(tcp_accept(&c, serve->listener, with_addr));
	TRY(recv_byte(c.fd));
	TRY(send_byte(c.fd));
	TRY(hear(serve->ctl, &index));
	if (!with_addr)
		session_mirror(c.s, session_at((uint32_t)index));
	for (int i = 0; i < JOINED; i++) {
		const struct session *client;

		TRY(hear(serve->ctl, &index));
		client = session_at((uint32_t)index);
		paths.s[i] = path_open(c.s, ROLE_ACCEPTOR, &client->remote, &client->local);
	}
	TRY(send_byte(c.fd));
	return close_all(&c, &paths);
}

/* In a namespace of its own, at the other end of the cable. */
static int serves_paths(int ctl, void *arg)
{
	_actor_ struct actor acceptor = ACTOR_NONE;
	_conn_ struct conn l = CONN_NONE;
	struct serve serve = { .ctl = ctl, .late = *(bool *)arg };
	struct ep at = cable_address(2, 0);
	uint64_t cable;

	TRY(own_netns());
	TRY(say(ctl, 0)); /* the stage plugs the cable into our namespace */
	TRY(hear(ctl, &cable));
	TRY(address_add("far", &at, cable_prefix()));
	TRY(link_up("far"));
	TRY(allow_paths());
	TRY(tcp_listen(&l, &at, &at));
	serve.listener = l.fd;
	TRY(actor_start(&acceptor, "paths-acceptor", accepts_paths, &serve));
	TRY(say(ctl, at.port));
	TRY(actor_join(&acceptor));
	TRY(paths_closed());
	return conn_close(&l);
}

static int client_paths(const struct conn *c, const struct ep *to, struct paths *paths)
{
	for (int i = 0; i < JOINED; i++) {
		struct ep here = cable_address(hosts[1 + i], 0);

		TRY(path_port(&here, to, &here.port));
		paths->s[i] = path_open(c->s, ROLE_OPENER, &here, to);
	}
	return 0;
}

/* There can be more than one path when data has gone through the first. */
static int dials_paths(const struct ep *to, int server, bool late)
{
	_conn_ struct conn c = CONN_NONE;
	struct ep here = cable_address(hosts[0], 0);
	struct paths paths;
	int fd = TRY(sock_new(SOCK_STREAM));

	TRY(sock_bind(fd, &here));
	TRY(tcp_connect_fd(&c, fd, to, 0));
	TRY(send_byte(c.fd));
	if (!late)
		TRY(recv_byte(c.fd));
	TRY(client_paths(&c, to, &paths));
	if (late) {
		TRY(say(server, 0));
		TRY(recv_byte(c.fd));
	}
	TRY(say(server, session_index(c.s)));
	for (int i = 0; i < JOINED; i++)
		TRY(say(server, session_index(paths.s[i])));
	TRY(recv_byte(c.fd));
	return close_all(&c, &paths);
}

static int joined(bool late)
{
	_actor_ struct actor server = ACTOR_NONE;
	_close_ int far = -1;
	struct ep to;
	uint64_t value;
	int r;

	if (!mptcp_here())
		return skipped("no MPTCP in this kernel");
	r = own_netns();
	if (refused_to_us(r))
		return skipped(CAN_NOT);
	TRY(r);
	stage.mptcp = 1;
	TRY(actor_start(&server, "paths-server", serves_paths, &late));
	TRY(hear(server.ctl, &value));
	far = TRY(netns_of(server.pid));
	r = veth_add("near", "far", far);
	if (r == -EOPNOTSUPP)
		return skipped("no veth in this kernel");
	TRY(r);
	TRY(client_place());
	TRY(say(server.ctl, 0));
	TRY(hear(server.ctl, &value));
	to = cable_address(2, (uint16_t)value);
	TRY(dials_paths(&to, server.ctl, late));
	TRY(paths_closed());
	TRY(actor_join(&server));
	return 0;
}

int mptcp_joined(void)
{
	return joined(false);
}

int mptcp_joined_queued(void)
{
	return joined(true);
}
