/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel's word on a peer, asked about ourselves: the far end of a socket pair is us. */
#include "host/peer.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

static int pair(void)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	close(fds[1]);
	return fds[0];
}

static void the_peer_is_us(void **state)
{
	struct peer peer;
	int fd = pair();

	(void)state;
	assert_int_equal(peer_get(fd, PEER_NO_GROUP, &peer), 0);
	assert_int_equal(peer.uid, geteuid());
	assert_int_equal(peer.sees_all, geteuid() == 0);
	assert_int_equal(peer_may_change(&peer), geteuid() == 0);
	close(fd);
}

static void members_of_the_group_see_all(void **state)
{
	gid_t groups[256];
	int count = getgroups(256, groups);
	struct peer peer;
	int fd = pair();

	(void)state;
	assert_int_equal(peer_get(fd, getegid(), &peer), 0);
	assert_true(peer.sees_all);
	for (int i = 0; i < count; i++) {
		assert_int_equal(peer_get(fd, groups[i], &peer), 0);
		assert_true(peer.sees_all);
	}
	assert_int_equal(peer_get(fd, 4294960000u, &peer), 0);
	assert_int_equal(peer.sees_all, geteuid() == 0);
	close(fd);
}

static void no_socket_no_peer(void **state)
{
	struct peer peer = { .uid = 77 };

	(void)state;
	assert_true(peer_get(-1, PEER_NO_GROUP, &peer) < 0);
	assert_int_equal(peer.uid, 77);
	assert_int_equal(peer_group(NULL), PEER_NO_GROUP);
	assert_int_equal(peer_group("no such group, surely"), PEER_NO_GROUP);
}

static void rules(void **state)
{
	struct peer root = { .sees_all = true }, member = { .uid = 1000, .sees_all = true };
	struct peer other = { .uid = 1000 };
	struct fl_flow own = { .owner = { .proc = { .pid = 1 }, .uid = 1000 } };
	struct fl_flow roots = { .owner = { .proc = { .pid = 1 } } }, nobodys = { 0 };

	(void)state;
	assert_true(peer_may_see(&root, &nobodys));
	assert_true(peer_may_see(&member, &roots));
	assert_true(peer_may_see(&other, &own));
	assert_false(peer_may_see(&other, &roots));
	assert_false(peer_may_see(&other, &nobodys));
	assert_true(peer_may_change(&root));
	assert_false(peer_may_change(&member));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_peer_is_us),
		cmocka_unit_test(members_of_the_group_see_all),
		cmocka_unit_test(no_socket_no_peer),
		cmocka_unit_test(rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
