/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names people use for numbers: users through the host's name service (cached, bounded), systemd
 * units and container ids from a cgroup path.
 */
#ifndef FLOWNER_NAMES_H
#define FLOWNER_NAMES_H

#include <linux/types.h>
#include <stdbool.h>

#define CONTAINER_ID_MAX 65 /* 64 hex digits and the NUL */
#define UNIT_MAX 256	    /* systemd's UNIT_NAME_MAX, NUL included */

struct names;

int names_new(struct names **ret_names);
void names_free(struct names *names);

/*
 * NULL when the uid has no name, or the name service has not said so yet: it is waited for a tenth
 * of each second at the most. Valid until the next call; asked again after a minute.
 */
const char *names_user(struct names *names, __u32 uid);

/*
 * Path below the cgroup2 mount ("/system.slice/x.service") of the cgroup with this id, or NULL when
 * the cgroup is gone or unknown. Found by open_by_handle_at() on the cgroup2 mount, bounded cache;
 * once seen, a path is remembered after the cgroup has gone. Valid until the next call.
 */
const char *names_cgroup(struct names *names, __u64 cgroup_id);

/*
 * Pure. Innermost systemd unit of PATH (*.service, *.scope, *.socket, ...; its \x2d stay as systemd
 * prints them; a slice is no unit), and the innermost container id of the runtimes that write one
 * there (docker, containerd, podman, CRI-O, Kubernetes with either cgroup driver; LXC and
 * systemd-nspawn by name). -ENOENT when there is none.
 */
int cgroup_path_unit(const char *path, char ret_unit[UNIT_MAX]);
int cgroup_path_container(const char *path, char ret_id[CONTAINER_ID_MAX]);

/*
 * The same as a rule means it, whom nobody may fool: the unit of the system's own manager, which is
 * the first below its slices, and the outermost container. What is further in may be called by
 * somebody else: by a user, whose manager has cgroups of its own, or in a container. *RET_USERS:
 * also the outermost one is a user's.
 */
int cgroup_path_system_unit(const char *path, char ret_unit[UNIT_MAX]);
int cgroup_path_outer_container(const char *path, char ret_id[CONTAINER_ID_MAX], bool *ret_users);

#endif
