/* SPDX-License-Identifier: BSD-2-Clause */
/* The verbs of `flowner policy`: each is a command of its own, its name is "policy VERB". */
#ifndef FLOWNER_CMD_POLICY_H
#define FLOWNER_CMD_POLICY_H

#include "cli/command.h"

extern const struct command command_policy_check;
extern const struct command command_policy_test;
extern const struct command command_policy_load;
extern const struct command command_policy_add;
extern const struct command command_policy_delete;
extern const struct command command_policy_confirm;
extern const struct command command_policy_show;
extern const struct command command_policy_clear;

/* What the daemon says came of a change, for people; CUT: what it rejects was to be cut. */
void policy_tell_outcome(const json_t *answer, bool cut);

/* A line on stderr for each name in LIST, of an answer, that stands for nothing. */
void policy_tell_unresolved(const json_t *list);

#endif
