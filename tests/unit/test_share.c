/* SPDX-License-Identifier: BSD-2-Clause */
/* Who may hold how much of what is bounded, while others hold some. */
#include "daemon/share.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct peer root = { .uid = 0, .sees_all = true };
static const struct peer member = { .uid = 5, .sees_all = true };
static const struct peer bob = { .uid = 1000 };
static const struct peer eve = { .uid = 1001 };

static struct share fresh(void)
{
	return (struct share){ .all = 100, .all_but_root = 90, .others = 60, .one = 40 };
}

static void one_user_leaves_some_to_others(void **state)
{
	struct share s = fresh();
	struct holding first = { 0 }, second = { 0 }, other = { 0 };

	(void)state;
	assert_int_equal(share_take(&s, &first, &bob, 30), 0);
	assert_int_equal(share_take(&s, &second, &bob, 11), -EBUSY);
	assert_int_equal(share_take(&s, &second, &bob, 10), 0);
	assert_int_equal(share_take(&s, &first, &bob, 1), -EBUSY);
	assert_int_equal(share_take(&s, &other, &eve, 21), -EBUSY);
	assert_int_equal(share_take(&s, &other, &eve, 20), 0);
	share_give_back(&first);
	assert_int_equal(share_take(&s, &other, &eve, 20), 0);
	share_give_back(&second);
	share_give_back(&other);
	share_give_back(&other); /* holds nothing */
	assert_null(s.list);
}

static void root_is_always_left_some(void **state)
{
	struct share s = fresh();
	struct holding of_bob = { 0 }, of_eve = { 0 }, of_member = { 0 }, of_root = { 0 };

	(void)state;
	assert_int_equal(share_take(&s, &of_bob, &bob, 40), 0);
	assert_int_equal(share_take(&s, &of_eve, &eve, 20), 0);
	assert_int_equal(share_take(&s, &of_member, &member, 31), -EBUSY);
	assert_int_equal(share_take(&s, &of_member, &member, 30), 0);
	assert_int_equal(share_take(&s, &of_root, &root, 11), -EBUSY);
	assert_int_equal(share_take(&s, &of_root, &root, 10), 0);
	share_give_back(&of_eve);
	assert_int_equal(share_take(&s, &of_root, &root, 20), 0);
	share_give_back(&of_bob);
	share_give_back(&of_root);
	assert_int_equal(share_take(&s, &of_member, &member, 60), 0);
	share_give_back(&of_member);
	assert_int_equal(share_take(&s, &of_root, &root, 100), 0);
	share_give_back(&of_root);
	assert_null(s.list);
}

static void some_may_be_returned(void **state)
{
	struct share s = fresh();
	struct holding h = { 0 };

	(void)state;
	assert_int_equal(share_take(&s, &h, &bob, 40), 0);
	share_return(&h, 15);
	assert_int_equal(share_take(&s, &h, &bob, 16), -EBUSY);
	assert_int_equal(share_take(&s, &h, &bob, 15), 0);
	share_give_back(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_user_leaves_some_to_others),
		cmocka_unit_test(root_is_always_left_some),
		cmocka_unit_test(some_may_be_returned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
