/* SPDX-License-Identifier: BSD-2-Clause */
/* Where 0.0.0.0 and :: lead to, from sockets at all kinds of addresses. */
#include <flowner/nowhere.h>

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct fl_addr address(const char *text)
{
	struct fl_addr a;

	assert_int_equal(inet_pton(AF_INET6, text, a.b), 1);
	return a;
}

static void leads(const char *to, const char *local, const char *source, __u32 interface,
		  const char *wanted, int chosen)
{
	struct fl_addr a = address(to), from = address(local), there = address(wanted);
	struct in_addr v4 = { 0 };

	if (source)
		assert_int_equal(inet_pton(AF_INET, source, &v4), 1);
	assert_int_equal(!!fl_nowhere_leads(&a, &from, v4.s_addr, interface), chosen);
	assert_memory_equal(&a, &there, sizeof(a));
}

#define ANY4 "::ffff:0.0.0.0"
#define LOOPBACK4 "::ffff:127.0.0.1"

static void an_address_is_what_it_is(void **state)
{
	static const char *const all[] = { "10.0.0.1", "0.0.0.1", "0.0.0.255", "127.0.0.1",
					   "255.255.255.255" };
	static const char *const all6[] = { "::1",	  "::2", "fd00::",   "ff02::1",
					    "::fffe:0:0", "1::", "::1:0:0:0" };
	char mapped[64];

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		strcat(strcpy(mapped, "::ffff:"), all[i]);
		leads(mapped, ANY4, NULL, 0, mapped, 0);
		leads(mapped, "::ffff:10.0.0.7", "10.0.0.7", 3, mapped, 0);
	}
	for (size_t i = 0; i < sizeof(all6) / sizeof(all6[0]); i++) {
		leads(all6[i], "::", NULL, 0, all6[i], 0);
		leads(all6[i], ANY4, "10.0.0.7", 3, all6[i], 0);
	}
}

static void no_address_of_ipv4_is_its_own(void **state)
{
	(void)state;
	leads(ANY4, ANY4, NULL, 0, LOOPBACK4, 0);
	leads(ANY4, "::", NULL, 0, LOOPBACK4, 0);
	leads(ANY4, "::ffff:10.0.0.7", "10.0.0.7", 0, "::ffff:10.0.0.7", 0);
	leads(ANY4, "::ffff:10.0.0.7", "10.0.0.7", 3, "::ffff:10.0.0.7", 0);
	leads(ANY4, "::ffff:224.0.0.1", NULL, 0, LOOPBACK4, 0); /* bound to a group */
}

static void an_interface_has_addresses_of_its_own(void **state)
{
	(void)state;
	leads(ANY4, ANY4, NULL, 3, ANY4, 1);
	leads("::", "::", NULL, 3, "::1", 0);
}

static void no_address_of_ipv6_is_loopback(void **state)
{
	(void)state;
	leads("::", "::", NULL, 0, "::1", 0);
	leads("::", "fd00::7", NULL, 0, "::1", 0);
	leads("::", "::ffff:10.0.0.7", "10.0.0.7", 0, LOOPBACK4, 0);
	leads("::", ANY4, NULL, 0, LOOPBACK4, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_is_what_it_is),
		cmocka_unit_test(no_address_of_ipv4_is_its_own),
		cmocka_unit_test(an_interface_has_addresses_of_its_own),
		cmocka_unit_test(no_address_of_ipv6_is_loopback),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
