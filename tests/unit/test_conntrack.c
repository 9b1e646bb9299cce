/* SPDX-License-Identifier: BSD-2-Clause */
/* One connection in a conntrack that is FAKE: asked for from each side and in each direction. */
#include "text/address.h"
#include "host/conntrack.h"
#include "host/netns.h"
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct line {
	const char *source, *destination;
	__u16 source_port, destination_port;
};

static struct {
	bool loaded;
	struct line original, reply;
	int misses; /* questions that come before the one that is answered */
	int error;  /* instead of an answer */
	int far;    /* the kernel's end */
	int opened;
} fake;

int __wrap_access(const char *path, int mode);

int __wrap_access(const char *path, int mode)
{
	assert_string_equal(path, "/proc/sys/net/netfilter/nf_conntrack_count");
	assert_int_equal(mode, F_OK);
	return fake.loaded ? 0 : -1;
}

/* --- the kernel --- */

static void put_error(int error)
{
	char buf[512] = { 0 };
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nlmsgerr *e = mnl_nlmsg_put_extra_header(nlh, sizeof(*e));

	nlh->nlmsg_type = NLMSG_ERROR;
	e->error = -error;
	assert_true(send(fake.far, buf, nlh->nlmsg_len, 0) > 0);
}

static void put_line(struct nlmsghdr *nlh, __u16 type, const struct line *l)
{
	struct nlattr *whole = mnl_attr_nest_start(nlh, type), *part;
	struct fl_addr source, destination;
	bool v4;

	assert_int_equal(address_parse(l->source, &source), 0);
	assert_int_equal(address_parse(l->destination, &destination), 0);
	v4 = address_is_v4(&source);
	part = mnl_attr_nest_start(nlh, CTA_TUPLE_IP);
	mnl_attr_put(nlh, v4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, v4 ? 4 : 16, &source.b[v4 ? 12 : 0]);
	mnl_attr_put(nlh, v4 ? CTA_IP_V4_DST : CTA_IP_V6_DST, v4 ? 4 : 16,
		     &destination.b[v4 ? 12 : 0]);
	mnl_attr_nest_end(nlh, part);
	part = mnl_attr_nest_start(nlh, CTA_TUPLE_PROTO);
	mnl_attr_put_u16(nlh, CTA_PROTO_SRC_PORT, htons(l->source_port));
	mnl_attr_put_u16(nlh, CTA_PROTO_DST_PORT, htons(l->destination_port));
	mnl_attr_nest_end(nlh, part);
	mnl_attr_nest_end(nlh, whole);
}

static void put_entry(void)
{
	char buf[1024] = { 0 };
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);

	nlh->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW;
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct nfgenmsg));
	put_line(nlh, CTA_TUPLE_ORIG, &fake.original);
	put_line(nlh, CTA_TUPLE_REPLY, &fake.reply);
	mnl_attr_put_u32(nlh, CTA_MARK, 5); /* one of many that are not for us */
	assert_true(send(fake.far, buf, nlh->nlmsg_len, 0) > 0);
}

/* --- netns.h --- */

int netns_socket(const char *path, int protocol, int *ret_fd, __u64 *ret_cookie)
{
	int ends[2];

	assert_int_equal(protocol, NETLINK_NETFILTER);
	assert_string_equal(path, fake.opened ? "/x/101" : NETNS_OWN);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	*ret_fd = ends[0];
	*ret_cookie = 1;
	fake.far = ends[1];
	for (int i = 0; i < fake.misses; i++)
		put_error(ENOENT);
	if (fake.error)
		put_error(fake.error);
	else
		put_entry();
	return 0;
}

int netns_each(int (*fn)(const char *path, __u32 inum, void *arg), void *arg)
{
	int r = fn("/x/100", 100, arg);

	fake.opened = 1;
	return r ? r : fn("/x/101", 101, arg);
}

/* The command line's, which is linked in: all of netns.h is here, so that netns.c is not. */
int netns_parse(const char *text, __u32 *ret_inum)
{
	(void)text;
	(void)ret_inum;
	return -ENOENT;
}

/* --- tests --- */

static int setup(void **state)
{
	(void)state;
	memset(&fake, 0, sizeof(fake));
	fake.loaded = true;
	fake.far = -1;
	fake.original = (struct line){ "10.66.0.2", "198.51.100.9", 40000, 443 };
	fake.reply = (struct line){ "198.51.100.9", "192.0.2.1", 443, 50001 };
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return fake.far < 0 ? 0 : close(fake.far);
}

static struct ends ends_of(const char *local, __u16 lport, const char *remote, __u16 rport)
{
	struct ends e = { .local_port = lport, .remote_port = rport };

	assert_int_equal(address_parse(local, &e.local), 0);
	assert_int_equal(address_parse(remote, &e.remote), 0);
	return e;
}

static void expect(struct ends seen, struct ends wanted)
{
	struct ends other;

	assert_int_equal(conntrack_other_side(0, FL_TCP, &seen, &other), 0);
	assert_memory_equal(&other.local, &wanted.local, 16);
	assert_memory_equal(&other.remote, &wanted.remote, 16);
	assert_int_equal(other.local_port, wanted.local_port);
	assert_int_equal(other.remote_port, wanted.remote_port);
}

/* Which question is answered says in which direction the session was seen. */
static void masqueraded_seen_outside(void **state)
{
	(void)state;
	fake.misses = 1; /* nothing goes from 192.0.2.1: that is what replies go to */
	expect(ends_of("192.0.2.1", 50001, "198.51.100.9", 443),
	       ends_of("10.66.0.2", 40000, "198.51.100.9", 443));
}

static void masqueraded_seen_inside(void **state)
{
	(void)state;
	fake.misses = 1;
	expect(ends_of("198.51.100.9", 443, "10.66.0.2", 40000),
	       ends_of("198.51.100.9", 443, "192.0.2.1", 50001));
}

static void masqueraded_from_the_server(void **state)
{
	(void)state;
	expect(ends_of("198.51.100.9", 443, "192.0.2.1", 50001),
	       ends_of("198.51.100.9", 443, "10.66.0.2", 40000));
}

static void published(void **state)
{
	(void)state;
	fake.original = (struct line){ "2001:db8::5", "2001:db8::1", 40000, 80 };
	fake.reply = (struct line){ "fd66::2", "2001:db8::5", 8080, 40000 };
	fake.misses = 1;
	expect(ends_of("2001:db8::1", 80, "2001:db8::5", 40000),
	       ends_of("fd66::2", 8080, "2001:db8::5", 40000));
}

static void not_translated(void **state)
{
	struct ends seen = ends_of("10.66.0.2", 40000, "198.51.100.9", 443), other;

	(void)state;
	fake.reply = (struct line){ "198.51.100.9", "10.66.0.2", 443, 40000 };
	assert_int_equal(conntrack_other_side(0, FL_TCP, &seen, &other), -ENOENT);
}

static void not_known(void **state)
{
	struct ends seen = ends_of("10.66.0.2", 40000, "198.51.100.9", 443), other;

	(void)state;
	fake.misses = 1;
	fake.error = ENOENT;
	assert_int_equal(conntrack_other_side(0, FL_TCP, &seen, &other), -ENOENT);
}

static void not_permitted(void **state)
{
	struct ends seen = ends_of("10.66.0.2", 40000, "198.51.100.9", 443), other;

	(void)state;
	fake.error = EPERM;
	assert_int_equal(conntrack_other_side(0, FL_TCP, &seen, &other), -EPERM);
}

static void not_loaded(void **state)
{
	struct ends seen = ends_of("10.66.0.2", 40000, "198.51.100.9", 443), other;

	(void)state;
	fake.loaded = false;
	assert_int_equal(conntrack_other_side(0, FL_TCP, &seen, &other), -ENOENT);
	assert_int_equal(fake.far, -1); /* nobody was asked */
}

static void elsewhere(void **state)
{
	struct ends seen = ends_of("192.0.2.1", 50001, "198.51.100.9", 443), other;

	(void)state;
	fake.misses = 1;
	assert_int_equal(conntrack_other_side(101, FL_TCP, &seen, &other), 0);
	assert_int_equal(other.local_port, 40000);
	assert_int_equal(conntrack_other_side(102, FL_TCP, &seen, &other), -ENOENT);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(masqueraded_seen_outside),
		TEST(masqueraded_seen_inside),
		TEST(masqueraded_from_the_server),
		TEST(published),
		TEST(not_translated),
		TEST(not_known),
		TEST(not_permitted),
		TEST(not_loaded),
		TEST(elsewhere),
	};

	return cmocka_run_group_tests_name("conntrack", tests, NULL, NULL);
}
