/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lines of the history read back: what json.c writes comes out as the filters want it, anything
 * else is refused; and of files of them, all lines, the tail, or those from a time on.
 */
#include "text/address.h"
#include "daemon/describe.h"
#include "flow/past.h"
#include "flow/pastfile.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define S 1000000000ULL
#define OFFSET_NS 1767323045000000000LL /* boot was at 2026-01-02T03:04:05Z */

static char directory[] = "/tmp/flowner-test-XXXXXX";
static char path[sizeof(directory) + 8], rotated[sizeof(directory) + 16];

static struct fl_flow a_flow(void)
{
	struct fl_flow f = {
		.id = 0x8000000000000abcULL,
		.key = { .netns_cookie = 7,
			 .proto = FL_TCP,
			 .local_port = 40000,
			 .remote_port = 443 },
		.owner = { .proc = { 5 * S, 4711, 3 }, .uid = 1000, .comm = "curl" },
		.opened_ns = 10 * S,
		.seen_ns = 10 * S,
		.ended_ns = 12 * S + 5,
		.role = FL_ROLE_OPENER,
		.state = FL_STATE_ESTABLISHED,
		.netns_inum = 4026531840u,
	};

	assert_int_equal(address_parse("10.0.0.2", &f.key.local), 0);
	assert_int_equal(address_parse("2001:db8::1", &f.key.remote), 0);
	return f;
}

static char *line_of(const struct fl_flow *flow, const struct flow_names *names)
{
	struct json_context ctx = { "h", OFFSET_NS };

	return json_line(json_flow(&ctx, flow, NULL, names, 0, NULL));
}

static void what_was_written_is_read(void **state)
{
	struct flow_names names = { .user = "bob", .unit = "x.service", .container = "0123" };
	struct fl_flow flow = a_flow();
	char *line = line_of(&flow, &names);
	struct past p;

	(void)state;
	assert_int_equal(past_parse(line, strlen(line), OFFSET_NS, &p), 0);
	assert_true(p.flow.id == flow.id);
	assert_int_equal(p.flow.key.proto, FL_TCP);
	assert_memory_equal(&p.flow.key.local, &flow.key.local, sizeof(flow.key.local));
	assert_memory_equal(&p.flow.key.remote, &flow.key.remote, sizeof(flow.key.remote));
	assert_int_equal(p.flow.key.local_port, 40000);
	assert_int_equal(p.flow.key.remote_port, 443);
	assert_true(p.flow.ended_ns == flow.ended_ns && p.flow.opened_ns == flow.opened_ns);
	assert_int_equal(p.flow.owner.proc.pid, 4711);
	assert_int_equal(p.flow.owner.uid, 1000);
	assert_string_equal(p.flow.owner.comm, "curl");
	assert_int_equal(p.flow.role, FL_ROLE_OPENER);
	assert_int_equal(p.flow.state, FL_STATE_ESTABLISHED);
	assert_int_equal(p.flow.netns_inum, 4026531840u);
	assert_string_equal(p.names.user, "bob");
	assert_string_equal(p.names.unit, "x.service");
	assert_string_equal(p.names.container, "0123");
	assert_null(p.boot);
	past_release(&p);
	assert_true(past_end_ns(line, strlen(line)) == flow.ended_ns + (__u64)OFFSET_NS);
	free(line);
}

/* An owner that is not known is nobody: uid 0 of no process. */
static void whose_it_is_not_known(void **state)
{
	struct fl_flow flow = a_flow();
	char *line;
	struct past p;

	(void)state;
	flow.owner = (struct fl_owner){ 0 };
	flow.opened_ns = 0;
	flow.role = FL_ROLE_EXISTING;
	line = line_of(&flow, NULL);
	assert_int_equal(past_parse(line, strlen(line), OFFSET_NS, &p), 0);
	assert_int_equal(p.flow.owner.proc.pid, 0);
	assert_int_equal(p.flow.owner.uid, 0);
	assert_int_equal(p.flow.opened_ns, 0);
	assert_true(p.flow.seen_ns == flow.seen_ns);
	past_release(&p);
	free(line);
}

#define START "{\"network\":{\"transport\":\"tcp\"},"
#define ENDED "\"event\":{\"end\":\"2026-01-02T03:04:05.000000005Z\"},"
#define FLOW "\"flowner\":{\"flow_id\":\"abc\"}"

static void what_is_no_record(void **state)
{
	static const char *const lines[] = {
		"",
		"{",
		"{}",
		"[]",
		"null",
		"\"x\"",
		START ENDED FLOW,
		START FLOW "}",
		START ENDED "\"flowner\":{}}",
		START ENDED "\"flowner\":{\"flow_id\":\"0\"}}",
		START ENDED "\"flowner\":{\"flow_id\":7}}",
		START ENDED "\"flowner\":[]}",
		START "\"event\":{\"end\":\"10m\"}," FLOW "}",
		START "\"event\":{\"end\":\"@7\"}," FLOW "}",
		START "\"event\":{\"end\":7}," FLOW "}",
		"{\"network\":{\"transport\":\"sctp\"}," ENDED FLOW "}",
		START ENDED FLOW "} x",
	};
	struct past p;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (past_parse(lines[i], strlen(lines[i]), OFFSET_NS, &p) != -EINVAL)
			fail_msg("taken: %s", lines[i]);
}

/* Who may see it hangs on these: what is not plainly a uid is nobody's. */
static void uids_that_are_none(void **state)
{
	static const char *const users[] = { "{}",
					     "{\"id\":0}",
					     "{\"id\":\"\"}",
					     "{\"id\":\"-1\"}",
					     "{\"id\":\" 0\"}",
					     "{\"id\":\"0x\"}",
					     "{\"id\":\"4294967296\"}",
					     "[]" };
	struct past p;

	(void)state;
	for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++) {
		char line[512];

		snprintf(line, sizeof(line),
			 START ENDED FLOW ",\"process\":{\"pid\":7},\"user\":%s}", users[i]);
		assert_int_equal(past_parse(line, strlen(line), OFFSET_NS, &p), 0);
		assert_int_equal(p.flow.owner.proc.pid, 0);
		past_release(&p);
	}
}

/* --- files --- */

static FILE *make(const char *at)
{
	FILE *file = fopen(at, "we");

	assert_non_null(file);
	return file;
}

/* Line N ended N seconds after 2026-01-02T00:00:00Z. */
#define MIDNIGHT_NS 1767312000000000000ULL
static void put_line_at(FILE *file, unsigned int n, unsigned int second, size_t filler)
{
	fprintf(file,
		"{\"n\":%u,\"network\":{\"transport\":\"tcp\"}," FLOW ",\"event\":{\"end\":"
		"\"2026-01-02T%02u:%02u:%02u.000000000Z\"},\"x\":\"%0*d\"}\n",
		n, second / 3600, second / 60 % 60, second % 60, (int)filler, 0);
}

static void put_line(FILE *file, unsigned int n, size_t filler)
{
	put_line_at(file, n, n, filler);
}

static unsigned int number(const char *line, size_t size)
{
	unsigned int n = 0;

	assert_true(size > 6);
	assert_int_equal(sscanf(line, "{\"n\":%u,", &n), 1);
	return n;
}

static int setup(void **state)
{
	(void)state;
	unlink(path);
	unlink(rotated);
	return 0;
}

static void all_lines_of_both(void **state)
{
	struct pastfile *f = NULL;
	unsigned int next = 0;
	const char *line;
	FILE *file;
	size_t size;

	(void)state;
	assert_int_equal(pastfile_open(path, 0, &f), -ENOENT);
	file = make(rotated);
	for (unsigned int n = 0; n < 2000; n++)
		put_line(file, n, 500);
	fputs("half a li", file);
	fclose(file);
	file = make(path);
	for (unsigned int n = 2000; n < 3000; n++)
		put_line(file, n, n == 2500 ? 200000 : 10);
	fclose(file);
	assert_int_equal(pastfile_open(path, 0, &f), 0);
	file = fopen(path, "ae");
	put_line(file, 3000, 10); /* later than it was opened */
	fclose(file);
	while (pastfile_next(f, &line, &size) == 1)
		assert_int_equal(number(line, size), next++);
	assert_int_equal(next, 3000);
	assert_int_equal(pastfile_next(f, &line, &size), 0);
	pastfile_close(f);
	pastfile_close(NULL);
}

static void what_is_too_long_is_passed_over(void **state)
{
	struct pastfile *f = NULL;
	const char *line;
	FILE *file = make(path);
	size_t size;

	(void)state;
	put_line(file, 1, 10);
	put_line(file, 2, 1 << 20);
	put_line(file, 3, 10);
	fclose(file);
	assert_int_equal(pastfile_open(path, 0, &f), 0);
	assert_int_equal(pastfile_next(f, &line, &size), 1);
	assert_int_equal(number(line, size), 1);
	assert_int_equal(pastfile_next(f, &line, &size), 1);
	assert_int_equal(number(line, size), 3);
	assert_int_equal(pastfile_next(f, &line, &size), 0);
	pastfile_close(f);
}

/* From every hour: not one too few, and not many too many. */
static void from_a_time_on(void **state)
{
	FILE *file = make(path);

	(void)state;
	for (unsigned int n = 0; n < 36000; n++) {
		put_line(file, n, 50);
		if (n % 1000 == 999)
			fputs("not of ours\n", file);
	}
	fclose(file);
	for (unsigned int since = 0; since < 40000; since += 1800) {
		bool to_the_end = since >= 34200; /* the others would only take long */
		unsigned int first = UINT_MAX, last = 0;
		struct pastfile *f = NULL;
		const char *line;
		size_t size;

		assert_int_equal(pastfile_open(path, MIDNIGHT_NS + since * S, &f), 0);
		while ((first == UINT_MAX || to_the_end) && pastfile_next(f, &line, &size) == 1) {
			if (*line != '{')
				continue;
			last = number(line, size);
			first = last < first ? last : first;
		}
		pastfile_close(f);
		assert_true(!to_the_end || last == 35999);
		assert_true(first <= since);
		assert_true(first + 1000 >= since || first > 35000);
	}
}

/* In the middle the machine was started, and its clock was not set for an hour. */
static void a_clock_that_was_not_set(void **state)
{
	FILE *file = make(path);

	(void)state;
	for (unsigned int n = 3600; n < 39600; n++)
		put_line_at(file, n, n >= 20000 && n < 23600 ? n - 20000 : n, 50);
	fclose(file);
	for (unsigned int since = 5400; since < 36000; since += 1800) {
		struct pastfile *f = NULL;
		unsigned int first = UINT_MAX;
		const char *line;
		size_t size;

		assert_int_equal(pastfile_open(path, MIDNIGHT_NS + since * S, &f), 0);
		while (first == UINT_MAX && pastfile_next(f, &line, &size) == 1)
			first = number(line, size);
		pastfile_close(f);
		assert_true(first <= since);
	}
}

static void the_tail(void **state)
{
	struct pastfile *f = NULL;
	FILE *file = make(path);
	const char *line;
	unsigned int count = 0, last = 0;
	size_t size;

	(void)state;
	for (unsigned int n = 0; n < 1000; n++)
		put_line(file, n, 50);
	fclose(file);
	assert_int_equal(pastfile_open(path, 0, &f), 0);
	pastfile_skip_to_tail(f, 2000);
	for (; pastfile_next(f, &line, &size) == 1; count++)
		last = number(line, size);
	pastfile_close(f);
	assert_int_equal(last, 999);
	assert_in_range(count, 5, 15);
}

/* Renamed, and the daemon has not made the new one yet. */
static void only_the_rotated_one(void **state)
{
	struct pastfile *f = NULL;
	FILE *file = make(rotated);
	const char *line;
	size_t size;

	(void)state;
	put_line(file, 7, 10);
	fclose(file);
	assert_int_equal(pastfile_open(path, 0, &f), 0);
	assert_int_equal(pastfile_next(f, &line, &size), 1);
	assert_int_equal(number(line, size), 7);
	assert_int_equal(pastfile_next(f, &line, &size), 0);
	pastfile_close(f);
}

/* A file that was rotated between two looks is there once. */
static void the_same_file_twice(void **state)
{
	struct pastfile *f = NULL;
	FILE *file = make(path);
	const char *line;
	size_t size;

	(void)state;
	put_line(file, 1, 10);
	fclose(file);
	assert_int_equal(link(path, rotated), 0);
	assert_int_equal(pastfile_open(path, 0, &f), 0);
	assert_int_equal(pastfile_next(f, &line, &size), 1);
	assert_int_equal(pastfile_next(f, &line, &size), 0);
	pastfile_close(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_written_is_read),
		cmocka_unit_test(whose_it_is_not_known),
		cmocka_unit_test(what_is_no_record),
		cmocka_unit_test(uids_that_are_none),
		cmocka_unit_test_setup(all_lines_of_both, setup),
		cmocka_unit_test_setup(what_is_too_long_is_passed_over, setup),
		cmocka_unit_test_setup(from_a_time_on, setup),
		cmocka_unit_test_setup(a_clock_that_was_not_set, setup),
		cmocka_unit_test_setup(the_tail, setup),
		cmocka_unit_test_setup(only_the_rotated_one, setup),
		cmocka_unit_test_setup(the_same_file_twice, setup),
	};
	int failed;

	if (!mkdtemp(directory))
		return 1;
	snprintf(path, sizeof(path), "%s/log", directory);
	snprintf(rotated, sizeof(rotated), "%s.1", path);
	failed = cmocka_run_group_tests_name("past", tests, NULL, NULL);
	setup(NULL);
	rmdir(directory);
	return failed;
}
