/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From what the kernel counts of a TCP socket to payload, exactly: its numbers of bytes are of
 * sequence numbers, of which the SYN of the one that connected and each FIN take one.
 * Compiles on both sides: the kernel side has struct tcp_sock, the daemon tcp_info.
 */
#ifndef FLOWNER_COUNT_H
#define FLOWNER_COUNT_H

#include <flowner/check.h>

/* Of one TCP socket, as the kernel has them. */
struct fl_tcp_numbers {
	__u64 bytes_acked;
	__u64 bytes_received;
	__u64 bytes_fresh; /* bytes_sent without bytes_retrans */
	__u32 segs_out;
	__u32 segs_in;
	__u32 total_retrans;
	__u32 srtt_us;
	enum fl_state state; /* of a closed one: the state before */
	__u32 all_acked; /* everything up to a FIN is acknowledged: needed of a closed one only */
	__u32 fin_received;
	__u32 pad;
};

FL_RULE __u64 fl_minus(__u64 value, __u64 less)
{
	return value > less ? value - less : 0;
}

/* After our FIN was acknowledged, the state of a socket that lives says so; of one that closes, the
 * last ACK may be what closed it. */
FL_RULE int fl_fin_acked(const struct fl_tcp_numbers *n)
{
	if (n->state == FL_STATE_LAST_ACK || n->state == FL_STATE_CLOSING)
		return n->all_acked != 0;
	return n->state == FL_STATE_FIN_WAIT2 || n->state == FL_STATE_TIME_WAIT;
}

/* Who opened a session older than the agent is not known, so the SYN shows by arithmetic only: no
 * more can be acknowledged than was sent. That is exact as soon as all of it is. */
FL_RULE __u64 fl_tcp_sent(const struct fl_tcp_numbers *n, enum fl_role role)
{
	__u64 sent = fl_minus(n->bytes_acked, (__u64)fl_fin_acked(n));

	if (role == FL_ROLE_OPENER)
		return fl_minus(sent, 1);
	if (role == FL_ROLE_ACCEPTOR || sent < n->bytes_fresh)
		return sent;
	return n->bytes_fresh;
}

FL_RULE void fl_count_tcp(const struct fl_tcp_numbers *n, enum fl_role role,
			  struct fl_counts *ret_counts)
{
	ret_counts->bytes_sent = fl_tcp_sent(n, role);
	ret_counts->bytes_received = fl_minus(n->bytes_received, n->fin_received ? 1 : 0);
	ret_counts->packets_sent = n->segs_out;
	ret_counts->packets_received = n->segs_in;
	ret_counts->retransmits = n->total_retrans;
	ret_counts->srtt_us = n->srtt_us;
}

#endif /* FLOWNER_COUNT_H */
