// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What the daemon sets before load. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

const volatile bool can_set_retval;
const volatile bool can_lock;	      /* see limit.bpf.h */
const volatile __u64 no_port_flag;    /* see bind.bpf.c */
const volatile __u64 verdict_scope;   /* cgroup the agent is confined to, 0 = none */
const volatile __u32 ring_wake_bytes; /* see event.bpf.h */
const volatile __u32 prohibited_mark, prohibited_mask; /* see authorize.bpf.c */

char _license[] SEC("license") = "Dual BSD/GPL";
