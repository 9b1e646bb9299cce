/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/policysave.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "text/cleanup.h"

#define NAMES_MAX 100 /* of directories from before, in one second */

static int write_all(int fd, const char *text, size_t size)
{
	while (size) {
		ssize_t n = write(fd, text, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		size -= (size_t)n;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

/* NUMBER, not 0 where there are several, keeps their order; files of one name do not meet. A name
 * that begins with a dot would not be read when the daemon starts. */
static int save_text(int dir, const struct policysave_text *t, size_t number)
{
	const char *base = strrchr(t->path, '/');
	char order[24] = "";
	char name[NAME_MAX + 1];
	_close_ int fd = -1;

	base = base ? base + 1 : t->path;
	if (number || *base == '.')
		snprintf(order, sizeof(order), "%02zu-", number);
	snprintf(name, sizeof(name), "%s%.200s%s", order, base,
		 strlen(base) > 5 && !strcmp(base + strlen(base) - 5, ".yaml") ? "" : ".yaml");
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : write_all(fd, t->text, t->size);
}

/* Whose it is first: what only they may enter is never another's. */
static int make_like(int dir, const char *before)
{
	struct stat st;

	if (stat(before, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (fchown(dir, st.st_uid, st.st_gid) < 0 || fchmod(dir, st.st_mode & 07777) < 0)
		return -errno;
	return 0;
}

static int save_texts(const char *path, const char *before, const struct policysave_text *texts,
		      size_t count)
{
	_close_ int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = dir < 0 ? -errno : 0;

	for (size_t i = 0; !r && i < count; i++)
		r = save_text(dir, &texts[i], count > 1 ? i + 1 : 0);
	if (!r)
		r = make_like(dir, before);
	return r ? r : fsync(dir) < 0 ? -errno : 0;
}

/* PATH, with files and nothing else in it. */
static void remove_all(const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		(void)unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir)
		closedir(dir);
	(void)rmdir(path);
}

/* A name that tells the time for what was at DIR and is at PATH by now; that one when none is. */
static char *name_before(const char *dir, const char *path)
{
	long long now = time(NULL);

	for (int i = 0; i < NAMES_MAX; i++) {
		char number[16] = "";
		char *name;

		if (i)
			snprintf(number, sizeof(number), ".%d", i);
		if (asprintf(&name, "%s.%lld%s", dir, now, number) < 0)
			return NULL;
		if (renameat2(AT_FDCWD, path, AT_FDCWD, name, RENAME_NOREPLACE) == 0)
			return name;
		free(name);
		if (errno != EEXIST)
			break;
	}
	return strdup(path);
}

/* One step for whoever reads DIR: it has all of the old policy, or all of the new one. */
static int take_place(const char *dir, const char *next, char **ret_before)
{
	*ret_before = NULL;
	if (renameat2(AT_FDCWD, next, AT_FDCWD, dir, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EEXIST)
		return -errno;
	if (renameat2(AT_FDCWD, next, AT_FDCWD, dir, RENAME_EXCHANGE) < 0)
		return -errno;
	*ret_before = name_before(dir, next);
	return 0;
}

/* The names in it; it is saved by then, whether the disk has it already or not. */
static void sync_parent(const char *path)
{
	_free_ char *copy = strdup(path);
	char *slash = copy ? strrchr(copy, '/') : NULL;
	_close_ int fd = -1;

	if (!copy)
		return;
	if (slash)
		slash[slash == copy] = '\0';
	fd = open(slash ? copy : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		(void)fsync(fd);
}

/* DIR as it is meant; the next one is made beside it. One that is not there yet may be named with
 * slashes behind it as well. */
static char *real_dir(const char *dir)
{
	char *real = realpath(dir, NULL);
	size_t length = strlen(dir);

	if (real)
		return real;
	while (length > 1 && dir[length - 1] == '/')
		length--;
	return strndup(dir, length);
}

int policysave(const char *path, const struct policysave_text *texts, size_t count,
	       char **ret_before)
{
	_free_ char *dir = real_dir(path);
	_free_ char *next = NULL;
	int r;

	if (!dir)
		return -ENOMEM;
	if (asprintf(&next, "%s.XXXXXX", dir) < 0) {
		next = NULL;
		return -ENOMEM;
	}
	if (!mkdtemp(next))
		return -errno;
	r = save_texts(next, dir, texts, count);
	if (!r)
		r = take_place(dir, next, ret_before);
	if (r)
		remove_all(next);
	else
		sync_parent(dir);
	return r;
}
