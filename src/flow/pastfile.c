/* SPDX-License-Identifier: BSD-2-Clause */
#include "flow/pastfile.h"
#include "text/cleanup.h"
#include "flow/past.h"
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Executable and arguments, 4 KB each, twice and escaped: ours are shorter. */
#define LINE_MAX_BYTES (256u << 10)
#define NEAR_BYTES (64 << 10) /* so near to the first line is near enough */
#define PARTS 2

struct part {
	int fd; /* -1: not there */
	off_t at, end;
	bool inside; /* AT may be in the middle of a line */
};

struct pastfile {
	struct part parts[PARTS];
	size_t part;
	char buf[LINE_MAX_BYTES];
	size_t have, taken;
	bool skipping; /* up to the next newline */
};

static int open_part(const char *path, struct part *ret_part, struct stat *ret_st)
{
	_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return -errno;
	if (fstat(fd, ret_st) < 0)
		return -errno;
	if (!S_ISREG(ret_st->st_mode))
		return -EINVAL;
	*ret_part = (struct part){ .fd = TAKE_FD(fd), .end = ret_st->st_size };
	return 0;
}

/* PATH first: what is rotated in between is then seen once, as PATH, and never twice. */
static int open_parts(const char *path, struct pastfile *f)
{
	_free_ char *rotated = NULL;
	struct stat now, before;
	int r, gone;

	if (asprintf(&rotated, "%s.1", path) < 0)
		return -ENOMEM;
	gone = open_part(path, &f->parts[1], &now);
	if (gone && gone != -ENOENT)
		return gone;
	r = open_part(rotated, &f->parts[0], &before);
	if (gone)
		return r;
	if (!r && now.st_dev == before.st_dev && now.st_ino == before.st_ino)
		f->parts[0].end = 0;
	return 0;
}

/* End of the first whole line after AT; 0 when there is none, or none of ours, nearby. */
static __u64 end_after(struct pastfile *f, const struct part *p, off_t at)
{
	off_t left = p->end - at;
	size_t most = left < (off_t)sizeof(f->buf) ? (size_t)left : sizeof(f->buf);
	ssize_t n = pread(p->fd, f->buf, most, at);
	char *line = n > 0 ? memchr(f->buf, '\n', (size_t)n) : NULL, *end;

	if (!line)
		return 0;
	line++;
	end = memchr(line, '\n', (size_t)(f->buf + n - line));
	return end ? past_end_ns(line, (size_t)(end - line)) : 0;
}

/*
 * What cannot be read is taken for late: then more is read than needed, and nothing missed. So is
 * what is earlier than lines before it: the clock of a machine that has just started may be years
 * behind until somebody sets it.
 */
static void seek(struct pastfile *f, struct part *p, __u64 since_ns)
{
	__u64 reached_ns = p->fd >= 0 && p->end > NEAR_BYTES ? end_after(f, p, 0) : 0;
	off_t late = p->end;

	while (p->fd >= 0 && late - p->at > NEAR_BYTES) {
		off_t middle = p->at + (late - p->at) / 2;
		__u64 end_ns = end_after(f, p, middle);

		if (end_ns && end_ns < since_ns && end_ns >= reached_ns) {
			reached_ns = end_ns;
			p->at = middle;
			p->inside = true;
		} else {
			late = middle;
		}
	}
}

static void cleanup_pastfile(struct pastfile **f)
{
	pastfile_close(*f);
}

int pastfile_open(const char *path, __u64 since_ns, struct pastfile **ret_file)
{
	_cleanup_(cleanup_pastfile) struct pastfile *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return -ENOMEM;
	for (size_t i = 0; i < PARTS; i++)
		f->parts[i].fd = -1;
	r = open_parts(path, f);
	if (r < 0)
		return r;
	for (size_t i = 0; i < PARTS; i++)
		seek(f, &f->parts[i], since_ns);
	f->skipping = f->parts[0].inside;
	*ret_file = TAKE_PTR(f);
	return 0;
}

void pastfile_close(struct pastfile *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < PARTS; i++)
		cleanup_close(&f->parts[i].fd);
	free(f);
}

void pastfile_skip_to_tail(struct pastfile *f, size_t bytes)
{
	for (size_t i = 0; i < PARTS; i++) {
		struct part *p = &f->parts[i];

		p->inside = p->end > (off_t)bytes;
		p->at = p->inside ? p->end - (off_t)bytes : 0;
	}
	f->skipping = f->parts[0].inside;
}

/* A part's rest without a newline is being written, or was cut. */
static bool next_part(struct pastfile *f)
{
	f->have = f->taken = 0;
	if (++f->part == PARTS)
		return false;
	f->skipping = f->parts[f->part].inside;
	return true;
}

/* 1 there is more in the buffer, 0 this part has no more. */
static int fill(struct pastfile *f)
{
	struct part *p = &f->parts[f->part];
	size_t room;
	ssize_t n;

	memmove(f->buf, f->buf + f->taken, f->have - f->taken);
	f->have -= f->taken;
	f->taken = 0;
	if (f->have == sizeof(f->buf)) {
		f->have = 0;
		f->skipping = true;
	}
	room = sizeof(f->buf) - f->have;
	if (p->end - p->at < (off_t)room)
		room = (size_t)(p->end - p->at);
	if (p->fd < 0 || !room)
		return 0;
	n = pread(p->fd, f->buf + f->have, room, p->at);
	if (n < 0)
		return -errno;
	p->at += n;
	f->have += (size_t)n;
	return n > 0;
}

int pastfile_next(struct pastfile *f, const char **ret_line, size_t *ret_size)
{
	while (f->part < PARTS) {
		char *line = f->buf + f->taken;
		char *end = memchr(line, '\n', f->have - f->taken);
		bool skipped = f->skipping;
		int r;

		if (!end) {
			r = fill(f);
			if (r < 0)
				return r;
			if (!r && !next_part(f))
				return 0;
			continue;
		}
		f->taken += (size_t)(end + 1 - line);
		f->skipping = false;
		if (skipped)
			continue;
		*ret_line = line;
		*ret_size = (size_t)(end - line);
		return 1;
	}
	return 0;
}
