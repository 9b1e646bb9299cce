/* SPDX-License-Identifier: BSD-2-Clause */
/* The words go to the parser of the command line, so that both take the same. */
#include "cli/filterline.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/cleanup.h"
#include "cli/command.h"
#include "cli/options.h"

#define WORDS_MAX 128

struct words {
	char *text; /* of all words, each with its NUL */
	char *argv[WORDS_MAX + 2];
	int argc;
};

/* One word from AT to OUT, without what quotes it. Returns what is behind it, NULL: a quote stays
 * open. */
static const char *take_word(const char *at, char **out)
{
	char quote = 0;

	for (; *at && (quote || *at != ' '); at++) {
		if (quote ? *at == quote : *at == '\'' || *at == '"') {
			quote = quote ? 0 : *at;
			continue;
		}
		if (*at == '\\' && quote != '\'' && at[1])
			at++;
		*(*out)++ = *at;
	}
	*(*out)++ = '\0';
	return quote ? NULL : at;
}

static int split(struct words *w, const char *line, char why[FILTERLINE_WHY])
{
	static char name[] = "top";
	char *out = malloc(2 * strlen(line) + 1); /* each NUL takes the place of a space, or ends */

	if (!out)
		return -ENOMEM;
	w->text = out;
	w->argv[w->argc++] = name;
	for (line += strspn(line, " "); *line; line += strspn(line, " ")) {
		if (w->argc == WORDS_MAX) {
			snprintf(why, FILTERLINE_WHY, "too many words");
			return -EINVAL;
		}
		w->argv[w->argc++] = out;
		line = take_word(line, &out);
		if (!line) {
			snprintf(why, FILTERLINE_WHY, "a quote is not closed");
			return -EINVAL;
		}
	}
	return 0;
}

static void words_cleanup(struct words *w)
{
	free(w->text);
}

/* Options of every command are parsed, too, and make no sense here. */
static bool only_filters(const struct options *o, const struct options *before)
{
	return !o->json && !o->help && !o->numeric && !o->no_header && o->socket == before->socket;
}

int filterline_parse(const struct command *cmd, const char *line, char **ret_query,
		     char why[FILTERLINE_WHY])
{
	struct command filters = {
		.name = cmd->name,
		.arguments = "",
		.filters = true,
		.no_filters = cmd->no_filters,
		.max_args = -1,
	};
	_cleanup_(words_cleanup) struct words w = { 0 };
	_cleanup_(options_release) struct options o;
	struct options before;
	int r;

	options_init(&o);
	before = o;
	r = split(&w, line, why);
	if (r < 0)
		return r;
	r = options_parse(&o, &filters, false, w.argc, w.argv);
	if (r == -EINVAL)
		snprintf(why, FILTERLINE_WHY, "%s", o.why);
	if (r < 0)
		return r;
	if (!only_filters(&o, &before)) {
		snprintf(why, FILTERLINE_WHY, "only filters can be typed here");
		return -EINVAL;
	}
	*ret_query = TAKE_PTR(o.query);
	return 0;
}

/* --- and back --- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Up to one of END; returns where that is. */
static const char *decode(const char *at, const char *end, FILE *out)
{
	for (; *at && !strchr(end, *at); at++) {
		if (*at == '%' && hex_digit(at[1]) >= 0 && hex_digit(at[2]) >= 0) {
			putc(hex_digit(at[1]) << 4 | hex_digit(at[2]), out);
			at += 2;
		} else {
			putc(*at, out);
		}
	}
	return at;
}

static char *decoded(const char **at, const char *end)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	*at = decode(*at, end, f);
	fclose(f);
	if (**at)
		(*at)++;
	return text;
}

static bool is_flag(const char *name)
{
	for (const struct filter_field *f = filter_fields; f->name; f++)
		if (strcmp(f->name, name) == 0)
			return f->flag;
	return false;
}

/* As take_word() reads it back. */
static void put_value(const char *value, FILE *out)
{
	bool plain = *value && !strpbrk(value, " '\"\\");

	if (!plain)
		putc('"', out);
	for (; *value; value++) {
		if (!plain && (*value == '"' || *value == '\\'))
			putc('\\', out);
		putc(*value, out);
	}
	if (!plain)
		putc('"', out);
}

char *filterline_format(const char *query)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	while (out && query && *query) {
		_free_ char *name = decoded(&query, "=&");
		_free_ char *value = decoded(&query, "&");

		if (!name || !value)
			break;
		if (ftell(out) > 0)
			putc(' ', out);
		if (strcmp(name, "addr") != 0)
			fprintf(out, "--%s%s", name, is_flag(name) ? "" : " ");
		if (!is_flag(name))
			put_value(value, out);
	}
	if (out)
		fclose(out);
	return text;
}
