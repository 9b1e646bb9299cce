/* SPDX-License-Identifier: BSD-2-Clause */
/* Records out of bytes: whole whatever the pieces, and none that is not sound. */
#include "flow/intake.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct seen {
	unsigned int types[8];
	size_t count;
	int stop; /* what the callback returns */
};

static int on_record(const struct fl_record *record, void *arg)
{
	struct seen *seen = arg;

	seen->types[seen->count++ % 8] = (unsigned int)record->type;
	return seen->stop;
}

static struct wire_flow make_flow(void)
{
	struct wire_flow w = {
		.head = { .type = (enum fl_record_type)WIRE_FLOW, .size = sizeof(w) },
		.flow = { .id = 7, .key = { .proto = FL_TCP } },
	};

	return w;
}

static struct wire_notice make_notice(void)
{
	struct wire_notice w = {
		.head = { .type = (enum fl_record_type)WIRE_NOTICE, .size = sizeof(w) },
		.action = "lost",
	};

	return w;
}

/* "/x" with one argument. */
static struct fl_text make_text(void)
{
	struct fl_text t = {
		.head = { .type = FL_RECORD_TEXT, .size = offsetof(struct fl_text, text) + 5 },
		.exe_len = 2,
		.args_len = 2,
		.text = "/x\0a",
	};

	return t;
}

static int feed(const void *bytes, size_t len, size_t piece, struct seen *seen)
{
	const char *at = bytes;
	struct intake in;
	int r = 0;

	intake_init(&in, on_record, seen);
	for (size_t n; len && r == 0; at += n, len -= n) {
		n = piece < len ? piece : len;
		r = intake_feed(&in, at, n);
	}
	if (r == 0)
		assert_true(intake_between(&in));
	return r;
}

static void in_any_pieces(void **state)
{
	struct wire_flow flow = make_flow();
	struct wire_notice notice = make_notice();
	struct fl_process process = { .head = { FL_RECORD_PROCESS, sizeof(process) } };
	struct fl_text text = make_text();
	char all[2048], *end = all;

	(void)state;
	end = (char *)memcpy(end, &flow, sizeof(flow)) + sizeof(flow);
	end = (char *)memcpy(end, &notice, sizeof(notice)) + sizeof(notice);
	end = (char *)memcpy(end, &process, sizeof(process)) + sizeof(process);
	end = (char *)memcpy(end, &text, text.head.size) + text.head.size;
	for (size_t piece = 1; piece <= (size_t)(end - all); piece++) {
		struct seen seen = { 0 };

		assert_int_equal(feed(all, (size_t)(end - all), piece, &seen), 0);
		assert_int_equal(seen.count, 4);
		assert_int_equal(seen.types[0], WIRE_FLOW);
		assert_int_equal(seen.types[1], WIRE_NOTICE);
		assert_int_equal(seen.types[2], FL_RECORD_PROCESS);
		assert_int_equal(seen.types[3], FL_RECORD_TEXT);
	}
}

static void expect_refused(const void *record, size_t size)
{
	struct seen seen = { 0 };

	assert_int_equal(feed(record, size, size, &seen), -EPROTO);
	assert_int_equal(seen.count, 0);
}

static void unsound_records(void **state)
{
	struct wire_flow flow = make_flow();
	struct wire_notice notice = make_notice();
	struct fl_process process = { .head = { FL_RECORD_PROCESS, sizeof(process) } };
	struct fl_text text = make_text();

	(void)state;
	flow.flow.id = 0;
	expect_refused(&flow, sizeof(flow));
	flow = make_flow();
	flow.flow.key.proto = 0;
	expect_refused(&flow, sizeof(flow));
	flow = make_flow();
	flow.head.size -= 8;
	expect_refused(&flow, sizeof(flow) - 8);
	memset(notice.action, 'x', sizeof(notice.action));
	expect_refused(&notice, sizeof(notice));
	process.ancestor_count = FL_ANCESTORS + 1;
	expect_refused(&process, sizeof(process));
	text.exe_len++;
	expect_refused(&text, text.head.size);
	text = make_text();
	text.text[2] = 'x';
	expect_refused(&text, text.head.size);
	text.exe_len = UINT32_MAX;
	expect_refused(&text, text.head.size);
}

static void sizes_that_cannot_be(void **state)
{
	static const __u32 sizes[] = { 0, 4, 8, sizeof(struct fl_text) + 1, UINT32_MAX };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct fl_record head = { (enum fl_record_type)WIRE_FLOW, sizes[i] };

		expect_refused(&head, sizeof(head));
	}
}

static void unknown_records_are_passed_over(void **state)
{
	struct {
		struct fl_record head;
		char rest[8];
		struct wire_notice notice;
	} bytes = { .head = { (enum fl_record_type)4711, 16 }, .notice = make_notice() };
	struct seen seen = { 0 };

	(void)state;
	assert_int_equal(feed(&bytes, sizeof(bytes), 5, &seen), 0);
	assert_int_equal(seen.count, 1);
	assert_int_equal(seen.types[0], WIRE_NOTICE);
}

static void callback_stops(void **state)
{
	struct wire_notice two[2] = { make_notice(), make_notice() };
	struct seen seen = { .stop = 5 };

	(void)state;
	assert_int_equal(feed(two, sizeof(two), sizeof(two), &seen), 5);
	assert_int_equal(seen.count, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_any_pieces),
		cmocka_unit_test(unsound_records),
		cmocka_unit_test(sizes_that_cannot_be),
		cmocka_unit_test(unknown_records_are_passed_over),
		cmocka_unit_test(callback_stops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
