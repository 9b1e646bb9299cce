/* SPDX-License-Identifier: BSD-2-Clause */
/* Network namespaces of the test's own, and addresses and settings in them. */
#ifndef TRUTH_PLACE_H
#define TRUTH_PLACE_H

#include <stdbool.h>
#include <sys/types.h>

#include "report.h"

#define CAN_NOT "a network namespace cannot be made"

/* The caller moves into a new network namespace with loopback up; the ledger counts them. */
int own_netns(void);
bool refused_to_us(int r);
int netns_of(pid_t pid); /* a descriptor */

/* An end of a cable: 10.77.0.HOST/24 or fd77::HOST/64; and fe80::HOST on the device NAME. */
struct ep cable_address(unsigned char host, uint16_t port);
unsigned int cable_prefix(void);
struct ep scoped_address(unsigned char host, uint16_t port, const char *name);

int setting(const char *name, const char *value); /* of this namespace, below /proc/sys */

#endif
