/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/condemned.h"
#include "daemon/abort.h"
#include "daemon/agent.h"
#include "text/cleanup.h"
#include "text/clock.h"
#include "kernel/maps.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/timerfd.h>

#define WAITING_FIRST 64
#define WAITING_MAX 65536 /* several batches of the event ring; then they are counted only */
#define TURN 1024	  /* looked for at once: then it is the turn of others */
#define TURN_NS 250000
#define PATIENCE_NS 2000000000ull

struct waiting {
	struct fl_attempt attempt;
	__u64 until_ns; /* CLOCK_MONOTONIC: then it does not listen any more, or never did */
};

struct condemned {
	struct agent *agent;
	int timer;
	struct waiting *list;
	size_t count, capacity;
	size_t next; /* whose turn it is */
};

int condemned_new(struct agent *agent, struct condemned **ret_condemned)
{
	struct condemned *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	c->agent = agent;
	c->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (c->timer < 0) {
		r = -errno;
		free(c);
		return r;
	}
	*ret_condemned = c;
	return 0;
}

void condemned_free(struct condemned *c)
{
	if (!c)
		return;
	cleanup_close(&c->timer);
	free(c->list);
	free(c);
}

static void set_timer(struct condemned *c)
{
	struct itimerspec spec = { .it_value.tv_nsec = c->count ? TURN_NS : 0 };

	timerfd_settime(c->timer, 0, &spec, NULL);
}

/* A socket in a later life has another id than its cookie. */
static int find(struct condemned *c, const struct fl_attempt *a, struct fl_flow *ret_flow)
{
	if (maps_get_flow(c->agent->maps, a->cookie, ret_flow) == 0 &&
	    ret_flow->role == FL_ROLE_LISTENER)
		return 0;
	if (maps_find_flow(c->agent->maps, &a->key, ret_flow) == 0 && ret_flow->cookie == a->cookie)
		return 0;
	return -ENOENT;
}

/* 1 done with it */
static int end(struct condemned *c, const struct fl_attempt *a)
{
	struct fl_flow flow;
	struct fail said;

	return find(c, a, &flow) == 0 && abort_flow(c->agent, &flow, &said) == 0;
}

static int make_room(struct condemned *c)
{
	size_t capacity = c->capacity ? 2 * c->capacity : WAITING_FIRST;
	struct waiting *list;

	if (c->count < c->capacity)
		return 0;
	if (capacity > WAITING_MAX)
		return -ENOSPC;
	list = reallocarray(c->list, capacity, sizeof(*list));
	if (!list)
		return -ENOMEM;
	c->list = list;
	c->capacity = capacity;
	return 0;
}

void condemned_add(struct condemned *c, const struct fl_attempt *attempt)
{
	if (make_room(c) < 0) { /* nobody gets through to it, but it is not told so */
		(void)maps_count(c->agent->maps, FL_CNT_ABORT_REFUSED, 1);
		return;
	}
	c->list[c->count++] = (struct waiting){ *attempt, clock_ns(CLOCK_MONOTONIC) + PATIENCE_NS };
	if (c->count == 1)
		set_timer(c);
}

int condemned_fd(const struct condemned *c)
{
	return c->timer;
}

/* Cutting reads the ring, and that may bring more and move the list. */
static void look(struct condemned *c, __u64 now_ns)
{
	struct waiting w;

	if (c->next >= c->count)
		c->next = 0;
	w = c->list[c->next];
	if (end(c, &w.attempt) || now_ns >= w.until_ns)
		c->list[c->next] = c->list[--c->count];
	else
		c->next++;
}

void condemned_run(struct condemned *c)
{
	size_t turn = c->count < TURN ? c->count : TURN;
	__u64 now_ns = clock_ns(CLOCK_MONOTONIC);
	uint64_t expirations;

	(void)!read(c->timer, &expirations, sizeof(expirations));
	for (size_t i = 0; i < turn; i++)
		look(c, now_ns);
	if (!c->count) { /* what a storm took is given back */
		free(c->list);
		c->list = NULL;
		c->capacity = 0;
	}
	set_timer(c);
}
