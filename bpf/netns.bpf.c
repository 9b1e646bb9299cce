// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Before 5.12 a network namespace has no cookie until a program asks for it, and before 5.14 no
 * socket tells it to user space. So the first socket() in a namespace asks, and writes it down.
 */
#include "event.bpf.h"

SEC("cgroup/sock_create")
int netns_create(struct bpf_sock *ctx)
{
	struct sock *sk = (struct sock *)(void *)ctx; /* what the context of these programs is */
	__u64 cookie = bpf_get_netns_cookie(ctx), *known;
	__u32 inum = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);

	known = bpf_map_lookup_elem(&netns_cookies, &inum);
	if (known && *known == cookie)
		return 1;
	bpf_map_update_elem(&netns_cookies, &inum, &cookie, BPF_ANY);
	bpf_map_update_elem(&netns, &cookie, &inum, BPF_ANY);
	return 1;
}
