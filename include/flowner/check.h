/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Pure rules about the records of flow.h that BPF, daemon and library must agree on: the check word
 * that tells a torn or reused map element, and whether an owner is known. Compiles on both sides.
 *
 * Why a check word: since 6.1 the kernel may hand the memory of a deleted hash element to a new one
 * while a lock-free reader still copies it. The word covers everything that names the flow and its
 * owner; fields updated in place (state, accepted, members, next, active_ns) are outside it.
 */
#ifndef FLOWNER_CHECK_H
#define FLOWNER_CHECK_H

#include <flowner/flow.h>
#include <flowner/rule.h>

#define FL_CHECK_SEED 0x9e3779b97f4a7c15ULL
#define FL_CHECK_PRIME 0xff51afd7ed558ccdULL

/* Not inlined: unrolled, its loads would take up half of a BPF stack. */
static __attribute__((noinline, unused)) __u64 fl_check_mix(__u64 h, const void *data,
							    unsigned int words)
{
	const char *p = __builtin_assume_aligned(data, 8);

	for (unsigned int i = 0; i < words; i++) {
		__u64 w;

		__builtin_memcpy(&w, p + i * sizeof(w), sizeof(w));
		h = (h ^ w) * FL_CHECK_PRIME;
		h ^= h >> 29;
	}
	return h;
}

/* Never 0, so that an element filled with zeros does not pass. */
FL_RULE __u64 fl_check_word(const struct fl_key *key, __u64 flow_id, const struct fl_owner *owner)
{
	__u64 h = (FL_CHECK_SEED ^ flow_id) * FL_CHECK_PRIME;

	h = fl_check_mix(h, key, sizeof(*key) / 8);
	h = fl_check_mix(h, owner, sizeof(*owner) / 8);
	return h | 1;
}

FL_RULE __u64 fl_check_connection(const struct fl_key *key, const struct fl_connection *conn)
{
	return fl_check_word(key, conn->flow_id, &conn->owner);
}

FL_RULE __u64 fl_check_socket(__u64 flow_id, const struct fl_socket *sock)
{
	return fl_check_word(&sock->key, flow_id, &sock->owner);
}

FL_RULE int fl_owner_known(const struct fl_owner *owner)
{
	return owner->proc.pid != 0;
}

FL_RULE int fl_opened_here(const struct fl_socket *s)
{
	return s->key.proto == FL_TCP && s->next == FL_OPENED_HERE;
}

FL_RULE int fl_proc_equal(const struct fl_proc_key *a, const struct fl_proc_key *b)
{
	return a->start_ns == b->start_ns && a->pid == b->pid && a->exec_id == b->exec_id;
}

/* The reason a TCP flow ended, from the socket's error (errno values, positive). */
FL_RULE enum fl_reason fl_reason_from_error(int error)
{
	switch (error) {
	case 0:
		return FL_REASON_NONE;
	case 111: /* ECONNREFUSED */
		return FL_REASON_REFUSED;
	case 110: /* ETIMEDOUT */
		return FL_REASON_TIMED_OUT;
	case 113: /* EHOSTUNREACH */
	case 101: /* ENETUNREACH */
		return FL_REASON_UNREACHABLE;
	case 103: /* ECONNABORTED */
		return FL_REASON_ABORTED;
	case 104: /* ECONNRESET */
	case 32:  /* EPIPE */
		return FL_REASON_RESET;
	default:
		return FL_REASON_OTHER;
	}
}

#endif /* FLOWNER_CHECK_H */
