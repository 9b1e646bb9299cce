/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The programs with verdicts, each loaded when something asks for it: the kernel verifies what it
 * loads, which takes longer than all else about a policy. All share their maps, by pins.
 */
#ifndef FLOWNER_POLICYPROGRAMS_H
#define FLOWNER_POLICYPROGRAMS_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

struct bpf_object;
struct bpf_program;
struct verdict_bpf;

#define POLICYPROGRAMS_LOADS 16 /* at most, each of something not loaded before */

/* What the programs have for constants. */
struct policyprograms_constants {
	__u64 scope; /* cgroup id, 0: all */
	__u32 prohibited_mark, prohibited_mask;
	__u64 no_port_flag; /* of inet_sock.inet_flags; 0: there is none */
	bool can_set_retval, can_lock;
};

struct policyprograms {
	const char *shared; /* directory of the tracking programs' pins, the caller's */
	const char *dir;    /* of ours, the caller's */
	struct policyprograms_constants constants;
	size_t count; /* 0: nothing is loaded */
	struct verdict_bpf *loads[POLICYPROGRAMS_LOADS];
	__u64 shape; /* see layout.h; of what is loaded */
};

/*
 * Loads those that WANTED says yes of and that are not loaded yet; the maps are there after the
 * first time, even if none is wanted. Negative errno, -ENOSPC asked for too often: what was loaded
 * before is, and none of these.
 */
int policyprograms_load(struct policyprograms *p, bool (*wanted)(const char *program, void *arg),
			void *arg);

/* That one; NULL: it is not loaded. */
struct bpf_program *policyprograms_find(const struct policyprograms *p, const char *program);

/* Whose maps all others share; NULL: nothing is loaded. */
struct bpf_object *policyprograms_object(const struct policyprograms *p);

/* The shape that maps of ours have, see layout.h, without loading anything. Negative errno. */
int policyprograms_shape(__u64 *ret_shape);

/* What is attached or pinned stays so. */
void policyprograms_unload(struct policyprograms *p);

#endif
