/* SPDX-License-Identifier: BSD-2-Clause */
/* Capabilities of this process, by capset(2): what is given up is gone for good. */
#ifndef FLOWNER_PRIVILEGES_H
#define FLOWNER_PRIVILEGES_H

#include <linux/types.h>

#define PRIVILEGE(cap) (1ull << (cap))

/* Those in effect. Negative errno. */
int privileges_effective(__u64 *ret_mask);

/*
 * Of the capabilities of this process only those in KEEP (a mask of PRIVILEGE()) stay, none for
 * what it might execute, and no_new_privs. Negative errno; then some may be gone already.
 */
int privileges_reduce(__u64 keep);

/* What WORKS returns in a child that has reduced itself so: 0, or negative errno. */
int privileges_try(__u64 keep, int (*works)(void *arg), void *arg);

#endif
