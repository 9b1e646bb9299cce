/* SPDX-License-Identifier: BSD-2-Clause */
/* A row is one allocation, its cells behind each other with their NULs: lists may be long. */
#include "cli/table.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "text/cleanup.h"
#include "text/printable.h"

#define ELLIPSIS "\xe2\x80\xa6" /* U+2026, one column */
#define WIDTH_UNKNOWN 80

struct row {
	__s64 order;
	__u64 tie;
	char *cells;
};

struct table {
	const struct column *columns;
	size_t count;
	struct row *rows;
	size_t used;
	size_t room;
};

int table_new(const struct column *columns, size_t count, struct table **ret_table)
{
	struct table *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->columns = columns;
	t->count = count;
	*ret_table = t;
	return 0;
}

void table_free(struct table *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->used; i++)
		free(t->rows[i].cells);
	free(t->rows);
	free(t);
}

size_t table_rows(const struct table *t)
{
	return t->used;
}

static int grow(struct table *t)
{
	size_t room = t->room ? 2 * t->room : 64;
	struct row *rows;

	if (t->used < t->room)
		return 0;
	rows = reallocarray(t->rows, room, sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	t->rows = rows;
	t->room = room;
	return 0;
}

static const char *or_dash(const char *cell)
{
	return cell && *cell ? cell : "-";
}

int table_add(struct table *t, __s64 order, __u64 tie, const char *const *cells)
{
	size_t bytes = 1; /* a table without columns is odd, not an error */
	char *copy, *end, *fitted;
	int r = grow(t);

	if (r < 0)
		return r;
	for (size_t i = 0; i < t->count; i++)
		bytes += PRINTABLE_ROOM(strlen(or_dash(cells[i])));
	copy = malloc(bytes);
	if (!copy)
		return -ENOMEM;
	end = copy;
	for (size_t i = 0; i < t->count; i++)
		end += printable(or_dash(cells[i]), end) + 1;
	fitted = realloc(copy, (size_t)(end - copy) + 1);
	t->rows[t->used++] = (struct row){ order, tie, fitted ? fitted : copy };
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->order != y->order)
		return x->order < y->order ? -1 : 1;
	return x->tie < y->tie ? -1 : x->tie > y->tie;
}

void table_sort(struct table *t)
{
	if (t->used > 1)
		qsort(t->rows, t->used, sizeof(*t->rows), compare);
}

size_t table_width(int fd)
{
	const char *columns = getenv("COLUMNS");
	struct winsize ws = { 0 };
	long n;

	if (!isatty(fd))
		return 0;
	if (ioctl(fd, TIOCGWINSZ, &ws) == 0 && ws.ws_col > 0)
		return ws.ws_col;
	n = columns ? strtol(columns, NULL, 10) : 0;
	return n > 0 && n < 100000 ? (size_t)n : WIDTH_UNKNOWN;
}

static void natural_widths(const struct table *t, bool header, size_t *widths)
{
	for (size_t i = 0; i < t->count; i++)
		widths[i] = header ? strlen(t->columns[i].title) : 1;
	for (size_t n = 0; n < t->used; n++) {
		const char *cell = t->rows[n].cells;

		for (size_t i = 0; i < t->count; i++) {
			size_t w = printable_columns(cell);

			if (w > widths[i])
				widths[i] = w;
			cell += strlen(cell) + 1;
		}
	}
}

/* Of the whole line; a width of 0 is a column left out, with its space. */
static size_t line_width(const size_t *widths, size_t count)
{
	size_t sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += widths[i] ? widths[i] + 1 : 0;
	return sum ? sum - 1 : 0;
}

static void cut_column(const struct column *column, size_t over, size_t *width)
{
	if (*width > column->least)
		*width = *width - column->least > over ? *width - over : column->least;
}

static void cut(const struct column *columns, size_t count, size_t width, size_t *widths)
{
	for (unsigned int rank = 1; rank <= count; rank++) {
		for (size_t i = 0; i < count; i++) {
			size_t used = line_width(widths, count);

			if (columns[i].cut == rank && used > width)
				cut_column(&columns[i], used - width, &widths[i]);
		}
	}
}

/* Cutting first; when that is not enough one column after the other goes and all others start anew.
 */
size_t table_fit(const struct column *columns, size_t count, size_t width, const size_t *natural,
		 size_t *ret_widths)
{
	for (unsigned int dropped = 0; dropped <= count; dropped++) {
		for (size_t i = 0; i < count; i++) {
			unsigned int drop = columns[i].drop;

			ret_widths[i] = drop && drop <= dropped ? 0 : natural[i];
		}
		cut(columns, count, width, ret_widths);
		if (line_width(ret_widths, count) <= width)
			break;
	}
	return line_width(ret_widths, count);
}

static void pad(FILE *out, size_t columns)
{
	if (columns > 0)
		fprintf(out, "%*s", (int)columns, "");
}

/* CELL in WIDTH columns; nothing is padded at the end of a line. */
static void print_cell(FILE *out, const char *cell, size_t width, bool last)
{
	size_t columns = printable_columns(cell);

	if (columns <= width) {
		fputs(cell, out);
	} else {
		size_t bytes = printable_cut(cell, width - 1, &columns);

		fprintf(out, "%.*s" ELLIPSIS, (int)bytes, cell);
		columns++;
	}
	if (!last)
		pad(out, width > columns ? width - columns : 0);
}

static void print_line(const struct table *t, FILE *out, const char *cells, const size_t *widths)
{
	size_t last = 0;

	for (size_t i = 0; i < t->count; i++)
		if (widths[i])
			last = i;
	for (size_t i = 0; i <= last; i++) {
		const char *cell = cells ? cells : t->columns[i].title;

		if (widths[i]) {
			print_cell(out, cell, widths[i], i == last);
			putc(i == last ? '\n' : ' ', out);
		}
		if (cells)
			cells += strlen(cells) + 1;
	}
}

void table_print(const struct table *t, FILE *out, size_t width, bool header)
{
	_free_ size_t *natural = calloc(t->count, sizeof(*natural));
	_free_ size_t *widths = calloc(t->count, sizeof(*widths));

	if (!natural || !widths)
		return;
	natural_widths(t, header, natural);
	table_fit(t->columns, t->count, width ? width : SIZE_MAX, natural, widths);
	if (header)
		print_line(t, out, NULL, widths);
	for (size_t n = 0; n < t->used; n++)
		print_line(t, out, t->rows[n].cells, widths);
}

void table_put_cut(FILE *out, const char *text, size_t width)
{
	_free_ char *safe = malloc(PRINTABLE_ROOM(strlen(or_dash(text))));

	if (!safe)
		return;
	printable(or_dash(text), safe);
	print_cell(out, safe, width, false);
}

void table_put(FILE *out, const char *text, size_t width)
{
	_free_ char *safe = NULL;
	size_t columns;

	text = or_dash(text);
	safe = malloc(PRINTABLE_ROOM(strlen(text)));
	if (!safe)
		return;
	printable(text, safe);
	columns = printable_columns(safe);
	fputs(safe, out);
	pad(out, width > columns ? width - columns : 0);
}
