/* SPDX-License-Identifier: BSD-2-Clause */
/* How long IPv6 extension headers are, whatever their sender wrote into them. */
#include <flowner/ipv6.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define TCP 6

static __u32 bytes(__u8 type, __u8 second, __u8 third, __u8 fourth)
{
	const __u8 head[FL_IPV6_HEAD] = { TCP, second, third, fourth };

	return fl_ipv6_extension(type, head);
}

static void options_say_their_length(void **state)
{
	static const __u8 types[] = { FL_IPV6_HOP_BY_HOP, FL_IPV6_ROUTING, FL_IPV6_DESTINATION };

	(void)state;
	for (size_t i = 0; i < sizeof(types); i++) {
		assert_int_equal(bytes(types[i], 0, 0, 0), 8);
		assert_int_equal(bytes(types[i], 1, 0xff, 0xff), 16);
		assert_int_equal(bytes(types[i], 255, 1, 4), 2048);
	}
}

static void a_fragment_has_eight_bytes(void **state)
{
	(void)state;
	for (unsigned int reserved = 0; reserved < 256; reserved++)
		assert_int_equal(bytes(FL_IPV6_FRAGMENT, (__u8)reserved, 0, 0), 8);
	for (__u8 flags = 0; flags < 8; flags++) /* two more reserved bits, and "more" */
		assert_int_equal(bytes(FL_IPV6_FRAGMENT, 0, 0, flags), 8);
}

static void a_later_fragment_has_no_ports(void **state)
{
	(void)state;
	for (unsigned int offset = 8; offset < 65536; offset += 8)
		assert_int_equal(bytes(FL_IPV6_FRAGMENT, 0, (__u8)(offset >> 8), (__u8)offset), 0);
}

static void nothing_else_is_passed(void **state)
{
	(void)state;
	for (unsigned int type = 0; type < 256; type++) {
		if (type != FL_IPV6_HOP_BY_HOP && type != FL_IPV6_ROUTING &&
		    type != FL_IPV6_FRAGMENT && type != FL_IPV6_DESTINATION)
			assert_int_equal(bytes((__u8)type, 0, 0, 0), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_say_their_length),
		cmocka_unit_test(a_fragment_has_eight_bytes),
		cmocka_unit_test(a_later_fragment_has_no_ports),
		cmocka_unit_test(nothing_else_is_passed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
