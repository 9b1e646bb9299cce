/* SPDX-License-Identifier: BSD-2-Clause */
/* The hook table: what the one who attaches relies on, and what is said to be lost when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/hooks.h"

#define LINKS_MAX 64 /* of track.c */
#define SHORTEST 8   /* of a sentence for people */

static int setup(void **state)
{
	return hooks_new((struct hooks **)state);
}

static int teardown(void **state)
{
	hooks_free(*state);
	return 0;
}

/* --- helpers --- */

static size_t row_of(const struct hooks *h, const char *program)
{
	for (size_t i = 0; i < hooks_count(h); i++) {
		if (strcmp(hooks_at(h, i)->program, program) == 0)
			return i;
	}
	fail_msg("no row for %s", program);
	return 0;
}

static void set(struct hooks *h, const char *program, enum hook_status status)
{
	hooks_row(h, row_of(h, program))->status = status;
}

static const char *loss(const struct hooks *h, const char *program)
{
	return hooks_loss(h, row_of(h, program));
}

static bool same_moment(const struct hooks *h, size_t a, size_t b)
{
	return strcmp(hooks_at(h, a)->moment, hooks_at(h, b)->moment) == 0;
}

static bool is_last_rank(const struct hooks *h, size_t row)
{
	for (size_t i = 0; i < hooks_count(h); i++) {
		if (same_moment(h, i, row) && hooks_at(h, i)->rank > hooks_at(h, row)->rank)
			return false;
	}
	return true;
}

/* --- the table --- */

static void starts_unused(void **state)
{
	const struct hooks *h = *state;

	assert_in_range(hooks_count(h), 1, LINKS_MAX);
	for (size_t i = 0; i < hooks_count(h); i++) {
		assert_int_equal(hooks_at(h, i)->status, HOOK_UNUSED);
		assert_int_equal(hooks_at(h, i)->error, 0);
		assert_ptr_equal(hooks_at(h, i), hooks_row(*state, i));
	}
	hooks_free(NULL);
}

static void rows_of_a_moment_stand_together(void **state)
{
	const struct hooks *h = *state;

	for (size_t i = 0; i < hooks_count(h); i++) {
		for (size_t j = i + 1; j < hooks_count(h); j++) {
			if (same_moment(h, i, j) && !same_moment(h, j - 1, j))
				fail_msg("'%s' again at row %zu", hooks_at(h, j)->moment, j);
		}
	}
}

static void ranks_ascend_from_zero(void **state)
{
	const struct hooks *h = *state;

	for (size_t i = 0; i < hooks_count(h); i++) {
		int rank = hooks_at(h, i)->rank;

		if (i == 0 || !same_moment(h, i - 1, i))
			assert_int_equal(rank, 0);
		else
			assert_in_range(rank, hooks_at(h, i - 1)->rank,
					hooks_at(h, i - 1)->rank + 1);
	}
}

static void a_moment_is_required_or_not(void **state)
{
	static const char *const required[] = { "tcp",	       "connect",    "udp bind", "udp send",
						"udp receive", "udp packet", "udp close" };
	const struct hooks *h = *state;
	size_t found = 0;

	for (size_t i = 0; i < hooks_count(h); i++) {
		const struct hook *row = hooks_at(h, i);
		bool listed = false;

		for (size_t j = 0; j < sizeof(required) / sizeof(required[0]); j++)
			listed |= strcmp(row->moment, required[j]) == 0;
		if (row->optional == listed)
			fail_msg("%s: optional is %d", row->program, row->optional);
		found += listed && (i == 0 || !same_moment(h, i - 1, i));
	}
	assert_int_equal(found, sizeof(required) / sizeof(required[0]));
}

/* A required moment must not need what a kernel may lack: cgroup programs are always there. */
static void required_rows_are_cgroup_programs(void **state)
{
	const struct hooks *h = *state;

	for (size_t i = 0; i < hooks_count(h); i++) {
		if (!hooks_at(h, i)->optional)
			assert_true(hook_is_cgroup(hooks_at(h, i)));
	}
}

static void every_row_is_complete(void **state)
{
	const struct hooks *h = *state;

	for (size_t i = 0; i < hooks_count(h); i++) {
		const struct hook *row = hooks_at(h, i);

		assert_in_range(row->probe + 1, 0, FL_PROBE_MAX);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(row->program, hooks_at(h, j)->program);
		if (is_last_rank(h, i)) /* the last way says what is lost without it */
			assert_true(row->lost && strlen(row->lost) > SHORTEST);
		else
			assert_null(row->lost);
	}
}

/* Attaching these proves nothing, so each must have a mark of its own to show that it fires. */
static void what_may_be_silent_is_probed(void **state)
{
	static const char *const may[] = { "lsm/", "fentry/", "kprobe/" };
	const struct hooks *h = *state;

	for (size_t i = 0; i < hooks_count(h); i++) {
		for (size_t j = 0; j < sizeof(may) / sizeof(may[0]); j++) {
			if (strncmp(hooks_at(h, i)->attach, may[j], strlen(may[j])) == 0)
				assert_int_not_equal(hooks_at(h, i)->probe, HOOK_NO_PROBE);
		}
	}
}

static void kinds(void **state)
{
	static const struct {
		const char *attach;
		bool cgroup, iterator, kprobe;
	} table[] = {
		{ "sockops", true, false, false },
		{ "cgroup/connect4", true, false, false },
		{ "cgroup_skb/egress", true, false, false },
		{ "iter/tcp", false, true, false },
		{ "iter/task_file", false, true, false },
		{ "lsm/sock_graft", false, false, false },
		{ "tp_btf/inet_sock_set_state", false, false, false },
		{ "kprobe/__sk_free", false, false, true },
		{ "kprobe/security_sock_graft", false, false, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct hook row = { .attach = table[i].attach };

		assert_int_equal(hook_is_cgroup(&row), table[i].cgroup);
		assert_int_equal(hook_is_iterator(&row), table[i].iterator);
		assert_int_equal(hook_is_kprobe(&row), table[i].kprobe);
	}
}

/* --- what is lost --- */

static void nothing_on_everything_lost(void **state)
{
	const struct hooks *h = *state;

	for (size_t i = 0; i < hooks_count(h); i++) {
		if (is_last_rank(h, i))
			assert_ptr_equal(hooks_loss(h, i), hooks_at(h, i)->lost);
		else
			assert_null(hooks_loss(h, i));
	}
}

static void the_best_of_each_loses_nothing(void **state)
{
	struct hooks *h = *state;

	for (size_t i = 0; i < hooks_count(h); i++) {
		if (hooks_at(h, i)->rank == 0)
			hooks_row(h, i)->status = HOOK_ON;
	}
	for (size_t i = 0; i < hooks_count(h); i++)
		assert_null(hooks_loss(h, i));
}

static void a_limit_is_told_while_its_row_is_on(void **state)
{
	struct hooks *h = *state;

	set(h, "accept_lsm", HOOK_REFUSED);
	set(h, "accept_fentry", HOOK_SILENT);
	set(h, "accept_kprobe", HOOK_REFUSED);
	assert_non_null(strstr(loss(h, "accept_getpeername4"), "who accepts"));
	set(h, "accept_getpeername4", HOOK_ON);
	set(h, "accept_getpeername6", HOOK_ON);
	assert_non_null(strstr(loss(h, "accept_getpeername4"), "when the socket closes"));
	set(h, "take_kprobe", HOOK_ON);
	assert_non_null(strstr(loss(h, "accept_getpeername6"), "when the socket closes"));
	set(h, "touch_send", HOOK_ON);
	assert_non_null(strstr(loss(h, "accept_getpeername6"), "at the first use"));
	assert_null(loss(h, "accept_lsm"));
	assert_null(loss(h, "accept_kprobe"));
}

static void a_hook_that_ends_with_the_daemon_says_so(void **state)
{
	struct hooks *h = *state;

	set(h, "free_kprobe", HOOK_ON);
	assert_null(loss(h, "free_kprobe"));
	hooks_row(h, row_of(h, "free_kprobe"))->unpinned = true;
	assert_non_null(strstr(loss(h, "free_kprobe"), "a killed daemon"));
	set(h, "free_kprobe", HOOK_SILENT);
	assert_non_null(strstr(loss(h, "free_kprobe"), "waits for the sweep"));
}

static void better_rows_make_up_for_worse(void **state)
{
	struct hooks *h = *state;

	set(h, "free_kprobe", HOOK_REFUSED);
	set(h, "free_fentry", HOOK_ON);
	assert_null(loss(h, "free_kprobe"));
	assert_null(loss(h, "free_fentry"));
	set(h, "free_fentry", HOOK_SILENT);
	assert_non_null(loss(h, "free_kprobe"));
	assert_null(loss(h, "free_fentry")); /* told once */
}

/* One of two rows of a rank does not stand for the other, but then both are off: see track.c. */
static void refused_and_silent_count_as_off(void **state)
{
	static const enum hook_status off[] = { HOOK_UNUSED, HOOK_REFUSED, HOOK_SILENT };
	struct hooks *h = *state;

	for (size_t i = 0; i < sizeof(off) / sizeof(off[0]); i++) {
		set(h, "track_set_state", off[i]);
		assert_non_null(loss(h, "track_set_state"));
	}
	set(h, "track_set_state", HOOK_ON);
	assert_null(loss(h, "track_set_state"));
}

/* --- tiers --- */

static void tiers(void **state)
{
	struct hooks *h = *state;

	set(h, "accept_lsm", HOOK_ON);
	assert_string_equal(hooks_tier(h), "full");
	set(h, "accept_syscall", HOOK_ON); /* by wish, not by need */
	set(h, "accept_lsm", HOOK_UNUSED);
	assert_string_equal(hooks_tier(h), "full");
	set(h, "accept_lsm", HOOK_SILENT);
	assert_string_equal(hooks_tier(h), "no LSM");
	set(h, "accept_fentry", HOOK_ON);
	assert_string_equal(hooks_tier(h), "no LSM");
	set(h, "accept_fentry", HOOK_REFUSED);
	assert_string_equal(hooks_tier(h), "no trampolines");
	set(h, "accept_kprobe", HOOK_ON);
	assert_string_equal(hooks_tier(h), "no trampolines");
	set(h, "accept_kprobe", HOOK_SILENT);
	set(h, "accept_getpeername4", HOOK_ON);
	assert_string_equal(hooks_tier(h), "lowest");
}

static bool others(const char *word, size_t len)
{
	return hook_is_named("fexit/inet_listen", word, len);
}

static void named_ones_are_off(void **state)
{
	struct hooks *h = *state;

	assert_null(hooks_forbid(h, "", others));
	assert_null(hooks_forbid(h, "lsm,fentry/__sk_free", others));
	assert_int_equal(hooks_row(h, row_of(h, "accept_lsm"))->status, HOOK_OFF);
	assert_int_equal(hooks_row(h, row_of(h, "free_fentry"))->status, HOOK_OFF);
	assert_int_equal(hooks_row(h, row_of(h, "take_fentry"))->status, HOOK_UNUSED);
	assert_string_equal(hooks_tier(h), "no LSM");
	assert_null(hooks_forbid(h, "fentry,kprobe", others));
	assert_string_equal(hooks_tier(h), "lowest");
}

static void unknown_and_needed_ones_are_not_named(void **state)
{
	struct hooks *h = *state;

	assert_string_equal(hooks_forbid(h, "ls", others), "ls");
	assert_string_equal(hooks_forbid(h, "lsm,nothing,lsm", others), "nothing,lsm");
	assert_string_equal(hooks_forbid(h, ",lsm", others), ",lsm");
	assert_string_equal(hooks_forbid(h, "sockops", others), "sockops");
	assert_int_equal(hooks_row(h, row_of(h, "track_sockops"))->status, HOOK_UNUSED);
}

static void names_of_others(void **state)
{
	struct hooks *h = *state;

	assert_false(hook_is_forbidden(h, "lsm/socket_listen"));
	assert_null(hooks_forbid(h, "lsm,fexit", others));
	assert_int_equal(hooks_row(h, row_of(h, "accept_lsm"))->status, HOOK_OFF);
	assert_true(hook_is_forbidden(h, "lsm/socket_listen"));
	assert_true(hook_is_forbidden(h, "fexit/inet_listen"));
	assert_false(hook_is_forbidden(h, "fmod_ret/security_socket_listen"));
	assert_null(hooks_forbid(h, "fexit/inet_listen", others));
	assert_true(hook_is_forbidden(h, "fexit/inet_listen"));
	assert_false(hook_is_forbidden(h, "fexit/inet"));
	assert_string_equal(hooks_forbid(h, "fexit/inet", others), "fexit/inet");
}

static void states_have_names(void **state)
{
	(void)state;
	assert_string_equal(hook_status_text(HOOK_UNUSED), "unused");
	assert_string_equal(hook_status_text(HOOK_ON), "on");
	assert_string_equal(hook_status_text(HOOK_REFUSED), "refused");
	assert_string_equal(hook_status_text(HOOK_SILENT), "silent");
	assert_string_equal(hook_status_text(HOOK_OFF), "off");
	assert_string_equal(hook_status_text(HOOK_NEEDLESS), "not needed");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(starts_unused),
		TEST(rows_of_a_moment_stand_together),
		TEST(ranks_ascend_from_zero),
		TEST(a_moment_is_required_or_not),
		TEST(required_rows_are_cgroup_programs),
		TEST(every_row_is_complete),
		TEST(what_may_be_silent_is_probed),
		TEST(kinds),
		TEST(nothing_on_everything_lost),
		TEST(the_best_of_each_loses_nothing),
		TEST(a_limit_is_told_while_its_row_is_on),
		TEST(a_hook_that_ends_with_the_daemon_says_so),
		TEST(better_rows_make_up_for_worse),
		TEST(refused_and_silent_count_as_off),
		TEST(tiers),
		TEST(named_ones_are_off),
		TEST(unknown_and_needed_ones_are_not_named),
		TEST(names_of_others),
		TEST(states_have_names),
	};

	return cmocka_run_group_tests_name("hooks", tests, NULL, NULL);
}
