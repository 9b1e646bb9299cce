/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses and endpoints: what is read, what is refused, what matches. Reads like the grammar. */
#include "text/address.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct fl_addr addr(const char *text)
{
	struct fl_addr a;

	if (address_parse(text, &a) != 0)
		fail_msg("'%s' is not an address", text);
	return a;
}

static struct endpoint endpoint(const char *text)
{
	struct endpoint ep;

	if (endpoint_parse(text, &ep) != 0)
		fail_msg("'%s' is not an endpoint", text);
	return ep;
}

static bool matches(const char *ep_text, const char *addr_text, __u16 port)
{
	struct endpoint ep = endpoint(ep_text);
	struct fl_addr a = addr(addr_text);

	return endpoint_matches(&ep, &a, port);
}

static void test_ipv4_is_stored_mapped(void **state)
{
	static const __u8 expected[16] = { [10] = 0xff, [11] = 0xff, [12] = 10, 1, 2, 3 };
	struct fl_addr plain = addr("10.1.2.3"), mapped = addr("::ffff:10.1.2.3");

	(void)state;
	assert_memory_equal(plain.b, expected, 16);
	assert_memory_equal(plain.b, mapped.b, 16);
	assert_true(address_is_v4(&plain));
}

static void test_any_is_known_in_both_families(void **state)
{
	static const char *const any[] = { "0.0.0.0", "::", "::ffff:0.0.0.0" };
	static const char *const not_any[] = { "0.0.0.1", "::1", "1.0.0.0", "8000::" };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct fl_addr a = addr(any[i]);

		assert_true(address_is_any(&a));
	}
	for (size_t i = 0; i < 4; i++) {
		struct fl_addr a = addr(not_any[i]);

		assert_false(address_is_any(&a));
	}
	assert_false(address_is_v4(&(struct fl_addr){ { 0 } }));
}

static void test_addresses_refused(void **state)
{
	static const char *const junk[] = { "",		  " ",	       "1.2.3",	   "1.2.3.4.5",
					    "256.1.1.1",  "01.2.3.4",  "1.2.3.4 ", " 1.2.3.4",
					    "::1%lo",	  "1.2.3.4/8", "[::1]",	   "12345",
					    "0x7f.0.0.1", "localhost", ":::" };

	(void)state;
	for (size_t i = 0; i < sizeof(junk) / sizeof(junk[0]); i++) {
		struct fl_addr a, before;

		memset(&a, 0x5a, sizeof(a));
		before = a;
		if (address_parse(junk[i], &a) != -EINVAL)
			fail_msg("'%s' was taken", junk[i]);
		assert_memory_equal(&a, &before, sizeof(a)); /* ret_ is for success */
	}
}

static void test_format(void **state)
{
	static const struct {
		const char *addr;
		__u16 port;
		const char *text;
	} cases[] = {
		{ "1.2.3.4", 80, "1.2.3.4:80" },
		{ "::1", 80, "[::1]:80" },
		{ "0.0.0.0", 0, "*" },
		{ "::", 0, "*" },
		{ "0.0.0.0", 53, "0.0.0.0:53" },
		{ "::", 53, "[::]:53" },
		{ "1.2.3.4", 0, "1.2.3.4:0" },
		{ "::ffff:9.8.7.6", 65535, "9.8.7.6:65535" },
		{ "2001:db8:1234:5678:9abc:def0:1234:5678", 65535,
		  "[2001:db8:1234:5678:9abc:def0:1234:5678]:65535" },
	};
	char buf[ENDPOINT_TEXT], text[ADDRESS_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fl_addr a = addr(cases[i].addr);

		assert_string_equal(endpoint_format(&a, cases[i].port, buf), cases[i].text);
	}
	assert_string_equal(address_format(&(struct fl_addr){ { 0 } }, text), "::");
}

static void test_endpoints_read(void **state)
{
	static const struct {
		const char *text;
		const char *addr; /* NULL: any */
		unsigned int prefix;
		__u16 port; /* 0: any */
	} cases[] = {
		{ "10.1.2.3", "10.1.2.3", 128, 0 },
		{ "10.0.0.0/8", "10.0.0.0", 104, 0 },
		{ "10.1.2.3/8", "10.0.0.0", 104, 0 }, /* host bits do not count */
		{ "10.255.2.3/9", "10.128.0.0", 105, 0 },
		{ "10.0.0.0/8:443", "10.0.0.0", 104, 443 },
		{ "10.1.2.3:443", "10.1.2.3", 128, 443 },
		{ ":53", NULL, 0, 53 },
		{ "*:53", NULL, 0, 53 },
		{ "*", NULL, 0, 0 },
		{ "::1", "::1", 128, 0 },
		{ "[::1]", "::1", 128, 0 },
		{ "[::1]:80", "::1", 128, 80 },
		{ "fe80::/10", "fe80::", 10, 0 },
		{ "febf:1::1/10", "fe80::", 10, 0 },
		{ "[fe80::/10]:443", "fe80::", 10, 443 },
		{ "fe80::/10:443", "fe80::", 10, 443 },
		{ "0.0.0.0/0", "0.0.0.0", 96, 0 },
		{ "::/0", "::", 0, 0 },
		{ "::ffff:1.2.3.4", "1.2.3.4", 128, 0 },
		{ "::ffff:1.2.3.4/104", "1.0.0.0", 104, 0 },
		{ "1.2.3.4:65535", "1.2.3.4", 128, 65535 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct endpoint ep = endpoint(cases[i].text);

		assert_int_equal(ep.has_addr, cases[i].addr != NULL);
		if (cases[i].addr) {
			struct fl_addr a = addr(cases[i].addr);

			assert_memory_equal(&ep.addr, &a, sizeof(a));
		}
		assert_int_equal(ep.prefix, cases[i].prefix);
		assert_int_equal(ep.has_port, cases[i].port != 0);
		assert_int_equal(ep.port, cases[i].port);
	}
}

static void test_endpoints_refused(void **state)
{
	static const char *const malformed[] = {
		"",
		":",
		"/8",
		"*/8",
		"10.0.0.0/",
		"10.0.0.0/08",
		"1.2.3.4:",
		"1.2.3.4:080",
		"1.2.3.4: 80",
		"1.2.3.4:+80",
		"1.2.3.4:80 ",
		" 1.2.3.4",
		"[1.2.3.4]",
		"[::1",
		"[::1]80",
		"[::1]:",
		"[::1]/64",
		"[]:80",
		"::1]:80",
		"10.0.0.0/8/8",
		"1.2.3.4:5:6",
		"1.2.3.4:http",
		"1.2.3.4/8:",
		"/8:80",
		"010.1.2.3",
		"host:80",
		"[::1/64",
		"*:*",
		"**",
		"10.0.0.0/-1",
		"1111:2222:3333:4444:5555:6666:7777:8888:9999:1111:2222:3333:4444:5555:6666:7777"
	};
	static const char *const out_of_range[] = {
		"10.0.0.0/33",	     "::/129",	":0",
		"1.2.3.4:65536",     "[::1]:0", ":99999999999999999999",
		"0.0.0.0/4294967296"
	};
	struct endpoint ep;

	(void)state;
	for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
		if (endpoint_parse(malformed[i], &ep) != -EINVAL)
			fail_msg("'%s' was not refused as malformed", malformed[i]);
	}
	for (size_t i = 0; i < sizeof(out_of_range) / sizeof(out_of_range[0]); i++) {
		if (endpoint_parse(out_of_range[i], &ep) != -ERANGE)
			fail_msg("'%s' was not refused as out of range", out_of_range[i]);
	}
}

static void test_matching(void **state)
{
	(void)state;
	assert_true(matches("10.0.0.0/8", "10.255.0.1", 1));
	assert_false(matches("10.0.0.0/8", "11.0.0.1", 1));
	assert_true(matches("10.128.0.0/9", "10.200.0.1", 1));
	assert_false(matches("10.128.0.0/9", "10.100.0.1", 1));
	assert_true(matches("10.0.0.0/8:443", "10.1.1.1", 443));
	assert_false(matches("10.0.0.0/8:443", "10.1.1.1", 80));
	assert_true(matches(":53", "2001:db8::1", 53));
	assert_false(matches(":53", "2001:db8::1", 54));
	assert_true(matches("fe80::/10", "febf::1", 0));
	assert_false(matches("fe80::/10", "fec0::1", 0));
	assert_true(matches("1.2.3.4", "::ffff:1.2.3.4", 9));
	assert_false(matches("1.2.3.4", "1.2.3.5", 9));
}

static void test_any_prefixes(void **state)
{
	(void)state;
	assert_true(matches("::/0", "1.2.3.4", 1)); /* any address, of either family */
	assert_true(matches("::/0", "2001:db8::1", 1));
	assert_true(matches("0.0.0.0/0", "1.2.3.4", 1));
	assert_false(matches("0.0.0.0/0", "2001:db8::1", 1));
	assert_false(matches("0.0.0.0/0", "::", 1));
	assert_true(matches("*", "::", 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ipv4_is_stored_mapped),
		cmocka_unit_test(test_any_is_known_in_both_families),
		cmocka_unit_test(test_addresses_refused),
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_endpoints_read),
		cmocka_unit_test(test_endpoints_refused),
		cmocka_unit_test(test_matching),
		cmocka_unit_test(test_any_prefixes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
