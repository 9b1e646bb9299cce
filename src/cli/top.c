/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A group has a table of columns. Rows are made anew for each sample: a hash of keys to places
 * while they are put together, sorted afterwards. Where the eye is, the selected row, is kept by
 * its key once somebody has moved it; until then it is the first one.
 */
#include "cli/top.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/address.h"
#include "text/cleanup.h"
#include "flow/flowtext.h"
#include "text/places.h"
#include "cli/record.h"
#include "text/services.h"

#define FIRST_ROOM 64
#define ENTERED_TEXT 64

/* --- columns --- */

#define TEXT_COLUMN(field, title, width, ...)                                                      \
	{                                                                                          \
		field, { title, __VA_ARGS__ }, width, false, false                                 \
	}
#define GROWING_COLUMN(field, title, width, ...)                                                   \
	{                                                                                          \
		field, { title, __VA_ARGS__ }, width, false, true                                  \
	}
#define NUMBER_COLUMN(field, title, width, drop)                                                   \
	{                                                                                          \
		field, { title, 0, 0, drop }, width, true, false                                   \
	}
#define SUMS                                                                                       \
	NUMBER_COLUMN(TOP_FLOWS, "FLOWS", 6, 0), NUMBER_COLUMN(TOP_OPENED, "OPEN/s", 6, 3),        \
		NUMBER_COLUMN(TOP_SENT, "SENT B/s", 8, 0),                                         \
		NUMBER_COLUMN(TOP_RECEIVED, "RECV B/s", 8, 0),                                     \
		NUMBER_COLUMN(TOP_PACKETS_SENT, "SENT P/s", 8, 2),                                 \
		NUMBER_COLUMN(TOP_PACKETS_RECEIVED, "RECV P/s", 8, 1)

static const struct top_column by_process[] = {
	NUMBER_COLUMN(TOP_PID, "PID", 7, 0),
	TEXT_COLUMN(TOP_USER, "USER", 8, 2, 6, 4),
	SUMS,
	GROWING_COLUMN(TOP_COMM, "COMM", 15, 1, 7, 0),
};

static const struct top_column by_user[] = {
	GROWING_COLUMN(TOP_USER, "USER", 12, 1, 8, 0),
	SUMS,
};

static const struct top_column by_remote[] = {
	GROWING_COLUMN(TOP_REMOTE, "REMOTE", 39, 1, 15, 0),
	SUMS,
};

static const struct top_column by_flow[] = {
	TEXT_COLUMN(TOP_PROTO, "PROTO", 5, 0, 0, 8),
	TEXT_COLUMN(TOP_STATE, "STATE", 11, 0, 0, 6),
	GROWING_COLUMN(TOP_LOCAL, "LOCAL", 19, 3, 15, 0),
	GROWING_COLUMN(TOP_REMOTE, "REMOTE", 20, 2, 15, 0),
	NUMBER_COLUMN(TOP_PID, "PID", 7, 0),
	TEXT_COLUMN(TOP_USER, "USER", 8, 0, 0, 5),
	TEXT_COLUMN(TOP_COMM, "COMM", 15, 1, 6, 11),
	NUMBER_COLUMN(TOP_SENT, "SENT B/s", 8, 9),
	NUMBER_COLUMN(TOP_RECEIVED, "RECV B/s", 8, 10),
	NUMBER_COLUMN(TOP_PACKETS_SENT, "SENT P/s", 8, 2),
	NUMBER_COLUMN(TOP_PACKETS_RECEIVED, "RECV P/s", 8, 1),
	NUMBER_COLUMN(TOP_AGE, "AGE", 4, 4),
	TEXT_COLUMN(TOP_FLOW_ID, "FLOW_ID", 16, 0, 0, 3),
};

static const struct group {
	const char *name;
	const struct top_column *columns;
	size_t count;
	size_t sorted_by; /* at first: what comes in */
} groups[TOP_GROUPS] = {
	[TOP_BY_PROCESS] = { "process", by_process, sizeof(by_process) / sizeof(*by_process), 5 },
	[TOP_BY_USER] = { "user", by_user, sizeof(by_user) / sizeof(*by_user), 4 },
	[TOP_BY_REMOTE] = { "remote", by_remote, sizeof(by_remote) / sizeof(*by_remote), 4 },
	[TOP_BY_FLOW] = { "flow", by_flow, sizeof(by_flow) / sizeof(*by_flow), 8 },
};

/* --- the rows --- */

struct order {
	size_t column;
	bool reversed;
};

struct top {
	struct top_words words;
	enum top_group group;
	struct order orders[TOP_GROUPS];
	struct top_row *rows;
	size_t count;
	__u64 time_ns, interval_ns; /* of the sample they are of */
	struct top_sums sums;

	size_t selected, first;
	bool moved; /* somebody has chosen SELECTED: it is KEPT that counts, not the place */
	struct top_key kept;

	bool narrow; /* only flows of INTO, a key of the group FROM */
	enum top_group from;
	struct top_key into;
	char entered[ENTERED_TEXT];
};

int top_new(const struct top_words *words, struct top **ret_top)
{
	struct top *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->words = *words;
	for (size_t i = 0; i < TOP_GROUPS; i++)
		t->orders[i].column = groups[i].sorted_by;
	*ret_top = t;
	return 0;
}

void top_free(struct top *t)
{
	if (!t)
		return;
	free(t->rows);
	free(t);
}

static struct top_key key_of(enum top_group group, const struct fl_flow *flow)
{
	struct top_key key = { 0, 0 };

	switch (group) {
	case TOP_BY_PROCESS:
		return (struct top_key){ flow->owner.proc.start_ns, flow->owner.proc.pid };
	case TOP_BY_USER: /* who is not known is not root */
		return (struct top_key){ !flow->owner.proc.pid, flow->owner.uid };
	case TOP_BY_REMOTE:
		memcpy(&key.high, flow->key.remote.b, sizeof(key.high));
		memcpy(&key.low, flow->key.remote.b + sizeof(key.high), sizeof(key.low));
		return key;
	case TOP_BY_FLOW:
	case TOP_GROUPS:
		break;
	}
	key.low = flow->id;
	return key;
}

static bool same_key(struct top_key a, struct top_key b)
{
	return a.high == b.high && a.low == b.low;
}

static void add_counts(struct fl_counts *sum, const struct fl_counts *c)
{
	sum->bytes_sent += c->bytes_sent;
	sum->bytes_received += c->bytes_received;
	sum->packets_sent += c->packets_sent;
	sum->packets_received += c->packets_received;
}

/* What ended is counted for what went through it, and no more as a flow. */
static void add_sums(struct top_sums *sums, const struct sampled_flow *f)
{
	sums->flows += !f->flow.ended_ns;
	sums->opened += f->opened && f->flow.key.remote_port;
	sums->measured |= f->measured;
	if (f->measured)
		add_counts(&sums->since, &f->since);
}

struct making {
	struct top_row *rows;
	size_t count, room;
	struct places by_key;
};

static __u64 hash_of(struct top_key key)
{
	return (key.high ^ (key.low * 0x9e3779b97f4a7c15ULL)) * 0xc2b2ae3d27d4eb4fULL;
}

static bool is_of(const void *rows, size_t place, const void *key)
{
	return same_key(((const struct top_row *)rows)[place].key, *(const struct top_key *)key);
}

static int add_row(struct making *m, const struct top_row *row)
{
	size_t room = m->room ? 2 * m->room : FIRST_ROOM;
	struct top_row *rows;
	int r;

	if (m->count == m->room) {
		rows = reallocarray(m->rows, room, sizeof(*rows));
		if (!rows)
			return -ENOMEM;
		m->rows = rows;
		m->room = room;
	}
	r = places_add(&m->by_key, hash_of(row->key), m->count);
	if (!r)
		m->rows[m->count++] = *row;
	return r;
}

/* F into the row of its group: the one that was seen last names it. */
static int make_row(struct making *m, enum top_group group, const struct sampled_flow *f)
{
	struct top_row row = { .key = key_of(group, &f->flow), .of = *f };
	size_t at = places_find(&m->by_key, hash_of(row.key), is_of, m->rows, &row.key);

	if (at == PLACES_NONE) {
		int r = add_row(m, &row);

		if (r < 0)
			return r;
		at = m->count - 1;
	}
	if (f->flow.seen_ns > m->rows[at].of.flow.seen_ns)
		m->rows[at].of = *f;
	add_sums(&m->rows[at].sums, f);
	return 0;
}

static void name_users(const struct top *t, struct making *m)
{
	for (size_t i = 0; i < m->count; i++) {
		const struct fl_owner *owner = &m->rows[i].of.flow.owner;

		if (owner->proc.pid)
			m->rows[i].user = t->words.user(owner->uid, t->words.arg);
	}
}

static bool is_in(const struct top *t, const struct sampled_flow *f)
{
	if (f->past)
		return false;
	return !t->narrow || same_key(key_of(t->from, &f->flow), t->into);
}

/* --- the order --- */

static __u64 number_of(const struct top_row *row, enum top_field field)
{
	const struct top_sums *s = &row->sums;

	switch (field) {
	case TOP_PID:
		return row->of.flow.owner.proc.pid;
	case TOP_FLOWS:
		return s->flows;
	case TOP_OPENED:
		return s->opened;
	/* one that was measured and still is before one that was not */
	case TOP_SENT:
		return s->since.bytes_sent + s->measured;
	case TOP_RECEIVED:
		return s->since.bytes_received + s->measured;
	case TOP_PACKETS_SENT:
		return s->since.packets_sent + s->measured;
	case TOP_PACKETS_RECEIVED:
		return s->since.packets_received + s->measured;
	case TOP_AGE: /* the oldest is the largest; of no known age, the smallest */
		return row->of.flow.opened_ns ? UINT64_MAX - row->of.flow.opened_ns : 0;
	case TOP_FLOW_ID:
		return row->of.flow.id;
	case TOP_PROTO:
	case TOP_STATE:
	case TOP_LOCAL:
	case TOP_REMOTE:
	case TOP_USER:
	case TOP_COMM:
		break;
	}
	return 0;
}

static int compare_numbers(__u64 a, __u64 b)
{
	return a < b ? -1 : a > b;
}

static int compare_ends(const struct fl_addr *a, __u16 a_port, const struct fl_addr *b,
			__u16 b_port)
{
	int r = memcmp(a, b, sizeof(*a));

	return r ? r : compare_numbers(a_port, b_port);
}

static int compare_users(const struct top_row *a, const struct top_row *b)
{
	if (a->user && b->user)
		return strcmp(a->user, b->user);
	if (a->user || b->user)
		return a->user ? -1 : 1;
	return compare_numbers(a->of.flow.owner.uid, b->of.flow.owner.uid);
}

static int compare_words(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "");
}

static const char *state_of(const struct fl_flow *flow)
{
	const char *reason = reason_text(flow->reason);

	if (!flow->ended_ns)
		return state_text(flow->state);
	return reason ? reason : "closed";
}

/* Texts rise, numbers fall. */
static int compare_field(const struct top_row *a, const struct top_row *b, enum top_field field)
{
	const struct fl_flow *x = &a->of.flow, *y = &b->of.flow;

	switch (field) {
	case TOP_PROTO:
		return compare_numbers(x->key.proto, y->key.proto);
	case TOP_STATE:
		return compare_words(state_of(x), state_of(y));
	case TOP_LOCAL:
		return compare_ends(&x->key.local, x->key.local_port, &y->key.local,
				    y->key.local_port);
	case TOP_REMOTE:
		return compare_ends(&x->key.remote, x->key.remote_port, &y->key.remote,
				    y->key.remote_port);
	case TOP_USER:
		return compare_users(a, b);
	case TOP_COMM:
		return strncmp(x->owner.comm, y->owner.comm, FL_COMM_LEN);
	case TOP_PID:
		return compare_numbers(number_of(a, field), number_of(b, field));
	case TOP_FLOWS:
	case TOP_OPENED:
	case TOP_SENT:
	case TOP_RECEIVED:
	case TOP_PACKETS_SENT:
	case TOP_PACKETS_RECEIVED:
	case TOP_AGE:
	case TOP_FLOW_ID:
		break;
	}
	return compare_numbers(number_of(b, field), number_of(a, field));
}

static __u64 all_bytes(const struct top_row *row)
{
	return row->sums.since.bytes_sent + row->sums.since.bytes_received;
}

/* Rows that are equal have an order of their own, or they would dance. */
static int compare_rest(const struct top_row *a, const struct top_row *b)
{
	int r = compare_numbers(all_bytes(b), all_bytes(a));

	if (!r)
		r = compare_numbers(b->sums.flows, a->sums.flows);
	if (!r)
		r = compare_numbers(a->key.high, b->key.high);
	return r ? r : compare_numbers(a->key.low, b->key.low);
}

static int compare_rows(const void *a, const void *b, void *arg)
{
	const struct top *t = arg;
	const struct order *order = &t->orders[t->group];
	int r = compare_field(a, b, groups[t->group].columns[order->column].field);

	if (r)
		return order->reversed ? -r : r;
	return compare_rest(a, b);
}

/* --- anew --- */

/* Where the eye was; when that row has gone, at what has taken its place. */
static void keep_selected(struct top *t)
{
	if (!t->moved)
		t->selected = 0;
	for (size_t i = 0; t->moved && i < t->count; i++) {
		if (same_key(t->rows[i].key, t->kept)) {
			t->selected = i;
			return;
		}
	}
	if (t->selected >= t->count)
		t->selected = t->count ? t->count - 1 : 0;
	if (t->count)
		t->kept = t->rows[t->selected].key;
}

int top_refresh(struct top *t, const struct samples *s)
{
	struct making m = { 0 };
	struct top_sums sums = { 0 };
	int r = 0;

	for (size_t i = 0; i < samples_count(s) && r == 0; i++) {
		const struct sampled_flow *f = samples_at(s, i);

		if (!is_in(t, f))
			continue;
		add_sums(&sums, f);
		r = make_row(&m, t->group, f);
	}
	places_release(&m.by_key);
	if (r < 0) {
		free(m.rows);
		return r;
	}
	name_users(t, &m);
	free(t->rows);
	t->rows = m.rows;
	t->count = m.count;
	t->sums = sums;
	t->time_ns = samples_time_ns(s);
	t->interval_ns = samples_interval_ns(s);
	if (t->count > 1)
		qsort_r(t->rows, t->count, sizeof(*t->rows), compare_rows, t);
	keep_selected(t);
	return 0;
}

/* --- groups --- */

enum top_group top_group(const struct top *t)
{
	return t->group;
}

const char *top_group_text(enum top_group group)
{
	return groups[group].name;
}

static void change_group(struct top *t, enum top_group group)
{
	t->group = group;
	t->selected = t->first = 0;
	t->moved = false;
}

void top_set_group(struct top *t, enum top_group group)
{
	t->narrow = false;
	change_group(t, group);
}

static void name_entered(struct top *t, const struct top_row *row)
{
	const struct fl_owner *owner = &row->of.flow.owner;
	char buf[TOP_TEXT];
	const char *text;

	if (t->from == TOP_BY_PROCESS && owner->proc.pid) {
		snprintf(t->entered, sizeof(t->entered), "%.*s, pid %u", FL_COMM_LEN, owner->comm,
			 owner->proc.pid);
		return;
	}
	text = top_cell(t, row, t->from == TOP_BY_REMOTE ? TOP_REMOTE : TOP_USER, buf);
	snprintf(t->entered, sizeof(t->entered), "%s %s", groups[t->from].name,
		 text ? text : "not known");
}

bool top_enter(struct top *t)
{
	const struct top_row *row = top_selected(t);

	if (!row || t->group == TOP_BY_FLOW)
		return false;
	t->narrow = true;
	t->from = t->group;
	t->into = row->key;
	name_entered(t, row);
	change_group(t, TOP_BY_FLOW);
	return true;
}

bool top_leave(struct top *t)
{
	if (!t->narrow)
		return false;
	t->narrow = false;
	change_group(t, t->from);
	t->moved = true;
	t->kept = t->into;
	return true;
}

const char *top_entered(const struct top *t)
{
	return t->narrow ? t->entered : NULL;
}

/* --- columns in sight --- */

const struct top_column *top_columns(const struct top *t, size_t *ret_count)
{
	*ret_count = groups[t->group].count;
	return groups[t->group].columns;
}

static void share_rest(const struct top_column *columns, size_t count, size_t rest, size_t *widths)
{
	size_t growing = 0;

	for (size_t i = 0; i < count; i++)
		growing += columns[i].grows && widths[i];
	for (size_t i = 0; i < count; i++) {
		if (!columns[i].grows || !widths[i])
			continue;
		widths[i] += rest / growing;
		rest -= rest / growing--;
	}
}

void top_widths(const struct top *t, size_t width, size_t ret_widths[TOP_COLUMNS_MAX])
{
	const struct group *g = &groups[t->group];
	struct column columns[TOP_COLUMNS_MAX] = { { 0 } };
	size_t natural[TOP_COLUMNS_MAX] = { 0 };
	size_t used;

	for (size_t i = 0; i < g->count; i++) {
		columns[i] = g->columns[i].column;
		natural[i] = g->columns[i].width;
	}
	used = table_fit(columns, g->count, width, natural, ret_widths);
	if (used < width)
		share_rest(g->columns, g->count, width - used, ret_widths);
}

size_t top_sorted_by(const struct top *t)
{
	return t->orders[t->group].column;
}

void top_sort_next(struct top *t, int step, const size_t widths[TOP_COLUMNS_MAX])
{
	size_t count = groups[t->group].count;
	struct order *order = &t->orders[t->group];
	size_t at = order->column;

	do {
		at = (at + count + (step > 0 ? 1 : count - 1)) % count;
	} while (!widths[at] && at != order->column);
	order->column = at;
	order->reversed = false;
}

bool top_reversed(const struct top *t)
{
	return t->orders[t->group].reversed;
}

void top_reverse(struct top *t)
{
	t->orders[t->group].reversed = !t->orders[t->group].reversed;
}

/* --- rows in sight --- */

size_t top_count(const struct top *t)
{
	return t->count;
}

const struct top_row *top_row(const struct top *t, size_t i)
{
	return &t->rows[i];
}

const struct top_sums *top_sums(const struct top *t)
{
	return &t->sums;
}

const struct top_row *top_selected(const struct top *t)
{
	return t->count ? &t->rows[t->selected] : NULL;
}

size_t top_selected_at(const struct top *t)
{
	return t->selected;
}

void top_move(struct top *t, long by)
{
	size_t last = t->count ? t->count - 1 : 0;
	size_t far = (size_t)(by < 0 ? -by : by);

	if (by < 0)
		t->selected -= far < t->selected ? far : t->selected;
	else
		t->selected = far < last - t->selected ? t->selected + far : last;
	t->moved = t->selected > 0;
	if (t->count)
		t->kept = t->rows[t->selected].key;
}

size_t top_first(struct top *t, size_t visible)
{
	if (visible == 0)
		return t->selected;
	if (t->first > t->selected)
		t->first = t->selected;
	if (t->selected - t->first >= visible)
		t->first = t->selected - visible + 1;
	if (t->count <= visible)
		t->first = 0;
	else if (t->first > t->count - visible)
		t->first = t->count - visible;
	return t->first;
}

/* --- cells --- */

const char *top_rate(__u64 count, __u64 interval_ns, char *buf)
{
	static const char units[] = " kMGTPE";
	double rate = (double)count * 1e9 / (double)interval_ns;
	size_t unit = 0;

	for (; rate >= 999.5 && units[unit + 1]; unit++)
		rate /= 1000;
	snprintf(buf, TOP_TEXT, "%.*f%.*s", rate > 0 && rate < 9.95 ? 1 : 0, rate, unit > 0,
		 &units[unit]);
	return buf;
}

static const char *rate_cell(const struct top *t, bool known, __u64 count, char *buf)
{
	return known && t->interval_ns ? top_rate(count, t->interval_ns, buf) : NULL;
}

static const char *number_cell(__u64 number, const char *after, char *buf)
{
	snprintf(buf, TOP_TEXT, "%llu%s", (unsigned long long)number, after);
	return buf;
}

static const char *user_cell(const struct top_row *row, char *buf)
{
	const struct fl_owner *owner = &row->of.flow.owner;

	if (!owner->proc.pid || row->user)
		return row->user;
	return number_cell(owner->uid, "", buf);
}

/* The age of a process or user is none of a flow. A flow that ended has the age it came to. */
static const char *age_cell(const struct top *t, const struct fl_flow *flow, char *buf)
{
	__u64 now = flow->ended_ns ? flow->ended_ns : t->time_ns;
	__u64 began = flow->opened_ns ? flow->opened_ns : flow->seen_ns;

	*buf = '>';
	if (!began)
		return NULL;
	record_duration(now > began ? now - began : 0, flow->opened_ns ? buf : buf + 1);
	return buf;
}

static const char *end_cell(const struct top *t, const struct fl_flow *flow,
			    const struct fl_addr *addr, __u16 port, char *buf)
{
	if (t->words.services)
		return service_endpoint(addr, port, flow->key.proto, buf);
	return endpoint_format(addr, port, buf);
}

static const char *remote_cell(const struct top *t, const struct fl_flow *flow, char *buf)
{
	if (!flow->key.remote_port && address_is_any(&flow->key.remote))
		return "*";
	if (t->group != TOP_BY_FLOW)
		return address_format(&flow->key.remote, buf);
	return end_cell(t, flow, &flow->key.remote, flow->key.remote_port, buf);
}

static const char *pid_cell(const struct fl_flow *flow, bool alone, char *buf)
{
	bool interim = alone && flow->role == FL_ROLE_ACCEPTOR && !flow->accepted;

	if (!flow->owner.proc.pid)
		return NULL;
	return number_cell(flow->owner.proc.pid, interim ? "?" : "", buf);
}

static const char *comm_cell(const struct fl_flow *flow, char *buf)
{
	if (!*flow->owner.comm)
		return NULL;
	snprintf(buf, TOP_TEXT, "%.*s", FL_COMM_LEN, flow->owner.comm);
	return buf;
}

const char *top_cell(const struct top *t, const struct top_row *row, enum top_field field,
		     char *buf)
{
	const struct fl_flow *flow = &row->of.flow;
	const struct top_sums *s = &row->sums;

	switch (field) {
	case TOP_PROTO:
		return proto_text(flow->key.proto);
	case TOP_STATE:
		return state_of(flow);
	case TOP_LOCAL:
		return end_cell(t, flow, &flow->key.local, flow->key.local_port, buf);
	case TOP_REMOTE:
		return remote_cell(t, flow, buf);
	case TOP_PID:
		return pid_cell(flow, t->group == TOP_BY_FLOW, buf);
	case TOP_USER:
		return user_cell(row, buf);
	case TOP_FLOWS:
		return number_cell(s->flows, "", buf);
	case TOP_OPENED:
		return rate_cell(t, true, s->opened, buf);
	case TOP_SENT:
		return rate_cell(t, s->measured, s->since.bytes_sent, buf);
	case TOP_RECEIVED:
		return rate_cell(t, s->measured, s->since.bytes_received, buf);
	case TOP_PACKETS_SENT:
		return rate_cell(t, s->measured, s->since.packets_sent, buf);
	case TOP_PACKETS_RECEIVED:
		return rate_cell(t, s->measured, s->since.packets_received, buf);
	case TOP_AGE:
		return age_cell(t, flow, buf);
	case TOP_FLOW_ID:
		return flow_id_format(flow->id, buf);
	case TOP_COMM:
		return comm_cell(flow, buf);
	}
	return NULL;
}
