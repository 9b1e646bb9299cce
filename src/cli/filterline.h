/* SPDX-License-Identifier: BSD-2-Clause */
/* Filters typed in one line, as after `flowner list`, to the query of options.h and back. Pure. */
#ifndef FLOWNER_FILTERLINE_H
#define FLOWNER_FILTERLINE_H

#include <stddef.h>

#define FILTERLINE_WHY 256

struct command;

/*
 * The query of LINE (malloc'ed; NULL of no filter), with the filters that CMD takes. Words are
 * split at spaces; quotes and backslashes are as in a shell. -EINVAL: WHY is one sentence; -ENOMEM.
 */
int filterline_parse(const struct command *cmd, const char *line, char **ret_query,
		     char why[FILTERLINE_WHY]);

/* The line that says QUERY (may be NULL): malloc'ed, NULL without memory. */
char *filterline_format(const char *query);

#endif
