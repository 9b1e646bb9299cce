/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/constants.h"
#include "flowner.skel.h"
#include "kernel/probe.h"

#include <linux/bpf.h>
#include <sys/syscall.h>

void constants_set(struct flowner_bpf *s)
{
	s->rodata->can_task_btf = !probe_helper(BPF_FUNC_get_current_task_btf);
	s->rodata->can_tracing_socket = !probe_tracing_storage();
#ifdef SYS_accept
	s->rodata->accept_syscalls[0] = SYS_accept;
#endif
	s->rodata->accept_syscalls[1] = SYS_accept4;
#ifdef SYS_socketcall
	s->rodata->socketcall_syscall = SYS_socketcall;
#endif
}
