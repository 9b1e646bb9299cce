/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a daemon that ends leaves at work in the kernel: programs, maps and policy, or none of them.
 * What denies does not go because a daemon failed. Who is told to stop does as on_stop says.
 */
#ifndef FLOWNER_ENDING_H
#define FLOWNER_ENDING_H

#include "host/config.h"
#include <stdbool.h>

struct ending {
	int result;  /* of daemon_run(), or negative errno of what failed before */
	bool served; /* it was ready, whatever came then */
	bool found;  /* an earlier daemon had left something */
	enum config_on_stop on_stop;
};

/* False: all of it is taken away. */
bool ending_leaves(const struct ending *e);

#endif
