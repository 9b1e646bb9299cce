/* SPDX-License-Identifier: BSD-2-Clause */
/* Sockets that are older than the agent. */
#ifndef TRUTH_HOLD_H
#define TRUTH_HOLD_H

struct names;

/*
 * Opens a set of sockets, prints one fact line for each and then READY, waits for the line "go",
 * uses and closes them, and appends the truth to PATH. Exit status.
 */
int hold(const char *path, const struct names *names);

#endif
