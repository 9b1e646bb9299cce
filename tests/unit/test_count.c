/* SPDX-License-Identifier: BSD-2-Clause */
/* From the kernel's numbers of a TCP socket to payload: the SYN and the FINs are not. */
#include <flowner/count.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* 100 bytes sent and 7 received, as a socket has them that connected, or was connected to. */
static struct fl_tcp_numbers opened(enum fl_state state)
{
	return (struct fl_tcp_numbers){
		.bytes_acked = 101, .bytes_received = 7, .bytes_fresh = 100, .state = state
	};
}

static struct fl_tcp_numbers accepted(enum fl_state state)
{
	struct fl_tcp_numbers n = opened(state);

	n.bytes_acked--;
	return n;
}

static void test_the_syn_is_of_who_connected(void **state)
{
	struct fl_tcp_numbers o = opened(FL_STATE_ESTABLISHED);
	struct fl_tcp_numbers a = accepted(FL_STATE_ESTABLISHED);

	(void)state;
	assert_int_equal(fl_tcp_sent(&o, FL_ROLE_OPENER), 100);
	assert_int_equal(fl_tcp_sent(&a, FL_ROLE_ACCEPTOR), 100);
	/* older than the agent */
	assert_int_equal(fl_tcp_sent(&o, FL_ROLE_EXISTING), 100);
	assert_int_equal(fl_tcp_sent(&a, FL_ROLE_EXISTING), 100);
}

static void test_a_fin_counts_when_it_was_acknowledged(void **state)
{
	static const enum fl_state not_yet[] = { FL_STATE_ESTABLISHED, FL_STATE_CLOSE_WAIT,
						 FL_STATE_FIN_WAIT1, FL_STATE_CLOSING,
						 FL_STATE_LAST_ACK };
	static const enum fl_state acked[] = { FL_STATE_FIN_WAIT2, FL_STATE_TIME_WAIT,
					       FL_STATE_CLOSING, FL_STATE_LAST_ACK };

	(void)state;
	for (size_t i = 0; i < sizeof(not_yet) / sizeof(not_yet[0]); i++) {
		struct fl_tcp_numbers n = opened(not_yet[i]);

		assert_int_equal(fl_tcp_sent(&n, FL_ROLE_OPENER), 100);
	}
	for (size_t i = 0; i < sizeof(acked) / sizeof(acked[0]); i++) {
		struct fl_tcp_numbers n = opened(acked[i]);

		n.bytes_acked++;
		n.all_acked = 1;
		assert_int_equal(fl_tcp_sent(&n, FL_ROLE_OPENER), 100);
		assert_int_equal(fl_tcp_sent(&n, FL_ROLE_EXISTING), 100);
	}
}

static void test_nothing_is_never_less(void **state)
{
	struct fl_tcp_numbers n = { .state = FL_STATE_SYN_SENT };
	struct fl_counts c;

	(void)state;
	fl_count_tcp(&n, FL_ROLE_OPENER, &c);
	assert_int_equal(c.bytes_sent, 0);
	n.fin_received = 1;
	n.state = FL_STATE_FIN_WAIT2;
	fl_count_tcp(&n, FL_ROLE_OPENER, &c);
	assert_int_equal(c.bytes_sent, 0);
	assert_int_equal(c.bytes_received, 0);
}

static void test_the_rest_is_as_the_kernel_has_it(void **state)
{
	struct fl_tcp_numbers n = opened(FL_STATE_CLOSE_WAIT);
	struct fl_counts c;

	(void)state;
	n.fin_received = 1;
	n.segs_out = 5;
	n.segs_in = 6;
	n.total_retrans = 2;
	n.srtt_us = 77;
	fl_count_tcp(&n, FL_ROLE_OPENER, &c);
	assert_int_equal(c.bytes_received, 6);
	assert_int_equal(c.packets_sent, 5);
	assert_int_equal(c.packets_received, 6);
	assert_int_equal(c.retransmits, 2);
	assert_int_equal(c.srtt_us, 77);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_syn_is_of_who_connected),
		cmocka_unit_test(test_a_fin_counts_when_it_was_acknowledged),
		cmocka_unit_test(test_nothing_is_never_less),
		cmocka_unit_test(test_the_rest_is_as_the_kernel_has_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
