/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flows to JSON: each field where the Elastic Common Schema wants it, nothing that was not
 * measured, and only fields of tests/unit/ecs_fields.txt. Community IDs by the specification's own
 * vectors. Text that is no UTF-8. Times to text and back.
 */
#include "text/address.h"
#include "flow/community.h"
#include "host/conntrack.h"
#include "flow/filter.h"
#include "kernel/holders.h"
#include "daemon/json.h"
#include "daemon/proc.h"
#include "text/utf8.h"
#include "text/wallclock.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define S 1000000000ULL

static const struct json_context context = {
	.host = "h",
	.realtime_offset_ns = 1767323045678901234LL, /* 2026-01-02T03:04:05.678901234Z at boot */
};

static struct fl_addr addr(const char *text)
{
	struct fl_addr a;

	assert_int_equal(address_parse(text, &a), 0);
	return a;
}

static struct fl_flow session(const char *local, __u16 lport, const char *remote, __u16 rport)
{
	struct fl_flow f = {
		.id = 0xff6ea,
		.cookie = 0xff6ea,
		.key = { .netns_cookie = 4097,
			 .proto = FL_TCP,
			 .local_port = lport,
			 .remote_port = rport },
		.owner = { .proc = { .start_ns = S, .pid = 123, .exec_id = 3 },
			   .uid = 1000,
			   .gid = 1000,
			   .comm = "curl" },
		.opened_ns = 10 * S,
		.seen_ns = 10 * S,
		.role = FL_ROLE_OPENER,
		.state = FL_STATE_ESTABLISHED,
		.members = 1,
		.netns_inum = 4026531840u,
	};

	f.key.local = addr(local);
	f.key.remote = addr(remote);
	return f;
}

static struct fl_flow curl(void)
{
	return session("10.0.0.2", 43210, "10.0.0.9", 443);
}

static struct fl_flow listener(void)
{
	struct fl_flow f = session("0.0.0.0", 80, "0.0.0.0", 0);

	f.role = FL_ROLE_LISTENER;
	f.state = FL_STATE_LISTEN;
	return f;
}

static struct process image(void)
{
	static char args[] = "curl\0https://x.example/\0";
	struct process p = {
		.rec = { .key = { .start_ns = S, .pid = 123, .exec_id = 3 },
			 .ancestor_count = 2,
			 .ancestors = { { .pid = 50, .comm = "bash" },
					{ .pid = 1, .comm = "systemd" } } },
		.known = true,
		.exe = (char *)"/usr/bin/curl",
		.args = args,
		.args_len = sizeof(args) - 1,
		.previous_exe = "/usr/bin/bash",
	};

	return p;
}

/* --- reading what came out --- */

/* "a.b[0].c" of OBJECT, or NULL. */
static json_t *at(json_t *object, const char *path)
{
	char key[64];

	while (object && *path) {
		size_t n = strcspn(path, ".[");

		snprintf(key, sizeof(key), "%.*s", (int)n, path);
		object = json_object_get(object, key);
		path += n;
		while (*path == '[') {
			object = json_array_get(object, strtoul(path + 1, NULL, 10));
			path = strchr(path, ']') + 1;
		}
		path += *path == '.';
	}
	return object;
}

static void expect_text(json_t *object, const char *path, const char *text)
{
	const char *value = json_string_value(at(object, path));

	if (!value || strcmp(value, text) != 0)
		fail_msg("%s is %s, not %s", path, value ? value : "absent", text);
}

static void expect_number(json_t *object, const char *path, json_int_t number)
{
	if (!json_is_integer(at(object, path)))
		fail_msg("%s is absent", path);
	assert_int_equal(json_integer_value(at(object, path)), number);
}

static void expect_absent(json_t *object, const char *path)
{
	if (at(object, path))
		fail_msg("%s is there", path);
}

static const char *type_name(const json_t *value)
{
	static const char *const names[] = {
		[JSON_OBJECT] = "object",   [JSON_ARRAY] = "array", [JSON_STRING] = "string",
		[JSON_INTEGER] = "integer", [JSON_REAL] = "real",   [JSON_TRUE] = "boolean",
		[JSON_FALSE] = "boolean",   [JSON_NULL] = "null",
	};

	return names[json_typeof(value)];
}

static char *field_list(void)
{
	static char text[16384];
	FILE *f = fopen("tests/unit/ecs_fields.txt", "r");

	assert_non_null(f); /* make check runs in the source tree */
	text[0] = '\n';
	text[1 + fread(text + 1, 1, sizeof(text) - 2, f)] = '\0';
	fclose(f);
	return text;
}

static bool is_listed(const char *fields, const char *path, const char *type)
{
	char line[256];

	snprintf(line, sizeof(line), "\n%s %s\n", path, type);
	return strstr(fields, line);
}

/* The first path of VALUE that is not in FIELDS, into BAD; whether all are. */
static bool all_listed(const char *fields, json_t *value, const char *path, char bad[128])
{
	char below[128];
	const char *key;
	json_t *child;
	size_t i;

	if (*path && !is_listed(fields, path, type_name(value))) {
		snprintf(bad, 128, "%.100s %s", path, type_name(value));
		return false;
	}
	json_object_foreach (value, key, child) {
		snprintf(below, sizeof(below), "%.80s%s%.40s", path, *path ? "." : "", key);
		if (!all_listed(fields, child, below, bad))
			return false;
	}
	json_array_foreach (value, i, child) {
		snprintf(below, sizeof(below), "%.120s[]", path);
		if (!all_listed(fields, child, below, bad))
			return false;
	}
	return true;
}

static void check_fields(json_t *object)
{
	char bad[128];

	if (!all_listed(field_list(), object, "", bad))
		fail_msg("not in ecs_fields.txt: %s", bad);
}

/* New reference, its fields checked. */
static json_t *make(const struct fl_flow *flow, const struct process *process,
		    const struct flow_names *names, const char *action)
{
	struct json_event event = { .action = action, .time_ns = 60 * S, .sequence = 42 };
	json_t *object = json_flow(&context, flow, process, names, 0, action ? &event : NULL);

	assert_non_null(object);
	check_fields(object);
	return object;
}

/* --- flows --- */

static void who_holds_it(void **state)
{
	struct holder list[] = {
		{ .owner = { .proc = { .start_ns = S, .pid = 123 }, .comm = "nginx" },
		  .fds = { 6, 9 },
		  .fd_count = 2 },
		{ .owner = { .proc = { .start_ns = 2 * S, .pid = 124 }, .comm = "a\xff" },
		  .fds = { 6 },
		  .fd_count = 1 },
	};
	struct holders_found found = { .list = list, .count = 2, .truncated = true };
	struct fl_flow flow = curl();
	json_t *o = make(&flow, NULL, NULL, NULL);
	json_t *holders;

	(void)state;
	assert_null(at(o, "flowner.holders"));
	assert_int_equal(json_add_holders(&context, o, &found, 3), 0);
	check_fields(o);
	holders = at(o, "flowner.holders");
	assert_int_equal(json_array_size(holders), 2);
	expect_number(json_array_get(holders, 0), "pid", 123);
	expect_text(json_array_get(holders, 0), "start", "2026-01-02T03:04:06.678901234Z");
	expect_text(json_array_get(holders, 0), "name", "nginx");
	assert_int_equal(json_array_size(at(json_array_get(holders, 0), "fds")), 2);
	expect_text(json_array_get(holders, 1), "name", "a\xef\xbf\xbd");
	expect_number(o, "flowner.holders_hidden", 3);
	assert_true(json_is_true(at(o, "flowner.holders_truncated")));
	json_decref(o);
}

/* Known to be nobody is not the same as not known. */
static void nobody_holds_it(void **state)
{
	struct holders_found found = { 0 };
	struct fl_flow flow = curl();
	json_t *o = make(&flow, NULL, NULL, NULL);

	(void)state;
	assert_int_equal(json_add_holders(&context, o, &found, 0), 0);
	check_fields(o);
	assert_int_equal(json_array_size(at(o, "flowner.holders")), 0);
	assert_non_null(at(o, "flowner.holders"));
	assert_null(at(o, "flowner.holders_hidden"));
	assert_null(at(o, "flowner.holders_truncated"));
	json_decref(o);
}

static void expect_nat(const struct fl_flow *flow, const char *near, const char *far)
{
	struct ends seen = { .local_port = 50001, .remote_port = 8443 };
	json_t *o = make(flow, NULL, NULL, NULL);
	char path[64];

	assert_int_equal(address_parse("192.0.2.1", &seen.local), 0);
	assert_int_equal(address_parse("10.0.0.9", &seen.remote), 0);
	assert_int_equal(json_add_nat(o, flow, &seen), 0);
	check_fields(o);
	assert_true(json_is_true(at(o, "flowner.nat")));
	expect_text(o, "flowner.nat_local.ip", "192.0.2.1");
	expect_number(o, "flowner.nat_local.port", 50001);
	expect_number(o, "flowner.nat_remote.port", 8443);
	expect_text(o, "flowner.local.ip", "10.0.0.2"); /* its own stay */
	snprintf(path, sizeof(path), "%s.nat.ip", near);
	expect_text(o, path, "192.0.2.1");
	snprintf(path, sizeof(path), "%s.nat.port", far);
	expect_number(o, path, 8443);
	json_decref(o);
}

static void both_sides_of_nat(void **state)
{
	struct fl_flow flow = curl();

	(void)state;
	expect_nat(&flow, "source", "destination");
	flow.role = FL_ROLE_ACCEPTOR;
	expect_nat(&flow, "destination", "source");
}

static void a_full_event(void **state)
{
	struct flow_names names = { "bob", "x.service", "0123456789ab", "/usr/bin/curl" };
	struct json_event event = { .action = "open", .sequence = 42 };
	struct process process = image();
	struct fl_flow flow = curl();
	json_t *o;

	(void)state;
	event.time_ns = 10 * S;
	flow.key.ifindex = 2;
	flow.members = 2;
	process.rec.exe_flags = FL_EXE_DELETED | FL_EXE_MEMFD;
	process.args_truncated = true;
	o = json_flow(&context, &flow, &process, &names, 0x52, &event);
	check_fields(o);
	expect_text(o, "@timestamp", "2026-01-02T03:04:15.678901234Z");
	expect_text(o, "ecs.version", "8.11.0");
	expect_text(o, "host.name", "h");
	expect_text(o, "event.kind", "event");
	expect_text(o, "event.category[0]", "network");
	expect_text(o, "event.type[0]", "start");
	expect_text(o, "event.action", "open");
	expect_number(o, "event.sequence", 42);
	expect_text(o, "event.start", "2026-01-02T03:04:15.678901234Z");
	expect_text(o, "network.transport", "tcp");
	expect_text(o, "network.type", "ipv4");
	expect_text(o, "network.direction", "egress");
	expect_text(o, "source.ip", "10.0.0.2");
	expect_number(o, "source.port", 43210);
	expect_text(o, "destination.ip", "10.0.0.9");
	expect_number(o, "destination.port", 443);
	expect_number(o, "process.pid", 123);
	expect_text(o, "process.start", "2026-01-02T03:04:06.678901234Z");
	expect_text(o, "process.name", "curl");
	expect_text(o, "process.executable", "/usr/bin/curl");
	expect_text(o, "process.args[1]", "https://x.example/");
	assert_int_equal(json_array_size(at(o, "process.args")), 2);
	expect_text(o, "process.command_line", "curl https://x.example/");
	expect_number(o, "process.parent.pid", 50);
	expect_text(o, "process.parent.name", "bash");
	expect_text(o, "user.id", "1000");
	expect_text(o, "user.name", "bob");
	expect_text(o, "container.id", "0123456789ab");
	expect_text(o, "systemd.unit", "x.service");
	expect_text(o, "flowner.flow_id", "00000000000ff6ea");
	expect_text(o, "flowner.peer_flow_id", "0000000000000052");
	expect_text(o, "flowner.role", "opener");
	expect_absent(o, "flowner.accepted");
	expect_text(o, "flowner.state", "established");
	expect_text(o, "flowner.local.ip", "10.0.0.2");
	expect_number(o, "flowner.remote.port", 443);
	expect_number(o, "flowner.netns", 4026531840u);
	expect_text(o, "flowner.netns_cookie", "4097");
	expect_text(o, "flowner.ancestors[1].name", "systemd");
	expect_number(o, "flowner.exec", 3);
	assert_true(json_is_true(at(o, "flowner.exe_deleted")));
	assert_true(json_is_true(at(o, "flowner.exe_memfd")));
	assert_true(json_is_true(at(o, "flowner.args_truncated")));
	expect_text(o, "flowner.previous_executable", "/usr/bin/bash");
	expect_number(o, "flowner.members", 2);
	expect_number(o, "flowner.ifindex", 2);
	expect_absent(o, "flowner.opened_before");
	json_decref(o);
}

static void nothing_is_invented(void **state)
{
	static const char *const absent[] = {
		"event.action",
		"event.sequence",
		"event.start",
		"event.end",
		"event.reason",
		"event.duration",
		"event.outcome",
		"process",
		"user",
		"container",
		"systemd",
		"source",
		"destination",
		"host",
		"flowner.netns",
		"flowner.netns_cookie",
		"flowner.role",
		"flowner.peer_flow_id",
		"flowner.members",
		"flowner.opened_before",
		"flowner.exec",
		"flowner.ancestors",
		"flowner.accepted",
		"network.direction",
		"@timestamp",
		"flowner.ifindex",
	};
	struct json_context nowhere = { .host = "", .realtime_offset_ns = 1 };
	struct fl_flow flow = curl();
	json_t *o;

	(void)state;
	memset(&flow.owner, 0, sizeof(flow.owner));
	flow.opened_ns = flow.seen_ns = 0;
	flow.role = FL_ROLE_UNKNOWN;
	flow.state = FL_STATE_SYN_SENT;
	flow.key.netns_cookie = 0;
	flow.netns_inum = 0;
	o = json_flow(&nowhere, &flow, NULL, NULL, 0, NULL);
	check_fields(o);
	for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++)
		expect_absent(o, absent[i]);
	expect_text(o, "flowner.remote.ip", "10.0.0.9");
	json_decref(o);
}

static void an_ended_flow_of_a_list(void **state)
{
	struct fl_flow flow = curl();
	json_t *o;

	(void)state;
	flow.ended_ns = flow.opened_ns + 1500;
	flow.reason = FL_REASON_RESET;
	o = make(&flow, NULL, NULL, NULL);
	expect_absent(o, "event.action");
	expect_absent(o, "event.sequence");
	expect_text(o, "event.end", "2026-01-02T03:04:15.678902734Z");
	expect_number(o, "event.duration", 1500);
	expect_text(o, "event.reason", "reset");
	expect_text(o, "@timestamp", "2026-01-02T03:04:15.678902734Z");
	json_decref(o);
}

static void older_than_the_agent(void **state)
{
	struct fl_flow flow = curl();
	json_t *o;

	(void)state;
	flow.opened_ns = 0;
	flow.ended_ns = 20 * S;
	flow.role = FL_ROLE_EXISTING;
	o = make(&flow, NULL, NULL, "close");
	expect_text(o, "flowner.opened_before", "2026-01-02T03:04:15.678901234Z");
	expect_absent(o, "event.start");
	expect_absent(o, "event.duration");
	/* who called connect() was not seen */
	expect_absent(o, "source");
	expect_absent(o, "destination");
	expect_absent(o, "network.direction");
	json_decref(o);
}

static void acceptor_is_the_destination(void **state)
{
	struct fl_flow flow = curl();
	json_t *o;

	(void)state;
	flow.role = FL_ROLE_ACCEPTOR;
	o = make(&flow, NULL, NULL, "established");
	expect_text(o, "source.ip", "10.0.0.9");
	expect_text(o, "destination.ip", "10.0.0.2");
	expect_text(o, "network.direction", "ingress");
	assert_true(json_is_false(at(o, "flowner.accepted")));
	json_decref(o);
	flow.accepted = 1;
	o = make(&flow, NULL, NULL, "accept");
	assert_true(json_is_true(at(o, "flowner.accepted")));
	json_decref(o);
}

static void listeners_have_one_end(void **state)
{
	struct fl_flow flow = listener();
	json_t *o = make(&flow, NULL, NULL, "listen");

	(void)state;
	expect_text(o, "flowner.local.ip", "0.0.0.0");
	expect_absent(o, "flowner.remote");
	expect_absent(o, "source");
	expect_absent(o, "destination");
	expect_absent(o, "network.community_id");
	json_decref(o);
	flow.key.local = flow.key.remote = addr("::");
	o = make(&flow, NULL, NULL, "unlisten");
	expect_text(o, "flowner.local.ip", "::");
	expect_text(o, "network.type", "ipv6");
	json_decref(o);
}

static void event_types(void **state)
{
	static const struct {
		const char *action, *first, *second;
	} rows[] = {
		{ "open", "start", NULL },	    { "listen", "start", NULL },
		{ "close", "end", NULL },	    { "unlisten", "end", NULL },
		{ "accept", "connection", "info" }, { "established", "connection", "info" },
		{ "user", "change", NULL },	    { "something new", "info", NULL },
	};
	struct fl_flow flow = curl();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *o = make(&flow, NULL, NULL, rows[i].action);

		expect_text(o, "event.type[0]", rows[i].first);
		if (rows[i].second)
			expect_text(o, "event.type[1]", rows[i].second);
		else
			expect_absent(o, "event.type[1]");
		json_decref(o);
	}
}

static void outcomes(void **state)
{
	static const struct {
		enum fl_state state;
		enum fl_reason reason;
		const char *outcome;
	} rows[] = {
		{ FL_STATE_SYN_SENT, FL_REASON_NONE, NULL },
		{ FL_STATE_SYN_SENT, FL_REASON_REFUSED, "failure" },
		{ FL_STATE_SYN_SENT, FL_REASON_TIMED_OUT, "failure" },
		{ FL_STATE_SYN_SENT, FL_REASON_UNREACHABLE, "failure" },
		{ FL_STATE_SYN_SENT, FL_REASON_ABORTED, NULL },
		{ FL_STATE_ESTABLISHED, FL_REASON_NONE, "success" },
		{ FL_STATE_ESTABLISHED, FL_REASON_TIMED_OUT, "success" },
		{ FL_STATE_CLOSE_WAIT, FL_REASON_RESET, "success" },
	};
	struct fl_flow flow = curl();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *o;

		flow.state = rows[i].state;
		flow.reason = rows[i].reason;
		o = make(&flow, NULL, NULL, "close");
		if (rows[i].outcome)
			expect_text(o, "event.outcome", rows[i].outcome);
		else
			expect_absent(o, "event.outcome");
		json_decref(o);
	}
}

static void ids_keep_all_bits(void **state)
{
	struct fl_flow flow = curl();
	json_t *o;

	(void)state;
	flow.id = FL_ID_NUMBERED | 5;
	flow.key.netns_cookie = UINT64_MAX;
	o = make(&flow, NULL, NULL, NULL);
	expect_text(o, "flowner.flow_id", "8000000000000005");
	expect_text(o, "flowner.netns_cookie", "18446744073709551615");
	json_decref(o);
}

static void text_that_is_no_utf8(void **state)
{
	static char args[] = "c\xff\0\xc0\xaf\0\xed\xa0\x80\0\xe2\x82";
	struct flow_names names = { .unit = "\x80.service" };
	struct process process = image();
	struct fl_flow flow = curl();
	char *text;
	json_t *o;

	(void)state;
	memcpy(flow.owner.comm, "\xf0\x9f\x92\xa9\xf0\x9f\x92", 8);
	process.exe = (char *)"/tmp/\xe4nderung";
	process.args = args;
	process.args_len = sizeof(args) - 1; /* the last one was cut inside a character, no NUL */
	o = make(&flow, &process, &names, "open");
	expect_text(o, "process.name", "\xf0\x9f\x92\xa9\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
	expect_text(o, "process.executable", "/tmp/\xef\xbf\xbdnderung");
	expect_text(o, "process.args[0]", "c\xef\xbf\xbd");
	expect_text(o, "process.args[1]", "\xef\xbf\xbd\xef\xbf\xbd");
	expect_text(o, "process.args[3]", "\xef\xbf\xbd\xef\xbf\xbd");
	expect_text(o, "systemd.unit", "\xef\xbf\xbd.service");
	text = json_dumps(o, JSON_COMPACT);
	assert_non_null(text);
	free(text);
	json_decref(o);
}

static void arguments(void **state)
{
	struct process process = image();
	struct fl_flow flow = curl();
	char full[FL_COMM_LEN];
	json_t *o;

	(void)state;
	process.args = (char *)"a\0\0b c\0";
	process.args_len = 7;
	memset(full, 'x', sizeof(full));
	memcpy(flow.owner.comm, full, sizeof(full)); /* no NUL: a writer that is not ours */
	o = make(&flow, &process, NULL, NULL);
	assert_int_equal(json_array_size(at(o, "process.args")), 3);
	expect_text(o, "process.args[1]", "");
	expect_text(o, "process.command_line", "a  b c");
	expect_text(o, "process.name", "xxxxxxxxxxxxxxxx");
	json_decref(o);
	process.args_len = 1;
	process.args = (char *)"";
	o = make(&flow, &process, NULL, NULL);
	assert_int_equal(json_array_size(at(o, "process.args")), 1);
	json_decref(o);
	process.args_len = 0;
	process.rec.ancestor_count = 1000;
	o = make(&flow, &process, NULL, NULL);
	expect_absent(o, "process.args");
	expect_absent(o, "process.command_line");
	assert_int_equal(json_array_size(at(o, "flowner.ancestors")), FL_ANCESTORS);
	json_decref(o);
}

static void notices_and_errors(void **state)
{
	struct json_event event = { .action = "lost", .time_ns = S, .sequence = 9 };
	json_t *o = json_notice(&context, &event, "the event ring was full", 12);

	(void)state;
	check_fields(o);
	expect_text(o, "event.action", "lost");
	expect_text(o, "event.type[0]", "info");
	expect_number(o, "event.sequence", 9);
	expect_number(o, "flowner.count", 12);
	expect_text(o, "message", "the event ring was full");
	json_decref(o);
	o = json_error("no '\xff'");
	expect_text(o, "error", "no '\xef\xbf\xbd'");
	json_decref(o);
}

/* The test above is worth nothing if a field that is not listed would pass. */
static void unlisted_fields_are_seen(void **state)
{
	json_t *o = json_pack("{s{ss}}", "event", "mood", "good");
	char bad[128];

	(void)state;
	assert_false(all_listed(field_list(), o, "", bad));
	assert_string_equal(bad, "event.mood string");
	json_decref(o);
	o = json_pack("{s{ss}}", "event", "sequence", "42");
	assert_false(all_listed(field_list(), o, "", bad));
	json_decref(o);
}

/* --- community id --- */

static void community(const char *id, enum fl_proto proto, const char *a, __u16 aport,
		      const char *b, __u16 bport)
{
	struct fl_flow there = session(a, aport, b, bport), back = session(b, bport, a, aport);
	char text[COMMUNITY_ID_TEXT];

	there.key.proto = back.key.proto = proto;
	assert_string_equal(community_id(&there.key, text), id);
	assert_string_equal(community_id(&back.key, text), id);
}

/*
 * From the baseline of the specification's test suite, seed 0; it has no UDP over IPv6, and none
 * with equal addresses: those are from a few lines of Python.
 */
static void community_vectors(void **state)
{
	(void)state;
	community("1:LQU9qZlK+B5F3KDmev6m5PMibrg=", FL_TCP, "128.232.110.120", 34855,
		  "66.35.250.204", 80);
	community("1:d/FP5EW3wiY1vCndhwleRRKHowQ=", FL_UDP, "192.168.1.52", 54585, "8.8.8.8", 53);
	community("1:/qFaeAR+gFe1KYjMzVDsMv+wgU4=", FL_TCP,
		  "2001:470:e5bf:dead:4957:2174:e82c:4887", 63943, "2607:f8b0:400c:c03::1a", 25);
	community("1:HljEY6U7aWkcvMY9sBm9FIU+1/4=", FL_UDP, "2001:db8::1", 5353, "ff02::fb", 5353);
	community("1:OYjrIx6A3s7Vqsg972mQHwPsgQo=", FL_UDP, "fe80::1", 40000, "fe80::1", 53);
	community("1:tlfFsHe+E3VVycVoOYQhDlTTvRc=", FL_TCP, "10.0.0.1", 80, "10.0.0.1", 81);
}

/* --- text and time --- */

static void utf8_characters(void **state)
{
	static const struct {
		const char *text;
		size_t length;
	} rows[] = {
		{ "a", 1 },
		{ "\xc3\xa4", 2 },
		{ "\xe2\x82\xac", 3 },
		{ "\xf4\x8f\xbf\xbf", 4 }, /* U+10FFFF */
		{ "\xf4\x90\x80\x80", 0 }, /* above it */
		{ "\xc1\xbf", 0 },	   /* overlong */
		{ "\xe0\x9f\xbf", 0 },
		{ "\xf0\x8f\xbf\xbf", 0 },
		{ "\xed\xa0\x80", 0 }, /* surrogate */
		{ "\xe2\x82", 0 },
		{ "\xe2\x28\xa1", 0 },
		{ "\x80", 0 },
		{ "", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(utf8_length(rows[i].text, strlen(rows[i].text)), rows[i].length);
}

static void times(void **state)
{
	static const struct {
		const char *text;
		__u64 ns; /* 0: refused */
	} rows[] = {
		{ "2026-01-02T03:04:05Z", 1767323045 * S },
		{ "2026-01-02T03:04:05.5Z", 1767323045 * S + 500000000 },
		{ "2026-01-02T03:04:05.6789012349Z", 1767323045 * S + 678901234 },
		{ "2026-01-02T05:34:05+02:30", 1767323045 * S },
		{ "2026-01-01T22:04:05-05:00", 1767323045 * S },
		{ "2024-02-29T00:00:00Z", 1709164800 * S },
		{ "@1767323045", 1767323045 * S },
		{ "@1767323045.25", 1767323045 * S + 250000000 },
		{ "10s", 1767323045 * S - 10 * S },
		{ "2026-02-29T00:00:00Z", 0 },
		{ "2026-13-01T00:00:00Z", 0 },
		{ "2026-01-02T25:00:00Z", 0 },
		{ "2026-01-02T03:04:05", 0 },
		{ "2026-01-02T03:04:05.Z", 0 },
		{ "2026-01-02T03:04:05Zulu", 0 },
		{ "2026-01-02", 0 },
		{ "@", 0 },
		{ "@-1", 0 },
		{ "@99999999999999999999", 0 },
		{ "9999-12-31T23:59:59Z", 0 }, /* beyond 64 bits of nanoseconds */
		{ "yesterday", 0 },
		{ "", 0 },
	};
	__u64 ns;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int r = wallclock_parse(rows[i].text, 1767323045 * S, &ns);

		if ((r == 0) != (rows[i].ns != 0) || (r == 0 && ns != rows[i].ns))
			fail_msg("'%s' is %d, %llu", rows[i].text, r, ns);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_sides_of_nat),
		cmocka_unit_test(who_holds_it),
		cmocka_unit_test(nobody_holds_it),
		cmocka_unit_test(a_full_event),
		cmocka_unit_test(nothing_is_invented),
		cmocka_unit_test(an_ended_flow_of_a_list),
		cmocka_unit_test(older_than_the_agent),
		cmocka_unit_test(acceptor_is_the_destination),
		cmocka_unit_test(listeners_have_one_end),
		cmocka_unit_test(event_types),
		cmocka_unit_test(outcomes),
		cmocka_unit_test(ids_keep_all_bits),
		cmocka_unit_test(text_that_is_no_utf8),
		cmocka_unit_test(arguments),
		cmocka_unit_test(notices_and_errors),
		cmocka_unit_test(unlisted_fields_are_seen),
		cmocka_unit_test(community_vectors),
		cmocka_unit_test(utf8_characters),
		cmocka_unit_test(times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
