/* SPDX-License-Identifier: BSD-2-Clause */
/* Ends wait in a queue until they are final; then they are described, and given to the file. */
#include "daemon/history.h"
#include "daemon/agent.h"
#include "text/cleanup.h"
#include "text/clock.h"
#include "host/config.h"
#include "daemon/describe.h"
#include "text/fail.h"
#include "flow/flows.h"
#include "text/idset.h"
#include "text/linefile.h"
#include "flow/pastfile.h"
#include "host/peer.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FINAL_NS 1000000000ULL /* an accept() may come so long after the end */
#define QUEUE_FIRST 256
#define QUEUE_MAX 65536 /* then the oldest is written before it is final */
#define BATCH 1024	/* described at once */
#define TAIL_BYTES (1u << 20)
#define NEWS_NS 60000000000ULL /* between two lines about what was lost */

struct waiting {
	struct fl_flow flow;
	__u64 due_ns; /* CLOCK_BOOTTIME */
};

struct history {
	struct agent *agent;
	char *path;
	char boot[BOOT_ID_TEXT];
	struct linefile *file;
	struct waiting *queue; /* a ring */
	size_t first, count, capacity;
	bool recalling;
	struct idset written; /* while recalling: the last that an earlier daemon wrote */
	__u64 lost_memory;
	struct linefile_state told; /* as of the last line in the log */
	__u64 told_lost, told_ns;
};

/* --- what an earlier daemon has written --- */

static int remember(struct history *h, const char *line, size_t size)
{
	struct past p;
	int r = 0;

	if (past_parse(line, size, 0, &p) < 0)
		return 0;
	if (p.boot && strcmp(p.boot, h->boot) == 0)
		r = idset_add(&h->written, p.flow.id);
	past_release(&p);
	return r;
}

static int read_tail(struct history *h)
{
	struct pastfile *file;
	const char *line;
	size_t size;
	int r = pastfile_open(h->path, 0, &file);

	if (r < 0)
		return r;
	pastfile_skip_to_tail(file, TAIL_BYTES);
	while ((r = pastfile_next(file, &line, &size)) > 0) {
		r = remember(h, line, size);
		if (r < 0)
			break;
	}
	pastfile_close(file);
	return r;
}

void history_recalled(struct history *h)
{
	if (!h)
		return;
	h->recalling = false;
	idset_release(&h->written);
}

/* --- the file --- */

/* -ENOMEM. */
static int make_line(struct history *h, const struct fl_flow *flow, char **ret_line)
{
	struct description d;
	json_t *object, *boot;
	char *line;

	describe_flow(h->agent, flow, &d);
	object = describe_json(h->agent, &d, describe_peer(h->agent, flow), NULL);
	boot = json_pack("{ss}", "id", h->boot);
	if (!object || json_object_set_new(json_object_get(object, "host"), "boot", boot) < 0) {
		json_decref(object);
		return -ENOMEM;
	}
	line = json_line(object);
	if (!line)
		return -ENOMEM;
	*ret_line = line;
	return 0;
}

/* The index knows by now who accepted it. */
static void write_first(struct history *h)
{
	const struct fl_flow *flow = &h->queue[h->first].flow, *newer;
	_free_ char *line = NULL;

	if (flows_get(h->agent->flows, flow->id, &newer) == 0)
		flow = newer;
	if (make_line(h, flow, &line) < 0)
		h->lost_memory++;
	else
		(void)linefile_put(h->file, line, strlen(line));
	h->first = (h->first + 1) % h->capacity;
	h->count--;
}

/* When it is full. */
static int grow(struct history *h)
{
	size_t capacity = h->capacity ? h->capacity * 2 : QUEUE_FIRST;
	struct waiting *queue = calloc(capacity, sizeof(*queue));

	if (!queue)
		return -ENOMEM;
	for (size_t i = 0; i < h->capacity; i++)
		queue[i] = h->queue[(h->first + i) % h->capacity];
	free(h->queue);
	h->queue = queue;
	h->capacity = capacity;
	h->first = 0;
	return 0;
}

/* While recalling, what is oldest was most likely written. */
static int make_room(struct history *h)
{
	if (h->count < h->capacity)
		return 0;
	if (h->capacity < QUEUE_MAX)
		return grow(h);
	if (!h->recalling) {
		write_first(h);
		return 0;
	}
	h->first = (h->first + 1) % h->capacity;
	h->count--;
	return 0;
}

void history_add(struct history *h, const struct fl_flow *flow)
{
	if (!h)
		return;
	if (h->recalling && idset_has(&h->written, flow->id)) {
		h->count = 0; /* all before it were written, too */
		return;
	}
	if (make_room(h) < 0) {
		h->lost_memory++;
		return;
	}
	h->queue[(h->first + h->count++) % h->capacity] =
		(struct waiting){ *flow, clock_ns(CLOCK_BOOTTIME) + FINAL_NS };
}

/* --- news --- */

static __u64 lost(const struct history *h, const struct linefile_state *s)
{
	return s->refused + h->lost_memory;
}

static bool tell(struct history *h, struct fail *ret_news)
{
	struct linefile_state now = linefile_state(h->file), told = h->told;
	__u64 now_ns = clock_ns(CLOCK_BOOTTIME), gone = lost(h, &now) - h->told_lost;
	bool again;

	h->told = now;
	if (now.open_error && now.open_error != told.open_error) {
		(void)fail(ret_news, 0, "history: the old file goes on: cannot open '%s': %s",
			   h->path, strerror(now.open_error));
		return true;
	}
	if (now.error && !told.error) {
		(void)fail(ret_news, 0, "history: trying again: cannot write to '%s': %s", h->path,
			   strerror(now.error));
		return true;
	}
	again = told.error && !now.error;
	if (now.error || (!gone && !again))
		return false;
	if (!again && h->told_ns && now_ns - h->told_ns < NEWS_NS)
		return false;
	(void)fail(ret_news, 0, "history: '%s' is written to%s: %llu flows were lost", h->path,
		   again ? " again" : ", but too slowly", gone);
	h->told_lost += gone;
	h->told_ns = now_ns;
	return true;
}

bool history_tick(struct history *h, struct fail *ret_news)
{
	__u64 now_ns = clock_ns(CLOCK_BOOTTIME);

	if (!h)
		return false;
	for (size_t i = 0; i < BATCH && h->count && h->queue[h->first].due_ns <= now_ns; i++)
		write_first(h);
	return tell(h, ret_news);
}

/* --- life --- */

static void cleanup_history(struct history **h)
{
	history_free(*h);
}

int history_new(struct agent *agent, const char *path, struct history **ret_history, struct fail *f)
{
	_cleanup_(cleanup_history) struct history *h = calloc(1, sizeof(*h));
	int r;

	if (!h)
		return fail(f, -ENOMEM, "out of memory");
	h->agent = agent;
	h->recalling = true;
	h->path = strdup(path);
	r = h->path ? past_boot_id(h->boot) : -ENOMEM;
	if (!r)
		r = linefile_open(path, peer_group(agent->config->group), &h->file);
	if (!r)
		r = read_tail(h);
	if (r < 0)
		return fail(f, r, "cannot open the history '%s': %s", path,
			    r == -EINVAL ? "not a regular file" : strerror(-r));
	*ret_history = TAKE_PTR(h);
	return 0;
}

int history_start(struct history *h, struct fail *f)
{
	int r = h ? linefile_start(h->file) : 0;

	return r < 0 ? fail(f, r, "cannot write a history: %s", strerror(-r)) : 0;
}

void history_reopen(struct history *h)
{
	if (h)
		linefile_reopen(h->file);
}

void history_free(struct history *h)
{
	if (!h)
		return;
	while (h->count && !h->recalling)
		write_first(h);
	linefile_close(h->file);
	idset_release(&h->written);
	free(h->queue);
	free(h->path);
	free(h);
}

struct history_counts history_counts(struct history *h)
{
	struct linefile_state s = linefile_state(h->file);

	return (struct history_counts){
		.written = s.written,
		.lost_full = s.refused,
		.lost_memory = h->lost_memory,
		.no_space = s.no_space,
		.io_errors = s.io_errors,
		.other_errors = s.other_errors,
	};
}

const char *history_path(const struct history *h)
{
	return h->path;
}

const char *history_boot(const struct history *h)
{
	return h->boot;
}
