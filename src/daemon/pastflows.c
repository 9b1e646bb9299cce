/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/pastflows.h"
#include "daemon/agent.h"
#include "text/cleanup.h"
#include "text/clock.h"
#include "host/config.h"
#include "flow/flows.h"
#include "daemon/history.h"
#include "text/idset.h"
#include "daemon/share.h"
#include "flow/past.h"
#include "flow/pastfile.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define EXAMINED_MAX 256       /* lines in one turn of the loop, when none is taken */
#define QUIET_NS 5000000000ULL /* an asker hears an empty line so often, and waits on */
#define SLACK_S 60

/* Each has a file open, and keeps the disk busy. */
static struct share readers = { 6, 5, 3, 2, NULL };

struct pastflows {
	const struct agent *agent;
	struct peer peer;
	struct holding place;
	struct filter *filter;
	struct pastfile *file; /* NULL: there is none any more */
	struct idset known;    /* in the index when it was copied */
	const char *boot;
	unsigned int examined; /* in this turn */
	__u64 heard_ns;	       /* when the asker last got something */
};

static int add_known(const struct fl_flow *flow, void *arg)
{
	return idset_add(arg, flow->id);
}

/* Lines come in the order the ends were told, which may be so much later than they were. */
static __u64 slack_ns(const struct config *c)
{
	return (2ULL * c->reconcile_s + c->udp_idle_s + SLACK_S) * 1000000000ULL;
}

static int open_file(struct pastflows *p, const struct filter *filter)
{
	__u64 since_ns = filter_since_ns(filter), slack = slack_ns(p->agent->config);
	int r = pastfile_open(history_path(p->agent->history),
			      since_ns > slack ? since_ns - slack : 0, &p->file);

	return r == -ENOENT ? 0 : r;
}

static void cleanup_pastflows(struct pastflows **p)
{
	pastflows_free(*p);
}

int pastflows_new(struct agent *agent, const struct peer *peer, struct filter *filter,
		  struct pastflows **ret_past)
{
	_cleanup_(cleanup_pastflows) struct pastflows *p = NULL;
	int r;

	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->agent = agent;
	p->peer = *peer;
	p->boot = history_boot(agent->history);
	p->heard_ns = clock_ns(CLOCK_MONOTONIC);
	r = share_take(&readers, &p->place, peer, 1);
	if (!r)
		r = flows_each(agent->flows, add_known, &p->known);
	if (!r)
		r = open_file(p, filter);
	if (r < 0)
		return r;
	p->filter = filter;
	*ret_past = TAKE_PTR(p);
	return 0;
}

void pastflows_free(struct pastflows *p)
{
	if (!p)
		return;
	share_give_back(&p->place);
	filter_free(p->filter);
	pastfile_close(p->file);
	idset_release(&p->known);
	free(p);
}

static bool is_wanted(const struct pastflows *p, const char *line, size_t size)
{
	struct past past;
	bool wanted;

	if (past_parse(line, size, p->agent->realtime_offset_ns, &past) < 0)
		return false;
	wanted = peer_may_see(&p->peer, &past.flow) &&
		 !(past.boot && strcmp(past.boot, p->boot) == 0 &&
		   idset_has(&p->known, past.flow.id)) &&
		 filter_matches(p->filter, &past.flow, &past.names, p->agent->realtime_offset_ns);
	past_release(&past);
	return wanted;
}

static int copy_line(struct pastflows *p, const char *line, size_t size, char **ret_line)
{
	char *copy = malloc(size + 2);

	if (!copy)
		return -ENOMEM;
	memcpy(copy, line, size);
	memcpy(copy + size, "\n", 2);
	p->heard_ns = clock_ns(CLOCK_MONOTONIC);
	*ret_line = copy;
	return 1;
}

int pastflows_next(struct pastflows *p, char **ret_line)
{
	const char *line;
	size_t size;
	int r;

	while (p->file && p->examined++ < EXAMINED_MAX) {
		r = pastfile_next(p->file, &line, &size);
		if (r <= 0)
			return r;
		if (is_wanted(p, line, size))
			return copy_line(p, line, size, ret_line);
	}
	if (!p->file)
		return 0;
	p->examined = 0;
	if (clock_ns(CLOCK_MONOTONIC) - p->heard_ns > QUIET_NS)
		return copy_line(p, "", 0, ret_line);
	return -EAGAIN;
}
