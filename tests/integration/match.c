/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random policies in the kernel's matcher against the rules read one by one, on attempts drawn at
 * the borders of the rules. No traffic: the program is run by BPF_PROG_TEST_RUN.
 * usage: match ATTEMPTS [SEED]     prints how many agreed; ends with 1 at the first that does not
 */
#include "policy/compile.h"
#include "match.skel.h"
#include "policy/policymaps.h"
#include "../unit/random_policy.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define OFTEN_HIT 1000 /* of more rules few are the first that matches in so many attempts */

static struct random_policy policy;

/* The share of a policy in the attempts: so many for each rule, but they are read one by one. */
static unsigned long weight(size_t rules)
{
	return rules > OFTEN_HIT ? OFTEN_HIT / 8 : rules;
}

/* The kernel takes an Ethernet header off the packet, and the program sees it put back on. */
static int run(int fd, __u32 slot, const struct fl_attempt *attempt, __u32 *ret_result)
{
	struct __sk_buff ctx = { .mark = slot };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = attempt, .data_size_in = sizeof(*attempt),
		    .ctx_in = &ctx, .ctx_size_in = sizeof(ctx));
	int r = bpf_prog_test_run_opts(fd, &opts);

	*ret_result = opts.retval;
	return r < 0 ? -errno : 0;
}

static __u32 expected(const struct fl_attempt *attempt, const struct compiled *c)
{
	int decides, audited;
	__u32 result = 0;

	says_policy(&policy, attempt, &decides, &audited);
	for (__u32 i = 0; i < c->policy.rules; i++) {
		if ((int)c->rules[i].tag == decides)
			result |= (i + 1) << 16;
		if ((int)c->rules[i].tag == audited)
			result |= i + 1;
	}
	return result;
}

static int agree(const struct match_bpf *skel, __u32 slot, size_t rules, uint64_t seed,
		 unsigned long attempts)
{
	struct compiled *c = NULL;
	struct policymaps maps;
	int r;

	random_policy(&policy, seed, rules);
	r = policymaps_find(skel->obj, &maps);
	if (!r)
		r = compile(policy.plain, rules, policy.defaults, &c);
	if (!r)
		r = policymaps_write(&maps, slot, seed, c);
	for (unsigned long i = 0; !r && i < attempts; i++) {
		struct fl_attempt a;
		__u32 got = 0, want;

		random_attempt(&policy, &a);
		want = expected(&a, c);
		r = run(bpf_program__fd(skel->progs.match), slot, &a, &got);
		if (!r && got != want) {
			fprintf(stderr, "seed %llu, %zu rules, attempt %lu: %08x, not %08x\n",
				(unsigned long long)seed, rules, i, got, want);
			r = -EBADE;
		}
	}
	compiled_free(c);
	if (!r)
		printf("%5zu rules, %lu attempts agree, %zu rules were hit\n", rules, attempts,
		       rules_hit(&policy));
	if (!r && rules_hit(&policy) * 10 < rules * (rules > OFTEN_HIT ? 1 : 9)) {
		fprintf(stderr, "only %zu of %zu rules were hit\n", rules_hit(&policy), rules);
		r = -EBADE;
	}
	return r;
}

/* Two policies of the same classes: what the first answered is not the answer of the second. */
static int forgets(const struct match_bpf *skel)
{
	const struct plain_default defaults[FL_HOOKS] = { { FL_PROCEED_SOFT, true, 0 } };
	const struct fl_attempt a = { .hook = FL_HOOK_LISTEN, .key.proto = FL_TCP };
	struct policymaps maps;
	int r = policymaps_find(skel->obj, &maps);

	for (__u32 enforced = 0; !r && enforced < 2; enforced++) {
		const struct plain_rule rule = { .hooks = 1 << FL_HOOK_LISTEN,
						 .tcp = true,
						 .enforced = enforced };
		struct compiled *c = NULL;
		__u32 got = 0;

		r = compile(&rule, 1, defaults, &c);
		if (!r)
			r = policymaps_write(&maps, 0, 1000000 + enforced, c);
		if (!r)
			r = run(bpf_program__fd(skel->progs.match), 0, &a, &got);
		if (!r && got != (enforced ? 1u << 16 : 1)) {
			fprintf(stderr, "an answer of another policy: %08x\n", got);
			r = -EBADE;
		}
		compiled_free(c);
	}
	return r;
}

int main(int argc, char **argv)
{
	static const size_t sizes[] = { 1, 10, 64, 100, 333, 1000, 10000 };
	const size_t count = sizeof(sizes) / sizeof(sizes[0]);
	const struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	unsigned long attempts = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000000;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	struct match_bpf *skel;
	size_t all = 0;
	int r = 0;

	setrlimit(RLIMIT_MEMLOCK, &unlimited);
	skel = match_bpf__open_and_load();
	if (!skel) {
		fprintf(stderr, "match: cannot load: %s\n", strerror(errno));
		return 1;
	}
	for (size_t i = 0; i < count; i++)
		all += weight(sizes[i]);
	for (size_t i = 0; !r && i < count; i++)
		r = agree(skel, i % FL_POLICY_SLOTS, sizes[i], seed + i,
			  attempts * weight(sizes[i]) / all + 1);
	if (!r)
		r = forgets(skel);
	match_bpf__destroy(skel);
	if (r)
		fprintf(stderr, "match: %s\n", strerror(-r));
	return r != 0;
}
