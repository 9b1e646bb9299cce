/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Query parameters to questions. Whoever can reach the socket wrote them, so every refusal names
 * what it refuses, and nothing that is not understood is passed over.
 */
#include "daemon/query.h"
#include "text/address.h"
#include "flow/flowtext.h"
#include "flow/ladder.h"
#include "text/wallclock.h"
#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((format(printf, 2, 3))) static int refuse(char why[QUERY_WHY], const char *format,
							...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, QUERY_WHY, format, args);
	va_end(args);
	return -EINVAL;
}

static int refuse_name(char why[QUERY_WHY], const char *name)
{
	return refuse(why, "unknown query parameter '%.64s'", name);
}

/* A path would have root open whatever the asker names; inode, pid and name need none. */
int query_netns(const char *value, char why[QUERY_WHY])
{
	if (*value && *value != '.' && !strchr(value, '/'))
		return 0;
	return refuse(why, "'%.64s' is not an inode, pid or name of a network namespace", value);
}

static int add_filter(struct filter *filter, const char *name, const char *value, __u64 now_ns,
		      char why[QUERY_WHY])
{
	const char *sentence = NULL;
	int r;

	if (strcmp(name, "netns") == 0 && query_netns(value, why) < 0)
		return -EINVAL;
	r = filter_add(filter, name, value, now_ns, &sentence);
	if (r == -ENOENT)
		return refuse_name(why, name);
	return r < 0 ? refuse(why, "%s: %s", name, sentence) : 0;
}

int query_none(const struct query *q, char why[QUERY_WHY])
{
	return q->count ? refuse_name(why, q->parameters[0].name) : 0;
}

int query_flows(const struct query *q, __u64 now_ns, struct filter *filter, bool *ret_counts,
		char why[QUERY_WHY])
{
	bool counts = false;
	int r = 0;

	for (size_t i = 0; i < q->count && r == 0; i++) {
		const char *name = q->parameters[i].name, *value = q->parameters[i].value;

		if (strcmp(name, "counts") != 0)
			r = add_filter(filter, name, value, now_ns, why);
		else if (strcmp(value, "1") == 0)
			counts = true;
		else
			r = refuse(why, "counts: '%.64s' is not 1", value);
	}
	if (r == 0)
		*ret_counts = counts;
	return r;
}

static int parse_number(const char *text, __u64 *ret_number)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	*ret_number = strtoull(text, &end, 10);
	return errno || *end ? -EINVAL : 0;
}

int query_events(const struct query *q, __u64 now_ns, struct filter *filter,
		 struct events_question *ret_question, char why[QUERY_WHY])
{
	struct events_question question = { 0 };
	bool only_ends = false;
	int r = 0;

	for (size_t i = 0; i < q->count && r == 0; i++) {
		const char *name = q->parameters[i].name, *value = q->parameters[i].value;

		only_ends |= strcmp(name, "closed") == 0;
		if (strcmp(name, "since") != 0) {
			r = add_filter(filter, name, value, now_ns, why);
		} else if (parse_number(value, &question.since) < 0) {
			r = refuse(why, "since: '%.64s' is not the sequence of an event", value);
		} else {
			question.has_since = true;
		}
	}
	/* a filter takes live flows only when not told otherwise: no close would come through */
	if (r == 0 && !only_ends)
		r = add_filter(filter, "all", "", now_ns, why);
	if (r == 0)
		*ret_question = question;
	return r;
}

static int parse_exact(const char *name, const char *value, struct fl_addr *ret_addr,
		       __u16 *ret_port, char why[QUERY_WHY])
{
	struct endpoint ep;

	if (endpoint_parse_exact(value, &ep) < 0)
		return refuse(why, "%s: '%.64s' is not ADDR:PORT", name, value);
	*ret_addr = ep.addr;
	*ret_port = ep.port;
	return 0;
}

static int who_parameter(struct who *who, const char *name, const char *value, __u64 now_ns,
			 char why[QUERY_WHY])
{
	if (strcmp(name, "local") == 0)
		return parse_exact(name, value, &who->local, &who->local_port, why);
	if (strcmp(name, "remote") == 0) {
		who->has_remote = true;
		return parse_exact(name, value, &who->remote, &who->remote_port, why);
	}
	if (strcmp(name, "proto") == 0) {
		who->proto_count = 1;
		if (proto_parse(value, &who->protos[0]) < 0)
			return refuse(why, "proto: '%.64s' is neither tcp nor udp", value);
		return 0;
	}
	if (strcmp(name, "netns") == 0) {
		who->netns = value;
		return query_netns(value, why);
	}
	if (strcmp(name, "at") == 0) {
		if (wallclock_parse(value, now_ns, &who->at_ns) < 0)
			return refuse(why, "at: '%.64s' is not a time", value);
		return 0;
	}
	return refuse_name(why, name);
}

bool query_repeats(const struct query *q, size_t i)
{
	for (size_t before = 0; before < i; before++)
		if (strcmp(q->parameters[before].name, q->parameters[i].name) == 0)
			return true;
	return false;
}

int query_who(const struct query *q, __u64 now_ns, struct who *ret_who, char why[QUERY_WHY])
{
	struct who who = { .protos = { FL_TCP, FL_UDP }, .proto_count = 2 };

	for (size_t i = 0; i < q->count; i++) {
		if (query_repeats(q, i))
			return refuse(why, "query parameter '%.64s' is given twice",
				      q->parameters[i].name);
		if (who_parameter(&who, q->parameters[i].name, q->parameters[i].value, now_ns,
				  why) < 0)
			return -EINVAL;
	}
	if (!who.local_port)
		return refuse(why, "query parameter 'local' (ADDR:PORT) is missing");
	*ret_who = who;
	return 0;
}

/* The parameters of who but `at`, and numbers that only programs have. */
static int session_parameter(struct session_question *q, struct who *who, const char *name,
			     const char *value, char why[QUERY_WHY])
{
	__u64 *number = strcmp(name, "netns_cookie") == 0 ? &q->key.netns_cookie
			: strcmp(name, "around") == 0	  ? &q->around_ns
							  : NULL;
	__u64 ifindex;

	q->now &= number != &q->around_ns;
	if (number && parse_number(value, number) == 0)
		return 0;
	if (number)
		return refuse(why, "%s: '%.64s' is not a number", name, value);
	if (strcmp(name, "at") == 0)
		return refuse_name(why, name);
	if (strcmp(name, "ifindex") != 0)
		return who_parameter(who, name, value, 0, why);
	if (parse_number(value, &ifindex) < 0 || ifindex > UINT32_MAX)
		return refuse(why, "ifindex: '%.64s' is not the index of an interface", value);
	q->key.ifindex = (__u32)ifindex;
	return 0;
}

int query_session(const struct query *q, struct session_question *ret_question, char why[QUERY_WHY])
{
	struct session_question question = { .now = true, .around_ns = UINT64_MAX };
	struct who who = { 0 };

	for (size_t i = 0; i < q->count; i++) {
		if (query_repeats(q, i))
			return refuse(why, "query parameter '%.64s' is given twice",
				      q->parameters[i].name);
		if (session_parameter(&question, &who, q->parameters[i].name,
				      q->parameters[i].value, why) < 0)
			return -EINVAL;
	}
	if (!who.proto_count || !who.local_port)
		return refuse(why, "query parameters 'proto' and 'local' (ADDR:PORT) are needed");
	question.netns = who.netns;
	question.key.proto = who.protos[0];
	question.key.local = who.local;
	question.key.local_port = who.local_port;
	question.key.remote = who.remote;
	question.key.remote_port = who.remote_port;
	*ret_question = question;
	return 0;
}

static bool same_addr(const struct fl_addr *a, const struct fl_addr *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* A socket bound to any address has this one too. */
static bool bound_to_any(const struct who *who, const struct fl_key *key)
{
	const struct fl_key end = { .local = who->local };
	struct fl_key rung;

	if (key->remote_port || !address_is_any(&key->remote))
		return false;
	for (enum ladder r = LADDER_ANY; r < LADDER_RUNGS; r++)
		if (ladder_key(&end, r, &rung) && same_addr(&rung.local, &key->local))
			return true;
	return false;
}

bool who_matches(const struct who *who, const struct fl_flow *flow)
{
	const struct fl_key *key = &flow->key;
	bool proto = false;

	for (size_t i = 0; i < who->proto_count; i++)
		proto |= who->protos[i] == key->proto;
	if (!proto || key->local_port != who->local_port)
		return false;
	if (who->has_remote)
		return same_addr(&key->local, &who->local) &&
		       same_addr(&key->remote, &who->remote) &&
		       key->remote_port == who->remote_port;
	return same_addr(&key->local, &who->local) || bound_to_any(who, key);
}
