/* SPDX-License-Identifier: BSD-2-Clause */
/* What a request asks, from its path and query parameters. Pure: no connection, no maps. */
#ifndef FLOWNER_QUERY_H
#define FLOWNER_QUERY_H

#include "flow/filter.h"

#define QUERY_PARAMETERS 64
#define QUERY_WHY 256

/* Parameters as sent, unescaped; the texts belong to the request. */
struct query {
	struct {
		const char *name;
		const char *value;
	} parameters[QUERY_PARAMETERS];
	size_t count;
};

/* GET /v1/who */
struct who {
	enum fl_proto protos[2]; /* those to look for */
	size_t proto_count;
	struct fl_addr local;
	__u16 local_port;
	bool has_remote;
	struct fl_addr remote;
	__u16 remote_port;
	const char *netns; /* inode, pid or name; NULL = not said */
	__u64 at_ns;	   /* CLOCK_REALTIME, 0 = now */
};

/* GET /v1/session */
struct session_question {
	struct fl_key key; /* netns_cookie 0: not said; remote all zero: not said */
	const char *netns; /* inode, pid or name; NULL = not said */
	bool now;	   /* no moment was said */
	__u64 around_ns;   /* CLOCK_BOOTTIME; now: all there was is before */
};

/* GET /v1/events */
struct events_question {
	bool has_since;
	__u64 since; /* sequence of the last event the asker has */
};

/* All -EINVAL with one sentence in WHY naming the parameter. NOW_NS is CLOCK_REALTIME. */
int query_none(const struct query *q, char why[QUERY_WHY]);
/* RET_COUNTS: what went through the live ones is asked for, too. */
int query_flows(const struct query *q, __u64 now_ns, struct filter *filter, bool *ret_counts,
		char why[QUERY_WHY]);
int query_events(const struct query *q, __u64 now_ns, struct filter *filter,
		 struct events_question *ret_question, char why[QUERY_WHY]);
int query_who(const struct query *q, __u64 now_ns, struct who *ret_who, char why[QUERY_WHY]);
int query_session(const struct query *q, struct session_question *ret_question,
		  char why[QUERY_WHY]);

/* VALUE of any request's `netns`: an inode, a pid or a name; no path. */
int query_netns(const char *value, char why[QUERY_WHY]);

/* Whether parameter I has the name of one before it. */
bool query_repeats(const struct query *q, size_t i);

/* Whether FLOW is one WHO asks for, whatever its namespace and time. */
bool who_matches(const struct who *who, const struct fl_flow *flow);

#endif
