/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What there is to say of a policy that is checked or tried, as JSON: of `flowner policy check` and
 * `test`, and of the API's requests of these names. All are new references, NULL without memory.
 */
#ifndef FLOWNER_POLICYJSON_H
#define FLOWNER_POLICYJSON_H

#include "policy/rehearse.h"
#include <jansson.h>

json_t *policyjson_hooks(__u32 hooks); /* bits 1 << enum fl_hook: their names */
json_t *policyjson_valid(const struct policy *policy);
json_t *policyjson_invalid(const struct policy_error *error);
json_t *policyjson_rehearsed(const struct rehearsal *attempt, const struct rehearsed *said);

#endif
