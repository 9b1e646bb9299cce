/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A tracing program is not run on a CPU that it runs on already, be it interrupted or preempted
 * there; programs of cgroups and of LSM are.
 */
#ifndef FLOWNER_SKIPPED_H
#define FLOWNER_SKIPPED_H

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

/* How often the kernel has skipped PROGRAM since it was loaded. Known since 5.12; 0 before, and of
 * NULL. */
static inline __u64 skipped_runs(const struct bpf_program *program)
{
	struct bpf_prog_info info = { 0 };
	__u32 len = sizeof(info);

	return bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &len) < 0
		       ? 0
		       : info.recursion_misses;
}

#endif
