/* SPDX-License-Identifier: BSD-2-Clause */
/* Every enum value has a word, words read back, flow ids keep all 64 bits. */
#include "flow/flowtext.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const enum fl_state states[] = {
	FL_STATE_ESTABLISHED, FL_STATE_SYN_SENT,  FL_STATE_SYN_RECV, FL_STATE_FIN_WAIT1,
	FL_STATE_FIN_WAIT2,   FL_STATE_TIME_WAIT, FL_STATE_CLOSE,    FL_STATE_CLOSE_WAIT,
	FL_STATE_LAST_ACK,    FL_STATE_LISTEN,	  FL_STATE_CLOSING,  FL_STATE_UNCONN,
};

static void test_states_read_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		enum fl_state s = 0;

		assert_string_not_equal(state_text(states[i]), "unknown");
		assert_int_equal(state_parse(state_text(states[i]), &s), 0);
		assert_int_equal(s, states[i]);
	}
}

static void test_states_as_ss_spells_them(void **state)
{
	static const struct {
		const char *text;
		enum fl_state state;
	} cases[] = {
		{ "listening", FL_STATE_LISTEN },
		{ "LISTEN", FL_STATE_LISTEN },
		{ "closed", FL_STATE_CLOSE },
		{ "syn-sent", FL_STATE_SYN_SENT },
		{ "TIME-WAIT", FL_STATE_TIME_WAIT },
		{ "fin-wait-1", FL_STATE_FIN_WAIT1 },
		{ "FIN-WAIT-2", FL_STATE_FIN_WAIT2 },
		{ "ESTAB", FL_STATE_ESTABLISHED },
		{ "Established", FL_STATE_ESTABLISHED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		enum fl_state s = 0;

		assert_int_equal(state_parse(cases[i].text, &s), 0);
		assert_int_equal(s, cases[i].state);
	}
}

static void test_unknown_words_are_refused(void **state)
{
	static const char *const junk[] = { "",	       "unknown", "estabished",
					    "listen ", "tcp",	  "established_and_a_lot_more" };
	enum fl_state s = FL_STATE_LISTEN;
	enum fl_proto p = FL_UDP;

	(void)state;
	for (size_t i = 0; i < sizeof(junk) / sizeof(junk[0]); i++)
		assert_int_equal(state_parse(junk[i], &s), -EINVAL);
	assert_int_equal(s, FL_STATE_LISTEN);
	assert_int_equal(proto_parse("icmp", &p), -EINVAL);
	assert_int_equal(proto_parse("unknown", &p), -EINVAL);
	assert_int_equal(proto_parse("", &p), -EINVAL);
	assert_int_equal(p, FL_UDP);
}

static void test_protocols(void **state)
{
	enum fl_proto p = 0;

	(void)state;
	assert_string_equal(proto_text(FL_TCP), "tcp");
	assert_string_equal(proto_text(FL_UDP), "udp");
	assert_int_equal(proto_parse("TCP", &p), 0);
	assert_int_equal(p, FL_TCP);
	assert_int_equal(proto_parse("udp", &p), 0);
	assert_int_equal(p, FL_UDP);
}

static void test_every_counter_has_its_own_word(void **state)
{
	(void)state;
	for (enum fl_counter c = 0; c < FL_CNT_MAX; c++) {
		assert_string_not_equal(counter_text(c), "unknown");
		for (enum fl_counter other = 0; other < c; other++)
			assert_string_not_equal(counter_text(c), counter_text(other));
	}
	assert_string_equal(counter_text(FL_CNT_RING_FULL), "ring_full");
}

static void test_absent_words_are_null(void **state)
{
	(void)state;
	assert_null(role_text(FL_ROLE_UNKNOWN));
	assert_null(reason_text(FL_REASON_NONE));
	assert_null(action_text(FL_RECORD_PROCESS));
	assert_null(action_text(FL_RECORD_TEXT));
	assert_null(action_text(FL_RECORD_EXIT));
}

/* Records come from a ring: a number outside its enum must not lead out of a table. */
static void test_numbers_outside_the_enums(void **state)
{
	(void)state;
	assert_string_equal(proto_text((enum fl_proto)1), "unknown");
	assert_string_equal(state_text((enum fl_state)12), "unknown");
	assert_string_equal(counter_text((enum fl_counter)4711), "unknown");
	assert_null(role_text((enum fl_role)4711));
	assert_null(reason_text((enum fl_reason)4711));
	assert_null(action_text((enum fl_record_type)4711));
}

static void test_words_of_roles_reasons_actions(void **state)
{
	(void)state;
	assert_string_equal(role_text(FL_ROLE_OPENER), "opener");
	assert_string_equal(role_text(FL_ROLE_EXISTING), "existing");
	assert_string_equal(reason_text(FL_REASON_TIMED_OUT), "timed_out");
	assert_string_equal(reason_text(FL_REASON_IDLE), "idle");
	assert_string_equal(action_text(FL_EVENT_UNLISTEN), "unlisten");
	assert_string_equal(action_text(FL_EVENT_UNBIND), "unbind");
	assert_string_equal(action_text(FL_EVENT_CLOSE), "close");
}

static void test_direction_follows_the_role(void **state)
{
	(void)state;
	assert_string_equal(direction_text(&(struct fl_flow){ .role = FL_ROLE_OPENER }), "egress");
	assert_string_equal(direction_text(&(struct fl_flow){ .role = FL_ROLE_ACCEPTOR }),
			    "ingress");
	assert_null(direction_text(&(struct fl_flow){ .role = FL_ROLE_LISTENER }));
	assert_null(direction_text(&(struct fl_flow){ .role = FL_ROLE_EXISTING }));
}

static void test_flow_ids_are_read(void **state)
{
	static const struct {
		const char *text;
		__u64 id;
	} cases[] = {
		{ "ff6ea", 0xff6ea },
		{ "0xff6ea", 0xff6ea },
		{ "sk:ff6ea", 0xff6ea },
		{ "FF6EA", 0xff6ea },
		{ "=1046250", 1046250 },
		{ "00000000000ff6ea", 0xff6ea },
		{ "10", 0x10 },
		{ "ffffffffffffffff", UINT64_MAX },
		{ "=18446744073709551615", UINT64_MAX },
		{ "8000000000000001", FL_ID_NUMBERED | 1 },
	};
	char buf[FLOW_ID_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		__u64 id = 0, again = 0;

		assert_int_equal(flow_id_parse(cases[i].text, &id), 0);
		assert_true(id == cases[i].id);
		assert_int_equal(flow_id_parse(flow_id_format(id, buf), &again), 0);
		assert_true(again == id);
	}
	assert_string_equal(flow_id_format(0xff6ea, buf), "00000000000ff6ea");
}

static void test_flow_ids_refused(void **state)
{
	static const char *const malformed[] = { "",	  "0x",	 "sk:",	 "=",
						 "xyz",	  " ff", "ff ",	 "=ff",
						 "-1",	  "+1",	 "0x-1", "sk:0xff",
						 "0x0x1", "= 1", "1.0",	 "ffffffffffffffffffffg" };
	static const char *const out_of_range[] = { "0",
						    "0x0",
						    "=0",
						    "0000000000000000",
						    "10000000000000000",
						    "00000000000000001",
						    "=18446744073709551616",
						    "=99999999999999999999",
						    "=100000000000000000000" };
	__u64 id = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
		if (flow_id_parse(malformed[i], &id) != -EINVAL)
			fail_msg("'%s' was not refused as malformed", malformed[i]);
	}
	for (size_t i = 0; i < sizeof(out_of_range) / sizeof(out_of_range[0]); i++) {
		if (flow_id_parse(out_of_range[i], &id) != -ERANGE)
			fail_msg("'%s' was not refused as out of range", out_of_range[i]);
	}
	assert_true(id == 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_states_read_back),
		cmocka_unit_test(test_states_as_ss_spells_them),
		cmocka_unit_test(test_unknown_words_are_refused),
		cmocka_unit_test(test_protocols),
		cmocka_unit_test(test_every_counter_has_its_own_word),
		cmocka_unit_test(test_absent_words_are_null),
		cmocka_unit_test(test_numbers_outside_the_enums),
		cmocka_unit_test(test_words_of_roles_reasons_actions),
		cmocka_unit_test(test_direction_follows_the_role),
		cmocka_unit_test(test_flow_ids_are_read),
		cmocka_unit_test(test_flow_ids_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
