/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Query parameters as anybody who reaches the socket may send them, to each question there is; and
 * what a match says is checked against the flow it was found for. Input: name=value pairs by '&',
 * not unescaped: the bytes are whatever the fuzzer makes them.
 */
#include "host/netns.h"
#include "daemon/query.h"
#include "text/utf8.h"
#include "text/wallclock.h"
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define NOW_NS 1767323045000000000ULL

/* The real one opens files; what it says of a name is not what is tested. */
int netns_parse(const char *text, __u32 *ret_inum)
{
	if (*text != '4')
		return -ENOENT;
	*ret_inum = 4026531840u;
	return 0;
}

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

/* A refusal says why, in a sentence that ends. */
static void check(int r, const char why[QUERY_WHY])
{
	if (r < 0 && (r != -EINVAL || !*why || !memchr(why, 0, QUERY_WHY)))
		abort();
}

static void ask_who(const struct query *q)
{
	char why[QUERY_WHY] = "";
	struct fl_flow flow = { 0 };
	struct who who;
	int r = query_who(q, NOW_NS, &who, why);

	check(r, why);
	if (r < 0)
		return;
	if (!who.local_port || (who.netns && strchr(who.netns, '/')))
		abort();
	flow.key.proto = who.protos[0];
	flow.key.local = who.local;
	flow.key.local_port = who.local_port;
	if (who.has_remote) {
		flow.key.remote = who.remote;
		flow.key.remote_port = who.remote_port;
	}
	if (!who_matches(&who, &flow))
		abort();
	flow.key.local_port++;
	if (who_matches(&who, &flow))
		abort();
}

static void ask_session(const struct query *q)
{
	struct session_question question;
	char why[QUERY_WHY] = "";
	int r = query_session(q, &question, why);

	check(r, why);
	if (r == 0 && (!question.key.local_port || !question.key.proto))
		abort();
}

static void ask_filter(const struct query *q)
{
	struct events_question question;
	char why[QUERY_WHY] = "";
	struct filter *filter;
	bool counts;

	if (filter_new(&filter) == 0) {
		check(query_flows(q, NOW_NS, filter, &counts, why), why);
		filter_free(filter);
	}
	if (filter_new(&filter) == 0) {
		check(query_events(q, NOW_NS, filter, &question, why), why);
		filter_free(filter);
	}
}

/* What was cleaned is clean: every character of it is one. */
static void clean(const char *data, size_t size)
{
	char *text;
	size_t n, at, length;

	if (utf8_clean(data, size, &text, &n) < 0)
		return;
	for (at = 0; at < n; at += length) {
		length = utf8_length(text + at, n - at);
		if (!length)
			abort();
	}
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size), when[WALLCLOCK_TEXT];
	struct query query = { 0 };
	__u64 ns, again;

	clean((const char *)data, size);
	if (!text)
		return 0;
	/* times survive being printed and read */
	if (wallclock_parse(text, NOW_NS, &ns) == 0 &&
	    (wallclock_parse(wallclock_format(ns, when), NOW_NS, &again) < 0 || again != ns))
		abort();
	split(text, &query);
	ask_who(&query);
	ask_session(&query);
	ask_filter(&query);
	free(text);
	return 0;
}
