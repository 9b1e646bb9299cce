/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The texts of a policy beside its tables, in the kernel: what the daemon that comes after a killed
 * one reads names, places and modes of the rules from. They live and end with the policy.
 */
#ifndef FLOWNER_KEPT_H
#define FLOWNER_KEPT_H

#include <linux/types.h>
#include <stddef.h>

struct policy_text;

/*
 * TEXTS to AREA of the map FD (policy_texts). *RET_BYTES says how long they are there, 0: they are
 * too long for it. -ENOMEM; negative errno.
 */
int kept_write(int fd, __u32 area, const struct policy_text *texts, size_t count, __u64 *ret_bytes);

/* Them again; free with kept_free(). -EINVAL the BYTES there are no texts. */
int kept_read(int fd, __u32 area, __u64 bytes, struct policy_text **ret_texts, size_t *ret_count);
void kept_free(struct policy_text *texts, size_t count);

#endif
