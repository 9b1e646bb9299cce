/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The maps against the kernel's list of sockets, both told by FAKE below: what is ended, what is
 * left alone for want of certainty, and what is asked before. It is always NOW here.
 */
#include "daemon/agent.h"
#include "host/config.h"
#include "kernel/maps.h"
#include "host/netns.h"
#include "host/procfs.h"
#include "daemon/reconcile.h"
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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define S 1000000000ull
#define NOW (1000 * S)
#define LONG_AGO (10 * S)
#define IDLE_S 120
#define NONE_SUCH 0x40000000u /* no pid gets that far */
#define MOST 80

struct space {
	const char *path;
	__u64 cookie;
	int refused;	       /* errno of entering it */
	__u64 listed[2][MOST]; /* cookies, by dump; 0 ends */
	int fails_from;	       /* this dump and later ones fail with ... */
	int fails_with;
	int fd, dumps, asked;
};

static struct {
	struct space spaces[4];
	__u64 noted_cookie; /* of the first, by the kernel side */
	struct fl_flow flows[MOST];
	struct fl_process processes[MOST];
	__u64 there[MOST]; /* cookies that answer when asked for alone */
	int exists_error;  /* nobody knows */
	int find_error;
	__u64 undone;	  /* cookie of a UDP socket that is not connected any more */
	__u16 elsewhere;  /* a port that no UDP socket is connected to */
	bool reconnected; /* all of them were connected to another peer when they were listed */
	__u64 ended_meanwhile;
	__u64 active_ns;
	struct fl_config config;
	/* what was done */
	unsigned int found; /* sockets that were asked for alone */
	__u64 taken[MOST];
	size_t taken_count;
	struct fl_flow told[MOST];
	size_t told_count;
	struct fl_proc_key forgotten[MOST];
	size_t forgotten_count;
	__u64 counted[FL_CNT_MAX];
} fake;

static struct agent agent;
static struct config config = { .udp_idle_s = IDLE_S };

int __wrap_clock_gettime(clockid_t clock, struct timespec *ts);

int __wrap_clock_gettime(clockid_t clock, struct timespec *ts)
{
	assert_int_equal(clock, CLOCK_BOOTTIME);
	*ts = (struct timespec){ .tv_sec = NOW / S };
	return 0;
}

/* --- netns.h and sockdiag.h --- */

int netns_each(int (*fn)(const char *path, __u32 inum, void *arg), void *arg)
{
	for (size_t i = 0; i < 4 && fake.spaces[i].path; i++) {
		int r = fn(fake.spaces[i].path, (__u32)i + 100, arg);

		if (r)
			return r;
	}
	return 0;
}

int netns_socket(const char *path, int protocol, int *ret_fd, __u64 *ret_cookie)
{
	assert_int_equal(protocol, NETLINK_SOCK_DIAG);
	for (size_t i = 0; i < 4 && fake.spaces[i].path; i++) {
		struct space *s = &fake.spaces[i];

		if (strcmp(s->path, path) != 0)
			continue;
		if (s->refused)
			return -s->refused;
		s->fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		*ret_fd = s->fd;
		*ret_cookie = s->cookie;
		return 0;
	}
	return -ENOENT;
}

/* The command line's, which is linked in: all of netns.h is here, so that netns.c is not. */
int netns_parse(const char *text, __u32 *ret_inum)
{
	(void)text;
	(void)ret_inum;
	return -ENOENT;
}

static struct space *space_of(int fd)
{
	for (size_t i = 0; i < 4 && fake.spaces[i].path; i++) {
		if (fake.spaces[i].fd == fd)
			return &fake.spaces[i];
	}
	fail_msg("fd %d is of no namespace", fd);
	return NULL;
}

/* As the flow that is its own says. */
static struct sockdiag_socket socket_with(__u64 cookie)
{
	struct sockdiag_socket s = {
		.id.idiag_cookie = { (__u32)cookie, (__u32)(cookie >> 32) },
		.proto = FL_TCP,
		.state = cookie == fake.undone ? FL_STATE_CLOSE : FL_STATE_ESTABLISHED,
	};

	for (size_t i = 0; i < MOST && fake.flows[i].id; i++) {
		const struct fl_key *key = &fake.flows[i].key;

		if (fake.flows[i].id != cookie || key->proto != FL_UDP)
			continue;
		s.proto = FL_UDP;
		if (key->remote_port != fake.elsewhere)
			s.id.idiag_dport = htons(key->remote_port);
	}
	return s;
}

__u64 sockdiag_cookie(const struct sockdiag_socket *s)
{
	return (__u64)s->id.idiag_cookie[1] << 32 | s->id.idiag_cookie[0];
}

void sockdiag_remote(const struct sockdiag_socket *s, struct fl_addr *ret_remote)
{
	(void)s;
	memset(ret_remote, 0, sizeof(*ret_remote));
}

int sockdiag_each(int fd, int (*fn)(const struct sockdiag_socket *s, void *arg), void *arg)
{
	struct space *s = space_of(fd);
	const __u64 *listed = s->listed[s->dumps > 0];

	s->dumps++;
	if (s->fails_from && s->dumps >= s->fails_from)
		return -s->fails_with;
	for (size_t i = 0; i < MOST && listed[i]; i++) {
		struct sockdiag_socket socket = socket_with(listed[i]);
		int r;

		if (fake.reconnected)
			socket.id.idiag_dport = 0;
		r = fn(&socket, arg);

		if (r)
			return r;
	}
	return 0;
}

int sockdiag_exists(int fd, const struct fl_key *key, __u64 cookie)
{
	assert_int_equal(space_of(fd)->cookie ? space_of(fd)->cookie : fake.noted_cookie,
			 key->netns_cookie);
	assert_int_equal(key->proto, FL_TCP); /* a peer of a UDP socket has none of its own */
	space_of(fd)->asked++;
	if (fake.exists_error)
		return -fake.exists_error;
	for (size_t i = 0; i < MOST; i++) {
		if (fake.there[i] == cookie)
			return 1;
	}
	return 0;
}

int sockdiag_find(int fd, const struct fl_key *key, __u64 cookie,
		  struct sockdiag_socket *ret_socket)
{
	assert_int_equal(space_of(fd)->cookie, key->netns_cookie);
	assert_int_equal(key->proto, FL_UDP);
	fake.found++;
	if (fake.find_error)
		return -fake.find_error;
	*ret_socket = socket_with(cookie);
	return 0;
}

bool sockdiag_is_at(const struct sockdiag_socket *s, const struct fl_key *key)
{
	(void)s;
	return key->remote_port != fake.elsewhere;
}

/* --- maps.h --- */

int maps_each_flow(const struct maps *m, maps_flow_fn fn, void *arg)
{
	(void)m;
	for (size_t i = 0; i < MOST && fake.flows[i].id; i++) {
		int r = fn(&fake.flows[i], arg);

		if (r)
			return r;
	}
	return 0;
}

int maps_netns_cookie(const struct maps *m, __u32 inum, __u64 *ret_cookie)
{
	(void)m;
	if (!fake.noted_cookie)
		return -ENOENT;
	assert_int_equal(inum, 100);
	*ret_cookie = fake.noted_cookie;
	return 0;
}

int maps_end_flow(const struct maps *m, const struct fl_flow *flow)
{
	(void)m;
	if (flow->id == fake.ended_meanwhile)
		return -ENOENT;
	fake.taken[fake.taken_count++] = flow->id;
	return 0;
}

int maps_active_ns(const struct maps *m, __u64 id, __u64 *ret_active_ns)
{
	(void)m;
	if (id == fake.ended_meanwhile)
		return -ENOENT;
	*ret_active_ns = fake.active_ns;
	return 0;
}

int maps_each_process(const struct maps *m, int (*fn)(const struct fl_process *p, void *arg),
		      void *arg)
{
	(void)m;
	for (size_t i = 0; i < MOST && fake.processes[i].key.pid; i++) {
		int r = fn(&fake.processes[i], arg);

		if (r)
			return r;
	}
	return 0;
}

/* One process lives: we. */
bool procfs_runs(const struct fl_proc_key *key)
{
	return key->pid == (__u32)getpid();
}

/* The policy's, which is linked in: all of procfs.h is here, so that procfs.c is not. */
int procfs_exe(int dir, const char *link, struct procfs_exe *ret_exe)
{
	(void)dir;
	(void)link;
	(void)ret_exe;
	return -ENOENT;
}

int maps_forget_process(const struct maps *m, const struct fl_proc_key *key)
{
	(void)m;
	fake.forgotten[fake.forgotten_count++] = *key;
	return 0;
}

int maps_forget_listeners(const struct maps *m, __u64 before_ns)
{
	(void)m;
	(void)before_ns;
	return 0;
}

int maps_count(const struct maps *m, enum fl_counter counter, __u64 n)
{
	(void)m;
	fake.counted[counter] += n;
	return 0;
}

int maps_configure(const struct maps *m, void (*fn)(struct fl_config *config, void *arg), void *arg)
{
	(void)m;
	fn(&fake.config, arg);
	return 0;
}

/* --- a world --- */

static int setup(void **state)
{
	(void)state;
	memset(&fake, 0, sizeof(fake));
	agent = (struct agent){ .config = &config };
	fake.spaces[0] = (struct space){ .path = "own", .cookie = 1 };
	return 0;
}

static struct fl_flow *add(__u64 id, enum fl_proto proto)
{
	size_t i = 0;

	while (fake.flows[i].id)
		i++;
	assert_true(i < MOST);
	fake.flows[i] = (struct fl_flow){
		.id = id,
		.cookie = id & ~FL_ID_NUMBERED,
		.key = { .netns_cookie = 1, .local_port = 80, .remote_port = 999, .proto = proto },
		.owner = { .proc = { 5, NONE_SUCH + (__u32)id, 3 } },
		.opened_ns = LONG_AGO,
		.seen_ns = LONG_AGO,
		.role = FL_ROLE_OPENER,
		.state = FL_STATE_ESTABLISHED,
		.members = 1,
	};
	return &fake.flows[i];
}

/* The kernel lists this socket in every dump. */
static void list(size_t space, __u64 cookie)
{
	for (size_t dump = 0; dump < 2; dump++) {
		__u64 *listed = fake.spaces[space].listed[dump];

		while (*listed)
			listed++;
		*listed = cookie;
	}
}

static struct fl_process *add_process(__u32 pid)
{
	size_t i = 0;

	while (fake.processes[i].key.pid)
		i++;
	assert_true(i < MOST);
	fake.processes[i] = (struct fl_process){ .key = { 5, pid, 3 }, .seen_ns = LONG_AGO };
	return &fake.processes[i];
}

static void tell(struct agent *a, const struct fl_flow *flow)
{
	assert_ptr_equal(a, &agent);
	assert_true(fake.told_count < MOST);
	fake.told[fake.told_count++] = *flow;
}

static struct reconcile_result run(void)
{
	struct reconcile_result result;

	assert_int_equal(reconcile_run(&agent, tell, &result), 0);
	for (size_t i = 0; i < 4 && fake.spaces[i].path; i++) {
		if (fake.spaces[i].fd)
			assert_int_equal(fcntl(fake.spaces[i].fd, F_GETFD), -1); /* closed */
	}
	assert_int_equal(fake.told_count, fake.taken_count);
	return result;
}

static void expect_ended(__u64 id, enum fl_reason reason)
{
	struct reconcile_result result = run();

	assert_int_equal(fake.taken_count, 1);
	assert_true(fake.taken[0] == id && fake.told[0].id == id);
	assert_int_equal(fake.told[0].reason, reason);
	assert_int_equal(fake.told[0].ended_ns, NOW);
	assert_int_equal(result.ended, reason != FL_REASON_IDLE);
	assert_int_equal(result.idle, reason == FL_REASON_IDLE);
	assert_int_equal(fake.counted[FL_CNT_END_RECONCILED], result.ended);
	assert_int_equal(fake.counted[FL_CNT_UDP_IDLE], result.idle);
}

static void expect_nothing_ended(void)
{
	struct reconcile_result result = run();

	assert_int_equal(fake.taken_count, 0);
	assert_int_equal(result.ended + result.idle, 0);
	assert_int_equal(fake.counted[FL_CNT_END_RECONCILED] + fake.counted[FL_CNT_UDP_IDLE], 0);
}

/* --- TCP --- */

static void a_socket_that_is_gone(void **state)
{
	(void)state;
	add(5, FL_TCP);
	add(6, FL_TCP);
	list(0, 6);
	expect_ended(5, FL_REASON_LOST);
	assert_int_equal(fake.spaces[0].asked, 1); /* for 5 alone; 6 was listed */
}

static void a_socket_the_dump_passed_over(void **state)
{
	(void)state;
	add(5, FL_TCP);
	fake.there[0] = 5;
	expect_nothing_ended();
	assert_int_equal(fake.spaces[0].asked, 1);
}

static void a_socket_nobody_knows_of(void **state)
{
	(void)state;
	add(5, FL_TCP);
	fake.exists_error = ENOBUFS;
	expect_nothing_ended();
	assert_int_equal(fake.spaces[0].asked, 1);
}

static void a_young_flow(void **state)
{
	(void)state;
	add(5, FL_TCP)->seen_ns = NOW - S;
	add(6, FL_UDP)->seen_ns = NOW - S;
	expect_nothing_ended();
	assert_int_equal(fake.spaces[0].asked, 0);
	fake.flows[0].seen_ns = NOW - 3 * S;
	expect_ended(5, FL_REASON_LOST);
}

static void it_ended_meanwhile(void **state)
{
	(void)state;
	add(5, FL_TCP);
	fake.ended_meanwhile = 5;
	expect_nothing_ended(); /* the kernel side has told it */
}

/* Later lives of a socket have ids of their own; the socket is asked for by its cookie. */
static void a_numbered_flow_goes_by_its_cookie(void **state)
{
	(void)state;
	add(FL_ID_NUMBERED | 5, FL_TCP)->cookie = 77;
	list(0, 77);
	expect_nothing_ended();
}

/* --- namespaces --- */

static void a_namespace_not_entered_is_not_covered(void **state)
{
	(void)state;
	fake.spaces[1] = (struct space){ .path = "other", .cookie = 2, .refused = EPERM };
	add(5, FL_TCP)->key.netns_cookie = 2;
	add(6, FL_UDP)->key.netns_cookie = 2;
	add(7, FL_TCP)->key.netns_cookie = 3; /* nobody's */
	expect_nothing_ended();
	assert_int_equal(fake.spaces[0].asked, 0);
}

static void a_namespace_not_listed_is_not_covered(void **state)
{
	(void)state;
	fake.spaces[0].fails_from = 1;
	fake.spaces[0].fails_with = ENOBUFS;
	add(5, FL_TCP);
	add(6, FL_UDP);
	expect_nothing_ended();
}

static void a_namespace_without_a_cookie_is_not_covered(void **state)
{
	(void)state;
	fake.spaces[0].cookie = 0; /* before 5.14 no socket tells it */
	add(5, FL_TCP)->key.netns_cookie = 0;
	expect_nothing_ended();
}

static void the_kernel_side_notes_cookies_that_no_socket_tells(void **state)
{
	(void)state;
	fake.spaces[0].cookie = 0;
	fake.noted_cookie = 9;
	add(5, FL_TCP)->key.netns_cookie = 9;
	expect_ended(5, FL_REASON_LOST);
}

static void each_namespace_is_asked_for_its_own(void **state)
{
	(void)state;
	fake.spaces[1] = (struct space){ .path = "other", .cookie = 2 };
	add(5, FL_TCP)->key.netns_cookie = 2;
	add(6, FL_TCP);
	list(0, 6);
	expect_ended(5, FL_REASON_LOST);
	assert_int_equal(fake.spaces[0].asked, 0);
	assert_int_equal(fake.spaces[1].asked, 1);
}

static void short_of_memory(void **state)
{
	struct reconcile_result result = { .flows = 77 };

	(void)state;
	fake.spaces[0].fails_from = 1;
	fake.spaces[0].fails_with = ENOMEM;
	add(5, FL_TCP);
	assert_int_equal(reconcile_run(&agent, tell, &result), -ENOMEM);
	assert_int_equal(result.flows, 77);
	assert_int_equal(fake.taken_count, 0);
}

/* --- UDP --- */

static void namespaces_nobody_can_enter(void **state)
{
	struct reconcile_result result;

	(void)state;
	fake.spaces[1] = (struct space){ .path = "closed", .cookie = 2, .refused = EPERM };
	for (__u64 id = 5; id < 9; id++)
		list(0, id);
	add(5, FL_TCP);
	add(6, FL_TCP)->key.netns_cookie = 2;
	add(7, FL_TCP)->key.netns_cookie = 2;
	add(8, FL_TCP)->key.netns_cookie = 4;
	result = run();
	assert_int_equal(result.unreached, 2);
	assert_int_equal(result.unreached_are, 2 ^ 4);
	assert_int_equal(fake.taken_count, 0);
}

/* Of several that listen at one place the kernel, asked, shows any. */
static void a_listener_passed_over_once(void **state)
{
	(void)state;
	add(5, FL_TCP)->key.remote_port = 0;
	add(6, FL_TCP)->key.remote_port = 0; /* and gone */
	fake.spaces[0].listed[1][0] = 5;
	expect_ended(6, FL_REASON_LOST);
	assert_int_equal(fake.spaces[0].asked, 0);
	assert_int_equal(fake.spaces[0].dumps, 2);
}

static void a_udp_socket_passed_over_twice(void **state)
{
	(void)state;
	add(5, FL_UDP);
	add(6, FL_UDP);
	list(0, 6);
	expect_ended(5, FL_REASON_LOST);
	assert_int_equal(fake.spaces[0].dumps, 2);
}

static void a_udp_socket_passed_over_once(void **state)
{
	(void)state;
	add(5, FL_UDP);
	add(6, FL_UDP);
	fake.spaces[0].listed[1][0] = 5;
	fake.spaces[0].listed[1][1] = 6;
	expect_nothing_ended();
	assert_int_equal(fake.spaces[0].dumps, 2); /* however many leave a doubt */
}

static void without_a_doubt_there_is_no_second_dump(void **state)
{
	(void)state;
	add(5, FL_UDP);
	list(0, 5);
	add(6, FL_TCP); /* asked for alone */
	expect_ended(6, FL_REASON_LOST);
	assert_int_equal(fake.spaces[0].dumps, 1);
}

static void a_second_dump_that_fails(void **state)
{
	(void)state;
	fake.spaces[0].fails_from = 2;
	fake.spaces[0].fails_with = ENOBUFS;
	add(5, FL_UDP);
	expect_nothing_ended();
}

/* The socket of a peer is its server's: one cookie for many flows. */
static struct fl_flow *add_peer(__u64 n, __u64 cookie)
{
	struct fl_flow *flow = add(FL_ID_NUMBERED | n, FL_UDP);

	flow->cookie = cookie;
	return flow;
}

static void a_silent_peer(void **state)
{
	(void)state;
	add_peer(1, 5);
	list(0, 5);
	fake.active_ns = NOW - (IDLE_S + 1) * S;
	expect_ended(FL_ID_NUMBERED | 1, FL_REASON_IDLE);
}

static void a_peer_silent_no_longer_than_allowed(void **state)
{
	(void)state;
	add_peer(1, 5);
	list(0, 5);
	fake.active_ns = NOW - IDLE_S * S;
	expect_nothing_ended();
	fake.active_ns = NOW + S; /* seen since this run began */
	expect_nothing_ended();
	fake.active_ns = 0; /* not measured */
	expect_nothing_ended();
	fake.active_ns = 1;
	fake.ended_meanwhile = FL_ID_NUMBERED | 1;
	expect_nothing_ended();
}

/* What is no peer of a shared socket has a socket that says when it ends. */
static void a_udp_socket_that_is_not_connected_any_more(void **state)
{
	(void)state;
	add(5, FL_UDP);
	add(6, FL_UDP);
	list(0, 5);
	list(0, 6);
	fake.undone = 5;
	expect_ended(5, FL_REASON_NONE);
	assert_int_equal(fake.found, 1); /* the other is where the list has it */
}

/* Since they were listed. */
static void udp_sockets_that_are_connected_again(void **state)
{
	(void)state;
	for (__u64 id = 5; id < 9; id++) {
		add(id, FL_UDP);
		list(0, id);
	}
	fake.reconnected = true;
	expect_nothing_ended();
	assert_int_equal(fake.found, 4);
}

static void no_more_udp_sockets_than_that_are_asked_for_alone(void **state)
{
	(void)state;
	for (__u64 id = 1; id < 70; id++) {
		add(id, FL_UDP);
		list(0, id);
	}
	fake.elsewhere = 999;
	run();
	assert_int_equal(fake.found, 64);
	assert_int_equal(fake.taken_count, 64);
}

static void a_udp_socket_connected_elsewhere(void **state)
{
	(void)state;
	add(5, FL_UDP);
	add(6, FL_UDP)->key.remote_port = fake.elsewhere = 77;
	list(0, 5);
	list(0, 6);
	expect_ended(6, FL_REASON_NONE);
}

static void what_a_udp_socket_is_connected_to_nobody_knows(void **state)
{
	(void)state;
	add(5, FL_UDP);
	add(6, FL_UDP)->key.remote_port = 0; /* bound, and no more */
	list(0, 5);
	list(0, 6);
	fake.undone = 6;
	fake.find_error = ENOBUFS;
	expect_nothing_ended();
}

static void silence_of_others_is_no_end(void **state)
{
	(void)state;
	fake.active_ns = 1;
	add(5, FL_UDP); /* connected */
	add_peer(6, 6)->key.remote_port = 0;
	add(FL_ID_NUMBERED | 7, FL_TCP);
	list(0, 5);
	list(0, 6);
	list(0, 7);
	expect_nothing_ended();
}

static void peers_of_a_socket_that_is_gone(void **state)
{
	struct reconcile_result result;

	(void)state;
	add_peer(1, 5);
	add_peer(2, 5);
	fake.active_ns = NOW;
	result = run();
	assert_int_equal(result.ended, 2);
	assert_int_equal(fake.counted[FL_CNT_END_RECONCILED], 2);
}

/* --- sockets without an entry --- */

static void unknown_sockets_are_counted(void **state)
{
	struct reconcile_result result;

	(void)state;
	fake.spaces[1] = (struct space){ .path = "other", .cookie = 2 };
	add(5, FL_TCP);
	add_peer(1, 6);
	add_peer(2, 6);
	for (__u64 cookie = 5; cookie < 9; cookie++)
		list(0, cookie);
	list(1, 20);
	result = run();
	assert_int_equal(result.flows, 3);
	assert_int_equal(result.unknown, 3); /* 7, 8 and 20 */
}

/* --- processes --- */

static void records_of_gone_processes_go(void **state)
{
	(void)state;
	add_process(NONE_SUCH + 50);
	add_process((__u32)getpid());
	add_process((__u32)getpid())->exited_ns = LONG_AGO; /* an exec replaced that image */
	fake.processes[2].key.exec_id--;
	assert_int_equal(run().forgotten, 2);
	assert_int_equal(fake.forgotten[0].pid, NONE_SUCH + 50);
	assert_int_equal(fake.forgotten[1].exec_id, 2);
}

static void records_of_owners_stay(void **state)
{
	(void)state;
	add(5, FL_TCP);
	list(0, 5);
	add_process(NONE_SUCH + 5)->exited_ns = LONG_AGO;
	add_process(NONE_SUCH + 5)->key.exec_id++; /* another image, which owns nothing */
	add_process(NONE_SUCH + 5)->key.start_ns++;
	assert_int_equal(run().forgotten, 2);
	assert_int_equal(fake.forgotten[0].exec_id, 4);
	assert_int_equal(fake.forgotten[1].start_ns, 6);
}

static void records_of_ended_flows_go_with_them(void **state)
{
	(void)state;
	add(5, FL_TCP);
	add_process(NONE_SUCH + 5);
	assert_int_equal(run().forgotten, 1);
}

static void young_records_stay(void **state)
{
	(void)state;
	add_process(NONE_SUCH + 50)->seen_ns = NOW - S;
	assert_int_equal(run().forgotten, 0);
	fake.processes[0].seen_ns = NOW - 3 * S;
	assert_int_equal(run().forgotten, 1);
}

/* --- the rest --- */

static void the_kernel_side_is_told(void **state)
{
	(void)state;
	fake.config = (struct fl_config){ .watched = 1, .seeded = 1, .udp_epoch = 9 };
	add(5, FL_TCP);
	add(6, FL_UDP)->opened_ns = 0;
	add(7, FL_TCP)->opened_ns = 0; /* but gone */
	list(0, 5);
	list(0, 6);
	expect_ended(7, FL_REASON_LOST);
	assert_int_equal(fake.config.udp_epoch, 10);
	assert_int_equal(fake.config.seeded, 0); /* nobody is older than the agent any more */
	assert_int_equal(fake.config.watched, 1);
	fake.there[0] = 7;
	fake.taken_count = fake.told_count = 0;
	memset(fake.counted, 0, sizeof(fake.counted));
	expect_nothing_ended();
	assert_int_equal(fake.config.seeded, 1);
	assert_int_equal(fake.config.udp_epoch, 11);
}

#define TEST(function) cmocka_unit_test_setup(function, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_socket_that_is_gone),
		TEST(a_socket_the_dump_passed_over),
		TEST(a_socket_nobody_knows_of),
		TEST(a_young_flow),
		TEST(it_ended_meanwhile),
		TEST(a_numbered_flow_goes_by_its_cookie),
		TEST(a_namespace_not_entered_is_not_covered),
		TEST(a_namespace_not_listed_is_not_covered),
		TEST(a_namespace_without_a_cookie_is_not_covered),
		TEST(the_kernel_side_notes_cookies_that_no_socket_tells),
		TEST(each_namespace_is_asked_for_its_own),
		TEST(short_of_memory),
		TEST(namespaces_nobody_can_enter),
		TEST(a_listener_passed_over_once),
		TEST(a_udp_socket_passed_over_twice),
		TEST(a_udp_socket_that_is_not_connected_any_more),
		TEST(a_udp_socket_connected_elsewhere),
		TEST(udp_sockets_that_are_connected_again),
		TEST(no_more_udp_sockets_than_that_are_asked_for_alone),
		TEST(what_a_udp_socket_is_connected_to_nobody_knows),
		TEST(a_udp_socket_passed_over_once),
		TEST(without_a_doubt_there_is_no_second_dump),
		TEST(a_second_dump_that_fails),
		TEST(a_silent_peer),
		TEST(a_peer_silent_no_longer_than_allowed),
		TEST(silence_of_others_is_no_end),
		TEST(peers_of_a_socket_that_is_gone),
		TEST(unknown_sockets_are_counted),
		TEST(records_of_gone_processes_go),
		TEST(records_of_owners_stay),
		TEST(records_of_ended_flows_go_with_them),
		TEST(young_records_stay),
		TEST(the_kernel_side_is_told),
	};

	return cmocka_run_group_tests_name("reconcile", tests, NULL, NULL);
}
