/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The terminal of `flowner top`, by ncurses: a page is drawn as a whole, keys come one by one. All
 * text is made safe here, on its one way to the terminal.
 */
#ifndef FLOWNER_SCREEN_H
#define FLOWNER_SCREEN_H

#include <stdbool.h>
#include <stddef.h>

struct top;

/* Besides characters, which are the bytes of UTF-8. */
enum screen_key {
	SCREEN_NONE = -1, /* no key is waiting */
	SCREEN_ENTER = '\n',
	SCREEN_ESCAPE = 27,
	SCREEN_UP = 256,
	SCREEN_DOWN,
	SCREEN_LEFT,
	SCREEN_RIGHT,
	SCREEN_PAGE_UP,
	SCREEN_PAGE_DOWN,
	SCREEN_HOME,
	SCREEN_END,
	SCREEN_BACKSPACE,
	SCREEN_OTHER, /* one that means nothing, or the size is another */
};

struct screen_page {
	const char *title, *subtitle;
	struct top *top;   /* its rows; NULL: TEXT */
	const char *text;  /* lines, wrapped */
	size_t text_first; /* the first in sight; what is too far is put right */
	bool header;	   /* names of the columns */
	const char *bottom;
	bool prompt; /* what is typed comes to the end of BOTTOM */
	bool alert;  /* BOTTOM is to be seen */
};

/* -ENOTTY, or -EINVAL: a terminal that ncurses does not know, or that cannot do what it needs. */
int screen_open(void);
void screen_close(void); /* as it was before; also when it is not open */

void screen_draw(struct screen_page *page);
int screen_key(void);
size_t screen_rows(void); /* that are in sight of a page */

/* Widths of the columns of TOP here, as of top_widths(). */
void screen_widths(const struct top *top, size_t *ret_widths);

#endif
