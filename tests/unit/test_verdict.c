/* SPDX-License-Identifier: BSD-2-Clause */
/* Verdicts joined along a chain, exactly as eBPF for Windows joins them; which rule decides. */
#include <flowner/policy.h>
#include <flowner/verdict.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void unknown_is_reject(void **state)
{
	(void)state;
	assert_int_equal(fl_verdict_of(0), FL_REJECT);
	assert_int_equal(fl_verdict_of(1), FL_PROCEED_SOFT);
	assert_int_equal(fl_verdict_of(2), FL_PROCEED_HARD);
	assert_int_equal(fl_verdict_of(3), FL_REJECT);
	assert_int_equal(fl_verdict_of(0xaaaaaaaa), FL_REJECT);
	assert_int_equal(fl_verdict_of(0xffffffff), FL_REJECT);
}

static void reject_before_hard_before_soft(void **state)
{
	static const enum fl_verdict joined[3][3] = {
		{ FL_REJECT, FL_REJECT, FL_REJECT },
		{ FL_REJECT, FL_PROCEED_SOFT, FL_PROCEED_HARD },
		{ FL_REJECT, FL_PROCEED_HARD, FL_PROCEED_HARD },
	};

	(void)state;
	for (enum fl_verdict a = 0; a < 3; a++) {
		for (enum fl_verdict b = 0; b < 3; b++)
			assert_int_equal(fl_verdict_join(a, b), joined[a][b]);
	}
}

/* Every chain of four members against the plain sentence: the highest of those asked. */
static void chains(void **state)
{
	static const int height[3] = {
		[FL_REJECT] = 2, [FL_PROCEED_SOFT] = 0, [FL_PROCEED_HARD] = 1
	};

	(void)state;
	for (unsigned int n = 0; n < 6 * 6 * 6 * 6; n++) {
		struct fl_chain chain = fl_chain_begin();
		unsigned int rest = n, want = FL_PROCEED_SOFT;
		int ended = 0;

		for (__u32 member = 0; member < 4; member++, rest /= 6) {
			__u32 value = rest % 3;
			int redirected = rest % 6 >= 3;

			if (!ended && height[value] > height[want])
				want = value;
			ended = ended || value == FL_REJECT || redirected;
			fl_chain_add(&chain, member, value, redirected);
		}
		assert_int_equal(chain.verdict, want);
		assert_int_equal(!!chain.ended, ended);
	}
}

static void who_said_it(void **state)
{
	struct fl_chain chain = fl_chain_begin();

	(void)state;
	fl_chain_add(&chain, 1, FL_PROCEED_SOFT, 0);
	fl_chain_add(&chain, 2, FL_PROCEED_HARD, 0);
	fl_chain_add(&chain, 3, FL_PROCEED_HARD, 0);
	assert_int_equal(chain.member, 2);
	assert_int_equal(chain.verdict, FL_PROCEED_HARD);
	fl_chain_add(&chain, 4, 77, 0);
	assert_int_equal(chain.member, 4);
	assert_int_equal(chain.verdict, FL_REJECT);
	fl_chain_add(&chain, 5, FL_REJECT, 0); /* not asked any more */
	assert_int_equal(chain.member, 4);
}

static void nobody_asked_may_proceed(void **state)
{
	(void)state;
	assert_int_equal(fl_chain_begin().verdict, FL_PROCEED_SOFT);
}

static void the_lowest_bit(void **state)
{
	(void)state;
	assert_int_equal(fl_lowest_bit(0), 64);
	assert_true(fl_mask(0) == 0);
	for (__u32 bit = 0; bit < 64; bit++) {
		assert_int_equal(fl_lowest_bit(1ULL << bit), bit);
		assert_int_equal(fl_lowest_bit(~0ULL << bit), bit);
		assert_true(fl_mask(1ULL << bit) == ~0ULL);
	}
}

static void put(struct fl_rule_block *set, __u32 rule)
{
	set->words[rule / 64] |= 1ULL << rule % 64;
}

static struct fl_judgement judge(const __u32 *matching, size_t count, __u32 enforced_from)
{
	struct fl_rule_block set = { 0 }, enforced = { 0 };

	for (__u32 rule = enforced_from; rule < FL_BLOCK_RULES; rule++)
		put(&enforced, rule);
	for (size_t i = 0; i < count; i++)
		put(&set, matching[i]);
	return fl_block_judge(&set, &enforced, 0);
}

static void the_first_rule_decides(void **state)
{
	static const __u32 all[] = { 0, 1, 63, 64, 65, 500, 511 };

	(void)state;
	assert_int_equal(judge(NULL, 0, 0).rule, FL_NO_RULE);
	for (size_t i = 0; i < 7; i++) {
		assert_int_equal(judge(all + i, 7 - i, 0).rule, all[i]);
		assert_int_equal(judge(all + i, 7 - i, 0).audited, FL_NO_RULE);
	}
}

static void rules_in_audit_decide_nothing(void **state)
{
	static const __u32 matching[] = { 3, 5, 70, 90 };

	(void)state;
	assert_int_equal(judge(matching, 4, 5).rule, 5);
	assert_int_equal(judge(matching, 4, 5).audited, 3);
	assert_int_equal(judge(matching, 4, 70).rule, 70);
	assert_int_equal(judge(matching, 4, 70).audited, 3);
	assert_int_equal(judge(matching, 4, 512).rule, FL_NO_RULE);
	assert_int_equal(judge(matching, 4, 512).audited, 3);
	assert_int_equal(judge(matching + 1, 3, 4).audited, FL_NO_RULE);
}

static void one_block_after_another(void **state)
{
	struct fl_judgement so_far;
	struct fl_rule_block set = { 0 }, enforced = { 0 };

	(void)state;
	put(&set, 7);
	so_far = fl_block_judge(&set, &enforced, 2048);
	assert_int_equal(so_far.rule, FL_NO_RULE);
	assert_int_equal(so_far.audited, 2055);
	put(&enforced, 7);
	so_far = fl_judgement_join(so_far, fl_block_judge(&set, &enforced, 3072));
	assert_int_equal(so_far.rule, 3079);
	assert_int_equal(so_far.audited, 2055); /* the first of all is told */
}

static void a_question_keeps_its_classes_apart(void **state)
{
	static struct fl_policy policy;
	struct fl_question q;

	(void)state;
	for (__u32 d = 0; d < FL_DIMS; d++)
		fl_question_put(&policy.others, d, 0, 100 + d);
	q = fl_question_of(&policy, 0x1234567800000001);
	for (__u32 d = 0; d < FL_DIMS; d++)
		assert_int_equal(fl_question_class(&q, d), 100 + d);
	for (__u32 d = 0; d < FL_DIMS; d++)
		fl_question_put(&q, d, 100 + d, FL_CLASSES_MAX - 1 - d);
	for (__u32 d = 0; d < FL_DIMS; d++)
		assert_int_equal(fl_question_class(&q, d), FL_CLASSES_MAX - 1 - d);
	assert_int_equal(q.words[3] >> 32, 1); /* the generation */
}

static void sets_meet(void **state)
{
	struct fl_rule_block a = { 0 }, b = { 0 };

	(void)state;
	for (__u32 rule = 0; rule < FL_BLOCK_RULES; rule++) {
		if (rule % 3 == 0)
			put(&a, rule);
		if (rule % 5 == 0)
			put(&b, rule);
	}
	fl_block_meet(&a, &b);
	for (__u32 rule = 0; rule < FL_BLOCK_RULES; rule++)
		assert_int_equal(a.words[rule / 64] >> rule % 64 & 1, rule % 15 == 0);
}

static void the_daemon_is_exempt_and_not_who_has_its_number_now(void **state)
{
	const struct fl_policy_state ps = { .daemon_pid = 7, .daemon_ticks = 123 };
	struct fl_proc_key proc = { .pid = 7, .start_ns = 1239999999 };

	(void)state;
	assert_true(fl_policy_exempts(&ps, &proc));
	proc.start_ns = 1240000000;
	assert_false(fl_policy_exempts(&ps, &proc));
	proc.pid = 8;
	proc.start_ns = 1239999999;
	assert_false(fl_policy_exempts(&ps, &proc));
	proc.pid = 0;
	assert_false(fl_policy_exempts(&ps, &proc));
	proc.pid = 1;
	assert_true(fl_policy_exempts(&ps, &proc));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unknown_is_reject),
		cmocka_unit_test(reject_before_hard_before_soft),
		cmocka_unit_test(chains),
		cmocka_unit_test(who_said_it),
		cmocka_unit_test(nobody_asked_may_proceed),
		cmocka_unit_test(the_lowest_bit),
		cmocka_unit_test(the_first_rule_decides),
		cmocka_unit_test(rules_in_audit_decide_nothing),
		cmocka_unit_test(one_block_after_another),
		cmocka_unit_test(a_question_keeps_its_classes_apart),
		cmocka_unit_test(sets_meet),
		cmocka_unit_test(the_daemon_is_exempt_and_not_who_has_its_number_now),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
