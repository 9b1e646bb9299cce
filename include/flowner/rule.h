/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How a pure rule is declared: the same source on both sides, and no call in a program. */
#ifndef FLOWNER_RULE_H
#define FLOWNER_RULE_H

#include <linux/types.h>

#define FL_RULE static inline __attribute__((always_inline))

/* X, of which the compiler then knows nothing: it would make a branch of arithmetic, and BPF's
 * verifier follows each way of every branch. */
FL_RULE __u64 fl_opaque(__u64 x)
{
	__asm__ volatile("" : "+r"(x));
	return x;
}

/* All ones when X is not 0, else 0; without a branch. */
FL_RULE __u64 fl_mask(__u64 x)
{
	return fl_opaque(0 - (fl_opaque(x | (0 - x)) >> 63));
}

#endif /* FLOWNER_RULE_H */
