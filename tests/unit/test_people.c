/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers of users and groups, of a name service that answers and of one that does not. */
#include "host/people.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fake_people.h"

static void numbers(void **state)
{
	__u64 id = 1;

	(void)state;
	assert_int_equal(people_uid("root", &id), 0);
	assert_int_equal(id, 0);
	id = 1;
	assert_int_equal(people_gid("root", &id), 0);
	assert_int_equal(id, 0);
	id = 1;
	assert_int_equal(people_uid("no such user, surely", &id), -ENOENT);
	assert_int_equal(people_gid("no such group, surely", &id), -ENOENT);
	assert_int_equal(id, 1);
}

static void names(void **state)
{
	struct question *q = NULL;
	char *name;

	(void)state;
	assert_int_equal(people_ask_name(0, &q), 0);
	while (!question_answered(q, 1000))
		;
	name = people_name(q);
	assert_string_equal(name, "root");
	free(name);
	question_forget(q);
	assert_int_equal(people_ask_name(4000000007u, &q), 0);
	while (!question_answered(q, 1000))
		;
	assert_null(people_name(q));
	question_forget(q);
	question_forget(NULL);
}

static void nobody_answers(void **state)
{
	__u64 id = 1;

	(void)state;
	service_is(true);
	for (int i = 0; i < 10; i++) /* the first takes seconds, the others do not */
		assert_int_equal(people_uid("root", &id), -ETIMEDOUT);
	assert_int_equal(id, 1);
	service_is(false);
	while (people_uid("root", &id))
		;
	assert_int_equal(id, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers),
		cmocka_unit_test(names),
		cmocka_unit_test(nobody_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
