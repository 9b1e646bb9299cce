/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a flow is said to have carried, and who is asked: its socket, the map, its record. The
 * kernel, the maps and the recent flows are FAKE: one flow, which may end while one looks.
 */
#include "daemon/agent.h"
#include "host/config.h"
#include "daemon/counts.h"
#include "flow/flows.h"
#include "kernel/maps.h"
#include "host/netns.h"
#include "host/sockdiag.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define OWN 7
#define OTHER 8

static struct {
	bool socket; /* is there to be asked */
	bool lives;  /* in the maps */
	bool told;   /* the ring has its end */
	struct fl_flow record;
	int drains;
} fake;

static struct config config;
static struct agent agent = { .config = &config, .netns_cookie = OWN };

/* --- netns.h, sockdiag.h --- */

int netns_socket(const char *path, int protocol, int *ret_fd, __u64 *ret_cookie)
{
	(void)path;
	(void)protocol;
	*ret_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	*ret_cookie = OWN;
	return 0;
}

int netns_socket_here(int protocol, int *ret_fd, __u64 *ret_cookie)
{
	return netns_socket(NETNS_OWN, protocol, ret_fd, ret_cookie);
}

int netns_each(int (*fn)(const char *path, __u32 inum, void *arg), void *arg)
{
	return fn("/other", 1, arg);
}

/* The command line's, which is linked in: all of netns.h is here, so that netns.c is not. */
int netns_parse(const char *text, __u32 *ret_inum)
{
	(void)text;
	(void)ret_inum;
	return -EINVAL;
}

int sockdiag_tcp_info(int fd, const struct fl_key *key, __u64 cookie, void *info, size_t size)
{
	struct tcp_info tcp = { .tcpi_bytes_sent = 100, .tcpi_segs_out = 3, .tcpi_segs_in = 2 };

	(void)fd;
	(void)key;
	(void)cookie;
	if (!fake.socket)
		return -ENOENT;
	memcpy(info, &tcp, size);
	return 0;
}

/* --- maps.h, agent.h, flows.h --- */

int maps_get_counts(const struct maps *m, __u64 id, struct fl_counts *ret_counts)
{
	(void)m;
	(void)id;
	if (!fake.socket)
		return -ENOENT;
	ret_counts->packets_sent = 3;
	return 0;
}

int maps_get_flow(const struct maps *m, __u64 id, struct fl_flow *ret_flow)
{
	(void)m;
	(void)id;
	(void)ret_flow;
	return fake.lives ? 0 : -ENOENT;
}

int agent_drain(struct agent *a)
{
	(void)a;
	fake.drains++;
	return 0;
}

/* Nothing of its end is known before the ring is read. */
int flows_get(const struct flows *flows, __u64 id, const struct fl_flow **ret_flow)
{
	(void)flows;
	(void)id;
	if (!fake.told || !fake.drains)
		return -ENOENT;
	*ret_flow = &fake.record;
	return 0;
}

/* --- tests --- */

static int setup(void **state)
{
	(void)state;
	memset(&fake, 0, sizeof(fake));
	fake.record = (struct fl_flow){ .counts.packets_sent = 5, .counted = 1 };
	config.counts = CONFIG_COUNTS_ALL;
	return 0;
}

static struct fl_flow flow_of(enum fl_proto proto, __u64 netns)
{
	struct fl_flow flow = { .id = 1, .role = FL_ROLE_OPENER };

	flow.key.proto = proto;
	flow.key.netns_cookie = netns;
	flow.key.remote_port = 80;
	return flow;
}

/* Both ways of asking, which say the same: packets sent, or -1 nothing was counted. */
static int sent(struct fl_flow flow)
{
	struct fl_flow next = flow;
	struct counts_sockets s;

	counts_sockets_init(&s);
	counts_fill_next(&s, &agent, &next);
	counts_sockets_close(&s);
	fake.drains = 0;
	counts_fill(&agent, &flow);
	assert_int_equal(flow.counted, next.counted);
	assert_memory_equal(&flow.counts, &next.counts, sizeof(flow.counts));
	return flow.counted ? (int)flow.counts.packets_sent : -1;
}

static const struct {
	enum fl_proto proto;
	__u64 netns;
} kinds[] = { { FL_TCP, OWN }, { FL_TCP, OTHER }, { FL_UDP, OWN }, { FL_UDP, OTHER } };

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static void of_one_that_lives(void **state)
{
	(void)state;
	fake.socket = fake.lives = true;
	for (size_t i = 0; i < KINDS; i++)
		assert_int_equal(sent(flow_of(kinds[i].proto, kinds[i].netns)), 3);
	fake.lives = false; /* a moment after it answered */
	fake.told = true;
	for (size_t i = 0; i < KINDS; i++)
		assert_int_equal(sent(flow_of(kinds[i].proto, kinds[i].netns)), 3);
	assert_int_equal(fake.drains, 0);
}

static void of_one_that_ended_meanwhile(void **state)
{
	(void)state;
	fake.told = true;
	for (size_t i = 0; i < KINDS; i++)
		assert_int_equal(sent(flow_of(kinds[i].proto, kinds[i].netns)), 5);
}

static void unknown_is_not_zero(void **state)
{
	(void)state;
	for (size_t i = 0; i < KINDS; i++) {
		struct fl_flow flow = flow_of(kinds[i].proto, kinds[i].netns);

		fake.lives = true; /* but nobody says what it counts: the ring does not know */
		fake.told = false;
		assert_int_equal(sent(flow), -1);
		assert_int_equal(fake.drains, 0);
		fake.lives = false; /* its end is nowhere */
		assert_int_equal(sent(flow), -1);
		fake.told = true; /* its end was seen by who does not count */
		fake.record.counted = 0;
		assert_int_equal(sent(flow), -1);
		fake.record.counted = 1;
	}
}

static void what_is_not_counted(void **state)
{
	struct fl_flow listener = flow_of(FL_TCP, OWN), ended = flow_of(FL_TCP, OWN);

	(void)state;
	fake.socket = fake.lives = true;
	listener.key.remote_port = 0;
	ended.ended_ns = 1;
	assert_int_equal(sent(listener), -1);
	assert_int_equal(sent(ended), -1);
	config.counts = CONFIG_COUNTS_TCP;
	assert_int_equal(sent(flow_of(FL_TCP, OWN)), 3);
	assert_int_equal(sent(flow_of(FL_UDP, OWN)), -1);
	config.counts = CONFIG_COUNTS_OFF;
	assert_int_equal(sent(flow_of(FL_TCP, OWN)), -1);
}

#define TEST(function) cmocka_unit_test_setup(function, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(of_one_that_lives),
		TEST(of_one_that_ended_meanwhile),
		TEST(unknown_is_not_zero),
		TEST(what_is_not_counted),
	};

	return cmocka_run_group_tests_name("counts", tests, NULL, NULL);
}
