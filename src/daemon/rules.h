/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The policy in force: which one, on trial until when, and what was before it. Loading is all or
 * nothing. What is decided is told (verdicts.h); what an application has of it is enforce.h.
 */
#ifndef FLOWNER_RULES_H
#define FLOWNER_RULES_H

#include "text/fail.h"
#include "policy/policy.h"
#include <flowner/policy.h>
#include <stdbool.h>
#include <sys/types.h>

struct agent;
struct enforce;
struct rules;
struct ruleset;
struct verdicts;

#define RULES_TRIAL_MAX_NS (24 * 3600 * 1000000000ull)
#define RULES_FOR_MAX_NS (366 * RULES_TRIAL_MAX_NS)

/* ENFORCE stays the caller's. CGROUP_MOUNT, which may be NULL, is copied. -ENOMEM, -errno. */
int rules_new(struct agent *agent, struct enforce *enforce, const char *cgroup_mount,
	      struct rules **ret_rules);
void rules_free(struct rules *r); /* before ENFORCE: what is in force ends with that */

/* How a policy is to be put in force, and by whom. */
struct rules_order {
	const struct policy_text *texts;
	size_t count;
	__u64 trial_ns; /* back to what was before when nobody confirms in time; 0: no trial */
	__u64 for_ns;	/* what is added goes again then; 0: it stays */
	bool cut;	/* what lives and would be rejected */
	bool force;	/* the caller's own session, too */
	pid_t caller;	/* 0: nobody who could be cut off */
};

/* What came of it. */
struct rules_outcome {
	__u64 generation;
	size_t rejected;  /* live flows that would not be let in now */
	size_t cut, left; /* of those, when they were to be cut */
	bool callers;	  /* the caller's session is one of those rejected */
	size_t added;	  /* rules */
	size_t audited;	  /* of those, in audit */
	__u64 ends_ns;	  /* CLOCK_BOOTTIME: when those go again; 0: they stay */
};

/*
 * -EINVAL, -E2BIG the texts are no policy; -EOPNOTSUPP this kernel cannot do it; -EBUSY it would
 * cut the caller off; -ENOSPC; -ENOMEM. F is the sentence, and what was in force still is.
 */
int rules_load(struct rules *r, const struct rules_order *order, struct rules_outcome *ret_outcome,
	       struct fail *f);

/*
 * The one text of ORDER comes into the policy in force, or is one: its rules before all others.
 * As rules_load(), of what is rejected only what was not before; and -EEXIST a rule has that name,
 * -EBUSY a trial is under way.
 */
int rules_add(struct rules *r, const struct rules_order *order, struct rules_outcome *ret_outcome,
	      struct fail *f);

/* The rule NAME goes out of it; -ENOENT there is none. ORDER has no text. The rest as above. */
int rules_delete(struct rules *r, const char *name, const struct rules_order *order,
		 struct rules_outcome *ret_outcome, struct fail *f);

/* The trial is over, its policy stays. -ENOENT there is none. */
int rules_confirm(struct rules *r, struct fail *f);

/* No policy any more, and no trial. -ENOENT there was none. */
int rules_clear(struct rules *r, struct fail *f);

/*
 * Continues with the policy that an earlier daemon left in force, its trial too. 1: it did, 0:
 * there was none; on failure what is in force goes on without us.
 */
int rules_resume(struct rules *r, struct fail *f);

/*
 * The policy of DIR/(any).yaml; without such files none. As rules_load(), and -errno of a file.
 * *RET_HARMLESS when it fails: nothing in there could have been enforced.
 */
int rules_load_dir(struct rules *r, const char *dir, bool *ret_harmless, struct fail *f);

int rules_fd(const struct rules *r);			/* readable: call rules_run() */
bool rules_run(struct rules *r, struct fail *ret_news); /* true: NEWS is a line for the log */

/* Now and then: what has been joined is told. */
void rules_tick(struct rules *r);

/* Interfaces and namespaces may have come and gone. */
void rules_look_again(struct rules *r);

/* From the event ring, SIZE bytes were checked. */
void rules_take(struct rules *r, const struct fl_verdict_event *e);

/* The same: a cgroup has come, of which the kernel side cannot tell alone what rules say of it. */
void rules_cgroup(struct rules *r, const struct fl_cgroup_event *e);

/* The same: somebody goes by an interface that nobody has gone by so far. */
void rules_link(struct rules *r, const struct fl_link_event *e);

const struct ruleset *rules_current(const struct rules *r); /* NULL: none is in force */
__u64 rules_trial_ends_ns(const struct rules *r);	    /* CLOCK_BOOTTIME; 0: no trial */
const struct enforce *rules_enforce(const struct rules *r);
const struct verdicts *rules_verdicts(const struct rules *r);
const char *rules_deaf(const struct rules *r);	  /* as reauthorize_deaf() */
const char *rules_trouble(const struct rules *r); /* one sentence for people, or "" */

#endif
