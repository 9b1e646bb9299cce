/* SPDX-License-Identifier: BSD-2-Clause */
/* Filters in a typed line, there and back; the history in a flow's pane. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "text/address.h"
#include "cli/command.h"
#include "cli/filterline.h"
#include "cli/topdetail.h"

#define S 1000000000ULL

/* --- filters --- */

static void expect_query(const char *line, const char *query, const char *back)
{
	char why[FILTERLINE_WHY] = "";
	char *got = NULL, *text;

	if (filterline_parse(&command_top, line, &got, why) < 0)
		fail_msg("'%s': %s", line, why);
	if (query)
		assert_string_equal(got, query);
	else
		assert_null(got);
	text = filterline_format(got);
	assert_string_equal(text, back);
	free(text);
	free(got);
}

static void lines_to_queries(void **state)
{
	(void)state;
	expect_query("", NULL, "");
	expect_query("   ", NULL, "");
	expect_query("--rport 443", "rport=443", "--rport 443");
	expect_query("  --rport=443   -t ", "rport=443&tcp=1", "--rport 443 --tcp");
	expect_query("10.0.0.0/8:443", "addr=10.0.0.0%2F8%3A443", "10.0.0.0/8:443");
	expect_query(":53 ::1 -6", "ipv6=1&addr=%3A53&addr=%3A%3A1", "--ipv6 :53 ::1");
	expect_query("--comm 'Web Content'", "comm=Web%20Content", "--comm \"Web Content\"");
	expect_query("--comm \"a'b\\\\\"c", "comm=a%27b%5Cc", "--comm \"a'b\\\\c\"");
	expect_query("--comm a\\ b", "comm=a%20b", "--comm \"a b\"");
	expect_query("--comm 'a\\'", "comm=a%5C", "--comm \"a\\\\\"");
	expect_query("--comm 日本", "comm=%E6%97%A5%E6%9C%AC", "--comm 日本");
}

/* What is shown is what can be typed. */
static void back_again(void **state)
{
	static const char *const lines[] = { "--comm \"a \\\"b\\\" 'c' \\\\ d\" 10.1.2.3",
					     "--user bob --user 0 -l --state syn-sent" };

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		char why[FILTERLINE_WHY] = "", *query = NULL, *again = NULL, *line;

		assert_int_equal(filterline_parse(&command_top, lines[i], &query, why), 0);
		line = filterline_format(query);
		assert_int_equal(filterline_parse(&command_top, line, &again, why), 0);
		assert_string_equal(again, query);
		free(line);
		free(query);
		free(again);
	}
}

static void expect_refused(const char *line, const char *why)
{
	char said[FILTERLINE_WHY] = "";
	char *query = NULL;

	assert_int_equal(filterline_parse(&command_top, line, &query, said), -EINVAL);
	assert_null(query);
	assert_string_equal(said, why);
}

static void refused(void **state)
{
	char many[600] = "";

	(void)state;
	expect_refused("--colour red", "'--colour' is not an option");
	expect_refused("--rport", "'--rport' needs a value");
	expect_refused("--rport many", "'many' is not a port (1-65535)");
	expect_refused("--closed", "'--closed' is not an option");
	expect_refused("--comm 'x", "a quote is not closed");
	expect_refused("-j", "only filters can be typed here");
	expect_refused("--help", "only filters can be typed here");
	expect_refused("--socket /x", "only filters can be typed here");
	for (int i = 0; i < 130; i++)
		strcat(many, "-t ");
	expect_refused(many, "too many words");
}

/* --- the pane --- */

static struct fl_flow past(__u64 id, __u64 ended_s)
{
	struct fl_flow f = {
		.id = id,
		.key = { .proto = FL_TCP, .local_port = 40000, .remote_port = 22 },
		.owner = { .proc = { .pid = 7, .start_ns = 70 } },
		.opened_ns = (ended_s - 2) * S,
		.ended_ns = ended_s * S,
		.role = FL_ROLE_OPENER,
	};

	assert_int_equal(address_parse("10.0.0.1", &f.key.local), 0);
	assert_int_equal(address_parse("10.0.0.2", &f.key.remote), 0);
	return f;
}

static void history_of_a_flow(void **state)
{
	const struct record_view view = { .services = false };
	struct topdetail d = { .record = NULL };
	struct fl_flow f = past(1, 50);
	char *text;

	(void)state;
	f.ended_ns = 0;
	topdetail_begin(&d, &f);
	text = topdetail_past_query(&d);
	assert_string_equal(text, "closed=1&pid=7&remote=10.0.0.2");
	free(text);
	f = past(2, 90);
	f.reason = FL_REASON_REFUSED;
	f.counted = 1;
	f.counts.bytes_sent = 5;
	topdetail_past(&d, &f);
	f = past(3, 95);
	topdetail_past(&d, &f);
	f.id = 4; /* of one that had the pid before */
	f.owner.proc.start_ns = 69;
	topdetail_past(&d, &f);
	d.past_known = true;
	text = topdetail_text(&d, &view, 100 * S);
	assert_string_equal(
		text,
		"\nended, of this process with this remote address: 2 remembered\n"
		"  5s ago: tcp 10.0.0.1:40000 -> 10.0.0.2:22 closed after 2s\n"
		"  10s ago: tcp 10.0.0.1:40000 -> 10.0.0.2:22 refused after 2s, sent 5, received "
		"0 bytes\n");
	free(text);
	topdetail_release(&d);
}

/* In whatever order they come. */
static void only_the_latest(void **state)
{
	struct topdetail d = { .record = NULL };
	struct fl_flow f = past(1000, 50);

	(void)state;
	topdetail_begin(&d, &f);
	for (__u64 i = 0; i < 101; i++) {
		f = past(i + 1, 100 + i * 37 % 101);
		topdetail_past(&d, &f);
	}
	assert_int_equal(d.past_all, 101);
	assert_int_equal(d.past_count, TOPDETAIL_PAST);
	for (size_t i = 0; i < TOPDETAIL_PAST; i++)
		assert_int_equal(d.past[i].ended_ns, (200 - i) * S);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_to_queries), cmocka_unit_test(back_again),
		cmocka_unit_test(refused),	    cmocka_unit_test(history_of_a_flow),
		cmocka_unit_test(only_the_latest),
	};

	return cmocka_run_group_tests_name("top_filter", tests, NULL, NULL);
}
