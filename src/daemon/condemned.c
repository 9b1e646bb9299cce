/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/condemned.h"
#include "daemon/abort.h"
#include "daemon/agent.h"
#include "text/cleanup.h"
#include "kernel/maps.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/timerfd.h>

#define WAITING_MAX 1024
#define ROUNDS 4000
#define ROUND_NS 250000

struct waiting {
	struct fl_attempt attempt;
	unsigned int rounds; /* left */
};

struct condemned {
	struct agent *agent;
	int timer;
	size_t count;
	struct waiting list[WAITING_MAX];
};

int condemned_new(struct agent *agent, struct condemned **ret_condemned)
{
	struct condemned *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->agent = agent;
	c->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (c->timer < 0) {
		free(c);
		return -errno;
	}
	*ret_condemned = c;
	return 0;
}

void condemned_free(struct condemned *c)
{
	if (!c)
		return;
	cleanup_close(&c->timer);
	free(c);
}

static void set_timer(struct condemned *c)
{
	struct itimerspec spec = { .it_value.tv_nsec = c->count ? ROUND_NS : 0 };

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

void condemned_add(struct condemned *c, const struct fl_attempt *attempt)
{
	if (c->count == WAITING_MAX) /* nobody gets through to it, and no more is possible */
		return;
	c->list[c->count++] = (struct waiting){ .attempt = *attempt, .rounds = ROUNDS };
	if (c->count == 1)
		set_timer(c);
}

int condemned_fd(const struct condemned *c)
{
	return c->timer;
}

void condemned_run(struct condemned *c)
{
	size_t kept = 0, count = c->count;
	uint64_t expirations;

	(void)!read(c->timer, &expirations, sizeof(expirations));
	for (size_t i = 0; i < count; i++) {
		struct waiting w = c->list[i];

		if (!end(c, &w.attempt) && --w.rounds)
			c->list[kept++] = w;
	}
	while (count < c->count) /* cutting reads the ring, and that may have brought more */
		c->list[kept++] = c->list[count++];
	c->count = kept;
	set_timer(c);
}
