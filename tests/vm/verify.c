/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What this kernel's verifier says to each program by itself: how many instructions it went
 * through, or its last lines. With the constants the daemon would set here. A kernel that lacks
 * what a program attaches to refuses it without a word, or without trampolines with nothing but the
 * count 0: status 1 is for those it says something about.
 * usage: verify [-v] [PROGRAM...]     -v prints the whole log of a refused program
 */
#include "kernel/constants.h"
#include "flowner.skel.h"
#include "kernel/probe.h"
#include "verdict.skel.h"

#include <bpf/libbpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOG_BYTES (16 << 20) /* 5.10 takes no longer one */
#define LINES_SHOWN 12
#define SAW_NOTHING "processed 0 insns" /* the whole log, when it begins like this */

/* A skeleton, by its object: what the daemon loads as one. */
struct skeleton {
	void *(*open)(struct bpf_object **ret_obj);
	void (*destroy)(void *skel);
};

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

static void *tracking_open(struct bpf_object **ret_obj)
{
	struct flowner_bpf *s = flowner_bpf__open();

	if (!s)
		return NULL;
	constants_set(s);
	*ret_obj = s->obj;
	return s;
}

static void tracking_destroy(void *skel)
{
	flowner_bpf__destroy(skel);
}

/* A constant that is 0 takes code away: none is, where the kernel can do what it asks for. */
static void *verdicts_open(struct bpf_object **ret_obj)
{
	struct verdict_bpf *s = verdict_bpf__open();

	if (!s)
		return NULL;
	s->rodata->verdict_scope = 1;
	s->rodata->ring_wake_bytes = 1;
	s->rodata->can_set_retval = libbpf_probe_bpf_helper(BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
							    BPF_FUNC_set_retval, NULL) == 1;
	s->rodata->can_lock = !probe_tracing_lock();
	*ret_obj = s->obj;
	return s;
}

static void verdicts_destroy(void *skel)
{
	verdict_bpf__destroy(skel);
}

static const struct skeleton skeletons[] = {
	{ tracking_open, tracking_destroy },
	{ verdicts_open, verdicts_destroy },
};

/* Nothing but this program: 0, or what load said. */
static int load_alone(const struct skeleton *of, const char *name, char *log, __u32 level)
{
	struct bpf_object *obj = NULL;
	void *s = of->open(&obj);
	struct bpf_program *p;
	int r;

	if (!s)
		return -1;
	bpf_object__for_each_program(p, obj)
		bpf_program__set_autoload(p, !strcmp(bpf_program__name(p), name));
	p = bpf_object__find_program_by_name(obj, name);
	if (p) {
		bpf_program__set_log_level(p, level);
		bpf_program__set_log_buf(p, log, LOG_BYTES);
	}
	log[0] = '\0';
	r = p ? bpf_object__load(obj) : -1;
	of->destroy(s);
	return r;
}

static int verify(const struct skeleton *of, const char *name, char *log)
{
	const char *said;
	int r = load_alone(of, name, log, 4); /* statistics alone */

	said = strstr(log, "processed ");
	if (!r) {
		printf("%-22s %lu\n", name,
		       said ? strtoul(said + strlen("processed "), NULL, 10) : 0);
		return 0;
	}
	load_alone(of, name, log, 1);
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

static int verify_chosen(const struct skeleton *of, char **names, char *log)
{
	struct bpf_object *obj = NULL;
	void *s = of->open(&obj);
	struct bpf_program *p;
	int refused = 0;

	if (!s)
		return 1;
	bpf_object__for_each_program(p, obj)
	{
		if (chosen(bpf_program__name(p), names))
			refused += verify(of, bpf_program__name(p), log);
	}
	of->destroy(s);
	return refused;
}

int main(int argc, char **argv)
{
	char *log = malloc(LOG_BYTES);
	int refused = 0;

	verbose = getopt(argc, argv, "v") == 'v';
	libbpf_set_print(be_silent);
	if (!log)
		return 2;
	for (size_t i = 0; i < sizeof(skeletons) / sizeof(skeletons[0]); i++)
		refused += verify_chosen(&skeletons[i], argv + optind, log);
	free(log);
	return refused ? 1 : 0;
}
