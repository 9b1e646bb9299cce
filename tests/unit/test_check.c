/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The pure rules of check.h: the check word covers what names a flow and its owner, to the bit, and
 * nothing that is updated in place; errors become reasons.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <flowner/check.h>

#define ID 0xff6ea

/* Bytes [AT, AT + SIZE) of a record. */
struct span {
	size_t at, size;
};
#define SPAN(type, field)                                                                          \
	{                                                                                          \
		offsetof(struct type, field), sizeof(((struct type *)NULL)->field)                 \
	}

static bool inside(const struct span *spans, size_t count, size_t byte)
{
	for (size_t i = 0; i < count; i++) {
		if (byte >= spans[i].at && byte - spans[i].at < spans[i].size)
			return true;
	}
	return false;
}

/* Text in every field, so that no bit flip meets a zero by chance. */
static void fill(void *record, size_t size)
{
	for (size_t i = 0; i < size; i++)
		((unsigned char *)record)[i] = (unsigned char)(i * 37 + 11);
}

static void every_bit_of_the_key_counts(void **state)
{
	struct fl_connection conn;
	struct fl_key key;
	__u64 word;

	(void)state;
	fill(&key, sizeof(key));
	fill(&conn, sizeof(conn));
	word = fl_check_connection(&key, &conn);
	for (size_t bit = 0; bit < sizeof(key) * 8; bit++) {
		struct fl_key other = key;

		((unsigned char *)&other)[bit / 8] ^= (unsigned char)(1u << bit % 8);
		if (fl_check_connection(&other, &conn) == word)
			fail_msg("bit %zu of byte %zu of the key", bit % 8, bit / 8);
	}
}

static void of_a_connection_id_and_owner_count(void **state)
{
	static const struct span covered[] = { SPAN(fl_connection, flow_id),
					       SPAN(fl_connection, owner) };
	struct fl_connection conn;
	struct fl_key key;
	__u64 word;

	(void)state;
	fill(&key, sizeof(key));
	fill(&conn, sizeof(conn));
	word = fl_check_connection(&key, &conn);
	for (size_t bit = 0; bit < sizeof(conn) * 8; bit++) {
		struct fl_connection other = conn;

		((unsigned char *)&other)[bit / 8] ^= (unsigned char)(1u << bit % 8);
		if ((fl_check_connection(&key, &other) != word) != inside(covered, 2, bit / 8))
			fail_msg("bit %zu of byte %zu of the connection", bit % 8, bit / 8);
	}
}

static void of_a_socket_key_and_owner_count(void **state)
{
	static const struct span covered[] = { SPAN(fl_socket, key), SPAN(fl_socket, owner) };
	struct fl_socket sock;
	__u64 word;

	(void)state;
	fill(&sock, sizeof(sock));
	word = fl_check_socket(ID, &sock);
	for (size_t bit = 0; bit < sizeof(sock) * 8; bit++) {
		struct fl_socket other = sock;

		((unsigned char *)&other)[bit / 8] ^= (unsigned char)(1u << bit % 8);
		if ((fl_check_socket(ID, &other) != word) != inside(covered, 2, bit / 8))
			fail_msg("bit %zu of byte %zu of the socket", bit % 8, bit / 8);
	}
	for (size_t bit = 0; bit < 64; bit++)
		assert_true(fl_check_socket(ID ^ 1ull << bit, &sock) != word);
}

/* Two maps, one word: the element of one flow never passes for the other's, whichever map it is. */
static void both_maps_agree(void **state)
{
	struct fl_socket sock;
	struct fl_connection conn = { .flow_id = ID };

	(void)state;
	fill(&sock, sizeof(sock));
	conn.owner = sock.owner;
	assert_true(fl_check_connection(&sock.key, &conn) == fl_check_socket(ID, &sock));
}

static void words_that_trade_places_are_seen(void **state)
{
	struct fl_socket a, b;

	(void)state;
	fill(&a, sizeof(a));
	b = a;
	b.key.local = a.key.remote;
	b.key.remote = a.key.local;
	assert_true(fl_check_socket(ID, &a) != fl_check_socket(ID, &b));
}

static void zeros_do_not_pass(void **state)
{
	struct fl_connection conn = { 0 };
	struct fl_socket sock = { 0 };
	struct fl_key key = { 0 };

	(void)state;
	assert_true(conn.check != fl_check_connection(&key, &conn));
	assert_true(sock.check != fl_check_socket(0, &sock));
}

/* The last word of the owner is chosen so that the mixing ends in 0. */
static void never_zero(void **state)
{
	__u64 h = (FL_CHECK_SEED ^ ID) * FL_CHECK_PRIME;
	struct fl_owner owner;
	struct fl_key key;

	(void)state;
	fill(&key, sizeof(key));
	fill(&owner, sizeof(owner));
	h = fl_check_mix(h, &key, sizeof(key) / 8);
	h = fl_check_mix(h, &owner, sizeof(owner) / 8 - 1);
	memcpy((char *)&owner + sizeof(owner) - sizeof(h), &h, sizeof(h));
	assert_true(fl_check_word(&key, ID, &owner) == 1);
}

/* What a BPF program wrote is read by a daemon built with other flags: the numbers are fixed. */
static void the_same_everywhere(void **state)
{
	struct fl_owner owner = { .proc = { 5000000000ull, 4321, 3 }, .uid = 1000, .gid = 100 };
	struct fl_key key = {
		.netns_cookie = 1, .local_port = 43210, .remote_port = 443, .proto = FL_TCP
	};

	(void)state;
	memcpy(owner.comm, "curl", 5);
	memcpy(&key.local.b[10], "\xff\xff\x0a\x00\x00\x02", 6);
	memcpy(&key.remote.b[10], "\xff\xff\x0a\x00\x00\x09", 6);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	assert_int_equal(fl_check_word(&key, ID, &owner), 0xa4ac249ac36bec83);
	assert_int_equal(fl_check_word(&(struct fl_key){ 0 }, 1, &(struct fl_owner){ 0 }),
			 0x6dffbf94f7ae7fd);
#else
	skip(); /* words are read in the machine's order */
#endif
}

static void reasons(void **state)
{
	static const struct {
		int error;
		enum fl_reason reason;
	} table[] = {
		{ 0, FL_REASON_NONE },
		{ ECONNREFUSED, FL_REASON_REFUSED },
		{ ETIMEDOUT, FL_REASON_TIMED_OUT },
		{ EHOSTUNREACH, FL_REASON_UNREACHABLE },
		{ ENETUNREACH, FL_REASON_UNREACHABLE },
		{ ECONNABORTED, FL_REASON_ABORTED },
		{ ECONNRESET, FL_REASON_RESET },
		{ EPIPE, FL_REASON_RESET },
		{ EPERM, FL_REASON_OTHER },
		{ ENETDOWN, FL_REASON_OTHER },
		{ EPROTO, FL_REASON_OTHER },
		{ -ECONNREFUSED, FL_REASON_OTHER },
		{ 4095, FL_REASON_OTHER },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		assert_int_equal(fl_reason_from_error(table[i].error), table[i].reason);
}

static void owners_and_processes(void **state)
{
	struct fl_owner nobody = { .uid = 0 }, root = { .proc = { .pid = 1 } };
	struct fl_proc_key a = { 5, 100, 3 }, b = a;

	(void)state;
	assert_false(fl_owner_known(&nobody));
	assert_true(fl_owner_known(&root));
	assert_true(fl_proc_equal(&a, &b));
	b.start_ns++;
	assert_false(fl_proc_equal(&a, &b)); /* a reused pid */
	b = a;
	b.exec_id++;
	assert_false(fl_proc_equal(&a, &b)); /* another image */
	b = a;
	b.pid++;
	assert_false(fl_proc_equal(&a, &b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_bit_of_the_key_counts),
		cmocka_unit_test(of_a_connection_id_and_owner_count),
		cmocka_unit_test(of_a_socket_key_and_owner_count),
		cmocka_unit_test(both_maps_agree),
		cmocka_unit_test(words_that_trade_places_are_seen),
		cmocka_unit_test(zeros_do_not_pass),
		cmocka_unit_test(never_zero),
		cmocka_unit_test(the_same_everywhere),
		cmocka_unit_test(reasons),
		cmocka_unit_test(owners_and_processes),
	};

	return cmocka_run_group_tests_name("check", tests, NULL, NULL);
}
