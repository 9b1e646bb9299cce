/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The lines are a table: label, what writes its text, which fields of the record that covers. The
 * block is gone through twice, first for the width of the labels.
 */
#include "cli/details.h"

#include <stdlib.h>
#include <string.h>

#include "text/cleanup.h"
#include "text/printable.h"
#include "cli/table.h"

#define COVERS_MAX 5
#define PATH_ROOM 256

struct block {
	const struct record_view *view;
	FILE *out;    /* NULL while measuring */
	size_t width; /* of the widest label so far */
};

/* Writes nothing when it is not known. */
typedef void (*detail_fn)(const json_t *record, const struct record_view *view, FILE *out);

static void put_path(const json_t *record, const char *path, const char *before, FILE *out)
{
	char buf[RECORD_TEXT];
	const char *text = record_text(record, path, buf);

	if (text)
		fprintf(out, "%s%s", before, text);
}

static void write_session(const json_t *record, const struct record_view *view, FILE *out)
{
	const char *direction = record_string(record, "network.direction");
	const char *proto = record_proto(record, view, NULL);
	char local[RECORD_TEXT], remote[RECORD_TEXT];
	const char *near = record_local(record, view, local);

	fprintf(out, "%s %s", proto ? proto : "?", near ? near : "?");
	if (!record_get(record, "flowner.remote"))
		return;
	fprintf(out, " %s %s", direction && strcmp(direction, "ingress") == 0 ? "<-" : "->",
		record_remote(record, view, remote));
}

/* The same session as it looks where it was asked for. */
static void write_nat(const json_t *record, const struct record_view *view, FILE *out)
{
	char local[RECORD_TEXT], remote[RECORD_TEXT];
	const char *near = record_endpoint(record, "flowner.nat_local", view, local);
	const char *far = record_endpoint(record, "flowner.nat_remote", view, remote);

	if (near && far)
		fprintf(out, "seen as %s, %s", near, far);
}

static void write_state(const json_t *record, const struct record_view *view, FILE *out)
{
	const char *state = record_state(record, view, NULL);

	if (state)
		fputs(state, out);
	if (record_closed(record) && record_string(record, "event.reason"))
		fputs(" (closed)", out);
}

static void write_age(const json_t *record, const struct record_view *view, FILE *out)
{
	char buf[RECORD_TEXT];
	const char *age = record_age(record, view, buf);

	if (age)
		fputs(age, out);
}

static void write_owner(const json_t *record, const struct record_view *view, FILE *out)
{
	const char *comm = record_string(record, "process.name");
	const char *user = view->numeric ? NULL : record_string(record, "user.name");
	const json_t *pid = record_get(record, "process.pid");

	if (!pid) {
		fputs("not known", out);
		return;
	}
	fprintf(out, "%s%s", comm ? comm : "", comm ? ", " : "");
	put_path(record, "process.pid", "pid ", out);
	put_path(record, user ? "user.name" : "user.id", ", user ", out);
	if (user && record_get(record, "user.id")) {
		put_path(record, "user.id", " (", out);
		putc(')', out);
	}
}

/* Whether the owner can still change is half of the answer to "who". */
static void write_role(const json_t *record, const struct record_view *view, FILE *out)
{
	const char *role = record_string(record, "flowner.role");

	(void)view;
	if (!role)
		return;
	fputs(role, out);
	if (record_interim(record))
		fputs(", not final: this is the listener's owner, nobody accepted it yet", out);
	else if (strcmp(role, "existing") == 0)
		fputs(", had it open when the daemon first looked", out);
	else
		fputs(", final", out);
}

static void write_exe(const json_t *record, const struct record_view *view, FILE *out)
{
	(void)view;
	put_path(record, "process.executable", "", out);
	if (json_is_true(record_get(record, "flowner.exe_deleted")))
		fputs(" (deleted)", out);
	if (json_is_true(record_get(record, "flowner.exe_memfd")))
		fputs(" (memfd)", out);
}

/* As a shell would take it back. */
static void write_word(const char *word, FILE *out)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_@%+=:,./-";

	if (*word && word[strspn(word, plain)] == '\0') {
		fputs(word, out);
		return;
	}
	putc('\'', out);
	for (; *word; word++) {
		if (*word == '\'')
			fputs("'\\''", out);
		else
			putc(*word, out);
	}
	putc('\'', out);
}

static void write_args(const json_t *record, const struct record_view *view, FILE *out)
{
	const json_t *args = record_get(record, "process.args");

	(void)view;
	for (size_t i = 0; i < json_array_size(args); i++) {
		const char *word = json_string_value(json_array_get(args, i));

		if (i > 0)
			putc(' ', out);
		write_word(word ? word : "?", out);
	}
	if (json_is_true(record_get(record, "flowner.args_truncated")))
		fputs(" ...", out);
}

/* A name may hold anything: a newline in it begins no line. */
static void write_name(const json_t *object, FILE *out)
{
	const char *name = record_string(object, "name");
	_free_ char *safe = name ? malloc(PRINTABLE_ROOM(strlen(name))) : NULL;

	if (!safe)
		return;
	printable(name, safe);
	fprintf(out, "%s, ", safe);
}

static void write_holder(const json_t *holder, FILE *out)
{
	const json_t *fds = record_get(holder, "fds");

	write_name(holder, out);
	put_path(holder, "pid", "pid ", out);
	for (size_t i = 0; i < json_array_size(fds); i++)
		fprintf(out, "%s%lld", i > 0 ? " " : ", fd ",
			(long long)json_integer_value(json_array_get(fds, i)));
}

/* A line for each. */
static void write_holders(const json_t *record, const struct record_view *view, FILE *out)
{
	const json_t *all = record_get(record, "flowner.holders");
	const json_t *hidden = record_get(record, "flowner.holders_hidden");

	(void)view;
	if (!json_is_array(all)) {
		fputs("not known, see flowner doctor", out);
		return;
	}
	if (json_array_size(all) == 0 && !hidden)
		fputs("none: no process has a descriptor of it", out);
	for (size_t i = 0; i < json_array_size(all); i++) {
		if (i > 0)
			putc('\n', out);
		write_holder(json_array_get(all, i), out);
	}
	if (hidden)
		put_path(record, "flowner.holders_hidden",
			 json_array_size(all) ? "\nof other users: " : "of other users: ", out);
	if (json_is_true(record_get(record, "flowner.holders_truncated")))
		fputs("\n...", out);
}

static void write_parents(const json_t *record, const struct record_view *view, FILE *out)
{
	const json_t *chain = record_get(record, "flowner.ancestors");

	(void)view;
	for (size_t i = 0; i < json_array_size(chain); i++) {
		const json_t *parent = json_array_get(chain, i);
		const char *name = record_string(parent, "name");

		fprintf(out, "%s%s", i > 0 ? " < " : "", name ? name : "?");
		put_path(parent, "pid", " ", out);
	}
	if (json_array_size(chain) == 0 && record_get(record, "process.parent.pid")) {
		put_path(record, "process.parent.name", "", out);
		put_path(record, "process.parent.pid", " ", out);
	}
}

static void write_duration(const json_t *record, const struct record_view *view, FILE *out)
{
	const json_t *ns = record_get(record, "event.duration");

	(void)view;
	if (json_is_integer(ns))
		fprintf(out, "%.6f s", (double)json_integer_value(ns) / 1e9);
}

/* What one part of the session sent. */
static void put_traffic(const json_t *part, FILE *out)
{
	char bytes[RECORD_TEXT], packets[RECORD_TEXT];
	const char *n = record_text(part, "bytes", bytes);
	const char *in = record_text(part, "packets", packets);

	if (n)
		fprintf(out, "%s bytes", n);
	if (n && in)
		fprintf(out, " in %s packets", in);
}

/* The process is at the local end: who began the session says which part that is. */
static const char *local_part(const json_t *record)
{
	const char *direction = record_string(record, "network.direction");

	if (!direction)
		return NULL;
	return strcmp(direction, "ingress") == 0 ? "destination" : "source";
}

static void write_sent(const json_t *record, const struct record_view *view, FILE *out)
{
	const char *part = local_part(record);

	(void)view;
	if (part)
		put_traffic(record_get(record, part), out);
}

static void write_received(const json_t *record, const struct record_view *view, FILE *out)
{
	const char *part = local_part(record);

	(void)view;
	if (part)
		put_traffic(record_get(record, *part == 's' ? "destination" : "source"), out);
}

/* Who began a session older than the daemon is not known, nor who sent what. */
static void write_both_ways(const json_t *record, const struct record_view *view, FILE *out)
{
	(void)view;
	if (!local_part(record))
		put_traffic(record_get(record, "network"), out);
}

static void write_tcp(const json_t *record, const struct record_view *view, FILE *out)
{
	const json_t *srtt = record_get(record, "flowner.tcp.srtt_us");

	(void)view;
	put_path(record, "flowner.tcp.retransmits", "retransmits ", out);
	if (json_is_integer(srtt))
		fprintf(out, ", round trip %.3f ms", (double)json_integer_value(srtt) / 1e3);
}

static void write_netns(const json_t *record, const struct record_view *view, FILE *out)
{
	(void)view;
	put_path(record, "flowner.netns", "", out);
	if (!record_get(record, "flowner.netns_cookie"))
		return;
	put_path(record, "flowner.netns_cookie", " (cookie ", out);
	putc(')', out);
}

static const struct detail {
	const char *label;
	enum { FULL, BRIEF, LINES } what; /* BRIEF: of the answer to "who" too; LINES: several */
	detail_fn write; /* NULL: the one field it covers, as it is; no label: nothing */
	const char *covers[COVERS_MAX];
} details[] = {
	{ "flow", BRIEF, NULL, { "flowner.flow_id" } },
	{ "session",
	  BRIEF,
	  write_session,
	  { "network.transport", "network.direction", "flowner.local", "flowner.remote" } },
	{ "nat", BRIEF, write_nat, { "flowner.nat", "flowner.nat_local", "flowner.nat_remote" } },
	{ "state", BRIEF, write_state, { "flowner.state", "event.reason" } },
	{ "age", BRIEF, write_age, { NULL } },
	{ "owner", BRIEF, write_owner, { "process.pid", "process.name", "user.id", "user.name" } },
	{ "role", BRIEF, write_role, { "flowner.role", "flowner.accepted" } },
	{ "exe",
	  BRIEF,
	  write_exe,
	  { "process.executable", "flowner.exe_deleted", "flowner.exe_memfd" } },
	{ "args",
	  BRIEF,
	  write_args,
	  { "process.args", "process.command_line", "flowner.args_truncated" } },
	{ "parents", BRIEF, write_parents, { "process.parent", "flowner.ancestors" } },
	{ "unit", BRIEF, NULL, { "systemd.unit" } },
	{ "container", BRIEF, NULL, { "container.id" } },
	{ "holders",
	  LINES,
	  write_holders,
	  { "flowner.holders", "flowner.holders_hidden", "flowner.holders_truncated" } },
	{ "opened", FULL, NULL, { "event.start" } },
	{ "opened before", FULL, NULL, { "flowner.opened_before" } },
	{ "closed", FULL, NULL, { "event.end" } },
	{ "duration", FULL, write_duration, { "event.duration" } },
	{ "process started", FULL, NULL, { "process.start" } },
	{ "previous exe", FULL, NULL, { "flowner.previous_executable" } },
	{ "sent", FULL, write_sent, { "source.bytes", "source.packets" } },
	{ "received", FULL, write_received, { "destination.bytes", "destination.packets" } },
	{ "both ways", FULL, write_both_ways, { "network.bytes", "network.packets" } },
	{ "tcp", FULL, write_tcp, { "flowner.tcp" } },
	{ "peer flow", FULL, NULL, { "flowner.peer_flow_id" } },
	{ "netns", FULL, write_netns, { "flowner.netns", "flowner.netns_cookie" } },
	{ "community id", FULL, NULL, { "network.community_id" } },
	/* said otherwise above, or the same for every flow */
	{ NULL, FULL, NULL, { "@timestamp", "ecs", "event.kind", "event.category", "event.type" } },
	{ NULL, FULL, NULL, { "network.type", "event.outcome", "source.ip", "source.port" } },
	{ NULL,
	  FULL,
	  NULL,
	  { "destination.ip", "destination.port", "source.nat", "destination.nat" } },
};
#define DETAILS (sizeof(details) / sizeof(details[0]))

static bool covered(const char *path)
{
	for (size_t i = 0; i < DETAILS; i++)
		for (size_t j = 0; j < COVERS_MAX && details[i].covers[j]; j++)
			if (strcmp(details[i].covers[j], path) == 0)
				return true;
	return false;
}

/* LABEL NULL: the line goes on with what the one before said. */
static void put_line(struct block *b, const char *label, const char *text)
{
	char name[PRINTABLE_ROOM(PATH_ROOM) + 1];
	size_t end = printable(label ? label : "", name), width;

	name[end] = label ? ':' : ' ';
	name[end + 1] = '\0';
	width = printable_columns(name);
	if (!b->out) {
		b->width = width > b->width ? width : b->width;
		return;
	}
	table_put(b->out, name, b->width);
	putc(' ', b->out);
	table_put(b->out, text, 0);
	putc('\n', b->out);
}

static void put_lines(struct block *b, const struct detail *d, char *text)
{
	const char *label = d->label;

	while (text) {
		put_line(b, label, d->what == LINES ? strsep(&text, "\n") : TAKE_PTR(text));
		label = NULL;
	}
}

static void put_detail(struct block *b, const struct detail *d, const json_t *record)
{
	_free_ char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return;
	if (d->write)
		d->write(record, b->view, f);
	else
		put_path(record, d->covers[0], "", f);
	fclose(f);
	if (size > 0)
		put_lines(b, d, text);
}

static void put_rest(struct block *b, const char *above, const json_t *object);

/* A field of PATH that may be one no line covers. */
static void put_field(struct block *b, const char *path, const json_t *value)
{
	_free_ char *text = NULL;

	if (covered(path))
		return;
	if (json_is_object(value)) {
		put_rest(b, path, value);
		return;
	}
	if (json_is_string(value)) {
		put_line(b, path, json_string_value(value));
		return;
	}
	text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	if (text)
		put_line(b, path, text);
}

static void put_rest(struct block *b, const char *above, const json_t *object)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)object, key, value) {
		char path[PATH_ROOM];

		snprintf(path, sizeof(path), "%s%s%s", above, *above ? "." : "", key);
		put_field(b, path, value);
	}
}

static void put_block(struct block *b, const json_t *record, bool brief)
{
	for (size_t i = 0; i < DETAILS; i++)
		if (details[i].label && (details[i].what == BRIEF || !brief))
			put_detail(b, &details[i], record);
	if (!brief)
		put_rest(b, "", record);
}

void details_print(const json_t *record, const struct record_view *view, bool brief, FILE *out)
{
	struct block b = { .view = view };

	put_block(&b, record, brief);
	b.out = out;
	put_block(&b, record, brief);
}
