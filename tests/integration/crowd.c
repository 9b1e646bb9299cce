/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Very many sockets: SOCKETS of UDP on loopback, each held by HOLDERS processes with the same
 * descriptors. Prints `ready` and ends with its standard input, when all of them are gone.
 * usage: crowd SOCKETS HOLDERS
 */
#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST_PORT 1024
#define SPARE 64 /* descriptors that are no sockets of ours */

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* As many as one process may have open. */
static unsigned long room(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		die("getrlimit");
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		die("setrlimit");
	return limit.rlim_cur > 32768 ? 32768 : limit.rlim_cur - SPARE;
}

/* Number N of all: ports of one address, then of the next. */
static void open_one(unsigned long n)
{
	const unsigned long ports = 65536 - FIRST_PORT;
	struct sockaddr_in here = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl((unsigned int)(INADDR_LOOPBACK + n / ports)),
		.sin_port = htons((unsigned short)(FIRST_PORT + n % ports)),
	};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&here, sizeof(here)) < 0)
		die("socket");
}

static bool forked(void)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	return !pid;
}

/* Until the other end of STAY is closed. */
static void hold(int ready, const int stay[2])
{
	char byte;

	close(stay[1]);
	if (write(ready, "x", 1) != 1)
		die("write");
	(void)!read(stay[0], &byte, 1);
	exit(0);
}

/* COUNT sockets from number FIRST on, in this process and HOLDERS - 1 children of it. */
static void be_holder(unsigned long first, unsigned long count, unsigned long holders, int ready,
		      const int stay[2])
{
	for (unsigned long i = 0; i < count; i++)
		open_one(first + i);
	for (unsigned long i = 1; i < holders; i++)
		if (forked())
			hold(ready, stay);
	hold(ready, stay);
}

int main(int argc, char **argv)
{
	unsigned long sockets = argc == 3 ? strtoul(argv[1], NULL, 10) : 0;
	unsigned long holders = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
	unsigned long each = room(), waiting = 0;
	int ready[2], stay[2];
	char byte;

	if (!sockets || !holders || pipe(ready) < 0 || pipe(stay) < 0 ||
	    prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return 2;
	for (unsigned long first = 0; first < sockets; first += each) {
		unsigned long count = sockets - first < each ? sockets - first : each;

		if (forked())
			be_holder(first, count, holders, ready[1], stay);
		waiting += holders;
	}
	while (waiting && read(ready[0], &byte, 1) == 1)
		waiting--;
	puts("ready");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	close(stay[1]);
	while (wait(NULL) > 0)
		;
	return 0;
}
