/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The cgroup2 mount, as the mount table tells it, and ids of cgroup directories. All of them are
 * found by cgroupwalk.c; ids back to paths, with their cache, is names.c.
 */
#include "host/cgroup.h"

#include "text/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define PROC_CGROUP_INIT_INO 0xEFFFFFFBu /* include/linux/proc_ns.h; part of the ABI since 4.6 */

struct mount {
	const char *root;
	char *point;
	const char *fstype;
};

/* 36 35 98:0 /root /point rw,noatime master:1 - fstype source options: see proc(5). */
static bool mount_parse(char *line, struct mount *ret_mount)
{
	struct mount m = {};
	char *save, *word = strtok_r(line, " \n", &save);

	for (int i = 0; word && strcmp(word, "-") != 0; i++) {
		if (i == 3)
			m.root = word;
		else if (i == 4)
			m.point = word;
		word = strtok_r(NULL, " \n", &save);
	}
	m.fstype = word ? strtok_r(NULL, " \n", &save) : NULL;
	if (!m.point || !m.fstype)
		return false;
	*ret_mount = m;
	return true;
}

static bool is_octal(char c)
{
	return c >= '0' && c <= '7';
}

/* The kernel writes space, tab, newline and backslash as \ooo. In place: text only gets shorter. */
static void octal_unescape(char *text)
{
	char *out = text;

	for (const char *in = text; *in; in++) {
		if (*in == '\\' && is_octal(in[1]) && is_octal(in[2]) && is_octal(in[3])) {
			*out++ = (char)((in[1] - '0') << 6 | (in[2] - '0') << 3 | (in[3] - '0'));
			in += 3;
		} else {
			*out++ = *in;
		}
	}
	*out = '\0';
}

/* Bind mounts of a part of the tree may come first in the table: the whole tree is preferred. */
int cgroup_mount_from(const char *mountinfo, char **ret_path)
{
	_fclose_ FILE *file = fopen(mountinfo, "re");
	_free_ char *line = NULL, *best = NULL;
	size_t size = 0;
	bool whole = false;
	struct mount m;

	if (!file)
		return -errno;
	while (!whole && getline(&line, &size, file) >= 0) {
		if (!mount_parse(line, &m) || strcmp(m.fstype, "cgroup2") != 0)
			continue;
		whole = !strcmp(m.root, "/");
		if (best && !whole)
			continue;
		octal_unescape(m.point);
		free(best);
		best = strdup(m.point);
		if (!best)
			return -ENOMEM;
	}
	if (!best)
		return ferror(file) ? -EIO : -ENOENT;
	*ret_path = TAKE_PTR(best);
	return 0;
}

int cgroup_mount(char **ret_path)
{
	return cgroup_mount_from("/proc/self/mountinfo", ret_path);
}

int cgroup_id(int fd, __u64 *ret_id)
{
	/* the flexible array of struct file_handle needs storage behind it */
	union {
		struct file_handle handle;
		char bytes[sizeof(struct file_handle) + sizeof(__u64)];
	} u = { .handle.handle_bytes = sizeof(__u64) };
	struct statfs fs;
	int mount_id;

	if (fstatfs(fd, &fs))
		return -errno;
	if (fs.f_type != CGROUP2_SUPER_MAGIC)
		return -EINVAL;
	if (name_to_handle_at(fd, "", &u.handle, &mount_id, AT_EMPTY_PATH))
		return -errno;
	if (u.handle.handle_bytes != sizeof(*ret_id))
		return -EINVAL;
	memcpy(ret_id, u.handle.f_handle, sizeof(*ret_id));
	return 0;
}

int cgroup_is_host_namespace(bool *ret_host)
{
	struct stat st;

	if (stat("/proc/self/ns/cgroup", &st))
		return -errno;
	*ret_host = st.st_ino == PROC_CGROUP_INIT_INO;
	return 0;
}
