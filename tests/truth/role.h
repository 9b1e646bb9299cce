/* SPDX-License-Identifier: BSD-2-Clause */
/* The parts an exec'd image of the test can play, by name. The table is in truth.c. */
#ifndef TRUTH_ROLE_H
#define TRUTH_ROLE_H

#include <stddef.h>
#include <stdint.h>

struct role {
	const char *name;
	int (*play)(int ctl, uint64_t a, uint64_t b);
};

extern const struct role roles[]; /* ends with a NULL name */

int copy_program_to(int in, int out, size_t size);

#endif
