/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The receiving end of sd_notify(3): prints `listening`, then each notice on a line, until killed.
 * usage: notices SOCKET
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

int main(int argc, char **argv)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char notice[4096];
	ssize_t size;
	int fd;

	if (argc != 2 || strlen(argv[1]) >= sizeof(addr.sun_path))
		return 2;
	memcpy(addr.sun_path, argv[1], strlen(argv[1]) + 1);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return 1;
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("listening");
	while ((size = recv(fd, notice, sizeof(notice), 0)) >= 0)
		printf("%.*s\n", (int)size, notice);
	return 1;
}
