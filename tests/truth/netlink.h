/* SPDX-License-Identifier: BSD-2-Clause */
/* The little rtnetlink the scenarios need, in the caller's network namespace. */
#ifndef TRUTH_NETLINK_H
#define TRUTH_NETLINK_H

#include "report.h"

int link_up(const char *name);
/* A veth pair: NEAR here, FAR in the namespace behind FAR_NETNS_FD (-1: here too). */
int veth_add(const char *near, const char *far, int far_netns_fd);
/* A VRF with routes of its own in TABLE; NAME becomes part of MASTER. */
int vrf_add(const char *name, uint32_t table);
int link_master(const char *name, const char *master);
/* Address with prefix length; no duplicate address detection. */
int address_add(const char *name, const struct ep *address, unsigned int prefix);
/* A neighbour that is always there, with a link address nobody has. */
int neighbour_add(const char *name, const struct ep *address);

#endif
