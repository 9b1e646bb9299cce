/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/living.h"
#include "daemon/abort.h"
#include "daemon/agent.h"
#include "text/cleanup.h"
#include "kernel/maps.h"
#include "policy/safety.h"

#include <errno.h>
#include <string.h>

#define BATCH 1024 /* judged at once */
#define ANCESTORS_MAX 64

struct walk {
	struct agent *agent;
	const struct compiled *compiled, *before;
	struct safety_caller caller;
	struct live batch[BATCH];
	struct fl_flow flows[BATCH];
	size_t used;
	struct living found;
};

/* --- one flow as an attempt --- */

static void know(struct fl_attempt *a, enum fl_dimension d, bool known)
{
	if (known)
		a->known |= 1u << d;
}

/* What the hook would have known, as far as the maps remember it. */
static void describe(struct agent *agent, const struct fl_flow *flow, struct live *live)
{
	struct fl_attempt *a = &live->attempt;
	struct fl_process p;

	*live = (struct live){ .flow_id = flow->id, .role = flow->role, .state = flow->state };
	a->key = flow->key;
	a->owner = flow->owner;
	a->cookie = flow->cookie;
	know(a, FL_DIM_NETNS, a->key.netns_cookie);
	know(a, FL_DIM_LOCAL_ADDR, true);
	know(a, FL_DIM_LOCAL_PORT, true);
	know(a, FL_DIM_REMOTE_ADDR, a->key.remote_port);
	know(a, FL_DIM_REMOTE_PORT, a->key.remote_port);
	know(a, FL_DIM_UID, a->owner.proc.pid);
	know(a, FL_DIM_GID, a->owner.proc.pid);
	if (!a->owner.proc.pid || maps_get_process(agent->maps, &a->owner.proc, &p, NULL) < 0)
		return;
	a->cgroup_id = p.cgroup_id;
	a->exe = (struct fl_file){ .inode = p.exe_inode, .dev = p.exe_dev };
	know(a, FL_DIM_CGROUP, p.cgroup_id);
	know(a, FL_DIM_EXE, p.exe_inode);
}

/* --- all of them --- */

static int keep(struct living *l, const struct fl_flow *flow)
{
	struct fl_flow *more;

	if (l->count % BATCH == 0) {
		more = reallocarray(l->rejected, l->count + BATCH, sizeof(*more));
		if (!more)
			return -ENOMEM;
		l->rejected = more;
	}
	l->rejected[l->count++] = *flow;
	return 0;
}

/* Both have one for each flow, in the order of the flows. */
static int keep_new(struct walk *w, const struct safety *s, const struct safety *before)
{
	size_t b = 0;
	int r = 0;

	for (size_t i = 0; !r && i < s->cut_count; i++) {
		while (b < before->cut_count && before->cuts[b].live < s->cuts[i].live)
			b++;
		if (b < before->cut_count && before->cuts[b].live == s->cuts[i].live)
			continue;
		r = keep(&w->found, &w->flows[s->cuts[i].live]);
		w->found.callers |= s->cuts[i].callers;
	}
	return r;
}

static int judge(struct walk *w)
{
	struct safety s = { 0 }, before = { 0 };
	int r = safety_check(w->compiled, w->batch, w->used, &w->caller, &s);

	if (!r && w->before)
		r = safety_check(w->before, w->batch, w->used, &w->caller, &before);
	if (!r)
		r = keep_new(w, &s, &before);
	safety_release(&s);
	safety_release(&before);
	w->used = 0;
	return r;
}

static int add(const struct fl_flow *flow, void *arg)
{
	struct walk *w = arg;

	describe(w->agent, flow, &w->batch[w->used]);
	w->flows[w->used++] = *flow;
	return w->used == BATCH ? judge(w) : 0;
}

/* --- who asks --- */

static pid_t parent_of(pid_t pid)
{
	char path[32], line[512];
	_fclose_ FILE *file = NULL;
	const char *rest;
	int parent;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (!file || !fgets(line, sizeof(line), file))
		return 0;
	rest = strrchr(line, ')'); /* the name may have any of them */
	return rest && sscanf(rest, ") %*c %d", &parent) == 1 ? parent : 0;
}

size_t living_ancestors(pid_t pid, __u32 *ret_pids, size_t max)
{
	size_t count = 0;

	for (; pid > 0 && count < max; pid = parent_of(pid))
		ret_pids[count++] = (__u32)pid;
	return count;
}

int living_find(struct agent *agent, const struct compiled *c, const struct compiled *before,
		pid_t caller, struct living *ret_living)
{
	_free_ struct walk *w = calloc(1, sizeof(*w));
	__u32 pids[ANCESTORS_MAX];
	int r;

	if (!w)
		return -ENOMEM;
	w->agent = agent;
	w->compiled = c;
	w->before = before;
	w->caller.pids = pids;
	w->caller.pid_count = living_ancestors(caller, pids, ANCESTORS_MAX);
	w->caller.daemon_pid = (__u32)getpid();
	r = maps_each_flow(agent->maps, add, w);
	if (!r && w->used)
		r = judge(w);
	if (r < 0)
		living_release(&w->found);
	else
		*ret_living = w->found;
	return r;
}

void living_release(struct living *l)
{
	free(l->rejected);
	l->rejected = NULL;
	l->count = 0;
}

size_t living_cut(struct agent *agent, const struct living *l)
{
	struct fail said;
	size_t cut = 0;

	for (size_t i = 0; i < l->count; i++)
		cut += abort_flow(agent, &l->rejected[i], &said) == 0;
	return cut;
}
