/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/recall.h"
#include "text/cleanup.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <flowner/control.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#define MARKS_PER_RING (FL_MARKS / 2)
#define RECORD_MAX sizeof(struct fl_text) /* the largest there is */

/* As the kernel has it (kernel/bpf/ringbuf.c): length and two flags, an offset, then the data. */
struct header {
	__u32 len;
	__u32 pages;
};

/* Positions count bytes since the ring was made; the data is mapped twice, one behind the other. */
struct recall {
	int meta_fd;
	__u64 size;
	size_t page;
	const __u64 *consumer;
	const char *shared; /* the producer's page, then the data */
	struct fl_meta meta;
	__u64 record[(RECORD_MAX + 7) / 8];
};

__u64 recall_taken(const struct recall *r)
{
	return __atomic_load_n(r->consumer, __ATOMIC_ACQUIRE);
}

__u64 recall_written(const struct recall *r)
{
	return __atomic_load_n((const __u64 *)(const void *)r->shared, __ATOMIC_ACQUIRE);
}

/* Everything before it may have been overwritten. */
static __u64 oldest(const struct recall *r)
{
	__u64 written = recall_written(r);

	return written > r->size ? written - r->size : 0;
}

static const char *at(const struct recall *r, __u64 position)
{
	return r->shared + r->page + (position & (r->size - 1));
}

static int read_meta(struct recall *r)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(r->meta_fd, &zero, &r->meta) < 0 ? -errno : 0;
}

static int write_meta(struct recall *r)
{
	__u32 zero = 0;

	return bpf_map_update_elem(r->meta_fd, &zero, &r->meta, BPF_ANY) < 0 ? -errno : 0;
}

static int map_ring(struct recall *r, int fd)
{
	struct bpf_map_info info = { 0 };
	__u32 len = sizeof(info);
	void *p;

	if (bpf_obj_get_info_by_fd(fd, &info, &len) < 0)
		return -errno;
	r->size = info.max_entries;
	r->page = (size_t)sysconf(_SC_PAGESIZE);
	p = mmap(NULL, r->page, PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	r->consumer = p;
	p = mmap(NULL, r->page + 2 * r->size, PROT_READ, MAP_SHARED, fd, (off_t)r->page);
	if (p == MAP_FAILED)
		return -errno;
	r->shared = p;
	return 0;
}

int recall_new(int ring_fd, int meta_fd, struct recall **ret_recall)
{
	struct recall *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return -ENOMEM;
	r->meta_fd = meta_fd;
	err = map_ring(r, ring_fd);
	if (!err)
		err = read_meta(r);
	if (err < 0) {
		recall_free(r);
		return err;
	}
	*ret_recall = r;
	return 0;
}

void recall_free(struct recall *r)
{
	if (!r)
		return;
	if (r->consumer)
		munmap((void *)(uintptr_t)r->consumer, r->page);
	if (r->shared)
		munmap((void *)(uintptr_t)r->shared, r->page + 2 * r->size);
	free(r);
}

/* The oldest mark at or after FROM that was taken before END; END when there is none. */
static __u64 mark_from(const struct recall *r, __u64 from, __u64 end)
{
	size_t count = r->meta.marked < FL_MARKS ? r->meta.marked : FL_MARKS;
	__u64 best = end;

	for (size_t i = 0; i < count; i++) {
		__u64 mark = r->meta.marks[i];

		if (mark >= from && mark < best && mark % 8 == 0)
			best = mark;
	}
	return best;
}

enum copied { COPIED_RECORD, COPIED_NOTHING, COPIED_GONE };

/* The record at *POSITION into r->record; *POSITION is then the next one's. */
static enum copied copy(struct recall *r, __u64 *position, __u32 *ret_len)
{
	const struct header *h = (const struct header *)(const void *)at(r, *position);
	__u32 word = __atomic_load_n(&h->len, __ATOMIC_ACQUIRE);
	__u32 len = word & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
	bool fits = len <= sizeof(r->record);

	if (fits)
		memcpy(r->record, h + 1, len);
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (*position < oldest(r))
		return COPIED_GONE;
	*position += (len + sizeof(*h) + 7) / 8 * 8;
	*ret_len = len;
	return fits && word == len ? COPIED_RECORD : COPIED_NOTHING;
}

int recall_each(struct recall *r, int (*fn)(void *arg, void *data, size_t size), void *arg)
{
	__u64 end = recall_taken(r);
	__u64 position = mark_from(r, oldest(r), end);

	while (position < end) {
		__u32 len = 0;
		int result = 0;

		switch (copy(r, &position, &len)) {
		case COPIED_GONE:
			position = mark_from(r, oldest(r), end);
			break;
		case COPIED_RECORD:
			result = fn(arg, r->record, len);
			break;
		case COPIED_NOTHING:
			break;
		}
		if (result)
			return result;
	}
	return 0;
}

int recall_mark(struct recall *r)
{
	__u64 now = recall_taken(r);
	__u64 newest = (r->meta.marked - 1) % FL_MARKS;

	if (r->meta.marked && now - r->meta.marks[newest] < r->size / MARKS_PER_RING)
		return 0;
	r->meta.marks[r->meta.marked++ % FL_MARKS] = now;
	return write_meta(r);
}

struct recall_told recall_told(const struct recall *r)
{
	struct recall_told told = { .sequence = r->meta.sequence };

	memcpy(told.lost, r->meta.lost_told, sizeof(told.lost));
	return told;
}

int recall_tell(struct recall *r, const struct recall_told *told)
{
	r->meta.sequence = told->sequence;
	memcpy(r->meta.lost_told, told->lost, sizeof(told->lost));
	return write_meta(r);
}

int recall_ready(struct recall *r, __u64 ready_ns)
{
	r->meta.life[(r->meta.lives - 1) % FL_LIVES].ready_ns = ready_ns;
	return write_meta(r);
}

/* One that died before it was ready tested itself until it died: before the next one began. */
static __u64 test_ended(const struct fl_meta *meta, __u64 life)
{
	const struct fl_life_span *span = &meta->life[life % FL_LIVES];

	if (span->ready_ns)
		return span->ready_ns;
	return life + 1 < meta->lives ? meta->life[(life + 1) % FL_LIVES].started_ns : UINT64_MAX;
}

bool recall_was_selftest(const struct recall *r, __u32 pid, __u64 time_ns)
{
	const struct fl_meta *meta = &r->meta;
	__u64 first = meta->lives > FL_LIVES ? meta->lives - FL_LIVES : 0;

	for (__u64 life = first; life < meta->lives; life++) {
		const struct fl_life_span *span = &meta->life[life % FL_LIVES];

		if (span->pid == pid && span->started_ns <= time_ns &&
		    time_ns <= test_ended(meta, life))
			return true;
	}
	return false;
}
