/* SPDX-License-Identifier: BSD-2-Clause */
/* The daemon's loop: signals, the ring and its timer, the API, reconciliation. One thread. */
#ifndef FLOWNER_DAEMON_H
#define FLOWNER_DAEMON_H

#include <signal.h>

struct agent;
struct track;

/* What ends or interrupts daemon_run(); the caller blocks them before anything is started. */
void daemon_signals(sigset_t *ret_set);

/*
 * Runs until SIGTERM or SIGINT, which return 0, or SIGUSR1, which returns DAEMON_REPLACED: another
 * daemon comes right away. SIGHUP loads the policy again.
 */
enum { DAEMON_REPLACED = 1 };
int daemon_run(struct agent *agent, struct track *track);

#endif
