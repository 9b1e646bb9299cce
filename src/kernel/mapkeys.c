/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/mapkeys.h"
#include "text/cleanup.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#define BATCH 4096u

int mapkeys_each(int fd, size_t key_size, size_t value_size,
		 int (*fn)(const void *keys, __u32 count, void *arg), void *arg)
{
	_free_ void *keys = calloc(BATCH, key_size), *values = calloc(BATCH, value_size);
	__u32 from = 0, count;
	bool last = false;
	int r = keys && values ? 0 : -ENOMEM;

	for (bool first = true; !r && !last; first = false) {
		count = BATCH;
		last = bpf_map_lookup_batch(fd, first ? NULL : &from, &from, keys, values, &count,
					    NULL) < 0;
		if (last && errno != ENOENT)
			return -errno;
		r = fn(keys, count, arg);
	}
	return r;
}
