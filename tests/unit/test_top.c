/* SPDX-License-Identifier: BSD-2-Clause */
/* What `flowner top` shows, without a terminal: two samples, the rows of each group, keys. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "text/address.h"
#include "cli/top.h"

#define S 1000000000ULL
#define MANY 5000

struct state {
	struct samples *samples;
	struct top *top;
};

static struct state at;

static const char *user(__u32 uid, void *arg)
{
	(void)arg;
	return uid == 0 ? "root" : uid == 1000 ? "bob" : NULL;
}

static int set_up(void **state)
{
	const struct top_words words = { .user = user };

	(void)state;
	return samples_new(&at.samples) < 0 || top_new(&words, &at.top) < 0;
}

static int tear_down(void **state)
{
	(void)state;
	samples_free(at.samples);
	top_free(at.top);
	return 0;
}

/* --- flows --- */

static struct fl_flow flow(__u64 id, __u32 pid, __u32 uid, const char *remote)
{
	struct fl_flow f = {
		.id = id,
		.key = { .proto = FL_TCP, .local_port = 40000, .remote_port = 443 },
		.owner = { .proc = { .pid = pid, .start_ns = pid * 10 }, .uid = uid },
		.opened_ns = S,
		.seen_ns = S + id,
		.role = FL_ROLE_OPENER,
		.state = FL_STATE_ESTABLISHED,
		.counted = 1,
	};

	snprintf(f.owner.comm, sizeof(f.owner.comm), "comm-%u", pid);
	assert_int_equal(address_parse("10.0.0.1", &f.key.local), 0);
	assert_int_equal(address_parse(remote, &f.key.remote), 0);
	return f;
}

static struct fl_flow counted(struct fl_flow f, __u64 sent, __u64 received)
{
	f.counts.bytes_sent = sent;
	f.counts.bytes_received = received;
	f.counts.packets_sent = sent / 100;
	f.counts.packets_received = received / 100;
	return f;
}

static struct fl_flow uncounted(struct fl_flow f)
{
	f.counted = 0;
	return f;
}

static void begin(__u64 now_ns)
{
	samples_begin(at.samples, now_ns);
}

static void add(struct fl_flow f)
{
	assert_int_equal(samples_add(at.samples, &f), 0);
}

static void end(void)
{
	samples_end(at.samples);
	assert_int_equal(top_refresh(at.top, at.samples), 0);
}

static const struct sampled_flow *found(__u64 id)
{
	const struct sampled_flow *f = samples_find(at.samples, id);

	assert_non_null(f);
	return f;
}

/* Cells of row I, '|' between them. */
static void expect_row(size_t i, const char *expected)
{
	char text[512] = "";
	size_t count;
	const struct top_column *columns = top_columns(at.top, &count);

	assert_true(i < top_count(at.top));
	for (size_t c = 0; c < count; c++) {
		char buf[TOP_TEXT];
		const char *cell = top_cell(at.top, top_row(at.top, i), columns[c].field, buf);

		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", c ? "|" : "",
			 cell ? cell : "-");
	}
	assert_string_equal(text, expected);
}

/* --- samples --- */

static void what_happened_between(void **state)
{
	struct fl_flow gone = counted(flow(2, 7, 0, "10.0.0.2"), 100, 0);

	(void)state;
	begin(10 * S);
	add(counted(flow(1, 7, 0, "10.0.0.2"), 1000, 50));
	add(gone);
	end();
	assert_int_equal(samples_interval_ns(at.samples), 0);
	assert_false(found(1)->measured || found(1)->opened);

	gone = counted(gone, 170, 30);
	gone.ended_ns = 11 * S;
	begin(12 * S);
	add(counted(flow(1, 7, 0, "10.0.0.2"), 1500, 50));
	add(gone);
	end();
	assert_int_equal(samples_interval_ns(at.samples), 2 * S);
	assert_true(found(1)->measured);
	assert_int_equal(found(1)->since.bytes_sent, 500);
	assert_int_equal(found(1)->since.bytes_received, 0);
	assert_int_equal(found(2)->since.bytes_sent, 70);
	assert_int_equal(found(2)->since.bytes_received, 30);
	assert_false(found(2)->past);

	/* told again, since one asks for a little more than is new */
	begin(13 * S);
	add(gone);
	end();
	assert_true(found(2)->past);
	assert_null(samples_find(at.samples, 1));
	assert_int_equal(top_count(at.top), 0);
}

static void short_and_late_ones(void **state)
{
	struct fl_flow quick = counted(flow(5, 7, 0, "10.0.0.2"), 10, 20);
	struct fl_flow late = counted(flow(6, 7, 0, "10.0.0.2"), 1000, 20);

	(void)state;
	begin(10 * S);
	end();
	quick.opened_ns = 10 * S + 1;
	quick.ended_ns = 10 * S + 2;
	begin(11 * S);
	add(quick);
	add(late); /* opened long before, and passed the filter only now */
	end();
	assert_true(found(5)->opened && found(5)->measured);
	assert_int_equal(found(5)->since.bytes_received, 20);
	assert_false(found(6)->opened || found(6)->measured);
	expect_row(0, "7|root|1|1.0|10|20|0|0|comm-7");
}

static void counts_do_not_go_down(void **state)
{
	(void)state;
	begin(10 * S);
	add(counted(flow(1, 7, 0, "10.0.0.2"), 1000, 50));
	end();
	begin(11 * S);
	add(counted(flow(1, 7, 0, "10.0.0.2"), 900, 60));
	end();
	assert_int_equal(found(1)->since.bytes_sent, 0);
	assert_int_equal(found(1)->since.bytes_received, 10);
}

static void one_half_of_a_sample_is_none(void **state)
{
	(void)state;
	begin(10 * S);
	add(counted(flow(1, 7, 0, "10.0.0.2"), 1000, 50));
	end();
	begin(11 * S);
	add(counted(flow(1, 7, 0, "10.0.0.2"), 5000, 50));
	samples_abandon(at.samples);
	assert_int_equal(samples_count(at.samples), 1);
	assert_int_equal(found(1)->flow.counts.bytes_sent, 1000);
	begin(14 * S);
	add(counted(flow(1, 7, 0, "10.0.0.2"), 5000, 50));
	end();
	assert_int_equal(samples_interval_ns(at.samples), 4 * S);
	assert_int_equal(found(1)->since.bytes_sent, 4000);
	samples_forget(at.samples);
	begin(99 * S);
	add(counted(flow(1, 7, 0, "10.0.0.2"), 9000, 50));
	end();
	assert_int_equal(samples_interval_ns(at.samples), 0);
	assert_false(found(1)->measured);
}

/* Live in the maps and ended in what is remembered: that it ended is the later news. */
static void twice_in_one_sample(void **state)
{
	struct fl_flow f = flow(1, 7, 0, "10.0.0.2"), ended = f;

	(void)state;
	ended.ended_ns = 2 * S;
	begin(10 * S);
	add(f);
	add(ended);
	add(f);
	end();
	assert_int_equal(samples_count(at.samples), 1);
	assert_int_equal(found(1)->flow.ended_ns, 2 * S);
}

static void very_many(void **state)
{
	(void)state;
	for (__u64 round = 0; round < 2; round++) {
		begin((10 + round) * S);
		for (__u64 i = 1; i <= MANY; i++)
			add(counted(flow(i << 32 | i, (__u32)(i % 50) + 1, 0, "10.0.0.2"),
				    i * round, 0));
		end();
	}
	assert_int_equal(samples_count(at.samples), MANY);
	for (__u64 i = 1; i <= MANY; i++)
		assert_int_equal(found(i << 32 | i)->since.bytes_sent, i);
	assert_int_equal(top_count(at.top), 50);
	assert_int_equal(top_sums(at.top)->flows, MANY);
	assert_int_equal(top_sums(at.top)->since.bytes_sent, MANY * (MANY + 1) / 2);
}

/* --- groups --- */

/* Of three processes of two users; the last one owns a listener that nothing can be measured of. */
static void two_looks(void)
{
	struct fl_flow listener = flow(9, 30, 4242, "0.0.0.0");

	listener.key.remote_port = 0;
	listener.role = FL_ROLE_LISTENER;
	listener.state = FL_STATE_LISTEN;
	listener.counted = 0;
	for (__u64 round = 0; round < 2; round++) {
		begin((10 + 2 * round) * S);
		add(counted(flow(1, 10, 0, "10.0.0.2"), 2000 * round, 200 * round));
		add(counted(flow(2, 10, 0, "10.0.0.3"), 4000 * round, 0));
		add(counted(flow(3, 20, 1000, "10.0.0.3"), 0, 5000000 * round));
		add(listener);
		end();
	}
}

static void by_process(void **state)
{
	(void)state;
	two_looks();
	assert_int_equal(top_count(at.top), 3);
	expect_row(0, "20|bob|1|0|0|2.5M|0|25k|comm-20");
	expect_row(1, "10|root|2|0|3.0k|100|30|1.0|comm-10");
	expect_row(2, "30|4242|1|0|-|-|-|-|comm-30");
}

static void by_user(void **state)
{
	(void)state;
	two_looks();
	top_set_group(at.top, TOP_BY_USER);
	assert_int_equal(top_refresh(at.top, at.samples), 0);
	assert_int_equal(top_count(at.top), 3);
	expect_row(0, "bob|1|0|0|2.5M|0|25k");
	expect_row(1, "root|2|0|3.0k|100|30|1.0");
	expect_row(2, "4242|1|0|-|-|-|-");
}

static void by_remote(void **state)
{
	(void)state;
	two_looks();
	top_set_group(at.top, TOP_BY_REMOTE);
	assert_int_equal(top_refresh(at.top, at.samples), 0);
	assert_int_equal(top_count(at.top), 3);
	expect_row(0, "10.0.0.3|2|0|2.0k|2.5M|20|25k");
	expect_row(1, "10.0.0.2|1|0|1.0k|100|10|1.0");
	expect_row(2, "*|1|0|-|-|-|-");
}

static void by_flow(void **state)
{
	(void)state;
	two_looks();
	top_set_group(at.top, TOP_BY_FLOW);
	assert_int_equal(top_refresh(at.top, at.samples), 0);
	assert_int_equal(top_count(at.top), 4);
	expect_row(0, "tcp|established|10.0.0.1:40000|10.0.0.3:443|20|bob|comm-20|0|2.5M|0|25k|11s"
		      "|0000000000000003");
	expect_row(3, "tcp|listen|10.0.0.1:40000|*|30|4242|comm-30|-|-|-|-|11s|0000000000000009");
}

/* A pid that is used again is another process, and what nobody owns is nobody's. */
static void processes_are_not_pids(void **state)
{
	struct fl_flow later = flow(2, 10, 0, "10.0.0.2"), nobody = flow(3, 0, 0, "10.0.0.2");

	(void)state;
	later.owner.proc.start_ns = 99;
	memset(&nobody.owner, 0, sizeof(nobody.owner));
	begin(10 * S);
	add(flow(1, 10, 0, "10.0.0.2"));
	add(later);
	add(nobody);
	end();
	assert_int_equal(top_count(at.top), 3);
	expect_row(0, "-|-|1|-|-|-|-|-|-");
	top_set_group(at.top, TOP_BY_USER);
	assert_int_equal(top_refresh(at.top, at.samples), 0);
	assert_int_equal(top_count(at.top), 2);
}

static void interim_and_old(void **state)
{
	struct fl_flow f = flow(1, 10, 0, "10.0.0.2");

	(void)state;
	f.role = FL_ROLE_ACCEPTOR;
	f.opened_ns = 0;
	begin(10 * S);
	add(f);
	end();
	expect_row(0, "10|root|1|-|-|-|-|-|comm-10");
	top_set_group(at.top, TOP_BY_FLOW);
	assert_int_equal(top_refresh(at.top, at.samples), 0);
	expect_row(0, "tcp|established|10.0.0.1:40000|10.0.0.2:443|10?|root|comm-10|-|-|-|-|>8s"
		      "|0000000000000001");
}

static void into_a_row_and_back(void **state)
{
	(void)state;
	two_looks();
	assert_false(top_leave(at.top));
	assert_null(top_entered(at.top));
	top_move(at.top, 1);
	assert_true(top_enter(at.top));
	assert_int_equal(top_refresh(at.top, at.samples), 0);
	assert_string_equal(top_entered(at.top), "comm-10, pid 10");
	assert_int_equal(top_count(at.top), 2);
	assert_int_equal(top_sums(at.top)->flows, 2);
	assert_false(top_enter(at.top));
	assert_true(top_leave(at.top));
	assert_int_equal(top_refresh(at.top, at.samples), 0);
	assert_int_equal(top_group(at.top), TOP_BY_PROCESS);
	assert_int_equal(top_selected(at.top)->of.flow.owner.proc.pid, 10);
}

/* --- the order, and where the eye is --- */

static void sorted(void **state)
{
	size_t widths[TOP_COLUMNS_MAX] = { 0 };

	(void)state;
	two_looks();
	top_widths(at.top, 200, widths);
	for (int i = 0; i < 5; i++)
		top_sort_next(at.top, -1, widths);
	assert_int_equal(top_sorted_by(at.top), 0); /* PID: the smallest first */
	assert_int_equal(top_refresh(at.top, at.samples), 0);
	assert_int_equal(top_row(at.top, 0)->of.flow.owner.proc.pid, 10);
	top_reverse(at.top);
	assert_true(top_reversed(at.top));
	assert_int_equal(top_refresh(at.top, at.samples), 0);
	assert_int_equal(top_row(at.top, 0)->of.flow.owner.proc.pid, 30);
	top_sort_next(at.top, 1, widths); /* USER: names, then numbers */
	assert_false(top_reversed(at.top));
	assert_int_equal(top_refresh(at.top, at.samples), 0);
	assert_string_equal(top_row(at.top, 0)->user, "bob");
	assert_string_equal(top_row(at.top, 1)->user, "root");
	/* what is not in sight is passed over; behind the last comes the first */
	widths[2] = widths[3] = 0;
	top_sort_next(at.top, 1, widths);
	assert_int_equal(top_sorted_by(at.top), 4);
	top_sort_next(at.top, -1, widths);
	top_sort_next(at.top, -1, widths);
	top_sort_next(at.top, -1, widths);
	assert_int_equal(top_sorted_by(at.top), 8);
}

static void ten(__u32 first)
{
	begin(10 * S);
	for (__u32 pid = first; pid < 10; pid++)
		add(uncounted(flow(pid + 1, pid + 1, 0, "10.0.0.2")));
	end();
}

static __u32 selected_pid(void)
{
	return top_selected(at.top)->of.flow.owner.proc.pid;
}

static void selected_stays(void **state)
{
	(void)state;
	begin(10 * S);
	end();
	assert_null(top_selected(at.top));
	top_move(at.top, 1);
	top_move(at.top, -1);
	ten(0);
	assert_int_equal(selected_pid(), 1);
	ten(1); /* nobody has chosen: the first one it is */
	assert_int_equal(selected_pid(), 2);
	ten(0);
	assert_int_equal(selected_pid(), 1);
	top_move(at.top, 3);
	assert_int_equal(selected_pid(), 4);
	ten(2); /* two before it have gone */
	assert_int_equal(selected_pid(), 4);
	assert_int_equal(top_selected_at(at.top), 1);
	ten(4); /* and it has: what is in its place */
	assert_int_equal(selected_pid(), 6);
	top_move(at.top, 100);
	assert_int_equal(selected_pid(), 10);
	top_move(at.top, -100);
	assert_int_equal(top_selected_at(at.top), 0);
}

static void selected_is_in_sight(void **state)
{
	(void)state;
	ten(0);
	assert_int_equal(top_first(at.top, 4), 0);
	top_move(at.top, 5);
	assert_int_equal(top_first(at.top, 4), 2);
	top_move(at.top, -2);
	assert_int_equal(top_first(at.top, 4), 2);
	top_move(at.top, -2);
	assert_int_equal(top_first(at.top, 4), 1);
	top_move(at.top, 100);
	assert_int_equal(top_first(at.top, 4), 6);
	assert_int_equal(top_first(at.top, 8), 2); /* a larger window shows no emptiness */
	assert_int_equal(top_first(at.top, 20), 0);
	assert_int_equal(top_first(at.top, 0), 9);
}

/* --- on the line --- */

static size_t line(size_t width)
{
	size_t widths[TOP_COLUMNS_MAX] = { 0 };
	size_t count, sum = 0;

	top_columns(at.top, &count);
	top_widths(at.top, width, widths);
	for (size_t i = 0; i < count; i++)
		sum += widths[i] ? widths[i] + 1 : 0;
	return sum - 1;
}

static void every_width_is_used(void **state)
{
	(void)state;
	for (enum top_group group = 0; group < TOP_GROUPS; group++) {
		top_set_group(at.top, group);
		for (size_t width = 40; width < 300; width++)
			assert_int_equal(line(width), width);
	}
}

static void rates(void **state)
{
	static const struct {
		__u64 count, ns;
		const char *text;
	} cases[] = {
		{ 0, S, "0" },		{ 1, 10 * S, "0.1" },	   { 19, 2 * S, "9.5" },
		{ 199, 20 * S, "10" },	{ 999, S, "999" },	   { 9995, 10 * S, "1.0k" },
		{ 123456, S, "123k" },	{ 9949999, S, "9.9M" },	   { UINT64_MAX, S, "18E" },
		{ 1000000, S, "1.0M" }, { 2500000000, S, "2.5G" },
	};
	char buf[TOP_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(top_rate(cases[i].count, cases[i].ns, buf), cases[i].text);
}

#define TOP_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TOP_TEST(what_happened_between),
		TOP_TEST(short_and_late_ones),
		TOP_TEST(counts_do_not_go_down),
		TOP_TEST(one_half_of_a_sample_is_none),
		TOP_TEST(twice_in_one_sample),
		TOP_TEST(very_many),
		TOP_TEST(by_process),
		TOP_TEST(by_user),
		TOP_TEST(by_remote),
		TOP_TEST(by_flow),
		TOP_TEST(processes_are_not_pids),
		TOP_TEST(interim_and_old),
		TOP_TEST(into_a_row_and_back),
		TOP_TEST(sorted),
		TOP_TEST(selected_stays),
		TOP_TEST(selected_is_in_sight),
		TOP_TEST(every_width_is_used),
		TOP_TEST(rates),
	};

	return cmocka_run_group_tests_name("top", tests, NULL, NULL);
}
