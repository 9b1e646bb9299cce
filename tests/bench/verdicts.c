/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a verdict costs with 1 to 10000 rules, and with rules that are made to be dear: nanoseconds
 * over a program that only takes the attempt, the least of many short turns: what else a machine
 * does only adds. `known`: the same classes were asked for before; `anew`: never, and that it was
 * is made up with the help of the clock; `1 by 1`: the same rules read in C until one matches.
 * usage: verdicts [ROUNDS]
 */
#include "policy/compile.h"
#include "match.skel.h"
#include "policy/policymaps.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define RULES 10000
#define TERMS (FL_DIMS - 1)
#define ATTEMPTS 16
#define REPEAT 500
#define ROUNDS 60
#define SELDOM 20 /* rounds for a turn of what takes long */
#define NS 1000000000ull

enum { NOTHING, KNOWN, ANEW, ONE_BY_ONE, WAYS };

static struct {
	struct plain_rule rules[RULES];
	struct term terms[RULES][TERMS];
	struct term_value values[RULES][TERMS];
} policy;

static __u64 now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (__u64)t.tv_sec * NS + (__u64)t.tv_nsec;
}

static struct term_value *add(size_t rule, enum fl_dimension d, bool negated)
{
	struct plain_rule *r = &policy.rules[rule];
	struct term_value *v = &policy.values[rule][r->term_count];

	*v = (struct term_value){ 0 };
	policy.terms[rule][r->term_count++] =
		(struct term){ .dimension = d, .negated = negated, .count = 1, .values = v };
	return v;
}

static void clear(size_t rules)
{
	for (size_t i = 0; i < rules; i++)
		policy.rules[i] = (struct plain_rule){ .hooks = 1 << FL_HOOK_CONNECT,
						       .tcp = true,
						       .enforced = true,
						       .verdict = FL_REJECT,
						       .tag = i,
						       .terms = policy.terms[i] };
}

static struct fl_addr network(size_t i)
{
	return (struct fl_addr){ .b = { [10] = 0xff, 0xff, 10, (__u8)(i >> 8), (__u8)i } };
}

/* Each names what it is for, as people write them. */
static void files(size_t rules)
{
	clear(rules);
	for (size_t i = 0; i < rules; i++) {
		struct term_value *v;

		add(i, FL_DIM_EXE, false)->id[0] = 1000 + i;
		add(i, FL_DIM_UID, false)->id[0] = i % 64;
		v = add(i, FL_DIM_REMOTE_PORT, false);
		v->first = v->last = (__u16)(1024 + i);
	}
}

static void usual(size_t rules)
{
	clear(rules);
	for (size_t i = 0; i < rules; i++) {
		struct term_value *v;

		add(i, FL_DIM_EXE, false)->id[0] = 1000 + i;
		add(i, FL_DIM_UID, false)->id[0] = i % 64;
		add(i, FL_DIM_CGROUP, false)->id[0] = i % 512;
		v = add(i, FL_DIM_REMOTE_ADDR, false);
		v->addr = network(i);
		v->bits = 120;
		v = add(i, FL_DIM_REMOTE_PORT, false);
		v->first = v->last = (__u16)(1024 + i);
	}
}

static struct fl_attempt usual_attempt(size_t rules, size_t n)
{
	size_t i = rules * (2 * n + 1) / (2 * ATTEMPTS);
	struct fl_attempt a = { .hook = FL_HOOK_CONNECT,
				.exe.inode = 1000 + i,
				.owner.uid = i % 64,
				.cgroup_id = i % 512,
				.known = (1u << FL_DIMS) - 1 };

	a.key.proto = FL_TCP;
	a.key.remote = network(i);
	a.key.remote_port = (__u16)(1024 + i);
	return a;
}

/* No rule matches, and no set of rules has an empty block that would show it early. */
static void dear(size_t rules)
{
	clear(rules);
	for (size_t i = 0; i < rules; i++) {
		enum fl_dimension d = FL_DIM_HOOK + 1 + i % (FL_DIMS - 1);
		struct term_value *v = add(i, d, true);

		v->bits = d == FL_DIM_LOCAL_ADDR || d == FL_DIM_REMOTE_ADDR ? 128 : 0;
	}
}

static struct fl_attempt dear_attempt(size_t rules, size_t n)
{
	(void)rules;
	(void)n;
	return (struct fl_attempt){ .hook = FL_HOOK_CONNECT,
				    .key.proto = FL_TCP,
				    .known = (1u << FL_DIMS) - 1 };
}

static double run(int fd, const struct fl_attempt *attempts)
{
	double all = 0;

	for (size_t i = 0; i < ATTEMPTS; i++) {
		LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = &attempts[i],
			    .data_size_in = sizeof(attempts[i]), .repeat = REPEAT);

		if (bpf_prog_test_run_opts(fd, &opts) < 0 || opts.retval == (__u32)-1) {
			perror("verdicts: cannot run");
			exit(1);
		}
		all += opts.duration;
	}
	return all / ATTEMPTS;
}

static double one_by_one(size_t rules, const struct fl_attempt *attempts)
{
	__u64 start = now_ns(), turns = 1 + 100000 / rules;
	volatile size_t found;

	for (__u64 turn = 0; turn < turns; turn++) {
		for (size_t n = 0; n < ATTEMPTS; n++) {
			size_t i = 0;

			while (i < rules && !plain_rule_matches(&policy.rules[i], &attempts[n]))
				i++;
			found = i;
		}
	}
	(void)found;
	return (double)(now_ns() - start) / (double)turns / ATTEMPTS;
}

static void least(double *cost, double now)
{
	if (now < *cost)
		*cost = now;
}

static int load(const struct match_bpf *skel, size_t rules, struct compiled **ret_compiled,
		double *ret_compile_ms, double *ret_write_ms)
{
	const struct plain_default defaults[FL_HOOKS] = { { FL_PROCEED_SOFT, true, 0 } };
	__u64 start = now_ns(), compiled;
	struct policymaps maps;
	int r = policymaps_find(skel->obj, &maps);

	if (!r)
		r = compile(policy.rules, rules, defaults, ret_compiled);
	compiled = now_ns();
	if (!r)
		r = policymaps_write(&maps, 0, now_ns(), *ret_compiled);
	*ret_compile_ms = (double)(compiled - start) / 1e6;
	*ret_write_ms = (double)(now_ns() - compiled) / 1e6;
	return r;
}

static int measure(const struct match_bpf *skel, const char *name, size_t rules, size_t rounds,
		   struct fl_attempt (*attempt)(size_t rules, size_t n))
{
	struct fl_attempt attempts[ATTEMPTS];
	double cost[WAYS] = { 1e9, 1e9, 1e9, 1e9 }, compile_ms, write_ms;
	struct compiled *c = NULL;
	int r = load(skel, rules, &c, &compile_ms, &write_ms);

	for (size_t n = 0; n < ATTEMPTS; n++)
		attempts[n] = attempt(rules, n);
	for (size_t i = 0; !r && i < rounds; i++) {
		least(&cost[NOTHING], run(bpf_program__fd(skel->progs.nothing), attempts));
		least(&cost[KNOWN], run(bpf_program__fd(skel->progs.match), attempts));
		least(&cost[ANEW], run(bpf_program__fd(skel->progs.match_unknown), attempts));
		if (i % SELDOM == 0)
			least(&cost[ONE_BY_ONE], one_by_one(rules, attempts));
	}
	if (!r)
		printf("%-6s %6zu %8.0f %8.0f %11.0f %9u %7u %9.0f %9.0f\n", name, rules,
		       cost[KNOWN] - cost[NOTHING], cost[ANEW] - cost[NOTHING], cost[ONE_BY_ONE],
		       c->classes.count, c->blocks.count, compile_ms, write_ms);
	compiled_free(c);
	return r;
}

int main(int argc, char **argv)
{
	static const size_t sizes[] = { 1, 100, 1000, RULES };
	const struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	size_t rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : ROUNDS;
	struct match_bpf *skel;
	int r = 0;

	setrlimit(RLIMIT_MEMLOCK, &unlimited);
	skel = match_bpf__open_and_load();
	if (!skel || !rounds) {
		fprintf(stderr, "verdicts: cannot load: %s\n", strerror(errno));
		return 1;
	}
	printf("a verdict, over a program that takes the attempt and does nothing (%zu rounds)\n",
	       rounds);
	printf("%-6s %6s %8s %8s %11s %9s %7s %9s %9s\n", "policy", "rules", "known ns", "anew ns",
	       "1 by 1 ns", "classes", "blocks", "compile ms", "write ms");
	for (size_t i = 0; !r && i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		files(sizes[i]);
		r = measure(skel, "files", sizes[i], rounds, usual_attempt);
	}
	for (size_t i = 0; !r && i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		usual(sizes[i]);
		r = measure(skel, "usual", sizes[i], rounds, usual_attempt);
	}
	dear(RULES);
	if (!r)
		r = measure(skel, "dear", RULES, rounds, dear_attempt);
	match_bpf__destroy(skel);
	if (r)
		fprintf(stderr, "verdicts: %s\n", strerror(-r));
	return r != 0;
}
