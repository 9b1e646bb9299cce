/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * /proc/PID through one directory descriptor: it stays with the process it was opened for, so all
 * reads are of one process; that it is the one meant is told by its start time.
 */
#include "host/procfs.h"

#include "host/cgroup.h"
#include "host/procmem.h"
#include "text/cleanup.h"
#include "text/textfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define PROC_PID_INIT_INO 0xEFFFFFFCu /* include/linux/proc_ns.h */
#define DELETED " (deleted)"
#define MEMFD "/memfd:"

/* What must not change while we look. */
struct identity {
	__u64 start_ticks;
	__u64 stack_start; /* random in every image; 0 where not ours to see */
	__u32 parent;
	struct procfs_exe exe;
};

static ssize_t text_read(int dir, const char *name, char *buf, size_t size)
{
	ssize_t n = textfile_read_at(dir, name, buf, size - 1);

	if (n >= 0)
		buf[n] = '\0';
	return n;
}

/* Fields 4, 22, 28. The name in field 2 may hold anything: count from its last parenthesis. */
static int stat_parse(const char *stat, struct identity *id)
{
	const char *rest = strrchr(stat, ')');
	char *end;

	if (!rest || strlen(rest) < 4)
		return -ENOENT;
	rest += 4; /* ") S": now before field 4 */
	for (int field = 4; field <= 28; field++, rest = end) {
		unsigned long long value = strtoull(rest, &end, 10);

		if (end == rest)
			return -ENOENT;
		if (field == 4)
			id->parent = (__u32)value;
		else if (field == 22)
			id->start_ticks = value;
		else if (field == 28)
			id->stack_start = value;
	}
	return 0;
}

int procfs_exe(int dir, const char *link, struct procfs_exe *ret_exe)
{
	struct statx stx;

	/* through the magic link: the file that runs, whatever its name leads to today */
	if (statx(dir, link, AT_STATX_DONT_SYNC, STATX_INO | STATX_NLINK, &stx) < 0)
		return errno == ESRCH ? -ENOENT : -errno;
	*ret_exe = (struct procfs_exe){
		.dev = makedev(stx.stx_dev_major, stx.stx_dev_minor),
		.inode = stx.stx_ino,
		.links = stx.stx_nlink,
	};
	return 0;
}

static int identity_read(int dir, struct identity *ret_id)
{
	struct identity id = {};
	char text[2048];
	int r;

	if (text_read(dir, "stat", text, sizeof(text)) <= 0 || stat_parse(text, &id))
		return -ENOENT;
	r = procfs_exe(dir, "exe", &id.exe);
	if (r < 0)
		return r;
	*ret_id = id;
	return 0;
}

static bool identity_equal(const struct identity *a, const struct identity *b)
{
	return a->start_ticks == b->start_ticks && a->stack_start == b->stack_start &&
	       a->parent == b->parent && a->exe.dev == b->exe.dev && a->exe.inode == b->exe.inode &&
	       a->exe.links == b->exe.links;
}

/* A file may be called "x (deleted)": only a file without links has lost its name. */
static void exe_strip(char *exe, nlink_t links, __u32 *flags)
{
	size_t len = strlen(exe), tail = strlen(DELETED);

	if (links || len <= tail || strcmp(exe + len - tail, DELETED) != 0)
		return;
	exe[len - tail] = '\0';
	*flags |= FL_EXE_DELETED;
	if (!strncmp(exe, MEMFD, strlen(MEMFD)))
		*flags |= FL_EXE_MEMFD;
}

static int exe_read(int dir, nlink_t links, struct procfs *proc)
{
	char exe[PATH_MAX + 1];
	ssize_t n = readlinkat(dir, "exe", exe, sizeof(exe) - 1);

	if (n < 0)
		return errno == ESRCH ? -ENOENT : -errno;
	if (n == 0)
		return -ENOENT;
	exe[n] = '\0';
	exe_strip(exe, links, &proc->exe_flags);
	proc->exe = strdup(exe);
	return proc->exe ? 0 : -ENOMEM;
}

/* One byte more than we keep tells whether there was more. */
static int args_read(int dir, struct procfs *proc)
{
	char args[FL_ARGS_MAX + 1];
	ssize_t n = procmem_args(dir, args, sizeof(args));

	if (n <= 0)
		return 0;
	proc->args_truncated = n > FL_ARGS_MAX;
	proc->args_len = proc->args_truncated ? FL_ARGS_MAX : (size_t)n;
	proc->args = malloc(proc->args_len + 1);
	if (!proc->args)
		return -ENOMEM;
	memcpy(proc->args, args, proc->args_len);
	proc->args[proc->args_len] = '\0';
	return 0;
}

static void comm_read(int dir, char comm[FL_COMM_LEN])
{
	char text[FL_COMM_LEN + 1];
	ssize_t n = text_read(dir, "comm", text, sizeof(text));

	if (n <= 0)
		return;
	if (text[n - 1] == '\n')
		text[--n] = '\0';
	memcpy(comm, text, n < FL_COMM_LEN ? (size_t)n : FL_COMM_LEN - 1);
}

static void login_read(int dir, __u32 *login_uid)
{
	char text[32];

	if (text_read(dir, "loginuid", text, sizeof(text)) > 0)
		*login_uid = (__u32)strtoul(text, NULL, 10);
}

/* The parent cannot have gone (and its pid be reused) while the child still names it as parent. */
static void parent_read(__u32 pid, struct fl_ancestor *parent)
{
	_close_ int dir = -1;
	char path[32];

	if (!pid)
		return;
	snprintf(path, sizeof(path), "/proc/%u", pid);
	dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return;
	comm_read(dir, parent->comm);
	if (parent->comm[0])
		parent->pid = pid;
}

/* The line "0::/path" of the unified hierarchy, as seen from the host's cgroup namespace. */
static char *cgroup_line(char *text)
{
	char *line = strncmp(text, "0::/", 4) ? strstr(text, "\n0::/") : text;

	if (!line)
		return NULL;
	line = strchr(line, '/');
	line[strcspn(line, "\n")] = '\0';
	return line;
}

static void cgroup_read(int dir, __u64 *id)
{
	_free_ char *mount = NULL;
	_close_ int fd = -1;
	char text[8192], path[PATH_MAX];
	const char *line;
	bool host = false;

	if (cgroup_is_host_namespace(&host) || !host)
		return;
	if (text_read(dir, "cgroup", text, sizeof(text)) <= 0)
		return;
	line = cgroup_line(text);
	if (!line || cgroup_mount(&mount))
		return;
	if ((size_t)snprintf(path, sizeof(path), "%s%s", mount, line) >= sizeof(path))
		return;
	/* a removed cgroup reads "/x (deleted)", which is no directory */
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		(void)cgroup_id(fd, id);
}

static int look(int dir, const struct identity *id, struct procfs *proc)
{
	int r;

	r = exe_read(dir, id->exe.links, proc);
	if (r)
		return r;
	r = args_read(dir, proc);
	if (r)
		return r;
	comm_read(dir, proc->comm);
	login_read(dir, &proc->login_uid);
	cgroup_read(dir, &proc->cgroup_id);
	parent_read(id->parent, &proc->parent);
	proc->exe_inode = id->exe.inode;
	proc->exe_dev = major(id->exe.dev) << 20 | minor(id->exe.dev);
	return 0;
}

/* The kernel's own rounding, fs/proc/array.c: /proc counts in ticks of USER_HZ. */
static __u64 ticks(__u64 start_ns)
{
	return start_ns / (1000000000ull / (__u64)sysconf(_SC_CLK_TCK));
}

int procfs_read(const struct fl_proc_key *key, struct procfs *ret_proc)
{
	struct procfs proc = { .login_uid = FL_LOGIN_UNSET };
	struct identity before = {}, after = {};
	_close_ int dir = -1;
	char path[32];
	int r;

	snprintf(path, sizeof(path), "/proc/%u", key->pid);
	dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -errno;
	r = identity_read(dir, &before);
	if (r)
		return r;
	if (before.start_ticks != ticks(key->start_ns))
		return -ENOENT;
	r = look(dir, &before, &proc);
	if (!r)
		r = identity_read(dir, &after);
	if (!r && !identity_equal(&before, &after))
		r = -ENOENT;
	if (r) {
		procfs_release(&proc);
		return r;
	}
	*ret_proc = proc;
	return 0;
}

bool procfs_runs(const struct fl_proc_key *key)
{
	struct identity id = {};
	_close_ int dir = -1;
	char path[32], text[2048];

	if (!procfs_has_host_pids())
		return true;
	snprintf(path, sizeof(path), "/proc/%u", key->pid);
	dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return errno != ENOENT;
	if (text_read(dir, "stat", text, sizeof(text)) <= 0 || stat_parse(text, &id))
		return errno != ESRCH;
	return id.start_ticks == ticks(key->start_ns);
}

static __u64 ticks_in(const char *path)
{
	struct identity id = {};
	char text[2048];

	if (text_read(AT_FDCWD, path, text, sizeof(text)) <= 0 || stat_parse(text, &id))
		return 0;
	return id.start_ticks;
}

__u64 procfs_own_ticks(void)
{
	return ticks_in("/proc/self/stat");
}

__u64 procfs_ticks(__u32 pid)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	return ticks_in(path);
}

void procfs_release(struct procfs *proc)
{
	if (!proc)
		return;
	free(proc->exe);
	free(proc->args);
	*proc = (struct procfs){};
}

bool procfs_has_host_pids(void)
{
	struct stat st;

	return !stat("/proc/self/ns/pid", &st) && st.st_ino == PROC_PID_INIT_INO;
}
