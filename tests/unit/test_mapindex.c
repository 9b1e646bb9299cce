/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * l7_connections after a repair: what lives is shown at its key, what does not is not, and whoever
 * came while it was looked at stays.
 */
#include "fake_maps.h"
#include "kernel/mapindex.h"
#include <flowner/check.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static int setup(void **state)
{
	(void)state;
	fake_new();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fake_free();
	return 0;
}

static struct fl_key key_of(__u16 lport, __u16 rport)
{
	return (struct fl_key){
		.netns_cookie = 1, .local_port = lport, .remote_port = rport, .proto = FL_TCP
	};
}

static void put_socket(__u64 id, struct fl_key key)
{
	struct fl_socket s = { .key = key,
			       .owner = { .proc = { 5, (__u32)id, 3 } },
			       .cookie = id,
			       .opened_ns = 1000 + id,
			       .accepted = 1 };

	s.check = fl_check_socket(id, &s);
	fake_put(SOCKETS, &id, &s);
}

static void put_connection(__u64 id, struct fl_key key, __u32 members)
{
	struct fl_connection c = { .flow_id = id,
				   .owner = { .proc = { 5, (__u32)id, 3 } },
				   .state = FL_STATE_CLOSE_WAIT,
				   .members = members };

	c.check = id ? fl_check_connection(&key, &c) : 0;
	fake_put(CONNECTIONS, &key, &c);
}

static void put_flow(__u64 id, struct fl_key key)
{
	put_socket(id, key);
	put_connection(id, key, 1);
}

/* ID is at KEY with its own owner, for MEMBERS. */
static void expect_shown(struct fl_key key, __u64 id, __u32 members)
{
	struct fl_connection *c = fake_get(CONNECTIONS, &key);

	assert_non_null(c);
	assert_true(c->flow_id == id);
	assert_int_equal(c->owner.proc.pid, id);
	assert_int_equal(c->members, members);
	assert_true(c->check == fl_check_connection(&key, c));
}

static void expect_nobody(struct fl_key key)
{
	assert_null(fake_get(CONNECTIONS, &key));
}

static void expect(__u64 orphans, __u64 missing, __u64 shown)
{
	struct mapindex_result result;

	assert_int_equal(mapindex_repair(&fake.maps, &result), 0);
	assert_int_equal(result.orphans, orphans);
	assert_int_equal(result.missing, missing);
	assert_int_equal(result.shown, shown);
}

static void nothing_to_do(void **state)
{
	struct fl_connection *c;
	struct fl_key key = key_of(4000, 443), shared = key_of(80, 0);

	(void)state;
	put_flow(5, key);
	put_socket(6, shared);
	put_socket(7, shared);
	put_connection(6, shared, 2); /* not the newest: it stays */
	expect(0, 0, 0);
	expect_shown(shared, 6, 2);
	c = fake_get(CONNECTIONS, &key);
	assert_int_equal(c->state, FL_STATE_CLOSE_WAIT);
}

static void orphans_go(void **state)
{
	(void)state;
	put_flow(5, key_of(4000, 443));
	put_connection(6, key_of(4001, 443), 1);
	put_connection(7, key_of(80, 0), 1);
	put_connection(0, key_of(81, 0), 1);
	expect(3, 0, 0);
	expect_shown(key_of(4000, 443), 5, 1);
	expect_nobody(key_of(4001, 443));
	expect_nobody(key_of(80, 0));
	expect_nobody(key_of(81, 0));
}

/* Its flow has gone to another key. */
static void an_entry_left_behind(void **state)
{
	(void)state;
	put_flow(5, key_of(4000, 443));
	put_connection(5, key_of(4000, 0), 1);
	expect(1, 0, 0);
	expect_shown(key_of(4000, 443), 5, 1);
	expect_nobody(key_of(4000, 0));
}

static void old_kernels_too(void **state)
{
	fake.old_kernel = true;
	orphans_go(state);
}

/* The next one at the key of an orphan. */
static void somebody_comes(void)
{
	put_flow(9, key_of(4001, 443));
}

static void who_comes_meanwhile_stays(void **state)
{
	(void)state;
	put_connection(6, key_of(4001, 443), 1);
	fake.meanwhile = somebody_comes;
	expect(0, 0, 0);
	expect_shown(key_of(4001, 443), 9, 1);
}

static void who_comes_meanwhile_stays_in_old_kernels(void **state)
{
	fake.old_kernel = true;
	who_comes_meanwhile_stays(state);
}

static void what_is_missing_comes(void **state)
{
	(void)state;
	put_socket(5, key_of(4000, 443));
	put_socket(6, key_of(80, 0));
	put_socket(7, key_of(80, 0));
	expect(0, 2, 0);
	expect_shown(key_of(4000, 443), 5, 1);
	expect_shown(key_of(80, 0), 7, 2);
	expect(0, 0, 0);
}

/* With it the count of what there is to find is no proof that all are there. */
static void missing_beside_an_orphan(void **state)
{
	(void)state;
	put_socket(5, key_of(4000, 443));
	put_connection(6, key_of(80, 0), 1);
	expect(1, 1, 0);
	expect_shown(key_of(4000, 443), 5, 1);
}

/* The shown one of two has ended: the other's number says that it is alone. */
static void who_is_left_is_shown(void **state)
{
	(void)state;
	put_socket(6, key_of(80, 0));
	put_connection(0, key_of(80, 0), 1);
	expect(0, 0, 1);
	expect_shown(key_of(80, 0), 6, 1);
}

static void the_newest_of_those_left(void **state)
{
	(void)state;
	for (__u64 id = 5; id < 8; id++)
		put_socket(id, key_of(80, 0));
	put_connection(8, key_of(80, 0), 4); /* its end was not seen here */
	expect(0, 0, 1);
	expect_shown(key_of(80, 0), 7, 3);
}

static void their_number(void **state)
{
	(void)state;
	put_socket(5, key_of(80, 0));
	put_socket(6, key_of(80, 0));
	put_connection(5, key_of(80, 0), 7);
	expect(0, 0, 1);
	expect_shown(key_of(80, 0), 5, 2);
}

/* Two sockets of one session: the other way round it would be as right. */
static void one_key_for_two_sessions(void **state)
{
	(void)state;
	put_flow(5, key_of(53, 999));
	put_socket(6, key_of(53, 999));
	expect(0, 0, 0);
	expect_shown(key_of(53, 999), 5, 1);
}

static void what_the_maps_say(void **state)
{
	struct mapindex_result result;

	(void)state;
	fake.error = EPERM;
	assert_int_equal(mapindex_repair(&fake.maps, &result), -EPERM);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(nothing_to_do),
		TEST(orphans_go),
		TEST(an_entry_left_behind),
		TEST(old_kernels_too),
		TEST(who_comes_meanwhile_stays),
		TEST(who_comes_meanwhile_stays_in_old_kernels),
		TEST(what_is_missing_comes),
		TEST(missing_beside_an_orphan),
		TEST(who_is_left_is_shown),
		TEST(the_newest_of_those_left),
		TEST(their_number),
		TEST(one_key_for_two_sessions),
		TEST(what_the_maps_say),
	};

	return cmocka_run_group_tests_name("mapindex", tests, NULL, NULL);
}
