/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The programs with verdicts: those that a policy needs are loaded with it, attached at the hooks
 * it names, and gone when it is cleared. What this kernel can do at each hook, and what an
 * application sees of it.
 */
#ifndef FLOWNER_ENFORCE_H
#define FLOWNER_ENFORCE_H

#include "text/fail.h"
#include "kernel/hooks.h"
#include <flowner/policy.h>
#include <stdbool.h>
#include <stddef.h>

struct compiled;
struct value_key;
struct enforce;
struct maps;
struct policy_text;
struct prohibit_mark;

#define ENFORCE_PROGRAMS 5 /* of one row, at most */

/* One way to judge at a hook; the rows of a hook stand together, best first. */
struct enforce_row {
	enum fl_hook hook;
	const char *attach; /* as in the ELF section name, without 4 and 6 */
	const char *programs[ENFORCE_PROGRAMS];
	const char *sees;	/* what the application whose attempt is rejected gets */
	const char *sees_eperm; /* the same where programs cannot choose the error, or NULL */
	const char *limit;	/* what this way cannot do, or NULL */
	bool late;		/* the attempt succeeds first and is undone */
	bool tested;		/* attaching proves nothing: it is seen to deny */
	enum hook_status status;
	int error; /* positive errno of the refusal */
};

/*
 * CGROUP_FD where to attach; SCOPE the cgroup's id, 0 for all; PIN_DIR has the maps of track.h, and
 * below it is what the daemon that comes after a killed one continues with; MARK, see prohibit.h.
 * What HOOKS forbids is not used.
 */
int enforce_new(int cgroup_fd, __u64 scope, const char *pin_dir, const struct prohibit_mark *mark,
		const struct hooks *hooks, struct enforce **ret_enforce);

/* For hooks_forbid(): WORD names a way to judge instead of which there is another, or a program
 * that one can do without. */
bool enforce_may_forbid(const char *word, size_t len);

/* Whether PROCEED_HARD can lift here what another program denied. */
bool enforce_lifts(void);

/* KEEP: the policy goes on without us; else everything is detached. */
void enforce_free(struct enforce *e, bool keep);

/* What is to be in force. */
struct enforce_policy {
	const struct compiled *compiled;
	__u32 hooks;	    /* bit 1 << enum fl_hook: those it names */
	__u32 closed_hooks; /* the same: where it rejects what cannot be judged */
	bool late_allowed;  /* a hook may be judged after the fact */
	bool redirects;	    /* a rule redirects connections */
	bool again;	    /* what AREA has is of this policy: its hits go on */
	__u32 area;	   /* of policy.h: not that of another policy which is or may be in force */
	__u32 hits_area;   /* of what was edited to this, FL_AREA_NONE: not by an edit */
	const __u32 *hits; /* of rule i as compiled: its place there, FL_NO_RULE: it is new */
	__u64 since_ns;
	__u64 trial_ends_ns; /* CLOCK_BOOTTIME; 0: no trial */
	__u32 before;	     /* of a trial: area of what comes back then, or FL_AREA_NONE */
	const struct policy_text *texts;
	size_t text_count;
	const struct fl_spared *spared; /* FL_SPARED_MAX */
	/* Before the last step: enforce_change() changes what is about to be in force, by what has
	 * come while it was written. Negative errno. */
	int (*last_look)(void *arg);
	void *arg;
};

/*
 * P is the policy from now on, at once and as a whole. On failure what was before stays.
 * -EOPNOTSUPP a hook can only be judged late and may not be.
 */
int enforce_load(struct enforce *e, const struct enforce_policy *p, struct fail *f);

/* Nothing is on trial any more. */
int enforce_confirm(struct enforce *e);

/* What an earlier daemon had in force. No text: it cannot be read, or was too long. */
struct enforce_kept {
	__u32 area;
	__u64 since_ns;
	struct policy_text *texts;
	size_t text_count;
	struct fl_spared spared[FL_SPARED_MAX];
};

struct enforce_resumed {
	struct enforce_kept current;
	struct enforce_kept before; /* of a trial; area FL_AREA_NONE: nothing */
	__u64 trial_ends_ns;	    /* 0: no trial */
};

/*
 * Takes the place of an earlier daemon, without a moment in which its policy is off. 1: there is
 * one, and RET_RESUMED is released by the caller; 0: there is none. -ESTALE its maps have another
 * layout.
 */
int enforce_resume(struct enforce *e, struct enforce_resumed *ret_resumed, struct fail *f);
void enforce_resumed_release(struct enforce_resumed *r);

/* Some new cgroup found no room in the policy's tables: see fl_policy.cgroups_missed. */
bool enforce_misses_cgroups(const struct enforce *e);

/*
 * The policy in use has another class for the value KEY, or GONE: none. It is of GROWN, when that
 * is not NULL, and was not written before. -ENOENT no policy; -ENOSPC full.
 */
int enforce_change(struct enforce *e, const struct value_key *key, __u32 class,
		   const struct compiled *grown, bool gone);

/* No policy any more: everything is detached. */
void enforce_clear(struct enforce *e);

/* Connections are, or have been under an earlier policy: who asks is told where they were to go. */
bool enforce_redirects(const struct enforce *e);

/* A connect() was rejected there at CONNECT_AUTHORIZATION: the next will be so at once. */
void enforce_rejected_in(struct enforce *e, __u64 netns_cookie, __u32 netns_inum);

/* What makes it so may have gone, or could not be made: the next that is rejected shows it. */
void enforce_look_again(struct enforce *e);

/* 0, or why not in the last such namespace: negative errno. */
int enforce_prohibits(const struct enforce *e);

/* A rule has a limit, and whether of those who listen at once as many get through as may. */
bool enforce_limits(const struct enforce *e);
bool enforce_locks(const struct enforce *e);

/* A place that was taken for a listen() which fails comes back at the next listen() of that thread,
 * or at its end; else at once. */
bool enforce_holds_places(const struct enforce *e);

/* 0 when there is no policy. */
__u64 enforce_generation(const struct enforce *e);

/* Attempts that rule RULE, as compiled, has decided or in audit would have. */
int enforce_hits(const struct enforce *e, __u32 rule, __u64 *ret_hits);

/*
 * CONNECT_AUTHORIZATION of the live flow FLOW_ID by the interface IFINDEX, 0: no rule asks for
 * that. An enum fl_again_answer, or negative errno. What comes of it is told and counted as at
 * first.
 */
int enforce_judge_again(const struct enforce *e, __u64 flow_id, __u32 ifindex);

/* The program that looks at an interface before that, for netns_run(). -ENOENT no policy. */
int enforce_link_program(const struct enforce *e);

/* Adds to FL_CNT_VERDICT_SKIPPED of M what the kernel let pass unjudged since the last call. */
void enforce_count_skipped(struct enforce *e, const struct maps *m);

size_t enforce_row_count(void);
const struct enforce_row *enforce_row(const struct enforce *e, size_t i);

#endif
