// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Another product: denies every bind(), connect() and sendto(). */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define DENIES(hook)                                                                               \
	SEC("cgroup/" #hook) int deny_##hook(struct bpf_sock_addr *ctx)                            \
	{                                                                                          \
		(void)ctx;                                                                         \
		return 0;                                                                          \
	}

DENIES(bind4)
DENIES(bind6)
DENIES(connect4)
DENIES(connect6)
DENIES(sendmsg4)
DENIES(sendmsg6)
