/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/pins.h"
#include "host/people.h"
#include "text/cleanup.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <flowner/control.h>
#include <libgen.h>
#include <limits.h>
#include <linux/magic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>

static void cleanup_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

/* The nearest directory above that exists says which filesystem DIR will be on. */
static bool on_bpffs(const char *dir)
{
	char path[PATH_MAX];
	struct statfs fs;

	snprintf(path, sizeof(path), "%s", dir);
	while (statfs(path, &fs) < 0) {
		if (errno != ENOENT || !strcmp(path, "/") || !strcmp(path, "."))
			return false;
		memmove(path, dirname(path), strlen(path) + 1);
	}
	return (unsigned long)fs.f_type == (unsigned long)BPF_FS_MAGIC;
}

static int make_dir(const char *dir, mode_t mode)
{
	if (mkdir(dir, mode) < 0 && errno != EEXIST)
		return -errno;
	return chmod(dir, mode) < 0 ? -errno : 0;
}

static int give_to_group(const char *path, const char *group)
{
	__u64 gid;

	if (!group || people_gid(group, &gid) < 0)
		return 0;
	return chown(path, (uid_t)-1, (gid_t)gid) < 0 ? -errno : 0;
}

static int prepare(struct pins *p, const char *group)
{
	char links[PATH_MAX];
	int r;

	r = make_dir(p->dir, 0750);
	if (r < 0)
		return r;
	r = give_to_group(p->dir, group);
	if (r < 0)
		return r;
	return make_dir(pins_link_path(p, "", links, sizeof(links)), 0700);
}

/* It has entries, and not the one that is made first and removed last: somebody else's. */
static bool is_foreign(const struct pins *p)
{
	_cleanup_(cleanup_dir) DIR *d = NULL;
	char links[PATH_MAX];
	struct dirent *e;

	if (!access(pins_link_path(p, "", links, sizeof(links)), F_OK))
		return false;
	d = opendir(p->dir);
	while (d && (e = readdir(d)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			return true;
	return false;
}

int pins_open(struct pins *p, const char *dir, const char *group, struct fail *f)
{
	int r;

	p->dir = dir;
	p->lock = -1;
	if (!on_bpffs(dir))
		return fail(f, -ENOTSUP,
			    "'%s' is not on a bpf filesystem: mount one with "
			    "'mount -t bpf bpf /sys/fs/bpf'",
			    dir);
	if (is_foreign(p))
		return fail(f, -ENOTEMPTY,
			    "'%s' has entries that are not flownerd's: name a directory of its own",
			    dir);
	r = prepare(p, group);
	if (r < 0)
		return fail(f, r, "cannot create '%s': %s", dir, strerror(-r));
	p->lock = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (p->lock < 0)
		return fail(f, -errno, "cannot open '%s': %s", dir, strerror(errno));
	if (flock(p->lock, LOCK_EX | LOCK_NB) < 0) {
		pins_close(p);
		return fail(f, -EBUSY,
			    "another flownerd uses '%s': stop it, or give this one its own "
			    "--pin-dir and --socket",
			    dir);
	}
	return 0;
}

void pins_close(struct pins *p)
{
	if (p->lock >= 0)
		close(p->lock);
	p->lock = -1;
}

const char *pins_map_path(const struct pins *p, const char *name, char *buf, size_t size)
{
	snprintf(buf, size, "%s/%s", p->dir, name);
	return buf;
}

const char *pins_link_path(const struct pins *p, const char *name, char *buf, size_t size)
{
	snprintf(buf, size, "%s/links/%s", p->dir, name);
	return buf;
}

int pins_publish(const struct pins *p, const char *name, const char *group)
{
	char path[PATH_MAX];

	pins_map_path(p, name, path, sizeof(path));
	if (chmod(path, 0640) < 0)
		return -errno;
	return give_to_group(path, group);
}

/*
 * Without it the programs of a link run on until the kernel has freed the inode of its pin, a
 * moment after whoever removed it went on. Links to cgroups know how; others say EOPNOTSUPP.
 */
static void detach(const char *dir, const char *name)
{
	char path[PATH_MAX];
	_close_ int fd = -1;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = bpf_obj_get(path);
	if (fd >= 0)
		(void)bpf_link_detach(fd); /* no link: EINVAL */
}

static int drop_entries(const char *dir, bool (*keep)(const char *name, void *arg), void *arg)
{
	_cleanup_(cleanup_dir) DIR *d = opendir(dir);
	struct dirent *e;
	int r = 0;

	if (!d)
		return errno == ENOENT ? 0 : -errno;
	while ((e = readdir(d))) {
		if (e->d_type == DT_DIR || !strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		if (keep && keep(e->d_name, arg))
			continue;
		detach(dir, e->d_name);
		if (unlinkat(dirfd(d), e->d_name, 0) < 0)
			r = -errno;
	}
	return r;
}

int pins_drop_links(const struct pins *p, bool (*keep)(const char *name, void *arg), void *arg)
{
	char links[PATH_MAX];

	return drop_entries(pins_link_path(p, "", links, sizeof(links)), keep, arg);
}

/* Whatever layout the value has: the two words in front are the same in all. */
static void say_retired(const struct pins *p)
{
	char path[PATH_MAX];
	_close_ int fd = bpf_obj_get(pins_map_path(p, "meta", path, sizeof(path)));
	struct bpf_map_info info = { 0 };
	__u32 len = sizeof(info), zero = 0;
	_free_ struct fl_meta *meta = NULL;

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len) < 0)
		return;
	meta = calloc(1, info.value_size);
	if (!meta || info.value_size < offsetof(struct fl_meta, seeded_ns) ||
	    bpf_map_lookup_elem(fd, &zero, meta) < 0)
		return;
	meta->retired = 1;
	(void)bpf_map_update_elem(fd, &zero, meta, BPF_EXIST);
}

/*
 * The next key is asked for before this one is gone: from one that is not there the kernel looks
 * from the first bucket on, which makes 100 000 of them minutes.
 */
static void empty(const struct pins *p, const char *name)
{
	char path[PATH_MAX];
	_close_ int fd = bpf_obj_get(pins_map_path(p, name, path, sizeof(path)));
	struct bpf_map_info info = { 0 };
	__u32 len = sizeof(info);
	_free_ void *key = NULL, *next = NULL;
	bool more;

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len) < 0)
		return;
	key = malloc(info.key_size);
	next = calloc(1, info.key_size);
	more = key && next && bpf_map_get_next_key(fd, NULL, key) == 0;
	while (more) {
		more = bpf_map_get_next_key(fd, key, next) == 0;
		if (bpf_map_delete_elem(fd, key) < 0)
			return;
		memcpy(key, next, info.key_size);
	}
}

/* Readers that keep the maps open must not take for live what nobody takes out any more. */
static void retire(const struct pins *p)
{
	say_retired(p);
	empty(p, "l7_connections");
	empty(p, "socket_to_process");
}

static int drop_dir(const char *dir)
{
	int r = drop_entries(dir, NULL, NULL);

	return rmdir(dir) < 0 && errno != ENOENT && !r ? -errno : r;
}

/* The programs first: without their maps they would be in doubt. */
int pins_remove_policy(const char *dir)
{
	char path[PATH_MAX];
	int r;

	snprintf(path, sizeof(path), "%s/" PINS_POLICY "/links", dir);
	r = drop_dir(path);
	*strrchr(path, '/') = '\0';
	return r < 0 ? r : drop_dir(path);
}

int pins_make_policy(const char *dir)
{
	char path[PATH_MAX];
	int r = pins_remove_policy(dir);

	snprintf(path, sizeof(path), "%s/" PINS_POLICY, dir);
	if (!r)
		r = make_dir(path, 0700);
	strncat(path, "/links", sizeof(path) - strlen(path) - 1);
	return r < 0 ? r : make_dir(path, 0700);
}

int pins_remove(const struct pins *p)
{
	char links[PATH_MAX];
	int r, dropped;

	r = pins_remove_policy(p->dir);
	dropped = pins_drop_links(p, NULL, NULL);
	r = r < 0 ? r : dropped;
	retire(p);
	dropped = drop_entries(p->dir, NULL, NULL);
	if (rmdir(pins_link_path(p, "", links, sizeof(links))) < 0 && errno != ENOENT && !r)
		r = -errno;
	if (rmdir(p->dir) < 0 && errno != ENOENT && !r)
		r = -errno;
	return r < 0 ? r : dropped;
}
