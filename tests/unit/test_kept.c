/* SPDX-License-Identifier: BSD-2-Clause */
/* The texts of a policy into a map and out of it again; the map is a table here. */
#include "policy/kept.h"
#include "policy/policy.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <flowner/policy.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CHUNKS 16

static char map[FL_POLICY_AREAS][CHUNKS][FL_TEXT_CHUNK];
static bool there[FL_POLICY_AREAS][CHUNKS];

int __wrap_bpf_map_update_elem(int fd, const void *key, const void *value, __u64 flags);
int __wrap_bpf_map_lookup_elem(int fd, const void *key, void *value);

int __wrap_bpf_map_update_elem(int fd, const void *key, const void *value, __u64 flags)
{
	__u32 area = *(const __u32 *)key / FL_TEXT_CHUNKS, i = *(const __u32 *)key % FL_TEXT_CHUNKS;

	(void)fd;
	(void)flags;
	assert_true(area < FL_POLICY_AREAS && i < CHUNKS);
	memcpy(map[area][i], value, FL_TEXT_CHUNK);
	there[area][i] = true;
	return 0;
}

int __wrap_bpf_map_lookup_elem(int fd, const void *key, void *value)
{
	__u32 area = *(const __u32 *)key / FL_TEXT_CHUNKS, i = *(const __u32 *)key % FL_TEXT_CHUNKS;

	(void)fd;
	if (area >= FL_POLICY_AREAS || i >= CHUNKS || !there[area][i]) {
		errno = ENOENT;
		return -1;
	}
	memcpy(value, map[area][i], FL_TEXT_CHUNK);
	return 0;
}

static void texts_come_back(void **state)
{
	char *big = malloc(3 * FL_TEXT_CHUNK);
	struct policy_text texts[] = {
		{ .name = "a.yaml", .text = "mode: audit\n", .size = 12 },
		{ .name = "/etc/b.yaml", .text = big, .size = 3 * FL_TEXT_CHUNK },
		{ .name = "", .text = "" },
		{ .name = "stdin", .text = "x", .size = 1, .added = true, .ends_ns = ~0ull },
		{ .name = "c", .text = "", .gone = "a\nb c\n" },
	};
	struct policy_text *read;
	size_t count;
	__u64 bytes;

	(void)state;
	memset(big, 'x', 3 * FL_TEXT_CHUNK);
	assert_int_equal(kept_write(1, 2, texts, 5, &bytes), 0);
	assert_int_equal(kept_read(1, 2, bytes, &read, &count), 0);
	assert_int_equal(count, 5);
	for (size_t i = 0; i < count; i++) {
		assert_string_equal(read[i].name, texts[i].name);
		assert_int_equal(read[i].size, texts[i].size);
		assert_memory_equal(read[i].text, texts[i].text, texts[i].size);
		assert_int_equal(read[i].text[read[i].size], 0);
		assert_int_equal(read[i].added, texts[i].added);
		assert_int_equal(read[i].ends_ns, texts[i].ends_ns);
		if (texts[i].gone)
			assert_string_equal(read[i].gone, texts[i].gone);
		else
			assert_null(read[i].gone);
	}
	kept_free(read, count);
	assert_int_equal(kept_read(1, 1, bytes, &read, &count), -EINVAL);
	free(big);
}

/* Whatever length is said to be there: texts, or none; never beyond. */
static void what_is_damaged_is_refused(void **state)
{
	struct policy_text *read, text = {
		.name = "a.yaml", .text = "rules: []\n", .size = 10, .added = true, .gone = "a\n"
	};
	size_t count;
	__u64 bytes;

	(void)state;
	assert_int_equal(kept_write(1, 0, &text, 1, &bytes), 0);
	for (__u64 said = 0; said < bytes; said++)
		assert_int_equal(kept_read(1, 0, said, &read, &count), -EINVAL);
	memset(map[0][0], 0xff, 8);
	assert_int_equal(kept_read(1, 0, bytes, &read, &count), -EINVAL);
	assert_int_equal(kept_read(1, 0, ~0ull, &read, &count), -EINVAL);
}

static void what_is_too_long_is_not_kept(void **state)
{
	size_t size = (size_t)FL_TEXT_CHUNK * (FL_TEXT_CHUNKS - FL_HITS_CHUNKS);
	char *much = calloc(1, size);
	struct policy_text text = { .name = "a", .text = much, .size = size };
	__u64 bytes = 1;

	(void)state;
	assert_int_equal(kept_write(1, 0, &text, 1, &bytes), 0);
	assert_int_equal(bytes, 0);
	free(much);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_come_back),
		cmocka_unit_test(what_is_damaged_is_refused),
		cmocka_unit_test(what_is_too_long_is_not_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
