/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rows of text under headed columns, sorted, fitted to a width. What does not fit is cut with an
 * ellipsis in the column that matters least, then columns are left out; what must not be cut
 * (addresses, ids: half of one is a wrong answer) makes the line longer than the terminal.
 */
#ifndef FLOWNER_TABLE_H
#define FLOWNER_TABLE_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct column {
	const char *title;
	unsigned int cut;   /* 1 is cut first, 0 never */
	unsigned int least; /* columns that stay when it is cut */
	unsigned int drop;  /* 1 is left out first, when all cutting did not help; 0 never */
};

struct table;

/* COLUMNS is kept, not copied. -ENOMEM. */
int table_new(const struct column *columns, size_t count, struct table **ret_table);
void table_free(struct table *t);

/* Copies CELLS, one each column, made safe to show; NULL shows as "-". -ENOMEM. */
int table_add(struct table *t, __s64 order, __u64 tie, const char *const *cells);

size_t table_rows(const struct table *t);

/* By ORDER, then by TIE, ascending. */
void table_sort(struct table *t);

/* WIDTH in columns, 0 = no limit. Write errors are left to OUT. */
void table_print(const struct table *t, FILE *out, size_t width, bool header);

/*
 * The NATURAL widths of COUNT columns made to fit into WIDTH, 0 = left out. Returns the width of
 * the line, with a space between columns.
 */
size_t table_fit(const struct column *columns, size_t count, size_t width, const size_t *natural,
		 size_t *ret_widths);

/* Columns of the terminal behind FD: asked, else $COLUMNS, else 80; 0 when it is none. */
size_t table_width(int fd);

/* TEXT, made safe, padded or not to WIDTH columns and never cut: for lines that cannot wait. */
void table_put(FILE *out, const char *text, size_t width);
void table_put_cut(FILE *out, const char *text, size_t width); /* but what is longer is cut */

#endif
