/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Answers by socket, both ends and interface, as packets are asked for them again and again: all
 * that differs from packet to packet of one socket, and that a rule may name. In LRU maps: what is
 * old goes first when there is much of it, and is asked again; see seal.h for what else that means.
 */
#ifndef FLOWNER_VERDICT_ASKED_BPF_H
#define FLOWNER_VERDICT_ASKED_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <flowner/policy.h>
#include <flowner/seal.h>

struct asked {
	__u64 cookie;
	__u64 epoch; /* of the policy, and of what else an answer depends on */
	__u64 local[2];
	struct fl_addr remote;
	__u16 local_port;
	__u16 remote_port;
	__u32 interface; /* ifindex: where it came in, or is to go out */
};

#define ASKED_WORDS FL_SEAL_WORDS(struct asked)

struct answered {
	__u64 may; /* 0 or 1 */
	__u64 sealed[ASKED_WORDS];
};

/* The local end of a TCP socket is one: that of its packets is another only behind a NAT. */
static __always_inline void asked_by(const struct fl_attempt *a, __u64 epoch, struct asked *asked)
{
	__u64 udp = ~fl_mask(a->key.proto ^ FL_UDP); /* no branch, see fl_opaque() */

	asked->cookie = a->cookie;
	asked->epoch = epoch;
	asked->local[0] = fl_addr_word(&a->key.local, 0) & udp;
	asked->local[1] = fl_addr_word(&a->key.local, 1) & udp;
	asked->local_port = a->key.local_port & udp;
	asked->remote = a->key.remote;
	asked->remote_port = a->key.remote_port;
	asked->interface = a->next_hop_interface;
}

/* What has been said, if that is known: 1 it may, 0 it may not; negative: nothing yet. */
static __always_inline int asked_before(void *map, const struct asked *asked)
{
	struct answered *a = bpf_map_lookup_elem(map, asked);
	__u64 may;

	if (!a)
		return -1;
	may = *(volatile const __u64 *)&a->may; /* once: it may be another's in a moment */
	if (!fl_seal_fits(a->sealed, (const __u64 *)asked, ASKED_WORDS, may))
		return -1;
	return may & 1;
}

static __always_inline void asked_now(void *map, const struct asked *asked, bool may)
{
	struct answered a = { .may = may };

	fl_seal(a.sealed, (const __u64 *)asked, ASKED_WORDS, may);
	bpf_map_update_elem(map, asked, &a, BPF_ANY);
}

#endif /* FLOWNER_VERDICT_ASKED_BPF_H */
