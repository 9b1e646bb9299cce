/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/order.h"

#include "policy/attempt.h"
#include "text/quantity.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define BODY_NAME "policy" /* of a body whose query names no file */

struct body {
	const char *text;
	size_t size;
};

/* "SIZE:NAME"; the rest of the body is at *AT. */
static int read_file(const struct body *body, const char *value, size_t *at,
		     struct policy_text *ret_text)
{
	uint64_t size;
	const char *rest;

	if (number_parse(value, &size, &rest) || *rest != ':' || !rest[1] ||
	    size > body->size - *at || size > POLICY_BYTES_MAX)
		return -EINVAL;
	*ret_text =
		(struct policy_text){ .name = rest + 1, .text = body->text + *at, .size = size };
	*at += size;
	return 0;
}

static int read_time(const char *value, __u64 max_ns, __u64 *ret_ns)
{
	uint64_t ns;

	if (duration_parse(value, &ns) < 0 || !ns || ns > max_ns)
		return -EINVAL;
	*ret_ns = ns;
	return 0;
}

static int read_flag(const char *value, bool *ret_flag)
{
	*ret_flag = strcmp(value, "1") == 0 || strcmp(value, "true") == 0;
	return *ret_flag || strcmp(value, "0") == 0 || strcmp(value, "false") == 0 ? 0 : -EINVAL;
}

/* What takes which parameter. */
static const struct {
	const char *name;
	unsigned int by;
} parameters[] = {
	{ "try", ORDER_LOAD },
	{ "for", ORDER_ADD },
	{ "cut", ORDER_LOAD | ORDER_ADD | ORDER_DELETE },
	{ "force", ORDER_LOAD | ORDER_ADD | ORDER_DELETE },
	{ "file", ORDER_LOAD | ORDER_ADD | ORDER_TRY },
};

static bool is_taken(const char *name, unsigned int by)
{
	for (size_t i = 0; i < sizeof(parameters) / sizeof(parameters[0]); i++) {
		if (strcmp(parameters[i].name, name) == 0)
			return parameters[i].by & by;
	}
	return false;
}

static int read_parameter(const struct body *body, const char *name, const char *value, size_t *at,
			  struct policy_text *texts, struct rules_order *order)
{
	if (strcmp(name, "try") == 0)
		return read_time(value, RULES_TRIAL_MAX_NS, &order->trial_ns);
	if (strcmp(name, "for") == 0)
		return read_time(value, RULES_FOR_MAX_NS, &order->for_ns);
	if (strcmp(name, "cut") == 0)
		return read_flag(value, &order->cut);
	if (strcmp(name, "force") == 0)
		return read_flag(value, &order->force);
	if (strcmp(name, "file") == 0)
		return read_file(body, value, at, &texts[order->count++]);
	return -ENOENT;
}

int order_read(const struct query *query, const char *text, size_t size, unsigned int by,
	       struct policy_text texts[QUERY_PARAMETERS], struct rules_order *order,
	       char why[QUERY_WHY])
{
	const struct body body = { text, size };
	size_t at = 0;

	for (size_t i = 0; i < query->count; i++) {
		const char *name = query->parameters[i].name;
		const char *value = query->parameters[i].value;
		int r = is_taken(name, by) ? read_parameter(&body, name, value, &at, texts, order)
					   : -ENOENT;

		if (r < 0) {
			snprintf(why, QUERY_WHY,
				 r == -ENOENT ? "unknown query parameter '%.64s'"
					      : "%.16s: '%.64s' is not possible",
				 name, value);
			return -EINVAL;
		}
	}
	if (by == ORDER_DELETE)
		return 0;
	if (!order->count)
		texts[order->count++] =
			(struct policy_text){ .name = BODY_NAME, .text = text, .size = size };
	else if (at != size) {
		snprintf(why, QUERY_WHY, "the body has more than the files say");
		return -EINVAL;
	}
	if (by == ORDER_ADD && order->count != 1) {
		snprintf(why, QUERY_WHY, "one file is added at a time");
		return -EINVAL;
	}
	return 0;
}

/* --- an attempt --- */

static const char *given(const void *arg, const char *name)
{
	const struct query *query = arg;

	for (size_t i = 0; i < query->count; i++)
		if (strcmp(query->parameters[i].name, name) == 0)
			return query->parameters[i].value;
	return NULL;
}

static bool is_of_attempt(const char *name)
{
	for (const struct filter_field *field = attempt_fields; field->name; field++)
		if (strcmp(field->name, name) == 0)
			return true;
	return false;
}

int order_attempt(const struct query *query, struct rehearsal *ret_attempt, struct query *ret_rest,
		  char why[QUERY_WHY])
{
	struct query rest = { 0 };

	_Static_assert(QUERY_WHY >= ATTEMPT_WHY, "attempt_read() writes it");
	for (size_t i = 0; i < query->count; i++) {
		const char *name = query->parameters[i].name;

		if (!is_of_attempt(name)) {
			rest.parameters[rest.count++] = query->parameters[i];
		} else if (query_repeats(query, i)) {
			snprintf(why, QUERY_WHY, "query parameter '%.64s' is given twice", name);
			return -EINVAL;
		} else if (strcmp(name, "netns") == 0 &&
			   query_netns(query->parameters[i].value, why) < 0) {
			return -EINVAL;
		}
	}
	if (attempt_read(given, query, "", ret_attempt, why) < 0)
		return -EINVAL;
	*ret_rest = rest;
	return 0;
}
