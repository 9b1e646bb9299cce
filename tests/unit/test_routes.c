/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel asked for routes of our own, which needs no root; and news as it would send it. */
#include "text/address.h"
#include "host/routes.h"
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define LOOPBACK 1

static int route = -1;
static struct routes_news told[8];
static size_t told_count;

static int begin(void **state)
{
	(void)state;
	route = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	told_count = 0;
	return route < 0 ? -1 : 0;
}

static int end(void **state)
{
	(void)state;
	return close(route);
}

static void tell(const struct routes_news *news, void *arg)
{
	(void)arg;
	assert_true(told_count < sizeof(told) / sizeof(told[0]));
	told[told_count++] = *news;
}

static int ask(const char *local, const char *remote, __u32 *ret_ifindex)
{
	struct fl_key key = { .proto = FL_TCP, .local_port = 40000, .remote_port = 443 };
	struct routes_question q = { .key = &key };

	assert_int_equal(address_parse(local, &key.local), 0);
	assert_int_equal(address_parse(remote, &key.remote), 0);
	return routes_ask(route, &q, ret_ifindex);
}

static void the_way_to_ourselves(void **state)
{
	__u32 ifindex = 0;

	(void)state;
	assert_int_equal(ask("127.0.0.1", "127.0.0.1", &ifindex), 0);
	assert_int_equal(ifindex, LOOPBACK);
	ifindex = 0;
	if (ask("::1", "::1", &ifindex) == 0) /* where there is IPv6 */
		assert_int_equal(ifindex, LOOPBACK);
}

/* From an address that nobody has here nothing would leave. */
static void no_way(void **state)
{
	__u32 ifindex = 77;
	int r = ask("192.0.2.1", "127.0.0.1", &ifindex);

	(void)state;
	assert_true(r < 0);
	assert_true(routes_is_none(r));
	assert_int_equal(ifindex, 77);
	assert_false(routes_is_none(-ENOMEM));
	assert_false(routes_is_none(0));
}

/* --- news --- */

static char buf[1024];
static size_t used;

static void put(__u16 type, int number)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf + used);

	nlh->nlmsg_type = type;
	if (type == RTM_NEWNSID || type == RTM_DELNSID) {
		mnl_nlmsg_put_extra_header(nlh, sizeof(struct rtgenmsg));
		mnl_attr_put_u32(nlh, NETNSA_NSID, (__u32)number);
	} else {
		mnl_nlmsg_put_extra_header(nlh, sizeof(struct rtmsg));
	}
	used += nlh->nlmsg_len;
}

static void parse(int number)
{
	told_count = 0;
	routes_news_parse(buf, used, number, tell, NULL);
	used = 0;
}

static void what_changes_is_told_with_where(void **state)
{
	(void)state;
	put(RTM_NEWROUTE, 0);
	put(RTM_DELLINK, 0);
	parse(3);
	assert_int_equal(told_count, 2);
	assert_int_equal(told[1].number, 3);
	assert_false(told[1].ended);
	put(RTM_NEWADDR, 0);
	parse(ROUTES_OWN);
	assert_int_equal(told_count, 1);
	assert_int_equal(told[0].number, ROUTES_OWN);
}

static void numbers_come_and_go(void **state)
{
	(void)state;
	put(RTM_NEWNSID, 5);
	parse(ROUTES_OWN);
	assert_int_equal(told_count, 0);
	put(RTM_DELNSID, 5);
	parse(ROUTES_OWN);
	assert_int_equal(told_count, 1);
	assert_int_equal(told[0].number, 5);
	assert_true(told[0].ended);
	put(RTM_DELNSID, 5); /* what another namespace calls 5 */
	parse(2);
	assert_int_equal(told_count, 0);
}

static void what_is_cut_off_is_not_read(void **state)
{
	(void)state;
	put(RTM_NEWROUTE, 0);
	put(RTM_NEWROUTE, 0);
	used -= 5;
	parse(0);
	assert_int_equal(told_count, 1);
	used = 3;
	parse(0);
	assert_int_equal(told_count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_way_to_ourselves, begin, end),
		cmocka_unit_test_setup_teardown(no_way, begin, end),
		cmocka_unit_test_setup_teardown(what_changes_is_told_with_where, begin, end),
		cmocka_unit_test_setup_teardown(numbers_come_and_go, begin, end),
		cmocka_unit_test_setup_teardown(what_is_cut_off_is_not_read, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
