/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counts of rules on their way to another area: nothing is lost, whatever is counted when, and of
 * how many CPUs. The map is a table here.
 */
#include "policy/policyhits.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CPUS 4

enum { HITS, TEXTS }; /* the maps' descriptors */

static __u64 map[FL_POLICY_AREAS * FL_RULES_MAX][CPUS];
static char chunks[FL_POLICY_AREAS][FL_HITS_CHUNKS][FL_TEXT_CHUNK];
static bool there[FL_POLICY_AREAS][FL_HITS_CHUNKS];
static bool refuses;
static struct policyhits hits;
static const struct policymaps maps = { .hits = HITS, .texts = TEXTS };

int __wrap_libbpf_num_possible_cpus(void);
int __wrap_bpf_map_update_elem(int fd, const void *key, const void *value, __u64 flags);
int __wrap_bpf_map_lookup_elem(int fd, const void *key, void *value);
int __wrap_bpf_map_update_batch(int fd, const void *keys, const void *values, __u32 *count,
				const struct bpf_map_batch_opts *opts);

int __wrap_libbpf_num_possible_cpus(void)
{
	return CPUS;
}

/* Of the last chunks of its area, the others are the texts'. */
static __u32 chunk(const void *key, __u32 *ret_area)
{
	__u32 i = *(const __u32 *)key % FL_TEXT_CHUNKS;

	*ret_area = *(const __u32 *)key / FL_TEXT_CHUNKS;
	assert_true(*ret_area < FL_POLICY_AREAS && i >= FL_TEXT_CHUNKS - FL_HITS_CHUNKS);
	return i - (FL_TEXT_CHUNKS - FL_HITS_CHUNKS);
}

int __wrap_bpf_map_update_elem(int fd, const void *key, const void *value, __u64 flags)
{
	__u32 area, i;

	(void)flags;
	if (refuses) {
		errno = ENOMEM;
		return -1;
	}
	if (fd == HITS) {
		memcpy(map[*(const __u32 *)key], value, sizeof(map[0]));
		return 0;
	}
	i = chunk(key, &area);
	memcpy(chunks[area][i], value, FL_TEXT_CHUNK);
	there[area][i] = true;
	return 0;
}

int __wrap_bpf_map_update_batch(int fd, const void *keys, const void *values, __u32 *count,
				const struct bpf_map_batch_opts *opts)
{
	(void)opts;
	assert_int_equal(fd, HITS);
	for (__u32 i = 0; i < *count; i++) {
		if (__wrap_bpf_map_update_elem(fd, (const __u32 *)keys + i,
					       (const char *)values + i * sizeof(map[0]), 0) < 0)
			return -1;
	}
	return 0;
}

int __wrap_bpf_map_lookup_elem(int fd, const void *key, void *value)
{
	__u32 area, i;

	if (fd == HITS) {
		memcpy(value, map[*(const __u32 *)key], sizeof(map[0]));
		return 0;
	}
	i = chunk(key, &area);
	if (!there[area][i]) {
		errno = ENOENT;
		return -1;
	}
	memcpy(value, chunks[area][i], FL_TEXT_CHUNK);
	return 0;
}

static int begin(void **state)
{
	(void)state;
	memset(map, 0, sizeof(map));
	memset(there, 0, sizeof(there));
	memset(&hits, 0, sizeof(hits));
	refuses = false;
	return 0;
}

static void count(__u32 area, __u32 rule, unsigned int cpu, __u64 times)
{
	map[area * FL_RULES_MAX + rule][cpu] += times;
}

static __u64 of(__u32 area, __u32 rule)
{
	__u64 n = ~0ull;

	assert_int_equal(policyhits_of(&hits, &maps, area, rule, &n), 0);
	return n;
}

static void counts_go_along(void **state)
{
	const __u32 places[] = { FL_NO_RULE, 1, 0 };
	const struct policyhits_move move = { 0, 1, places, 3 };

	(void)state;
	for (unsigned int cpu = 0; cpu < CPUS; cpu++) {
		count(0, 0, cpu, 10);
		count(0, 1, cpu, 1);
	}
	count(1, 0, 2, 99); /* of a policy long gone */
	assert_int_equal(policyhits_none(&hits, &maps, 1, 3), 0);
	assert_int_equal(policyhits_begin(&hits, &maps, &move), 0);
	policyhits_end(&hits, &maps, &move);
	assert_int_equal(of(1, 0), 0);
	assert_int_equal(of(1, 1), 4);
	assert_int_equal(of(1, 2), 40);
}

static void what_is_counted_meanwhile_goes_along(void **state)
{
	const __u32 places[] = { FL_NO_RULE, 0 }, back[] = { 1 };
	const struct policyhits_move move = { 0, 1, places, 2 }, again = { 1, 0, back, 1 };

	(void)state;
	count(0, 0, 3, 5);
	assert_int_equal(policyhits_none(&hits, &maps, 1, 2), 0);
	assert_int_equal(policyhits_begin(&hits, &maps, &move), 0);
	count(0, 0, 1, 2); /* by the old policy */
	count(1, 1, 1, 1); /* by the new one */
	policyhits_end(&hits, &maps, &move);
	assert_int_equal(of(1, 0), 0);
	assert_int_equal(of(1, 1), 8);
	count(1, 1, 0, 1);
	/* and once more, to the area where it began */
	assert_int_equal(policyhits_none(&hits, &maps, 0, 1), 0);
	assert_int_equal(policyhits_begin(&hits, &maps, &again), 0);
	policyhits_end(&hits, &maps, &again);
	assert_int_equal(of(0, 0), 9);
}

static void what_was_missed_outlives_the_daemon(void **state)
{
	const __u32 places[] = { FL_NO_RULE, 0 };
	const struct policyhits_move move = { 0, 1, places, 2 };

	(void)state;
	assert_int_equal(policyhits_none(&hits, &maps, 1, 2), 0);
	assert_int_equal(policyhits_begin(&hits, &maps, &move), 0);
	count(0, 0, 1, 7);
	policyhits_end(&hits, &maps, &move);
	memset(&hits, 0, sizeof(hits));
	policyhits_recall(&hits, &maps);
	assert_int_equal(of(1, 1), 7);
	assert_int_equal(of(2, 1), 0);
	/* but not the policy whose they are */
	assert_int_equal(policyhits_none(&hits, &maps, 1, 2), 0);
	policyhits_recall(&hits, &maps);
	assert_int_equal(of(1, 1), 0);
}

static void what_could_not_be_moved_is_where_it_was(void **state)
{
	const __u32 places[] = { 0 };
	const struct policyhits_move move = { 0, 1, places, 1 };

	(void)state;
	count(0, 0, 0, 5);
	refuses = true;
	assert_int_equal(policyhits_begin(&hits, &maps, &move), -ENOMEM);
	assert_int_equal(of(0, 0), 5);
	refuses = false;
	assert_int_equal(policyhits_none(&hits, &maps, 1, 1), 0);
	assert_int_equal(of(1, 0), 0);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup(test, begin)
	const struct CMUnitTest tests[] = {
		T(counts_go_along),
		T(what_is_counted_meanwhile_goes_along),
		T(what_was_missed_outlives_the_daemon),
		T(what_could_not_be_moved_is_where_it_was),
	};

	return cmocka_run_group_tests_name("policyhits", tests, NULL, NULL);
}
