/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every cgroup there is. Whoever has cgroups of their own chooses how they are called and how deep
 * they stand: none may be left out by that. So the way down is kept in memory, not on the stack nor
 * in descriptors, and the way up is "..": a directory of cgroup2 never gets another parent.
 */
#include "host/cgroup.h"

#include "text/cleanup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_CLOEXEC)

/* A directory on the way down, and those in it that were not looked at yet. */
struct level {
	char *names; /* each with its NUL */
	size_t at, size;
	size_t path; /* so much of the path is its own */
	bool cut;    /* or of the nearest one above that it still had room for */
};

struct walk {
	int (*fn)(void *arg, __u64 id, const char *path);
	void *arg;
	int fd; /* the last level's */
	struct level *levels;
	size_t depth, room;
	char path[PATH_MAX]; /* "" for the root */
};

static void walk_release(struct walk *w)
{
	while (w->depth)
		free(w->levels[--w->depth].names);
	free(w->levels);
	cleanup_close(&w->fd);
}

static void cleanup_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static bool is_child(const struct dirent *e)
{
	return (e->d_type == DT_DIR || e->d_type == DT_UNKNOWN) && strcmp(e->d_name, ".") != 0 &&
	       strcmp(e->d_name, "..") != 0;
}

static int add_name(struct level *l, const char *name)
{
	size_t size = strlen(name) + 1;
	char *grown = realloc(l->names, l->size + size);

	if (!grown)
		return -ENOMEM;
	memcpy(grown + l->size, name, size);
	l->names = grown;
	l->size += size;
	return 0;
}

/* Of one that is removed meanwhile there are none. */
static int read_names(int fd, struct level *l)
{
	_close_ int copy = openat(fd, ".", DIR_FLAGS);
	_cleanup_(cleanup_dir) DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *e;
	int r = 0;

	if (!dir)
		return errno == ENOENT || errno == ENODEV ? 0 : -errno;
	(void)TAKE_FD(copy); /* it is the stream's now */
	while (!r && (errno = 0, e = readdir(dir))) {
		if (is_child(e))
			r = add_name(l, e->d_name);
	}
	return r ? r : errno == ENOENT || errno == ENODEV ? 0 : -errno;
}

/* Tells of the cgroup at W->FD, which is L; its children are next. */
static int enter(struct walk *w, struct level *l, __u64 id)
{
	int r = w->fn(w->arg, id, *w->path ? w->path : "/");

	if (!r)
		r = read_names(w->fd, l);
	if (!r && w->depth == w->room) {
		size_t room = w->room * 2 + 16;
		struct level *grown = reallocarray(w->levels, room, sizeof(*grown));

		w->levels = grown ? grown : w->levels;
		w->room = grown ? room : w->room;
		r = grown ? 0 : -ENOMEM;
	}
	if (r)
		free(l->names);
	else
		w->levels[w->depth++] = *l;
	return r;
}

/* A path that has no room for NAME ends above it, for all that is below as well. */
static struct level level_below(struct walk *w, const struct level *above, const char *name)
{
	struct level l = { .path = above->path, .cut = above->cut };
	size_t size = sizeof(w->path) - l.path, length = strlen(name) + 1;

	l.cut |= length >= size;
	if (!l.cut) {
		snprintf(w->path + l.path, size, "/%s", name);
		l.path += length;
	}
	return l;
}

/* NAME is gone, or is no cgroup: another file system is mounted over it. */
static bool is_none(int error)
{
	return error == -ENOENT || error == -ENODEV || error == -ENOTDIR || error == -ELOOP ||
	       error == -EINVAL;
}

static int go_down(struct walk *w, const char *name)
{
	_close_ int fd = openat(w->fd, name, DIR_FLAGS | O_NOFOLLOW);
	__u64 id = 0;
	int r = fd < 0 ? -errno : cgroup_id(fd, &id);
	struct level l;

	if (r)
		return is_none(r) ? 0 : r;
	l = level_below(w, &w->levels[w->depth - 1], name);
	cleanup_close(&w->fd);
	w->fd = TAKE_FD(fd);
	return enter(w, &l, id);
}

static int go_up(struct walk *w)
{
	int fd;

	free(w->levels[--w->depth].names);
	if (!w->depth)
		return 0;
	w->path[w->levels[w->depth - 1].path] = '\0';
	fd = openat(w->fd, "..", DIR_FLAGS);
	if (fd < 0)
		return -errno;
	cleanup_close(&w->fd);
	w->fd = fd;
	return 0;
}

int cgroup_each(const char *mount, int (*fn)(void *arg, __u64 id, const char *path), void *arg)
{
	_cleanup_(walk_release) struct walk w = { .fn = fn, .arg = arg };
	struct level root = { 0 };
	__u64 id = 0;
	int r;

	w.fd = open(mount, DIR_FLAGS);
	r = w.fd < 0 ? -errno : cgroup_id(w.fd, &id);
	if (!r)
		r = enter(&w, &root, id);
	while (!r && w.depth) {
		struct level *l = &w.levels[w.depth - 1];
		const char *name = l->names + l->at;

		if (l->at == l->size) {
			r = go_up(&w);
			continue;
		}
		l->at += strlen(name) + 1;
		r = go_down(&w, name);
	}
	return r;
}
