/* SPDX-License-Identifier: BSD-2-Clause */
/* Columns: aligned, sorted, cut where it hurts least, and no way to a terminal's controls. */
#include <fcntl.h>
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmocka.h>

#include "text/printable.h"
#include "cli/table.h"

static const struct column columns[] = {
	{ .title = "ID" },
	{ .title = "COMM", .cut = 1, .least = 4 },
	{ .title = "UNIT", .cut = 2, .least = 3, .drop = 1 },
	{ .title = "USER", .cut = 3, .least = 2, .drop = 2 },
	{ .title = "LAST" },
};
#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

static struct table *new_table(void)
{
	struct table *t = NULL;

	assert_int_equal(table_new(columns, COLUMNS, &t), 0);
	return t;
}

static void add(struct table *t, __s64 order, __u64 tie, const char *a, const char *b,
		const char *c, const char *d, const char *e)
{
	const char *row[COLUMNS] = { a, b, c, d, e };

	assert_int_equal(table_add(t, order, tie, row), 0);
}

/* The table at WIDTH is TEXT. */
static void expect(const struct table *t, size_t width, bool header, const char *text)
{
	char *got = NULL;
	size_t size;
	FILE *f = open_memstream(&got, &size);

	assert_non_null(f);
	table_print(t, f, width, header);
	fclose(f);
	assert_string_equal(got, text);
	free(got);
}

static void widths_follow_the_content(void **state)
{
	struct table *t = new_table();

	(void)state;
	expect(t, 0, true, "ID COMM UNIT USER LAST\n");
	expect(t, 0, false, "");
	add(t, 0, 0, "12345", "a", "", NULL, "x");
	add(t, 0, 0, "1", "longer", "u", "bob", "yy");
	expect(t, 0, true,
	       "ID    COMM   UNIT USER LAST\n"
	       "12345 a      -    -    x\n"
	       "1     longer u    bob  yy\n");
	expect(t, 0, false,
	       "12345 a      - -   x\n"
	       "1     longer u bob yy\n");
	assert_int_equal(table_rows(t), 2);
	table_free(t);
	table_free(NULL);
}

static void sorted_by_order_then_tie(void **state)
{
	struct table *t = new_table();

	(void)state;
	add(t, 5, 1, "e", "", "", "", "");
	add(t, INT64_MAX, 0, "f", "", "", "", "");
	add(t, -3, UINT64_MAX, "b", "", "", "", "");
	add(t, 5, 0, "d", "", "", "", "");
	add(t, -3, 7, "a", "", "", "", "");
	add(t, 0, 0, "c", "", "", "", "");
	table_sort(t);
	expect(t, 0, false, "a - - - -\nb - - - -\nc - - - -\nd - - - -\ne - - - -\nf - - - -\n");
	table_free(t);
}

/* 3 + 1 + 8 + 1 + 8 + 1 + 6 + 1 + 4 = 33 columns */
static struct table *wide_table(void)
{
	struct table *t = new_table();

	add(t, 0, 0, "123", "commcomm", "unitunit", "useruu", "last");
	return t;
}

static void the_least_important_is_cut_first(void **state)
{
	struct table *t = wide_table();

	(void)state;
	expect(t, 33, false, "123 commcomm unitunit useruu last\n");
	expect(t, 32, false, "123 commco… unitunit useruu last\n");
	expect(t, 29, false, "123 com… unitunit useruu last\n");
	expect(t, 28, false, "123 com… unitun… useruu last\n");
	expect(t, 24, false, "123 com… un… useruu last\n");
	expect(t, 23, false, "123 com… un… user… last\n");
	expect(t, 20, false, "123 com… un… u… last\n");
	expect(t, 20, true, "ID  COMM UN… U… LAST\n123 com… un… u… last\n");
	table_free(t);
}

/* What a column left out gives back is used: the others are cut anew. */
static void then_columns_are_left_out(void **state)
{
	struct table *t = wide_table();

	(void)state;
	expect(t, 19, false, "123 com… user… last\n");
	expect(t, 16, false, "123 com… u… last\n");
	expect(t, 15, false, "123 commc… last\n");
	expect(t, 13, false, "123 com… last\n");
	expect(t, 5, false, "123 com… last\n");
	expect(t, 13, true, "ID  COMM LAST\n123 com… last\n");
	table_free(t);
}

static void ranks_are_not_positions(void **state)
{
	static const struct column late[] = {
		{ .title = "A", .cut = 2, .least = 1, .drop = 2 },
		{ .title = "B", .cut = 1, .least = 1, .drop = 1 },
		{ .title = "C" },
	};
	const char *row[] = { "aaaa", "bbbb", "cc" };
	struct table *t = NULL;

	(void)state;
	assert_int_equal(table_new(late, 3, &t), 0);
	assert_int_equal(table_add(t, 0, 0, row), 0);
	expect(t, 10, false, "aaaa b… cc\n");
	expect(t, 8, false, "aa… … cc\n");
	expect(t, 5, false, "a… cc\n");
	expect(t, 2, false, "cc\n");
	table_free(t);
}

static void wide_and_combining_characters(void **state)
{
	struct table *t = new_table();

	(void)state;
	/* two columns each; an e with a combining accent is one */
	add(t, 0, 0, "1", "日本語日本", "e\xcc\x81", "", "x");
	add(t, 0, 0, "2", "ab", "c", "", "x");
	expect(t, 0, false,
	       "1 日本語日本 e\xcc\x81 - x\n"
	       "2 ab         c - x\n");
	expect(t, 17, false,
	       "1 日本語日… e\xcc\x81 - x\n"
	       "2 ab        c - x\n");
	/* half of a character is none: its column stays empty */
	expect(t, 16, false,
	       "1 日本語…  e\xcc\x81 - x\n"
	       "2 ab       c - x\n");
	table_free(t);
}

static void expect_printable(const char *text, const char *shown)
{
	char buf[256];

	assert_true(PRINTABLE_ROOM(strlen(text)) <= sizeof(buf));
	assert_int_equal(printable(text, buf), strlen(shown));
	assert_string_equal(buf, shown);
	assert_true(strlen(buf) < PRINTABLE_ROOM(strlen(text)));
}

static void terminals_are_not_commanded(void **state)
{
	(void)state;
	expect_printable("plain ~!", "plain ~!");
	expect_printable("", "");
	expect_printable("\x1b[2J\x1b]0;owned\a", "\\x1b[2J\\x1b]0;owned\\x07");
	expect_printable("a\r\nb\t\x7f", "a\\x0d\\x0ab\\x09\\x7f");
	expect_printable("caf\xc3\xa9 \xe6\x97\xa5 \xf0\x9f\x90\xa7",
			 "caf\xc3\xa9 \xe6\x97\xa5 \xf0\x9f\x90\xa7");
	expect_printable("\xc2\x9b[2J", "\\u009b[2J"); /* CSI in one character */
	expect_printable("\xe2\x80\xae"
			 "exe.cod",
			 "\\u202eexe.cod"); /* right to left */
	expect_printable("\xf3\xa0\x80\x81", "\\U000e0001");
	expect_printable("\xff\xc3", "\\xff\\xc3");
	expect_printable("\xc0\x9b", "\\xc0\\x9b");	     /* overlong ESC */
	expect_printable("\xed\xa0\x80", "\\xed\\xa0\\x80"); /* surrogate */
	expect_printable("\xe6\x97", "\\xe6\\x97");
}

static void cells_are_made_safe(void **state)
{
	struct table *t = new_table();
	char *got = NULL;
	size_t size;
	FILE *f;

	(void)state;
	add(t, 0, 0, "1", "\x1b[2J", "u", "", "x");
	expect(t, 0, false, "1 \\x1b[2J u - x\n");
	table_free(t);
	f = open_memstream(&got, &size);
	table_put(f, "\x1b[2J", 10);
	table_put(f, NULL, 3);
	table_put(f, "toolong", 3);
	table_put(f, "", 0);
	fclose(f);
	assert_string_equal(got, "\\x1b[2J   -  toolong-");
	free(got);
}

/* What a line is fitted to, for those who print it themselves. */
static void widths_alone(void **state)
{
	const size_t natural[COLUMNS] = { 3, 8, 8, 6, 4 };
	size_t widths[COLUMNS];
	char *got = NULL;
	size_t size;
	FILE *f;

	(void)state;
	assert_int_equal(table_fit(columns, COLUMNS, 40, natural, widths), 33);
	assert_memory_equal(widths, natural, sizeof(widths));
	assert_int_equal(table_fit(columns, COLUMNS, 28, natural, widths), 28);
	assert_int_equal(widths[1], 4);
	assert_int_equal(widths[2], 7);
	assert_int_equal(table_fit(columns, COLUMNS, 19, natural, widths), 19);
	assert_int_equal(widths[2], 0);
	assert_int_equal(table_fit(columns, COLUMNS, 1, natural, widths), 13);
	f = open_memstream(&got, &size);
	table_put_cut(f, "longer", 4);
	table_put_cut(f, "x", 2);
	table_put_cut(f, NULL, 1);
	fclose(f);
	assert_string_equal(got, "lon\xe2\x80\xa6x -");
	free(got);
}

static void width_of_the_terminal(void **state)
{
	struct winsize ws = { .ws_col = 132, .ws_row = 24 }, unknown = { .ws_col = 0 };
	int master = posix_openpt(O_RDWR | O_NOCTTY);
	int slave, file = open("/dev/null", O_WRONLY);

	(void)state;
	assert_true(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	assert_true(slave >= 0 && file >= 0);
	setenv("COLUMNS", "99", 1);
	assert_int_equal(table_width(file), 0);
	assert_int_equal(ioctl(slave, TIOCSWINSZ, &ws), 0);
	assert_int_equal(table_width(slave), 132);
	assert_int_equal(ioctl(slave, TIOCSWINSZ, &unknown), 0);
	assert_int_equal(table_width(slave), 99);
	setenv("COLUMNS", "-5", 1);
	assert_int_equal(table_width(slave), 80);
	setenv("COLUMNS", "many", 1);
	assert_int_equal(table_width(slave), 80);
	unsetenv("COLUMNS");
	assert_int_equal(table_width(slave), 80);
	close(file);
	close(slave);
	close(master);
}

static void many_rows(void **state)
{
	struct table *t = new_table();
	char *got = NULL;
	size_t size;
	FILE *f;

	(void)state;
	for (int i = 20000; i > 0; i--)
		add(t, i, 0, i == 1 ? "first" : "other", "", "", "", "");
	table_sort(t);
	f = open_memstream(&got, &size);
	table_print(t, f, 0, false);
	fclose(f);
	assert_int_equal(size, 20000 * strlen("other - - - -\n"));
	assert_memory_equal(got, "first", 5);
	free(got);
	table_free(t);
}

static int use_utf8(void **state)
{
	(void)state;
	return setlocale(LC_CTYPE, "C.UTF-8") ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(widths_follow_the_content),
		cmocka_unit_test(sorted_by_order_then_tie),
		cmocka_unit_test(the_least_important_is_cut_first),
		cmocka_unit_test(then_columns_are_left_out),
		cmocka_unit_test(ranks_are_not_positions),
		cmocka_unit_test(wide_and_combining_characters),
		cmocka_unit_test(terminals_are_not_commanded),
		cmocka_unit_test(cells_are_made_safe),
		cmocka_unit_test(widths_alone),
		cmocka_unit_test(width_of_the_terminal),
		cmocka_unit_test(many_rows),
	};

	return cmocka_run_group_tests_name("table", tests, use_utf8, NULL);
}
