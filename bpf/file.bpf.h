/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a walk over open files finds behind one of them. */
#ifndef FLOWNER_FILE_BPF_H
#define FLOWNER_FILE_BPF_H

#include "compat.bpf.h"

#define S_IFMT 0170000
#define S_IFSOCK 0140000

/* A file of another kind has something else where a socket's has its struct socket. */
static __always_inline struct socket *socket_of_file(struct file *file)
{
	if (can_tracing_socket)
		return bpf_sock_from_file(file);
	if ((BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
		return NULL;
	return BPF_CORE_READ(file, private_data);
}

#endif /* FLOWNER_FILE_BPF_H */
