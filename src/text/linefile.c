/* SPDX-License-Identifier: BSD-2-Clause */
/* Two buffers: one is filled by the daemon, the other belongs to the thread while it writes. */
#include "text/linefile.h"
#include "text/cleanup.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define RETRY_S 1
#define CLOSE_S 5

struct linefile {
	char *path;
	gid_t group;
	int fd; /* the thread's, once it runs */
	pthread_t thread;
	bool running;

	pthread_mutex_t lock; /* of all below */
	pthread_cond_t work;
	char *filling, *writing;
	size_t filled;
	bool stop, reopen;
	struct linefile_state state;
};

/* --- the file --- */

static int prepare(int fd, gid_t group)
{
	struct stat st;
	ssize_t n;
	char last;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (!st.st_size) {
		/* whatever the umask; the group is a convenience, without it root reads */
		(void)!fchmod(fd, 0640);
		(void)!fchown(fd, (uid_t)-1, group);
		return 0;
	}
	n = pread(fd, &last, 1, st.st_size - 1);
	if (n != 1)
		return n < 0 ? -errno : -EIO;
	return last == '\n' || write(fd, "\n", 1) == 1 ? 0 : -errno;
}

/* O_NONBLOCK: a fifo of that name is refused, not waited for. */
static int open_file(const struct linefile *f, int *ret_fd)
{
	_close_ int fd = open(
		f->path,
		O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0640);
	int r;

	if (fd < 0)
		return errno == ENXIO ? -EINVAL : -errno;
	r = prepare(fd, f->group);
	if (r < 0)
		return r;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static size_t count_lines(const char *from, size_t size)
{
	const char *end = from + size;
	size_t lines = 0;

	for (; (from = memchr(from, '\n', (size_t)(end - from))); from++)
		lines++;
	return lines;
}

/* Of what was written, the part of a line is taken back. Nobody else writes there. */
static size_t keep_lines(int fd, const char *from, size_t size)
{
	const char *last = memrchr(from, '\n', size);
	size_t whole = last ? (size_t)(last + 1 - from) : 0;
	struct stat st;

	if (whole < size && fstat(fd, &st) == 0)
		(void)!ftruncate(fd, st.st_size - (off_t)(size - whole));
	return whole;
}

/* How much of FROM is in the file now; less than all of it: *RET_ERROR says why. */
static size_t write_lines(int fd, const char *from, size_t size, int *ret_error)
{
	ssize_t n = write(fd, from, size);

	*ret_error = n < 0 ? errno : 0;
	if (n < 0)
		return 0;
	if ((size_t)n == size)
		return size;
	*ret_error = ENOSPC; /* of a regular file, that is what a short write means */
	return keep_lines(fd, from, (size_t)n);
}

/* --- the thread; with the lock held, but for the system calls --- */

/* Whether its name is another file's by now: who rotates it need not tell. While it is nobody's,
 * the old one is written: who took it away is about to make the next. */
static bool is_replaced(struct linefile *f)
{
	struct stat named, ours;
	bool is;

	pthread_mutex_unlock(&f->lock);
	is = lstat(f->path, &named) == 0 && fstat(f->fd, &ours) == 0 &&
	     (named.st_ino != ours.st_ino || named.st_dev != ours.st_dev);
	pthread_mutex_lock(&f->lock);
	return is;
}

static void reopen(struct linefile *f)
{
	int fd = -1, r;

	f->reopen = false;
	pthread_mutex_unlock(&f->lock);
	r = open_file(f, &fd);
	pthread_mutex_lock(&f->lock);
	f->state.open_error = -r;
	if (r < 0)
		return;
	close(f->fd);
	f->fd = fd;
}

static void note_error(struct linefile_state *s, int error)
{
	s->error = error;
	if (error == ENOSPC || error == EDQUOT || error == EFBIG)
		s->no_space++;
	else if (error == EIO)
		s->io_errors++;
	else if (error && error != EINTR)
		s->other_errors++;
}

static void wait_before_retry(struct linefile *f)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += RETRY_S;
	while (!f->stop && !f->reopen &&
	       pthread_cond_clockwait(&f->work, &f->lock, CLOCK_MONOTONIC, &until) == 0)
		;
}

/* Until all of it is written; at the end of the daemon there is one attempt. */
static void write_all(struct linefile *f, size_t size)
{
	size_t at = 0;

	while (at < size) {
		bool last = f->stop;
		size_t part;
		int error;

		if (is_replaced(f) || f->reopen)
			reopen(f);
		pthread_mutex_unlock(&f->lock);
		part = write_lines(f->fd, f->writing + at, size - at, &error);
		pthread_mutex_lock(&f->lock);
		f->state.written += count_lines(f->writing + at, part);
		note_error(&f->state, error);
		at += part;
		if (at == size)
			return;
		if (last) {
			f->state.refused += count_lines(f->writing + at, size - at);
			return;
		}
		wait_before_retry(f);
	}
}

static void *run(void *arg)
{
	struct linefile *f = arg;

	pthread_mutex_lock(&f->lock);
	for (;;) {
		size_t size = f->filled;
		char *full = f->filling;

		if (f->reopen) {
			reopen(f);
		} else if (size) {
			f->filling = f->writing;
			f->writing = full;
			f->filled = 0;
			write_all(f, size);
		} else if (f->stop) {
			break;
		} else {
			pthread_cond_wait(&f->work, &f->lock);
		}
	}
	pthread_mutex_unlock(&f->lock);
	return NULL;
}

/* --- for the daemon --- */

static void free_file(struct linefile *f)
{
	cleanup_close(&f->fd);
	pthread_mutex_destroy(&f->lock);
	pthread_cond_destroy(&f->work);
	free(f->filling);
	free(f->writing);
	free(f->path);
	free(f);
}

static void cleanup_file(struct linefile **f)
{
	if (*f)
		free_file(*f);
}

int linefile_open(const char *path, gid_t group, struct linefile **ret_file)
{
	_cleanup_(cleanup_file) struct linefile *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return -ENOMEM;
	f->fd = -1;
	f->group = group;
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->work, NULL);
	f->path = strdup(path);
	f->filling = malloc(LINEFILE_BYTES);
	f->writing = malloc(LINEFILE_BYTES);
	if (!f->path || !f->filling || !f->writing)
		return -ENOMEM;
	r = open_file(f, &f->fd);
	if (r < 0)
		return r;
	*ret_file = TAKE_PTR(f);
	return 0;
}

int linefile_start(struct linefile *f)
{
	int r = pthread_create(&f->thread, NULL, run, f);

	f->running = r == 0;
	return -r;
}

int linefile_put(struct linefile *f, const char *line, size_t size)
{
	int r = 0;

	pthread_mutex_lock(&f->lock);
	if (size > LINEFILE_BYTES - f->filled) {
		f->state.refused++;
		r = -ENOBUFS;
	} else {
		memcpy(f->filling + f->filled, line, size);
		f->filled += size;
		pthread_cond_signal(&f->work);
	}
	pthread_mutex_unlock(&f->lock);
	return r;
}

void linefile_reopen(struct linefile *f)
{
	pthread_mutex_lock(&f->lock);
	f->reopen = true;
	pthread_cond_signal(&f->work);
	pthread_mutex_unlock(&f->lock);
}

struct linefile_state linefile_state(struct linefile *f)
{
	struct linefile_state state;

	pthread_mutex_lock(&f->lock);
	state = f->state;
	pthread_mutex_unlock(&f->lock);
	return state;
}

/* A disk that does not answer keeps its thread and what that uses; the process ends anyway. */
void linefile_close(struct linefile *f)
{
	struct timespec until;

	if (!f)
		return;
	pthread_mutex_lock(&f->lock);
	f->stop = true;
	pthread_cond_signal(&f->work);
	pthread_mutex_unlock(&f->lock);
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += CLOSE_S;
	if (!f->running || pthread_clockjoin_np(f->thread, NULL, CLOCK_MONOTONIC, &until) == 0)
		free_file(f);
}
