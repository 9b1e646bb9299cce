/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is remembered of sockets that were redirected. All of it goes with the socket: socket
 * storage by the kernel, `redirects_open` when the connection closes.
 */
#ifndef FLOWNER_VERDICT_REDIRECT_BPF_H
#define FLOWNER_VERDICT_REDIRECT_BPF_H

#include "attempt.bpf.h"
#include "event.bpf.h"
#include "policy.bpf.h"
#include <flowner/redirected.h>

/* Of the socket that was redirected. */
struct redirected {
	struct bpf_spin_lock lock; /* several threads may send by one socket */
	__u32 pad;
	struct fl_detours detours;
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct redirected);
} redirected_sockets SEC(".maps") __weak;

/* TCP connections that were, by the key of the connecting end; from before the SYN until it is
 * closed, so that an accepted socket finds the life it is the other end of and no other. */
struct redirect {
	__u64 flow_id; /* of the connecting end */
	struct fl_place from;
	__u32 ifindex; /* it is bound to, what the key here leaves out; 0: to none */
	__u32 pad;
	__u64 check; /* of all this with its key: see check.h */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct fl_key);
	__type(value, struct redirect);
} redirects_open SEC(".maps") __weak;

/* Of the accepted socket of such a connection. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct fl_redirected);
} redirects_taken SEC(".maps") __weak;

/* Of policy_rules: does ATTEMPT go elsewhere by the rule at INDEX? Not when it goes there anyway,
 * nor when it is of the process that listens there. */
int redirect_applies(const struct fl_attempt *a, __u32 index) __hidden;

#endif /* FLOWNER_VERDICT_REDIRECT_BPF_H */
