/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The screen of `flowner top` on a terminal of the test's own: what is drawn is read back from
 * ncurses, keys are written as a terminal does.
 */
#include "cli/screen.h"
#include "cli/top.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>
#include <ncurses.h>

#define WIDTH 60
#define HEIGHT 12
#define WIDE "\xe6\xbc\xa2" /* one character, two columns */

static int master, terminal, kept[2]; /* stdin and stdout before */
static pthread_t reader;
static struct termios as_it_was;

/* A terminal that nobody reads from would fill up. */
static void *take_all(void *arg)
{
	char bytes[4096];

	(void)arg;
	while (read(master, bytes, sizeof(bytes)) > 0)
		;
	return NULL;
}

static int set_up(void **state)
{
	struct winsize size = { .ws_row = HEIGHT, .ws_col = WIDTH };

	(void)state;
	setenv("TERM", "xterm", 1);
	master = posix_openpt(O_RDWR | O_NOCTTY);
	if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0)
		return -1;
	terminal = open(ptsname(master), O_RDWR | O_NOCTTY);
	if (terminal < 0 || ioctl(terminal, TIOCSWINSZ, &size) < 0 ||
	    tcgetattr(terminal, &as_it_was) < 0)
		return -1;
	fflush(NULL);
	for (int fd = 0; fd < 2; fd++) {
		kept[fd] = dup(fd);
		dup2(terminal, fd);
	}
	return pthread_create(&reader, NULL, take_all, NULL);
}

static int tear_down(void **state)
{
	(void)state;
	screen_close();
	fflush(NULL);
	for (int fd = 0; fd < 2; fd++) {
		dup2(kept[fd], fd);
		close(kept[fd]);
	}
	close(terminal);
	pthread_join(reader, NULL); /* nobody has the other side any more */
	close(master);
	return 0;
}

static struct screen_page page_of(const char *text)
{
	return (struct screen_page){
		.title = "title", .subtitle = "subtitle", .text = text, .bottom = "bottom"
	};
}

static void expect_line(int y, const char *wanted)
{
	char line[8 * WIDTH];
	size_t len;

	assert_int_not_equal(mvinnstr(y, 0, line, sizeof(line) - 1), ERR);
	len = strlen(line);
	while (len && line[len - 1] == ' ')
		line[--len] = '\0';
	assert_string_equal(line, wanted);
}

static void draw(const char *text)
{
	struct screen_page page = page_of(text);

	screen_draw(&page);
}

static void what_is_no_terminal(void **state)
{
	int null = open("/dev/null", O_RDWR);

	(void)state;
	assert_int_equal(setenv("TERM", "no-such-terminal", 1), 0);
	assert_int_equal(screen_open(), -EINVAL);
	assert_int_equal(setenv("TERM", "dumb", 1), 0);
	assert_int_equal(screen_open(), -EINVAL);
	dup2(null, STDIN_FILENO);
	close(null);
	assert_int_equal(screen_open(), -ENOTTY);
	screen_close(); /* which was never open */
}

static void left_as_it_was(void **state)
{
	struct termios now;

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(screen_open(), 0);
		assert_int_equal(tcgetattr(terminal, &now), 0);
		assert_int_equal(now.c_lflag & (ICANON | ECHO), 0);
		draw("text");
		screen_close();
		assert_int_equal(tcgetattr(terminal, &now), 0);
		assert_int_equal(now.c_lflag, as_it_was.c_lflag);
		assert_int_equal(now.c_iflag, as_it_was.c_iflag);
		assert_int_equal(now.c_oflag, as_it_was.c_oflag);
	}
}

static void text_in_its_lines(void **state)
{
	(void)state;
	assert_int_equal(screen_open(), 0);
	assert_int_equal(screen_rows(), HEIGHT - 4);
	draw("one\n\ntwo \x1b[2J\xff \u202e\n"
	     "a line of words that is so long that it needs a second row: here it is");
	expect_line(0, "title");
	expect_line(1, "subtitle");
	expect_line(3, "one");
	expect_line(4, "");
	expect_line(5, "two \\x1b[2J\\xff \\u202e");
	expect_line(6, "a line of words that is so long that it needs a second row:");
	expect_line(7, "here it is");
	expect_line(8, "");
	expect_line(HEIGHT - 1, "bottom");
}

/* A word that has no end is cut at the margin, a wide character never. */
static void wide_characters(void **state)
{
	char wide[3 * WIDTH + 1] = "", shown[3 * WIDTH + 8] = "";
	struct screen_page page = page_of("");

	(void)state;
	for (int i = 0; i < WIDTH; i++)
		strcat(wide, WIDE);
	assert_int_equal(screen_open(), 0);
	page.title = wide;
	screen_draw(&page);
	for (int i = 0; i < (WIDTH - 1) / 2; i++)
		strcat(shown, WIDE);
	strcat(shown, "\xe2\x80\xa6");
	expect_line(0, shown);
	draw(wide);
	shown[0] = '\0';
	for (int i = 0; i < WIDTH / 2; i++)
		strcat(shown, WIDE);
	expect_line(3, shown);
	expect_line(4, shown);
	expect_line(5, "");
}

static void too_far_down(void **state)
{
	struct screen_page page = page_of("1\n2\n3\n4\n5\n6\n7\n8\n9\n10");

	(void)state;
	assert_int_equal(screen_open(), 0);
	page.text_first = 1000;
	screen_draw(&page);
	assert_int_equal(page.text_first, 2);
	expect_line(3, "3");
	expect_line(10, "10");
	page.text_first = 1;
	screen_draw(&page);
	assert_int_equal(page.text_first, 1);
	expect_line(3, "2");
}

static void the_last_line(void **state)
{
	char typed[256];
	struct screen_page page = page_of("");

	(void)state;
	assert_int_equal(screen_open(), 0);
	memset(typed, 'x', sizeof(typed));
	strcpy(typed + 200, "end");
	page.bottom = typed;
	page.prompt = true;
	screen_draw(&page);
	assert_int_equal(mvinch(HEIGHT - 1, WIDTH - 1) & A_CHARTEXT, ' ');
	assert_int_equal(strlen(typed), 203);
	page.prompt = false;
	page.alert = true; /* all of it: over as many rows as it takes */
	page.bottom = "what has gone wrong is said in a sentence that is longer than a row is";
	screen_draw(&page);
	expect_line(HEIGHT - 2, "what has gone wrong is said in a sentence that is longer");
	expect_line(HEIGHT - 1, "than a row is");
	page.bottom = typed;
	memset(typed, ' ', sizeof(typed));
	typed[sizeof(typed) - 1] = '\0';
	screen_draw(&page);
}

static void another_size(void **state)
{
	(void)state;
	assert_int_equal(screen_open(), 0);
	draw("text");
	for (int small = 1; small < 40; small += 13) {
		assert_int_equal(resizeterm(small < 6 ? small : 24, small), OK);
		assert_int_equal(screen_rows(), 1);
		draw("text");
	}
	assert_int_equal(resizeterm(5, 80), OK);
	draw("text");
	expect_line(0, "terminal too small");
	assert_int_equal(resizeterm(6, 40), OK);
	assert_int_equal(screen_rows(), 2);
	draw("text\nmore\nmost");
	expect_line(3, "text");
	expect_line(4, "more");
	expect_line(5, "bottom");
}

/* Until there is one, for a terminal hands them over when it likes. */
static int next_key(void)
{
	int key;

	while ((key = screen_key()) == SCREEN_NONE)
		usleep(1000); /* lint: poll */
	return key;
}

static void keys(void **state)
{
	static const char typed[] = "q\033OA\033OB\033OC\033OD\x7f\r\t\xc3\xa9\033OP";
	static const int wanted[] = { 'q',	    SCREEN_UP,	 SCREEN_DOWN,
				      SCREEN_RIGHT, SCREEN_LEFT, SCREEN_BACKSPACE,
				      SCREEN_ENTER, '\t',	 0xc3,
				      0xa9,	    SCREEN_OTHER };

	(void)state;
	assert_int_equal(screen_open(), 0);
	draw("");
	assert_int_equal(screen_key(), SCREEN_NONE);
	assert_int_equal(write(master, typed, strlen(typed)), strlen(typed));
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		assert_int_equal(next_key(), wanted[i]);
	assert_int_equal(screen_key(), SCREEN_NONE);
	assert_int_equal(write(master, "\033", 1), 1); /* alone */
	assert_int_equal(next_key(), SCREEN_ESCAPE);
}

#define SCREEN_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCREEN_TEST(what_is_no_terminal), SCREEN_TEST(left_as_it_was),
		SCREEN_TEST(text_in_its_lines),	  SCREEN_TEST(wide_characters),
		SCREEN_TEST(too_far_down),	  SCREEN_TEST(the_last_line),
		SCREEN_TEST(another_size),	  SCREEN_TEST(keys),
	};

	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
