/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a request orders that changes the policy or tries one: its parameters, the texts in its
 * body. Pure.
 */
#ifndef FLOWNER_ORDER_H
#define FLOWNER_ORDER_H

#include "daemon/query.h"
#include "daemon/rules.h"
#include "policy/rehearse.h"

enum { ORDER_LOAD = 1, ORDER_ADD = 2, ORDER_DELETE = 4, ORDER_TRY = 8 };

/*
 * QUERY with the body TEXT of SIZE bytes, BY one of the above. ORDER, whose texts are TEXTS, has
 * the caller already; what it gets is of TEXT and QUERY. -EINVAL with WHY.
 */
int order_read(const struct query *query, const char *text, size_t size, unsigned int by,
	       struct policy_text texts[QUERY_PARAMETERS], struct rules_order *order,
	       char why[QUERY_WHY]);

/*
 * The attempt that QUERY describes, which points into it; RET_REST is what is no part of that, for
 * order_read(). -EINVAL with WHY.
 */
int order_attempt(const struct query *query, struct rehearsal *ret_attempt, struct query *ret_rest,
		  char why[QUERY_WHY]);

#endif
