/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What this kernel allows, found out by doing the real thing once with an empty program; never by
 * version. Loading is not proof that a program is called: selftest.h is.
 */
#ifndef FLOWNER_PROBE_H
#define FLOWNER_PROBE_H

#include <linux/types.h>

#include "text/fail.h"

struct hook;

/*
 * Loads (and, for kprobes, attaches) an empty program the way HOOK would be. 0 when the kernel
 * takes it, or when there is no cheap trial and the real load will tell; negative errno of its
 * refusal.
 */
int probe_hook(const struct hook *hook);

/* Whether programs of every kind we use may call this helper (enum bpf_func_id) without arguments.
 * 0, or negative errno. */
int probe_helper(int helper);

/* Whether tracing programs may look at socket storage. 0, or negative errno. */
int probe_tracing_storage(void);

/* The value that the kernel's enumerator NAME has: of an enum without a name, which CO-RE cannot
 * ask for. 0, -ENOENT there is none, or negative errno: the kernel's types are not to be had. */
int probe_enumerator(const char *name, __u32 *ret_value);

/* Whether tracing programs may take a lock. 0, or negative errno. */
int probe_tracing_lock(void);

/* Whether a tracing program may be loaded at all. 0, or negative errno. */
int probe_tracing_load(void);

/* What nothing works without, each with its own sentence: BTF, the capabilities, a ring buffer. */
int probe_kernel(struct fail *f);

#endif
