/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reading a packet's headers: its bytes, and where its TCP or UDP header begins. What they mean for
 * a session is for those who read them.
 */
#ifndef FLOWNER_HEADER_BPF_H
#define FLOWNER_HEADER_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <flowner/ipv6.h>

#define IPV6_HEADERS 6 /* extension headers followed before giving up */

/* LEN bytes at OFF from the network header; false when there are fewer. */
static __always_inline bool load(struct __sk_buff *skb, __u32 off, void *to, __u32 len)
{
	return !bpf_skb_load_bytes_relative(skb, off, to, len, BPF_HDR_START_NET);
}

/*
 * Offset of what is behind an IPv6 header and its extensions, 0 when it is not PROTO. Not static:
 * the verifier then goes through it once for a program, and not with each way out of it through all
 * that comes after.
 */
__weak __noinline __u32 skip_ipv6(struct __sk_buff *skb, __u8 proto)
{
	__u8 next, head[FL_IPV6_HEAD];
	__u32 off = 40, size;

	if (!load(skb, 6, &next, 1))
		return 0;
	for (int i = 0; i < IPV6_HEADERS; i++) {
		if (next == proto)
			return off;
		if (!load(skb, off, head, sizeof(head)))
			return 0;
		size = fl_ipv6_extension(next, head);
		if (!size)
			return 0;
		next = head[0];
		off += size;
	}
	return next == proto ? off : 0;
}

#endif /* FLOWNER_HEADER_BPF_H */
