/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each path is walked name by name. On every directory of the way there is an inotify watch, set
 * before the name is looked up in it, so a change is either seen by the look or told by the watch.
 * A name that is not there ends the walk: its directory is the nearest existing parent. What
 * inotify does not tell, that something was mounted on the way, the mount table does.
 *
 * The last directory of the walk with the last name is the place of the path: what is found there
 * is meant, whoever puts it there. A hole in that would be somebody who may choose another name in
 * this directory, but not this one; so a sticky directory (/tmp) is no such place.
 */
#include "host/exefiles.h"
#include "host/procfs.h"

#include "text/cleanup.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <search.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/timerfd.h>

#define MOUNTINFO "/proc/self/mountinfo"
#define WATCHED (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB)
#define SYMLINKS_MAX 40 /* as the kernel's */
#define LOOK_AGAIN_S 1	/* at replaced files, and at paths that cannot be watched */
#define REPLACED_MAX 64 /* more of them are looked at at once: each holds a descriptor */
#define READS_MAX 64	/* of events, before the caller's loop gets its turn */
#define MOUNTS_KNOWN 16 /* of the last mounts looked up */
#define NO_MOUNT (-1)

struct file {
	struct fl_file id;
	int fd;	      /* O_PATH; -1: no file */
	dev_t st_dev; /* what stat() says, to compare with what it says of processes */
	ino_t st_ino;
	bool seen;	     /* at the last look at all processes: one runs it */
	unsigned int unseen; /* so many looks in a row */
};

/* A name in a directory, which is held open so that its number cannot come to mean another. */
struct place {
	struct exefile id;
	int dir; /* -1: none */
};

struct path {
	char *text;
	struct file now;
	struct place place;
	struct file *replaced; /* oldest first */
	size_t replaced_count;
	__u64 walk; /* number of the last walk: links of earlier ones are no more on the way */
	bool changed;
	bool unwatched;
	struct link *links; /* few: one for each name on the way */
};

/* NAME in a watched directory is on the way of a path. */
struct link {
	char *name;
	struct path *path;
	struct link *next_of_path;
	struct watch *watch;
	struct link *previous, *next; /* of the watch */
	__u64 walk;
};

struct watch {
	int wd;
	struct link *links; /* as many as there are paths, in the root directory */
};

struct mount {
	int id;
	__u32 dev;
};

struct exefiles {
	int epoll, inotify, timer;
	int mounts_wake; /* in epoll; it tells a change once, be it to whoever polls us */
	int mounts_look; /* so this one is asked */
	bool timer_runs;
	struct path **paths;
	size_t path_count;
	void *paths_by_text; /* of tsearch(), as this: by number */
	void *watches;
	bool mounts_changed; /* by exefiles_run() */
	struct mount mounts[MOUNTS_KNOWN];
	size_t mount_next;
};

/* --- which file it is --- */

/* Of the line "NAME:\tVALUE" in fdinfo. */
static int fdinfo_number(const char *text, const char *name, unsigned long long *ret_value)
{
	size_t len = strlen(name);

	for (const char *line = text; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, name, len) == 0 && line[len] == ':') {
			*ret_value = strtoull(line + len + 1, NULL, 10);
			return 0;
		}
	}
	return -ENOENT;
}

/* Mount of FD, and the inode's own number where the kernel tells it (since 5.14). */
static int fdinfo_read(int fd, int *ret_mount, __u64 *inode)
{
	char path[64], text[1024];
	unsigned long long value;
	_close_ int info = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info = open(path, O_RDONLY | O_CLOEXEC);
	if (info < 0)
		return -errno;
	n = read(info, text, sizeof(text) - 1);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	if (fdinfo_number(text, "ino", &value) == 0)
		*inode = value;
	if (fdinfo_number(text, "mnt_id", &value))
		return -ENOENT;
	*ret_mount = (int)value;
	return 0;
}

/* "36 35 98:0 /root /point ...": the third field is the superblock's s_dev, of any file system. */
static int mount_dev(int mount, __u32 *ret_dev)
{
	_fclose_ FILE *file = fopen(MOUNTINFO, "re");
	_free_ char *line = NULL;
	unsigned int maj, min;
	size_t size = 0;
	int id;

	if (!file)
		return -errno;
	while (getline(&line, &size, file) >= 0) {
		if (sscanf(line, "%d %*d %u:%u ", &id, &maj, &min) == 3 && id == mount) {
			*ret_dev = maj << 20 | min;
			return 0;
		}
	}
	return -ENOENT;
}

static int mount_dev_known(struct exefiles *f, int mount, __u32 *ret_dev)
{
	int r;

	for (size_t i = 0; f && i < MOUNTS_KNOWN; i++) {
		if (f->mounts[i].id == mount) {
			*ret_dev = f->mounts[i].dev;
			return 0;
		}
	}
	r = mount_dev(mount, ret_dev);
	if (!r && f)
		f->mounts[f->mount_next++ % MOUNTS_KNOWN] = (struct mount){ .id = mount,
									    .dev = *ret_dev };
	return r;
}

/*
 * stat() is not what the kernel side reads: btrfs gives a device of the subvolume, overlayfs one of
 * the layer. s_dev is in the mount table, i_ino in fdinfo; before 5.14 only stat() has a number,
 * which is another than i_ino on overlayfs over several file systems.
 */
static int identify(struct exefiles *f, int fd, const struct stat *st, struct fl_file *ret_file)
{
	struct fl_file file = { .inode = st->st_ino };
	int mount = 0;
	int r = fdinfo_read(fd, &mount, &file.inode);

	if (!r)
		r = mount_dev_known(f, mount, &file.dev);
	if (r)
		return r;
	*ret_file = file;
	return 0;
}

int exefiles_identify(int fd, struct fl_file *ret_file)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	return identify(NULL, fd, &st, ret_file);
}

static void forget_mounts(struct exefiles *f)
{
	for (size_t i = 0; i < MOUNTS_KNOWN; i++)
		f->mounts[i].id = NO_MOUNT;
}

static bool same_file(const struct fl_file *a, const struct fl_file *b)
{
	return a->inode == b->inode && a->dev == b->dev;
}

static bool same_exefile(const struct exefile *a, const struct exefile *b)
{
	return same_file(&a->id, &b->id) && a->name == b->name;
}

__u64 exefiles_name(const char *name)
{
	size_t len = strlen(name), whole = len / sizeof(__u64);
	__u64 hash = len, bytes;

	for (size_t i = 0; i < whole; i++) {
		memcpy(&bytes, name + i * sizeof(bytes), sizeof(bytes));
		hash = fl_name_step(hash, bytes);
	}
	bytes = 0;
	memcpy(&bytes, name + whole * sizeof(bytes), len % sizeof(bytes));
	return fl_name_end(fl_name_step(hash, bytes));
}

/* --- watches --- */

static int compare_watches(const void *a, const void *b)
{
	const struct watch *x = a, *y = b;

	return (x->wd > y->wd) - (x->wd < y->wd);
}

static struct watch *watch_find(struct exefiles *f, int wd)
{
	const struct watch key = { .wd = wd };
	struct watch *const *found = tfind(&key, &f->watches, compare_watches);

	return found ? *found : NULL;
}

static int watch_get(struct exefiles *f, int wd, struct watch **ret_watch)
{
	struct watch *w = watch_find(f, wd);

	if (!w) {
		w = calloc(1, sizeof(*w));
		if (!w)
			return -ENOMEM;
		w->wd = wd;
		if (!tsearch(w, &f->watches, compare_watches)) {
			free(w);
			return -ENOMEM;
		}
	}
	*ret_watch = w;
	return 0;
}

static struct link *link_find(const struct path *path, const struct watch *w, const char *name)
{
	struct link *l = path->links;

	while (l && (l->watch != w || strcmp(l->name, name) != 0))
		l = l->next_of_path;
	return l;
}

static int link_add(struct watch *w, const char *name, struct path *path)
{
	struct link *l = link_find(path, w, name);

	if (l) {
		l->walk = path->walk;
		return 0;
	}
	l = calloc(1, sizeof(*l));
	if (!l || !(l->name = strdup(name))) {
		free(l);
		return -ENOMEM;
	}
	l->path = path;
	l->walk = path->walk;
	l->next_of_path = path->links;
	path->links = l;
	l->watch = w;
	l->next = w->links;
	if (l->next)
		l->next->previous = l;
	w->links = l;
	return 0;
}

/* *AT is of the list of its path. */
static void link_remove(struct link **at)
{
	struct link *l = *at;

	*at = l->next_of_path;
	*(l->previous ? &l->previous->next : &l->watch->links) = l->next;
	if (l->next)
		l->next->previous = l->previous;
	free(l->name);
	free(l);
}

/* NAME in the directory DIR decides where PATH leads. */
static int watch_name(struct exefiles *f, int dir, const char *name, struct path *path)
{
	struct watch *w = NULL;
	char link[32];
	int wd, r;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", dir);
	wd = inotify_add_watch(f->inotify, link, WATCHED | IN_ONLYDIR);
	if (wd < 0) {
		path->unwatched = true;
		return 0;
	}
	r = watch_get(f, wd, &w);
	return r ? r : link_add(w, name, path);
}

static void watch_drop(struct exefiles *f, struct watch *w)
{
	while (w->links) {
		struct link **at = &w->links->path->links;

		while (*at != w->links)
			at = &(*at)->next_of_path;
		link_remove(at);
	}
	tdelete(w, &f->watches, compare_watches);
	free(w);
}

/* Links that the last walk of PATH did not come by, and watches without links. */
static void links_prune(struct exefiles *f, struct path *path)
{
	struct link **at = &path->links;

	while (*at) {
		struct watch *w = (*at)->watch;

		if ((*at)->walk == path->walk) {
			at = &(*at)->next_of_path;
			continue;
		}
		link_remove(at);
		if (w->links)
			continue;
		(void)inotify_rm_watch(f->inotify, w->wd);
		watch_drop(f, w);
	}
}

/* --- the walk --- */

struct walk {
	struct exefiles *files;
	struct path *path;
	int dir;
	__u64 name;		 /* the last one; 0: there are more to go */
	char rest[2 * PATH_MAX]; /* names still to go */
	unsigned int symlinks;
};

/* The next name, or an empty one at the end. */
static int next_name(struct walk *w, char name[NAME_MAX + 1])
{
	const char *at = w->rest + strspn(w->rest, "/");
	size_t len = strcspn(at, "/");

	if (len > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(name, at, len);
	name[len] = '\0';
	memmove(w->rest, at + len, strlen(at + len) + 1);
	return 0;
}

static void go_to(struct walk *w, int fd)
{
	cleanup_close(&w->dir);
	w->dir = fd;
}

static int follow(struct walk *w, int link)
{
	char target[PATH_MAX], rest[2 * PATH_MAX];
	ssize_t n = readlinkat(link, "", target, sizeof(target) - 1);
	int root;

	if (n < 0)
		return -errno;
	target[n] = '\0';
	if (++w->symlinks > SYMLINKS_MAX)
		return -ELOOP;
	if ((size_t)snprintf(rest, sizeof(rest), "%s/%s", target, w->rest) >= sizeof(rest))
		return -ENAMETOOLONG;
	memcpy(w->rest, rest, strlen(rest) + 1);
	if (*target != '/')
		return 0;
	root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return -errno;
	go_to(w, root);
	return 0;
}

static bool is_last(const struct walk *w)
{
	return !w->rest[strspn(w->rest, "/")];
}

/* RET_FD >= 0: the walk has arrived there. */
static int step(struct walk *w, int *ret_fd)
{
	char name[NAME_MAX + 1];
	_close_ int fd = -1;
	struct stat st;
	int r = next_name(w, name);

	if (r)
		return r;
	if (!*name)
		return -EISDIR; /* the path ended in a slash */
	w->name = 0;
	if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0) {
		r = watch_name(w->files, w->dir, name, w->path);
		w->name = is_last(w) ? exefiles_name(name) : 0;
	}
	if (r)
		return r;
	fd = openat(w->dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		return -errno;
	if (S_ISLNK(st.st_mode))
		return follow(w, fd);
	if (S_ISDIR(st.st_mode))
		go_to(w, TAKE_FD(fd));
	else if (!S_ISREG(st.st_mode) || !is_last(w))
		return -ENOTDIR;
	else
		*ret_fd = TAKE_FD(fd);
	return 0;
}

/* --- what a path stands for --- */

static int mount_of(int fd, int *ret_mount)
{
	__u64 inode;

	return fdinfo_read(fd, ret_mount, &inode);
}

/* Whether FILE is in the directory DIR, and not mounted over a name in it. */
static bool is_in(int dir, int file)
{
	int here = 0, there = 0;

	return mount_of(dir, &here) == 0 && mount_of(file, &there) == 0 && here == there;
}

/*
 * Where W has ended, at FILE or, -1, where it would be. Nothing where the kernel side cannot tell
 * directories apart: those of btrfs have the same numbers in each subvolume, and everybody may make
 * one.
 */
static void place_of(struct walk *w, int file, struct place *ret_place)
{
	struct place place = { .id.name = w->name };
	struct stat st;

	if (!w->name || fstat(w->dir, &st) || st.st_mode & S_ISVTX)
		return;
	if (identify(w->files, w->dir, &st, &place.id.id) || (file >= 0 && !is_in(w->dir, file)))
		return;
	if (place.id.id.dev != (major(st.st_dev) << 20 | minor(st.st_dev)))
		return;
	place.dir = TAKE_FD(w->dir);
	*ret_place = place;
}

/* The regular file that PATH leads to, open, and its place. Negative errno: none, or none of ours
 * to see; where it would be is a place all the same. */
static int walk_to(struct exefiles *f, struct path *path, int *ret_fd, struct place *ret_place)
{
	struct walk w = { .files = f, .path = path };
	int fd = -1;
	int r = 0;

	path->walk++;
	path->unwatched = false;
	snprintf(w.rest, sizeof(w.rest), "%s", path->text);
	w.dir = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (w.dir < 0)
		return -errno;
	while (!r && fd < 0)
		r = step(&w, &fd);
	if (!r || r == -ENOENT)
		place_of(&w, fd, ret_place);
	cleanup_close(&w.dir);
	links_prune(f, path);
	if (r)
		return r;
	*ret_fd = fd;
	return 0;
}

static int file_open(struct exefiles *f, struct path *path, struct file *ret_file,
		     struct place *ret_place)
{
	struct file file = { .fd = -1 };
	_close_ int fd = -1;
	struct stat st;
	int r = walk_to(f, path, &fd, ret_place);

	if (r)
		return r;
	if (fstat(fd, &st))
		return -errno;
	r = identify(f, fd, &st, &file.id);
	if (r)
		return r;
	file.st_dev = st.st_dev;
	file.st_ino = st.st_ino;
	file.fd = TAKE_FD(fd);
	*ret_file = file;
	return 0;
}

static int replace(struct path *path)
{
	struct file *grown;

	if (path->now.fd < 0)
		return 0;
	grown = reallocarray(path->replaced, path->replaced_count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	path->replaced = grown;
	grown[path->replaced_count++] = path->now;
	path->now.fd = -1;
	return 0;
}

static void replaced_remove(struct path *path, size_t i)
{
	cleanup_close(&path->replaced[i].fd);
	path->replaced_count--;
	memmove(&path->replaced[i], &path->replaced[i + 1],
		(path->replaced_count - i) * sizeof(*path->replaced));
}

/* A file that was here before and is here again: it has been told already. */
static bool comes_back(struct path *path, const struct fl_file *id)
{
	for (size_t i = 0; i < path->replaced_count; i++) {
		if (same_file(&path->replaced[i].id, id)) {
			replaced_remove(path, i);
			return true;
		}
	}
	return false;
}

static void told(const struct path *path, const struct exefile *file, bool came, exefiles_fn fn,
		 void *arg)
{
	if (fn)
		fn(arg, path->text, file, came);
}

static void told_file(const struct path *path, const struct file *file, bool came, exefiles_fn fn,
		      void *arg)
{
	const struct exefile id = { .id = file->id };

	told(path, &id, came, fn, arg);
}

/* From now on PATH has this PLACE, or none. */
static void be_at(struct path *path, struct place *place, exefiles_fn fn, void *arg)
{
	struct place old = path->place;

	if (old.dir >= 0 && place->dir >= 0 && same_exefile(&old.id, &place->id))
		return;
	path->place = *place;
	place->dir = -1;
	if (path->place.dir >= 0)
		told(path, &path->place.id, true, fn, arg);
	if (old.dir >= 0)
		told(path, &old.id, false, fn, arg);
	cleanup_close(&old.dir);
}

/* From now on PATH stands for FILE, or for none. */
static int stand_for(struct path *path, struct file *file, exefiles_fn fn, void *arg)
{
	int r;

	if (file->fd >= 0 && path->now.fd >= 0 && same_file(&file->id, &path->now.id))
		return 0;
	r = replace(path);
	if (r || file->fd < 0)
		return r;
	path->now = *file;
	file->fd = -1;
	if (!comes_back(path, &path->now.id))
		told_file(path, &path->now, true, fn, arg);
	return 0;
}

static int path_look(struct exefiles *f, struct path *path, exefiles_fn fn, void *arg)
{
	struct place place = { .dir = -1 };
	struct file file = { .fd = -1 };
	int r = file_open(f, path, &file, &place);

	path->changed = false;
	/* only our own lack is an error: it may hide a file that is there */
	if (r != -ENOMEM && r != -EMFILE && r != -ENFILE) {
		be_at(path, &place, fn, arg);
		r = stand_for(path, &file, fn, arg);
	}
	if (r)
		path->unwatched = true;
	cleanup_close(&place.dir);
	cleanup_close(&file.fd);
	return r;
}

/* --- replaced files that nobody runs any more --- */

static size_t count_replaced(const struct exefiles *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->path_count; i++)
		n += f->paths[i]->replaced_count;
	return n;
}

static void mark_running(struct exefiles *f, const struct procfs_exe *exe)
{
	for (size_t i = 0; i < f->path_count; i++) {
		struct path *p = f->paths[i];

		for (size_t j = 0; j < p->replaced_count; j++) {
			if (p->replaced[j].st_ino == exe->inode &&
			    p->replaced[j].st_dev == exe->dev)
				p->replaced[j].seen = true;
		}
	}
}

static int look_at_processes(struct exefiles *f)
{
	const struct dirent *entry;
	DIR *proc = opendir("/proc");
	struct procfs_exe exe;
	char link[300];

	if (!proc)
		return -errno;
	while ((entry = readdir(proc))) {
		if (!isdigit((unsigned char)*entry->d_name))
			continue;
		snprintf(link, sizeof(link), "%s/exe", entry->d_name);
		if (procfs_exe(dirfd(proc), link, &exe) == 0)
			mark_running(f, &exe);
	}
	closedir(proc);
	return 0;
}

/*
 * Gone is what two looks in a row did not find: a process may be on its way into a file, in the
 * middle of its exec. At ONCE when there are too many.
 */
static void forget(struct path *p, bool at_once, exefiles_fn fn, void *arg)
{
	for (size_t i = 0; i < p->replaced_count;) {
		struct file *file = &p->replaced[i];

		file->unseen = file->seen ? 0 : file->unseen + 1;
		if (file->unseen < (at_once ? 1 : 2)) {
			i++;
			continue;
		}
		told_file(p, file, false, fn, arg);
		replaced_remove(p, i); /* only now may its number come to mean another file */
	}
}

static int sweep(struct exefiles *f, bool at_once, exefiles_fn fn, void *arg)
{
	int r;

	for (size_t i = 0; i < f->path_count; i++) {
		for (size_t j = 0; j < f->paths[i]->replaced_count; j++)
			f->paths[i]->replaced[j].seen = false;
	}
	r = look_at_processes(f);
	for (size_t i = 0; !r && i < f->path_count; i++)
		forget(f->paths[i], at_once, fn, arg);
	return r;
}

/* --- what happens --- */

static void all_changed(struct exefiles *f)
{
	for (size_t i = 0; i < f->path_count; i++)
		f->paths[i]->changed = true;
}

static void take_event(struct exefiles *f, const struct inotify_event *event)
{
	struct watch *w = watch_find(f, event->wd);

	if (event->mask & IN_Q_OVERFLOW)
		all_changed(f);
	if (!w)
		return;
	for (struct link *l = w->links; l; l = l->next) {
		if (!event->len || !strcmp(event->name, l->name))
			l->path->changed = true;
	}
	if (event->mask & IN_IGNORED) /* the directory is gone, or was unmounted */
		watch_drop(f, w);
}

static int take_events(struct exefiles *f)
{
	char buf[16384] __attribute__((aligned(__alignof__(struct inotify_event))));

	for (int reads = 0; reads < READS_MAX; reads++) {
		ssize_t n = read(f->inotify, buf, sizeof(buf));

		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		for (ssize_t at = 0; at < n;) {
			const struct inotify_event *event = (const void *)(buf + at);

			take_event(f, event);
			at += (ssize_t)(sizeof(*event) + event->len);
		}
	}
	return 0;
}

static bool mounts_changed(struct exefiles *f)
{
	struct pollfd look = { .fd = f->mounts_look, .events = POLLPRI };

	if (poll(&look, 1, 0) <= 0 || !(look.revents & POLLPRI))
		return false;
	forget_mounts(f);
	return true;
}

static bool timer_expired(const struct exefiles *f)
{
	__u64 times;

	return read(f->timer, &times, sizeof(times)) == sizeof(times);
}

static void set_timer(struct exefiles *f)
{
	bool wanted = count_replaced(f) || exefiles_unwatched(f);
	const struct itimerspec every = { .it_interval.tv_sec = wanted ? LOOK_AGAIN_S : 0,
					  .it_value.tv_sec = wanted ? LOOK_AGAIN_S : 0 };

	if (wanted != f->timer_runs)
		(void)timerfd_settime(f->timer, 0, &every, NULL);
	f->timer_runs = wanted;
}

static int look_at_changed(struct exefiles *f, bool unwatched, exefiles_fn fn, void *arg)
{
	int r = 0;

	for (size_t i = 0; i < f->path_count; i++) {
		struct path *p = f->paths[i];

		if (p->changed || (unwatched && p->unwatched)) {
			int failed = path_look(f, p, fn, arg);

			r = r ? r : failed;
		}
	}
	return r;
}

int exefiles_run(struct exefiles *f, exefiles_fn fn, void *arg)
{
	bool again = timer_expired(f);
	int r, failed = 0;

	f->mounts_changed = mounts_changed(f);
	if (f->mounts_changed)
		all_changed(f);
	r = take_events(f);
	failed = look_at_changed(f, again, fn, arg);
	r = r ? r : failed;
	failed = 0;
	if (again)
		failed = sweep(f, false, fn, arg);
	if (count_replaced(f) > REPLACED_MAX)
		failed = sweep(f, true, fn, arg);
	set_timer(f);
	return r ? r : failed;
}

/* --- the whole --- */

static int compare_texts(const void *a, const void *b)
{
	const struct path *x = a, *y = b;

	return strcmp(x->text, y->text);
}

static struct path *path_find(const struct exefiles *f, const char *text)
{
	const struct path key = { .text = (char *)text };
	struct path *const *found = tfind(&key, &f->paths_by_text, compare_texts);

	return found ? *found : NULL;
}

static void path_free(struct path *p)
{
	if (!p)
		return;
	cleanup_close(&p->now.fd);
	cleanup_close(&p->place.dir);
	while (p->links)
		link_remove(&p->links);
	for (size_t i = 0; i < p->replaced_count; i++)
		cleanup_close(&p->replaced[i].fd);
	free(p->replaced);
	free(p->text);
	free(p);
}

static int path_new(struct exefiles *f, const char *text, struct path **ret_path)
{
	struct path **grown = reallocarray(f->paths, f->path_count + 1, sizeof(struct path *));
	struct path *p;

	if (!grown)
		return -ENOMEM;
	f->paths = grown;
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->now.fd = p->place.dir = -1;
	p->text = strdup(text);
	if (!p->text || !tsearch(p, &f->paths_by_text, compare_texts)) {
		path_free(p);
		return -ENOMEM;
	}
	*ret_path = f->paths[f->path_count++] = p;
	return 0;
}

int exefiles_add(struct exefiles *f, const char *path)
{
	struct path *p = path_find(f, path);
	int r;

	if (*path != '/' || strlen(path) >= PATH_MAX)
		return -EINVAL;
	if (p)
		return 0;
	r = path_new(f, path, &p);
	if (r)
		return r;
	if (mounts_changed(f))
		all_changed(f);
	r = path_look(f, p, NULL, NULL);
	set_timer(f);
	return r == -ENOMEM ? r : 0;
}

void exefiles_each(const struct exefiles *f, const char *path, exefiles_fn fn, void *arg)
{
	const struct path *p = path_find(f, path);

	if (!p)
		return;
	for (size_t i = 0; i < p->replaced_count; i++)
		told_file(p, &p->replaced[i], true, fn, arg);
	if (p->now.fd >= 0)
		told_file(p, &p->now, true, fn, arg);
	if (p->place.dir >= 0)
		told(p, &p->place.id, true, fn, arg);
}

bool exefiles_mounts_changed(const struct exefiles *f)
{
	return f->mounts_changed;
}

size_t exefiles_unwatched(const struct exefiles *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->path_count; i++)
		n += f->paths[i]->unwatched;
	return n;
}

int exefiles_fd(const struct exefiles *f)
{
	return f->epoll;
}

static int wake_by(const struct exefiles *f, int fd, __u32 events)
{
	struct epoll_event event = { .events = events };

	return epoll_ctl(f->epoll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static int open_all(struct exefiles *f)
{
	int r;

	f->epoll = epoll_create1(EPOLL_CLOEXEC);
	f->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	f->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	f->mounts_wake = open(MOUNTINFO, O_RDONLY | O_CLOEXEC);
	f->mounts_look = open(MOUNTINFO, O_RDONLY | O_CLOEXEC);
	if (f->epoll < 0 || f->inotify < 0 || f->timer < 0 || f->mounts_wake < 0 ||
	    f->mounts_look < 0)
		return -errno;
	r = wake_by(f, f->inotify, EPOLLIN);
	if (!r)
		r = wake_by(f, f->timer, EPOLLIN);
	return r ? r : wake_by(f, f->mounts_wake, EPOLLPRI);
}

int exefiles_new(struct exefiles **ret_files)
{
	struct exefiles *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return -ENOMEM;
	f->epoll = f->inotify = f->timer = f->mounts_wake = f->mounts_look = -1;
	forget_mounts(f);
	r = open_all(f);
	if (r) {
		exefiles_free(f);
		return r;
	}
	*ret_files = f;
	return 0;
}

/* What a tree held is freed already. */
static void no_more(void *item)
{
	(void)item;
}

void exefiles_free(struct exefiles *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->path_count; i++)
		path_free(f->paths[i]);
	free(f->paths);
	tdestroy(f->paths_by_text, no_more);
	tdestroy(f->watches, free);
	cleanup_close(&f->epoll);
	cleanup_close(&f->inotify);
	cleanup_close(&f->timer);
	cleanup_close(&f->mounts_wake);
	cleanup_close(&f->mounts_look);
	free(f);
}
