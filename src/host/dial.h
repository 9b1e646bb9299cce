/* SPDX-License-Identifier: BSD-2-Clause */
/* The client's end of a unix socket: connect, wait, send, each with a time limit. */
#ifndef FLOWNER_DIAL_H
#define FLOWNER_DIAL_H

#include <stddef.h>

/* WAIT_MS -1 is for ever. -ENAMETOOLONG, -ETIMEDOUT, the errno of connect(). Caller closes. */
int dial_connect(const char *path, int wait_ms, int *ret_fd);

/* 0 when FD is ready for EVENTS (or broken: the next call says how), -ETIMEDOUT. */
int dial_wait(int fd, short events, int wait_ms);

/* All of DATA; 0 also when the peer closed before it took all. */
int dial_send(int fd, const char *data, size_t len, int wait_ms);

#endif
