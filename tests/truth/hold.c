/* SPDX-License-Identifier: BSD-2-Clause */
/* Sockets that are older than the agent. */
#include "hold.h"

int hold(const char *path, const struct names *names)
{
	(void)path;
	(void)names;
	return 1;
}
