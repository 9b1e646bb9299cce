/* SPDX-License-Identifier: BSD-2-Clause */
/* All rules of a class, bit by bit: to compare what was compiled twice. */
#ifndef FLOWNER_TESTS_WHOLE_SET_H
#define FLOWNER_TESTS_WHOLE_SET_H

#include "policy/compile.h"

struct whole_set {
	struct fl_rule_block blocks[FL_BLOCKS];
};

static inline struct whole_set whole_set(const struct compiled *c, __u32 class)
{
	struct whole_set set;

	for (__u32 i = 0; i < FL_BLOCKS; i++)
		set.blocks[i] = *compiled_block(c, compiled_class(c, class)->blocks[i]);
	return set;
}

#endif
