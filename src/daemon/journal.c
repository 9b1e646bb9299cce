/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/journal.h"
#include "text/address.h"
#include "daemon/agent.h"
#include "text/cleanup.h"
#include "host/config.h"
#include "daemon/describe.h"
#include "text/fail.h"
#include "flow/flowtext.h"
#include "text/journalentry.h"
#include "text/label.h"
#include "text/log.h"
#include "policy/policywords.h"
#include "text/printable.h"
#include "daemon/stream.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define SEND_BYTES (4 << 20)

static const struct sockaddr_un address = { AF_UNIX, "/run/systemd/journal/socket" };

struct journal {
	struct agent *agent;
	__u32 events;
	int fd;
	__u64 untold;
	int error; /* of the last entry, 0 it was taken */
	bool told; /* that error is in the log */
	struct journalentry entry;
};

int journal_new(struct agent *agent, __u32 events, struct journal **ret_journal)
{
	struct journal *j = calloc(1, sizeof(*j));
	const int size = SEND_BYTES;
	int r;

	if (!j)
		return -ENOMEM;
	j->agent = agent;
	j->events = events;
	j->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (j->fd < 0) {
		r = -errno;
		free(j);
		return r;
	}
	/* more than the host's limit needs CAP_NET_ADMIN, and is a help only */
	if (setsockopt(j->fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(j->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	*ret_journal = j;
	return 0;
}

void journal_free(struct journal *j)
{
	if (!j)
		return;
	cleanup_close(&j->fd);
	free(j);
}

static bool wants(const struct journal *j, enum config_event event)
{
	return j && j->events & 1u << event;
}

bool journal_watches(const struct journal *j)
{
	return wants(j, CONFIG_EVENT_LISTEN) || wants(j, CONFIG_EVENT_OPEN) ||
	       wants(j, CONFIG_EVENT_ESTABLISHED) || wants(j, CONFIG_EVENT_ACCEPT) ||
	       wants(j, CONFIG_EVENT_USER);
}

static bool wants_type(const struct journal *j, __u32 type)
{
	static const struct {
		enum fl_record_type type;
		enum config_event event;
	} table[] = {
		{ FL_EVENT_LISTEN, CONFIG_EVENT_LISTEN },
		{ FL_EVENT_UNLISTEN, CONFIG_EVENT_UNLISTEN },
		{ FL_EVENT_OPEN, CONFIG_EVENT_OPEN },
		{ FL_EVENT_ESTABLISHED, CONFIG_EVENT_ESTABLISHED },
		{ FL_EVENT_ACCEPT, CONFIG_EVENT_ACCEPT },
		{ FL_EVENT_USER, CONFIG_EVENT_USER },
		{ FL_EVENT_CLOSE, CONFIG_EVENT_CLOSE },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].type == type)
			return wants(j, table[i].event);
	return false;
}

/* --- one entry --- */

static void begin(struct journal *j, enum log_level level, const char *action)
{
	j->entry.size = 0;
	journalentry_print(&j->entry, "PRIORITY", "%d", level);
	journalentry_add(&j->entry, "SYSLOG_IDENTIFIER", "flownerd");
	journalentry_add(&j->entry, "FLOWNER_EVENT", action);
}

static void finish(struct journal *j)
{
	ssize_t n = sendto(j->fd, j->entry.bytes, j->entry.size, MSG_NOSIGNAL,
			   (const struct sockaddr *)&address, sizeof(address));

	j->error = n < 0 ? errno : 0;
	j->untold += n < 0;
}

/* "open tcp 10.0.0.2:40000 -> 10.0.0.9:443 curl[4711]" */
static void put_message(struct journalentry *e, const char *what, const struct fl_flow *f)
{
	const char *direction = direction_text(f);
	const char *arrow = direction && strcmp(direction, "ingress") == 0 ? "<-" : "->";
	bool remote = f->key.remote_port || !address_is_any(&f->key.remote);
	char local_text[ENDPOINT_TEXT], remote_text[ENDPOINT_TEXT], who[64] = "";
	char comm[PRINTABLE_ROOM(FL_COMM_LEN)], name[FL_COMM_LEN + 1] = "";

	memcpy(name, f->owner.comm, strnlen(f->owner.comm, FL_COMM_LEN));
	printable(name, comm);
	if (f->owner.proc.pid)
		snprintf(who, sizeof(who), " %.40s[%u]", comm, f->owner.proc.pid);
	journalentry_print(e, "MESSAGE", "%s %s %s%s%s%s%s%s", what, proto_text(f->key.proto),
			   endpoint_format(&f->key.local, f->key.local_port, local_text),
			   remote ? " " : "", remote ? arrow : "", remote ? " " : "",
			   remote ? endpoint_format(&f->key.remote, f->key.remote_port, remote_text)
				  : "",
			   who);
}

static void put_id(struct journalentry *e, const char *name, __u64 id)
{
	char text[FLOW_ID_TEXT];

	if (id)
		journalentry_add(e, name, flow_id_format(id, text));
}

static void put_owner(struct journalentry *e, const struct description *d)
{
	const struct fl_owner *owner = &d->flow->owner;

	if (!owner->proc.pid)
		return;
	journalentry_print(e, "FLOWNER_PID", "%u", owner->proc.pid);
	journalentry_print(e, "FLOWNER_COMM", "%.*s", FL_COMM_LEN, owner->comm);
	journalentry_print(e, "FLOWNER_UID", "%u", owner->uid);
	journalentry_add(e, "FLOWNER_USER", d->names.user);
	journalentry_add(e, "FLOWNER_EXE", d->names.exe);
	journalentry_add(e, "FLOWNER_UNIT", d->names.unit);
	journalentry_add(e, "FLOWNER_CONTAINER", d->names.container);
}

static void put_flow(struct journal *j, const char *what, const struct fl_flow *f)
{
	struct journalentry *e = &j->entry;
	struct description d;
	char text[ENDPOINT_TEXT];

	describe_flow(j->agent, f, &d);
	put_message(e, what, f);
	put_id(e, "FLOWNER_FLOW_ID", f->id);
	put_id(e, "FLOWNER_PEER_FLOW_ID", describe_peer(j->agent, f));
	journalentry_add(e, "FLOWNER_PROTO", proto_text(f->key.proto));
	journalentry_add(e, "FLOWNER_LOCAL",
			 endpoint_format(&f->key.local, f->key.local_port, text));
	if (f->key.remote_port || !address_is_any(&f->key.remote))
		journalentry_add(e, "FLOWNER_REMOTE",
				 endpoint_format(&f->key.remote, f->key.remote_port, text));
	journalentry_add(e, "FLOWNER_DIRECTION", direction_text(f));
	journalentry_add(e, "FLOWNER_ROLE", role_text(f->role));
	journalentry_add(e, "FLOWNER_REASON", reason_text(f->reason));
	if (f->netns_inum)
		journalentry_print(e, "FLOWNER_NETNS", "%u", f->netns_inum);
	put_owner(e, &d);
}

/* --- events --- */

void journal_event(struct journal *j, const struct fl_event *event)
{
	const char *action = action_text(event->head.type);

	if (!wants_type(j, event->head.type))
		return;
	begin(j, LOG_LEVEL_INFO, action);
	put_flow(j, action, &event->flow);
	finish(j);
}

static void add_route(struct journal *j, const struct policy_route *route)
{
	struct journalentry *e = &j->entry;

	if (!route->known)
		return;
	journalentry_print(e, "FLOWNER_NEXT_HOP_INTERFACE", "%u", route->ifindex);
	journalentry_add(e, "FLOWNER_INTERFACE", *route->interface ? route->interface : NULL);
	journalentry_add(e, "FLOWNER_INTERFACE_TYPE",
			 policy_interface_type_text(route->interface_type));
	journalentry_add(e, "FLOWNER_TUNNEL_TYPE", policy_tunnel_type_text(route->tunnel_type));
}

void journal_verdict(struct journal *j, const struct stream_verdict *v)
{
	const char *hook = policy_hook_text(v->hook);
	const char *word = v->redirected ? "redirect" : policy_verdict_text(v->verdict);
	char to[ENDPOINT_TEXT];
	bool denied = v->enforced && v->verdict == FL_REJECT;
	char what[96];

	if (!wants(j, CONFIG_EVENT_VERDICT))
		return;
	snprintf(what, sizeof(what), "%s%s of %s:", word, v->enforced ? "" : " (audit)", hook);
	begin(j, denied ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, "verdict");
	put_flow(j, what, &v->event.flow);
	journalentry_add(&j->entry, "FLOWNER_HOOK", hook);
	journalentry_add(&j->entry, "FLOWNER_VERDICT", word);
	journalentry_add(&j->entry, "FLOWNER_ENFORCED", v->enforced ? "1" : "0");
	journalentry_add(&j->entry, "FLOWNER_RULE", v->rule ? v->rule->text : NULL);
	journalentry_print(&j->entry, "FLOWNER_COUNT", "%llu", v->count);
	if (v->port_in_use_by_other != FL_FACT_UNKNOWN)
		journalentry_add(&j->entry, "FLOWNER_PORT_IN_USE_BY_OTHER",
				 v->port_in_use_by_other == FL_FACT_YES ? "1" : "0");
	add_route(j, &v->route);
	if (v->to.used)
		journalentry_add(&j->entry, "FLOWNER_REDIRECTED_TO",
				 endpoint_format(&v->to.addr, v->to.port, to));
	finish(j);
}

void journal_lost_events(struct journal *j, const char *why, __u64 count)
{
	if (!wants(j, CONFIG_EVENT_LOST))
		return;
	begin(j, LOG_LEVEL_WARNING, "lost");
	journalentry_print(&j->entry, "MESSAGE", "%llu events were lost: %s", count, why);
	journalentry_print(&j->entry, "FLOWNER_COUNT", "%llu", count);
	finish(j);
}

bool journal_tick(struct journal *j, struct fail *ret_news)
{
	if (!j || !j->error == !j->told)
		return false;
	j->told = j->error;
	if (j->error)
		(void)fail(ret_news, 0, "journal: events are lost: cannot send to '%s': %s",
			   address.sun_path, strerror(j->error));
	else
		(void)fail(ret_news, 0, "journal: it takes events again, %llu were lost",
			   j->untold);
	return true;
}

__u64 journal_untold(const struct journal *j)
{
	return j ? j->untold : 0;
}
