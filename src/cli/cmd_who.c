/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `flowner who`: who owns the session with these ends. Without a local address (`:53`) no single
 * session is meant: then this is a question to the list, which knows such endpoints.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "text/address.h"
#include "cli/client.h"
#include "cli/command.h"
#include "cli/details.h"
#include "flow/flowtext.h"
#include "cli/options.h"
#include "text/wallclock.h"

struct asking {
	struct record_view view;
	bool json;
	size_t lines;
};

struct question {
	const char *proto; /* NULL = both */
	const char *local;
	const char *remote; /* NULL = not said */
	const char *netns;
	const char *at;
	bool exact; /* local is ADDR:PORT */
};

static int on_line(const char *line, size_t len, void *arg)
{
	struct asking *a = arg;
	json_t *record;

	if (len == 0)
		return LINE_MORE;
	a->lines++;
	if (a->json)
		return command_pass(line, len);
	record = command_json(line, len);
	if (!record)
		return LINE_FAILED;
	if (a->lines > 1)
		putchar('\n');
	details_print(record, &a->view, true, stdout);
	json_decref(record);
	return LINE_MORE;
}

static int bad_endpoint(struct options *o, const char *text)
{
	snprintf(o->why, sizeof(o->why), "'%s' is not ADDR:PORT, [ADDR]:PORT or :PORT", text);
	return -EINVAL;
}

/* `who tcp 10.0.0.1:80 [...]`, `who :53`. */
static int read_arguments(struct options *o, struct question *q)
{
	struct endpoint local = { 0 }, remote = { 0 };
	enum fl_proto proto;
	int i = 0;

	if (proto_parse(o->args[0], &proto) == 0) {
		q->proto = proto_text(proto);
		i++;
	}
	if (i >= o->arg_count || o->arg_count - i > 2) {
		snprintf(o->why, sizeof(o->why), "'who' needs %s", command_who.arguments);
		return -EINVAL;
	}
	q->local = o->args[i];
	q->remote = i + 1 < o->arg_count ? o->args[i + 1] : NULL;
	if (endpoint_parse(q->local, &local) < 0 || !local.has_port)
		return bad_endpoint(o, q->local);
	if (q->remote && (endpoint_parse(q->remote, &remote) < 0 || !remote.has_port))
		return bad_endpoint(o, q->remote);
	q->exact = local.has_addr && local.prefix == 128 &&
		   (!q->remote || (remote.has_addr && remote.prefix == 128));
	return 0;
}

static int read_options(struct options *o, struct question *q)
{
	__u64 ns;

	q->netns = options_own(o, "netns");
	q->at = options_own(o, "at");
	if (q->at && wallclock_parse(q->at, UINT64_MAX, &ns) < 0) {
		snprintf(o->why, sizeof(o->why),
			 "'%s' is not a time: 10m (ago), RFC 3339 or @SECONDS", q->at);
		return -EINVAL;
	}
	return 0;
}

static int add(struct options *o, const char *name, const char *value)
{
	return value ? client_query(&o->query, name, value) : 0;
}

/* Alive at a time: not ended before it, not opened after it. */
static int make_query(struct options *o, const struct question *q)
{
	int r = add(o, "proto", q->proto);

	if (r == 0)
		r = add(o, "local", q->local);
	if (r == 0)
		r = add(o, "remote", q->remote);
	if (r == 0)
		r = add(o, "netns", q->netns);
	if (r == 0)
		r = add(o, q->exact ? "at" : "since", q->at);
	if (r == 0 && !q->exact)
		r = add(o, "until", q->at);
	return r;
}

static int run_who(struct options *o)
{
	struct asking a = { .json = o->json };
	struct question q = { 0 };
	int r = read_arguments(o, &q);
	int code;

	if (r == 0)
		r = read_options(o, &q);
	if (r == -EINVAL)
		return command_usage("who", o->why);
	r = make_query(o, &q);
	if (r < 0) {
		command_error("cannot ask: %s", strerror(-r));
		return EXIT_REFUSED;
	}
	record_view_init(&a.view, o->numeric, false);
	code = command_ask(o, q.exact ? "/v1/who" : "/v1/flows", o->query, CLIENT_WAIT_MS, on_line,
			   &a);
	return code == EXIT_FOUND && a.lines == 0 ? EXIT_NOT_FOUND : code;
}

static const struct filter_field own_options[] = {
	{ .name = "netns", .value = "NETNS", .help = "network namespace: inode, pid or name" },
	{ .name = "at",
	  .value = "TIME",
	  .help = "who had it then: 10m (ago), RFC 3339 or @SECONDS" },
	{ .name = NULL },
};

const struct command command_who = {
	.name = "who",
	.arguments = "[tcp|udp] LOCAL [REMOTE]",
	.help = "Say who owns a session: 10.0.0.1:80, [::1]:80, or :53 for any address.",
	.options = own_options,
	.min_args = 1,
	.max_args = 3,
	.run = run_who,
};
