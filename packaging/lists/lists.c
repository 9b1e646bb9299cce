/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copies a page from stdin to stdout, with a list in place of each line that ends in `list: NAME`.
 * Runs while building, on the machine that builds.
 */
#include "lists.h"

#include <stdlib.h>
#include <string.h>

#include "text/cleanup.h"

static const struct {
	const char *name;
	void (*write)(FILE *out);
} lists[] = {
	{ "commands", mdoc_commands },	   { "filters", mdoc_filters },
	{ "options", mdoc_options },	   { "arguments", mdoc_arguments },
	{ "settings", mdoc_settings },	   { "attributes", mdoc_attributes },
	{ "parameters", mdoc_parameters }, { "attempt", mdoc_attempt },
	{ "bash", bash_commands },	   { "zsh", zsh_commands },
};

static int write_list(const char *name)
{
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		if (strcmp(lists[i].name, name) == 0) {
			lists[i].write(stdout);
			return 0;
		}
	}
	fprintf(stderr, "lists: there is no list '%s'\n", name);
	return -1;
}

int main(void)
{
	static const char mark[] = " list: ";
	_free_ char *line = NULL;
	size_t size = 0;

	while (getline(&line, &size, stdin) > 0) {
		char *found = strstr(line, mark);

		if (!found) {
			fputs(line, stdout);
			continue;
		}
		line[strcspn(line, "\n")] = '\0';
		if (write_list(found + strlen(mark)) < 0)
			return EXIT_FAILURE;
	}
	return fflush(stdout) == 0 && !ferror(stdin) ? EXIT_SUCCESS : EXIT_FAILURE;
}
