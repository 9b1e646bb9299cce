/* SPDX-License-Identifier: BSD-2-Clause */
/* The shape of the object's maps: the same for the same, another for any change of a record. */
#include "kernel/layout.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <flowner/control.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define META_FD 2000 /* no file has this number */

static struct {
	char *bytes;
	long size;
} object;

static struct {
	char value[2 * sizeof(struct fl_meta)];
	__u32 value_size;
} fake;

int bpf_obj_get_info_by_fd(int fd, void *info, __u32 *info_len)
{
	assert_int_equal(fd, META_FD);
	assert_int_equal(*info_len, sizeof(struct bpf_map_info));
	((struct bpf_map_info *)info)->value_size = fake.value_size;
	return 0;
}

int bpf_map_lookup_elem(int fd, const void *key, void *value)
{
	assert_int_equal(fd, META_FD);
	assert_int_equal(*(const __u32 *)key, 0);
	memcpy(value, fake.value, fake.value_size);
	return 0;
}

/* build/flowner.bpf.o, from build/unit/test_layout */
static int read_object(void **state)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 64);
	FILE *f;

	(void)state;
	if (n < 0)
		return -1;
	path[n] = '\0';
	strcpy(strrchr(path, '/'), "/../flowner.bpf.o");
	f = fopen(path, "re");
	if (!f)
		return -1;
	fseek(f, 0, SEEK_END);
	object.size = ftell(f);
	rewind(f);
	object.bytes = malloc((size_t)object.size);
	n = object.bytes ? (ssize_t)fread(object.bytes, (size_t)object.size, 1, f) : 0;
	fclose(f);
	return n == 1 ? 0 : -1;
}

static int free_object(void **state)
{
	(void)state;
	free(object.bytes);
	return 0;
}

static __u64 shape(void)
{
	struct bpf_object *o = bpf_object__open_mem(object.bytes, (size_t)object.size, NULL);
	__u64 s;

	assert_non_null(o);
	s = layout_shape(o);
	bpf_object__close(o);
	return s;
}

/* Every string FROM that stands alone, as a member's name does in BTF. */
static void rename_all(const char *from, const char *to)
{
	size_t len = strlen(from) + 1;

	assert_int_equal(strlen(to) + 1, len);
	for (long i = 1; i + (long)len <= object.size; i++) {
		if (!object.bytes[i - 1] && !memcmp(object.bytes + i, from, len))
			memcpy(object.bytes + i, to, len);
	}
}

static void the_same_object_has_the_same_shape(void **state)
{
	(void)state;
	assert_true(shape() != 0);
	assert_true(shape() == shape());
}

static void another_record_has_another_shape(void **state)
{
	static const char *const members[][2] = {
		{ "opened_ns", "opened_us" },	    /* of l7_connections' value */
		{ "netns_cookie", "netns_bisque" }, /* of its key */
		{ "pending_head", "pending_heap" }, /* of a map that only programs see */
	};
	__u64 before = shape();

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		rename_all(members[i][0], members[i][1]);
		assert_true(shape() != before);
		rename_all(members[i][1], members[i][0]);
		assert_true(shape() == before);
	}
}

static void a_meta_of_any_size(void **state)
{
	struct {
		struct fl_meta meta;
		char guard[16];
	} got;
	const struct fl_meta old = { .layout = 7 };

	(void)state;
	memset(fake.value, 0x5a, sizeof(fake.value));
	memset(&got, 0x11, sizeof(got));
	memcpy(fake.value, &old, 16);
	fake.value_size = 16;
	assert_int_equal(layout_read(META_FD, &got.meta), 0);
	assert_int_equal(got.meta.layout, 7);
	assert_int_equal(got.meta.lives, 0);
	fake.value_size = sizeof(fake.value);
	assert_int_equal(layout_read(META_FD, &got.meta), 0);
	assert_int_equal(got.meta.layout, 7);
	for (size_t i = 0; i < sizeof(got.guard); i++)
		assert_int_equal(got.guard[i], 0x11);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_object_has_the_same_shape),
		cmocka_unit_test(another_record_has_another_shape),
		cmocka_unit_test(a_meta_of_any_size),
	};

	return cmocka_run_group_tests(tests, read_object, free_object);
}
