/* SPDX-License-Identifier: BSD-2-Clause */
/* Make, take over and remove the socket file. */
#include "host/unixsock.h"
#include "text/cleanup.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define BACKLOG 64

static int make_address(const char *path, struct sockaddr_un *ret_address)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t size = strlen(path);

	if (size == 0)
		return -EINVAL;
	if (size >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, size);
	*ret_address = address;
	return 0;
}

/* Only the last directory: /run exists, and a typing error must not grow a tree. */
static int make_parent(const char *path)
{
	_free_ char *parent = strdup(path);
	char *slash = parent ? strrchr(parent, '/') : NULL;

	if (!parent)
		return -ENOMEM;
	if (!slash || slash == parent)
		return 0;
	*slash = '\0';
	if (mkdir(parent, 0755) < 0)
		return errno == EEXIST ? 0 : -errno;
	/* the umask took bits that peers need to reach the socket */
	return chmod(parent, 0755) < 0 ? -errno : 0;
}

/* Removes what a killed agent left. Whether somebody listens, only connect() can tell. */
static int remove_stale(const char *path, const struct sockaddr_un *address)
{
	_close_ int fd = -1;
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* EAGAIN: alive, its backlog is full */
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 || errno == EAGAIN)
		return -EADDRINUSE;
	if (errno == ENOENT)
		return 0;
	if (errno != ECONNREFUSED)
		return -errno;
	if (unlink(path) < 0 && errno != ENOENT)
		return -errno;
	return 0;
}

/* bind() obeys the umask; the file takes no connection before listen(), so chmod() is in time. */
static int bind_open(int fd, const char *path, const struct sockaddr_un *address,
		     struct unixsock_file *ret_file)
{
	struct stat st;
	int r;

	if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
		return -errno;
	if (chmod(path, 0666) < 0 || lstat(path, &st) < 0 || listen(fd, BACKLOG) < 0) {
		r = -errno;
		unlink(path);
		return r;
	}
	*ret_file = (struct unixsock_file){ .device = st.st_dev, .inode = st.st_ino };
	return 0;
}

int unixsock_listen(const char *path, struct unixsock_file *ret_file, int *ret_fd)
{
	_close_ int fd = -1;
	struct sockaddr_un address;
	int r = make_address(path, &address);

	if (r == 0)
		r = make_parent(path);
	if (r == 0)
		r = remove_stale(path, &address);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	r = bind_open(fd, path, &address, ret_file);
	if (r < 0)
		return r;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

void unixsock_remove(const char *path, const struct unixsock_file *file)
{
	struct stat st;

	if (lstat(path, &st) == 0 && st.st_dev == file->device && st.st_ino == file->inode)
		unlink(path);
}
