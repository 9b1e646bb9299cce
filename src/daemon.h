/* SPDX-License-Identifier: BSD-2-Clause */
/* The daemon's loop: signals, the ring and its timer, the API, reconciliation. One thread. */
#ifndef FLOWNER_DAEMON_H
#define FLOWNER_DAEMON_H

struct agent;
struct track;

/*
 * Runs until SIGTERM or SIGINT; SIGHUP loads the policy again. All three must be blocked by the
 * caller before anything is started.
 */
int daemon_run(struct agent *agent, struct track *track);

#endif
