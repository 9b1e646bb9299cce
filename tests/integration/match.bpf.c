/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The matcher alone: the packet is an attempt, the result is the rule that decides it. */
#include "verdict/match.bpf.h"

/* Which rule decides, and which would in audit: 16 bits each, from 1; 0 = none, -1 = it failed. */
SEC("tc")
int match(struct __sk_buff *skb)
{
	struct fl_judgement j = {};
	struct fl_attempt attempt;

	if (bpf_skb_load_bytes(skb, 0, &attempt, sizeof(attempt)))
		return -1;
	if (policy_match(&attempt, skb->mark, &j))
		return -1;
	return (j.rule + 1) << 16 | ((j.audited + 1) & 0xffff);
}

/* The same, of what nobody has asked before. */
SEC("tc")
int match_unknown(struct __sk_buff *skb)
{
	struct fl_judgement j = {};
	struct fl_attempt attempt;
	struct fl_question q;

	if (bpf_skb_load_bytes(skb, 0, &attempt, sizeof(attempt)))
		return -1;
	if (policy_question(&attempt, skb->mark, &q))
		return -1;
	q.words[3] ^= bpf_ktime_get_ns() << 32;
	if (policy_answer(&q, skb->mark, &j))
		return -1;
	return (j.rule + 1) << 16 | ((j.audited + 1) & 0xffff);
}

#define STORM 1000
#define STORM_QUESTIONS 512

__u64 storm_known, storm_wrong;

/* Questions at random, more of them than are remembered, and whether the answers are theirs. */
SEC("tc")
int storm(struct __sk_buff *skb)
{
	for (int i = 0; i < STORM; i++) {
		__u32 n = bpf_get_prandom_u32() % STORM_QUESTIONS;
		struct fl_question q = { .words = { n, n * 3, n * 5, n * 7 } };
		struct fl_judgement j = { .rule = n, .audited = ~n };
		struct fl_judgement known;

		if (!answer_known(&q, &known)) {
			answer_remember(&q, fl_judgement_pack(j));
			continue;
		}
		__sync_fetch_and_add(&storm_known, 1);
		if (known.rule != j.rule || known.audited != j.audited)
			__sync_fetch_and_add(&storm_wrong, 1);
	}
	return 0;
}

/* What the others do beside matching. */
SEC("tc")
int nothing(struct __sk_buff *skb)
{
	struct fl_attempt attempt;

	return bpf_skb_load_bytes(skb, 0, &attempt, sizeof(attempt)) ? -1 : (int)attempt.hook;
}

char _license[] SEC("license") = "Dual BSD/GPL";
