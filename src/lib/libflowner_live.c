/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The pinned maps as the library reads them. `meta` first: it says whose layout all of them have,
 * and the sizes of keys and values must agree as well. It cannot be mapped into memory: for that
 * the kernel wants a descriptor to write with.
 */
#include "lib/libflowner.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "text/cleanup.h"

static const char *path_of(const char *dir, const char *name, char buf[PATH_MAX])
{
	snprintf(buf, PATH_MAX, "%s/%s", dir, name);
	return buf;
}

/* -ESTALE when the map has another shape than this library was built for. */
static int open_map(const char *dir, const char *name, size_t key_size, size_t value_size,
		    int *ret_fd)
{
	char path[PATH_MAX];
	_close_ int fd = pin_open(path_of(dir, name, path));
	__u32 key, value;
	int r;

	if (fd < 0)
		return fd;
	r = pin_sizes(fd, &key, &value);
	if (r < 0)
		return r;
	if (key != key_size || value != value_size)
		return -ESTALE;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int read_meta(const struct live *live, struct fl_meta *ret_meta)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(live->maps.meta, &zero, ret_meta) < 0 ? -errno : 0;
}

static int open_meta(struct live *live, const char *dir)
{
	char path[PATH_MAX];
	struct fl_meta meta;
	struct stat st;
	int r;

	/* before it is opened: when it is replaced in between, that shows */
	if (stat(path_of(dir, "meta", path), &st) < 0)
		return -errno;
	r = open_map(dir, "meta", sizeof(__u32), sizeof(meta), &live->maps.meta);
	if (r == 0)
		r = read_meta(live, &meta);
	if (r < 0)
		return r;
	if (meta.layout != FL_LAYOUT)
		return -ESTALE;
	if (meta.retired)
		return -ENOENT;
	live->device = st.st_dev;
	live->inode = st.st_ino;
	live->maps.seeded_ns = meta.seeded_ns;
	return 0;
}

static const struct wanted {
	const char *name;
	size_t key_size, value_size;
	size_t fd; /* offset in struct maps */
	bool optional;
} wanted[] = {
#define WANT(name, key, value, optional)                                                           \
	{                                                                                          \
#name, sizeof(key), sizeof(value), offsetof(struct maps, name), optional           \
	}
	WANT(l7_connections, struct fl_key, struct fl_connection, false),
	WANT(socket_to_process, __u64, struct fl_socket, false),
	WANT(processes, struct fl_proc_key, struct fl_process, true),
	WANT(process_text, struct fl_proc_key, struct fl_text, true), /* root's */
	WANT(netns, __u64, __u32, true),
	WANT(netns_cookies, __u32, __u64, true), /* root's */
};

#define WANTED (sizeof(wanted) / sizeof(wanted[0]))

static int *fd_of(struct live *live, const struct wanted *w)
{
	return (int *)((char *)&live->maps + w->fd);
}

static int open_all(struct live *live, const char *dir)
{
	int r = open_meta(live, dir);

	for (size_t i = 0; i < WANTED && r == 0; i++) {
		const struct wanted *w = &wanted[i];

		r = open_map(dir, w->name, w->key_size, w->value_size, fd_of(live, w));
		if (r < 0 && r != -ESTALE && w->optional)
			r = 0;
	}
	return r;
}

int live_open(struct live *live, const char *dir)
{
	struct live l = { 0 };
	int r;

	for (size_t i = 0; i < WANTED; i++)
		*fd_of(&l, &wanted[i]) = -1;
	l.maps.meta = -1;
	l.open = true;
	r = open_all(&l, dir);
	if (r < 0) {
		live_close(&l);
		return r;
	}
	*live = l;
	return 0;
}

void live_close(struct live *live)
{
	if (!live->open)
		return;
	for (size_t i = 0; i < WANTED; i++)
		cleanup_close(fd_of(live, &wanted[i]));
	cleanup_close(&live->maps.meta);
	*live = (struct live){ 0 };
}

bool live_retired(const struct live *live)
{
	struct fl_meta meta;

	return read_meta(live, &meta) < 0 || meta.retired;
}

bool live_replaced(const struct live *live, const char *dir)
{
	char path[PATH_MAX];
	struct stat st;

	if (stat(path_of(dir, "meta", path), &st) < 0)
		return errno == ENOENT;
	return st.st_dev != live->device || st.st_ino != live->inode;
}
