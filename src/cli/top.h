/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rows of `flowner top`: flows of samples.h put together by process, user or remote address, or
 * one by one; sorted, one of them selected, a part of them in sight. Pure: what a key does is
 * tested without a terminal. Texts of cells are as processes chose them: printable.h before a
 * terminal.
 */
#ifndef FLOWNER_TOP_H
#define FLOWNER_TOP_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/samples.h"
#include "cli/table.h"

#define TOP_TEXT 96 /* room for a cell */

enum top_group {
	TOP_BY_PROCESS,
	TOP_BY_USER,
	TOP_BY_REMOTE,
	TOP_BY_FLOW,
	TOP_GROUPS,
};

enum top_field {
	TOP_PROTO,
	TOP_STATE,
	TOP_LOCAL,
	TOP_REMOTE,
	TOP_PID,
	TOP_USER,
	TOP_FLOWS,
	TOP_OPENED,
	TOP_SENT,
	TOP_RECEIVED,
	TOP_PACKETS_SENT,
	TOP_PACKETS_RECEIVED,
	TOP_AGE,
	TOP_FLOW_ID,
	TOP_COMM,
};

struct top_column {
	enum top_field field;
	struct column column;
	size_t width; /* that is enough for most */
	bool right;   /* numbers */
	bool grows;   /* takes what the others leave */
};

struct top_sums {
	size_t flows;  /* that live */
	size_t opened; /* since the last sample but this */
	struct fl_counts since;
	bool measured; /* of SINCE, for one flow at least */
};

/* What the rows of one group have in common; the id of a flow. */
struct top_key {
	__u64 high, low;
};

struct top_row {
	struct top_key key;
	struct sampled_flow of; /* the flow, or the one of the group that was seen last */
	const char *user;	/* lives as long as the naming says */
	struct top_sums sums;
};

/* How cells are written. */
struct top_words {
	const char *(*user)(__u32 uid, void *arg); /* lives longer than the rows; NULL: no name */
	void *arg;
	bool services; /* their names instead of ports */
};

struct top;

int top_new(const struct top_words *words, struct top **ret_top); /* -ENOMEM */
void top_free(struct top *t);

/* Rows anew, of the last sample. The selected one stays if it is there. -ENOMEM: as before. */
int top_refresh(struct top *t, const struct samples *s);

enum top_group top_group(const struct top *t);
const char *top_group_text(enum top_group group); /* "process" */

/*
 * Each needs a top_refresh(). GROUP anew, with all there is; or only the flows of the selected
 * row, and back to where that was (false: we are there).
 */
void top_set_group(struct top *t, enum top_group group);
bool top_enter(struct top *t);
bool top_leave(struct top *t);
const char *top_entered(const struct top *t); /* whose flows these are; NULL: everybody's */

/* The columns of this group. */
const struct top_column *top_columns(const struct top *t, size_t *ret_count);

/* WIDTH columns shared out to RET_WIDTHS, 0 = left out. */
#define TOP_COLUMNS_MAX 16
void top_widths(const struct top *t, size_t width, size_t ret_widths[TOP_COLUMNS_MAX]);

/* Which column they are sorted by; the next one to the right, or left, of those with a width. */
size_t top_sorted_by(const struct top *t);
void top_sort_next(struct top *t, int step, const size_t widths[TOP_COLUMNS_MAX]);
bool top_reversed(const struct top *t);
void top_reverse(struct top *t);

size_t top_count(const struct top *t);
const struct top_row *top_row(const struct top *t, size_t i);
const struct top_sums *top_sums(const struct top *t);

/* The one that keys act on; NULL when there are no rows. */
const struct top_row *top_selected(const struct top *t);
size_t top_selected_at(const struct top *t);
void top_move(struct top *t, long by); /* stops at both ends */

/* The first row in sight of VISIBLE, with the selected one among them. */
size_t top_first(struct top *t, size_t visible);

/* In BUF of TOP_TEXT bytes, or as long as the row lives; NULL = not known, not measured. */
const char *top_cell(const struct top *t, const struct top_row *row, enum top_field field,
		     char *buf);

/* COUNT in INTERVAL_NS as "0.2", "17", "1.2k", "33M" a second: k is a thousand. */
const char *top_rate(__u64 count, __u64 interval_ns, char *buf);

#endif
