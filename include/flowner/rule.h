/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How a pure rule is declared: the same source on both sides, and no call in a program. */
#ifndef FLOWNER_RULE_H
#define FLOWNER_RULE_H

#define FL_RULE static inline __attribute__((always_inline))

#endif /* FLOWNER_RULE_H */
