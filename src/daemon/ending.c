/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/ending.h"
#include "daemon/daemon.h"

/* Of a start that fails nothing is left but what was there: the next one takes that up. */
bool ending_leaves(const struct ending *e)
{
	if (e->result < 0)
		return e->served || e->found;
	return e->result == DAEMON_REPLACED || e->on_stop == CONFIG_STOP_KEEP;
}
