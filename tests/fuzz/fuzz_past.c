/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as a line of the history: refused, or a flow that ended and has an id. */
#include "past.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define OFFSET_NS 1767323045000000000LL

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct past p;

	if (past_parse((const char *)data, size, OFFSET_NS, &p) < 0)
		return 0;
	if (!p.flow.id || !p.flow.ended_ns || p.flow.role > FL_ROLE_EXISTING ||
	    !memchr(p.flow.owner.comm, 0, sizeof(p.flow.owner.comm)))
		abort();
	past_release(&p);
	return 0;
}
