/* SPDX-License-Identifier: BSD-2-Clause */
/* The routing rules of prohibit.c, as `ip rule` shows them, in a network namespace of its own. */
#include "host/prohibit.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <cmocka.h>

#define COOKIE 4711

static __u32 own_inum(void)
{
	struct stat st;

	assert_int_equal(stat("/proc/self/ns/net", &st), 0);
	return (__u32)st.st_ino;
}

/* How many rules of that family have all of WORDS in their line. */
static int rules(int family, const char *words)
{
	char command[64], line[256];
	int count = 0;
	FILE *shown;

	snprintf(command, sizeof(command), "ip -%d rule", family);
	shown = popen(command, "r");
	assert_non_null(shown);
	while (fgets(line, sizeof(line), shown))
		count += strstr(line, words) != NULL;
	assert_int_equal(pclose(shown), 0);
	return count;
}

#define OURS "prohibit proto 102"

static void one_of_each_family(void **state)
{
	struct prohibit p = { .mark = { 0x1234, 0xffff } };

	(void)state;
	prohibit_in(&p, COOKIE, own_inum());
	assert_int_equal(p.error, 0);
	assert_int_equal(rules(4, "fwmark 0x1234/0xffff " OURS), 1);
	assert_int_equal(rules(6, "fwmark 0x1234/0xffff " OURS), 1);
	prohibit_nowhere(&p);
	assert_int_equal(rules(4, "prohibit"), 0);
	assert_int_equal(rules(6, "prohibit"), 0);
}

static void those_of_before_go(void **state)
{
	struct prohibit before = { .mark = { 1, ~0u } }, p = { .mark = { 2, ~0u }, .any = true };

	(void)state;
	prohibit_in(&before, COOKIE, own_inum());
	prohibit_forget(&before);
	prohibit_in(&p, COOKIE, own_inum());
	assert_int_equal(rules(4, OURS), 1);
	assert_int_equal(rules(4, "fwmark 0x2 " OURS), 1);
	prohibit_forget(&p);
	prohibit_in(&p, COOKIE, own_inum()); /* which is there */
	assert_int_equal(p.error, 0);
	assert_int_equal(rules(6, OURS), 1);
	prohibit_nowhere(&p);
	assert_int_equal(rules(6, OURS), 0);
}

static void those_of_others_stay(void **state)
{
	struct prohibit p = { .mark = { 2, ~0u } };

	(void)state;
	assert_int_equal(system("ip rule add priority 1 fwmark 2 prohibit"), 0);
	prohibit_in(&p, COOKIE, own_inum());
	assert_int_equal(p.error, 0);
	prohibit_nowhere(&p);
	assert_int_equal(rules(4, "prohibit"), 1);
	assert_int_equal(system("ip rule del priority 1"), 0);
}

static void a_namespace_is_looked_at_once(void **state)
{
	struct prohibit p = { .mark = { 2, ~0u } };

	(void)state;
	prohibit_in(&p, COOKIE, own_inum());
	assert_int_equal(system("ip rule del priority 1"), 0);
	prohibit_in(&p, COOKIE, own_inum());
	assert_int_equal(rules(4, OURS), 0);
	prohibit_forget(&p);
	prohibit_in(&p, COOKIE, own_inum());
	assert_int_equal(rules(4, OURS), 1);
	prohibit_nowhere(&p);
}

static void none(void **state)
{
	struct prohibit p = { .mark = { 2, 0 } };

	(void)state;
	prohibit_in(&p, COOKIE, own_inum()); /* no mask */
	assert_int_equal(rules(4, OURS), 0);
	p.mark.mask = ~0u;
	prohibit_in(&p, COOKIE, 0); /* nobody knows where */
	assert_int_equal(p.error, 0);
	prohibit_in(&p, COOKIE, 1); /* there is no such namespace */
	assert_int_equal(p.error, -2);
	prohibit_nowhere(&p);
	assert_int_equal(p.error, 0);
}

static void write_to(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_true(f && fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

/* Of a user namespace, too, where we may not without: root there. */
static bool moves_away(void)
{
	char map[32];

	if (!geteuid())
		return unshare(CLONE_NEWNET) == 0;
	snprintf(map, sizeof(map), "0 %u 1", geteuid());
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return false;
	write_to("/proc/self/uid_map", map);
	return true;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_of_each_family),
		cmocka_unit_test(those_of_before_go),
		cmocka_unit_test(those_of_others_stay),
		cmocka_unit_test(a_namespace_is_looked_at_once),
		cmocka_unit_test(none),
	};

	if (!moves_away()) {
		puts("SKIP: no network namespace of its own");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
