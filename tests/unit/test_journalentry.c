/* SPDX-License-Identifier: BSD-2-Clause */
/* An entry of the journal byte for byte, as systemd's native protocol wants it. */
#include "text/journalentry.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void holds(const struct journalentry *e, const char *bytes, size_t size)
{
	assert_int_equal(e->size, size);
	assert_memory_equal(e->bytes, bytes, size);
}

#define HOLDS(e, bytes) holds(e, bytes, sizeof(bytes) - 1)

static void a_line_a_field(void **state)
{
	static struct journalentry e;

	(void)state;
	e.size = 0;
	assert_true(journalentry_add(&e, "MESSAGE", "a=b c"));
	assert_true(journalentry_print(&e, "PRIORITY", "%d", 6));
	HOLDS(&e, "MESSAGE=a=b c\nPRIORITY=6\n");
}

static void nothing_is_no_field(void **state)
{
	static struct journalentry e;

	(void)state;
	e.size = 0;
	assert_true(journalentry_add(&e, "A", NULL));
	assert_true(journalentry_add(&e, "B", ""));
	assert_int_equal(e.size, 0);
}

/* A process names itself: what it puts behind a newline is no field of ours. */
static void a_newline_forges_nothing(void **state)
{
	static struct journalentry e;

	(void)state;
	e.size = 0;
	assert_true(journalentry_add(&e, "COMM", "x\n_UID=0"));
	assert_true(journalentry_add(&e, "Z", "\n"));
	HOLDS(&e, "COMM\n\x08\0\0\0\0\0\0\0x\n_UID=0\nZ\n\x01\0\0\0\0\0\0\0\n\n");
}

static void what_has_no_room_is_left_out(void **state)
{
	static struct journalentry e;
	static char text[sizeof(e.bytes)];
	size_t before;

	(void)state;
	e.size = 0;
	memset(text, 'x', sizeof(text) - 1);
	assert_false(journalentry_add(&e, "A", text));
	assert_int_equal(e.size, 0);
	text[10000] = '\0';
	assert_true(journalentry_add(&e, "A", text));
	before = e.size;
	assert_false(journalentry_add(&e, "B", text));
	assert_int_equal(e.size, before);
	assert_true(journalentry_add(&e, "C", "1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_a_field),
		cmocka_unit_test(nothing_is_no_field),
		cmocka_unit_test(a_newline_forges_nothing),
		cmocka_unit_test(what_has_no_room_is_left_out),
	};

	return cmocka_run_group_tests_name("journalentry", tests, NULL, NULL);
}
