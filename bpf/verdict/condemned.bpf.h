/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Listeners that were denied when they listened already, until the daemon has ended them. */
#ifndef FLOWNER_VERDICT_CONDEMNED_BPF_H
#define FLOWNER_VERDICT_CONDEMNED_BPF_H

#include "storage.bpf.h"
#include "tcp.bpf.h"

/* Which flow it is that was denied: the socket may listen again, as another. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u64); /* flow id, 0: none */
} condemned SEC(".maps") __weak;

static __always_inline void condemn(struct bpf_sock *sk, __u64 id)
{
	__u64 *denied = storage_make(&condemned, sk);

	if (denied)
		*denied = id;
	else
		count(FL_CNT_STORAGE_FULL); /* open until the daemon has ended it */
}

static __always_inline void pardon(struct bpf_sock *sk)
{
	__u64 *denied = bpf_sk_storage_get(&condemned, sk, 0, 0);

	if (denied)
		*denied = 0;
}

static __always_inline bool is_condemned(struct bpf_sock *sk, __u64 cookie)
{
	__u64 *denied = bpf_sk_storage_get(&condemned, sk, 0, 0);

	return denied && *denied == tcp_flow_id(sk, cookie);
}

#endif /* FLOWNER_VERDICT_CONDEMNED_BPF_H */
