/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One flow, with all that is known of it, to one JSON object with Elastic Common Schema names.
 * What was not measured is left out: no zero, no 0.0.0.0, no empty string stands for "unknown".
 * The fields are listed in tests/unit/ecs_fields.txt; a test refuses any other.
 */
#include "daemon/json.h"
#include "text/address.h"
#include "text/cleanup.h"
#include "flow/community.h"
#include "host/conntrack.h"
#include "flow/filter.h"
#include "flow/flowtext.h"
#include "kernel/holders.h"
#include "daemon/proc.h"
#include "text/utf8.h"
#include "text/wallclock.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ECS_VERSION "8.11.0"

/*
 * The only error here is memory, and a record must not come out with a hole in it: FAILED sticks
 * and json_flow() then gives nothing.
 */
struct builder {
	const struct json_context *ctx;
	const struct fl_flow *flow;
	const struct process *process;	/* may be NULL */
	const struct flow_names *names; /* may be NULL */
	const struct json_event *event; /* NULL for a flow of a list */
	bool failed;
};

static void put(struct builder *b, json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, value) < 0)
		b->failed = true;
}

/* An object inside OBJECT, borrowed; NULL when the builder has failed, now or before. */
static json_t *put_object(struct builder *b, json_t *object, const char *key)
{
	json_t *child = json_object();

	put(b, object, key, child);
	return b->failed ? NULL : child;
}

/* SIZE bytes that may be no text at all: file names and arguments are what a process made them. */
static json_t *bytes_to_json(const char *bytes, size_t size)
{
	_free_ char *clean = NULL;
	size_t clean_size;

	if (utf8_clean(bytes, size, &clean, &clean_size) < 0)
		return NULL;
	return json_stringn_nocheck(clean, clean_size);
}

static void put_text(struct builder *b, json_t *object, const char *key, const char *text)
{
	if (text && *text)
		put(b, object, key, bytes_to_json(text, strlen(text)));
}

/* TASK_COMM_LEN bytes; the NUL is there unless a writer was not ours. */
static void put_comm(struct builder *b, json_t *object, const char *key, const char *comm)
{
	size_t size = strnlen(comm, FL_COMM_LEN);

	if (size)
		put(b, object, key, bytes_to_json(comm, size));
}

static void put_number(struct builder *b, json_t *object, const char *key, __u64 value)
{
	put(b, object, key, json_integer((json_int_t)value));
}

static void put_time(struct builder *b, json_t *object, const char *key, __u64 boottime_ns)
{
	char text[WALLCLOCK_TEXT];

	if (boottime_ns)
		put(b, object, key,
		    json_string(wallclock_format(boottime_ns + (__u64)b->ctx->realtime_offset_ns,
						 text)));
}

static void put_id(struct builder *b, json_t *object, const char *key, __u64 id)
{
	char text[FLOW_ID_TEXT];

	if (id)
		put(b, object, key, json_string(flow_id_format(id, text)));
}

static void put_decimal(struct builder *b, json_t *object, const char *key, __u64 value)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", value);
	put(b, object, key, json_string(text));
}

static bool is_listener(const struct fl_flow *f)
{
	return f->role == FL_ROLE_LISTENER || f->state == FL_STATE_LISTEN;
}

static bool has_remote(const struct fl_flow *f)
{
	return f->key.remote_port || !address_is_any(&f->key.remote);
}

static bool has_both_ends(const struct fl_flow *f)
{
	return !is_listener(f) && has_remote(f) && !address_is_any(&f->key.local);
}

static const struct json_verdict *verdict_of(const struct builder *b)
{
	return b->event ? b->event->verdict : NULL;
}

static const char *untabled_type(const struct builder *b)
{
	const struct json_verdict *v = verdict_of(b);

	if (!v || !v->enforced)
		return "info";
	return v->rejected ? "denied" : "allowed";
}

static void put_types(struct builder *b, json_t *event)
{
	static const struct {
		const char *action;
		const char *types[2];
	} table[] = {
		{ "listen", { "start" } },
		{ "open", { "start" } },
		{ "unlisten", { "end" } },
		{ "unbind", { "end" } },
		{ "close", { "end" } },
		{ "established", { "connection", "info" } },
		{ "accept", { "connection", "info" } },
		{ "user", { "change" } },
	};
	const char *const *types = NULL;
	json_t *array = json_array();

	for (size_t i = 0; b->event && i < sizeof(table) / sizeof(table[0]); i++)
		if (strcmp(table[i].action, b->event->action) == 0)
			types = table[i].types;
	put(b, event, "type", array);
	if (b->failed)
		return;
	for (size_t i = 0; types && i < 2 && types[i]; i++)
		b->failed |= json_array_append_new(array, json_string(types[i])) < 0;
	if (!types)
		b->failed |= json_array_append_new(array, json_string(untabled_type(b))) < 0;
}

/*
 * An attempt still under way has no outcome, and one that ended before the handshake without an
 * error of the kernel (its own process gave up) neither succeeded nor was it refused.
 */
static const char *outcome(const struct builder *b)
{
	const struct json_verdict *v = verdict_of(b);
	const struct fl_flow *f = b->flow;

	if (v)
		return v->rejected && v->enforced ? "failure" : "success";
	if (f->state != FL_STATE_SYN_SENT)
		return "success";
	if (f->reason == FL_REASON_REFUSED || f->reason == FL_REASON_TIMED_OUT ||
	    f->reason == FL_REASON_UNREACHABLE)
		return "failure";
	return NULL;
}

static void put_event(struct builder *b, json_t *root)
{
	const struct fl_flow *f = b->flow;
	json_t *event = put_object(b, root, "event");

	if (!event)
		return;
	put(b, event, "kind", json_string("event"));
	put(b, event, "category", json_pack("[s]", "network"));
	put_types(b, event);
	if (b->event) {
		put_text(b, event, "action", b->event->action);
		put_number(b, event, "sequence", b->event->sequence);
	}
	put_text(b, event, "outcome", outcome(b));
	put_text(b, event, "reason", reason_text(f->reason));
	put_time(b, event, "start", f->opened_ns);
	put_time(b, event, "end", f->ended_ns);
	if (f->opened_ns && f->ended_ns >= f->opened_ns)
		put_number(b, event, "duration", f->ended_ns - f->opened_ns);
}

static void put_traffic(struct builder *b, json_t *object, __u64 bytes, __u64 packets)
{
	if (!b->flow->counted)
		return;
	put_number(b, object, "bytes", bytes);
	put_number(b, object, "packets", packets);
}

static void put_network(struct builder *b, json_t *root)
{
	const struct fl_flow *f = b->flow;
	const struct fl_counts *c = &f->counts;
	const struct fl_addr *addr = has_remote(f) ? &f->key.remote : &f->key.local;
	char id[COMMUNITY_ID_TEXT];
	json_t *network = put_object(b, root, "network");

	if (!network)
		return;
	put_text(b, network, "transport", proto_text(f->key.proto));
	put_text(b, network, "type", address_is_v4(addr) ? "ipv4" : "ipv6");
	put_text(b, network, "direction", direction_text(f));
	if (has_both_ends(f))
		put_text(b, network, "community_id", community_id(&f->key, id));
	put_traffic(b, network, c->bytes_sent + c->bytes_received,
		    c->packets_sent + c->packets_received);
}

/* The object, borrowed; NULL when there is nothing in it, or the builder has failed. */
static json_t *put_endpoint(struct builder *b, json_t *root, const char *key,
			    const struct fl_addr *addr, __u16 port)
{
	/* a session's any-address is one we could not read; a listener's is what it bound */
	bool known = !address_is_any(addr) || !has_remote(b->flow);
	char text[ADDRESS_TEXT];
	json_t *endpoint = known || port ? put_object(b, root, key) : NULL;

	if (!endpoint)
		return NULL;
	if (known)
		put_text(b, endpoint, "ip", address_format(addr, text));
	if (port)
		put_number(b, endpoint, "port", port);
	return endpoint;
}

/* One end of the session under its part in it, with what this end sent. */
static void put_local_as(struct builder *b, json_t *root, const char *part)
{
	const struct fl_key *k = &b->flow->key;
	json_t *end = put_endpoint(b, root, part, &k->local, k->local_port);

	if (end)
		put_traffic(b, end, b->flow->counts.bytes_sent, b->flow->counts.packets_sent);
}

static void put_remote_as(struct builder *b, json_t *root, const char *part)
{
	const struct fl_counts *c = &b->flow->counts;
	const struct fl_key *k = &b->flow->key;
	json_t *end = put_endpoint(b, root, part, &k->remote, k->remote_port);

	if (end)
		put_traffic(b, end, c->bytes_received, c->packets_received);
}

static const char *initiator(const struct fl_flow *f)
{
	const char *direction;

	if (f->role == FL_ROLE_OPENER)
		return "local";
	if (f->role == FL_ROLE_ACCEPTOR)
		return "remote";
	direction = direction_text(f);
	if (!direction)
		return NULL;
	return strcmp(direction, "egress") == 0 ? "local" : "remote";
}

static void put_ends(struct builder *b, json_t *root)
{
	const char *first = initiator(b->flow);

	if (!first || is_listener(b->flow) || !has_remote(b->flow))
		return;
	if (strcmp(first, "local") == 0) {
		put_local_as(b, root, "source");
		put_remote_as(b, root, "destination");
	} else {
		put_remote_as(b, root, "source");
		put_local_as(b, root, "destination");
	}
}

/* argv as an array, and joined by one space: for reading, it cannot be split again. */
static void put_args(struct builder *b, json_t *process)
{
	const struct process *p = b->process;
	_free_ char *line = NULL;
	json_t *args;
	size_t size;

	if (!p->args || !p->args_len)
		return;
	size = p->args[p->args_len - 1] ? p->args_len : p->args_len - 1;
	line = malloc(size + 1);
	args = json_array();
	put(b, process, "args", args);
	if (!line || b->failed) {
		b->failed = true;
		return;
	}
	for (size_t at = 0; at <= size;) {
		size_t len = strnlen(p->args + at, size - at);

		b->failed |= json_array_append_new(args, bytes_to_json(p->args + at, len)) < 0;
		memcpy(line + at, p->args + at, len);
		at += len;
		line[at++] = ' ';
	}
	put(b, process, "command_line", bytes_to_json(line, size));
}

static const struct fl_ancestor *ancestors(const struct builder *b, size_t *ret_count)
{
	__u32 count = b->process ? b->process->rec.ancestor_count : 0;

	*ret_count = count < FL_ANCESTORS ? count : FL_ANCESTORS;
	return b->process ? b->process->rec.ancestors : NULL;
}

static void put_ancestor(struct builder *b, json_t *object, const struct fl_ancestor *ancestor)
{
	put_number(b, object, "pid", ancestor->pid);
	put_comm(b, object, "name", ancestor->comm);
}

static void put_process(struct builder *b, json_t *root)
{
	const struct fl_owner *owner = &b->flow->owner;
	const struct fl_ancestor *parents;
	json_t *process, *parent;
	size_t count;

	if (!owner->proc.pid)
		return;
	process = put_object(b, root, "process");
	if (!process)
		return;
	put_number(b, process, "pid", owner->proc.pid);
	put_time(b, process, "start", owner->proc.start_ns);
	if (owner->comm[0] || !b->process)
		put_comm(b, process, "name", owner->comm);
	else
		put_comm(b, process, "name", b->process->rec.comm);
	if (!b->process)
		return;
	put_text(b, process, "executable", b->process->exe);
	put_args(b, process);
	parents = ancestors(b, &count);
	if (!count)
		return;
	parent = put_object(b, process, "parent");
	if (parent)
		put_ancestor(b, parent, &parents[0]);
}

static void put_name_in(struct builder *b, json_t *root, const char *object_key, const char *key,
			const char *text)
{
	json_t *object;

	if (!text || !*text)
		return;
	object = put_object(b, root, object_key);
	if (object)
		put_text(b, object, key, text);
}

static void put_user(struct builder *b, json_t *root)
{
	json_t *user;

	if (!b->flow->owner.proc.pid)
		return;
	user = put_object(b, root, "user");
	if (!user)
		return;
	put_decimal(b, user, "id", b->flow->owner.uid);
	if (b->names)
		put_text(b, user, "name", b->names->user);
}

static void put_ancestors(struct builder *b, json_t *object)
{
	size_t count;
	const struct fl_ancestor *parents = ancestors(b, &count);
	json_t *array;

	if (!count)
		return;
	array = json_array();
	put(b, object, "ancestors", array);
	for (size_t i = 0; i < count && !b->failed; i++) {
		json_t *ancestor = json_object();

		b->failed |= json_array_append_new(array, ancestor) < 0;
		if (!b->failed)
			put_ancestor(b, ancestor, &parents[i]);
	}
}

static void put_image(struct builder *b, json_t *object)
{
	const struct process *p = b->process;

	if (b->flow->owner.proc.pid)
		put_number(b, object, "exec", b->flow->owner.proc.exec_id);
	if (!p)
		return;
	if (p->rec.exe_flags & FL_EXE_DELETED)
		put(b, object, "exe_deleted", json_true());
	if (p->rec.exe_flags & FL_EXE_MEMFD)
		put(b, object, "exe_memfd", json_true());
	if (p->args && p->args_truncated)
		put(b, object, "args_truncated", json_true());
	put_text(b, object, "previous_executable", p->previous_exe);
	put_ancestors(b, object);
}

static void put_namespace(struct builder *b, json_t *object)
{
	const struct fl_flow *f = b->flow;

	if (f->netns_inum)
		put_number(b, object, "netns", f->netns_inum);
	if (f->key.netns_cookie)
		put_decimal(b, object, "netns_cookie", f->key.netns_cookie);
	if (f->key.ifindex)
		put_number(b, object, "ifindex", f->key.ifindex);
}

static void put_tcp(struct builder *b, json_t *object)
{
	const struct fl_flow *f = b->flow;
	json_t *tcp;

	if (!f->counted || f->key.proto != FL_TCP)
		return;
	tcp = put_object(b, object, "tcp");
	if (!tcp)
		return;
	put_number(b, tcp, "retransmits", f->counts.retransmits);
	if (f->counts.srtt_us)
		put_number(b, tcp, "srtt_us", f->counts.srtt_us);
}

static void put_listeners(struct builder *b, json_t *object, const struct policy_listeners *l)
{
	json_t *of = l->known ? put_object(b, object, "listeners") : NULL;

	for (enum fl_per per = 0; of && per < FL_PERS; per++) {
		if (l->known >> per & 1)
			put_number(b, of, policy_per_text(per), l->of[per]);
	}
}

/* By the names of the attributes of a rule; of the next hop there is none. */
static void put_route(struct builder *b, json_t *object, const struct policy_route *route)
{
	if (!route->known)
		return;
	put_number(b, object, "next_hop_interface", route->ifindex);
	put_text(b, object, "interface", *route->interface ? route->interface : NULL);
	put_text(b, object, "interface_type", policy_interface_type_text(route->interface_type));
	put_text(b, object, "tunnel_type", policy_tunnel_type_text(route->tunnel_type));
}

static void put_verdict(struct builder *b, json_t *object)
{
	const struct json_verdict *v = verdict_of(b);

	if (!v)
		return;
	put_text(b, object, "hook", v->hook);
	put_text(b, object, "verdict", v->verdict);
	put(b, object, "enforced", json_boolean(v->enforced));
	if (v->failed)
		put(b, object, "unjudged", json_true());
	if (v->port_in_use_by_other != FL_FACT_UNKNOWN)
		put(b, object, "port_in_use_by_other",
		    json_boolean(v->port_in_use_by_other == FL_FACT_YES));
	if (v->again)
		put(b, object, "reauthorization", json_true());
	put_listeners(b, object, &v->listeners);
	put_route(b, object, &v->route);
	if (v->count > 1)
		put_number(b, object, "count", v->count);
	if (v->to)
		put_endpoint(b, object, "redirected_to", &v->to->addr, v->to->port);
}

static void put_flowner(struct builder *b, json_t *root, __u64 peer_id)
{
	const struct fl_flow *f = b->flow;
	json_t *object = put_object(b, root, "flowner");

	if (!object)
		return;
	put_id(b, object, "flow_id", f->id);
	put_id(b, object, "peer_flow_id", peer_id);
	put_text(b, object, "role", role_text(f->role));
	if (f->role == FL_ROLE_ACCEPTOR)
		put(b, object, "accepted", json_boolean(f->accepted));
	if (f->state) /* of a flow that never came to be there is none */
		put_text(b, object, "state", state_text(f->state));
	put_endpoint(b, object, "local", &f->key.local, f->key.local_port);
	if (has_remote(f))
		put_endpoint(b, object, "remote", &f->key.remote, f->key.remote_port);
	put_tcp(b, object);
	put_namespace(b, object);
	put_image(b, object);
	if (!f->opened_ns)
		put_time(b, object, "opened_before", f->seen_ns);
	if (f->members > 1)
		put_number(b, object, "members", f->members);
	put_verdict(b, object);
}

static __u64 timestamp(const struct builder *b)
{
	const struct fl_flow *f = b->flow;

	if (b->event)
		return b->event->time_ns;
	if (f->ended_ns)
		return f->ended_ns;
	return f->opened_ns ? f->opened_ns : f->seen_ns;
}

static void put_head(struct builder *b, json_t *root, __u64 time_ns)
{
	put_time(b, root, "@timestamp", time_ns);
	put(b, root, "ecs", json_pack("{ss}", "version", ECS_VERSION));
	put_name_in(b, root, "host", "name", b->ctx->host);
}

static json_t *finish(struct builder *b, json_t *root)
{
	if (!b->failed)
		return root;
	json_decref(root);
	return NULL;
}

json_t *json_flow(const struct json_context *ctx, const struct fl_flow *flow,
		  const struct process *process, const struct flow_names *names, __u64 peer_id,
		  const struct json_event *event)
{
	struct builder b = {
		.ctx = ctx,
		.flow = flow,
		.process = process,
		.names = names,
		.event = event,
	};
	json_t *root = json_object();

	if (!root)
		return NULL;
	put_head(&b, root, timestamp(&b));
	put_event(&b, root);
	put_network(&b, root);
	put_ends(&b, root);
	put_process(&b, root);
	put_user(&b, root);
	if (names) {
		put_name_in(&b, root, "container", "id", names->container);
		put_name_in(&b, root, "systemd", "unit", names->unit);
	}
	if (event && event->verdict)
		put_name_in(&b, root, "rule", "name", event->verdict->rule);
	put_flowner(&b, root, peer_id);
	return finish(&b, root);
}

/* By the names of this flow, local and remote, and by those of the Elastic Common Schema. */
int json_add_nat(json_t *root, const struct fl_flow *flow, const struct ends *seen)
{
	struct builder b = { .flow = flow };
	const char *first = initiator(flow);
	bool out = first && strcmp(first, "local") == 0;
	json_t *object = json_object_get(root, "flowner");
	json_t *near = json_object_get(root, out ? "source" : "destination");
	json_t *far = json_object_get(root, out ? "destination" : "source");

	if (!object)
		return -ENOMEM;
	put(&b, object, "nat", json_true());
	put_endpoint(&b, object, "nat_local", &seen->local, seen->local_port);
	put_endpoint(&b, object, "nat_remote", &seen->remote, seen->remote_port);
	if (near && far) {
		put_endpoint(&b, near, "nat", &seen->local, seen->local_port);
		put_endpoint(&b, far, "nat", &seen->remote, seen->remote_port);
	}
	return b.failed ? -ENOMEM : 0;
}

static void put_holder(struct builder *b, json_t *object, const struct holder *holder)
{
	json_t *fds = json_array();

	put_number(b, object, "pid", holder->owner.proc.pid);
	put_time(b, object, "start", holder->owner.proc.start_ns);
	put_comm(b, object, "name", holder->owner.comm);
	put(b, object, "fds", fds);
	for (size_t i = 0; i < holder->fd_count && !b->failed; i++)
		b->failed |= json_array_append_new(fds, json_integer(holder->fds[i])) < 0;
}

int json_add_holders(const struct json_context *ctx, json_t *root,
		     const struct holders_found *found, size_t hidden)
{
	json_t *object = json_object_get(root, "flowner"), *array = json_array();
	struct builder b = { .ctx = ctx };

	put(&b, object, "holders", array);
	for (size_t i = 0; i < found->count && !b.failed; i++) {
		json_t *holder = json_object();

		b.failed |= json_array_append_new(array, holder) < 0;
		if (!b.failed)
			put_holder(&b, holder, &found->list[i]);
	}
	if (hidden)
		put_number(&b, object, "holders_hidden", hidden);
	if (found->truncated)
		put(&b, object, "holders_truncated", json_true());
	return b.failed ? -ENOMEM : 0;
}

json_t *json_notice(const struct json_context *ctx, const struct json_event *event, const char *why,
		    __u64 count)
{
	struct builder b = { .ctx = ctx, .event = event };
	json_t *root = json_object(), *object;

	if (!root)
		return NULL;
	put_head(&b, root, event->time_ns);
	put_text(&b, root, "message", why);
	object = put_object(&b, root, "event");
	if (object) {
		put(&b, object, "kind", json_string("event"));
		put(&b, object, "category", json_pack("[s]", "network"));
		put_types(&b, object);
		put_text(&b, object, "action", event->action);
		put_number(&b, object, "sequence", event->sequence);
	}
	object = put_object(&b, root, "flowner");
	if (object)
		put_number(&b, object, "count", count);
	return finish(&b, root);
}

json_t *json_error(const char *sentence)
{
	json_t *root = json_object();

	if (root && json_object_set_new(root, "error", bytes_to_json(sentence, strlen(sentence)))) {
		json_decref(root);
		return NULL;
	}
	return root;
}
