// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The constants of compat.bpf.h and event.bpf.h, set by the daemon before load. */
#include "compat.bpf.h"

const volatile bool can_task_btf = true;
const volatile bool can_tracing_socket = true;
const volatile bool count_tcp = true;
const volatile bool count_udp = true;
const volatile __u32 ring_wake_bytes = 4 << 20;
const volatile __u64 scope_cgroup_id = 0;
const volatile long accept_syscalls[2] = { -1, -1 };
const volatile long socketcall_syscall = -1;
