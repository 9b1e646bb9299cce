/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What this kernel's verifier says to each program by itself: how many instructions it went
 * through, or its last lines. With the constants the daemon would set here. A kernel that lacks
 * what a program attaches to refuses it without a word, or without trampolines with nothing but the
 * count 0: status 1 is for those it says something about.
 * usage: verify [-v] [PROGRAM...]     -v prints the whole log of a refused program
 */
#include "constants.h"
#include "flowner.skel.h"

#include <bpf/libbpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOG_BYTES (16 << 20) /* 5.10 takes no longer one */
#define LINES_SHOWN 12
#define SAW_NOTHING "processed 0 insns" /* the whole log, when it begins like this */

static bool verbose;

static int be_silent(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	return 0;
}

static const char *last_lines(const char *log, int lines)
{
	const char *at = log + strlen(log);

	while (at > log && lines >= 0) {
		at--;
		if (*at == '\n')
			lines--;
	}
	return at > log ? at + 1 : log;
}

/* Nothing but this program: 0, or what load said. */
static int load_alone(const char *name, char *log, __u32 level)
{
	struct flowner_bpf *s = flowner_bpf__open();
	struct bpf_program *p;
	int r;

	if (!s)
		return -1;
	constants_set(s);
	bpf_object__for_each_program(p, s->obj)
		bpf_program__set_autoload(p, !strcmp(bpf_program__name(p), name));
	p = bpf_object__find_program_by_name(s->obj, name);
	if (p) {
		bpf_program__set_log_level(p, level);
		bpf_program__set_log_buf(p, log, LOG_BYTES);
	}
	log[0] = '\0';
	r = p ? flowner_bpf__load(s) : -1;
	flowner_bpf__destroy(s);
	return r;
}

static int verify(const char *name, char *log)
{
	const char *said;
	int r = load_alone(name, log, 4); /* statistics alone */

	said = strstr(log, "processed ");
	if (!r) {
		printf("%-22s %lu\n", name,
		       said ? strtoul(said + strlen("processed "), NULL, 10) : 0);
		return 0;
	}
	load_alone(name, log, 1);
	printf("%-22s refused: %s\n%s", name, strerror(-r),
	       verbose ? log : last_lines(log, LINES_SHOWN));
	return log[0] != '\0' && strncmp(log, SAW_NOTHING, strlen(SAW_NOTHING)) != 0;
}

static bool chosen(const char *name, char **names)
{
	if (!*names)
		return true;
	while (*names && strcmp(*names, name) != 0)
		names++;
	return *names;
}

int main(int argc, char **argv)
{
	struct flowner_bpf *s;
	struct bpf_program *p;
	char *log = malloc(LOG_BYTES);
	int refused = 0;

	verbose = getopt(argc, argv, "v") == 'v';
	libbpf_set_print(be_silent);
	s = flowner_bpf__open();
	if (!s || !log)
		return 2;
	bpf_object__for_each_program(p, s->obj)
	{
		if (chosen(bpf_program__name(p), argv + optind))
			refused += verify(bpf_program__name(p), log);
	}
	flowner_bpf__destroy(s);
	free(log);
	return refused ? 1 : 0;
}
