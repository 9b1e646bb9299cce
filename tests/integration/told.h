/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program that is told what to do: a line of words a command, answered by a line, which the
 * command prints (`ok WORD...`) or which says why it failed (`error REASON`). Ends at the end of
 * its input. What lib.sh calls tell and try.
 */
#ifndef FLOWNER_TESTS_TOLD_H
#define FLOWNER_TESTS_TOLD_H

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define TOLD_WORDS 8

struct command {
	char *word[TOLD_WORDS]; /* NULL after the last */
	int words;
};

struct told {
	const char *name;
	int (*run)(const struct command *c); /* negative errno: nothing was printed */
};

static inline void told_split(char *line, struct command *ret)
{
	char *save = NULL;

	memset(ret, 0, sizeof(*ret));
	for (char *w = strtok_r(line, " \n", &save); w && ret->words < TOLD_WORDS - 1;
	     w = strtok_r(NULL, " \n", &save))
		ret->word[ret->words++] = w;
}

static inline int told_one(const struct told *commands, size_t count, const struct command *c)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(commands[i].name, c->word[0]))
			return commands[i].run(c);
	return -ENOSYS;
}

/* For main() to return. */
static inline int told_run(const struct told *commands, size_t count)
{
	struct command c;
	char line[512];

	setvbuf(stdout, NULL, _IOLBF, 0);
	setvbuf(stdin, NULL, _IONBF, 0); /* a command may wait for the next one */
	while (fgets(line, sizeof(line), stdin)) {
		int r;

		told_split(line, &c);
		if (!c.words)
			continue;
		r = told_one(commands, count, &c);
		if (r < 0)
			printf("error %s\n", strerror(-r));
	}
	return 0;
}

#endif
