// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The socket itself is freed: whatever flow still stands under its cookie has ended unseen. The
 * last repair inside the kernel; where neither form attaches, reconciliation does it later.
 */
#include "flow.bpf.h"
#include <bpf/bpf_tracing.h>

static __always_inline void freed(struct sock *sk)
{
	__u64 cookie = sock_existing_cookie(sk);

	if (cookie && !flow_end(cookie, FL_REASON_NONE, NULL))
		count(FL_CNT_END_REPAIRED);
}

SEC("fentry/__sk_free")
int BPF_PROG(free_fentry, struct sock *sk)
{
	note_fired(FL_PROBE_FREE);
	freed(sk);
	return 0;
}

SEC("kprobe/__sk_free")
int BPF_KPROBE(free_kprobe, struct sock *sk)
{
	note_fired(FL_PROBE_FREE);
	freed(sk);
	return 0;
}
