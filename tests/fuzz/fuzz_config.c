/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as flowner.yaml: refused or within bounds, and C stays releasable either way. */
#include "host/config.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void mute(int on)
{
	static int saved = -1, null = -1;

	if (null < 0) {
		saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
		null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	}
	dup2(on ? null : saved, STDERR_FILENO);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config c;
	int r;

	if (config_init(&c))
		return 0;
	/* each refusal tells one line; the fuzzer's own words are to be seen */
	mute(1);
	r = config_parse(&c, (const char *)data, size, "fuzz");
	mute(0);
	if (!c.socket || c.socket[0] != '/' || !c.limits.ring_bytes ||
	    (c.limits.ring_bytes & (c.limits.ring_bytes - 1)) || !c.poll_ms || !c.recent.flows)
		abort();
	if (r && (c.poll_ms != 50 || c.recent.age_s != 3600))
		abort();
	config_release(&c);
	return 0;
}
