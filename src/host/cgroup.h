/* SPDX-License-Identifier: BSD-2-Clause */
/* Where cgroup2 is mounted, whether we see the host's root of it, and ids of its directories. */
#ifndef FLOWNER_CGROUP_H
#define FLOWNER_CGROUP_H

#include <linux/types.h>
#include <stdbool.h>

/* Mount point of cgroup2 from the mount table (hybrid hosts too); caller frees. -ENOENT none. */
int cgroup_mount(char **ret_path);

/* Same, from a given mountinfo file: for tests. */
int cgroup_mount_from(const char *mountinfo, char **ret_path);

/*
 * The id programs see (bpf_get_current_cgroup_id), of the directory open at FD. -EINVAL when that
 * is not in cgroup2.
 */
int cgroup_id(int fd, __u64 *ret_id);

/*
 * FN for every cgroup below the mount point MOUNT, its root ("/") first, a parent before what is
 * below it, however they are called and how deep they stand. PATH has less than PATH_MAX bytes: of
 * one that stands deeper it is that of the nearest above which has room. What is removed meanwhile
 * is passed over. FN's first non-zero value ends the walk and is returned; -errno: some could not
 * be looked at.
 */
int cgroup_each(const char *mount, int (*fn)(void *arg, __u64 id, const char *path), void *arg);

/*
 * False inside a private cgroup namespace, where the mount's root is not the host's. The host's
 * cgroup namespace has the fixed inode PROC_CGROUP_INIT_INO (0xEFFFFFFB).
 */
int cgroup_is_host_namespace(bool *ret_host);

#endif
