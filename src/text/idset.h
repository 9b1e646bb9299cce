/* SPDX-License-Identifier: BSD-2-Clause */
/* A growing set of non-zero 64-bit numbers: socket cookies, process keys folded to one word. */
#ifndef FLOWNER_IDSET_H
#define FLOWNER_IDSET_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

struct idset {
	__u64 *slots;
	size_t size; /* a power of two, or 0 */
	size_t used;
};

int idset_add(struct idset *s, __u64 id); /* -ENOMEM; 0 also when it is there already */
bool idset_has(const struct idset *s, __u64 id);
size_t idset_count_missing(const struct idset *s, const struct idset *in); /* of S, not in IN */
void idset_release(struct idset *s);

#endif
