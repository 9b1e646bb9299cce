/* SPDX-License-Identifier: BSD-2-Clause */
/* Look up all there is to say about one flow, once, for both the filter and the JSON. */
#include "daemon/describe.h"
#include "text/address.h"
#include "daemon/agent.h"
#include "text/cleanup.h"
#include "flow/flows.h"
#include "kernel/maps.h"
#include "daemon/proc.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Into BUF of UNIT_MAX bytes: names_ functions keep their answer only until the next call. */
static const char *keep(const char *name, char *buf)
{
	if (!name || strlen(name) >= UNIT_MAX)
		return NULL;
	return strcpy(buf, name); /* fits: checked above */
}

static void describe_cgroup(struct agent *agent, struct description *d)
{
	const char *path;

	if (!d->process || !d->process->rec.cgroup_id)
		return;
	path = names_cgroup(agent->names, d->process->rec.cgroup_id);
	if (!path)
		return;
	if (cgroup_path_unit(path, d->unit) == 0)
		d->names.unit = d->unit;
	if (cgroup_path_container(path, d->container) == 0)
		d->names.container = d->container;
}

void describe_flow(struct agent *agent, const struct fl_flow *flow, struct description *ret)
{
	ret->flow = flow;
	ret->process = NULL;
	ret->names = (struct flow_names){ 0 };
	if (!flow->owner.proc.pid)
		return;
	ret->process = procs_get(agent->procs, &flow->owner);
	ret->names.user = keep(names_user(agent->names, flow->owner.uid), ret->user);
	if (ret->process)
		ret->names.exe = ret->process->exe;
	describe_cgroup(agent, ret);
}

bool describe_matches(struct agent *agent, const struct description *d, const struct filter *filter)
{
	return !filter || filter_matches(filter, d->flow, &d->names, agent->realtime_offset_ns);
}

/* FLOW was copied a while ago: its end by now, 0 while it lives. -ENOENT not known (yet). */
static int end_of(struct agent *agent, const struct fl_flow *flow, __u64 *ret_ended_ns)
{
	const struct fl_flow *recent;
	struct fl_flow live;

	*ret_ended_ns = flow->ended_ns;
	if (flow->ended_ns || !maps_get_flow(agent->maps, flow->id, &live))
		return 0;
	if (flows_get(agent->flows, flow->id, &recent))
		return -ENOENT;
	*ret_ended_ns = recent->ended_ns;
	return 0;
}

/* A flow of a reused tuple that opened after this one ended is not its other end. */
static bool lived_together(struct agent *agent, const struct fl_flow *live,
			   const struct fl_flow *flow)
{
	__u64 ended_ns;

	return !end_of(agent, flow, &ended_ns) && (!ended_ns || live->seen_ns <= ended_ns);
}

static __u64 peer_at(struct agent *agent, const struct fl_key *key, const struct fl_flow *flow)
{
	const struct fl_flow *recent;
	struct fl_flow live;

	if (!maps_find_flow(agent->maps, key, &live) && lived_together(agent, &live, flow))
		return live.id;
	return flows_find_peer(agent->flows, key, flow, &recent) ? 0 : recent->id;
}

__u64 describe_peer(struct agent *agent, const struct fl_flow *flow)
{
	struct fl_key key = flow->key;
	__u64 id;

	if (!flow->key.remote_port || address_is_any(&flow->key.remote))
		return 0;
	key.local = flow->key.remote;
	key.local_port = flow->key.remote_port;
	key.remote = flow->key.local;
	key.remote_port = flow->key.local_port;
	id = peer_at(agent, &key, flow);
	if (id || !key.ifindex)
		return id;
	key.ifindex = 0;
	return peer_at(agent, &key, flow);
}

static struct json_context context(const struct agent *agent)
{
	return (struct json_context){
		.host = agent->host,
		.realtime_offset_ns = agent->realtime_offset_ns,
	};
}

int describe_holders(const struct agent *agent, json_t *object, const struct holders_found *found,
		     size_t hidden)
{
	struct json_context ctx = context(agent);

	return json_add_holders(&ctx, object, found, hidden);
}

json_t *describe_json(struct agent *agent, const struct description *d, __u64 peer_id,
		      const struct json_event *event)
{
	struct json_context ctx = context(agent);

	return json_flow(&ctx, d->flow, d->process, &d->names, peer_id, event);
}

char *json_line(json_t *object)
{
	_free_ char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
	char *line;
	size_t size;

	json_decref(object);
	if (!text)
		return NULL;
	size = strlen(text);
	line = realloc(text, size + 2);
	if (!line)
		return NULL;
	TAKE_PTR(text); /* realloc() took it */
	memcpy(line + size, "\n", 2);
	return line;
}
