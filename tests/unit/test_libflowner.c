/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libflowner on maps in memory (fake_maps.h) and a daemon that is a few functions here: what is
 * read where, what is believed, and whose a packet is.
 */
#include "text/clock.h"
#include "flow/assemble.h"
#include "fake_maps.h"
#include "lib/libflowner.h"

#include <fcntl.h>
#include <flowner/check.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define S 1000000000ULL
#define LIVES 128
#define OWN 7 /* cookie of a namespace */

static char dir[] = "/tmp/flowner-test-XXXXXX";
static struct flowner *handle;

/* The daemon: what it says, and how often it was asked. */
static struct {
	int error; /* of every answer when not 0 */
	struct fl_flow lives[LIVES];
	size_t count;
	int asked;
} daemon_;

/* --- the clock, when it is told what time it is --- */

static __u64 boottime_ns;

int __real_clock_gettime(clockid_t clock, struct timespec *ts);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ts);

int __wrap_clock_gettime(clockid_t clock, struct timespec *ts)
{
	if (clock != CLOCK_BOOTTIME || !boottime_ns)
		return __real_clock_gettime(clock, ts);
	ts->tv_sec = (time_t)(boottime_ns / S);
	ts->tv_nsec = (long)(boottime_ns % S);
	return 0;
}

/* --- libflowner_bpf.c --- */

static const char *const names[TABLES] = {
	[CONNECTIONS] = "l7_connections",
	[SOCKETS] = "socket_to_process",
	[PROCESSES] = "processes",
	[TEXTS] = "process_text",
	[COUNTERS] = "counters",
	[NETNS] = "netns",
	[COOKIES] = "netns_cookies",
	[CONFIG] = "config",
	[META] = "meta",
};

static int open_error;

int pin_open(const char *path)
{
	const char *name = strrchr(path, '/') + 1;

	if (open_error)
		return open_error;
	for (int i = 0; i < TABLES; i++)
		if (strcmp(names[i], name) == 0)
			return FAKE_FD + i;
	return -ENOENT;
}

int pin_sizes(int fd, __u32 *ret_key_size, __u32 *ret_value_size)
{
	*ret_key_size = fake_table(fd)->key_size;
	*ret_value_size = fake_table(fd)->value_size;
	return 0;
}

/* --- libflowner_ask.c --- */

int ask_init(struct ask *ask, const char *path, int timeout_ms)
{
	(void)ask;
	(void)path;
	(void)timeout_ms;
	return 0;
}

void ask_release(struct ask *ask)
{
	(void)ask;
}

int ask_around(struct ask *ask, const struct fl_key *key, __u32 netns_inum, __u64 at_ns,
	       struct around *ret_around)
{
	const struct fl_connection *c = fake_get(CONNECTIONS, key);
	struct around around = { 0 };
	struct fl_flow flow;

	(void)ask;
	(void)netns_inum;
	daemon_.asked++;
	if (daemon_.error)
		return daemon_.error;
	for (size_t i = 0; i < daemon_.count; i++)
		if (memcmp(&daemon_.lives[i].key, key, sizeof(*key)) == 0)
			around_add(&around, &daemon_.lives[i], at_ns);
	if (c) {
		assemble_from_connection(key, c, 0, &flow);
		around_add(&around, &flow, at_ns);
	}
	if (!around.has_before && !around.has_after)
		return -ENOENT;
	*ret_around = around;
	return 0;
}

/* What is asked for as translated is, on the other side, the newest life of behind. */
static struct {
	struct fl_key translated, behind;
	int several;
} nat;

int ask_nat(struct ask *ask, const struct fl_key *key, __u32 netns_inum, struct fl_flow *ret_flow)
{
	const struct fl_key *k = memcmp(key, &nat.translated, sizeof(*key)) ? key : &nat.behind;
	const struct fl_connection *c = fake_get(CONNECTIONS, k);
	struct around around;
	int r;

	if (nat.several)
		return -ENOENT;
	r = ask_around(ask, k, netns_inum, UINT64_MAX, &around);
	if (r == 0)
		*ret_flow = around.before;
	if (!c || daemon_.error)
		return r;
	assemble_from_connection(k, c, 0, ret_flow);
	return 0;
}

int ask_id(struct ask *ask, __u64 id, struct fl_flow *ret_flow, struct fl_process *ret_process,
	   struct fl_text *ret_text)
{
	(void)ask;
	daemon_.asked++;
	if (ret_process)
		memset(ret_process, 0, sizeof(*ret_process));
	if (daemon_.error)
		return daemon_.error;
	for (size_t i = 0; i < daemon_.count; i++) {
		if (daemon_.lives[i].id != id)
			continue;
		*ret_flow = daemon_.lives[i];
		if (ret_process)
			*ret_process = (struct fl_process){ .key = ret_flow->owner.proc };
		if (ret_text) {
			memset(ret_text, 0, sizeof(*ret_text));
			ret_text->key = ret_flow->owner.proc;
			ret_text->ready = 1;
			ret_text->exe_len = 4;
			memcpy(ret_text->text, "/bin", 5);
		}
		return 0;
	}
	return -ENOENT;
}

int ask_each(struct ask *ask, maps_flow_fn fn, void *arg)
{
	int r = daemon_.error;

	(void)ask;
	for (size_t i = 0; i < daemon_.count && r == 0; i++)
		r = fn(&daemon_.lives[i], arg);
	return r;
}

int ask_hello(struct ask *ask)
{
	(void)ask;
	return daemon_.error;
}

int ask_stream(const struct ask *ask, const char *target, struct response *response, int *ret_fd)
{
	(void)ask;
	(void)target;
	(void)response;
	(void)ret_fd;
	return -ECONNREFUSED;
}

int ask_error(int status)
{
	return -status;
}

/* --- what there is --- */

static struct fl_addr v4(__u8 last)
{
	const __u8 bytes[4] = { 127, 0, 0, last };

	return flowner_addr4(bytes);
}

/* 127.0.0.1:PORT -> 127.0.0.2:80 */
static struct fl_key client_key(__u16 port)
{
	return (struct fl_key){ .netns_cookie = OWN,
				.local = v4(1),
				.remote = v4(2),
				.local_port = port,
				.remote_port = 80,
				.proto = FL_TCP };
}

static struct fl_key reversed(struct fl_key key)
{
	struct fl_key other = key;

	other.local = key.remote;
	other.remote = key.local;
	other.local_port = key.remote_port;
	other.remote_port = key.local_port;
	return other;
}

static struct fl_key bound(struct fl_addr local, __u16 port, enum fl_proto proto)
{
	return (struct fl_key){
		.netns_cookie = OWN, .local = local, .local_port = port, .proto = proto
	};
}

/* Owned by pid 1000 + ID. */
static struct fl_flow make_flow(__u64 id, struct fl_key key, enum fl_role role, __u64 opened_ns,
				__u64 ended_ns)
{
	return (struct fl_flow){
		.id = id,
		.cookie = id,
		.key = key,
		.owner = { .proc = { .start_ns = 1, .pid = 1000 + (__u32)id, .exec_id = 1 } },
		.opened_ns = opened_ns,
		.seen_ns = opened_ns,
		.ended_ns = ended_ns,
		.role = role,
		.accepted = 1,
	};
}

static void put_live(const struct fl_flow *f)
{
	struct fl_connection c = { .flow_id = f->id,
				   .owner = f->owner,
				   .opened_ns = f->opened_ns,
				   .role = f->role,
				   .state = FL_STATE_ESTABLISHED,
				   .accepted = f->accepted,
				   .members = 1 };
	struct fl_socket s = { .key = f->key,
			       .owner = f->owner,
			       .cookie = f->id,
			       .opened_ns = f->opened_ns,
			       .role = f->role,
			       .accepted = f->accepted };

	c.check = fl_check_connection(&f->key, &c);
	s.check = fl_check_socket(f->id, &s);
	fake_put(CONNECTIONS, &f->key, &c);
	fake_put(SOCKETS, &f->id, &s);
}

static void live(__u64 id, struct fl_key key, enum fl_role role, __u64 opened_ns)
{
	struct fl_flow f = make_flow(id, key, role, opened_ns, 0);

	put_live(&f);
}

static void ended(__u64 id, struct fl_key key, enum fl_role role, __u64 opened_ns, __u64 ended_ns)
{
	daemon_.lives[daemon_.count++] = make_flow(id, key, role, opened_ns, ended_ns);
}

static void put_meta(__u32 layout, __u32 retired)
{
	struct fl_meta meta = { .layout = layout, .retired = retired, .seeded_ns = 5 };
	__u32 zero = 0;

	fake_put(META, &zero, &meta);
}

static int try_open(void)
{
	struct flowner_options o = { .size = sizeof(o), .pin_dir = dir };
	int r = flowner_open(&o, &handle);

	if (r == 0)
		handle->netns_cookie = OWN;
	return r;
}

static int setup(void **state)
{
	(void)state;
	fake_new();
	memset(&daemon_, 0, sizeof(daemon_));
	memset(&nat, 0, sizeof(nat));
	boottime_ns = 0;
	open_error = 0;
	put_meta(FL_LAYOUT, 0);
	return try_open();
}

static int teardown(void **state)
{
	(void)state;
	flowner_close(handle);
	handle = NULL;
	fake_free();
	return 0;
}

/* --- opening --- */

static void opening(void **state)
{
	struct flowner_options small = { .size = 8 };
	struct flowner *other;

	(void)state;
	assert_int_equal(flowner_source(handle), FLOWNER_MAPS);
	assert_int_equal(flowner_open(&small, &other), -EINVAL);
	assert_string_equal(flowner_version(), FLOWNER_VERSION);
	assert_non_null(flowner_strerror(-ESTALE));
	flowner_close(handle);
	handle = NULL;
	daemon_.error = -ECONNREFUSED;
	open_error = -ENOENT;
	assert_int_equal(try_open(), -ECONNREFUSED);
	open_error = -EACCES;
	assert_int_equal(try_open(), -EACCES);
	daemon_.error = 0;
	assert_int_equal(try_open(), 0);
	assert_int_equal(flowner_source(handle), FLOWNER_SOCKET);
}

static void other_layouts(void **state)
{
	(void)state;
	flowner_close(handle);
	handle = NULL;
	put_meta(FL_LAYOUT + 1, 0);
	assert_int_equal(try_open(), -ESTALE);
	put_meta(FL_LAYOUT, 0);
	fake.tables[CONNECTIONS].value_size += 8;
	assert_int_equal(try_open(), -ESTALE);
	fake.tables[CONNECTIONS].value_size -= 8;
	assert_int_equal(try_open(), 0);
}

/* --- live flows --- */

static void exact(void **state)
{
	struct fl_key key = client_key(1);
	struct flowner_flow f;

	(void)state;
	live(1, key, FL_ROLE_OPENER, 10 * S);
	assert_int_equal(flowner_find(handle, &key, &f), 0);
	assert_int_equal(f.id, 1);
	assert_int_equal(f.owner.proc.pid, 1001);
	assert_int_equal(f.opened_ns, 10 * S);
	key.netns_cookie = 0; /* our own */
	assert_int_equal(flowner_find(handle, &key, &f), 0);
	key.netns_cookie = OWN + 1;
	assert_int_equal(flowner_find(handle, &key, &f), -ENOENT);
	assert_int_equal(flowner_find_id(handle, 1, &f), 0);
	assert_int_equal(f.cookie, 1);
	assert_int_equal(flowner_find_id(handle, 0, &f), -ENOENT);
	assert_int_equal(daemon_.asked, 0);
}

static void tear_owner(int table, void *value)
{
	if (table == CONNECTIONS)
		((struct fl_connection *)value)->owner.proc.pid++;
}

static void torn(void **state)
{
	struct fl_key key = client_key(1);
	struct flowner_flow f;

	(void)state;
	live(1, key, FL_ROLE_OPENER, 10 * S);
	fake.tear = tear_owner;
	fake.tears = 3;
	assert_int_equal(flowner_find(handle, &key, &f), 0);
	assert_int_equal(f.owner.proc.pid, 1001);
	fake.tears = 1000;
	assert_int_equal(flowner_find(handle, &key, &f), -ENOENT); /* nobody, rather than another */
}

/* Before 5.19 a process that gave up its rights may not even read: EPERM from every call. */
static void rights_given_up(void **state)
{
	struct fl_key key = client_key(1);
	struct flowner_flow f;

	(void)state;
	live(1, key, FL_ROLE_OPENER, 10 * S);
	ended(1, key, FL_ROLE_OPENER, 10 * S, 0); /* what the daemon says of a live one */
	fake.error = EPERM;
	assert_int_equal(flowner_find(handle, &key, &f), 0);
	assert_int_equal(f.id, 1);
	assert_int_equal(daemon_.asked, 1);
	assert_int_equal(flowner_source(handle), FLOWNER_SOCKET);
	daemon_.error = -ECONNREFUSED;
	assert_int_equal(flowner_find(handle, &key, &f), -ECONNREFUSED);
}

static int find_soon(const struct fl_key *key, struct flowner_flow *f)
{
	int r = -ENOENT;

	for (int i = 0; i < 1000 && r == -ENOENT; i++) {
		r = flowner_find(handle, key, f);
		if (r == -ENOENT) /* a tick of the coarse clock */
			clock_nanosleep(CLOCK_MONOTONIC, 0,
					&(struct timespec){ .tv_nsec = 1000000 },
					NULL); /* lint: poll */
	}
	return r;
}

static void another_daemon(void **state)
{
	struct fl_key key = client_key(1);
	struct flowner_flow f;

	(void)state;
	live(1, key, FL_ROLE_OPENER, 10 * S);
	/* it empties its maps and says so; the fake's next daemon has the same ones, renewed */
	put_meta(FL_LAYOUT, 1);
	fake_remove(CONNECTIONS, &key);
	assert_int_equal(flowner_find(handle, &key, &f), -ENOENT);
	put_meta(FL_LAYOUT, 0);
	live(2, key, FL_ROLE_OPENER, 20 * S);
	assert_int_equal(find_soon(&key, &f), 0);
	assert_int_equal(f.id, 2);
}

static int count_flows(const struct flowner_flow *f, void *arg)
{
	assert_int_equal(f->owner.proc.pid, 1000 + f->id);
	++*(int *)arg;
	return 0;
}

static void each(void **state)
{
	int count = 0;

	(void)state;
	live(1, client_key(1), FL_ROLE_OPENER, 10 * S);
	live(2, client_key(2), FL_ROLE_OPENER, 10 * S);
	assert_int_equal(flowner_each(handle, count_flows, &count), 0);
	assert_int_equal(count, 2);
	fake.error = EPERM;
	ended(3, client_key(3), FL_ROLE_OPENER, 10 * S, 0);
	assert_int_equal(flowner_each(handle, count_flows, &count), 0);
	assert_int_equal(count, 3);
}

static int refuse(const struct flowner_flow *f, void *arg)
{
	(void)f;
	++*(int *)arg;
	return -EACCES;
}

/* What the function says is its own: not that the maps are closed. */
static void each_that_is_ended_with_an_error(void **state)
{
	int count = 0;

	(void)state;
	live(1, client_key(1), FL_ROLE_OPENER, 10 * S);
	ended(1, client_key(1), FL_ROLE_OPENER, 10 * S, 0); /* what the daemon says of a live one */
	assert_int_equal(flowner_each(handle, refuse, &count), -EACCES);
	assert_int_equal(count, 1);
}

/* In the maps only its record is ours to read; the text is root's, and asked for. */
static void put_process(const struct fl_proc_key *key)
{
	struct fl_process p = { .head = { .type = FL_RECORD_PROCESS, .size = sizeof(p) },
				.key = *key,
				.cgroup_id = 77 };

	fake_put(PROCESSES, key, &p);
}

static void images_of_live_ones(void **state)
{
	static struct flowner_image image;
	struct flowner_flow f;

	(void)state;
	live(1, client_key(1), FL_ROLE_OPENER, 10 * S);
	assert_int_equal(flowner_find_id(handle, 1, &f), 0);
	put_process(&f.owner.proc);
	assert_int_equal(flowner_find_image(handle, &f, &image), 0); /* the daemon knows nothing */
	assert_int_equal(image.cgroup_id, 77);
	assert_int_equal(image.exe_len, 0);
	ended(1, client_key(1), FL_ROLE_OPENER, 10 * S, 0);
	daemon_.lives[0].owner.proc.exec_id++; /* it is another image's by now */
	assert_int_equal(flowner_find_image(handle, &f, &image), 0);
	assert_int_equal(image.cgroup_id, 77);
	assert_int_equal(image.exe_len, 0);
	daemon_.lives[0].owner.proc.exec_id--;
	assert_int_equal(flowner_find_image(handle, &f, &image), 0);
	assert_string_equal(image.exe, "/bin");
}

static void images(void **state)
{
	static struct flowner_image image;
	struct flowner_flow f;

	(void)state;
	ended(1, client_key(1), FL_ROLE_OPENER, 10 * S, 20 * S);
	assert_int_equal(flowner_find_id(handle, 1, &f), 0);
	assert_int_equal(flowner_find_image(handle, &f, &image), 0);
	assert_string_equal(image.exe, "/bin");
	assert_int_equal(image.process.pid, 1001);
	f.owner.proc.exec_id++; /* another image than the daemon knows */
	assert_int_equal(flowner_find_image(handle, &f, &image), -ENOENT);
	f.owner.proc.pid = 0;
	assert_int_equal(flowner_find_image(handle, &f, &image), -ENOENT);
}

/* --- at a time --- */

static void at_a_time(void **state)
{
	struct fl_key key = client_key(1);
	struct flowner_flow f;

	(void)state;
	ended(1, key, FL_ROLE_OPENER, 10 * S, 20 * S);
	live(2, key, FL_ROLE_OPENER, 30 * S);
	assert_int_equal(flowner_find_at(handle, &key, 31 * S, &f), 0);
	assert_int_equal(f.id, 2);
	assert_int_equal(daemon_.asked, 0);
	assert_int_equal(flowner_find_at(handle, &key, 15 * S, &f), 0);
	assert_int_equal(f.id, 1);
	assert_int_equal(daemon_.asked, 1);
	assert_int_equal(flowner_find_at(handle, &key, 12 * S, &f), 0); /* remembered */
	assert_int_equal(daemon_.asked, 1);
	assert_int_equal(flowner_find_at(handle, &key, 25 * S, &f), -ENOENT);
	assert_int_equal(flowner_find_at(handle, &key, 5 * S, &f), -ENOENT);
	daemon_.error = -ETIMEDOUT;
	key = client_key(2);
	assert_int_equal(flowner_find_at(handle, &key, 5 * S, &f), -ETIMEDOUT);
}

/* --- packets --- */

static struct flowner_packet packet(struct fl_key from, __u64 time_ns, __u32 flags)
{
	return (struct flowner_packet){ .source = from.local,
					.destination = from.remote,
					.source_port = from.local_port,
					.destination_port = from.remote_port,
					.proto = from.proto,
					.time_ns = time_ns,
					.flags = flags };
}

/* Ids of sender and receiver, 0: nobody. */
static void expect_answer(struct flowner_packet p, __u64 from_id, __u64 to_id, int more)
{
	struct flowner_flow from = { 0 }, to = { 0 };
	int r = flowner_find_packet(handle, &p, &from, &to);

	assert_int_equal(from.id, from_id);
	assert_int_equal(to.id, to_id);
	assert_int_equal(r, (from_id ? FLOWNER_SENDER : 0) | (to_id ? FLOWNER_RECEIVER : 0) | more);
}

static void expect_packet(struct flowner_packet p, __u64 from_id, __u64 to_id)
{
	expect_answer(p, from_id, to_id, 0);
}

static void packets_now(void **state)
{
	struct fl_key key = client_key(1);
	struct flowner_packet p = packet(key, 0, 0);
	struct flowner_flow to;

	(void)state;
	live(1, key, FL_ROLE_OPENER, 10 * S);
	expect_packet(p, 1, 0);
	live(2, reversed(key), FL_ROLE_ACCEPTOR, 11 * S);
	expect_packet(p, 1, 2);
	expect_packet(packet(reversed(key), 0, 0), 2, 1);
	assert_int_equal(flowner_find_packet(handle, &p, NULL, &to), FLOWNER_RECEIVER);
	p.proto = 1;
	assert_int_equal(flowner_find_packet(handle, &p, NULL, &to), -EINVAL);
	assert_int_equal(daemon_.asked, 0);
}

static void down_the_ladder(void **state)
{
	struct fl_key key = client_key(1);
	struct fl_addr any6 = { { 0 } }, any4 = v4(1), remote4;
	const __u8 far[4] = { 192, 0, 2, 1 };

	(void)state;
	memset(&any4.b[12], 0, 4);
	key.proto = FL_UDP;
	live(1, bound(any6, 80, FL_UDP), FL_ROLE_USER, 1 * S);
	expect_packet(packet(key, 0, 0), 0, 1);
	live(2, bound(any4, 80, FL_UDP), FL_ROLE_USER, 1 * S);
	expect_packet(packet(key, 0, 0), 0, 2);
	live(3, bound(v4(2), 80, FL_UDP), FL_ROLE_USER, 1 * S);
	expect_packet(packet(key, 0, 0), 0, 3);
	/* an address nobody said is ours: our socket for any address has nothing to do with it */
	remote4 = flowner_addr4(far);
	key.remote = remote4;
	expect_packet(packet(key, 0, 0), 0, 0);
	expect_packet(packet(key, 0, FLOWNER_PACKET_FOR_HOST), 0, 2);
	expect_packet(packet(reversed(key), 0, FLOWNER_PACKET_FROM_HOST), 2, 0);
}

/* A socket that is bound to an interface has the packets of no other. */
static void packets_of_an_interface(void **state)
{
	struct fl_key key = client_key(1), near, local;
	struct flowner_packet p = packet(key, 0, 0);

	(void)state;
	key.ifindex = 3;
	live(1, key, FL_ROLE_OPENER, 10 * S);
	expect_packet(p, 0, 0);
	p.ifindex = 4;
	expect_packet(p, 0, 0);
	p.ifindex = 3;
	expect_packet(p, 1, 0);
	near = reversed(client_key(1)); /* the other end is of every interface */
	live(2, near, FL_ROLE_ACCEPTOR, 10 * S);
	expect_packet(p, 1, 2);
	p.flags = FLOWNER_PACKET_SYN;
	live(3, bound(v4(2), 80, FL_TCP), FL_ROLE_LISTENER, 1 * S);
	expect_packet(p, 1, 3);
	local = bound(v4(2), 80, FL_TCP);
	local.ifindex = 3;
	live(4, local, FL_ROLE_LISTENER, 1 * S);
	expect_packet(p, 1, 4);
	p.ifindex = 4;
	expect_packet(p, 0, 3);
}

/* Those of link-local addresses are always of an interface: nobody asks for others. */
static void link_local_packets(void **state)
{
	struct fl_addr one = { .b = { 0xfe, 0x80, [15] = 1 } }, other = one, any = { { 0 } };
	struct fl_key key = client_key(1);
	struct flowner_packet p;

	(void)state;
	other.b[15] = 2;
	key.local = one;
	key.remote = other;
	p = packet(key, 15 * S, 0);
	key.ifindex = 3;
	ended(1, key, FL_ROLE_OPENER, 10 * S, 20 * S);
	key.ifindex = 4; /* the same addresses on another link */
	ended(2, key, FL_ROLE_OPENER, 10 * S, 20 * S);
	p.ifindex = 3;
	assert_int_equal(flowner_find_packet(handle, &p, &(struct flowner_flow){ 0 }, NULL),
			 FLOWNER_SENDER);
	assert_int_equal(daemon_.asked, 1);
	expect_packet(p, 1, 0);
	p.ifindex = 4;
	expect_packet(p, 2, 0);
	live(3, bound(any, 80, FL_TCP), FL_ROLE_LISTENER, 1 * S);
	p.flags = FLOWNER_PACKET_SYN | FLOWNER_PACKET_FOR_HOST;
	expect_packet(p, 2, 3);
}

/* Of one tuple: 1 and 2 until 20 s and 21 s; 3 since 30 s, with 4 a microsecond later. */
static void two_lives(void)
{
	struct fl_key key = client_key(1);

	ended(1, key, FL_ROLE_OPENER, 10 * S, 20 * S);
	ended(2, reversed(key), FL_ROLE_ACCEPTOR, 11 * S, 21 * S);
	live(3, key, FL_ROLE_OPENER, 30 * S);
	live(4, reversed(key), FL_ROLE_ACCEPTOR, 30 * S + 1000);
	live(5, bound(v4(2), 80, FL_TCP), FL_ROLE_LISTENER, 1 * S);
}

static void packets_of_two_lives(void **state)
{
	struct fl_key key = client_key(1);

	(void)state;
	two_lives();
	expect_packet(packet(key, 15 * S, 0), 1, 2);
	expect_packet(packet(reversed(key), 15 * S, 0), 2, 1);
	expect_packet(packet(key, 22 * S, 0), 1, 2);			  /* late */
	expect_packet(packet(key, 30 * S + 1, FLOWNER_PACKET_SYN), 3, 5); /* opening */
	expect_packet(packet(reversed(key), 30 * S + 2, FLOWNER_PACKET_SYN), 5, 3);
	expect_packet(packet(key, 30 * S + 3, 0), 3, 4); /* early, though 2 might be late */
	expect_packet(packet(key, 40 * S, 0), 3, 4);
	/* before all of them: whose it would have been */
	expect_packet(packet(key, 5 * S, 0), 0, 5);
}

/* The acceptor's last ACK, nearer to the tuple's next life: the opener, still there, tells. */
static void last_ack_before_the_next_life(void **state)
{
	struct fl_key key = client_key(1);

	(void)state;
	ended(1, key, FL_ROLE_OPENER, 10 * S, 20 * S + 900);
	ended(2, reversed(key), FL_ROLE_ACCEPTOR, 11 * S, 20 * S);
	ended(3, key, FL_ROLE_OPENER, 20 * S + 1000, 22 * S);
	ended(4, reversed(key), FL_ROLE_ACCEPTOR, 20 * S + 1100, 22 * S);
	expect_packet(packet(reversed(key), 20 * S + 800, 0), 2, 1);
	expect_packet(packet(key, 20 * S + 800, 0), 1, 2);
	expect_packet(packet(key, 20 * S + 1010, 0), 3, 4);
}

/*
 * The ACK that completes a handshake, asked about before the session is there and again because
 * accept() was not called yet: the life that ended before may be remembered by then, and the opener
 * tells that it is not that one's.
 */
static void asked_again(void **state)
{
	struct fl_key key = client_key(1), acceptor = reversed(key);
	struct fl_flow interim = make_flow(4, acceptor, FL_ROLE_ACCEPTOR, 20 * S + 300, 0);
	struct flowner_packet ack = packet(key, 20 * S + 200, 0);

	(void)state;
	boottime_ns = 20 * S + 20000000;
	ended(1, key, FL_ROLE_OPENER, 10 * S, 20 * S - 100);
	ended(2, acceptor, FL_ROLE_ACCEPTOR, 11 * S, 20 * S - 50);
	live(3, key, FL_ROLE_OPENER, 20 * S + 100);
	expect_answer(ack, 3, 0, FLOWNER_AGAIN);
	live(5, bound(v4(2), 80, FL_TCP), FL_ROLE_LISTENER, 1 * S);
	expect_answer(ack, 3, 5, FLOWNER_AGAIN);
	interim.accepted = 0;
	put_live(&interim);
	expect_packet(ack, 3, 4);
	expect_packet(ack, 3, 4);
	fake_remove(CONNECTIONS, &acceptor);
	ended(4, acceptor, FL_ROLE_ACCEPTOR, 20 * S + 300, 20 * S + 400);
	expect_packet(ack, 3, 4);
	daemon_.asked = 0;
	expect_packet(ack, 3, 4); /* now it cannot change any more */
	assert_int_equal(daemon_.asked, 0);
}

/* connect() has its tuple, and at the other end the last life is still to end. */
static void begun_before_the_last_end(void **state)
{
	struct fl_key key = client_key(1), acceptor = reversed(key);

	(void)state;
	boottime_ns = 20 * S + 20000000;
	ended(1, key, FL_ROLE_OPENER, 10 * S, 20 * S - 100);
	ended(2, acceptor, FL_ROLE_ACCEPTOR, 11 * S, 20 * S + 50);
	live(3, key, FL_ROLE_OPENER, 20 * S);
	expect_answer(packet(key, 20 * S + 200, 0), 3, 0, FLOWNER_AGAIN);
	live(4, acceptor, FL_ROLE_ACCEPTOR, 20 * S + 300);
	expect_packet(packet(key, 20 * S + 200, 0), 3, 4);
	expect_packet(packet(key, 20 * S + 400, 0), 3, 4);
}

/* A FIN that came twice is acknowledged to a tuple that the next connect() has just taken over. */
static void a_last_word(void **state)
{
	struct fl_key key = client_key(1), acceptor = reversed(key);
	struct fl_addr any = { { 0 } };
	__u64 refused = 20 * S + S / 5, next = 21 * S + S / 2;

	(void)state;
	ended(1, key, FL_ROLE_OPENER, 10 * S, 20 * S);
	ended(2, acceptor, FL_ROLE_ACCEPTOR, 11 * S, 20 * S + 100);
	ended(3, key, FL_ROLE_OPENER, refused, refused + 50000);
	ended(4, key, FL_ROLE_OPENER, next, next + 2 * S);
	ended(5, acceptor, FL_ROLE_ACCEPTOR, next + 500000, next + 2 * S);
	for (int i = 0; i < 2; i++) { /* the second time it may be remembered */
		expect_packet(packet(acceptor, next + 100000, 0), 2, 3);
		expect_packet(packet(key, next + 100000, 0), 4, 5);
		expect_packet(packet(acceptor, next + 490000, 0), 5, 4);   /* clocks */
		expect_packet(packet(acceptor, refused + 30000, 0), 0, 3); /* a closed port's */
	}
	live(6, bound(any, 80, FL_TCP), FL_ROLE_LISTENER, 1 * S);
	expect_packet(packet(acceptor, next + 100000, 0), 2, 3);
}

/* A handshake that is never completed is not waited for. */
static void it_does_not_come(void **state)
{
	struct fl_key key = client_key(1);
	struct flowner_packet ack;

	(void)state;
	key.local.b[12] = key.remote.b[12] = 10;
	live(1, key, FL_ROLE_OPENER, 10 * S);
	ack = packet(key, 20 * S, 0);
	boottime_ns = 21 * S - 1;
	expect_packet(ack, 1, 0); /* the other end may be of any host */
	ack.flags = FLOWNER_PACKET_FOR_HOST;
	expect_answer(ack, 1, 0, FLOWNER_AGAIN);
	boottime_ns++;
	expect_packet(ack, 1, 0);
}

/*
 * Sessions nobody had and sockets nobody stands by are asked about once; but a session that begins
 * within a second may still have its handshake's packet.
 */
static void nobody_is_remembered(void **state)
{
	struct fl_addr any = { { 0 } };
	struct flowner_packet p = packet(client_key(1), 18 * S, 0);

	(void)state;
	boottime_ns = 20 * S;
	live(1, bound(any, 80, FL_TCP), FL_ROLE_LISTENER, 1 * S);
	for (int i = 0; i < 100; i++)
		expect_packet(p, 0, 1);
	assert_int_equal(daemon_.asked,
			 7); /* two ends, three sockets of the one, two of the other */
	p.time_ns = 20 * S;
	expect_packet(p, 0, 1);
	assert_int_equal(daemon_.asked, 9);
	p.time_ns = boottime_ns = 20 * S + 1;
	expect_packet(p, 0, 1);
	assert_int_equal(daemon_.asked, 16);
}

/* --- what is remembered is what the daemon would say --- */

/* A side of a session, whose lives begin and end by chance while packets of it are asked about. */
struct side {
	struct fl_key key;
	enum fl_role role;
	struct fl_flow now;   /* id 0: nobody has it */
	struct fl_flow *last; /* that ended; NULL none */
};

static __u64 next_id;

static __u64 chance(__u64 below)
{
	static __u64 x = 88172645463325252ULL;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x % below;
}

/* Of all sizes alike, from nanoseconds to what is too long for anything here. */
static __u64 some_time(void)
{
	return chance(100 * S) >> chance(37);
}

static void accept_by_another(struct fl_flow *flow)
{
	flow->owner.proc.pid += 5000;
	flow->accepted = 1;
}

static void side_turn(struct side *s)
{
	switch (chance(4)) {
	case 0:
		if (s->now.id)
			break;
		s->now = make_flow(++next_id, s->key, s->role, boottime_ns, 0);
		s->now.accepted = s->role != FL_ROLE_ACCEPTOR || chance(2);
		put_live(&s->now);
		break;
	case 1:
		if (!s->now.id || daemon_.count == LIVES)
			break;
		s->now.ended_ns = boottime_ns;
		fake_remove(CONNECTIONS, &s->key);
		s->last = &daemon_.lives[daemon_.count++];
		*s->last = s->now;
		s->now.id = 0;
		break;
	case 2:
		if (s->now.id && !s->now.accepted) {
			accept_by_another(&s->now);
			put_live(&s->now);
		}
		break;
	default: /* within a second after the end, too */
		if (s->last && !s->last->accepted && boottime_ns - s->last->ended_ns < S)
			accept_by_another(s->last);
	}
}

/* Near a border of one of the last lives, or of now. */
static __u64 some_moment(void)
{
	size_t back = chance(4) + 1;
	const struct fl_flow *f = daemon_.count < back ? NULL
						       : &daemon_.lives[daemon_.count - back];
	__u64 at_ns = f ? (chance(2) ? f->opened_ns : f->ended_ns) : boottime_ns;

	at_ns += chance(2) ? some_time() : -some_time();
	return at_ns < boottime_ns ? at_ns : boottime_ns;
}

/* Adds to ASKED[] how often the daemon was asked by who remembers, and by who does not. */
static void ask_both(const struct flowner_packet *p, int asked[2])
{
	struct flowner *handles[2] = { handle, NULL };
	struct flowner_flow from[2], to[2];
	int r[2];

	memset(from, 0, sizeof(from));
	memset(to, 0, sizeof(to));
	assert_int_equal(try_open(), 0);
	handles[1] = handle;
	for (int i = 0; i < 2; i++) {
		daemon_.asked = 0;
		r[i] = flowner_find_packet(handles[i], p, &from[i], &to[i]);
		asked[i] += daemon_.asked;
	}
	flowner_close(handles[1]);
	handle = handles[0];
	assert_int_equal(r[0], r[1]);
	assert_memory_equal(&from[0], &from[1], sizeof(from[0]));
	assert_memory_equal(&to[0], &to[1], sizeof(to[0]));
}

static void story(int asked[2])
{
	struct side sides[3] = { { .key = client_key(1), .role = FL_ROLE_OPENER },
				 { .key = reversed(client_key(1)), .role = FL_ROLE_ACCEPTOR },
				 { .key = bound(v4(2), 80, FL_TCP), .role = FL_ROLE_LISTENER } };

	boottime_ns = 1000 * S;
	for (int i = 0; i < 1000; i++) {
		__u32 flags = chance(4) ? 0 : FLOWNER_PACKET_SYN;
		struct flowner_packet p = packet(sides[chance(2)].key, some_moment(), flags);

		ask_both(&p, asked);
		if (chance(4))
			continue;
		side_turn(&sides[chance(3)]);
		boottime_ns += some_time();
	}
}

static void remembered_as_asked_anew(void **state)
{
	int asked[2] = { 0 };

	for (int i = 0; i < 20; i++) {
		story(asked);
		teardown(state);
		setup(state);
	}
	assert_in_range(asked[0], 1, asked[1] - 1);
}

/* The opener is on another host: the nearer life it is. */
static void packets_from_afar(void **state)
{
	struct fl_key key = reversed(client_key(1));
	struct flowner_packet p = packet(client_key(1), 0, 0);
	struct flowner_flow to;

	(void)state;
	ended(2, key, FL_ROLE_ACCEPTOR, 11 * S, 21 * S);
	ended(4, key, FL_ROLE_ACCEPTOR, 30 * S, 31 * S);
	p.time_ns = 30 * S - 1000;
	assert_int_equal(flowner_find_packet(handle, &p, NULL, &to), FLOWNER_RECEIVER);
	assert_int_equal(to.id, 4);
	p.time_ns = 21 * S + 1000;
	assert_int_equal(flowner_find_packet(handle, &p, NULL, &to), FLOWNER_RECEIVER);
	assert_int_equal(to.id, 2);
	p.time_ns = 92 * S; /* TIME-WAIT is over */
	assert_int_equal(flowner_find_packet(handle, &p, NULL, &to), 0);
}

/* A datagram after the end of its peer's flow is for the socket that is there now. */
static void late_datagrams(void **state)
{
	struct fl_key key = client_key(1);

	(void)state;
	key.proto = FL_UDP;
	ended(1, reversed(key), FL_ROLE_ACCEPTOR, 10 * S, 20 * S);
	expect_packet(packet(key, 22 * S, 0), 0, 1);
	live(2, bound(v4(2), 80, FL_UDP), FL_ROLE_USER, 1 * S);
	expect_packet(packet(key, 22 * S, 0), 0, 2);
	expect_packet(packet(key, 15 * S, 0), 0, 1);
}

/* --- behind NAT --- */

/* 127.0.0.9:5 of another namespace looks like 127.0.0.1:1 here, to 127.0.0.2:80. */
static void translate(void)
{
	nat.translated = nat.behind = client_key(1);
	nat.behind.netns_cookie = OWN + 1;
	nat.behind.local = v4(9);
	nat.behind.local_port = 5;
}

static void expect_seen_as(const struct flowner_flow *f, const struct fl_key *seen)
{
	assert_int_equal(f->nat, 1);
	assert_memory_equal(&f->nat_local, &seen->local, sizeof(seen->local));
	assert_memory_equal(&f->nat_remote, &seen->remote, sizeof(seen->remote));
	assert_int_equal(f->nat_local_port, seen->local_port);
	assert_int_equal(f->nat_remote_port, seen->remote_port);
}

static void session_behind_nat(void **state)
{
	struct fl_key key = client_key(1);
	struct flowner_flow f;

	(void)state;
	translate();
	assert_int_equal(flowner_find_nat(handle, &key, &f), -ENOENT);
	ended(1, nat.behind, FL_ROLE_OPENER, 10 * S, 20 * S);
	assert_int_equal(flowner_find_nat(handle, &key, &f), -ENOENT);
	live(2, nat.behind, FL_ROLE_OPENER, 30 * S);
	key.netns_cookie = 0; /* our own */
	assert_int_equal(flowner_find_nat(handle, &key, &f), 0);
	assert_int_equal(f.id, 2);
	assert_memory_equal(&f.session, &nat.behind, sizeof(nat.behind));
	expect_seen_as(&f, &key);
	nat.several = 1;
	assert_int_equal(flowner_find_nat(handle, &key, &f), -ENOENT);
	nat.several = 0;
	daemon_.error = -ECONNREFUSED;
	assert_int_equal(flowner_find_nat(handle, &key, &f), -ECONNREFUSED);
	daemon_.asked = 0;
	assert_int_equal(flowner_find(handle, &key, &f), -ENOENT);
	key.remote_port = 0; /* no session */
	assert_int_equal(flowner_find_nat(handle, &key, &f), -ENOENT);
	live(3, client_key(1), FL_ROLE_OPENER, 40 * S);
	key = client_key(1);
	assert_int_equal(flowner_find_nat(handle, &key, &f), 0);
	assert_int_equal(f.id, 3);
	assert_int_equal(f.nat, 0);
	assert_int_equal(daemon_.asked, 0);
}

/* It opens while it is looked for: the daemon has it, and there is no NAT. */
static void session_that_comes_meanwhile(void **state)
{
	struct fl_key key = client_key(2);
	struct flowner_flow f;

	(void)state;
	ended(1, key, FL_ROLE_OPENER, 10 * S, 0);
	assert_int_equal(flowner_find_nat(handle, &key, &f), 0);
	assert_int_equal(f.id, 1);
	assert_int_equal(f.nat, 0);
}

static void packets_behind_nat(void **state)
{
	struct fl_key key = client_key(1);
	struct flowner_packet p = packet(key, 0, 0);
	struct flowner_flow f;

	(void)state;
	translate();
	live(1, nat.behind, FL_ROLE_OPENER, 10 * S);
	expect_packet(p, 0, 0);
	assert_int_equal(daemon_.asked, 0); /* who did not ask for it does not pay */
	p.flags = FLOWNER_PACKET_NAT;
	expect_packet(p, 1, 0);
	expect_packet(packet(reversed(key), 0, FLOWNER_PACKET_NAT), 0, 1);
	assert_int_equal(flowner_find_packet(handle, &p, &f, NULL), FLOWNER_SENDER);
	expect_seen_as(&f, &key);
	daemon_.error = -ETIMEDOUT;
	assert_int_equal(flowner_find_packet(handle, &p, &f, NULL), -ETIMEDOUT);
	daemon_.error = 0;
	daemon_.asked = 0;
	live(2, key, FL_ROLE_OPENER, 11 * S);
	assert_int_equal(flowner_find_packet(handle, &p, &f, NULL), FLOWNER_SENDER);
	assert_int_equal(f.id, 2);
	assert_int_equal(f.nat, 0);
	assert_int_equal(daemon_.asked, 0);
}

/* A published port: a proxy listens to it here, the packets are for the container. */
static void packets_for_a_published_port(void **state)
{
	struct fl_key inside;

	(void)state;
	translate();
	inside = bound(v4(9), 5, FL_TCP);
	inside.netns_cookie = OWN + 1;
	live(1, bound(v4(1), 1, FL_TCP), FL_ROLE_LISTENER, 1 * S);
	expect_packet(packet(reversed(client_key(1)), 0, FLOWNER_PACKET_NAT), 0, 1);
	live(2, nat.behind, FL_ROLE_ACCEPTOR, 10 * S);
	live(3, inside, FL_ROLE_LISTENER, 1 * S);
	expect_packet(packet(reversed(client_key(1)), 0, 0), 0, 1);
	expect_packet(packet(reversed(client_key(1)), 0, FLOWNER_PACKET_NAT), 0, 2);
	expect_packet(packet(reversed(client_key(1)), 0, FLOWNER_PACKET_NAT | FLOWNER_PACKET_SYN),
		      0, 3);
}

/* conntrack knows what is now: of an older life it says nothing. */
static void past_packets_behind_nat(void **state)
{
	struct fl_key key = client_key(1);

	(void)state;
	translate();
	ended(1, nat.behind, FL_ROLE_OPENER, 10 * S, 20 * S);
	expect_packet(packet(key, 15 * S, FLOWNER_PACKET_NAT), 1, 0);
	expect_packet(packet(key, 21 * S, FLOWNER_PACKET_NAT), 1, 0);
	expect_packet(packet(key, 9 * S, FLOWNER_PACKET_NAT), 0, 0);
	live(2, nat.behind, FL_ROLE_OPENER, 30 * S);
	expect_packet(packet(key, 15 * S, FLOWNER_PACKET_NAT), 0, 0);
	expect_packet(packet(key, 31 * S, FLOWNER_PACKET_NAT), 2, 0);
	/* the host itself had the ends before, and had just let go of them */
	flowner_close(handle);
	assert_int_equal(try_open(), 0);
	ended(3, key, FL_ROLE_OPENER, 26 * S, 29 * S);
	expect_packet(packet(key, 28 * S, FLOWNER_PACKET_NAT), 3, 0);
	expect_packet(packet(key, 29 * S + 1, FLOWNER_PACKET_NAT), 3, 0);
	expect_packet(packet(key, 31 * S, 0), 3, 0);
	expect_packet(packet(key, 31 * S, FLOWNER_PACKET_NAT), 2, 0);
}

static void realtime(void **state)
{
	__u64 before = clock_ns(CLOCK_BOOTTIME), real = clock_ns(CLOCK_REALTIME);
	__u64 after = clock_ns(CLOCK_BOOTTIME), got = flowner_from_realtime(real);

	(void)state;
	assert_in_range(got, before - S, after + S);
}

#define LIB_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIB_TEST(opening),
		LIB_TEST(other_layouts),
		LIB_TEST(exact),
		LIB_TEST(torn),
		LIB_TEST(rights_given_up),
		LIB_TEST(another_daemon),
		LIB_TEST(each),
		LIB_TEST(each_that_is_ended_with_an_error),
		LIB_TEST(images),
		LIB_TEST(images_of_live_ones),
		LIB_TEST(at_a_time),
		LIB_TEST(packets_now),
		LIB_TEST(down_the_ladder),
		LIB_TEST(packets_of_an_interface),
		LIB_TEST(link_local_packets),
		LIB_TEST(packets_of_two_lives),
		LIB_TEST(last_ack_before_the_next_life),
		LIB_TEST(asked_again),
		LIB_TEST(begun_before_the_last_end),
		LIB_TEST(a_last_word),
		LIB_TEST(it_does_not_come),
		LIB_TEST(remembered_as_asked_anew),
		LIB_TEST(nobody_is_remembered),
		LIB_TEST(packets_from_afar),
		LIB_TEST(late_datagrams),
		LIB_TEST(session_behind_nat),
		LIB_TEST(session_that_comes_meanwhile),
		LIB_TEST(packets_behind_nat),
		LIB_TEST(packets_for_a_published_port),
		LIB_TEST(past_packets_behind_nat),
		LIB_TEST(realtime),
	};
	char file[64];
	int r;

	if (!mkdtemp(dir))
		return 1;
	snprintf(file, sizeof(file), "%s/meta", dir);
	close(open(file, O_CREAT | O_WRONLY, 0600));
	r = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(file);
	rmdir(dir);
	return r;
}
