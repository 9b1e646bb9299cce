/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Handlers of the routes about the policy. Who sees all may ask, root may change; and what is in a
 * body is read for root only, whatever it is for.
 */
#ifndef FLOWNER_ANSWERS_POLICY_H
#define FLOWNER_ANSWERS_POLICY_H

#include "daemon/request.h"

enum MHD_Result answer_policy(struct request *request); /* GET /v1/policy */

/*
 * PUT /v1/policy?try=60s&cut=1&force=1&file=SIZE:NAME...: the body is the texts one after the
 * other, as long as the files say; without any it is one.
 */
enum MHD_Result answer_policy_load(struct request *request);

/* POST /v1/policy/rules?for=10m&cut=1&force=1&file=SIZE:NAME: the body is rules to be added. */
enum MHD_Result answer_policy_add(struct request *request);
/* DELETE /v1/policy/rules/NAME?cut=1&force=1 */
enum MHD_Result answer_policy_delete(struct request *request);

enum MHD_Result answer_policy_clear(struct request *request);	/* DELETE /v1/policy */
enum MHD_Result answer_policy_confirm(struct request *request); /* POST /v1/policy/confirm */

/* POST /v1/policy/check?file=SIZE:NAME...: the body, as that of PUT. Changes nothing. */
enum MHD_Result answer_policy_check(struct request *request);

/*
 * POST /v1/policy/test?hook=connect&remote=ADDR:PORT&...&file=SIZE:NAME...: what such a body, or
 * without one the policy in force, would say to the attempt.
 */
enum MHD_Result answer_policy_test(struct request *request);

#endif
