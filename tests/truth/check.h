/* SPDX-License-Identifier: BSD-2-Clause */
/* The ledger against itself: an independent look at what the generator wrote. */
#ifndef TRUTH_CHECK_H
#define TRUTH_CHECK_H

struct names;

/* Prints what does not fit together; -EINVAL when something does not. */
int check_ledger(const struct names *names);

#endif
