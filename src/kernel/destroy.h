/* SPDX-License-Identifier: BSD-2-Clause */
/* bpf_sock_destroy() for one socket: where netlink has no way to it. Knows its own skeleton. */
#ifndef FLOWNER_DESTROY_H
#define FLOWNER_DESTROY_H

#include <flowner/flow.h>

/*
 * Walks the sockets of the namespace at PATH. 0 the one with COOKIE was cut; -ENOENT it is not
 * there; -EOPNOTSUPP this kernel cannot (6.5), else what the kernel answered.
 */
int destroy_by_program(const char *path, enum fl_proto proto, __u64 cookie);

#endif
