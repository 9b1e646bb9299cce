/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the files of libflowner: pins, live maps, questions to the daemon, remembered answers. */
#ifndef FLOWNER_LIBFLOWNER_H
#define FLOWNER_LIBFLOWNER_H

#include "flow/around.h"
#include "flow/intake.h"
#include "kernel/maps.h"
#include <flowner/flowner.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

/* --- libflowner_bpf.c: all there is of bpf(2). Tests bring their own. --- */

int pin_open(const char *path); /* read only; negative errno. Caller closes. */
int pin_sizes(int fd, __u32 *ret_key_size, __u32 *ret_value_size);

/* --- libflowner_live.c: the pinned maps, and whether they are still the ones --- */

struct live {
	bool open;
	struct maps maps; /* those the library reads; -1 where we may not */
	dev_t device;	  /* of the pin of meta */
	ino_t inode;
};

/* -ENOENT nothing is pinned at DIR; -EACCES, -EPERM not for us; -ESTALE another layout. */
int live_open(struct live *live, const char *dir);
void live_close(struct live *live); /* NULL-safe in the sense of a zeroed LIVE */

/* A daemon that stopped has said so, and emptied the maps: no flow of them is found any more. */
bool live_retired(const struct live *live);

bool live_replaced(const struct live *live, const char *dir); /* other pins are there, or none */

/* --- libflowner_ask.c: questions to the daemon --- */

struct ask {
	pthread_mutex_t lock; /* one question at a time, over one connection that is kept */
	char *path;
	int timeout_ms;
	int fd;	   /* -1: none */
	pid_t pid; /* who made it: a child must not talk on its parent's */
};

int ask_init(struct ask *ask, const char *path, int timeout_ms);
void ask_release(struct ask *ask);

/*
 * Lives of KEY around AT_NS (UINT64_MAX: all are before). NETNS_INUM when the cookie of KEY is not
 * known, else 0. -ENOENT nobody had it.
 */
int ask_around(struct ask *ask, const struct fl_key *key, __u32 netns_inum, __u64 at_ns,
	       struct around *ret_around);

/*
 * Who has KEY now, or what it is on the other side of NAT: the newest life there, maybe ended.
 * -ENOENT also when there are several.
 */
int ask_nat(struct ask *ask, const struct fl_key *key, __u32 netns_inum, struct fl_flow *ret_flow);

/* RET_PROCESS and RET_TEXT may be NULL; what the daemon does not know of them is zeroed. */
int ask_id(struct ask *ask, __u64 id, struct fl_flow *ret_flow, struct fl_process *ret_process,
	   struct fl_text *ret_text);

/* Live flows; FN as in maps_each_flow(). Whole answer first: FN may ask again. */
int ask_each(struct ask *ask, maps_flow_fn fn, void *arg);

/* Whether anybody answers. */
int ask_hello(struct ask *ask);

/* A connection of its own, with TARGET asked. 0 and the socket once the daemon said 200. */
struct response;
int ask_stream(const struct ask *ask, const char *target, struct response *response, int *ret_fd);

/* Errno of an HTTP status. */
int ask_error(int status);

/* --- libflowner_memory.c: what the daemon told us of flows that have ended --- */

struct memory;

int memory_new(struct memory **ret_memory);
void memory_free(struct memory *m);

/*
 * AROUND, all zero when nobody had KEY, is what the daemon said of some moment, asked at ASKED_NS
 * or later. Kept is what of it cannot change any more, and found again for moments of which it
 * would say the same.
 */
void memory_add(struct memory *m, const struct fl_key *key, const struct around *around,
		__u64 asked_ns);
bool memory_find(struct memory *m, const struct fl_key *key, __u64 at_ns,
		 struct around *ret_around);

/* --- libflowner.c --- */

struct flowner {
	pthread_rwlock_t lock; /* of live */
	struct live live;
	__u64 look_ns;	  /* CLOCK_MONOTONIC_COARSE: when to look at the pins again; atomic */
	__u64 retired_ns; /* and when meta was read last; atomic */
	char *pin_dir;
	struct ask ask;
	struct memory *memory;
	__u64 netns_cookie; /* of the thread that opened it; 0: before 5.14, not known here */
	__u32 netns_inum;
};

/* Zeroes KEY's padding, and puts in the namespace that is meant by 0. */
void flowner_complete_key(const struct flowner *h, const struct fl_key *key,
			  struct fl_key *ret_key);

/*
 * 0, -ENOENT, or why neither maps nor daemon could tell. The second is for the questions behind a
 * first one: it believes that the maps are still the ones.
 */
int flowner_live(struct flowner *h, const struct fl_key *key, struct fl_flow *ret_flow);
int flowner_live_rung(struct flowner *h, const struct fl_key *key, struct fl_flow *ret_flow);
/* 0 also when nobody had it, neither before nor after. */
int flowner_around(struct flowner *h, const struct fl_key *key, __u64 at_ns,
		   struct around *ret_around);

/* Who has KEY now, or, *RET_NAT, the newest life of what KEY is on the other side of NAT. */
int flowner_behind(struct flowner *h, const struct fl_key *key, struct fl_flow *ret_flow,
		   bool *ret_nat);

/* FLOW was asked for as SEEN, on the other side of NAT. */
void flowner_seen_as(struct flowner_flow *flow, const struct fl_key *seen);
void flowner_export(const struct fl_flow *flow, struct flowner_flow *ret_flow);

#endif
