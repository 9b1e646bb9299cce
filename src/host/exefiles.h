/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which files executables' paths stand for, followed as they are replaced: device and inode as the
 * kernel side reads them (inode->i_sb->s_dev, inode->i_ino), in our own mount namespace. A file
 * that was replaced stays until no process runs it; each is held open until it has been reported
 * gone, so that its number cannot come to mean another file before.
 *
 * What will be put there is not a file yet, and runs before anybody can tell of it. So a path
 * stands for its place, too: a name in a directory.
 */
#ifndef FLOWNER_EXEFILES_H
#define FLOWNER_EXEFILES_H

#include <flowner/policy.h>
#include <stdbool.h>
#include <stddef.h>

struct exefiles;

/* A file; with NAME whatever is called so in the directory ID. */
struct exefile {
	struct fl_file id;
	__u64 name; /* exefiles_name(), or 0 */
};

/* FILE is one that PATH stands for from now on; not CAME: no more. */
typedef void (*exefiles_fn)(void *arg, const char *path, const struct exefile *file, bool came);

int exefiles_new(struct exefiles **ret_files);
void exefiles_free(struct exefiles *f);

/*
 * Follows PATH, absolute; a path given twice is followed once. That nothing is there is no error.
 * -EINVAL not absolute. -ENOMEM.
 */
int exefiles_add(struct exefiles *f, const char *path);

/* FN with all that PATH, added before, stands for now: replaced files, one, a place; or nothing. */
void exefiles_each(const struct exefiles *f, const char *path, exefiles_fn fn, void *arg);

/* Becomes readable when exefiles_run() has work: for epoll. */
int exefiles_fd(const struct exefiles *f);

/* Does it. FN is called for each change; negative errno for what kept some from being seen. */
int exefiles_run(struct exefiles *f, exefiles_fn fn, void *arg);

/* Whether the last exefiles_run() found that something was mounted or unmounted before it. */
bool exefiles_mounts_changed(const struct exefiles *f);

/* Paths that could not be watched (out of inotify watches): looked at every few seconds. */
size_t exefiles_unwatched(const struct exefiles *f);

/* The file open at FD (O_PATH is enough), as the kernel side sees it. */
int exefiles_identify(int fd, struct fl_file *ret_file);

/* NAME, of at most FL_NAME_MAX bytes, as the kernel side puts it into one number. */
__u64 exefiles_name(const char *name);

#endif
