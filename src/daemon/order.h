/* SPDX-License-Identifier: BSD-2-Clause */
/* What a request that changes the policy orders: its parameters, the texts in its body. Pure. */
#ifndef FLOWNER_ORDER_H
#define FLOWNER_ORDER_H

#include "daemon/query.h"
#include "daemon/rules.h"

enum { ORDER_LOAD = 1, ORDER_ADD = 2, ORDER_DELETE = 4 };

/*
 * QUERY with the body TEXT of SIZE bytes, BY one of the above. ORDER, whose texts are TEXTS, has
 * the caller already; what it gets is of TEXT and QUERY. -EINVAL with WHY.
 */
int order_read(const struct query *query, const char *text, size_t size, unsigned int by,
	       struct policy_text texts[QUERY_PARAMETERS], struct rules_order *order,
	       char why[QUERY_WHY]);

#endif
