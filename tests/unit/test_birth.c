/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a new cgroup is said to be, from its name, its parent, and what the daemon wrote down,
 * against what names.c says of its path: the same, or that it is not known; never something else.
 */
#include "host/names.h"
#include <flowner/birth.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HEX16 "0123456789abcdef"
#define HEX64 HEX16 HEX16 HEX16 HEX16

enum { OTHER, NAMED, UNKNOWN };

static const __u64 key[2] = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };

static struct fl_birth birth_of(const char *path)
{
	struct fl_birth b;

	fl_birth_begin(&b, key);
	for (size_t i = 0; path[i]; i++)
		fl_birth_step(&b, (__u8)path[i]);
	return b;
}

static void the_parts_of_a_path(void **state)
{
	struct fl_birth b = birth_of("/a.b/lxc/x"), c = birth_of("/q/lxc.payload/.y.service");

	(void)state;
	assert_true(b.above == FL_BIRTH_LXC);
	assert_true(c.above == FL_BIRTH_LXC_PAYLOAD);
	assert_int_equal(b.length, 1);
	assert_int_equal(b.dots, 0);
	assert_int_equal(b.start, 'x');
	assert_int_equal(c.length, 10);
	assert_int_equal(c.dots, 2);
	assert_int_equal(c.start, FL_BIRTH_START('.', 'y', '.', 's'));
}

static __u64 path_of(const char *path)
{
	const struct fl_birth b = birth_of(path);

	return fl_birth_path(&b);
}

static __u64 name_of(const char *path)
{
	const struct fl_birth b = birth_of(path);

	return fl_birth_name(&b);
}

static void paths_and_names_are_told_apart(void **state)
{
	const __u64 another_key[2] = { key[0], key[1] + 1 };
	struct fl_birth b;

	(void)state;
	assert_true(name_of("/a.b/lxc/x") == name_of("/x"));
	assert_true(name_of("/a.b/lxc/x") == name_of("x"));
	assert_true(name_of("/a.b/lxc/x") != name_of("/a.b/lxcx"));
	assert_true(path_of("/a.b/lxc/x") != path_of("/a.b/lxcx"));
	assert_true(path_of("/x") != path_of("x"));
	fl_birth_begin(&b, another_key);
	fl_birth_step(&b, 'x');
	assert_true(fl_birth_path(&b) != path_of("x"));
}

/* The example of the paper: key 00 01 ... 0f, message 00 01 ... 0e. */
static void it_is_siphash(void **state)
{
	struct fl_siphash h;

	(void)state;
	fl_siphash_begin(&h, key);
	fl_siphash_add(&h, 0x0706050403020100);
	fl_siphash_add(&h, 0x0f0e0d0c0b0a0908); /* its length in the last byte */
	assert_true(fl_siphash_end(&h) == 0xa129ca6149be45e5);
}

static const char unit[] = "named.service", container[] = HEX64;

/* Whether PATH is what a rule on the unit, or on the container, names. */
static bool is_named(const char *path, __u32 wanted)
{
	char text[UNIT_MAX], id[CONTAINER_ID_MAX];
	bool users;

	if (wanted & FL_WANTS_UNITS && !cgroup_path_system_unit(path, text) && !strcmp(text, unit))
		return true;
	return wanted & FL_WANTS_CONTAINERS && !cgroup_path_outer_container(path, id, &users) &&
	       !users && !strcmp(id, container);
}

static __u32 said(const char *path, __u32 wanted, __u32 parent)
{
	const __u32 named = NAMED;
	struct fl_birth b = birth_of(path);
	bool by_name = wanted & FL_WANTS_UNITS && !strcmp(strrchr(path, '/') + 1, unit);
	__u32 class = OTHER;

	if (!fl_birth_class(&b, wanted, UNKNOWN, NULL, parent == OTHER ? NULL : &parent,
			    by_name ? &named : NULL, &class))
		return OTHER;
	return class;
}

static void never_wrong(void **state)
{
	static const char *const parts[] = {
		"a",
		"lxc",
		"lxc.payload",
		"lxc.payload.x",
		"named.service",
		"_named.service",
		"other.service",
		"x.slice",
		"y-z.slice",
		".slice",
		"xslice",
		"slice",
		"init.scope",
		"docker-" HEX64 ".scope",
		HEX64,
		"libpod-payload-" HEX64,
		"libpod-conmon-" HEX64 ".scope",
		"machine-a\\x2db.scope",
		"systemd-nspawn@q.service",
		"kube:cri:" HEX64,
		"_x",
		"user@1000.service",
		"b.c",
	};
	const size_t count = sizeof(parts) / sizeof(parts[0]);
	size_t known = 0, all = 0;

	(void)state;
	srand(1);
	for (int n = 0; n < 20000; n++) {
		__u32 wanted = (n & 1 ? FL_WANTS_UNITS : 0) | (n & 2 ? FL_WANTS_CONTAINERS : 0);
		__u32 parent = OTHER;
		char path[1024] = "";

		for (int depth = rand() % 5; depth >= 0; depth--) {
			__u32 is;

			strcat(strcat(path, "/"), parts[(size_t)rand() % count]);
			is = is_named(path, wanted) ? NAMED : OTHER;
			all++;
			if (said(path, wanted, parent) != UNKNOWN) {
				known++;
				if (said(path, wanted, parent) != is)
					fail_msg("%s (%x): %u, not %u", path, wanted,
						 said(path, wanted, parent), is);
			}
			parent = is; /* the daemon has looked */
		}
	}
	assert_true(known * 2 > all);
}

static void what_is_not_known_above_is_not_known_below(void **state)
{
	(void)state;
	assert_int_equal(said("/x/a", FL_WANTS_UNITS, UNKNOWN), UNKNOWN);
	assert_int_equal(said("/x/named.service", FL_WANTS_UNITS, UNKNOWN), UNKNOWN);
}

/* The kernel side alone tells a unit of the system's from one of the same name further in. */
static void a_unit_stands_below_slices(void **state)
{
	(void)state;
	assert_int_equal(said("/named.service", FL_WANTS_UNITS, OTHER), NAMED);
	assert_int_equal(said("/x.slice/x-y.slice/named.service", FL_WANTS_UNITS, OTHER), NAMED);
	assert_int_equal(said("/x/named.service", FL_WANTS_UNITS, OTHER), OTHER);
	assert_int_equal(said("/x.slice/y/named.service", FL_WANTS_UNITS, OTHER), OTHER);
	assert_int_equal(said("/.slice/named.service", FL_WANTS_UNITS, OTHER), OTHER);
	assert_int_equal(
		said("/x.slice/user@1.service/y.slice/named.service", FL_WANTS_UNITS, OTHER),
		OTHER);
	assert_int_equal(said("/x.slice/named.service/other.service", FL_WANTS_UNITS, NAMED),
			 NAMED);
}

static void a_path_that_was_not_read_is_not_known(void **state)
{
	const __u32 named = NAMED, other = OTHER;
	struct fl_birth b;
	__u32 class;

	(void)state;
	b = birth_of("/x/named.service");
	fl_birth_unread(&b);
	assert_true(fl_birth_path(&b) != path_of("/x/named.service"));
	assert_true(fl_birth_name(&b) != name_of("named.service"));
	assert_int_equal(fl_birth_class(&b, FL_WANTS_UNITS, UNKNOWN, NULL, NULL, NULL, &class), 1);
	assert_int_equal(class, UNKNOWN);
	assert_int_equal(
		fl_birth_class(&b, FL_WANTS_CONTAINERS, UNKNOWN, NULL, &named, NULL, &class), 1);
	assert_int_equal(class, UNKNOWN);
	/* what is hashed is nothing, as of the path "/" */
	assert_int_equal(fl_birth_class(&b, FL_WANTS_LONG, UNKNOWN, &named, &named, NULL, &class),
			 1);
	assert_int_equal(class, UNKNOWN);
	/* where rules are by shorter paths it is as what is above it */
	assert_int_equal(fl_birth_class(&b, 0, UNKNOWN, &other, &named, NULL, &class), 1);
	assert_int_equal(class, NAMED);
	assert_int_equal(fl_birth_class(&b, 0, UNKNOWN, &named, NULL, NULL, &class), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_parts_of_a_path),
		cmocka_unit_test(paths_and_names_are_told_apart),
		cmocka_unit_test(it_is_siphash),
		cmocka_unit_test(never_wrong),
		cmocka_unit_test(what_is_not_known_above_is_not_known_below),
		cmocka_unit_test(a_unit_stands_below_slices),
		cmocka_unit_test(a_path_that_was_not_read_is_not_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
