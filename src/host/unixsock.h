/* SPDX-License-Identifier: BSD-2-Clause */
/* The listening end of the API's unix socket: a file anybody may connect to, and only one owner. */
#ifndef FLOWNER_UNIXSOCK_H
#define FLOWNER_UNIXSOCK_H

#include <sys/types.h>

/* The socket file as we made it: another agent may have put its own there since. */
struct unixsock_file {
	dev_t device;
	ino_t inode;
};

/*
 * Listens at PATH, mode 0666 whatever the umask, not blocking; makes the directory (0755) when it
 * is missing. A socket nobody listens on is replaced. -EADDRINUSE somebody does, -EEXIST PATH is no
 * socket, -ENAMETOOLONG; else the errno of the failed call. Caller closes.
 */
int unixsock_listen(const char *path, struct unixsock_file *ret_file, int *ret_fd);

/* Removes PATH when it is still FILE. */
void unixsock_remove(const char *path, const struct unixsock_file *file);

#endif
