/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading a ring's past again. The ring is a file in memory laid out as the kernel's: consumer's
 * page, producer's page, data; what the kernel would write is written here.
 */
#include "kernel/recall.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <flowner/control.h>
#include <linux/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define META_FD 2000 /* no file has this number */
#define RING_BYTES 65536u
#define MARK_BYTES (RING_BYTES / (FL_MARKS / 2))

static struct {
	int fd;
	size_t page;
	char *ring;	     /* all of it, to write */
	struct fl_meta meta; /* the pinned one */
	int writes;
	struct recall *recall;
	__u64 got[20000]; /* first words of the records FN was given */
	size_t count;
	size_t sizes;
	int stop_at; /* FN says so after so many */
	void (*meanwhile)(void);
} fake;

/* --- the system --- */

void *__real_mmap(void *where, size_t len, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap(void *where, size_t len, int prot, int flags, int fd, off_t offset);

/* The data twice, one behind the other, as the kernel shows it. */
void *__wrap_mmap(void *where, size_t len, int prot, int flags, int fd, off_t offset)
{
	char *p = __real_mmap(where, len, prot, flags, fd, offset);

	if (fd != fake.fd || len <= fake.page || p == MAP_FAILED)
		return p;
	assert_int_equal(prot, PROT_READ);
	assert_int_equal(len, fake.page + 2 * RING_BYTES);
	assert_ptr_not_equal(__real_mmap(p + fake.page + RING_BYTES, RING_BYTES, prot,
					 flags | MAP_FIXED, fd, (off_t)(2 * fake.page)),
			     MAP_FAILED);
	return p;
}

int bpf_obj_get_info_by_fd(int fd, void *info, __u32 *info_len)
{
	assert_int_equal(fd, fake.fd);
	assert_int_equal(*info_len, sizeof(struct bpf_map_info));
	((struct bpf_map_info *)info)->max_entries = RING_BYTES;
	return 0;
}

int bpf_map_lookup_elem(int fd, const void *key, void *value)
{
	assert_int_equal(fd, META_FD);
	assert_int_equal(*(const __u32 *)key, 0);
	memcpy(value, &fake.meta, sizeof(fake.meta));
	return 0;
}

int bpf_map_update_elem(int fd, const void *key, const void *value, __u64 flags)
{
	assert_int_equal(fd, META_FD);
	assert_int_equal(*(const __u32 *)key, 0);
	assert_int_equal(flags, BPF_ANY);
	memcpy(&fake.meta, value, sizeof(fake.meta));
	fake.writes++;
	return 0;
}

/* --- the kernel's side of the ring --- */

static __u64 *taken(void)
{
	return (__u64 *)(void *)fake.ring;
}

static __u64 *written(void)
{
	return (__u64 *)(void *)(fake.ring + fake.page);
}

static char *data(__u64 position)
{
	return fake.ring + 2 * fake.page + position % RING_BYTES;
}

/* Byte by byte: a record may go round the end. */
static void put(__u64 position, const void *from, size_t size)
{
	for (size_t i = 0; i < size; i++)
		*data(position + i) = ((const char *)from)[i];
}

static void record_of(__u64 word, __u32 size, __u32 flags)
{
	__u32 header[2] = { size | flags, 0 };
	char body[16384] = { 0 };

	memcpy(body, &word, sizeof(word));
	put(*written(), header, sizeof(header));
	put(*written() + sizeof(header), body, size);
	*written() += (sizeof(header) + size + 7) / 8 * 8;
}

/* What a daemon does: it takes all there is, and may leave a mark. */
static void take(void)
{
	*taken() = *written();
	assert_int_equal(recall_mark(fake.recall), 0);
}

static void records(__u64 from, __u64 to, __u32 size)
{
	for (__u64 i = from; i < to; i++) {
		record_of(i, size, 0);
		take();
	}
}

/* --- the reader --- */

static int keep(void *arg, void *record, size_t size)
{
	assert_ptr_equal(arg, &fake);
	assert_int_equal((uintptr_t)record % 8, 0);
	assert_true(fake.count < sizeof(fake.got) / sizeof(fake.got[0]));
	memcpy(&fake.got[fake.count++], record, sizeof(fake.got[0]));
	fake.sizes += size;
	if (fake.meanwhile)
		fake.meanwhile();
	return fake.stop_at && fake.count == (size_t)fake.stop_at ? -EINTR : 0;
}

static int again(void)
{
	fake.count = fake.sizes = 0;
	return recall_each(fake.recall, keep, &fake);
}

static void open_again(void)
{
	recall_free(fake.recall);
	fake.recall = NULL;
	assert_int_equal(recall_new(fake.fd, META_FD, &fake.recall), 0);
}

static int setup(void **state)
{
	(void)state;
	memset(&fake, 0, sizeof(fake));
	fake.page = (size_t)sysconf(_SC_PAGESIZE);
	fake.fd = memfd_create("ring", MFD_CLOEXEC);
	if (fake.fd < 0 || ftruncate(fake.fd, (off_t)(2 * fake.page + RING_BYTES)) < 0)
		return -1;
	fake.ring = __real_mmap(NULL, 2 * fake.page + RING_BYTES, PROT_READ | PROT_WRITE,
				MAP_SHARED, fake.fd, 0);
	if (fake.ring == MAP_FAILED)
		return -1;
	return recall_new(fake.fd, META_FD, &fake.recall);
}

static int teardown(void **state)
{
	(void)state;
	recall_free(fake.recall);
	munmap(fake.ring, 2 * fake.page + RING_BYTES);
	close(fake.fd);
	return 0;
}

/* --- tests --- */

static void a_new_ring_has_no_past(void **state)
{
	(void)state;
	assert_int_equal(again(), 0);
	assert_int_equal(fake.count, 0);
	record_of(1, 16, 0);
	assert_int_equal(again(), 0); /* not taken: it will be */
	assert_int_equal(fake.count, 0);
}

static void without_a_mark_nothing_can_be_told(void **state)
{
	(void)state;
	record_of(1, 16, 0);
	*taken() = *written();
	assert_int_equal(again(), 0);
	assert_int_equal(fake.count, 0);
}

static void all_since_the_first_mark(void **state)
{
	(void)state;
	take();
	records(1, 101, 176);
	record_of(101, 176, 0);
	open_again();
	assert_int_equal(again(), 0);
	assert_int_equal(fake.count, 100);
	assert_int_equal(fake.sizes, 100 * 176);
	for (__u64 i = 0; i < 100; i++)
		assert_int_equal(fake.got[i], i + 1);
}

/* What is left of it is whole, in order, ends with the last, and is most of a ring. */
static void many_rounds_later(void **state)
{
	(void)state;
	take();
	records(1, 10001, 176);
	open_again();
	assert_int_equal(again(), 0);
	assert_in_range(fake.count, (RING_BYTES - 2 * MARK_BYTES) / 184, RING_BYTES / 184);
	for (size_t i = 0; i < fake.count; i++)
		assert_int_equal(fake.got[i], 10001 - fake.count + i);
}

static void marks_are_few(void **state)
{
	const int apart = (MARK_BYTES + 183) / 184; /* whole records */

	(void)state;
	take();
	records(1, 1001, 176);
	assert_in_range(fake.writes, 1000 / apart, 1000 / apart + 2);
	assert_int_equal(fake.meta.marked, fake.writes);
}

static void records_of_all_sizes_round_the_end(void **state)
{
	__u64 n = 0;

	(void)state;
	take();
	for (__u32 size = 8; size <= sizeof(struct fl_text); size += 57, n++) {
		record_of(n, size, 0);
		take();
	}
	assert_true(*written() > RING_BYTES);
	open_again();
	assert_int_equal(again(), 0);
	assert_true(fake.count > 3);
	for (size_t i = 0; i < fake.count; i++)
		assert_int_equal(fake.got[i], n - fake.count + i);
}

static void what_was_discarded_is_no_record(void **state)
{
	(void)state;
	take();
	record_of(1, 16, 0);
	record_of(2, 16, BPF_RINGBUF_DISCARD_BIT);
	record_of(3, 16, 0);
	take();
	assert_int_equal(again(), 0);
	assert_int_equal(fake.count, 2);
	assert_int_equal(fake.got[1], 3);
}

/* Larger than any of ours: passed over, not believed. */
static void what_is_too_long_is_no_record(void **state)
{
	(void)state;
	take();
	record_of(1, sizeof(struct fl_text) + 8, 0);
	record_of(2, 16, 0);
	take();
	assert_int_equal(again(), 0);
	assert_int_equal(fake.count, 1);
	assert_int_equal(fake.got[0], 2);
}

/* A producer writes half a ring while the first record is looked at. */
static void overtake(void)
{
	fake.meanwhile = NULL;
	for (__u64 i = 0; i < RING_BYTES / 2 / 184; i++)
		record_of(5000 + i, 176, 0);
}

static void overwritten_meanwhile(void **state)
{
	size_t full = RING_BYTES / 184;

	(void)state;
	take();
	records(1, 1001, 176);
	fake.meanwhile = overtake;
	assert_int_equal(again(), 0);
	assert_in_range(fake.count, full / 2 - 2 * MARK_BYTES / 184, full / 2 + 2);
	for (size_t i = 1; i < fake.count; i++)
		assert_int_equal(fake.got[i], 1001 - fake.count + i);
}

static void the_reader_may_stop(void **state)
{
	(void)state;
	take();
	records(1, 11, 176);
	fake.stop_at = 3;
	assert_int_equal(again(), -EINTR);
	assert_int_equal(fake.count, 3);
}

static void marks_that_are_nonsense(void **state)
{
	(void)state;
	take();
	records(1, 11, 176);
	fake.meta.marks[fake.meta.marked++] = 4;	      /* no record begins there */
	fake.meta.marks[fake.meta.marked++] = UINT64_MAX - 7; /* nor has it been written */
	open_again();
	assert_int_equal(again(), 0);
	assert_int_equal(fake.count, 10);
}

static void live(__u32 pid, __u64 started_ns)
{
	fake.meta.life[fake.meta.lives++ % FL_LIVES] =
		(struct fl_life_span){ .started_ns = started_ns, .pid = pid };
	open_again();
}

static void self_tests_of_all_lives(void **state)
{
	(void)state;
	live(10, 1000);
	assert_int_equal(recall_ready(fake.recall, 1500), 0);
	live(11, 2000); /* died before it was ready */
	live(12, 3000);
	assert_true(recall_was_selftest(fake.recall, 10, 1000));
	assert_true(recall_was_selftest(fake.recall, 10, 1500));
	assert_false(recall_was_selftest(fake.recall, 10, 1501));
	assert_false(recall_was_selftest(fake.recall, 10, 999));
	assert_true(recall_was_selftest(fake.recall, 11, 2900));
	assert_false(recall_was_selftest(fake.recall, 11, 3100)); /* somebody else by now */
	assert_true(recall_was_selftest(fake.recall, 12, 9000));
	assert_false(recall_was_selftest(fake.recall, 13, 1200));
	assert_int_equal(recall_ready(fake.recall, 3500), 0);
	assert_false(recall_was_selftest(fake.recall, 12, 9000));
	assert_int_equal(fake.meta.life[0].ready_ns, 1500);
	assert_int_equal(fake.meta.life[2].ready_ns, 3500);
}

static void more_lives_than_are_kept(void **state)
{
	(void)state;
	for (__u32 i = 0; i < FL_LIVES + 3; i++)
		live(100 + i, 1000 * (i + 1));
	assert_false(recall_was_selftest(fake.recall, 102, 3500));
	assert_true(recall_was_selftest(fake.recall, 103, 4500));
	assert_false(recall_was_selftest(fake.recall, 103, 5500));
	assert_true(recall_was_selftest(fake.recall, 100 + FL_LIVES + 2, 1u << 30));
}

static void what_was_told_outlives_us(void **state)
{
	const struct recall_told told = { .sequence = 1000, .lost = { 3, 4 } };

	(void)state;
	live(10, 1000);
	assert_int_equal(recall_tell(fake.recall, &told), 0);
	open_again();
	assert_true(recall_told(fake.recall).sequence == 1000);
	assert_true(recall_told(fake.recall).lost[0] == 3);
	assert_true(recall_told(fake.recall).lost[1] == 4);
	assert_int_equal(fake.meta.lives, 1);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_new_ring_has_no_past),
		TEST(without_a_mark_nothing_can_be_told),
		TEST(all_since_the_first_mark),
		TEST(many_rounds_later),
		TEST(marks_are_few),
		TEST(records_of_all_sizes_round_the_end),
		TEST(what_was_discarded_is_no_record),
		TEST(what_is_too_long_is_no_record),
		TEST(overwritten_meanwhile),
		TEST(the_reader_may_stop),
		TEST(marks_that_are_nonsense),
		TEST(self_tests_of_all_lives),
		TEST(more_lives_than_are_kept),
		TEST(what_was_told_outlives_us),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
