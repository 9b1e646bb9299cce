/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PUT /v1/policy?file=SIZE:NAME... and POST /v1/policy/test?hook=HOOK..., as anybody may send them
 * who may. Input: the parameters by '&', a newline, the body. What is taken for texts lies in the
 * body, one behind the other and nothing left over; whatever they are, they are a policy or a
 * sentence says why not.
 */
#include "daemon/order.h"
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void split(char *text, struct query *ret)
{
	char *pair;

	while ((pair = strsep(&text, "&")) && ret->count < QUERY_PARAMETERS) {
		char *value = strchr(pair, '=');

		if (value)
			*value++ = '\0';
		ret->parameters[ret->count].name = pair;
		ret->parameters[ret->count].value = value ? value : "";
		ret->count++;
	}
}

static void check_texts(const struct rules_order *order, const char *body, size_t size)
{
	const char *at = body;

	for (size_t i = 0; i < order->count; i++) {
		const struct policy_text *t = &order->texts[i];

		if (t->text != at || !*t->name || t->size > (size_t)(body + size - at))
			abort();
		at += t->size;
	}
	if (at != body + size)
		abort();
}

static void parse(const struct rules_order *order)
{
	struct policy *policy = NULL;
	struct policy_error error;
	int r = policy_parse(order->texts, order->count, &policy, &error);

	if (r < 0 && (policy || !*error.why))
		abort();
	policy_free(policy);
}

static void ask(const struct query *query, const char *body, size_t size, unsigned int by)
{
	struct policy_text texts[QUERY_PARAMETERS];
	struct rules_order order = { .texts = texts };
	char why[QUERY_WHY] = "";
	int r = order_read(query, body, size, by, texts, &order, why);

	if (r < 0 && (r != -EINVAL || !*why || !memchr(why, 0, QUERY_WHY)))
		abort();
	if (r < 0)
		return;
	if (order.trial_ns > RULES_TRIAL_MAX_NS || order.for_ns > RULES_FOR_MAX_NS)
		abort();
	if (by == ORDER_DELETE)
		return;
	check_texts(&order, body, size);
	parse(&order);
}

/* What describes an attempt and what does not are all that was asked. */
static void try_attempt(const struct query *query, const char *body, size_t size)
{
	struct rehearsal attempt;
	struct query rest;
	char why[QUERY_WHY] = "";
	int r = order_attempt(query, &attempt, &rest, why);

	if (r < 0 && (r != -EINVAL || !*why || !memchr(why, 0, QUERY_WHY)))
		abort();
	if (r < 0)
		return;
	if (attempt.hook >= FL_HOOKS || rest.count >= query->count ||
	    (attempt.words[POLICY_NETNS] && strchr(attempt.words[POLICY_NETNS], '/')))
		abort();
	ask(&rest, body, size, ORDER_TRY);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = memchr(data, '\n', size);
	size_t length = end ? (size_t)(end - data) : size, rest = end ? size - length - 1 : 0;
	char *text = strndup((const char *)data, length), *body = malloc(rest + 1);
	struct query query = { 0 };

	if (text && body && rest) {
		memcpy(body, end + 1, rest); /* of its own: what is read beyond it shows */
		split(text, &query);
		ask(&query, body, rest, ORDER_LOAD);
		ask(&query, body, rest, ORDER_ADD);
		ask(&query, NULL, 0, ORDER_DELETE);
		ask(&query, body, rest, ORDER_TRY);
		try_attempt(&query, body, rest);
	}
	free(text);
	free(body);
	return 0;
}
