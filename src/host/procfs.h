/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One look at one process in /proc, for processes older than the agent: what was there between two
 * equal reads of start time, parent, executable and stack, so that a reused pid or an exec in
 * between gives nothing instead of a mixture.
 */
#ifndef FLOWNER_PROCFS_H
#define FLOWNER_PROCFS_H

#include <flowner/flow.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct procfs {
	char *exe;  /* without " (deleted)" */
	char *args; /* ARGS_LEN bytes with NULs; NULL = none or not ours to see */
	size_t args_len;
	bool args_truncated;
	__u64 cgroup_id; /* 0 = not known */
	__u64 exe_inode;
	__u32 exe_dev; /* kernel dev_t, as in struct fl_process */
	__u32 exe_flags;
	__u32 login_uid;
	struct fl_ancestor parent; /* pid 0 = not known; start_ns stays 0: /proc rounds to ticks */
	char comm[FL_COMM_LEN];
};

/*
 * -ENOENT: no such process, another one with this pid, a kernel thread, one whose leader exited, or
 * one that changed while we looked. RET_PROC is released by the caller with procfs_release().
 */
int procfs_read(const struct fl_proc_key *key, struct procfs *ret_proc);
void procfs_release(struct procfs *proc);

/*
 * False when the process of KEY is certainly gone: no such pid, or one that started at another
 * time. Says nothing about its image. True when /proc cannot tell.
 */
bool procfs_runs(const struct fl_proc_key *key);

/* When this process, or that with PID, started, as its stat in /proc has it; 0: that cannot be
 * read. */
__u64 procfs_own_ticks(void);
__u64 procfs_ticks(__u32 pid);

/* As stat() says, which may be another device than the kernel side's. */
struct procfs_exe {
	dev_t dev;
	ino_t inode;
	nlink_t links;
};

/*
 * The file that runs: LINK is PID/exe below DIR. Its file system is not asked, which may be
 * somebody's own, or far away, and not answer. -ENOENT, -errno.
 */
int procfs_exe(int dir, const char *link, struct procfs_exe *ret_exe);

/* False in a pid namespace below the first: the kernel side's pids are not those in /proc then. */
bool procfs_has_host_pids(void);

#endif
