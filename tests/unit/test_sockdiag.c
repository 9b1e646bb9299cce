/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel's list of sockets, asked about our own: no root needed for that. */
#include "text/address.h"
#include "host/netlink.h"
#include "host/sockdiag.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define DUMPS 1000

int __real_netlink_ask(int fd, const struct nlmsghdr *question, mnl_cb_t fn, void *arg);
int __wrap_netlink_ask(int fd, const struct nlmsghdr *question, mnl_cb_t fn, void *arg);

static unsigned int dumps; /* of all sockets */

int __wrap_netlink_ask(int fd, const struct nlmsghdr *question, mnl_cb_t fn, void *arg)
{
	dumps++;
	return __real_netlink_ask(fd, question, fn, arg);
}

/* One of ours, as the kernel side would have noted it. */
struct own {
	int fd;
	struct fl_key key;
	__u64 cookie;
};

static int diag = -1;

static int open_diag(void **state)
{
	(void)state;
	diag = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	return diag < 0 ? -1 : 0;
}

static int close_diag(void **state)
{
	(void)state;
	return close(diag);
}

static int nothing(const struct sockdiag_socket *s, void *arg)
{
	(void)s;
	(void)arg;
	return 0;
}

static void needs_inet_diag(void)
{
	int r = sockdiag_each(diag, nothing, NULL);

	if (r == -ENOENT || r == -EPERM) /* not in this kernel, or not in this container */
		skip();
	assert_int_equal(r, 0);
}

/* --- sockets of ours --- */

static void fill_end(struct fl_addr *addr, __u16 *port, const struct sockaddr_storage *from)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)from;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)from;

	*port = ntohs(v4->sin_port); /* the same place in both */
	if (from->ss_family == AF_INET6) {
		memcpy(addr->b, &v6->sin6_addr, 16);
		return;
	}
	memcpy(addr->b, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
	memcpy(addr->b + 12, &v4->sin_addr, 4);
}

static struct own note(int fd, enum fl_proto proto)
{
	struct own own = { .fd = fd, .key = { .proto = proto } };
	struct sockaddr_storage local = { 0 }, remote = { 0 };
	socklen_t len = sizeof(local), cookie_len = sizeof(own.cookie);

	assert_int_equal(getsockname(fd, (struct sockaddr *)&local, &len), 0);
	remote.ss_family = local.ss_family;
	len = sizeof(remote);
	(void)getpeername(fd, (struct sockaddr *)&remote, &len);
	fill_end(&own.key.local, &own.key.local_port, &local);
	fill_end(&own.key.remote, &own.key.remote_port, &remote);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &own.cookie, &cookie_len), 0);
	return own;
}

static int bound(int family, int type)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	int fd = socket(family, type | SOCK_CLOEXEC, 0);

	v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0)
		return -1; /* a host without IPv6 */
	if (family == AF_INET)
		assert_int_equal(bind(fd, (struct sockaddr *)&v4, sizeof(v4)), 0);
	else
		assert_int_equal(bind(fd, (struct sockaddr *)&v6, sizeof(v6)), 0);
	return fd;
}

static struct own make_listener(int family)
{
	int fd = bound(family, SOCK_STREAM);

	if (fd < 0)
		skip();
	assert_int_equal(listen(fd, 4), 0);
	return note(fd, FL_TCP);
}

static void make_session(const struct own *listener, struct own *client, struct own *server)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	to.sin_port = htons(listener->key.local_port);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	*client = note(fd, FL_TCP);
	*server = note(accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC), FL_TCP);
}

/* --- what is asked --- */

static int exists(const struct own *own)
{
	return sockdiag_exists(diag, &own->key, own->cookie);
}

struct count {
	__u64 cookie;
	enum fl_proto proto;
	int times, calls, stop_with;
};

static int count(const struct sockdiag_socket *s, void *arg)
{
	struct count *c = arg;

	c->calls++;
	c->times += sockdiag_cookie(s) == c->cookie && s->proto == c->proto;
	return c->stop_with;
}

static int times_listed(const struct own *own)
{
	struct count c = { .cookie = own->cookie, .proto = own->key.proto };

	assert_int_equal(sockdiag_each(diag, count, &c), 0);
	return c.times;
}

/*
 * A dump may pass over a socket while others come and go, and the last packets of a session may
 * still be on their way: what is so in one of many dumps is so.
 */
static void expect_listed(const struct own *own, bool listed)
{
	for (int i = 0; i < DUMPS; i++) {
		int times = times_listed(own);

		assert_in_range(times, 0, 1);
		if (times == listed)
			return;
	}
	fail_msg("listed: %d", !listed);
}

/* --- tests --- */

static void expect_found_until_closed(struct own *own)
{
	struct own other = *own;

	expect_listed(own, true);
	assert_int_equal(exists(own), 1);
	other.cookie++;
	assert_int_equal(exists(&other), 0); /* another socket at the same place */
	expect_listed(&other, false);
	close(own->fd);
	assert_int_equal(exists(own), 0);
	expect_listed(own, false);
}

static void listeners(void **state)
{
	struct own own;

	(void)state;
	needs_inet_diag();
	own = make_listener(AF_INET);
	expect_found_until_closed(&own);
	own = make_listener(AF_INET6);
	expect_found_until_closed(&own);
}

static void both_ends_of_a_session(void **state)
{
	struct own listener, client, server;
	struct own other;

	(void)state;
	needs_inet_diag();
	listener = make_listener(AF_INET);
	make_session(&listener, &client, &server);
	expect_listed(&client, true);
	expect_listed(&server, true);
	assert_int_equal(exists(&client), 1);
	assert_int_equal(exists(&server), 1);
	other = client;
	other.key.remote_port ^= 1;
	assert_int_equal(exists(&other), 0);
	close(client.fd); /* FIN_WAIT2, then TIME_WAIT: no socket of anybody, with its cookie */
	expect_listed(&client, false);
	assert_int_equal(exists(&client), 0);
	close(server.fd);
	expect_listed(&client, false);
	assert_int_equal(exists(&client), 0);
	expect_listed(&server, false);
	assert_int_equal(exists(&server), 0);
	close(listener.fd);
}

/* An IPv4 session of an IPv6 socket: one key, whichever family has it. */
static void v4_sessions_of_v6_sockets(void **state)
{
	struct own listener, client, server;

	(void)state;
	needs_inet_diag();
	listener = make_listener(AF_INET6);
	make_session(&listener, &client, &server);
	assert_true(address_is_v4(&server.key.local));
	assert_int_equal(exists(&client), 1);
	assert_int_equal(exists(&server), 1);
	expect_listed(&server, true);
	close(client.fd);
	close(server.fd);
	close(listener.fd);
}

static void udp(void **state)
{
	struct own own;

	(void)state;
	needs_inet_diag();
	own = note(bound(AF_INET, SOCK_DGRAM), FL_UDP);
	expect_listed(&own, true);
	close(own.fd);
	expect_listed(&own, false);
}

/* What was not read of one answer must not be taken for the next. */
static void stopped_in_the_middle(void **state)
{
	struct count c = { .stop_with = -ENOMEM };
	struct own listener, none;

	(void)state;
	needs_inet_diag();
	listener = make_listener(AF_INET);
	none = listener;
	none.cookie++;
	assert_int_equal(sockdiag_each(diag, count, &c), -ENOMEM);
	assert_int_equal(c.calls, 1);
	assert_int_equal(exists(&none), 0);
	expect_listed(&listener, true);
	close(listener.fd);
}

/* At its key, or, when that is not where the kernel has it, by its cookie alone. */
static void found_wherever_it_is(void **state)
{
	struct own listener, client, server;
	struct sockdiag_socket s;
	struct fl_key elsewhere;

	(void)state;
	needs_inet_diag();
	listener = make_listener(AF_INET6);
	make_session(&listener, &client, &server);
	assert_int_equal(sockdiag_find(diag, &server.key, server.cookie, &s), 0);
	assert_int_equal(s.family, AF_INET6);
	assert_int_equal(s.state, FL_STATE_ESTABLISHED);
	assert_true(sockdiag_is_at(&s, &server.key));
	assert_false(sockdiag_is_at(&s, &client.key));
	elsewhere = client.key;
	elsewhere.remote.b[15]++;
	assert_int_equal(sockdiag_find(diag, &elsewhere, client.cookie, &s), 0);
	assert_int_equal(s.family, AF_INET);
	assert_true(sockdiag_is_at(&s, &client.key));
	assert_false(sockdiag_is_at(&s, &elsewhere));
	assert_int_equal(sockdiag_find(diag, &listener.key, listener.cookie, &s), 0);
	assert_int_equal(s.state, FL_STATE_LISTEN);
	assert_true(sockdiag_is_at(&s, &listener.key));
	close(client.fd);
	assert_int_equal(sockdiag_find(diag, &server.key, server.cookie, &s), 0);
	close(server.fd);
	assert_int_equal(sockdiag_find(diag, &server.key, server.cookie, &s), -ENOENT);
	close(listener.fd);
}

static __u8 tos_of(const struct own *own)
{
	struct sockdiag_socket s;

	assert_int_equal(sockdiag_find(diag, &own->key, own->cookie, &s), 0);
	assert_int_equal(s.uid, geteuid());
	assert_int_equal(s.mark, 0);
	return s.tos;
}

/* Whose way that of IPv4 is follows the TOS of IPv4, an IPv6 socket or not. */
static void what_its_route_is_chosen_by(void **state)
{
	const int low_delay = 0x10, other = 0x08;
	struct own listener, client, server;

	(void)state;
	needs_inet_diag();
	listener = make_listener(AF_INET6);
	make_session(&listener, &client, &server);
	assert_int_equal(tos_of(&client), 0);
	assert_int_equal(setsockopt(client.fd, IPPROTO_IP, IP_TOS, &low_delay, sizeof(low_delay)),
			 0);
	assert_int_equal(tos_of(&client), low_delay);
	assert_int_equal(setsockopt(server.fd, IPPROTO_IP, IP_TOS, &low_delay, sizeof(low_delay)),
			 0);
	assert_int_equal(setsockopt(server.fd, IPPROTO_IPV6, IPV6_TCLASS, &other, sizeof(other)),
			 0);
	assert_int_equal(tos_of(&server), low_delay);
	close(client.fd);
	close(server.fd);
	close(listener.fd);
}

/* A datagram of anybody finds it: its own remote end says whose it is. */
static void socket_of_many_peers(void **state)
{
	struct own own = note(bound(AF_INET, SOCK_DGRAM), FL_UDP);
	struct fl_key peer = own.key;
	struct sockdiag_socket s;

	(void)state;
	needs_inet_diag();
	peer.remote = own.key.local;
	peer.remote_port = 9;
	assert_int_equal(sockdiag_find(diag, &peer, own.cookie, &s), 0);
	assert_false(sockdiag_is_at(&s, &peer));
	assert_true(sockdiag_is_at(&s, &own.key));
	close(own.fd);
}

static struct own make_connected(const struct own *to)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	int fd = bound(AF_INET, SOCK_DGRAM);

	memcpy(&v4.sin_addr, &to->key.local.b[12], 4);
	v4.sin_port = htons(to->key.local_port);
	assert_int_equal(connect(fd, (struct sockaddr *)&v4, sizeof(v4)), 0);
	return note(fd, FL_UDP);
}

/* Bound, or connected to each other: both ends are at loopback, and are not taken for the other. */
static void udp_is_found_where_it_is(void **state)
{
	const int low_delay = 0x10;
	struct own bound_one = note(bound(AF_INET, SOCK_DGRAM), FL_UDP);
	struct own connected = make_connected(&bound_one);
	struct sockdiag_socket s;
	struct fl_addr remote;

	(void)state;
	needs_inet_diag();
	assert_int_equal(setsockopt(connected.fd, IPPROTO_IP, IP_TOS, &low_delay, sizeof(int)), 0);
	dumps = 0;
	assert_int_equal(sockdiag_find(diag, &bound_one.key, bound_one.cookie, &s), 0);
	assert_int_equal(sockdiag_find(diag, &connected.key, connected.cookie, &s), 0);
	assert_int_equal(s.state, FL_STATE_ESTABLISHED);
	assert_true(sockdiag_is_at(&s, &connected.key));
	sockdiag_remote(&s, &remote);
	assert_memory_equal(&remote, &connected.key.remote, sizeof(remote));
	assert_int_equal(tos_of(&connected), low_delay);
	assert_int_equal(dumps, 0);
	connected.key.remote_port++; /* found all the same */
	assert_int_equal(tos_of(&connected), low_delay);
	assert_true(dumps > 0);
	close(connected.fd);
	close(bound_one.fd);
}

static void nobody_to_ask(void **state)
{
	struct fl_key key = { .proto = FL_TCP };

	(void)state;
	assert_int_equal(sockdiag_each(-1, nothing, NULL), -EBADF);
	assert_int_equal(sockdiag_exists(-1, &key, 1), -EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(listeners),
		cmocka_unit_test(both_ends_of_a_session),
		cmocka_unit_test(v4_sessions_of_v6_sockets),
		cmocka_unit_test(udp),
		cmocka_unit_test(stopped_in_the_middle),
		cmocka_unit_test(found_wherever_it_is),
		cmocka_unit_test(what_its_route_is_chosen_by),
		cmocka_unit_test(socket_of_many_peers),
		cmocka_unit_test(udp_is_found_where_it_is),
		cmocka_unit_test(nobody_to_ask),
	};

	return cmocka_run_group_tests_name("sockdiag", tests, open_diag, close_diag);
}
