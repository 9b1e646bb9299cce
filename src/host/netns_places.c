/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A path in somebody else's mount namespace leads over his file systems, which may let us wait for
 * ever: only what the kernel has in memory is walked (RESOLVE_CACHED, 5.12), and the directories
 * above a mount are. Where a descriptor leads is read, never opened, before it is known. Somebody
 * may have millions of descriptors: so long and no longer is looked at those of one process, and at
 * all of them.
 */
#include "host/netns_places.h"
#include "host/netns.h"
#include "text/cleanup.h"
#include "text/clock.h"
#include "text/idset.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#ifndef RESOLVE_CACHED
#define RESOLVE_CACHED 0x20
#endif

#define NET "net:["
#define ONE_NS 200000000ull /* of CPU time */
#define ALL_NS 2000000000ull

struct place {
	char *path; /* NULL: it is mounted */
	char *mounted;
	int pid; /* in whose mount namespace */
};

static struct {
	struct place *list;
	size_t count;
} places;

struct search {
	struct idset seen;   /* network namespaces */
	struct idset mounts; /* mount namespaces */
	__u64 ends_ns, one_ends_ns;
};

static __u64 cpu_ns(void)
{
	return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

static bool is_over(const struct search *s)
{
	__u64 now_ns = cpu_ns();

	return now_ns > s->one_ends_ns || now_ns > s->ends_ns;
}

static void search_release(struct search *s)
{
	idset_release(&s->seen);
	idset_release(&s->mounts);
}

void netns_places_forget(void)
{
	for (size_t i = 0; i < places.count; i++) {
		free(places.list[i].path);
		free(places.list[i].mounted);
	}
	free(places.list);
	places.list = NULL;
	places.count = 0;
}

/* Takes both texts. */
static int add(char *path, char *mounted, int pid)
{
	struct place *list = reallocarray(places.list, places.count + 1, sizeof(*list));

	if (list)
		places.list = list;
	if (!list || (!path && !mounted)) {
		free(path);
		free(mounted);
		return -ENOMEM;
	}
	list[places.count++] = (struct place){ .path = path, .mounted = mounted, .pid = pid };
	return 0;
}

/* 1: seen for the first time. */
static int is_new(struct search *s, __u64 inum)
{
	int r;

	if (!inum || idset_has(&s->seen, inum))
		return 0;
	r = idset_add(&s->seen, inum);
	return r ? r : 1;
}

/* Where LINK leads, if that is a network namespace; else 0. */
static __u64 link_inum(int dir, const char *link)
{
	char text[32];
	ssize_t n = readlinkat(dir, link, text, sizeof(text) - 1);

	if (n <= 0)
		return 0;
	text[n] = '\0';
	return strncmp(text, NET, strlen(NET)) ? 0 : strtoull(text + strlen(NET), NULL, 10);
}

/* --- threads and descriptors --- */

/* DIR is a directory of a process; NUMBER/SUFFIX in there may be a link to a namespace. */
static int look_into(struct search *s, const char *dir, const char *suffix)
{
	const struct dirent *entry;
	char link[NAME_MAX + 16];
	DIR *d = opendir(dir);
	int r = 0;

	while (d && r >= 0 && !is_over(s) && (entry = readdir(d))) {
		char *path;

		if (!isdigit((unsigned char)*entry->d_name))
			continue;
		snprintf(link, sizeof(link), "%s%s", entry->d_name, suffix);
		r = is_new(s, link_inum(dirfd(d), link));
		if (r > 0)
			r = asprintf(&path, "%s/%s", dir, link) < 0 ? -ENOMEM : add(path, NULL, 0);
	}
	if (d)
		closedir(d);
	return r < 0 ? r : 0;
}

/* --- mounts --- */

/* "\040" and the like, in place. */
static void unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from; to++) {
		if (from[0] == '\\' && from[1] && from[2] && from[3]) {
			*to = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
}

/* ID PARENT MAJOR:MINOR ROOT MOUNTED ...: the root of a namespace is its name. */
static int look_at_mount(struct search *s, int pid, char *line)
{
	char *rest = line, *field[5];
	int r;

	for (size_t i = 0; i < 5; i++)
		field[i] = strsep(&rest, " ");
	if (!field[4] || strncmp(field[3], NET, strlen(NET)) != 0)
		return 0;
	r = is_new(s, strtoull(field[3] + strlen(NET), NULL, 10));
	if (r <= 0)
		return r;
	unescape(field[4]);
	return add(NULL, strdup(field[4]), pid);
}

static int look_at_mounts(struct search *s, int pid)
{
	_free_ char *line = NULL;
	_fclose_ FILE *file = NULL;
	char path[64];
	size_t room = 0;
	struct stat st;
	int r = 0;

	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", pid);
	if (stat(path, &st) < 0 || idset_has(&s->mounts, st.st_ino))
		return 0;
	r = idset_add(&s->mounts, st.st_ino);
	snprintf(path, sizeof(path), "/proc/%d/mountinfo", pid);
	file = fopen(path, "re");
	while (!r && file && !is_over(s) && getline(&line, &room, file) > 0)
		r = look_at_mount(s, pid, line);
	return r;
}

/* --- all of it --- */

static int look_at_process(struct search *s, int pid)
{
	char dir[64];
	int r;

	s->one_ends_ns = cpu_ns() + ONE_NS;
	r = look_at_mounts(s, pid);
	if (r)
		return r;
	snprintf(dir, sizeof(dir), "/proc/%d/task", pid);
	r = look_into(s, dir, "/ns/net");
	if (r)
		return r;
	snprintf(dir, sizeof(dir), "/proc/%d/fd", pid);
	return look_into(s, dir, "");
}

static int note(const char *path, __u32 inum, void *arg)
{
	(void)path;
	return idset_add(&((struct search *)arg)->seen, inum);
}

int netns_places_find(void)
{
	_cleanup_(search_release) struct search s = { .one_ends_ns = UINT64_MAX };
	const struct dirent *entry;
	DIR *proc;
	int r;

	s.ends_ns = cpu_ns() + ALL_NS;
	netns_places_forget();
	r = netns_each(note, &s);
	if (r)
		return r;
	r = look_at_mounts(&s, getpid()); /* our own first: no strange file system on the way */
	proc = opendir("/proc");
	while (!r && proc && cpu_ns() <= s.ends_ns && (entry = readdir(proc)))
		if (isdigit((unsigned char)*entry->d_name))
			r = look_at_process(&s, atoi(entry->d_name));
	if (proc)
		closedir(proc);
	return r;
}

/* --- and there again --- */

/* The file of the mount itself, not opened: -EAGAIN the way there is not in memory. */
static int open_mount(const struct place *p)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC,
				.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS |
					   RESOLVE_CACHED };
	_close_ int root = -1;
	char path[64];
	long fd;

	snprintf(path, sizeof(path), "/proc/%d/root", p->pid);
	root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return -errno;
	fd = syscall(SYS_openat2, root, p->mounted, &how, sizeof(how));
	if (fd < 0 && errno == EINVAL && p->pid == getpid())
		fd = open(p->mounted, O_PATH | O_CLOEXEC);
	return fd < 0 ? -errno : (int)fd;
}

/* Without asking the file system, should it be another one by now. */
static bool is_namespace(int fd)
{
	struct statx stx;
	struct stat own;

	return statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO, &stx) == 0 &&
	       stat(NETNS_OWN, &own) == 0 && major(own.st_dev) == stx.stx_dev_major &&
	       minor(own.st_dev) == stx.stx_dev_minor;
}

static int show_mount(const struct place *p, int (*fn)(const char *path, void *arg), void *arg)
{
	_close_ int fd = open_mount(p);
	char path[64];

	if (fd < 0 || !is_namespace(fd))
		return 0;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return fn(path, arg);
}

int netns_places_each(int (*fn)(const char *path, void *arg), void *arg)
{
	int r = 0;

	for (size_t i = 0; !r && i < places.count; i++) {
		const struct place *p = &places.list[i];

		if (!p->path)
			r = show_mount(p, fn, arg);
		else if (link_inum(AT_FDCWD, p->path))
			r = fn(p->path, arg);
	}
	return r;
}
