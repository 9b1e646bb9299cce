/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `flowner top`: who talks with whom just now, on a terminal. The daemon is asked every few seconds
 * for what lives and what ended meanwhile, and never waited for: keys, the answer of the list and
 * that of one other question are all waited for at once.
 */
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "text/cleanup.h"
#include "text/clock.h"
#include "cli/command.h"
#include "cli/filterline.h"
#include "flow/flowtext.h"
#include "cli/job.h"
#include "cli/options.h"
#include "cli/screen.h"
#include "cli/top.h"
#include "cli/topdetail.h"

#define LINE_TEXT 512
#define DELAY_DEFAULT_MS 2000
#define GAP_NS (60ULL * 1000000000ULL) /* longer without a look: what ended meanwhile is old news */
#define SHARE 4			       /* a look may take one part of so many of the time */

static const char help_text[] =
	"p u r f   by process, user, remote address, or flow by flow; Tab: the next\n"
	"Enter     the flows of the selected row; of a flow, all that is known of it\n"
	"Esc       back\n"
	"Up Down   select, also PageUp, PageDown, Home, End\n"
	"< >       sort by another column, also Left, Right\n"
	"R         the other way round\n"
	"/         filter: what 'flowner list' takes, such as: --rport 443 10.0.0.0/8\n"
	"Space     pause, and go on\n"
	"k         abort the selected flow: its process gets an error\n"
	"q         quit, also Ctrl-C\n"
	"\n"
	"Rates are of the time between the last two looks, k is a thousand.\n"
	"OPEN/s: sessions that began. B/s: payload in bytes. P/s: packets.\n"
	"What ended meanwhile is in the rates. '-' was not measured: UDP is with\n"
	"'counts: all' in the daemon's configuration.\n";

static const char *const keys_text[] = {
	"p/u/r/f group  </> sort  / filter  Enter flows, details  k abort  ? help  q quit",
	"Up/Down scroll  k abort  Esc back  ? help  q quit",
	"any key: back",
};

enum mode { ROWS, DETAIL, HELP, FILTER, CONFIRM }; /* the first three have keys_text[] */
enum aside { ASIDE_DETAIL, ASIDE_PAST, ASIDE_ABORT };

struct user {
	struct user *next;
	__u32 uid;
	char *name; /* NULL: it has none */
};

struct live {
	const struct options *options;
	struct record_view view;
	struct user *users;
	struct samples *samples;
	struct top *top;
	enum mode mode, back; /* BACK: where help and questions were asked for */

	char *query, *filter; /* the query, and as it is typed */
	char *old_query;      /* until the daemon has taken QUERY */
	bool untried;
	char typed[LINE_TEXT];

	struct job list, other;
	enum aside asked; /* by OTHER */
	__u64 delay_ms, next_ms, took_ms;
	bool paused, lost, quit, changed;
	char said[LINE_TEXT]; /* until the next key */
	char why[LINE_TEXT];  /* nothing new comes in; "" = it does */

	struct topdetail detail;
	bool detail_due;
	__u64 detail_next_ms; /* who holds it is dear where there are many processes */
	size_t detail_first;
	struct fl_flow doomed; /* abort is being asked for, or was */
};

static volatile sig_atomic_t ended;

static void on_signal(int number)
{
	(void)number;
	ended = 1;
}

static __u64 now_ms(void)
{
	return clock_ms(CLOCK_MONOTONIC);
}

static void __attribute__((format(printf, 2, 3))) say(struct live *l, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(l->said, sizeof(l->said), format, ap);
	va_end(ap);
	l->changed = true;
}

/* --- names of users: asked once --- */

static const char *user_name(__u32 uid, void *arg)
{
	struct live *l = arg;
	const struct passwd *pw;
	struct user *u;

	if (l->options->numeric)
		return NULL;
	for (u = l->users; u; u = u->next)
		if (u->uid == uid)
			return u->name;
	u = calloc(1, sizeof(*u));
	if (!u)
		return NULL;
	pw = getpwuid(uid);
	*u = (struct user){ .next = l->users, .uid = uid, .name = pw ? strdup(pw->pw_name) : NULL };
	l->users = u;
	return u->name;
}

static void users_free(struct user *u)
{
	while (u) {
		struct user *next = u->next;

		free(u->name);
		free(u);
		u = next;
	}
}

/* --- the list --- */

static int on_flow(const struct fl_record *record, void *arg)
{
	struct live *l = arg;

	if ((unsigned int)record->type != WIRE_FLOW)
		return 0;
	return samples_add(l->samples, &((const struct wire_flow *)record)->flow) < 0 ? LINE_FAILED
										      : 0;
}

/* The filter, counts, and what ended since the last look. How long ago that is the daemon takes by
 * its own clock: wall clocks are set. A second more does no harm, what was seen is known. */
static int list_query(struct live *l, __u64 now_ns, char **ret_query)
{
	__u64 then = samples_time_ns(l->samples);
	char *query = l->query ? strdup(l->query) : NULL;
	char ago[32];
	int r;

	if (l->query && !query)
		return -ENOMEM;
	r = client_query(&query, "counts", "1");
	if (r == 0 && then) {
		snprintf(ago, sizeof(ago), "%llus",
			 (unsigned long long)((now_ns - then) / 1000000000 + 2));
		r = client_query(&query, "since", ago);
	}
	if (r < 0) {
		free(query);
		return r;
	}
	*ret_query = query;
	return 0;
}

static void list_lost(struct live *l, int r)
{
	char why[LINE_TEXT - 32];

	command_why(r, l->options->socket, why, sizeof(why));
	snprintf(l->why, sizeof(l->why), "%s: trying again", why);
	samples_abandon(l->samples);
	l->changed = true;
}

static void list_begin(struct live *l)
{
	__u64 now_ns = clock_ns(CLOCK_BOOTTIME), then = samples_time_ns(l->samples);
	_free_ char *query = NULL;
	int r;

	if (then && now_ns - then > GAP_NS)
		samples_forget(l->samples);
	l->next_ms = now_ms() + l->delay_ms;
	r = list_query(l, now_ns, &query);
	if (r == 0) {
		samples_begin(l->samples, now_ns);
		r = job_ask_records(&l->list, l->options->socket, "/v1/flows", query, on_flow, l);
	}
	if (r < 0)
		list_lost(l, r);
}

/* The daemon cannot take the filter (there is no such namespace): the one before it stays. */
static void list_refused(struct live *l)
{
	samples_abandon(l->samples);
	if (!l->untried) {
		snprintf(l->why, sizeof(l->why), "%s",
			 *l->list.answer.sentence ? l->list.answer.sentence : "refused");
		l->changed = true;
		return;
	}
	say(l, "%s", l->list.answer.sentence);
	free(l->query);
	free(l->filter);
	l->query = TAKE_PTR(l->old_query);
	l->filter = filterline_format(l->query);
	l->untried = false;
}

static void rows_again(struct live *l)
{
	if (top_refresh(l->top, l->samples) < 0)
		say(l, "no memory for these rows");
	l->changed = true;
}

static void list_end(struct live *l, int r)
{
	if (r != 0) {
		list_lost(l, r);
		return;
	}
	if (l->list.answer.status != 200) {
		list_refused(l);
		return;
	}
	samples_end(l->samples);
	l->untried = false;
	free(TAKE_PTR(l->old_query));
	*l->why = '\0';
	rows_again(l);
	l->took_ms = now_ms() - l->list.began_ms;
	if (l->took_ms * SHARE > l->delay_ms)
		l->next_ms = l->list.began_ms + l->took_ms * SHARE;
	l->detail_due = true;
}

/* --- one flow: what is known of it, and its end --- */

static const char *flow_path(__u64 id, char buf[sizeof("/v1/flows/") + FLOW_ID_TEXT])
{
	char text[FLOW_ID_TEXT];

	sprintf(buf, "/v1/flows/%s", flow_id_format(id, text));
	return buf;
}

static int on_detail(const char *line, size_t len, void *arg)
{
	struct live *l = arg;
	json_t *record = len ? json_loadb(line, len, 0, NULL) : NULL;

	if (!record)
		return 0;
	json_decref(l->detail.record);
	l->detail.record = record;
	return 0;
}

static int on_past(const struct fl_record *record, void *arg)
{
	struct live *l = arg;

	if ((unsigned int)record->type == WIRE_FLOW)
		topdetail_past(&l->detail, &((const struct wire_flow *)record)->flow);
	return 0;
}

static int on_note(const char *line, size_t len, void *arg)
{
	json_t *answer = len ? json_loadb(line, len, 0, NULL) : NULL;
	const char *note = json_string_value(json_object_get(answer, "note"));

	if (note)
		say(arg, "%s", note);
	json_decref(answer);
	return 0;
}

static void other_ask(struct live *l, enum aside what, int r)
{
	char why[LINE_TEXT];

	l->asked = what;
	if (r == 0)
		return;
	command_why(r, l->options->socket, why, sizeof(why));
	say(l, "%s", why);
}

/* An order is not taken back for a question. */
static void detail_ask(struct live *l)
{
	char path[sizeof("/v1/flows/") + FLOW_ID_TEXT];

	if (job_fd(&l->other) >= 0)
		return;
	l->detail_due = false;
	other_ask(l, ASIDE_DETAIL,
		  job_ask(&l->other, l->options->socket, NULL, flow_path(l->detail.flow.id, path),
			  NULL, on_detail, l));
}

static void past_ask(struct live *l)
{
	_free_ char *query = topdetail_past_query(&l->detail);

	if (!l->detail.flow.owner.proc.pid || !query)
		return;
	other_ask(l, ASIDE_PAST,
		  job_ask_records(&l->other, l->options->socket, "/v1/flows", query, on_past, l));
}

static void abort_ask(struct live *l)
{
	char path[sizeof("/v1/flows/") + FLOW_ID_TEXT];

	other_ask(l, ASIDE_ABORT,
		  job_ask(&l->other, l->options->socket, "DELETE", flow_path(l->doomed.id, path),
			  NULL, on_note, l));
}

static void abort_end(struct live *l)
{
	char text[FLOW_ID_TEXT];

	if (l->other.answer.status == 204)
		say(l, "flow %s is cut", flow_id_format(l->doomed.id, text));
	l->next_ms = l->detail_next_ms = now_ms(); /* what is left of it is worth a look */
}

static void other_end(struct live *l, int r)
{
	const struct client_answer *answer = &l->other.answer;
	char why[LINE_TEXT];

	l->changed = true;
	if (l->asked == ASIDE_DETAIL)
		l->detail_next_ms = l->other.began_ms + (now_ms() - l->other.began_ms) * SHARE;
	if (r != 0) {
		command_why(r, l->options->socket, why, sizeof(why));
		say(l, "%s", why);
		return;
	}
	if (answer->status >= 300)
		say(l, "%s", *answer->sentence ? answer->sentence : "the daemon refused");
	else if (l->asked == ASIDE_ABORT)
		abort_end(l);
	else if (l->asked == ASIDE_PAST)
		l->detail.past_known = true;
	else if (!l->detail.past_known)
		past_ask(l);
}

/* --- keys --- */

static void set_group(struct live *l, enum top_group group)
{
	top_set_group(l->top, group);
	rows_again(l);
}

static void detail_begin(struct live *l, const struct fl_flow *flow)
{
	if (l->asked != ASIDE_ABORT)
		job_end(&l->other);
	topdetail_begin(&l->detail, flow);
	l->detail_first = 0;
	l->mode = DETAIL;
	detail_ask(l);
}

static void go_in(struct live *l)
{
	const struct top_row *row = top_selected(l->top);

	if (!row)
		return;
	if (top_group(l->top) == TOP_BY_FLOW)
		detail_begin(l, &row->of.flow);
	else if (top_enter(l->top))
		rows_again(l);
}

static void ask_whether(struct live *l, const struct fl_flow *flow)
{
	l->doomed = *flow;
	l->back = l->mode;
	l->mode = CONFIRM;
}

static void abort_selected(struct live *l)
{
	const struct top_row *row = top_selected(l->top);

	if (row && top_group(l->top) == TOP_BY_FLOW)
		ask_whether(l, &row->of.flow);
	else if (row)
		say(l, "abort cuts one flow: Enter shows those of this %s",
		    top_group_text(top_group(l->top)));
}

static void sort_next(struct live *l, int step)
{
	size_t widths[TOP_COLUMNS_MAX] = { 0 };

	screen_widths(l->top, widths);
	top_sort_next(l->top, step, widths);
	rows_again(l);
}

static void begin_filter(struct live *l)
{
	snprintf(l->typed, sizeof(l->typed), "%s", l->filter ? l->filter : "");
	l->mode = FILTER;
}

static void help(struct live *l)
{
	l->back = l->mode;
	l->mode = HELP;
	l->detail_first = 0;
}

static void pause_or_go_on(struct live *l)
{
	l->paused = !l->paused;
	l->next_ms = now_ms();
}

static void move_by(struct live *l, int key)
{
	long page = (long)screen_rows() - 1, end = (long)top_count(l->top);

	switch (key) {
	case SCREEN_UP:
		top_move(l->top, -1);
		break;
	case SCREEN_DOWN:
		top_move(l->top, 1);
		break;
	case SCREEN_PAGE_UP:
		top_move(l->top, -page);
		break;
	case SCREEN_PAGE_DOWN:
		top_move(l->top, page);
		break;
	case SCREEN_HOME:
		top_move(l->top, -end);
		break;
	case SCREEN_END:
		top_move(l->top, end);
		break;
	default:
		break;
	}
}

static void key_in_rows(struct live *l, int key)
{
	switch (key) {
	case 'p':
		set_group(l, TOP_BY_PROCESS);
		break;
	case 'u':
		set_group(l, TOP_BY_USER);
		break;
	case 'r':
		set_group(l, TOP_BY_REMOTE);
		break;
	case 'f':
		set_group(l, TOP_BY_FLOW);
		break;
	case '\t':
		set_group(l, (top_group(l->top) + 1) % TOP_GROUPS);
		break;
	case '<':
	case SCREEN_LEFT:
		sort_next(l, -1);
		break;
	case '>':
	case SCREEN_RIGHT:
		sort_next(l, 1);
		break;
	case 'R':
		top_reverse(l->top);
		rows_again(l);
		break;
	case SCREEN_ENTER:
		go_in(l);
		break;
	case SCREEN_ESCAPE:
	case SCREEN_BACKSPACE:
		if (top_leave(l->top))
			rows_again(l);
		break;
	case 'k':
		abort_selected(l);
		break;
	case '/':
		begin_filter(l);
		break;
	default:
		move_by(l, key);
	}
}

static void scroll_text(struct live *l, int key)
{
	size_t page = screen_rows(), up = key == SCREEN_UP ? 1 : key == SCREEN_PAGE_UP ? page : 0;

	if (key == SCREEN_HOME)
		up = l->detail_first;
	l->detail_first -= up < l->detail_first ? up : l->detail_first;
	if (key == SCREEN_DOWN)
		l->detail_first++;
	else if (key == SCREEN_PAGE_DOWN)
		l->detail_first += page;
}

static void key_in_detail(struct live *l, int key)
{
	switch (key) {
	case SCREEN_ENTER:
	case SCREEN_ESCAPE:
	case SCREEN_BACKSPACE:
		l->mode = ROWS;
		break;
	case 'k':
		ask_whether(l, &l->detail.flow);
		break;
	default:
		scroll_text(l, key);
	}
}

static void take_filter(struct live *l)
{
	char why[FILTERLINE_WHY];
	char *query = NULL;

	if (filterline_parse(&command_top, l->typed, &query, why) < 0) {
		say(l, "%s", why);
		return;
	}
	if (l->untried)
		free(l->query);
	else
		l->old_query = l->query;
	free(l->filter);
	l->query = query;
	l->filter = filterline_format(query);
	l->untried = true;
	l->mode = ROWS;
	job_end(&l->list);
	list_begin(l);
}

/* One character, in all its bytes. */
static void erase_last(char *text)
{
	size_t len = strlen(text);

	while (len > 0 && ((unsigned char)text[--len] & 0xc0) == 0x80)
		;
	text[len] = '\0';
}

static void key_in_filter(struct live *l, int key)
{
	size_t len = strlen(l->typed);

	switch (key) {
	case SCREEN_ENTER:
		take_filter(l);
		break;
	case SCREEN_ESCAPE:
		l->mode = ROWS;
		break;
	case SCREEN_BACKSPACE:
		erase_last(l->typed);
		break;
	case 'U' - '@': /* Ctrl-U, as shells have it */
		*l->typed = '\0';
		break;
	default:
		if (key >= ' ' && key < 256 && len + 1 < sizeof(l->typed)) {
			l->typed[len] = (char)key;
			l->typed[len + 1] = '\0';
		}
	}
}

static void key_in_question(struct live *l, int key)
{
	l->mode = l->back;
	if (key == 'y')
		abort_ask(l);
	else
		say(l, "not cut");
}

static void on_key(struct live *l, int key)
{
	l->changed = true;
	if (key == SCREEN_OTHER)
		return;
	*l->said = '\0';
	if (l->mode == FILTER) {
		key_in_filter(l, key);
	} else if (l->mode == CONFIRM) {
		key_in_question(l, key);
	} else if (key == 'q') {
		l->quit = true;
	} else if (l->mode == HELP) {
		l->mode = l->back;
	} else if (key == '?' || key == 'h') {
		help(l);
	} else if (key == ' ') {
		pause_or_go_on(l);
	} else if (l->mode == DETAIL) {
		key_in_detail(l, key);
	} else {
		key_in_rows(l, key);
	}
}

/* --- what is to be seen --- */

static void write_title(const struct live *l, char *title, size_t size)
{
	const struct top_sums *sums = top_sums(l->top);
	__u64 interval = samples_interval_ns(l->samples);
	char opened[TOP_TEXT], sent[TOP_TEXT], received[TOP_TEXT];
	__u64 every = l->took_ms * SHARE > l->delay_ms ? l->took_ms * SHARE : l->delay_ms;
	int n = snprintf(title, size, "flowner top by %s: %zu flows",
			 top_group_text(top_group(l->top)), sums->flows);

	if (interval)
		n += snprintf(title + n, size - (size_t)n, ", %s opened/s",
			      top_rate(sums->opened, interval, opened));
	if (interval && sums->measured)
		n += snprintf(title + n, size - (size_t)n, ", sent %s, received %s B/s",
			      top_rate(sums->since.bytes_sent, interval, sent),
			      top_rate(sums->since.bytes_received, interval, received));
	if (l->paused)
		snprintf(title + n, size - (size_t)n, " - PAUSED");
	else
		snprintf(title + n, size - (size_t)n, " - %.*gs", every < 10000 ? 2 : 4,
			 (double)(every < 10000 ? every : every / 1000 * 1000) / 1000);
}

static void write_subtitle(const struct live *l, char *text, size_t size)
{
	const char *of = top_entered(l->top);
	bool filtered = l->filter && *l->filter;

	snprintf(text, size, "%s%s%s%s%s", of ? "flows of " : "", of ? of : "",
		 of && filtered ? "; " : "", filtered ? "filter: " : "", filtered ? l->filter : "");
}

static void write_question(const struct live *l, char *text, size_t size)
{
	const struct fl_flow *f = &l->doomed;
	char id[FLOW_ID_TEXT], local[RECORD_TEXT], remote[RECORD_TEXT];

	snprintf(text, size, "abort %s, %s %s - %s of %.*s, pid %u? y/n", flow_id_format(f->id, id),
		 proto_text(f->key.proto),
		 record_end(&l->view, &f->key.local, f->key.local_port, f->key.proto, local),
		 record_end(&l->view, &f->key.remote, f->key.remote_port, f->key.proto, remote),
		 FL_COMM_LEN, f->owner.comm, f->owner.proc.pid);
}

static void draw(struct live *l)
{
	char title[LINE_TEXT], subtitle[2 * LINE_TEXT], bottom[LINE_TEXT + 16];
	_free_ char *detail = NULL;
	struct screen_page page = { .title = title,
				    .subtitle = subtitle,
				    .top = l->top,
				    .text = "",
				    .text_first = l->detail_first,
				    .header = !l->options->no_header,
				    .bottom = bottom };
	enum mode below = l->mode == CONFIRM ? l->back : l->mode;

	write_title(l, title, sizeof(title));
	write_subtitle(l, subtitle, sizeof(subtitle));
	page.alert = *l->said || *l->why;
	snprintf(bottom, sizeof(bottom), "%s",
		 *l->said  ? l->said
		 : *l->why ? l->why
			   : keys_text[below < FILTER ? below : ROWS]);
	if (l->mode == CONFIRM) {
		write_question(l, bottom, sizeof(bottom));
		page.alert = true;
	} else if (l->mode == FILTER) {
		/* what is wrong with it is said where it came from */
		if (*l->said)
			snprintf(subtitle, sizeof(subtitle), "%s", l->said);
		snprintf(bottom, sizeof(bottom), "filter: %s", l->typed);
		page.prompt = true;
	}
	if (below == DETAIL || below == HELP)
		page.top = NULL;
	if (below == HELP)
		page.text = help_text;
	if (below == DETAIL) {
		record_view_init(&l->view, l->options->numeric, l->view.services);
		detail = topdetail_text(&l->detail, &l->view, clock_ns(CLOCK_BOOTTIME));
		page.text = detail ? detail : "";
	}
	screen_draw(&page);
	l->detail_first = page.text_first;
	l->changed = false;
}

/* --- the loop --- */

static int wait_ms(const struct live *l)
{
	__u64 now = now_ms(), left = l->next_ms > now ? l->next_ms - now : 0;
	bool asking = job_fd(&l->list) >= 0;

	if (asking || l->paused || left > 1000)
		left = 1000;
	return (int)left;
}

/* Signals come in here and nowhere else: what they are to end is never missed. */
static void turn(struct live *l, const sigset_t *open)
{
	struct pollfd p[] = {
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = job_fd(&l->list), .events = POLLIN },
		{ .fd = job_fd(&l->other), .events = POLLIN },
	};
	int wait = wait_ms(l), n, key, r;
	struct timespec ts = { .tv_sec = wait / 1000, .tv_nsec = wait % 1000 * 1000000L };

	n = ppoll(p, sizeof(p) / sizeof(p[0]), &ts, open);
	if (n > 0 && p[0].revents & (POLLHUP | POLLERR | POLLNVAL))
		l->quit = true;
	r = job_take(&l->list, n > 0 && p[1].revents);
	if (r != -EAGAIN)
		list_end(l, r);
	r = job_take(&l->other, n > 0 && p[2].revents);
	if (r != -EAGAIN)
		other_end(l, r);
	while (!l->quit && (key = screen_key()) != SCREEN_NONE)
		on_key(l, key);
	if (!l->paused && job_fd(&l->list) < 0 && now_ms() >= l->next_ms)
		list_begin(l);
	if (l->mode == DETAIL && l->detail_due && now_ms() >= l->detail_next_ms)
		detail_ask(l);
}

static void block_signals(sigset_t *ret_open)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	struct sigaction action = { .sa_handler = on_signal };
	sigset_t closed;

	sigemptyset(&closed);
	sigaddset(&closed, SIGWINCH);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		sigaddset(&closed, numbers[i]);
		sigaction(numbers[i], &action, NULL);
	}
	sigprocmask(SIG_BLOCK, &closed, ret_open);
}

static int show(struct live *l)
{
	sigset_t open;
	int r;

	block_signals(&open);
	r = screen_open();
	if (r < 0) {
		const char *term = getenv("TERM");

		command_error("cannot use the terminal '%s': it is not known here, or cannot move "
			      "its cursor; try TERM=xterm",
			      term ? term : "");
		return EXIT_REFUSED;
	}
	l->changed = true;
	while (!l->quit && !ended) {
		if (l->changed)
			draw(l);
		turn(l, &open);
	}
	screen_close();
	return EXIT_FOUND;
}

/* --- the beginning --- */

static int on_first(const char *data, size_t len, void *arg)
{
	struct live *l = arg;

	return intake_feed(&l->list.intake, data, len) ? LINE_FAILED : LINE_MORE;
}

/* The first look is waited for: what is wrong is said in a line, as by every command. */
static int first_look(struct live *l)
{
	__u64 began = now_ms();
	_free_ char *query = NULL;
	int code;

	intake_init(&l->list.intake, on_flow, l);
	samples_begin(l->samples, clock_ns(CLOCK_BOOTTIME));
	if (list_query(l, 0, &query) < 0) {
		command_error("cannot look at the flows: %s", strerror(ENOMEM));
		return EXIT_REFUSED;
	}
	code = command_ask_records(l->options, "/v1/flows", query, on_first, l);
	if (code != EXIT_FOUND)
		return code;
	samples_end(l->samples);
	rows_again(l);
	l->took_ms = now_ms() - began;
	l->next_ms = now_ms() + (l->delay_ms < 1000 ? l->delay_ms : 1000); /* for first rates */
	return EXIT_FOUND;
}

static int read_delay(const struct options *o, __u64 *ret_ms)
{
	const char *text = options_own(o, "delay");
	double seconds;
	char *end;

	*ret_ms = DELAY_DEFAULT_MS;
	if (!text)
		return EXIT_FOUND;
	seconds = strtod(text, &end);
	if (!*text || *end || !isfinite(seconds) || seconds < 0.1 || seconds > 3600)
		return command_usage("top", "--delay needs seconds, 0.1 to 3600");
	*ret_ms = (__u64)(seconds * 1000);
	return EXIT_FOUND;
}

static void live_release(struct live *l)
{
	job_end(&l->list);
	job_end(&l->other);
	topdetail_release(&l->detail);
	top_free(l->top);
	samples_free(l->samples);
	users_free(l->users);
	free(l->query);
	free(l->old_query);
	free(l->filter);
}

static int run_top(struct options *o)
{
	_cleanup_(live_release) struct live l = { .options = o };
	struct top_words words = { user_name, &l, options_own(o, "services") != NULL };
	int code = read_delay(o, &l.delay_ms);

	if (code != EXIT_FOUND)
		return code;
	if (o->json)
		return command_usage("top", "what it shows is for people, 'list' and 'watch' "
					    "have --json");
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return command_usage("top", "it needs a terminal, which 'list' does not");
	record_view_init(&l.view, o->numeric, words.services);
	l.query = o->query ? strdup(o->query) : NULL;
	l.filter = filterline_format(o->query);
	if ((o->query && !l.query) || !l.filter || samples_new(&l.samples) < 0 ||
	    top_new(&words, &l.top) < 0) {
		command_error("cannot look at the flows: %s", strerror(ENOMEM));
		return EXIT_REFUSED;
	}
	code = first_look(&l);
	return code == EXIT_FOUND ? show(&l) : code;
}

static const struct filter_field own_options[] = {
	{ .name = "delay", .letter = 'd', .value = "SECONDS", .help = "between two looks; 2" },
	OPTION_SERVICES,
	{ .name = NULL },
};

/* It shows what is now. */
static const char *const no_filters[] = { "since", "until", "closed", "all", NULL };

static const char *const no_globals[] = { "json", NULL };

const struct command command_top = {
	.name = "top",
	.arguments = "[ADDR[/LEN][:PORT]...]",
	.help = "Show who talks with whom, and how much, live: by process, user, remote, flow.",
	.options = own_options,
	.filters = true,
	.no_filters = no_filters,
	.no_globals = no_globals,
	.max_args = -1,
	.run = run_top,
};
