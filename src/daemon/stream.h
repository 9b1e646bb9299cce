/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The last 65536 events, and those who follow them (GET /v1/events). A stream is a position in that
 * ring: it costs nothing while it keeps up, a slow one falls off the end and is told how much it
 * missed, and replay (since=SEQ) is nothing but an earlier position.
 */
#ifndef FLOWNER_STREAM_H
#define FLOWNER_STREAM_H

#include "policy/policywords.h"
#include "daemon/request.h"
#include <flowner/policy.h>
#include <flowner/redirect.h>
#include <flowner/verdict.h>

struct streams;
struct label;

/* An event about an attempt: `flow` is as far as it had come. */
struct stream_verdict {
	struct fl_event event;
	struct label *rule; /* NULL: none */
	__u64 count;	    /* attempts told at once */
	enum fl_hook hook;
	enum fl_verdict verdict;
	bool enforced, failed; /* as in json.h */
	bool redirected;
	enum fl_fact port_in_use_by_other;
	bool again; /* as in json.h */
	struct policy_listeners listeners;
	struct policy_route route;
	struct fl_place to; /* where to, when that is known */
};

struct stream_counts {
	__u64 open;
	__u64 lost; /* events that left the ring before a slow reader came for them */
};

/*
 * EPOLL_FD: streams put their connection there while they wait, with themselves as data.ptr.
 * WAKE_FD: an eventfd, written when a waiting stream is to be run; both stay the caller's.
 */
int streams_new(struct agent *agent, int epoll_fd, int wake_fd, struct streams **ret_streams);
void streams_free(struct streams *streams); /* after the last response is gone */

enum MHD_Result answer_events(struct request *request); /* GET /v1/events */

void streams_publish(struct streams *streams, const struct fl_event *event);
void streams_verdict(struct streams *streams, const struct stream_verdict *verdict);
void streams_notice(struct streams *streams, const char *action, const char *why, __u64 count);

/* DATA of an epoll event: the reader of that waiting stream has gone. */
void stream_hung_up(void *data);

/* Each stream sends what it has and ends; run the connections until none is open. */
void streams_end(struct streams *streams);

struct stream_counts streams_counts(const struct streams *streams);

#endif
