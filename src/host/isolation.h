/* SPDX-License-Identifier: BSD-2-Clause */
/* What a container keeps this process from seeing of the host, and how to run it instead. */
#ifndef FLOWNER_ISOLATION_H
#define FLOWNER_ISOLATION_H

#include <stddef.h>

/*
 * The Ith loss there is here, a sentence that is not the caller's; NULL after the last. To be asked
 * when netns_helper_start() has been called. A private cgroup namespace is no loss but a matter of
 * scope: flownerd.c.
 */
const char *isolation_loss(size_t i);

#endif
