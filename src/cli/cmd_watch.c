/* SPDX-License-Identifier: BSD-2-Clause */
/* `flowner watch`: what happens from now on, a line each, as it happens. */
#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/client.h"
#include "cli/command.h"
#include "cli/options.h"
#include "cli/record.h"
#include "cli/table.h"

/*
 * Lines cannot wait for each other: the usual widths, and what is longer pushes its line apart. A
 * terminal that is too narrow for them goes without some, and names are cut.
 */
enum {
	TIME,
	ACTION,
	PROTO,
	LOCAL,
	REMOTE,
	PID,
	USER,
	COMM,
	FLOW_ID,
	COLUMNS,
};

static const struct column columns[COLUMNS] = {
	[TIME] = { .title = "TIME", .drop = 3 },
	[ACTION] = { .title = "ACTION" },
	[PROTO] = { .title = "PROTO", .drop = 4 },
	[LOCAL] = { .title = "LOCAL" },
	[REMOTE] = { .title = "REMOTE" },
	[PID] = { .title = "PID" },
	[USER] = { .title = "USER", .drop = 1 },
	[COMM] = { .title = "COMM", .cut = 1, .least = 6 },
	[FLOW_ID] = { .title = "FLOW_ID", .drop = 2 },
};

static const struct {
	size_t width;
	record_cell cell;
} cells[COLUMNS] = {
	[TIME] = { 12, record_clock },	    [ACTION] = { 13, record_action },
	[PROTO] = { 5, record_proto },	    [LOCAL] = { 21, record_local },
	[REMOTE] = { 21, record_remote },   [PID] = { 7, record_pid },
	[USER] = { 8, record_user },	    [COMM] = { 15, record_comm },
	[FLOW_ID] = { 16, record_flow_id },
};

struct watch {
	struct record_view view;
	bool json;
	unsigned long long left; /* events until the end; 0 = no end */
	bool done;		 /* we ended it, not the daemon */
};

/* Every line has been flushed: there is nothing to tidy up, and stdout may be stuck for good. */
static void on_interrupt(int signal_number)
{
	(void)signal_number;
	_exit(EXIT_FOUND);
}

/* Asked for each line: windows change while one watches. */
static void fit_columns(size_t widths[COLUMNS])
{
	size_t width = table_width(STDOUT_FILENO);
	size_t natural[COLUMNS];

	for (size_t i = 0; i < COLUMNS; i++)
		natural[i] = cells[i].width;
	table_fit(columns, COLUMNS, width ? width : SIZE_MAX, natural, widths);
}

static void print_line(const char *(*text)(size_t i, void *arg, char *buf), void *arg)
{
	size_t widths[COLUMNS], last = COLUMNS - 1;

	fit_columns(widths);
	while (!widths[last])
		last--;
	for (size_t i = 0; i <= last; i++) {
		char buf[RECORD_TEXT];

		if (!widths[i])
			continue;
		if (columns[i].cut && widths[i] < cells[i].width)
			table_put_cut(stdout, text(i, arg, buf), widths[i]);
		else
			table_put(stdout, text(i, arg, buf), i < last ? widths[i] : 0);
		putchar(i < last ? ' ' : '\n');
	}
}

static const char *title_of(size_t i, void *arg, char *buf)
{
	(void)arg;
	(void)buf;
	return columns[i].title;
}

static void print_header(void)
{
	print_line(title_of, NULL);
	command_flush();
}

struct event {
	const struct watch *watch;
	const json_t *record;
};

static const char *cell_of(size_t i, void *arg, char *buf)
{
	const struct event *e = arg;

	return cells[i].cell(e->record, &e->watch->view, buf);
}

static void print_event(const struct watch *w, const json_t *record)
{
	struct event e = { w, record };

	print_line(cell_of, &e);
}

/* "lost" and "resync" are no events of a flow: they are told, whoever reads the events. */
static bool is_notice(const json_t *record)
{
	const char *action = record_string(record, "event.action");

	return action && (strcmp(action, "lost") == 0 || strcmp(action, "resync") == 0);
}

static void print_notice(const json_t *record)
{
	const char *action = record_string(record, "event.action");
	const char *why = record_string(record, "message");
	char buf[RECORD_TEXT];
	const char *count = record_text(record, "flowner.count", buf);

	if (strcmp(action, "lost") == 0)
		command_error("LOST %s events%s%s", count ? count : "some", why ? ": " : "",
			      why ? why : "");
	else
		command_error("resync: %s%s%s flows are known", why ? why : "", why ? ", " : "",
			      count ? count : "some");
}

static int show(struct watch *w, const char *line, size_t len)
{
	json_t *record = command_json(line, len);
	bool notice;

	if (!record)
		return LINE_FAILED;
	notice = is_notice(record);
	if (notice)
		print_notice(record);
	else if (!w->json)
		print_event(w, record);
	json_decref(record);
	if (w->json)
		command_pass(line, len);
	w->done = command_flush() != LINE_MORE;
	if (!notice && w->left && --w->left == 0)
		w->done = true;
	return w->done ? LINE_DONE : LINE_MORE;
}

static int on_line(const char *line, size_t len, void *arg)
{
	return len == 0 ? LINE_MORE : show(arg, line, len);
}

/* Digits of a number above zero, or nothing; 0 = it is not one. */
static unsigned long long parse_number(const char *text)
{
	char *end;
	unsigned long long n;

	if (!isdigit((unsigned char)*text))
		return 0;
	errno = 0;
	n = strtoull(text, &end, 10);
	return errno || *end ? 0 : n;
}

static int read_own_options(struct options *o, struct watch *w)
{
	const char *count = options_own(o, "count");
	const char *replay = options_own(o, "replay");

	if (count) {
		w->left = parse_number(count);
		if (!w->left)
			return command_usage("watch", "--count needs a number above 0");
	}
	if (!replay)
		return EXIT_FOUND;
	if (!parse_number(replay) && strcmp(replay, "0") != 0)
		return command_usage("watch", "--replay needs the sequence number of an event");
	if (client_query(&o->query, "since", replay) < 0) {
		command_error("cannot watch: %s", strerror(ENOMEM));
		return EXIT_REFUSED;
	}
	return EXIT_FOUND;
}

static int run_watch(struct options *o)
{
	struct sigaction interrupt = { .sa_handler = on_interrupt };
	struct watch w = { .json = o->json };
	int code = read_own_options(o, &w);

	if (code != EXIT_FOUND)
		return code;
	record_view_init(&w.view, o->numeric, options_own(o, "services") != NULL);
	sigaction(SIGINT, &interrupt, NULL);
	if (!o->json && !o->no_header)
		print_header();
	code = command_ask(o, "/v1/events", o->query, -1, on_line, &w);
	if (code == EXIT_FOUND && !w.done) {
		command_error("the daemon at '%s' ended the stream", o->socket);
		return EXIT_NO_DAEMON;
	}
	return code;
}

static const struct filter_field own_options[] = {
	{ .name = "count", .letter = 'c', .value = "N", .help = "end after N events" },
	{ .name = "replay",
	  .value = "SEQ",
	  .help = "first the events after number SEQ that the daemon still has" },
	OPTION_SERVICES,
	{ .name = NULL },
};

/* Events are of now: what asks for a span of time or for ended flows does not apply. */
static const char *const no_filters[] = { "since", "until", "closed", "all", NULL };

const struct command command_watch = {
	.name = "watch",
	.arguments = "[ADDR[/LEN][:PORT]...]",
	.help = "Show sessions opening, being accepted and closing, as it happens.",
	.options = own_options,
	.filters = true,
	.no_filters = no_filters,
	.max_args = -1,
	.run = run_watch,
};
