/* SPDX-License-Identifier: BSD-2-Clause */
#include "text/textfile.h"

#include "text/cleanup.h"

#include <errno.h>
#include <fcntl.h>

#define FIRST_BYTES 4096u

/* At most MAX + 1 bytes of FD into *TEXT, which grows. */
static int read_all(int fd, size_t max, char **text, size_t *ret_size)
{
	size_t used = 0, room = 0;
	ssize_t n;

	do {
		if (used == room) {
			size_t more = room ? room * 2 : FIRST_BYTES;
			char *grown = realloc(*text, more);

			if (!grown)
				return -ENOMEM;
			*text = grown;
			room = more;
		}
		n = read(fd, *text + used, room - used);
		if (n < 0 && errno != EINTR)
			return -errno;
		used += n > 0 ? (size_t)n : 0;
		if (used > max)
			return -EFBIG;
	} while (n);
	*ret_size = used;
	return 0;
}

int textfile_read_fd(int fd, size_t max, char **ret_text, size_t *ret_size)
{
	_free_ char *text = NULL;
	int r = read_all(fd, max, &text, ret_size);

	if (r)
		return r;
	*ret_text = TAKE_PTR(text);
	return 0;
}

int textfile_read(const char *path, size_t max, char **ret_text, size_t *ret_size)
{
	_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : textfile_read_fd(fd, max, ret_text, ret_size);
}

ssize_t textfile_read_at(int dir, const char *name, char *buf, size_t size)
{
	_close_ int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	size_t used = 0;
	ssize_t n = 1;

	if (fd < 0)
		return -errno;
	while (n && used < size) {
		n = read(fd, buf + used, size - used);
		if (n < 0)
			return -errno;
		used += (size_t)n;
	}
	return (ssize_t)used;
}
