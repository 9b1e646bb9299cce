/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Verdicts of the hooks, and how those of a chain's members become one: the rules of eBPF for
 * Windows. Pure; compiles on both sides.
 */
#ifndef FLOWNER_VERDICT_H
#define FLOWNER_VERDICT_H

#include <flowner/rule.h>
#include <linux/types.h>

/* The numbers are those of eBPF for Windows. Any other number is REJECT. */
enum fl_verdict {
	FL_REJECT = 0,
	FL_PROCEED_SOFT = 1, /* nothing against it; others may still object */
	FL_PROCEED_HARD = 2, /* shall happen, whatever others outside the chain say */
};

/* Where a session is judged, in the order in which one passes them. */
enum fl_hook {
	FL_HOOK_BIND,
	FL_HOOK_LISTEN,
	FL_HOOK_CONNECT,	       /* before routing */
	FL_HOOK_CONNECT_AUTHORIZATION, /* after routing, before the first packet */
	FL_HOOK_RECV_ACCEPT,	       /* a listener's SYN; the first datagram of a peer */
	FL_HOOKS,
};

/* What the members of one chain have said so far. Starts as fl_chain_begin(). */
struct fl_chain {
	__u32 verdict; /* enum fl_verdict */
	__u32 member;  /* who said it */
	__u32 ended;   /* nobody after this one is asked */
};

FL_RULE enum fl_verdict fl_verdict_of(__u32 value)
{
	switch (value) {
	case FL_PROCEED_SOFT:
		return FL_PROCEED_SOFT;
	case FL_PROCEED_HARD:
		return FL_PROCEED_HARD;
	default:
		return FL_REJECT;
	}
}

/* REJECT before HARD before SOFT. */
FL_RULE enum fl_verdict fl_verdict_join(enum fl_verdict a, enum fl_verdict b)
{
	if (a == FL_REJECT || b == FL_REJECT)
		return FL_REJECT;
	return a == FL_PROCEED_HARD ? a : b;
}

/* Without a member everything may proceed. */
FL_RULE struct fl_chain fl_chain_begin(void)
{
	struct fl_chain chain = { .verdict = FL_PROCEED_SOFT };

	return chain;
}

/*
 * MEMBER says VALUE; REDIRECTED: it has rewritten the destination. REJECT and the first redirect
 * end the chain; HARD does not: a later member may still reject.
 */
FL_RULE void fl_chain_add(struct fl_chain *chain, __u32 member, __u32 value, int redirected)
{
	enum fl_verdict said = fl_verdict_of(value);
	enum fl_verdict joined = fl_verdict_join((enum fl_verdict)chain->verdict, said);

	if (chain->ended)
		return;
	if (joined != chain->verdict || joined == FL_REJECT)
		chain->member = member;
	chain->verdict = joined;
	chain->ended = joined == FL_REJECT || redirected;
}

#endif /* FLOWNER_VERDICT_H */
