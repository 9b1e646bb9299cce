/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Makes a cgroup, enters it, and connects to 127.0.0.1 as the very first thing, then leaves and
 * removes it; as often as told. Prints how often it got through and how often it was denied.
 * usage: newborn CGROUP BACK PORT TIMES     BACK: the cgroup to go back to
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int enter(const char *cgroup)
{
	char path[4096];
	int fd, r;

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	fd = open(path, O_WRONLY);
	if (fd < 0)
		return -1;
	r = write(fd, "0", 1) == 1 ? 0 : -1;
	close(fd);
	return r;
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	unsigned long through = 0, denied = 0;

	if (argc != 5)
		return 2;
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	to.sin_port = htons((unsigned short)strtoul(argv[3], NULL, 10));
	for (unsigned long n = strtoul(argv[4], NULL, 10); n > 0; n--) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		if (mkdir(argv[1], 0755) < 0 || enter(argv[1]) < 0) {
			perror(argv[1]);
			return 2;
		}
		if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
			through++;
		else
			denied += errno == EACCES || errno == EPERM;
		close(fd);
		if (enter(argv[2]) < 0 || rmdir(argv[1]) < 0) {
			perror(argv[2]);
			return 2;
		}
	}
	printf("%lu %lu\n", through, denied);
	return 0;
}
