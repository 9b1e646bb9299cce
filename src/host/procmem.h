/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What /proc tells of a process's memory: its arguments and what it has mapped. For these the
 * kernel takes the lock of that memory, which its user can have held for as long as he likes (by a
 * file system of his own that does not answer). So they are asked for in threads, a second is the
 * most that anybody waits, and two of every twenty are lost by it at the most; then nothing is
 * known.
 *
 * For one thread.
 */
#ifndef FLOWNER_PROCMEM_H
#define FLOWNER_PROCMEM_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Up to SIZE bytes of DIR/cmdline, DIR being open at /proc/PID; -ETIMEDOUT, -EAGAIN too many have
 * not answered, -errno. */
ssize_t procmem_args(int dir, char *buf, size_t size);

/* PID has the file INODE of DEV (a kernel dev_t) mapped; false also when nobody says so. */
bool procmem_maps(__u32 pid, __u32 dev, __u64 inode);

#endif
