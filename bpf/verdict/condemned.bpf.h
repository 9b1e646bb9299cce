/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Listeners that were denied when they listened already, until the daemon has ended them. */
#ifndef FLOWNER_VERDICT_CONDEMNED_BPF_H
#define FLOWNER_VERDICT_CONDEMNED_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

/* SO_COOKIE -> CLOCK_BOOTTIME. A cookie is never used again, so what stays here does no harm. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, __u64);
} condemned SEC(".maps") __weak;

static __always_inline void condemn(__u64 cookie)
{
	__u64 now = bpf_ktime_get_boot_ns();

	bpf_map_update_elem(&condemned, &cookie, &now, BPF_ANY);
}

static __always_inline bool is_condemned(__u64 cookie)
{
	return bpf_map_lookup_elem(&condemned, &cookie) != NULL;
}

#endif /* FLOWNER_VERDICT_CONDEMNED_BPF_H */
