/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The scorer: sessions the test made against flows the agent reported.
 * score_read.c reads both files, score_judge.c pairs and judges, score.c prints.
 */
#ifndef TRUTH_SCORE_H
#define TRUTH_SCORE_H

#include <jansson.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

struct score_ep {
	struct in6_addr ip; /* IPv4 as ::ffff:a.b.c.d */
	uint16_t port;
};

/* What pairs a session with a flow when the id does not. */
struct score_key {
	int proto;
	uint32_t ifindex;
	struct score_ep local;
	struct score_ep remote;
};

enum score_verdict {
	SCORE_MISSING,
	SCORE_RIGHT,
	SCORE_HOLDER, /* named a true holder where the tier allows no better */
	SCORE_WRONG,
	SCORE_ABSENT, /* optional and not reported */
};

struct session {
	json_t *json; /* the line; texts below live in it */
	const char *scenario;
	const char *family;
	struct score_key key;
	bool has_cookie;
	uint64_t cookie;
	uint64_t netns_cookie; /* 0: not known */
	long long netns;       /* the test's number; -1: absent */
	const char *role;
	const char *reason; /* NULL: not expected to be anything */
	const char *comm;
	const char *exe;
	long long pid, uid, gid;
	int64_t start_wall_ns; /* lower bound; the truth is at most one tick later */
	int64_t tick_ns;
	int64_t opened_wall_ns[2];
	bool handed_over, numbered, optional, pre, not_accepted, any_holder;
	/* the judgement */
	struct flow *flow;
	enum score_verdict verdict;
	char why[512];
};

struct flow {
	json_t *json; /* the deciding line */
	uint64_t id;
	struct score_key key;
	uint64_t netns_cookie;
	const char *role;
	const char *reason;
	const char *comm;
	const char *exe;
	long long pid, uid, gid; /* -1: absent */
	int64_t start_wall_ns;	 /* of the process; 0: absent */
	int64_t opened_wall_ns;	 /* 0: absent */
	bool final;		 /* a close or a plain list entry was seen */
	bool ended;
	int accepted; /* -1: absent */
	bool claimed;
};

/* A scenario that did not run (skipped) or did not get through (failed). */
struct score_note {
	json_t *json;
	const char *scenario, *family, *what, *why;
};

/* The cookie all flows of a namespace have, and no flow of another. */
struct score_netns {
	long long number;
	uint64_t cookie;
};

struct score {
	json_t **lines; /* every line read: the owner of all texts */
	size_t line_count;
	struct session *sessions;
	size_t session_count;
	struct flow *flows; /* sorted by id */
	size_t flow_count;
	struct score_note *notes;
	size_t note_count;
	size_t lost_lines;	   /* the agent said it lost something */
	struct score_netns *netns; /* as the first sessions paired in each have it */
	size_t netns_count;
};

struct score_rules {
	bool lowest;	     /* --tier lowest */
	bool no_first_use;   /* no hook sees a receive without address: kernels before 6.3 */
	bool accept_syscall; /* --accept-syscall: exact on every tier */
	bool live;	     /* the report is of sessions still open */
	int64_t start_tolerance_ns;
	int64_t open_tolerance_ns;
};

int score_read_truth(struct score *sc, const char *path, const char **ret_why);
int score_read_report(struct score *sc, const char *path, const char **ret_why);
void score_free(struct score *sc);

void score_judge(struct score *sc, const struct score_rules *rules);
/* Reported for a process of the test, but made by nobody. */
bool score_is_extra(const struct score *sc, const struct score_rules *rules, const struct flow *f);

int score_compare_keys(const struct score_key *a, const struct score_key *b);

#endif
