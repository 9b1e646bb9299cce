/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What one loopback session costs: N times connect, accept and both closes (or, for UDP, a
 * datagram sent and received) in one process, and nothing else; or what a listener costs. Prints
 * nanoseconds per session:
 * the median of PARTS equal parts, so that a hiccup of the machine is not taken for a cost, while
 * each part is long enough to hold a share of whatever an agent does every now and then.
 *
 * Not a load generator: one thread, no data on TCP, so that what an agent adds is as large a part
 * of the result as it can be.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <error.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/*
 * Sessions go to 127.1.0.0/24 in turn: the ports of the last minute's wait in TIME_WAIT, and one
 * address has only some 28 000.
 */
#define NETWORK 0x7f010000
#define HOSTS 256
#define PARTS 10
#define LISTENER_PORT 7999

/* A session returns its nanoseconds where not all of what it does is to be measured, else 0. */
struct mode {
	const char *name;
	double (*session)(int server, const struct sockaddr_in *to);
	int type;
};

static double now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e9 + ts.tv_nsec;
}

static int connected(const struct sockaddr_in *to)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)to, sizeof(*to)))
		error(1, errno, "cannot connect");
	return fd;
}

static double tcp_addr(int server, const struct sockaddr_in *to)
{
	struct sockaddr_in peer;
	socklen_t len = sizeof(peer);
	int fd = connected(to);
	int accepted = accept(server, (struct sockaddr *)&peer, &len);

	if (accepted < 0)
		error(1, errno, "cannot accept");
	close(fd);
	close(accepted);
	return 0;
}

static double tcp_null(int server, const struct sockaddr_in *to)
{
	int fd = connected(to);
	int accepted = accept(server, NULL, NULL);

	if (accepted < 0)
		error(1, errno, "cannot accept");
	close(fd);
	close(accepted);
	return 0;
}

/* One unconnected socket and one peer, as a resolver or a statistics client has it. */
static double udp(int server, const struct sockaddr_in *to)
{
	static int client = -1;
	char byte = 0;

	if (client < 0)
		client = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sendto(client, &byte, 1, 0, (const struct sockaddr *)to, sizeof(*to)) != 1)
		error(1, errno, "cannot send");
	if (recv(server, &byte, 1, 0) != 1)
		error(1, errno, "cannot receive");
	return 0;
}

/* A new listener, at the same port each time. A denied listen() is one too. */
static double listener(int server, const struct sockaddr_in *to)
{
	struct sockaddr_in here = { .sin_family = AF_INET, .sin_port = htons(LISTENER_PORT) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
	double start_ns;

	(void)server;
	(void)to;
	here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(fd, (struct sockaddr *)&here, sizeof(here)))
		error(1, errno, "cannot bind");
	start_ns = now_ns();
	if (listen(fd, 16) && errno != EACCES)
		error(1, errno, "cannot listen");
	start_ns = now_ns() - start_ns;
	close(fd);
	return start_ns;
}

static double listeners(int server, const struct sockaddr_in *to)
{
	(void)listener(server, to);
	return 0;
}

static const struct mode modes[] = {
	{ "tcp", tcp_addr, SOCK_STREAM },
	{ "tcp-null", tcp_null, SOCK_STREAM },
	{ "udp", udp, SOCK_DGRAM },
	{ "listen", listener, SOCK_STREAM }, /* listen() alone */
	{ "listeners", listeners, SOCK_STREAM },
};

static const struct mode *mode_find(const char *name)
{
	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++)
		if (!strcmp(modes[i].name, name))
			return &modes[i];
	error(2, 0, "no mode '%s'", name);
	return NULL;
}

static int server_new(int type, struct sockaddr_in *ret_to)
{
	struct sockaddr_in any = { .sin_family = AF_INET };
	socklen_t len = sizeof(*ret_to);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof(any)) ||
	    (type == SOCK_STREAM && listen(fd, 16)) ||
	    getsockname(fd, (struct sockaddr *)ret_to, &len))
		error(1, errno, "cannot listen");
	ret_to->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return fd;
}

static double part_ns(const struct mode *mode, int server, struct sockaddr_in *to, long sessions)
{
	double start_ns = now_ns(), measured_ns = 0;

	for (long i = 0; i < sessions; i++) {
		if (mode->type == SOCK_STREAM)
			to->sin_addr.s_addr = htonl(NETWORK | i % HOSTS);
		measured_ns += mode->session(server, to);
	}
	return (measured_ns > 0 ? measured_ns : now_ns() - start_ns) / sessions;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	const struct mode *mode;
	struct sockaddr_in to;
	double ns[PARTS];
	long sessions;
	int server;

	if (argc != 3 || (sessions = strtol(argv[2], NULL, 10)) < PARTS)
		error(2, 0, "usage: churn tcp|tcp-null|udp|listen|listeners SESSIONS");
	mode = mode_find(argv[1]);
	server = server_new(mode->type, &to);
	for (int i = 0; i < PARTS; i++)
		ns[i] = part_ns(mode, server, &to, sessions / PARTS);
	qsort(ns, PARTS, sizeof(*ns), by_value);
	printf("%.0f\n", (ns[PARTS / 2 - 1] + ns[PARTS / 2]) / 2);
	return 0;
}
