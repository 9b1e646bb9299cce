/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CONNECT_AUTHORIZATION again, of what lives: when another policy is in force, when a route, a rule
 * of routing, an interface or an address has changed. Live flows that this machine opened are
 * judged by the interface they would go by now, and cut when they are not allowed any more. Done in
 * slices, so that nobody waits for it.
 */
#ifndef FLOWNER_REAUTHORIZE_H
#define FLOWNER_REAUTHORIZE_H

#include <flowner/policy.h>
#include <stdbool.h>
#include <sys/types.h>

struct agent;
struct enforce;
struct reauthorize;

/* Before privileges are dropped, or it hears of no other network namespace. -ENOMEM, -errno. */
int reauthorize_new(struct agent *agent, struct enforce *enforce, struct reauthorize **ret_again);
void reauthorize_free(struct reauthorize *a);

/*
 * POLICY is in force from now on. NULL: no live flow is to be judged by what is, for nothing is, or
 * it has no rules here, or it is on trial: a cut could not be taken back. Flows of SPARED, which is
 * FL_SPARED_MAX processes or NULL, are not cut while these run.
 */
void reauthorize_policy(struct reauthorize *a, const struct fl_policy *policy,
			const struct fl_spared *spared);

/* The process CALLER and its ancestors into RET_SPARED, which is all 0 and has FL_SPARED_MAX. */
void reauthorize_spare(pid_t caller, struct fl_spared *ret_spared);

/* From the event ring: a network namespace may be new. */
void reauthorize_link(struct reauthorize *a, const struct fl_link_event *e);

int reauthorize_fd(const struct reauthorize *a); /* readable: call reauthorize_run() */
void reauthorize_run(struct reauthorize *a);

/* What it cannot hear of though a rule asks for it, one sentence; NULL: nothing. */
const char *reauthorize_deaf(const struct reauthorize *a);

#endif
