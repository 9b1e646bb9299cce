/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A read of the iterator that has room for one record ends with the first one, and the program
 * writes one at the latest after FL_HOLDER_PACE files (holders.bpf.c): so no read is long.
 */
#include "kernel/holders.h"
#include "text/cleanup.h"
#include "text/clock.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <flowner/control.h>
#include <stdlib.h>

#define WALKS_OTHERS 2 /* of those who do not see all */
#define WALK_NS 10000000000ULL
#define PIECE_RECORDS 256 /* of who holds the socket very often */
#define FIRST_ROOM 8

struct holders {
	int link;
	__u64 *wanted; /* by place of a walk; 0: the place is free */
};

struct holders_walk {
	const struct holders *of;
	__u64 cookie;
	bool sees_all;
	__u64 began_ns;
	__u64 *place; /* NULL: it waits for one */
	int fd;
	size_t room;
	struct holders_found found;
};

int holders_new(int link, __u64 *wanted, struct holders **ret_holders)
{
	struct holders *h = malloc(sizeof(*h));

	if (!h)
		return -ENOMEM;
	*h = (struct holders){ .link = link, .wanted = wanted };
	*ret_holders = h;
	return 0;
}

void holders_free(struct holders *h)
{
	free(h);
}

int holders_walk_new(struct holders *h, __u64 cookie, bool sees_all, struct holders_walk **ret_walk)
{
	struct holders_walk *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->of = h;
	w->cookie = cookie;
	w->sees_all = sees_all;
	w->began_ns = clock_ns(CLOCK_MONOTONIC);
	w->fd = -1;
	*ret_walk = w;
	return 0;
}

void holders_walk_free(struct holders_walk *w)
{
	if (!w)
		return;
	if (w->place)
		*w->place = 0;
	cleanup_close(&w->fd);
	free(w->found.list);
	free(w);
}

/* From the last place on, which the others do not get. */
static __u64 *free_place(const struct holders_walk *w)
{
	for (size_t i = w->sees_all ? FL_HOLDER_WALKS : WALKS_OTHERS; i > 0; i--)
		if (!w->of->wanted[i - 1])
			return &w->of->wanted[i - 1];
	return NULL;
}

static int begin(struct holders_walk *w)
{
	w->place = free_place(w);
	if (!w->place)
		return -EAGAIN;
	*w->place = w->cookie;
	w->fd = bpf_iter_create(w->of->link);
	return w->fd < 0 ? -errno : 0;
}

/* Descriptors of one process come together, but for threads that have some of their own. */
static struct holder *find(const struct holders_found *f, const struct fl_proc_key *key)
{
	for (size_t i = f->count; i > 0; i--)
		if (f->list[i - 1].owner.proc.pid == key->pid &&
		    f->list[i - 1].owner.proc.start_ns == key->start_ns)
			return &f->list[i - 1];
	return NULL;
}

/* NULL without memory, or room: then there are more than are told. */
static struct holder *add(struct holders_walk *w, const struct fl_owner *owner)
{
	struct holders_found *f = &w->found;
	size_t room = w->room ? w->room * 2 : FIRST_ROOM;
	struct holder *list;

	if (f->count == w->room) {
		list = room > HOLDERS_MAX ? NULL : reallocarray(f->list, room, sizeof(*list));
		if (!list)
			return NULL;
		f->list = list;
		w->room = room;
	}
	f->list[f->count] = (struct holder){ .owner = *owner };
	return &f->list[f->count++];
}

static void take(struct holders_walk *w, const struct fl_holder *record)
{
	struct holder *h = find(&w->found, &record->owner.proc);

	if (!h)
		h = add(w, &record->owner);
	for (size_t i = 0; h && i < h->fd_count; i++)
		if (h->fds[i] == record->fd)
			return; /* another thread's, of the same process */
	if (h && h->fd_count < HOLDER_FDS)
		h->fds[h->fd_count++] = record->fd;
	else
		w->found.truncated = true;
}

/* 1 a record, 0 the end. */
static int next(const struct holders_walk *w, struct fl_holder *ret_record)
{
	ssize_t n = read(w->fd, ret_record, sizeof(*ret_record));

	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	return n == sizeof(*ret_record) ? 1 : n ? -EIO : 0;
}

int holders_walk_on(struct holders_walk *w)
{
	struct fl_holder record;
	int r = 1;

	if (clock_ns(CLOCK_MONOTONIC) - w->began_ns > WALK_NS)
		return -ETIMEDOUT;
	if (w->fd < 0)
		r = begin(w);
	if (r < 0)
		return r;
	for (int i = 0; i < PIECE_RECORDS; i++) {
		r = next(w, &record);
		if (r <= 0)
			return r;
		if (!record.cookie)
			return -EAGAIN;
		if (record.cookie == w->cookie)
			take(w, &record);
	}
	return -EAGAIN;
}

struct holders_found *holders_walk_found(struct holders_walk *w)
{
	return &w->found;
}
