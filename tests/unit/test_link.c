/* SPDX-License-Identifier: BSD-2-Clause */
/* What a policy knows of an interface, from what the kernel says of it. */
#include "policy/policywords.h"
#include <flowner/link.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static union fl_link_text text_of(const char *text)
{
	union fl_link_text t = { "" };

	memcpy(t.text, text, strlen(text));
	return t;
}

static struct fl_link_types types_of(const char *kind, __u32 hardware, bool wireless)
{
	union fl_link_text t = text_of(kind);

	return fl_link_types(t.words[0], t.words[1], hardware, wireless);
}

/* In the words that rules have for them. */
static void types(void **state)
{
	static const struct {
		const char *kind;
		__u32 hardware; /* ARPHRD_* */
		bool wireless;
		const char *interface, *tunnel;
	} cases[] = {
		{ "", 1, false, "ethernet", "none" },
		{ "", 1, true, "wifi", "none" },
		{ "", 772, false, "loopback", "none" },
		{ "", 519, false, "wwanPP", "none" },
		{ "", 65534, false, "other", "none" },
		{ "not-known", 1, false, "ethernet", "none" },
		{ "not-known", 778, false, "tunnel", "gre" },
		{ "veth", 1, false, "virtual", "none" },
		{ "bridge", 1, false, "bridge", "none" },
		{ "vlan", 1, false, "vlan", "none" },
		{ "bond", 1, false, "bond", "none" },
		{ "ppp", 512, false, "ppp", "none" },
		/* one hardware type, two kinds */
		{ "wireguard", 65534, false, "tunnel", "udp" },
		{ "tun", 65534, false, "tunnel", "other" },
		/* not what its hardware type says */
		{ "vxlan", 1, false, "tunnel", "udp" },
		{ "gretap", 1, false, "tunnel", "gre" },
		{ "ipip", 768, false, "tunnel", "direct" },
		{ "sit", 776, false, "tunnel", "direct" },
		{ "ip6gretap", 1, false, "tunnel", "gre" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fl_link_types got = types_of(cases[i].kind, cases[i].hardware,
						    cases[i].wireless);
		__u32 interface, tunnel;

		assert_int_equal(policy_interface_type_parse(cases[i].interface, &interface), 0);
		assert_int_equal(policy_tunnel_type_parse(cases[i].tunnel, &tunnel), 0);
		assert_int_equal(got.interface_type, interface);
		assert_int_equal(got.tunnel_type, tunnel);
		assert_string_equal(policy_interface_type_text(interface), cases[i].interface);
		assert_string_equal(policy_tunnel_type_text(tunnel), cases[i].tunnel);
	}
}

static void what_has_no_word(void **state)
{
	(void)state;
	assert_null(policy_interface_type_text(FL_TYPE_UNKNOWN));
	assert_null(policy_tunnel_type_text(FL_TYPE_UNKNOWN));
}

static void names(void **state)
{
	static const char *const all[] = {
		"", "lo", "ol", "eth0", "eth1", "wg0", "a12345678901234", "b12345678901234"
	};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		for (size_t j = 0; j < sizeof(all) / sizeof(all[0]); j++) {
			union fl_link_text a = text_of(all[i]), b = text_of(all[j]);

			assert_int_equal(fl_link_name(a.words[0], a.words[1]) ==
						 fl_link_name(b.words[0], b.words[1]),
					 i == j);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(types),
		cmocka_unit_test(what_has_no_word),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests_name("link", tests, NULL, NULL);
}
