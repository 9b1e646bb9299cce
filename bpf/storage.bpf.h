/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is kept of a socket with the socket itself, and ends with it. */
#ifndef FLOWNER_STORAGE_BPF_H
#define FLOWNER_STORAGE_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

/*
 * What MAP keeps of SK, made where there is nothing yet. The walk makes it without the lock under
 * which hooks run, and of two that make it at once the kernel refuses one, by now needlessly: it
 * asks again. NULL: there is no memory.
 */
static __always_inline void *storage_make(void *map, void *sk)
{
	void *made = bpf_sk_storage_get(map, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);

	return made ? made : bpf_sk_storage_get(map, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
}

#endif /* FLOWNER_STORAGE_BPF_H */
