/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An attempt in words: the options of `flowner policy test`, which are the query parameters of
 * POST /v1/policy/test. Pure.
 */
#ifndef FLOWNER_ATTEMPT_H
#define FLOWNER_ATTEMPT_H

#include "flow/filter.h"
#include "policy/rehearse.h"

#define ATTEMPT_WHY 256

/* Ended by a NULL name. */
extern const struct filter_field attempt_fields[];

/*
 * GIVEN has the word for each of the fields, NULL where there is none; the attempt points to them.
 * -EINVAL with WHY, one sentence that names the field with MARK ("--", "") before it.
 */
int attempt_read(const char *(*given)(const void *arg, const char *name), const void *arg,
		 const char *mark, struct rehearsal *ret_attempt, char why[ATTEMPT_WHY]);

#endif
