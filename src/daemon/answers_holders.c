/* SPDX-License-Identifier: BSD-2-Clause */
/* The walk goes on each time the connection has its turn; then the object is made text. */
#include "daemon/answers_holders.h"
#include "daemon/agent.h"
#include "text/cleanup.h"
#include "daemon/describe.h"
#include "kernel/holders.h"

#include <errno.h>

struct waiting {
	const struct agent *agent;
	struct peer peer;
	struct holders_walk *walk; /* NULL: done */
	json_t *object;		   /* NULL: it is text now */
	struct pending line;
};

static void waiting_free(void *arg)
{
	struct waiting *w = arg;

	if (!w)
		return;
	holders_walk_free(w->walk);
	json_decref(w->object);
	free(w->line.text);
	free(w);
}

static void cleanup_waiting(struct waiting **w)
{
	waiting_free(*w);
}

/* The number left out: those PEER may not see. */
static size_t leave_out(struct holders_found *found, const struct peer *peer)
{
	size_t kept = 0, all = found->count;

	for (size_t i = 0; i < all; i++)
		if (peer_may_name(peer, &found->list[i].owner))
			found->list[kept++] = found->list[i];
	found->count = kept;
	return all - kept;
}

static int add_holders(struct waiting *w)
{
	struct holders_found *found = holders_walk_found(w->walk);
	size_t hidden = leave_out(found, &w->peer);

	return describe_holders(w->agent, w->object, found, hidden);
}

/* What cannot be known is left out: the flow itself is known. */
static int finish(struct waiting *w, int walked)
{
	int r = walked ? 0 : add_holders(w);

	holders_walk_free(TAKE_PTR(w->walk));
	if (r < 0)
		return r;
	pending_set(&w->line, json_line(TAKE_PTR(w->object)));
	return w->line.text ? 0 : -ENOMEM;
}

static ssize_t read_object(void *arg, uint64_t pos, char *buf, size_t max)
{
	struct waiting *w = arg;
	size_t used;
	int r;

	(void)pos;
	if (w->walk) {
		r = holders_walk_on(w->walk);
		if (r == -EAGAIN)
			return 0;
		if (finish(w, r) < 0)
			return MHD_CONTENT_READER_END_WITH_ERROR;
	}
	used = pending_take(&w->line, buf, max);
	return used ? (ssize_t)used : MHD_CONTENT_READER_END_OF_STREAM;
}

enum MHD_Result reply_with_holders(struct request *request, const struct fl_flow *flow,
				   json_t *object)
{
	_cleanup_(cleanup_waiting) struct waiting *w = NULL;

	if (!object || !request->agent->holders || !flow->cookie)
		return reply_json(request, MHD_HTTP_OK, object);
	w = calloc(1, sizeof(*w));
	if (!w) {
		json_decref(object);
		return MHD_NO;
	}
	w->agent = request->agent;
	w->peer = request->peer;
	w->object = object;
	if (holders_walk_new(request->agent->holders, flow->cookie, request->peer.sees_all,
			     &w->walk) < 0)
		return MHD_NO;
	return reply_later(request, read_object, TAKE_PTR(w), waiting_free);
}
