/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a rule redirects to, and what a socket remembers of it. */
#include <flowner/redirect.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct fl_addr host(__u8 last)
{
	return (struct fl_addr){ .b = { [10] = 0xff, [11] = 0xff, [12] = 10, [15] = last } };
}

static struct fl_place place(__u8 last, __u16 port)
{
	return (struct fl_place){ .addr = host(last), .port = port, .used = 1 };
}

static struct fl_detour detour(__u8 to, __u8 from)
{
	return (struct fl_detour){ .to = place(to, 53), .from = place(from, 53) };
}

/* Whose answer comes from TO, 0: that one's own. */
static __u8 found(const struct fl_detours *d, __u8 to)
{
	struct fl_addr addr = host(to);
	struct fl_place from;

	return fl_detours_find(d, &addr, 53, &from) ? from.addr.b[15] : 0;
}

static void what_is_not_said_stays(void **state)
{
	struct fl_target target = { .addr = host(1), .port = 3129 };
	struct fl_addr addr = host(9);
	__u16 port = 80;

	(void)state;
	fl_target_apply(&target, &addr, &port);
	assert_int_equal(addr.b[15], 9);
	assert_int_equal(port, 80);
	target.parts = FL_TARGET_PORT;
	fl_target_apply(&target, &addr, &port);
	assert_int_equal(addr.b[15], 9);
	assert_int_equal(port, 3129);
	target.parts = FL_TARGET_ADDR;
	target.port = 1;
	fl_target_apply(&target, &addr, &port);
	assert_int_equal(addr.b[15], 1);
	assert_int_equal(port, 3129);
}

static void nothing_is_no_place(void **state)
{
	struct fl_detours d = { .next = 0 };
	struct fl_addr any = { .b = { 0 } };
	struct fl_place from;

	(void)state;
	assert_false(fl_detours_find(&d, &any, 0, &from));
	assert_int_equal(found(&d, 1), 0);
}

static void sent_here_and_there(void **state)
{
	struct fl_detours d = { .next = 0 };
	struct fl_detour new;
	struct fl_addr addr = host(1);
	struct fl_place from;

	(void)state;
	for (__u8 i = 1; i <= FL_DETOURS; i++) {
		new = detour(i, 100 + i);
		assert_false(fl_detours_send(&d, &new));
	}
	for (__u8 i = 1; i <= FL_DETOURS; i++)
		assert_int_equal(found(&d, i), 100 + i);
	assert_false(fl_detours_find(&d, &addr, 54, &from));
	new = detour(2, 50); /* who was asked last answers */
	assert_false(fl_detours_send(&d, &new));
	assert_int_equal(found(&d, 2), 50);
	new = detour(200, 201);
	assert_true(fl_detours_send(&d, &new)); /* the oldest is lost */
	assert_int_equal(found(&d, 1), 0);
	assert_int_equal(found(&d, 200), 201);
}

static void who_goes_straight_is_itself(void **state)
{
	struct fl_detours d = { .next = 0 };
	struct fl_detour one = detour(1, 101), two = detour(2, 102);
	struct fl_addr addr = host(1);

	(void)state;
	fl_detours_connect(&d, &one);
	fl_detours_send(&d, &two);
	fl_detours_straight(&d, &addr, 54);
	assert_int_equal(found(&d, 1), 101);
	fl_detours_straight(&d, &addr, 53);
	assert_int_equal(found(&d, 1), 101); /* the peer */
	assert_int_equal(found(&d, 2), 102);
	addr = host(2);
	fl_detours_straight(&d, &addr, 53);
	assert_int_equal(found(&d, 2), 0);
}

/* Of two ways to one place that of connect() counts. */
static void the_peer_counts(void **state)
{
	struct fl_detours d = { .next = 0 };
	struct fl_detour first = detour(1, 101), second = detour(1, 102);

	(void)state;
	fl_detours_send(&d, &first);
	fl_detours_connect(&d, &second);
	assert_int_equal(found(&d, 1), 102);
	assert_false(fl_detours_send(&d, &first));
	assert_int_equal(found(&d, 1), 102);
	d.connected.to.used = 0; /* it is connected no longer */
	assert_int_equal(found(&d, 1), 0);
	fl_detours_send(&d, &first);
	assert_int_equal(found(&d, 1), 101);
}

static void addresses_that_every_namespace_has(void **state)
{
	static const struct {
		struct fl_addr addr;
		bool everywhere;
	} cases[] = {
		{ { { [10] = 0xff, [11] = 0xff, [12] = 127, [15] = 9 } }, true },
		{ { { [10] = 0xff, [11] = 0xff } }, true },
		{ { { [15] = 1 } }, true },
		{ { { 0 } }, true },
		{ { { [10] = 0xff, [11] = 0xff, [12] = 10, [15] = 1 } }, false },
		{ { { [10] = 0xff, [11] = 0xff, [15] = 1 } }, false },
		{ { { [10] = 0xff, [12] = 127, [15] = 1 } }, false },
		{ { { [0] = 0xfe, [1] = 0x80, [15] = 1 } }, false },
		{ { { [9] = 1, [15] = 1 } }, false },
		{ { { [12] = 127, [15] = 1 } }, false },
		{ { { [15] = 2 } }, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(fl_addr_is_everywhere(&cases[i].addr), cases[i].everywhere);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_said_stays),
		cmocka_unit_test(nothing_is_no_place),
		cmocka_unit_test(sent_here_and_there),
		cmocka_unit_test(who_goes_straight_is_itself),
		cmocka_unit_test(the_peer_counts),
		cmocka_unit_test(addresses_that_every_namespace_has),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
