/* SPDX-License-Identifier: BSD-2-Clause */
/* How many sockets there are, as the kernel counts them in /proc/net/sockstat. */
#ifndef FLOWNER_SOCKSTAT_H
#define FLOWNER_SOCKSTAT_H

#include <linux/types.h>

/* About, TCP and UDP, in all network namespaces. 0: nobody tells. */
__u64 sockstat_total(void);

/* The number behind NAME in the line of PROTOCOL; 0 it is not there. */
__u64 sockstat_number(const char *text, const char *protocol, const char *name);

#endif
