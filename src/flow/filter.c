/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The one filter set: which fields there are, how their values are read and what they match.
 * A filter is, for each thing that can be compared (enum by), a list of accepted values: one of
 * them must match, and every non-empty list must. Fields that mean the same (-t and --proto tcp)
 * share a list.
 *
 * Listeners are flows like any other: without -l they are part of the answer, with -l they are all
 * of it. Only live flows are wanted unless a field says otherwise (closed, all, since, until).
 */
#include "flow/filter.h"
#include "text/address.h"
#include "text/cleanup.h"
#include "flow/flowtext.h"
#include "host/netns.h"
#include "text/wallclock.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VALUES_MAX 1024	   /* a request comes from anybody, every event pays for it */
#define SHOWN_MAX 65	   /* bytes of a value quoted in a sentence, with the NUL */
#define CONTAINER_PREFIX 4 /* hex digits: fewer name too much to be meant */

#define AN_ADDRESS "an address (ADDR[/LEN][:PORT])"
#define A_PORT "a port (1-65535)"
#define A_TIME "a time (10m, 2h, 2026-01-02T03:04:05Z, @1700000000)"

enum by {
	BY_EITHER_END,
	BY_LOCAL,
	BY_REMOTE,
	BY_LOCAL_PORT,
	BY_REMOTE_PORT,
	BY_PID,
	BY_USER,
	BY_COMM,
	BY_EXE,
	BY_UNIT,
	BY_CONTAINER,
	BY_NETNS,
	BY_PROTO,
	BY_STATE,
	BY_DIRECTION,
	BY_SINCE,
	BY_UNTIL,
	BY_LISTENING,
	BY_FAMILY,
	BY_CLOSED, /* this and the next choose between live and ended, see filter_wants_live() */
	BY_ALL,
	BY_MAX,
};

struct value {
	struct value *next;
	union {
		struct endpoint endpoint;
		struct {
			__u16 low, high;
		} ports;
		__u32 number;
		__u64 wall_ns; /* CLOCK_REALTIME */
	};
	char *text; /* NULL when the union says it */
};

struct filter {
	struct value *accepted[BY_MAX];
	size_t values;
};

/* What is matched. */
struct subject {
	const struct fl_flow *flow;
	const struct flow_names *names;
	__s64 realtime_offset_ns;
};

const struct filter_field filter_fields[] = {
	{ "addr", 0, false, "ADDR", "either end: ADDR[/LEN][:PORT]", BY_EITHER_END, NULL },
	{ "local", 0, false, "ADDR", "local end: ADDR[/LEN][:PORT]", BY_LOCAL, NULL },
	{ "remote", 0, false, "ADDR", "remote end: ADDR[/LEN][:PORT]", BY_REMOTE, NULL },
	{ "lport", 0, false, "PORTS", "local port: 80,443,8000-8100", BY_LOCAL_PORT, NULL },
	{ "rport", 0, false, "PORTS", "remote port: 80,443,8000-8100", BY_REMOTE_PORT, NULL },
	{ "pid", 0, false, "PID", "process id of the owner", BY_PID, NULL },
	{ "user", 0, false, "USER", "user name or uid of the owner", BY_USER, NULL },
	{ "comm", 0, false, "NAME", "process name, its first 15 bytes", BY_COMM, NULL },
	{ "exe", 0, false, "PATH", "executable: path or file name, PREFIX*", BY_EXE, NULL },
	{ "unit", 0, false, "UNIT", "systemd unit; .service may be left out", BY_UNIT, NULL },
	{ "container", 0, false, "ID", "container id, 4 or more digits of it, or name",
	  BY_CONTAINER, NULL },
	{ "netns", 0, false, "NETNS", "network namespace: inode, pid or name", BY_NETNS, NULL },
	{ "proto", 0, false, "PROTO", "tcp or udp", BY_PROTO, NULL },
	{ "state", 0, false, "STATE", "state, as ss spells it", BY_STATE, NULL },
	{ "direction", 0, false, "DIR", "egress or ingress", BY_DIRECTION, NULL },
	{ "since", 0, false, "TIME", "alive at TIME or later: 10m (ago), @SECONDS, RFC 3339",
	  BY_SINCE, NULL },
	{ "until", 0, false, "TIME", "opened at TIME or before", BY_UNTIL, NULL },
	{ "listening", 'l', true, NULL, "only listeners and unconnected UDP", BY_LISTENING, "" },
	{ "tcp", 't', true, NULL, "TCP", BY_PROTO, "tcp" },
	{ "udp", 'u', true, NULL, "UDP", BY_PROTO, "udp" },
	{ "ipv4", '4', true, NULL, "IPv4", BY_FAMILY, "4" },
	{ "ipv6", '6', true, NULL, "IPv6", BY_FAMILY, "6" },
	{ "closed", 0, true, NULL, "only flows that ended, of those still remembered", BY_CLOSED,
	  "" },
	{ "all", 'a', true, NULL, "live flows and those that ended", BY_ALL, "" },
	{ NULL, 0, false, NULL, NULL, BY_MAX, NULL },
};

/* How the values of one list are read, and when one holds; MATCH NULL: see filter_wants_*(). */
struct by_ops {
	int (*parse)(const char *text, __u64 now_ns, struct value *ret_value);
	bool (*match)(const struct value *value, const struct subject *subject);
	const char *expected; /* "'x' is not ..." */
	bool list;	      /* several values in one, joined by commas */
};

static void values_free(struct value *value)
{
	while (value) {
		struct value *next = value->next;

		free(value->text);
		free(value);
		value = next;
	}
}

static void values_cleanup(struct value **values)
{
	values_free(*values);
}

/* Digits only: no sign, no space, and no leading zero that could mean octal. */
static int parse_decimal(const char *text, __u64 max, __u64 *ret_number)
{
	size_t len = strspn(text, "0123456789");
	__u64 number;

	if (len == 0 || text[len] != '\0' || (len > 1 && text[0] == '0'))
		return -EINVAL;
	errno = 0;
	number = strtoull(text, NULL, 10);
	if (errno != 0 || number > max)
		return -ERANGE;
	*ret_number = number;
	return 0;
}

static int parse_port(const char *text, __u16 *ret_port)
{
	__u64 port = 0;
	int r = parse_decimal(text, 65535, &port);

	if (r < 0)
		return r;
	if (port == 0)
		return -ERANGE;
	*ret_port = (__u16)port;
	return 0;
}

static int read_text(const char *text, __u64 now_ns, struct value *ret_value)
{
	(void)now_ns;
	ret_value->text = strdup(text);
	return ret_value->text ? 0 : -ENOMEM;
}

static int read_time(const char *text, __u64 now_ns, struct value *ret_value)
{
	return wallclock_parse(text, now_ns, &ret_value->wall_ns);
}

static int read_nothing(const char *text, __u64 now_ns, struct value *ret_value)
{
	(void)text, (void)now_ns, (void)ret_value;
	return 0;
}

static int read_endpoint(const char *text, __u64 now_ns, struct value *ret_value)
{
	(void)now_ns;
	return endpoint_parse(text, &ret_value->endpoint);
}

/* "80" or "8000-8100". */
static int read_ports(const char *text, __u64 now_ns, struct value *ret_value)
{
	char low[sizeof("65535-65535")];
	size_t len = strlen(text);
	char *high;
	int r;

	(void)now_ns;
	if (len >= sizeof(low))
		return -EINVAL;
	memcpy(low, text, len + 1);
	high = strchr(low, '-');
	if (high)
		*high++ = '\0';
	r = parse_port(low, &ret_value->ports.low);
	if (r == 0)
		r = parse_port(high ? high : low, &ret_value->ports.high);
	if (r < 0)
		return r;
	return ret_value->ports.low <= ret_value->ports.high ? 0 : -EINVAL;
}

static int read_pid(const char *text, __u64 now_ns, struct value *ret_value)
{
	__u64 pid = 0;
	int r = parse_decimal(text, INT32_MAX, &pid);

	(void)now_ns;
	if (r < 0)
		return r;
	ret_value->number = (__u32)pid;
	return pid ? 0 : -ERANGE; /* 0 is "not known" in an owner */
}

static int read_user(const char *text, __u64 now_ns, struct value *ret_value)
{
	__u64 uid = 0;
	int r;

	if (text[strspn(text, "0123456789")] != '\0')
		return read_text(text, now_ns, ret_value);
	r = parse_decimal(text, UINT32_MAX - 1, &uid);
	if (r < 0)
		return r;
	ret_value->number = (__u32)uid;
	return 0;
}

static int read_netns(const char *text, __u64 now_ns, struct value *ret_value)
{
	int r = netns_parse(text, &ret_value->number);

	(void)now_ns;
	if (r < 0)
		return r;
	return ret_value->number ? 0 : -ERANGE; /* 0 is "not known" in a flow */
}

static int read_proto(const char *text, __u64 now_ns, struct value *ret_value)
{
	enum fl_proto proto = FL_TCP;
	int r = proto_parse(text, &proto);

	(void)now_ns;
	ret_value->number = proto;
	return r;
}

static int read_state(const char *text, __u64 now_ns, struct value *ret_value)
{
	enum fl_state state = FL_STATE_CLOSE;
	int r = state_parse(text, &state);

	(void)now_ns;
	ret_value->number = state;
	return r;
}

static int read_direction(const char *text, __u64 now_ns, struct value *ret_value)
{
	if (strcmp(text, "egress") != 0 && strcmp(text, "ingress") != 0)
		return -EINVAL;
	return read_text(text, now_ns, ret_value);
}

/* '4' or '6', as the fields imply it. */
static int read_family(const char *text, __u64 now_ns, struct value *ret_value)
{
	(void)now_ns;
	ret_value->number = (__u32)text[0];
	return 0;
}

/* Listeners and unconnected UDP sockets: what their remote address is nobody asks, it is no end. */
static bool is_local_only(const struct fl_key *key)
{
	return key->remote_port == 0 && address_is_any(&key->remote);
}

static bool owner_known(const struct subject *s)
{
	return s->flow->owner.proc.pid != 0;
}

static bool match_local(const struct value *v, const struct subject *s)
{
	return endpoint_matches(&v->endpoint, &s->flow->key.local, s->flow->key.local_port);
}

static bool match_remote(const struct value *v, const struct subject *s)
{
	const struct fl_key *key = &s->flow->key;

	return !is_local_only(key) &&
	       endpoint_matches(&v->endpoint, &key->remote, key->remote_port);
}

static bool match_either_end(const struct value *v, const struct subject *s)
{
	return match_local(v, s) || match_remote(v, s);
}

static bool match_local_port(const struct value *v, const struct subject *s)
{
	return s->flow->key.local_port >= v->ports.low && s->flow->key.local_port <= v->ports.high;
}

static bool match_remote_port(const struct value *v, const struct subject *s)
{
	return s->flow->key.remote_port >= v->ports.low &&
	       s->flow->key.remote_port <= v->ports.high;
}

static bool match_pid(const struct value *v, const struct subject *s)
{
	return s->flow->owner.proc.pid == v->number;
}

/* An unknown owner reads as uid 0 and is not root. */
static bool match_user(const struct value *v, const struct subject *s)
{
	if (v->text)
		return s->names->user && strcmp(v->text, s->names->user) == 0;
	return owner_known(s) && s->flow->owner.uid == v->number;
}

/* The kernel keeps 15 bytes: `systemd-resolved` is there as `systemd-resolve`. */
static bool match_comm(const struct value *v, const struct subject *s)
{
	return owner_known(s) && strncmp(v->text, s->flow->owner.comm, FL_COMM_LEN - 1) == 0;
}

/* A value without a slash names the file, wherever it lies; a '*' at its end stands for the rest.
 */
static bool match_exe(const struct value *v, const struct subject *s)
{
	size_t len = strlen(v->text);
	const char *exe = s->names->exe, *slash;

	if (!exe)
		return false;
	slash = strrchr(exe, '/');
	if (slash && !strchr(v->text, '/'))
		exe = slash + 1;
	if (v->text[len - 1] == '*')
		return strncmp(v->text, exe, len - 1) == 0;
	return strcmp(v->text, exe) == 0;
}

/* As systemctl and journalctl take it: `nginx` is nginx.service. */
static bool match_unit(const struct value *v, const struct subject *s)
{
	size_t len = strlen(v->text);
	const char *unit = s->names->unit;

	if (!unit || strncmp(unit, v->text, len) != 0)
		return false;
	return unit[len] == '\0' || strcmp(unit + len, ".service") == 0;
}

static bool match_container(const struct value *v, const struct subject *s)
{
	size_t len = strlen(v->text);
	const char *container = s->names->container;

	if (!container)
		return false;
	if (len >= CONTAINER_PREFIX && strspn(v->text, "0123456789abcdef") == len)
		return strncmp(container, v->text, len) == 0;
	return strcmp(container, v->text) == 0;
}

static bool match_netns(const struct value *v, const struct subject *s)
{
	return s->flow->netns_inum == v->number;
}

static bool match_proto(const struct value *v, const struct subject *s)
{
	return s->flow->key.proto == v->number;
}

static bool match_state(const struct value *v, const struct subject *s)
{
	return s->flow->state == v->number;
}

static bool match_direction(const struct value *v, const struct subject *s)
{
	const char *direction = direction_text(s->flow);

	return direction && strcmp(direction, v->text) == 0;
}

static __u64 wall_ns(__u64 boot_ns, const struct subject *s)
{
	return boot_ns + (__u64)s->realtime_offset_ns;
}

static bool match_since(const struct value *v, const struct subject *s)
{
	return s->flow->ended_ns == 0 || wall_ns(s->flow->ended_ns, s) >= v->wall_ns;
}

/* A flow older than the agent is only known to have been open when it was first seen. */
static bool match_until(const struct value *v, const struct subject *s)
{
	__u64 opened_ns = s->flow->opened_ns ? s->flow->opened_ns : s->flow->seen_ns;

	return wall_ns(opened_ns, s) <= v->wall_ns;
}

static bool match_listening(const struct value *v, const struct subject *s)
{
	(void)v;
	return is_local_only(&s->flow->key);
}

/* The remote address of a listener is all zero whatever its family: the local one tells. */
static bool match_family(const struct value *v, const struct subject *s)
{
	return address_is_v4(&s->flow->key.local) == (v->number == '4');
}

static const struct by_ops by_ops[BY_MAX] = {
	[BY_EITHER_END] = { read_endpoint, match_either_end, AN_ADDRESS, false },
	[BY_LOCAL] = { read_endpoint, match_local, AN_ADDRESS, false },
	[BY_REMOTE] = { read_endpoint, match_remote, AN_ADDRESS, false },
	[BY_LOCAL_PORT] = { read_ports, match_local_port, A_PORT, true },
	[BY_REMOTE_PORT] = { read_ports, match_remote_port, A_PORT, true },
	[BY_PID] = { read_pid, match_pid, "a process id", false },
	[BY_USER] = { read_user, match_user, "a user name or uid", false },
	[BY_COMM] = { read_text, match_comm, "a process name", false },
	[BY_EXE] = { read_text, match_exe, "a path or file name", false },
	[BY_UNIT] = { read_text, match_unit, "a unit", false },
	[BY_CONTAINER] = { read_text, match_container, "a container id", false },
	[BY_NETNS] = { read_netns, match_netns,
		       "a network namespace (inode, pid or name) that can be read", false },
	[BY_PROTO] = { read_proto, match_proto, "a protocol (tcp or udp)", false },
	[BY_STATE] = { read_state, match_state, "a state (established, listen, syn-sent, ...)",
		       false },
	[BY_DIRECTION] = { read_direction, match_direction, "a direction (egress or ingress)",
			   false },
	[BY_SINCE] = { read_time, match_since, A_TIME, false },
	[BY_UNTIL] = { read_time, match_until, A_TIME, false },
	[BY_LISTENING] = { read_nothing, match_listening, NULL, false },
	[BY_FAMILY] = { read_family, match_family, NULL, false },
	[BY_CLOSED] = { read_nothing, NULL, NULL, false },
	[BY_ALL] = { read_nothing, NULL, NULL, false },
};

/* VALUE as it may stand in a sentence, and the sentence in JSON. BUF has SHOWN_MAX bytes. */
static const char *shown(const char *value, char *buf)
{
	size_t len = strnlen(value, SHOWN_MAX - 1);

	for (size_t i = 0; i < len; i++) {
		buf[i] = '?';
		if (value[i] >= ' ' && value[i] <= '~')
			buf[i] = value[i];
	}
	buf[len] = '\0';
	return buf;
}

/* R, and why; the text of the last refusal is kept, see filter.h. */
__attribute__((format(printf, 3, 4))) static int refuse(int r, const char **ret_why,
							const char *format, ...)
{
	static char why[SHOWN_MAX + 128];
	va_list args;

	va_start(args, format);
	vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	*ret_why = why;
	return r;
}

int filter_new(struct filter **ret_filter)
{
	struct filter *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	*ret_filter = f;
	return 0;
}

void filter_free(struct filter *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < BY_MAX; i++)
		values_free(f->accepted[i]);
	free(f);
}

static const struct filter_field *find_field(const char *name)
{
	for (const struct filter_field *field = filter_fields; field->name; field++) {
		if (strcmp(field->name, name) == 0)
			return field;
	}
	return NULL;
}

/* One value in front of *VALUES. */
static int add_value(const struct by_ops *ops, const char *text, __u64 now_ns,
		     struct value **values, const char **ret_why)
{
	_cleanup_(values_cleanup) struct value *value = calloc(1, sizeof(*value));
	char buf[SHOWN_MAX];
	int r;

	r = value ? ops->parse(text, now_ns, value) : -ENOMEM;
	if (r == -ENOMEM)
		return refuse(r, ret_why, "out of memory");
	if (r < 0)
		return refuse(-EINVAL, ret_why, "'%s' is not %s", shown(text, buf), ops->expected);
	value->next = *values;
	*values = TAKE_PTR(value);
	return 0;
}

/* All values that TEXT lists, or none of them. */
static int add_values(struct filter *f, enum by by, const char *text, __u64 now_ns,
		      const char **ret_why)
{
	_cleanup_(values_cleanup) struct value *added = NULL;
	_free_ char *copy = strdup(text);
	struct value **end = &added;
	char *rest = copy, *item;
	size_t count = 0;

	if (!copy)
		return refuse(-ENOMEM, ret_why, "out of memory");
	while ((item = strsep(&rest, by_ops[by].list ? "," : ""))) {
		int r = add_value(&by_ops[by], item, now_ns, &added, ret_why);

		if (r < 0)
			return r;
		count++;
	}
	if (f->values + count > VALUES_MAX)
		return refuse(-EINVAL, ret_why, "more than %d values to filter by", VALUES_MAX);
	while (*end)
		end = &(*end)->next;
	*end = f->accepted[by];
	f->accepted[by] = TAKE_PTR(added);
	f->values += count;
	return 0;
}

/* A flag in a query comes as `?tcp`, `?tcp=` or `?tcp=1`. */
static bool is_set(const char *value)
{
	return !value || !*value || strcmp(value, "1") == 0 || strcmp(value, "true") == 0;
}

int filter_add(struct filter *f, const char *name, const char *value, __u64 now_ns,
	       const char **ret_why)
{
	const struct filter_field *field = find_field(name);
	char buf[SHOWN_MAX];

	if (!field)
		return refuse(-ENOENT, ret_why, "there is no filter '%s'", shown(name, buf));
	if (field->flag && !is_set(value))
		return refuse(-EINVAL, ret_why, "'%s' takes no value", name);
	if (!field->flag && (!value || !*value))
		return refuse(-EINVAL, ret_why, "'%s' needs a value", name);
	return add_values(f, field->by, field->flag ? field->implied : value, now_ns, ret_why);
}

bool filter_wants_live(const struct filter *f)
{
	return !f->accepted[BY_CLOSED] || f->accepted[BY_ALL];
}

bool filter_wants_closed(const struct filter *f)
{
	return f->accepted[BY_CLOSED] || f->accepted[BY_ALL] || f->accepted[BY_SINCE] ||
	       f->accepted[BY_UNTIL];
}

bool filter_names_time(const struct filter *f)
{
	return f->accepted[BY_SINCE] || f->accepted[BY_UNTIL];
}

__u64 filter_since_ns(const struct filter *f)
{
	__u64 first = 0;

	for (const struct value *v = f->accepted[BY_SINCE]; v; v = v->next)
		if (!first || v->wall_ns < first)
			first = v->wall_ns;
	return first;
}

static bool any_matches(enum by by, const struct value *values, const struct subject *subject)
{
	for (; values; values = values->next) {
		if (by_ops[by].match(values, subject))
			return true;
	}
	return false;
}

bool filter_matches(const struct filter *f, const struct fl_flow *flow,
		    const struct flow_names *names, __s64 realtime_offset_ns)
{
	static const struct flow_names no_names;
	struct subject subject = {
		.flow = flow,
		.names = names ? names : &no_names,
		.realtime_offset_ns = realtime_offset_ns,
	};

	if (flow->ended_ns ? !filter_wants_closed(f) : !filter_wants_live(f))
		return false;
	for (enum by by = 0; by < BY_MAX; by++) {
		if (by_ops[by].match && f->accepted[by] &&
		    !any_matches(by, f->accepted[by], &subject))
			return false;
	}
	return true;
}
