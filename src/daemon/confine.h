/* SPDX-License-Identifier: BSD-2-Clause */
/* What the daemon gives up once everything is loaded and attached, when this kernel lets it. */
#ifndef FLOWNER_CONFINE_H
#define FLOWNER_CONFINE_H

struct agent;
struct track;

/*
 * Leaves this process CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN, CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH,
 * of those it has; but all, when a child without them cannot do what running needs: then
 * agent->kept_for says what that is.
 */
void confine(struct agent *agent, struct track *track);

#endif
