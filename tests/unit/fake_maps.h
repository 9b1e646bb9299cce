/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * BPF maps in memory for the tests of maps.c: hashes and one per-CPU array behind libbpf's calls,
 * which are defined here and so win over the shared library's. Elements can be torn on their way
 * out, as the kernel may tear them for a reader without a lock.
 */
#ifndef FLOWNER_TESTS_FAKE_MAPS_H
#define FLOWNER_TESTS_FAKE_MAPS_H

#include "kernel/maps.h"
#include <flowner/listen.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define FAKE_CPUS 3
#define FAKE_FD 1000 /* no file has this number */

enum {
	CONNECTIONS,
	SOCKETS,
	PROCESSES,
	TEXTS,
	COUNTERS,
	NETNS,
	COOKIES,
	CONFIG,
	META,
	LISTENERS,
	TABLES
};

struct table {
	__u32 key_size, value_size, max_entries;
	__u32 count;
	void **keys, **values;
};

static struct {
	struct table tables[TABLES];
	struct maps maps;
	__u32 bucket;			  /* elements of a hash bucket: a batch takes whole ones */
	void (*tear)(int t, void *value); /* changes what is read, not what is there */
	int tears;			  /* so many times */
	int tear_batches;		  /* so many elements of batches */
	int error;			  /* errno given by every call when not 0 */
	int batches, lookups;
	bool old_kernel;	 /* before 5.14 */
	void (*meanwhile)(void); /* once, before an element is taken */
	int run;		 /* the program that was run, what on, and what it says */
	struct fl_end run_on;
	__u32 retval;
} fake;

static inline struct table *fake_table(int fd)
{
	if (fd < FAKE_FD || fd >= FAKE_FD + TABLES)
		abort();
	return &fake.tables[fd - FAKE_FD];
}

static inline int fake_fail(int error)
{
	errno = error;
	return -error; /* as libbpf 1 */
}

static inline __u32 fake_find(const struct table *t, const void *key)
{
	__u32 i = 0;

	while (i < t->count && memcmp(t->keys[i], key, t->key_size) != 0)
		i++;
	return i;
}

static inline void *fake_copy(const void *from, __u32 size)
{
	void *to = malloc(size);

	if (!to)
		abort();
	return memcpy(to, from, size);
}

static inline void fake_put(int which, const void *key, const void *value)
{
	struct table *t = &fake.tables[which];
	__u32 i = fake_find(t, key);

	if (i < t->count) {
		memcpy(t->values[i], value, t->value_size);
		return;
	}
	t->keys = realloc(t->keys, (t->count + 1) * sizeof(void *));
	t->values = realloc(t->values, (t->count + 1) * sizeof(void *));
	t->keys[i] = fake_copy(key, t->key_size);
	t->values[i] = fake_copy(value, t->value_size);
	t->count++;
}

/* The element itself, NULL when there is none. */
static inline void *fake_get(int which, const void *key)
{
	struct table *t = &fake.tables[which];
	__u32 i = fake_find(t, key);

	return i < t->count ? t->values[i] : NULL;
}

static inline void fake_remove(int which, const void *key)
{
	struct table *t = &fake.tables[which];
	__u32 i = fake_find(t, key);

	if (i == t->count)
		return;
	free(t->keys[i]);
	free(t->values[i]);
	t->count--;
	memmove(&t->keys[i], &t->keys[i + 1], (t->count - i) * sizeof(void *));
	memmove(&t->values[i], &t->values[i + 1], (t->count - i) * sizeof(void *));
}

static inline void fake_new(void)
{
	static const struct table empty[TABLES] = {
		[CONNECTIONS] = { sizeof(struct fl_key), sizeof(struct fl_connection), 4096 },
		[SOCKETS] = { sizeof(__u64), sizeof(struct fl_socket), 4096 },
		[PROCESSES] = { sizeof(struct fl_proc_key), sizeof(struct fl_process), 100 },
		[TEXTS] = { sizeof(struct fl_proc_key), sizeof(struct fl_text), 100 },
		[COUNTERS] = { sizeof(__u32), sizeof(__u64) * FAKE_CPUS, FL_CNT_MAX },
		[NETNS] = { sizeof(__u64), sizeof(__u32), 100 },
		[LISTENERS] = { sizeof(struct fl_listeners_key), sizeof(struct fl_listeners_count),
				100 },
		[COOKIES] = { sizeof(__u32), sizeof(__u64), 100 },
		[CONFIG] = { sizeof(__u32), sizeof(struct fl_config), 1 },
		[META] = { sizeof(__u32), sizeof(struct fl_meta), 1 },
	};

	memset(&fake, 0, sizeof(fake));
	memcpy(fake.tables, empty, sizeof(empty));
	fake.bucket = 100;
	fake.maps = (struct maps){
		.l7_connections = FAKE_FD + CONNECTIONS,
		.socket_to_process = FAKE_FD + SOCKETS,
		.processes = FAKE_FD + PROCESSES,
		.process_text = FAKE_FD + TEXTS,
		.counters = FAKE_FD + COUNTERS,
		.netns = FAKE_FD + NETNS,
		.listeners_counts = FAKE_FD + LISTENERS,
		.netns_cookies = FAKE_FD + COOKIES,
		.config = FAKE_FD + CONFIG,
		.fired = -1,
		.meta = -1,
		.numbers = -1,
	};
}

static inline void fake_free(void)
{
	for (int i = 0; i < TABLES; i++) {
		while (fake.tables[i].count)
			fake_remove(i, fake.tables[i].keys[0]);
		free(fake.tables[i].keys);
		free(fake.tables[i].values);
	}
}

/* --- bpf.h --- */

int bpf_map_lookup_elem(int fd, const void *key, void *value)
{
	struct table *t = fake_table(fd);
	__u32 i = fake_find(t, key);

	fake.lookups++;
	if (fake.error)
		return fake_fail(fake.error);
	if (i == t->count)
		return fake_fail(ENOENT);
	memcpy(value, t->values[i], t->value_size);
	if (fake.tear && fake.tears > 0) {
		fake.tears--;
		fake.tear(fd - FAKE_FD, value);
	}
	return 0;
}

int bpf_map_update_elem(int fd, const void *key, const void *value, __u64 flags)
{
	struct table *t = fake_table(fd);

	if (fake.error)
		return fake_fail(fake.error);
	if (flags == BPF_EXIST && fake_find(t, key) == t->count)
		return fake_fail(ENOENT);
	if (flags == BPF_NOEXIST && fake_find(t, key) != t->count)
		return fake_fail(EEXIST);
	fake_put(fd - FAKE_FD, key, value);
	return 0;
}

int bpf_map_delete_elem(int fd, const void *key)
{
	struct table *t = fake_table(fd);

	if (fake.error)
		return fake_fail(fake.error);
	if (fake_find(t, key) == t->count)
		return fake_fail(ENOENT);
	fake_remove(fd - FAKE_FD, key);
	return 0;
}

int bpf_map_lookup_and_delete_elem(int fd, const void *key, void *value)
{
	void (*meanwhile)(void) = fake.meanwhile;

	fake.meanwhile = NULL;
	if (meanwhile)
		meanwhile();
	if (fake.old_kernel)
		return fake_fail(524); /* ENOTSUPP */
	if (bpf_map_lookup_elem(fd, key, value))
		return -errno;
	return bpf_map_delete_elem(fd, key);
}

int bpf_prog_test_run_opts(int fd, struct bpf_test_run_opts *opts)
{
	if (fake.error)
		return fake_fail(fake.error);
	fake.run = fd;
	if (opts->data_size_in != sizeof(fake.run_on))
		abort();
	memcpy(&fake.run_on, opts->data_in, sizeof(fake.run_on));
	opts->retval = fake.retval;
	return 0;
}

/* A key that is not there (any more) starts from the beginning. */
int bpf_map_get_next_key(int fd, const void *key, void *next_key)
{
	struct table *t = fake_table(fd);
	__u32 i = key ? fake_find(t, key) : t->count;

	if (fake.error)
		return fake_fail(fake.error);
	i = i == t->count ? 0 : i + 1;
	if (i >= t->count)
		return fake_fail(ENOENT);
	memcpy(next_key, t->keys[i], t->key_size);
	return 0;
}

static inline __u32 fake_copy_out(int which, __u32 from, __u32 n, void *keys, void *values)
{
	struct table *t = &fake.tables[which];

	for (__u32 i = 0; i < n; i++) {
		char *value = (char *)values + i * t->value_size;

		memcpy((char *)keys + i * t->key_size, t->keys[from + i], t->key_size);
		memcpy(value, t->values[from + i], t->value_size);
		if (fake.tear && fake.tear_batches > 0) {
			fake.tear_batches--;
			fake.tear(which, value);
		}
	}
	return n;
}

/* As many whole buckets as fit; ENOENT with the last of them, ENOSPC when not even one fits. */
int bpf_map_lookup_batch(int fd, void *in_batch, void *out_batch, void *keys, void *values,
			 __u32 *count, const struct bpf_map_batch_opts *opts)
{
	struct table *t = fake_table(fd);
	__u32 from = in_batch ? *(__u32 *)in_batch : 0, room = *count, n = 0;

	(void)opts;
	fake.batches++;
	*count = 0;
	if (fake.error)
		return fake_fail(fake.error);
	while (from + n < t->count) {
		__u32 left = t->count - from - n;
		__u32 whole = left < fake.bucket ? left : fake.bucket;

		if (n + whole > room)
			break;
		n += whole;
	}
	if (!n && from < t->count)
		return fake_fail(ENOSPC);
	*count = fake_copy_out(fd - FAKE_FD, from, n, keys, values);
	*(__u32 *)out_batch = from + n;
	return from + n < t->count ? 0 : fake_fail(ENOENT);
}

int bpf_obj_get_info_by_fd(int fd, void *info, __u32 *info_len)
{
	struct table *t = fake_table(fd);
	struct bpf_map_info *map = info;

	(void)info_len;
	if (fake.error)
		return fake_fail(fake.error);
	map->key_size = t->key_size;
	map->value_size = t->value_size;
	map->max_entries = t->max_entries;
	return 0;
}

int libbpf_num_possible_cpus(void)
{
	return FAKE_CPUS;
}

#endif
