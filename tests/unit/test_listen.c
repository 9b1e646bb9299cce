/* SPDX-License-Identifier: BSD-2-Clause */
/* Which two listeners of one port are in each other's way; each pair is asked both ways round. */
#include "text/address.h"
#include <flowner/listen.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct at {
	const char *addr;
	__u32 ifindex;
	bool v6only;
};

#define AT(text)                                                                                   \
	{                                                                                          \
		.addr = (text)                                                                     \
	}
#define ONLY(text)                                                                                 \
	{                                                                                          \
		.addr = (text), .v6only = true                                                     \
	}
#define ON(text, index)                                                                            \
	{                                                                                          \
		.addr = (text), .ifindex = (index)                                                 \
	}

static bool overlap(const struct at *x, const struct at *y)
{
	struct fl_addr a, b;
	const struct fl_listens_at left = { &a, x->ifindex, x->v6only };
	const struct fl_listens_at right = { &b, y->ifindex, y->v6only };
	__u64 one, other;

	assert_int_equal(address_parse(x->addr, &a), 0);
	assert_int_equal(address_parse(y->addr, &b), 0);
	one = fl_listens_overlap(&left, &right);
	other = fl_listens_overlap(&right, &left);
	assert_true(!one == !other);
	return one;
}

static void which_addresses(void **state)
{
	static const struct {
		struct at x, y;
		bool overlap;
	} cases[] = {
		{ AT("10.0.0.1"), AT("10.0.0.1"), true },
		{ AT("10.0.0.1"), AT("10.0.0.2"), false },
		{ AT("10.0.0.1"), AT("0.0.0.0"), true },
		{ AT("0.0.0.0"), AT("0.0.0.0"), true },
		{ AT("0.0.0.1"), AT("10.0.0.1"), false },
		{ AT("fd00::1"), AT("fd00::1"), true },
		{ AT("fd00::1"), AT("fd00::2"), false },
		{ AT("fd00::1"), AT("fd01::1"), false },
		{ AT("fd00::1"), AT("::"), true },
		{ AT("fd00::1"), ONLY("::"), true },
		{ AT("::"), ONLY("::"), true },
		/* IPv4 and IPv6 */
		{ AT("fd00::1"), AT("0.0.0.0"), false },
		{ AT("::1"), AT("0.0.0.1"), false },
		{ AT("10.0.0.1"), AT("::"), true },
		{ AT("10.0.0.1"), ONLY("::"), false },
		{ AT("0.0.0.0"), AT("::"), true },
		{ AT("0.0.0.0"), ONLY("::"), false },
		{ AT("::ffff:10.0.0.1"), AT("0.0.0.0"), true },
		{ AT("::fffe:10.0.0.1"), AT("0.0.0.0"), false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (overlap(&cases[i].x, &cases[i].y) != cases[i].overlap)
			fail_msg("%s and %s", cases[i].x.addr, cases[i].y.addr);
	}
}

/* What is bound to none is for all of them. */
static void which_interfaces(void **state)
{
	static const struct at any = ON("10.0.0.1", 0), one = ON("10.0.0.1", 1),
			       two = ON("10.0.0.1", 2), other = ON("10.0.0.2", 1);

	(void)state;
	assert_true(overlap(&one, &one));
	assert_true(overlap(&one, &any));
	assert_false(overlap(&one, &two));
	assert_false(overlap(&one, &other));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(which_addresses),
		cmocka_unit_test(which_interfaces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
