/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Verdict programs without a kernel: what was loaded last is in ENFORCED, and it may be told to
 * refuse. Every function of enforce.h is defined here.
 */
#ifndef FLOWNER_TESTS_FAKE_ENFORCE_H
#define FLOWNER_TESTS_FAKE_ENFORCE_H

#include "policy/compile.h"
#include "policy/enforce.h"
#include <errno.h>
#include <string.h>

static struct {
	__u64 generation; /* 0 = nothing is in force */
	__u64 loads, clears, changes, confirms;
	struct enforce_policy policy;
	const struct enforce_resumed *left; /* by an earlier daemon; NULL nothing */
	__u32 hooks, rules;
	__u32 hits[8]; /* where those of the first rules go on from */
	__u32 closed_hooks;
	bool late_allowed, misses_cgroups;
	__u64 rejected_in;
	__u32 rejected_inum;
	int prohibits;
	unsigned int looked_again;
	int refuse; /* given by the next load when not 0 */
	int refuse_change;
	int (*judge_again)(__u64 flow_id, __u32 ifindex);
	struct enforce_row rows[2];
} enforced;

int enforce_new(int cgroup_fd, __u64 scope, const char *pin_dir, const struct prohibit_mark *mark,
		const struct hooks *hooks, struct enforce **ret_enforce)
{
	(void)hooks;
	(void)mark;
	(void)cgroup_fd;
	(void)scope;
	(void)pin_dir;
	(void)ret_enforce;
	return -ENOSYS;
}

void enforce_free(struct enforce *e, bool keep)
{
	(void)e;
	(void)keep;
}

void enforce_count_skipped(struct enforce *e, const struct maps *m)
{
	(void)e;
	(void)m;
}

static bool kernel_lifts;

bool enforce_lifts(void)
{
	return kernel_lifts;
}

int enforce_load(struct enforce *e, const struct enforce_policy *p, struct fail *f)
{
	(void)e;
	if (enforced.refuse)
		return fail(f, enforced.refuse, "the kernel says no");
	enforced.generation = ++enforced.loads;
	enforced.hooks = p->hooks;
	enforced.rules = p->compiled->policy.rules;
	enforced.closed_hooks = p->closed_hooks;
	enforced.late_allowed = p->late_allowed;
	enforced.policy = *p;
	enforced.policy.hits = NULL; /* the caller's, for this call */
	for (__u32 i = 0; p->hits && i < enforced.rules && i < 8; i++)
		enforced.hits[i] = p->hits[i];
	return 0;
}

int enforce_confirm(struct enforce *e)
{
	(void)e;
	enforced.confirms++;
	return 0;
}

int enforce_resume(struct enforce *e, struct enforce_resumed *ret_resumed, struct fail *f)
{
	(void)e;
	(void)f;
	if (!enforced.left)
		return 0;
	*ret_resumed = *enforced.left;
	return 1;
}

void enforce_resumed_release(struct enforce_resumed *r)
{
	(void)r; /* the test's */
}

bool enforce_misses_cgroups(const struct enforce *e)
{
	(void)e;
	return enforced.misses_cgroups;
}

int enforce_change(struct enforce *e, const struct value_key *key, __u32 class,
		   const struct compiled *grown, bool gone)
{
	(void)e;
	(void)key;
	(void)class;
	(void)grown;
	(void)gone;
	if (!enforced.generation)
		return -ENOENT;
	enforced.changes++;
	return enforced.refuse_change;
}

int enforce_judge_again(const struct enforce *e, __u64 flow_id, __u32 ifindex)
{
	(void)e;
	return enforced.judge_again ? enforced.judge_again(flow_id, ifindex) : FL_AGAIN_PROCEEDS;
}

int enforce_link_program(const struct enforce *e)
{
	(void)e;
	return -1;
}

void enforce_clear(struct enforce *e)
{
	(void)e;
	enforced.clears++;
	enforced.generation = 0;
}

void enforce_rejected_in(struct enforce *e, __u64 netns_cookie, __u32 netns_inum)
{
	(void)e;
	enforced.rejected_in = netns_cookie;
	enforced.rejected_inum = netns_inum;
}

void enforce_look_again(struct enforce *e)
{
	(void)e;
	enforced.looked_again++;
}

int enforce_prohibits(const struct enforce *e)
{
	(void)e;
	return enforced.prohibits;
}

bool enforce_limits(const struct enforce *e)
{
	(void)e;
	return false;
}

bool enforce_locks(const struct enforce *e)
{
	(void)e;
	return true;
}

bool enforce_holds_places(const struct enforce *e)
{
	(void)e;
	return false;
}

bool enforce_redirects(const struct enforce *e)
{
	(void)e;
	return enforced.policy.redirects;
}

__u64 enforce_generation(const struct enforce *e)
{
	(void)e;
	return enforced.generation;
}

int enforce_hits(const struct enforce *e, __u32 rule, __u64 *ret_hits)
{
	(void)e;
	*ret_hits = 100 + rule;
	return 0;
}

size_t enforce_row_count(void)
{
	return sizeof(enforced.rows) / sizeof(enforced.rows[0]);
}

const struct enforce_row *enforce_row(const struct enforce *e, size_t i)
{
	(void)e;
	return &enforced.rows[i];
}

#endif
