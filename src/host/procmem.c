/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/procmem.h"

#include "host/question.h"
#include "text/cleanup.h"
#include "text/clock.h"
#include "text/textfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define OPEN_MAX 4 /* questions without an answer */
#define WAIT_MS 1000u
#define LOST_MS 2000u /* of ... */
#define WINDOW_NS 20000000000ull

/* --- what is asked, in the thread --- */

struct asked {
	int dir;   /* of args; -1 */
	__u32 pid; /* of what is mapped ... */
	__u32 dev;
	__u64 inode;
	ssize_t said; /* bytes, or whether it is; negative errno */
	size_t size;
	char text[];
};

static void read_args(void *arg)
{
	struct asked *a = arg;

	a->said = textfile_read_at(a->dir, "cmdline", a->text, a->size);
}

static bool is_mapped(FILE *maps, __u32 dev, __u64 inode)
{
	_free_ char *line = NULL;
	unsigned int maj, min;
	unsigned long long ino;
	size_t size = 0;

	while (getline(&line, &size, maps) >= 0) {
		if (sscanf(line, "%*s %*s %*s %x:%x %llu", &maj, &min, &ino) == 3 && ino == inode &&
		    (maj << 20 | min) == dev)
			return true;
	}
	return false;
}

static void read_maps(void *arg)
{
	_fclose_ FILE *file = NULL;
	struct asked *a = arg;
	char path[32];

	snprintf(path, sizeof(path), "/proc/%u/maps", a->pid);
	file = fopen(path, "re");
	a->said = file && is_mapped(file, a->dev, a->inode);
}

static void asked_free(void *arg)
{
	struct asked *a = arg;

	cleanup_close(&a->dir);
	free(a);
}

/* --- who waits --- */

static struct {
	struct question *open[OPEN_MAX];
	__u64 since_ns; /* of this window */
	unsigned int lost_ms;
} waits;

static struct question **free_place(void)
{
	struct question **place = NULL;

	for (size_t i = 0; i < OPEN_MAX; i++) {
		struct question **q = &waits.open[i];

		if (*q && question_answered(*q, 0)) {
			question_forget(*q);
			*q = NULL;
		}
		if (!*q)
			place = q;
	}
	return place;
}

static unsigned int patience_ms(void)
{
	__u64 now_ns = clock_ns(CLOCK_MONOTONIC);

	if (now_ns - waits.since_ns > WINDOW_NS) {
		waits.since_ns = now_ns;
		waits.lost_ms = 0;
	}
	return waits.lost_ms + WAIT_MS > LOST_MS ? 0 : WAIT_MS;
}

/* ASKED is the question's. -EAGAIN, -ETIMEDOUT, -ENOMEM; 0: RET_QUESTION is to be forgotten. */
static int ask(void (*fn)(void *arg), struct asked *asked, struct question **ret_question)
{
	struct question **place = free_place(), *q;
	unsigned int ms = patience_ms();
	int r;

	if (!place || !ms) {
		asked_free(asked);
		return -EAGAIN;
	}
	r = question_ask(fn, asked_free, asked, &q);
	if (r < 0)
		return r;
	if (question_answered(q, ms)) {
		*ret_question = q;
		return 0;
	}
	waits.lost_ms += ms;
	*place = q;
	return -ETIMEDOUT;
}

static struct asked *asked_new(size_t size)
{
	struct asked *a = calloc(1, sizeof(*a) + size);

	if (a) {
		a->dir = -1;
		a->size = size;
	}
	return a;
}

ssize_t procmem_args(int dir, char *buf, size_t size)
{
	struct asked *a = asked_new(size);
	struct question *q;
	ssize_t r;

	if (!a)
		return -ENOMEM;
	a->dir = fcntl(dir, F_DUPFD_CLOEXEC, 0);
	r = ask(read_args, a, &q);
	if (r < 0)
		return r;
	a = question_arg(q);
	r = a->said;
	if (r > 0)
		memcpy(buf, a->text, (size_t)r);
	question_forget(q);
	return r;
}

bool procmem_maps(__u32 pid, __u32 dev, __u64 inode)
{
	struct asked *a = asked_new(0);
	struct question *q;
	bool said;

	if (!a)
		return false;
	a->pid = pid;
	a->dev = dev;
	a->inode = inode;
	if (ask(read_maps, a, &q) < 0)
		return false;
	said = ((const struct asked *)question_arg(q))->said > 0;
	question_forget(q);
	return said;
}
