/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP sessions over loopback by processes that live as short as a process can, and the truth about
 * them. Every client is a process of its own; the server's acceptors share a listener that none of
 * them made.
 *
 *	sessions COUNT PORT >TRUTH
 *
 *	listener PID
 *	session NUMBER BEGIN_NS CLIENT_PORT CLIENT_PID ACCEPTOR_PID LIFE_NS
 *
 * BEGIN_NS is CLOCK_REALTIME just before connect(). Of four sessions of a driver one takes its port
 * from a few and lets go with a reset; in two, one behind the other, the server closes first and
 * the port is the same, so that the next process takes over a TIME-WAIT as young as it can be.
 */
#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ACCEPTORS 4
#define DRIVERS 2
#define KINDS 4	       /* of sessions, in turn */
#define RESET_PORTS 16 /* of a driver */
#define FIRST_RESET 20000
#define FIRST_TAKEN_OVER 21000 /* one of a driver */

enum kind { KIND_RESET, KIND_SERVER_FIRST, KIND_SERVER_FIRST_AGAIN, KIND_PLAIN };

struct session {
	uint64_t begin_ns, end_ns;
	uint32_t client, acceptor;
	uint16_t port;
};

static struct session *sessions;
static uint32_t count;
static struct sockaddr_in server = { .sin_family = AF_INET };

static void die(const char *what)
{
	perror(what);
	_exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* The client says which session it is, in its only four bytes. */
static void accept_all(int listener)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		struct sockaddr_in peer;
		socklen_t len = sizeof(peer);
		int fd = accept(listener, (struct sockaddr *)&peer, &len);
		uint32_t number;

		if (fd < 0)
			die("accept");
		if (recv(fd, &number, sizeof(number), MSG_WAITALL) == sizeof(number) &&
		    number < count)
			__atomic_store_n(&sessions[number].acceptor, getpid(), __ATOMIC_RELEASE);
		close(fd);
	}
}

static enum kind kind_of(uint32_t number)
{
	return (enum kind)(number / DRIVERS % KINDS);
}

static bool is_server_first(uint32_t number)
{
	return kind_of(number) == KIND_SERVER_FIRST || kind_of(number) == KIND_SERVER_FIRST_AGAIN;
}

/* 0: any that is free. It is nobody else's before the time of connect() is taken. */
static uint16_t client_port(uint32_t number, uint32_t driver)
{
	if (is_server_first(number))
		return (uint16_t)(FIRST_TAKEN_OVER + driver);
	if (kind_of(number) == KIND_RESET)
		return (uint16_t)(FIRST_RESET + driver * RESET_PORTS +
				  number / DRIVERS / KINDS % RESET_PORTS);
	return 0;
}

/* A port whose last session waits for its last ACK is not free yet. */
static int client_socket(uint32_t number, uint32_t driver)
{
	struct sockaddr_in local = server;
	struct linger reset = { .l_onoff = kind_of(number) == KIND_RESET };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0)
		die("socket");
	local.sin_port = htons(client_port(number, driver));
	if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)) < 0)
		die("setsockopt");
	while (bind(fd, (struct sockaddr *)&local, sizeof(local)) < 0) {
		if (errno != EADDRINUSE)
			die("bind");
		sched_yield();
	}
	return fd;
}

static void run_client(uint32_t number, uint32_t driver)
{
	struct session *s = &sessions[number];
	int fd = client_socket(number, driver);
	struct sockaddr_in local;
	socklen_t len = sizeof(local);
	char byte;

	s->client = (uint32_t)getpid();
	s->begin_ns = now_ns();
	if (connect(fd, (struct sockaddr *)&server, sizeof(server)) < 0)
		die("connect");
	if (send(fd, &number, sizeof(number), 0) != sizeof(number))
		die("send");
	getsockname(fd, (struct sockaddr *)&local, &len);
	s->port = ntohs(local.sin_port);
	if (is_server_first(number) && recv(fd, &byte, 1, 0) != 0)
		die("recv");
	close(fd);
	s->end_ns = now_ns();
	_exit(0);
}

/* A port is free again when its last session is gone at the server's end, too. */
static void wait_for_server(uint32_t number)
{
	while (!__atomic_load_n(&sessions[number].acceptor, __ATOMIC_ACQUIRE))
		sched_yield();
}

static void drive(uint32_t driver)
{
	for (uint32_t n = driver; n < count; n += DRIVERS) {
		int status;
		pid_t pid;

		if (n >= KINDS * DRIVERS * RESET_PORTS && kind_of(n) == KIND_RESET)
			wait_for_server(n - KINDS * DRIVERS * RESET_PORTS);
		pid = fork();
		if (pid < 0)
			die("fork");
		if (pid == 0)
			run_client(n, driver);
		if (waitpid(pid, &status, 0) < 0 || status != 0)
			die("client");
	}
	_exit(0);
}

static int listen_at(uint16_t port)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	server.sin_port = htons(port);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&server, sizeof(server)) < 0 || listen(fd, 1024) < 0)
		die("listen");
	return fd;
}

int main(int argc, char **argv)
{
	pid_t acceptors[ACCEPTORS], drivers[DRIVERS];
	int listener, failed = 0, status;

	if (argc != 3)
		return 2;
	count = (uint32_t)strtoul(argv[1], NULL, 10);
	sessions = mmap(NULL, count * sizeof(*sessions), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (sessions == MAP_FAILED)
		die("mmap");
	listener = listen_at((uint16_t)atoi(argv[2]));
	for (int i = 0; i < ACCEPTORS; i++)
		if ((acceptors[i] = fork()) == 0)
			accept_all(listener);
	for (uint32_t i = 0; i < DRIVERS; i++)
		if ((drivers[i] = fork()) == 0)
			drive(i);
	for (int i = 0; i < DRIVERS; i++)
		failed |= waitpid(drivers[i], &status, 0) < 0 || status != 0;
	for (uint32_t n = 0; n < count && !failed; n++)
		wait_for_server(n);
	for (int i = 0; i < ACCEPTORS; i++)
		kill(acceptors[i], SIGKILL);
	printf("listener %d\n", getpid());
	for (uint32_t n = 0; n < count && !failed; n++)
		printf("session %u %llu %u %u %u %llu\n", n,
		       (unsigned long long)sessions[n].begin_ns, sessions[n].port,
		       sessions[n].client, sessions[n].acceptor,
		       (unsigned long long)(sessions[n].end_ns - sessions[n].begin_ns));
	return failed;
}
