/* SPDX-License-Identifier: BSD-2-Clause */
/* The parts an exec'd image of the test can play, by name. The table is in truth.c. */
#ifndef TRUTH_ROLE_H
#define TRUTH_ROLE_H

#include <stdint.h>

struct role {
	const char *name;
	int (*play)(int ctl, uint64_t a, uint64_t b);
};

extern const struct role roles[]; /* ends with a NULL name */

int role_dial(int ctl, uint64_t port, uint64_t waits);
int role_finish(int ctl, uint64_t fd, uint64_t index);
int role_activated(int ctl, uint64_t listener, uint64_t with_addr);
int role_burst(int ctl, uint64_t port, uint64_t sessions);

#endif
