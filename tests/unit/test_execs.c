/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A process that execs again and again: twice as many images are about twice the work, however they
 * are asked for, and `previous` is right.
 */
#include "daemon/proc.c" /* NOLINT(bugprone-suspicious-include): counted */

#include "count_calls.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* Of a process that cannot be: nothing in /proc answers for it. */
#define PID 0x40000000u

static struct fl_owner image(__u32 exec_id)
{
	return (struct fl_owner){ .proc = { .start_ns = 5, .pid = PID, .exec_id = exec_id } };
}

static void told(struct procs *procs, __u32 exec_id)
{
	struct fl_process rec = { .head = { FL_RECORD_PROCESS, sizeof(rec) },
				  .key = image(exec_id).proc };
	struct fl_text text = { .head = { FL_RECORD_TEXT, TEXT_HEAD + 12 }, .key = rec.key };

	text.exe_len = (__u32)snprintf(text.text, 12, "/%u", exec_id);
	assert_int_equal(procs_add_process(procs, &rec, sizeof(rec)), 0);
	assert_int_equal(procs_add_text(procs, &text, sizeof(text)), 0);
}

static void asked(struct procs *procs, __u32 exec_id)
{
	const struct fl_owner owner = image(exec_id);
	const struct process *p = procs_get(procs, &owner);
	char previous[12];

	assert_non_null(p);
	assert_int_equal(p->rec.key.exec_id, exec_id);
	if (!p->previous_exe)
		return;
	snprintf(previous, sizeof(previous), "/%u", exec_id - 1);
	assert_string_equal(p->previous_exe, previous);
}

/*
 * So many execs, with room for half of them; each held is asked for, from the newest on and from
 * the oldest on; then those that have left, which come back in place of others.
 */
static __u64 cost_of(__u32 execs)
{
	struct procs *procs = NULL;
	__u64 before;

	assert_int_equal(procs_new(NULL, execs / 2, &procs), 0);
	before = calls;
	for (__u32 i = 1; i <= execs; i++)
		told(procs, i);
	for (__u32 i = execs; i > execs / 2; i--)
		asked(procs, i);
	for (__u32 i = execs / 2 + 1; i <= execs; i++)
		asked(procs, i);
	for (__u32 i = execs / 4; i > 0; i--)
		asked(procs, i);
	assert_int_equal(procs_count(procs), execs / 2);
	before = calls - before;
	procs_free(procs);
	return before;
}

static void twice_as_many_execs_are_about_twice_the_work(void **state)
{
	__u64 some = cost_of(2000), twice = cost_of(4000);

	(void)state;
	print_message("calls: %llu, %llu\n", some, twice);
	assert_true(some > 0);
	assert_true(twice < 3 * some);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(twice_as_many_execs_are_about_twice_the_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
