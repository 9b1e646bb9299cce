/* SPDX-License-Identifier: BSD-2-Clause */
/* One flow as a block of aligned `key: value` lines: what `who` says of it and all that `show`
 * knows. */
#ifndef FLOWNER_DETAILS_H
#define FLOWNER_DETAILS_H

#include <stdio.h>

#include "cli/record.h"

/*
 * BRIEF leaves out what answers no "who". In full, a field of RECORD that has no line of its own
 * here is printed under its JSON name: a newer daemon's news are not swallowed. Write errors are
 * left to OUT.
 */
void details_print(const json_t *record, const struct record_view *view, bool brief, FILE *out);

#endif
