/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which flow may be cut, by which way, and what is said of each that may not. The kernel, the maps
 * and the agent are FAKE: one socket, one flow, two namespaces.
 */
#include "daemon/abort.h"
#include "daemon/agent.h"
#include "kernel/destroy.h"
#include "kernel/maps.h"
#include "host/netns.h"
#include "host/sockdiag.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COOKIE 0x77
#define OWN 7
#define OTHER 8
#define OTHER_INUM 101

static struct {
	struct fl_flow flow; /* as the maps have it; id 0: they do not */
	__u64 shown;	     /* id at its key */
	struct sockdiag_socket socket;
	bool there;	  /* the kernel lists the socket */
	bool stays;	  /* also after it was cut */
	bool tells;	  /* the kernel side sees the end */
	bool nobody;	  /* only what cannot be is to be cut */
	int enter_error;  /* of the other namespace */
	int netlink, bpf; /* what the two ways answer */
	/* what was done */
	int netlink_calls, bpf_calls;
	char bpf_path[64];
	int fd;
	__u64 drained, ended;
	enum fl_reason reason;
	__u64 counted[FL_CNT_MAX];
} fake;

static struct agent agent = { .netns_cookie = OWN };
static struct fail said;

/* --- netns.h --- */

int netns_socket(const char *path, int protocol, int *ret_fd, __u64 *ret_cookie)
{
	bool own = !strcmp(path, NETNS_OWN);

	assert_int_equal(protocol, NETLINK_SOCK_DIAG);
	if (!own && fake.enter_error)
		return fake.enter_error;
	fake.fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	*ret_fd = fake.fd;
	*ret_cookie = own ? OWN : strcmp(path, "/x/101") ? 99 : OTHER;
	return 0;
}

int netns_each(int (*fn)(const char *path, __u32 inum, void *arg), void *arg)
{
	int r = fn("/x/100", 100, arg);

	return r ? r : fn("/x/101", OTHER_INUM, arg);
}

/* The command line's, which is linked in: all of netns.h is here, so that netns.c is not. */
int netns_parse(const char *text, __u32 *ret_inum)
{
	(void)text;
	(void)ret_inum;
	return -ENOENT;
}

/* --- sockdiag.h and destroy.h --- */

int sockdiag_find(int fd, const struct fl_key *key, __u64 cookie,
		  struct sockdiag_socket *ret_socket)
{
	assert_int_equal(fd, fake.fd);
	assert_int_equal(key->local_port, 80);
	if (!fake.there || cookie != COOKIE)
		return -ENOENT;
	*ret_socket = fake.socket;
	return 0;
}

bool sockdiag_is_at(const struct sockdiag_socket *s, const struct fl_key *key)
{
	return s->id.idiag_dport == htons(key->remote_port);
}

int sockdiag_destroy(int fd, const struct sockdiag_socket *s)
{
	assert_int_equal(fd, fake.fd);
	assert_memory_equal(s, &fake.socket, sizeof(*s));
	fake.netlink_calls++;
	if (!fake.netlink)
		fake.there = fake.stays;
	return fake.netlink;
}

int destroy_by_program(const char *path, enum fl_proto proto, __u64 cookie)
{
	assert_int_equal(proto, fake.flow.key.proto);
	assert_int_equal(cookie, fake.nobody ? ~0ull : COOKIE);
	snprintf(fake.bpf_path, sizeof(fake.bpf_path), "%s", path);
	fake.bpf_calls++;
	if (!fake.bpf)
		fake.there = fake.stays;
	return fake.bpf;
}

/* --- maps.h and agent.h --- */

int maps_get_flow(const struct maps *m, __u64 id, struct fl_flow *ret_flow)
{
	(void)m;
	if (!fake.flow.id || id != fake.flow.id)
		return -ENOENT;
	*ret_flow = fake.flow;
	return 0;
}

int maps_find_flow(const struct maps *m, const struct fl_key *key, struct fl_flow *ret_flow)
{
	(void)m;
	if (!fake.shown)
		return -ENOENT;
	*ret_flow = fake.flow;
	ret_flow->key = *key;
	ret_flow->id = fake.shown;
	return 0;
}

int maps_netns_cookie(const struct maps *m, __u32 inum, __u64 *ret_cookie)
{
	(void)m;
	(void)inum;
	(void)ret_cookie;
	return -ENOENT;
}

int maps_count(const struct maps *m, enum fl_counter counter, __u64 n)
{
	(void)m;
	fake.counted[counter] += n;
	return 0;
}

int agent_drain_aborted(struct agent *a, __u64 flow_id)
{
	assert_ptr_equal(a, &agent);
	fake.drained = flow_id;
	if (fake.tells)
		fake.flow.id = 0;
	return 0;
}

void agent_end(struct agent *a, const struct fl_flow *flow, enum fl_reason reason)
{
	assert_ptr_equal(a, &agent);
	fake.ended = flow->id;
	fake.reason = reason;
}

/* --- one flow --- */

static int setup(void **state)
{
	(void)state;
	memset(&fake, 0, sizeof(fake));
	fake.flow = (struct fl_flow){
		.id = COOKIE,
		.cookie = COOKIE,
		.key = { .netns_cookie = OWN,
			 .local_port = 80,
			 .remote_port = 999,
			 .proto = FL_TCP },
	};
	fake.shown = COOKIE;
	fake.there = fake.tells = true;
	fake.bpf = -EOPNOTSUPP;
	fake.socket = (struct sockdiag_socket){ .proto = FL_TCP, .state = FL_STATE_ESTABLISHED };
	fake.socket.id.idiag_dport = htons(999);
	return 0;
}

static int cut(void)
{
	struct fl_flow asked = fake.flow;
	int r = abort_flow(&agent, &asked, &said);

	assert_int_equal(fake.counted[r ? FL_CNT_ABORT_REFUSED : FL_CNT_ABORTED], 1);
	assert_int_equal(fake.counted[r ? FL_CNT_ABORTED : FL_CNT_ABORT_REFUSED], 0);
	return r;
}

static void expect_refused(int error, const char *sentence)
{
	assert_int_equal(cut(), error);
	if (!strstr(said.text, sentence))
		fail_msg("'%s' does not say '%s'", said.text, sentence);
}

static void expect_untouched(int error, const char *sentence)
{
	expect_refused(error, sentence);
	assert_int_equal(fake.netlink_calls + fake.bpf_calls, 0);
	assert_int_equal(fake.ended, 0);
}

/* --- tests --- */

static void session(void **state)
{
	(void)state;
	assert_int_equal(cut(), 0);
	assert_string_equal(said.text, "");
	assert_int_equal(fake.netlink_calls, 1);
	assert_int_equal(fake.bpf_calls, 0);
	assert_int_equal(fake.drained, COOKIE);
	assert_int_equal(fake.ended, 0); /* the kernel side has told it */
}

static void end_that_no_program_sees(void **state)
{
	(void)state;
	fake.tells = false;
	assert_int_equal(cut(), 0);
	assert_int_equal(fake.ended, COOKIE);
	assert_int_equal(fake.reason, FL_REASON_ABORTED);
}

static void other_namespace(void **state)
{
	(void)state;
	fake.flow.key.netns_cookie = OTHER;
	fake.netlink = -EOPNOTSUPP;
	fake.bpf = 0;
	assert_int_equal(cut(), 0);
	assert_string_equal(fake.bpf_path, "/x/101");
}

static void namespace_by_inode(void **state)
{
	(void)state;
	fake.flow.key.netns_cookie = OTHER;
	fake.flow.netns_inum = OTHER_INUM;
	assert_int_equal(cut(), 0);
}

static void no_way_into_the_namespace(void **state)
{
	(void)state;
	fake.flow.key.netns_cookie = OTHER;
	fake.flow.netns_inum = OTHER_INUM;
	fake.enter_error = -EPERM;
	expect_untouched(-EOPNOTSUPP, "cannot enter the network namespace 101");
}

static void gone(void **state)
{
	(void)state;
	fake.there = false;
	expect_untouched(-ENOENT, "has already ended");
}

static void gone_from_the_maps(void **state)
{
	struct fl_flow asked = fake.flow;

	(void)state;
	fake.flow.id = 0;
	assert_int_equal(abort_flow(&agent, &asked, &said), -ENOENT);
	assert_int_equal(fake.netlink_calls, 0);
}

static void ended_but_its_socket_lives(void **state)
{
	(void)state;
	fake.flow.ended_ns = 5;
	expect_untouched(-ENOENT, "has already ended");
}

static void later_life_at_another_tuple(void **state)
{
	(void)state;
	fake.socket.id.idiag_dport = htons(1000);
	expect_untouched(-ENOENT, "has already ended");
}

static void later_life_at_the_same_tuple(void **state)
{
	(void)state;
	fake.shown = FL_ID_NUMBERED | 5;
	expect_untouched(-ENOENT, "has already ended");
}

static void listener_that_connected(void **state)
{
	(void)state;
	fake.flow.key.remote_port = 0;
	fake.socket.id.idiag_dport = 0;
	expect_untouched(-ENOENT, "has already ended"); /* it does not listen */
}

static void time_wait(void **state)
{
	(void)state;
	fake.socket.state = FL_STATE_TIME_WAIT;
	expect_untouched(-ENOENT, "TIME-WAIT");
}

static void left_alone_by_the_kernel(void **state)
{
	(void)state;
	fake.tells = false;
	fake.stays = true;
	expect_refused(-EOPNOTSUPP, "about to close");
	assert_int_equal(fake.ended, 0);
}

static void make_udp(__u64 id, __u16 flow_peer, __u16 socket_peer)
{
	fake.flow.id = fake.shown = id;
	fake.flow.key.proto = fake.socket.proto = FL_UDP;
	fake.flow.key.remote_port = flow_peer;
	fake.socket.id.idiag_dport = htons(socket_peer);
	fake.tells = false;
}

static void udp_sessions(void **state)
{
	(void)state;
	make_udp(COOKIE, 999, 999);
	fake.stays = true; /* it is only disconnected */
	assert_int_equal(cut(), 0);
	assert_string_equal(said.text, "");
	assert_int_equal(fake.ended, COOKIE);
}

static void udp_session_of_a_second_connect(void **state)
{
	(void)state;
	make_udp(FL_ID_NUMBERED | 5, 999, 999);
	assert_int_equal(cut(), 0);
	assert_int_equal(fake.ended, FL_ID_NUMBERED | 5);
}

static void udp_peer(void **state)
{
	(void)state;
	make_udp(FL_ID_NUMBERED | 5, 999, 0);
	expect_untouched(-EOPNOTSUPP, "one peer of the UDP socket 0000000000000077");
}

static void udp_peer_beside_a_connected_one(void **state)
{
	(void)state;
	make_udp(FL_ID_NUMBERED | 5, 999, 1000);
	expect_untouched(-EOPNOTSUPP, "one peer of the UDP socket");
}

static void udp_bound(void **state)
{
	(void)state;
	make_udp(COOKIE, 0, 0);
	fake.stays = true;
	assert_int_equal(cut(), 0);
	assert_non_null(strstr(said.text, "stays bound"));
	assert_int_equal(fake.ended, 0);
}

static void udp_unbound(void **state)
{
	(void)state;
	make_udp(COOKIE, 0, 0);
	assert_int_equal(cut(), 0);
	assert_string_equal(said.text, "");
	assert_int_equal(fake.ended, COOKIE);
}

static void program_where_netlink_cannot(void **state)
{
	static const int errors[] = { -EOPNOTSUPP, -ENOENT };

	for (int i = 0; i < 2; i++) {
		setup(state);
		fake.netlink = errors[i];
		fake.bpf = 0;
		assert_int_equal(cut(), 0);
		assert_int_equal(fake.bpf_calls, 1);
		assert_string_equal(fake.bpf_path, NETNS_OWN);
	}
}

static void neither_way(void **state)
{
	(void)state;
	fake.netlink = -EOPNOTSUPP;
	expect_refused(-EOPNOTSUPP, "neither SOCK_DESTROY");
	setup(state);
	fake.netlink = -ENOENT;
	expect_refused(-EOPNOTSUPP, "cannot tell them apart");
	setup(state);
	fake.netlink = -EPERM;
	expect_refused(-EPERM, "Operation not permitted");
	assert_int_equal(fake.bpf_calls, 0);
}

static bool is_possible(int netlink, int bpf)
{
	fake.nobody = true;
	fake.socket = (struct sockdiag_socket){ .id.idiag_dport = htons(1),
						.proto = FL_TCP,
						.family = AF_INET };
	fake.netlink = netlink;
	fake.bpf = bpf;
	return abort_is_possible();
}

static void whether_anything_can_be_cut(void **state)
{
	(void)state;
	assert_true(is_possible(-ENOENT, -EOPNOTSUPP));
	assert_int_equal(fake.bpf_calls, 0);
	assert_true(is_possible(-EOPNOTSUPP, -ENOENT));
	assert_false(is_possible(-EOPNOTSUPP, -EOPNOTSUPP));
	assert_true(is_possible(-EPERM, -EOPNOTSUPP)); /* nobody knows */
}

#define TEST(function) cmocka_unit_test_setup(function, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(session),
		TEST(end_that_no_program_sees),
		TEST(other_namespace),
		TEST(namespace_by_inode),
		TEST(no_way_into_the_namespace),
		TEST(gone),
		TEST(gone_from_the_maps),
		TEST(ended_but_its_socket_lives),
		TEST(later_life_at_another_tuple),
		TEST(later_life_at_the_same_tuple),
		TEST(listener_that_connected),
		TEST(time_wait),
		TEST(left_alone_by_the_kernel),
		TEST(udp_sessions),
		TEST(udp_session_of_a_second_connect),
		TEST(udp_peer),
		TEST(udp_peer_beside_a_connected_one),
		TEST(udp_bound),
		TEST(udp_unbound),
		TEST(program_where_netlink_cannot),
		TEST(neither_way),
		TEST(whether_anything_can_be_cut),
	};

	return cmocka_run_group_tests_name("abort", tests, NULL, NULL);
}
