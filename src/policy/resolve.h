/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A policy's names into numbers of this machine, and kept so: files that are replaced, cgroups
 * and namespaces that come and go. A name that stands for nothing yet is kept, reported,
 * and matches nothing.
 *
 *	resolution_new(policy, &world, &r, &error);
 *	compile(resolution_rules(r, &n), n, policy->defaults, &c);    policymaps_write(...)
 *	on resolution_fd(r):  resolution_run(r, c, write_change, arg)
 */
#ifndef FLOWNER_RESOLVE_H
#define FLOWNER_RESOLVE_H

#include "policy/compile.h"
#include "policy/policy.h"

struct resolution;

/* What the caller knows of the machine. */
struct resolve_world {
	const char *cgroup_mount; /* NULL: there is none */
	/* Cookie of the network namespace with this inode; 0: the caller's own. -ENOENT unknown. */
	int (*netns_cookie)(void *arg, __u32 inum, __u64 *ret_cookie);
	/* ADDR is one of the caller's own network namespace. NULL: none is known to be. */
	bool (*has_address)(void *arg, const struct fl_addr *addr);
	void *arg;
	/* Who is named there is not looked up again; for resolution_new() alone. NULL: nobody. */
	const struct resolution *known;
};

/*
 * One value that another set of rules accepts now. The caller writes class CLASS of GROWN, when
 * that is not NULL, first, then KEY -> CLASS in the slot in use; GONE: takes KEY out.
 */
struct resolve_change {
	struct value_key key;
	__u32 class;
	const struct compiled *grown; /* which has that class now, and had not before; or NULL */
	bool gone;
};

typedef int (*resolve_change_fn)(void *arg, const struct resolve_change *change);

struct unresolved {
	const struct policy_rule *rule;
	const struct policy_word *word;
	enum policy_attribute attribute;
	const char *why; /* "no such file" */
};

/*
 * POLICY and what WORLD points to must outlive it; WORLD itself is copied. -EINVAL with ERROR: a
 * user or group that does not exist; other names may come later. -ENOMEM; negative errno of what
 * the system would not do. Works without root, for what one may see then.
 */
int resolution_new(const struct policy *policy, const struct resolve_world *world,
		   struct resolution **ret_resolution, struct policy_error *error);
void resolution_free(struct resolution *r);

/* Same order and number as the policy's rules; tag is the index. Changes with the calls below. */
const struct plain_rule *resolution_rules(const struct resolution *r, size_t *ret_count);

/* Every word that stands for nothing now. FN's first non-zero value ends the walk. */
int resolution_unresolved(const struct resolution *r,
			  int (*fn)(void *arg, const struct unresolved *u), void *arg);

/* For epoll: readable when resolution_run() has work. */
int resolution_fd(const struct resolution *r);

/*
 * These tell FN what became different against C, which was compiled from resolution_rules() and
 * grows. -E2BIG C has no room for another class: compile and load anew. FN's error is returned; all
 * changes are made in resolution_rules() nevertheless.
 */
int resolution_run(struct resolution *r, struct compiled *c, resolve_change_fn fn, void *arg);
int resolution_cgroup_came(struct resolution *r, __u64 id, const char *path, struct compiled *c,
			   resolve_change_fn fn, void *arg); /* PATH below the cgroup2 mount */
int resolution_cgroup_gone(struct resolution *r, __u64 id, struct compiled *c, resolve_change_fn fn,
			   void *arg);
/* All cgroups that are there now: those not known come, those that are not there go. */
int resolution_look_at_cgroups(struct resolution *r, struct compiled *c, resolve_change_fn fn,
			       void *arg);
/* FL_WANTS_*: what the policy asks of cgroups' names. */
__u32 resolution_wants(const struct resolution *r);
/* Two words, which nobody else knows: the names of cgroups to come are hashed with it. */
const __u64 *resolution_birth_key(const struct resolution *r);
/* Network namespaces once more: when some have come or gone. -E2BIG, too, when an address that is
 * redirected to has. */
int resolution_look_again(struct resolution *r, struct compiled *c, resolve_change_fn fn,
			  void *arg);

/* -ENOENT: there is no such user or group; a group may also be given as its number. */
int resolve_user(const char *name, __u64 *ret_uid);
int resolve_group(const char *name, __u64 *ret_gid);

/* -EINVAL with ERROR: POLICY names a user or group that does not exist. */
int resolve_people(const struct policy *policy, struct policy_error *error);

/*
 * Whether PATH of a cgroup is one that WORD of TERM, a `cgroup`, `unit` or `container` of RULE,
 * means. A container that a user has called so is what restricts more. Pure.
 */
bool resolve_container_matches(const char *word, const char *id);
bool resolve_cgroup_matches(const struct policy_rule *rule, const struct policy_term *term,
			    const char *word, const char *path);

#endif
