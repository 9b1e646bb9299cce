/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/screen.h"

#include <errno.h>
#include <ncurses.h>
#include <string.h>
#include <term.h>
#include <unistd.h>

#undef columns /* macros of term.h */
#undef lines

#include "text/cleanup.h"
#include "text/printable.h"
#include "cli/top.h"

#define LEAST_LINES 6
#define LEAST_COLUMNS 40
#define HEAD_LINES 3 /* title, subtitle, names of the columns */
#define FOOT_LINES 1

static SCREEN *terminal;

/* Before newterm(), which would draw on any terminal that has a name. */
static bool can_draw(void)
{
	const char *move;
	int error;

	if (setupterm(NULL, STDOUT_FILENO, &error) != OK)
		return false;
	move = tigetstr("cup");
	del_curterm(cur_term);
	return move && move != (const char *)-1;
}

int screen_open(void)
{
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return -ENOTTY;
	terminal = can_draw() ? newterm(NULL, stdout, stdin) : NULL;
	if (!terminal)
		return -EINVAL;
	cbreak();
	noecho();
	nonl();
	intrflush(stdscr, FALSE);
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	set_escdelay(50);
	return 0;
}

void screen_close(void)
{
	if (!terminal)
		return;
	endwin();
	delscreen(terminal);
	terminal = NULL;
}

int screen_key(void)
{
	static const struct {
		int curses;
		int key;
	} keys[] = {
		{ ERR, SCREEN_NONE },
		{ KEY_UP, SCREEN_UP },
		{ KEY_DOWN, SCREEN_DOWN },
		{ KEY_LEFT, SCREEN_LEFT },
		{ KEY_RIGHT, SCREEN_RIGHT },
		{ KEY_PPAGE, SCREEN_PAGE_UP },
		{ KEY_NPAGE, SCREEN_PAGE_DOWN },
		{ KEY_HOME, SCREEN_HOME },
		{ KEY_END, SCREEN_END },
		{ KEY_BACKSPACE, SCREEN_BACKSPACE },
		{ 127, SCREEN_BACKSPACE },
		{ '\b', SCREEN_BACKSPACE },
		{ KEY_ENTER, SCREEN_ENTER },
		{ '\r', SCREEN_ENTER },
	};
	int c = getch();

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (keys[i].curses == c)
			return keys[i].key;
	return c < 256 ? c : SCREEN_OTHER;
}

static bool too_small(void)
{
	return LINES < LEAST_LINES || COLS < LEAST_COLUMNS;
}

size_t screen_rows(void)
{
	return too_small() ? 1 : (size_t)LINES - HEAD_LINES - FOOT_LINES;
}

void screen_widths(const struct top *top, size_t *ret_widths)
{
	top_widths(top, (size_t)COLS, ret_widths);
}

/* TEXT made safe, at most WIDTH columns of it from X on, to the right end of them or not. */
static void put(int y, int x, const char *text, size_t width, bool right)
{
	_free_ char *safe = malloc(PRINTABLE_ROOM(strlen(text)));
	size_t columns, bytes;
	bool cut;

	if (!safe || width == 0)
		return;
	printable(text, safe);
	cut = printable_columns(safe) > width;
	bytes = printable_cut(safe, cut ? width - 1 : width, &columns);
	if (right && !cut)
		x += (int)(width - columns);
	mvaddnstr(y, x, safe, (int)bytes);
	if (cut)
		addstr(MB_CUR_MAX > 1 ? "\xe2\x80\xa6" : "~"); /* U+2026 */
}

static void put_line(int y, const char *text, attr_t attributes)
{
	attron(attributes);
	put(y, 0, text, (size_t)COLS, false);
	attroff(attributes);
}

static void draw_header(const struct top *top, const size_t *widths)
{
	size_t count;
	const struct top_column *columns = top_columns(top, &count);
	int x = 0;

	attron(A_REVERSE);
	mvhline(HEAD_LINES - 1, 0, ' ', COLS);
	for (size_t i = 0; i < count; i++) {
		attr_t mark = top_sorted_by(top) == i ? A_BOLD | A_UNDERLINE : 0;

		if (!widths[i])
			continue;
		attron(mark);
		put(HEAD_LINES - 1, x, columns[i].column.title, widths[i], columns[i].right);
		attroff(mark);
		x += (int)widths[i] + 1;
	}
	attroff(A_REVERSE);
}

static void draw_row(const struct top *top, int y, const struct top_row *row, const size_t *widths)
{
	size_t count;
	const struct top_column *columns = top_columns(top, &count);
	int x = 0;

	for (size_t i = 0; i < count; i++) {
		char buf[TOP_TEXT];
		const char *cell = top_cell(top, row, columns[i].field, buf);

		if (!widths[i])
			continue;
		put(y, x, cell ? cell : "-", widths[i], columns[i].right);
		x += (int)widths[i] + 1;
	}
}

static void draw_rows(const struct screen_page *page)
{
	size_t widths[TOP_COLUMNS_MAX] = { 0 };
	size_t first = top_first(page->top, screen_rows());

	screen_widths(page->top, widths);
	if (page->header)
		draw_header(page->top, widths);
	for (size_t i = 0; i < screen_rows() && first + i < top_count(page->top); i++) {
		const struct top_row *row = top_row(page->top, first + i);
		bool selected = first + i == top_selected_at(page->top);
		attr_t attributes = (selected ? A_REVERSE : 0) | (row->sums.flows ? 0 : A_DIM);
		int y = HEAD_LINES + (int)i;

		attron(attributes);
		if (selected)
			mvhline(y, 0, ' ', COLS);
		draw_row(page->top, y, row, widths);
		attroff(attributes);
	}
}

/* Bytes of TEXT for one line: to its end, or behind a space not too far from the margin. */
static size_t line_bytes(const char *text)
{
	size_t columns, bytes = printable_cut(text, (size_t)COLS, &columns), n = bytes;

	while (n > bytes / 2 && text[n - 1] != ' ' && text[bytes])
		n--;
	return n > bytes / 2 ? n : bytes;
}

/* One line of LEN bytes as many as it needs; those from FIRST on that have room are drawn. Returns
 * AT moved behind it. */
static size_t draw_wrapped(const char *line, size_t len, size_t at, size_t first)
{
	_free_ char *copy = strndup(line, len);
	_free_ char *safe = malloc(PRINTABLE_ROOM(len));
	const char *rest = safe;

	if (!copy || !safe)
		return at;
	printable(copy, safe);
	do {
		size_t bytes = line_bytes(rest);

		if (at >= first && at - first < screen_rows())
			mvaddnstr(HEAD_LINES + (int)(at - first), 0, rest, (int)bytes);
		at++;
		rest += bytes;
	} while (*rest);
	return at;
}

static size_t draw_lines(const char *text, size_t first)
{
	size_t at = 0;

	while (*text) {
		size_t len = strcspn(text, "\n");

		at = draw_wrapped(text, len, at, first);
		text += len + (text[len] == '\n');
	}
	return at;
}

static void draw_text(struct screen_page *page)
{
	size_t lines = draw_lines(page->text, page->text_first);
	size_t last = lines > screen_rows() ? lines - screen_rows() : 0;

	if (page->text_first <= last)
		return;
	page->text_first = last;
	move(HEAD_LINES, 0);
	clrtobot();
	draw_lines(page->text, last);
}

/* Of what is typed the end is in sight. */
static const char *last_part(const char *text)
{
	while (printable_columns(text) >= (size_t)COLS) {
		size_t columns;

		text += printable_cut(text, (size_t)COLS / 2, &columns);
	}
	return text;
}

/* What is said is said in full: over the last rows, if it must be. */
static void draw_said(const char *text)
{
	int lines = 0;

	for (const char *rest = text; *rest && lines < LINES - HEAD_LINES; lines++)
		rest += line_bytes(rest);
	attron(A_REVERSE);
	for (int y = LINES - lines; y < LINES; y++) {
		size_t bytes = line_bytes(text);

		mvhline(y, 0, ' ', COLS);
		mvaddnstr(y, 0, text, (int)bytes);
		text += bytes;
	}
	attroff(A_REVERSE);
}

static void draw_bottom(const struct screen_page *page)
{
	_free_ char *safe = malloc(PRINTABLE_ROOM(strlen(page->bottom)));

	if (!safe)
		return;
	printable(page->bottom, safe);
	if (page->prompt)
		mvaddstr(LINES - 1, 0, last_part(safe));
	else if (page->alert)
		draw_said(safe);
	else
		put_line(LINES - 1, safe, A_DIM);
}

void screen_draw(struct screen_page *page)
{
	erase();
	if (too_small()) {
		put(0, 0, "terminal too small", COLS > 0 ? (size_t)COLS : 0, false);
		refresh();
		return;
	}
	put_line(0, page->title, A_BOLD);
	put_line(1, page->subtitle, 0);
	if (page->top)
		draw_rows(page);
	else
		draw_text(page);
	draw_bottom(page);
	curs_set(page->prompt);
	refresh();
}
