/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The programs with verdicts that are attached, each once whatever asks for it, and pinned by its
 * name: a killed daemon's go on, and the next one puts its own in their place.
 */
#ifndef FLOWNER_POLICYLINKS_H
#define FLOWNER_POLICYLINKS_H

#include <stdbool.h>
#include <stddef.h>

struct bpf_link;
struct bpf_object;
struct bpf_program;

#define POLICYLINKS_MAX 32

struct policylinks {
	int cgroup_fd;	 /* not ours */
	const char *dir; /* of the pins, the caller's */
	size_t count;
	struct policylink {
		const char *program; /* the object's */
		struct bpf_link *link;
		bool parked; /* attached, and nobody asks for it */
	} links[POLICYLINKS_MAX];
};

/* Attaches P and pins it; that it is attached already is fine. Negative errno. */
int policylinks_attach(struct policylinks *l, struct bpf_program *p);

/*
 * Detaches every program that WANTED says no of (all when it is NULL). One that is not of a cgroup
 * can be attached only once before Linux 5.13: as long as another may be wanted it is parked,
 * without a pin, and goes on being asked by the kernel, of what no rule is about.
 */
void policylinks_keep(struct policylinks *l, bool (*wanted)(const char *program, void *arg),
		      void *arg);

/* Detaches PROGRAM, which will not be wanted again. */
void policylinks_drop(struct policylinks *l, const char *program);

bool policylinks_have(const struct policylinks *l, const char *program);

/* What a daemon that was killed while it pinned has left in the directory goes by its name. */
void policylinks_mend(const struct policylinks *l);

/*
 * Every program pinned in the directory is replaced by that of OBJECT with the same name, without a
 * moment in which neither is there. What OBJECT has not loaded is taken off. Negative errno: the
 * rest is as it was.
 */
int policylinks_resume(struct policylinks *l, struct bpf_object *object);

/* Lets go of all; what is pinned stays attached. */
void policylinks_release(struct policylinks *l);

#endif
