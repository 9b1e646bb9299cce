/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connects to 127.0.0.1 again and again until SIGTERM or so many times, then prints how often it
 * tried and how often it got through.
 * usage: hammer PORT [TRIES]
 */
#include <arpa/inet.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static volatile sig_atomic_t ended;

static void end(int signal)
{
	(void)signal;
	ended = 1;
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	struct sigaction on_term = { .sa_handler = end };
	unsigned long tries = 0, through = 0, limit = ULONG_MAX;

	if (argc != 2 && argc != 3)
		return 2;
	if (argc == 3)
		limit = strtoul(argv[2], NULL, 10);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	to.sin_port = htons((unsigned short)strtoul(argv[1], NULL, 10));
	sigaction(SIGTERM, &on_term, NULL);
	while (!ended && tries < limit) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		if (fd < 0)
			return 2;
		tries++;
		through += connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0;
		close(fd);
	}
	printf("%lu %lu\n", tries, through);
	return 0;
}
