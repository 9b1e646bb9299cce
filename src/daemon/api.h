/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The HTTP API on the unix socket (libmicrohttpd, no thread of its own) and the event streams.
 * Peers see what they may: root and the group everything, others the flows of their own uid.
 */
#ifndef FLOWNER_API_H
#define FLOWNER_API_H

#include <flowner/flow.h>

struct agent;
struct api;

/* Listens at PATH (mode 0666, a stale socket is replaced, a live one is -EADDRINUSE). */
int api_new(struct agent *agent, const char *path, struct api **ret_api);
void api_free(struct api *api); /* tells the streams it ends; removes the socket */

int api_fd(const struct api *api);   /* readable: call api_run() */
int api_run(struct api *api);	     /* never blocks */
int api_timeout_ms(struct api *api); /* how long epoll may wait at most, -1 = for ever */

/*
 * To every stream whose filter and rights allow it; assigns the sequence. A slow one is told
 * `lost`: streams read when api_run() is called, which must happen at least once in 65536 events.
 */
void api_publish(struct api *api, const struct fl_event *event);

/* What was said of attempts; the same rules. */
struct stream_verdict;
void api_verdict(struct api *api, const struct stream_verdict *verdict);

/* "lost" (COUNT events were dropped, WHY) or "resync" (started; the maps hold COUNT flows). */
void api_notice(struct api *api, const char *action, const char *why, __u64 count);

struct api_counts {
	__u64 streams;	   /* open now */
	__u64 connections; /* open now */
	__u64 requests;	   /* since start */
	__u64 events_lost; /* that slow readers of streams did not get */
};

struct api_counts api_counts(const struct api *api);

#endif
