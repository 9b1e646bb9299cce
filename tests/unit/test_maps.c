/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading and repairing the maps: two maps joined to one flow, torn and reused elements never
 * shown, walks that see each element once, and an end that takes out no other flow's entry.
 */
#include "fake_maps.h"
#include <flowner/check.h>
#include <flowner/listen.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define COOKIE 7
#define SEEDED_NS 900
#define TRIES 4 /* CHECK_TRIES of maps.c */

static int setup(void **state)
{
	(void)state;
	fake_new();
	fake.maps.seeded_ns = SEEDED_NS;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fake_free();
	return 0;
}

/* --- what is in the maps --- */

static struct fl_key key_of(__u16 lport, __u16 rport)
{
	struct fl_key key = {
		.netns_cookie = COOKIE, .local_port = lport, .remote_port = rport, .proto = FL_TCP
	};

	memcpy(&key.local.b[10], "\xff\xff\x0a\x00\x00\x02", 6);
	memcpy(&key.remote.b[10], rport ? "\xff\xff\x0a\x00\x00\x09" : "\xff\xff\0\0\0\0", 6);
	return key;
}

static struct fl_owner owner_of(__u32 pid)
{
	return (struct fl_owner){ .proc = { 5, pid, 3 }, .uid = 1000, .gid = 100, .comm = "curl" };
}

static void put_socket(__u64 id, struct fl_key key, __u32 pid, enum fl_role role)
{
	struct fl_socket s = { .key = key,
			       .owner = owner_of(pid),
			       .cookie = id & ~FL_ID_NUMBERED,
			       .opened_ns = 1000,
			       .role = role,
			       .accepted = 1 };

	s.check = fl_check_socket(id, &s);
	fake_put(SOCKETS, &id, &s);
}

static void put_connection(__u64 id, struct fl_key key, __u32 pid, __u32 members)
{
	struct fl_connection c = { .flow_id = id,
				   .owner = owner_of(pid),
				   .opened_ns = 1000,
				   .role = FL_ROLE_OPENER,
				   .state = FL_STATE_CLOSE_WAIT,
				   .accepted = 1,
				   .members = members };

	c.check = id ? fl_check_connection(&key, &c) : 0;
	fake_put(CONNECTIONS, &key, &c);
}

static void put_flow(__u64 id, struct fl_key key)
{
	put_socket(id, key, 100, FL_ROLE_OPENER);
	put_connection(id, key, 100, 1);
}

static struct fl_socket *socket_at(__u64 id)
{
	return fake_get(SOCKETS, &id);
}

static struct fl_connection *connection_at(struct fl_key key)
{
	return fake_get(CONNECTIONS, &key);
}

static struct fl_flow get(__u64 id)
{
	struct fl_flow flow;

	assert_int_equal(maps_get_flow(&fake.maps, id, &flow), 0);
	return flow;
}

/* The owner is another one than the check word was made for. */
static void tear_owner(int t, void *value)
{
	if (t == SOCKETS)
		((struct fl_socket *)value)->owner.proc.pid++;
	else if (t == CONNECTIONS)
		((struct fl_connection *)value)->owner.proc.pid++;
}

/* --- one flow --- */

static void two_maps_one_flow(void **state)
{
	struct fl_key key = key_of(4000, 443);
	__u64 cookie = COOKIE;
	__u32 inum = 4026531840u;
	struct fl_flow flow;

	(void)state;
	put_flow(5, key);
	fake_put(NETNS, &cookie, &inum);
	flow = get(5);
	assert_int_equal(flow.id, 5);
	assert_int_equal(flow.cookie, 5);
	assert_memory_equal(&flow.key, &key, sizeof(key));
	assert_int_equal(flow.owner.proc.pid, 100);
	assert_int_equal(flow.opened_ns, 1000);
	assert_int_equal(flow.seen_ns, 1000);
	assert_int_equal(flow.ended_ns, 0);
	assert_int_equal(flow.role, FL_ROLE_OPENER);
	assert_int_equal(flow.state, FL_STATE_CLOSE_WAIT); /* of the other map */
	assert_int_equal(flow.reason, FL_REASON_NONE);
	assert_int_equal(flow.accepted, 1);
	assert_int_equal(flow.members, 1);
	assert_int_equal(flow.netns_inum, inum);
}

static void older_than_the_agent(void **state)
{
	(void)state;
	put_flow(5, key_of(4000, 443));
	socket_at(5)->opened_ns = 0;
	assert_int_equal(get(5).opened_ns, 0);
	assert_int_equal(get(5).seen_ns, SEEDED_NS);
}

/* A shared key: the state is the shown member's, the count of members everybody's. */
static void members_of_a_shared_key(void **state)
{
	struct fl_key key = key_of(80, 0);

	(void)state;
	put_socket(5, key, 100, FL_ROLE_LISTENER);
	put_socket(6, key, 101, FL_ROLE_LISTENER);
	put_connection(6, key, 101, 2);
	assert_int_equal(get(6).members, 2);
	assert_int_equal(get(6).state, FL_STATE_CLOSE_WAIT);
	assert_int_equal(get(5).members, 2);
	assert_int_equal(get(5).state, FL_STATE_LISTEN);
	assert_int_equal(get(5).owner.proc.pid, 100);
}

static void state_without_a_connection(void **state)
{
	struct fl_key udp = key_of(53, 0), udp_session = key_of(53, 999);

	(void)state;
	udp.proto = udp_session.proto = FL_UDP;
	put_socket(1, key_of(80, 0), 100, FL_ROLE_LISTENER);
	put_socket(2, key_of(80, 999), 100, FL_ROLE_ACCEPTOR);
	put_socket(3, udp, 100, FL_ROLE_USER);
	put_socket(4, udp_session, 100, FL_ROLE_USER);
	assert_int_equal(get(1).state, FL_STATE_LISTEN);
	assert_int_equal(get(2).state, FL_STATE_ESTABLISHED);
	assert_int_equal(get(3).state, FL_STATE_UNCONN);
	assert_int_equal(get(4).state, FL_STATE_ESTABLISHED);
	assert_int_equal(get(4).members, 1);
}

static void nobody(void **state)
{
	struct fl_key key = key_of(4000, 443);
	struct fl_flow flow = { .id = 77 };

	(void)state;
	assert_int_equal(maps_get_flow(&fake.maps, 5, &flow), -ENOENT);
	assert_int_equal(maps_find_flow(&fake.maps, &key, &flow), -ENOENT);
	fake.error = EPERM;
	assert_int_equal(maps_get_flow(&fake.maps, 5, &flow), -EPERM);
	assert_int_equal(maps_find_flow(&fake.maps, &key, &flow), -EPERM);
	assert_int_equal(flow.id, 77);
}

/* --- torn and reused elements --- */

static void a_torn_element_is_read_again(void **state)
{
	(void)state;
	put_flow(5, key_of(4000, 443));
	fake.tear = tear_owner;
	for (fake.tears = 1; fake.tears < TRIES; fake.tears++) {
		int tears = fake.tears;

		assert_int_equal(get(5).owner.proc.pid, 100);
		assert_int_equal(fake.tears, 0);
		fake.tears = tears;
	}
}

static void one_that_stays_torn_is_not_shown(void **state)
{
	struct fl_flow flow = { .id = 77 };

	(void)state;
	put_flow(5, key_of(4000, 443));
	fake.tear = tear_owner;
	fake.tears = TRIES;
	assert_int_equal(maps_get_flow(&fake.maps, 5, &flow), -ENOENT);
	assert_int_equal(flow.id, 77);
}

/* The memory of a deleted element given to a new one: whole, valid, and another flow's. */
static void an_element_of_another_flow_is_not_shown(void **state)
{
	struct fl_key key = key_of(4000, 443), other = key_of(4001, 443);
	struct fl_flow flow;

	(void)state;
	put_flow(5, key);
	put_flow(6, other);
	*socket_at(5) = *socket_at(6);
	*connection_at(key) = *connection_at(other);
	assert_int_equal(maps_get_flow(&fake.maps, 5, &flow), -ENOENT);
	assert_int_equal(maps_find_flow(&fake.maps, &key, &flow), -ENOENT);
	assert_int_equal(maps_find_flow(&fake.maps, &other, &flow), 0);
	assert_int_equal(flow.id, 6);
}

/* Filled with zeros: not written yet. */
static void an_empty_element_is_not_shown(void **state)
{
	struct fl_key key = key_of(4000, 443);
	struct fl_connection c = { 0 };
	struct fl_socket s = { 0 };
	struct fl_flow flow;
	__u64 id = 5;

	(void)state;
	fake_put(SOCKETS, &id, &s);
	fake_put(CONNECTIONS, &key, &c);
	assert_int_equal(maps_get_flow(&fake.maps, 5, &flow), -ENOENT);
	assert_int_equal(maps_find_flow(&fake.maps, &key, &flow), -ENOENT);
}

static void find_reads_again(void **state)
{
	struct fl_key key = key_of(4000, 443);
	struct fl_flow flow = { .id = 77 };

	(void)state;
	put_flow(5, key);
	fake.tear = tear_owner;
	fake.tears = TRIES;
	assert_int_equal(maps_find_flow(&fake.maps, &key, &flow), -ENOENT);
	assert_int_equal(flow.id, 77);
	fake.tears = TRIES - 1;
	assert_int_equal(maps_find_flow(&fake.maps, &key, &flow), 0);
	assert_int_equal(flow.id, 5);
}

static void find_is_exact(void **state)
{
	struct fl_key key = key_of(4000, 443), near = key;
	struct fl_flow flow;

	(void)state;
	put_flow(5, key);
	assert_int_equal(maps_find_flow(&fake.maps, &key, &flow), 0);
	near.ifindex = 2;
	assert_int_equal(maps_find_flow(&fake.maps, &near, &flow), -ENOENT);
	near = key;
	near.netns_cookie++;
	assert_int_equal(maps_find_flow(&fake.maps, &near, &flow), -ENOENT);
	put_connection(0, key, 100, 1); /* shows nobody */
	assert_int_equal(maps_find_flow(&fake.maps, &key, &flow), -ENOENT);
	put_connection(6, key, 100, 1); /* whose socket has just gone */
	assert_int_equal(maps_find_flow(&fake.maps, &key, &flow), -ENOENT);
}

/* --- walks --- */

struct seen {
	unsigned char times[4096];
	size_t total, stop_at;
};

static int note(const struct fl_flow *flow, void *arg)
{
	struct seen *seen = arg;

	seen->times[flow->id % 4096]++;
	assert_int_equal(flow->owner.proc.pid, 100);
	assert_int_equal(flow->state, FL_STATE_CLOSE_WAIT);
	return ++seen->total == seen->stop_at ? 42 : 0;
}

static void put_many(__u64 count)
{
	for (__u64 id = 1; id <= count; id++)
		put_flow(id, key_of((__u16)id, 443));
}

static void expect_each_once(__u64 count)
{
	struct seen seen = { .total = 0 };

	assert_int_equal(maps_each_flow(&fake.maps, note, &seen), 0);
	assert_int_equal(seen.total, count);
	for (__u64 id = 1; id <= count; id++)
		assert_int_equal(seen.times[id], 1);
}

static void those_with_the_same_ends(void **state)
{
	struct fl_key key = key_of(4000, 443), other = key;
	struct seen seen = { .total = 0 };

	(void)state;
	put_many(300);
	put_flow(1001, key);
	other.netns_cookie++;
	put_flow(1002, other);
	other.ifindex = 3;
	put_flow(1003, other);
	other.proto = FL_UDP;
	put_flow(1004, other);
	other = key;
	other.remote = key.local;
	put_flow(1005, other);
	other = key;
	other.local = key.remote;
	put_flow(1006, other);
	fake.tear = tear_owner;
	fake.tear_batches = 1000; /* none of them is as it was put, and each is read again */
	assert_int_equal(maps_each_at(&fake.maps, &key, note, &seen), 0);
	assert_int_equal(seen.total, 3);
	assert_int_equal(seen.times[1001] + seen.times[1002] + seen.times[1003], 3);
	fake.tear_batches = fake.lookups = 0;
	assert_int_equal(maps_each_at(&fake.maps, &key, note, &seen), 0);
	assert_int_equal(seen.total, 6);
	assert_true(fake.lookups <= 6); /* the other flows cost none */
}

static void every_flow_once(void **state)
{
	(void)state;
	expect_each_once(0);
	put_many(1);
	expect_each_once(1);
	put_many(2500);
	fake.batches = 0;
	expect_each_once(2500);
	assert_in_range(fake.batches, 3, 4); /* a thousand at a time */
}

/* A bucket that does not fit: the walk goes on where it was, with more room. */
static void the_batch_grows(void **state)
{
	(void)state;
	put_many(1500);
	fake.bucket = 1500;
	fake.batches = 0;
	expect_each_once(1500);
	assert_int_equal(fake.batches, 2);
	put_many(4000);
	fake.bucket = 3999;
	expect_each_once(4000);
}

static void a_walk_can_be_stopped(void **state)
{
	struct seen seen = { .stop_at = 7 };

	(void)state;
	put_many(50);
	assert_int_equal(maps_each_flow(&fake.maps, note, &seen), 42);
	assert_int_equal(seen.total, 7);
}

static void a_walk_fails(void **state)
{
	struct seen seen = { .total = 0 };

	(void)state;
	put_many(3);
	fake.error = EPERM;
	assert_int_equal(maps_each_flow(&fake.maps, note, &seen), -EPERM);
	assert_int_equal(seen.total, 0);
}

static void a_walk_rereads_what_was_torn(void **state)
{
	(void)state;
	put_many(10);
	fake.tear = tear_owner;
	fake.tear_batches = 4;
	expect_each_once(10);
}

static void a_walk_drops_what_is_not_itself(void **state)
{
	struct seen seen = { .total = 0 };

	(void)state;
	put_many(10);
	*socket_at(3) = *socket_at(4);
	socket_at(8)->check++;
	assert_int_equal(maps_each_flow(&fake.maps, note, &seen), 0);
	assert_int_equal(seen.total, 8);
	assert_int_equal(seen.times[3] + seen.times[8], 0);
	assert_int_equal(seen.times[4], 1);
}

/* --- the end of a flow --- */

static void an_end_is_the_program_s(void **state)
{
	struct fl_flow flow = { .id = 5, .key = key_of(4000, 443) };

	(void)state;
	fake.maps.end_flow = 77;
	assert_int_equal(maps_end_flow(&fake.maps, &flow), 0);
	assert_int_equal(fake.run, 77);
	assert_true(fake.run_on.flow_id == 5);
	fake.retval = 1; /* it has ended meanwhile */
	assert_int_equal(maps_end_flow(&fake.maps, &flow), -ENOENT);
	fake.error = EPERM;
	assert_int_equal(maps_end_flow(&fake.maps, &flow), -EPERM);
}

static void last_traffic(void **state)
{
	__u64 active = 77;

	(void)state;
	put_flow(FL_ID_NUMBERED | 5, key_of(53, 999));
	socket_at(FL_ID_NUMBERED | 5)->active_ns = 1234;
	assert_int_equal(maps_active_ns(&fake.maps, 5, &active), -ENOENT);
	assert_int_equal(active, 77);
	assert_int_equal(maps_active_ns(&fake.maps, FL_ID_NUMBERED | 5, &active), 0);
	assert_int_equal(active, 1234);
}

/* --- processes --- */

static struct fl_proc_key proc_of(__u32 pid)
{
	return (struct fl_proc_key){ 5, pid, 3 };
}

static void put_process(__u32 pid)
{
	struct fl_proc_key key = proc_of(pid);
	struct fl_process p = { .head = { FL_RECORD_PROCESS, sizeof(p) }, .key = key, .uid = pid };
	struct fl_text text = { .head = { FL_RECORD_TEXT, sizeof(text) },
				.key = key,
				.ready = 1,
				.exe_len = 4,
				.text = "/exe" };

	fake_put(PROCESSES, &key, &p);
	fake_put(TEXTS, &key, &text);
}

static void a_process_and_its_text(void **state)
{
	struct fl_proc_key key = proc_of(100), other = proc_of(101);
	struct fl_process p;
	struct fl_text text;

	(void)state;
	put_process(100);
	assert_int_equal(maps_get_process(&fake.maps, &key, &p, &text), 0);
	assert_int_equal(p.uid, 100);
	assert_string_equal(text.text, "/exe");
	assert_int_equal(maps_get_process(&fake.maps, &key, NULL, NULL), 0);
	assert_int_equal(maps_get_process(&fake.maps, &key, &p, NULL), 0);
	assert_int_equal(maps_get_process(&fake.maps, &other, &p, &text), -ENOENT);
	fake_remove(TEXTS, &key);
	assert_int_equal(maps_get_process(&fake.maps, &key, &p, &text), 0);
	assert_int_equal(text.exe_len + text.args_len + text.ready, 0);
}

static void a_process_not_written_yet(void **state)
{
	struct fl_proc_key key = proc_of(100);
	struct fl_process p = { .uid = 77 };
	struct fl_text text;

	(void)state;
	put_process(100);
	((struct fl_text *)fake_get(TEXTS, &key))->ready = 0;
	assert_int_equal(maps_get_process(&fake.maps, &key, NULL, &text), 0);
	assert_int_equal(text.exe_len, 0);
	assert_string_equal(text.text, "");
	((struct fl_process *)fake_get(PROCESSES, &key))->head.type = 0;
	assert_int_equal(maps_get_process(&fake.maps, &key, &p, &text), -ENOENT);
	assert_int_equal(p.uid, 77);
}

static void a_process_of_another_key(void **state)
{
	struct fl_proc_key key = proc_of(100);
	struct fl_process p;
	struct fl_text text;

	(void)state;
	put_process(100);
	((struct fl_text *)fake_get(TEXTS, &key))->key.exec_id++;
	assert_int_equal(maps_get_process(&fake.maps, &key, &p, &text), 0);
	assert_int_equal(text.exe_len, 0);
	((struct fl_process *)fake_get(PROCESSES, &key))->key.exec_id++;
	assert_int_equal(maps_get_process(&fake.maps, &key, &p, &text), -ENOENT);
}

static int visits[200];

/* Forgets those with an even pid. */
static int visit(const struct fl_process *p, void *arg)
{
	int *stop_at = arg;

	visits[p->key.pid]++;
	if (p->key.pid == (__u32)*stop_at)
		return 42;
	return p->key.pid % 2 == 0 ? maps_forget_process(&fake.maps, &p->key) : 0;
}

static void every_process_once_while_some_are_forgotten(void **state)
{
	int nowhere = 0, here = 51;

	(void)state;
	memset(visits, 0, sizeof(visits));
	for (__u32 pid = 1; pid <= 100; pid++)
		put_process(pid);
	assert_int_equal(maps_each_process(&fake.maps, visit, &nowhere), 0);
	for (__u32 pid = 1; pid <= 100; pid++) {
		struct fl_proc_key key = proc_of(pid);

		assert_int_equal(visits[pid], 1);
		assert_int_equal(fake_get(PROCESSES, &key) != NULL, pid % 2);
		assert_int_equal(fake_get(TEXTS, &key) != NULL, pid % 2);
	}
	assert_int_equal(maps_each_process(&fake.maps, visit, &here), 42);
}

static void a_process_that_is_not_there(void **state)
{
	struct fl_proc_key key = proc_of(100);
	int nowhere = 0;

	(void)state;
	assert_int_equal(maps_forget_process(&fake.maps, &key), -ENOENT);
	assert_int_equal(maps_each_process(&fake.maps, visit, &nowhere), 0);
	put_process(100);
	((struct fl_process *)fake_get(PROCESSES, &key))->head.type = 0;
	memset(visits, 0, sizeof(visits));
	assert_int_equal(maps_each_process(&fake.maps, visit, &nowhere), 0);
	assert_int_equal(visits[100], 0); /* being written */
}

/* --- counters, sizes, switches --- */

static void counters_are_summed(void **state)
{
	__u64 values[FAKE_CPUS] = { 1, 20, 300 }, sum = 77;
	__u32 index = FL_CNT_OPENED;

	(void)state;
	assert_int_equal(maps_counter(&fake.maps, FL_CNT_OPENED, &sum), -ENOENT);
	assert_int_equal(sum, 77);
	fake_put(COUNTERS, &index, values);
	assert_int_equal(maps_counter(&fake.maps, FL_CNT_OPENED, &sum), 0);
	assert_int_equal(sum, 321);
	assert_int_equal(maps_count(&fake.maps, FL_CNT_OPENED, 4000), 0);
	assert_int_equal(maps_counter(&fake.maps, FL_CNT_OPENED, &sum), 0);
	assert_int_equal(sum, 4321);
	assert_int_equal(maps_count(&fake.maps, FL_CNT_ENDED, 1), -ENOENT);
}

static void entries_are_counted(void **state)
{
	__u64 entries = 77, capacity = 77;

	(void)state;
	put_many(2500);
	put_process(100);
	assert_int_equal(maps_entries(&fake.maps, MAPS_CONNECTIONS, &entries, &capacity), 0);
	assert_int_equal(entries, 2500);
	assert_int_equal(capacity, 4096);
	assert_int_equal(maps_entries(&fake.maps, MAPS_SOCKETS, &entries, &capacity), 0);
	assert_int_equal(entries, 2500);
	assert_int_equal(maps_entries(&fake.maps, MAPS_PROCESSES, &entries, &capacity), 0);
	assert_int_equal(entries, 1);
	assert_int_equal(capacity, 100);
	assert_int_equal(maps_entries(&fake.maps, MAPS_TEXT, &entries, &capacity), 0);
	assert_int_equal(entries, 1);
	fake_free();
	fake_new();
	assert_int_equal(maps_entries(&fake.maps, MAPS_TEXT, &entries, &capacity), 0);
	assert_int_equal(entries, 0);
	assert_int_equal(maps_entries(&fake.maps, MAPS_TABLES, &entries, &capacity), -EINVAL);
	fake.error = EPERM;
	assert_int_equal(maps_entries(&fake.maps, MAPS_TEXT, &entries, &capacity), -EPERM);
}

static void tables_have_names(void **state)
{
	(void)state;
	assert_string_equal(maps_table_name(MAPS_CONNECTIONS), "l7_connections");
	assert_string_equal(maps_table_name(MAPS_SOCKETS), "socket_to_process");
	assert_string_equal(maps_table_name(MAPS_PROCESSES), "processes");
	assert_string_equal(maps_table_name(MAPS_TEXT), "process_text");
	assert_null(maps_table_name(MAPS_TABLES));
}

static void one_switch_leaves_the_others(void **state)
{
	struct fl_config config = { .selftest_pid = 4321, .seeded = 1, .udp_epoch = 99 };
	const struct fl_config *now;
	__u32 zero = 0;

	(void)state;
	assert_int_equal(maps_set_watched(&fake.maps, 1), -ENOENT);
	fake_put(CONFIG, &zero, &config);
	now = fake_get(CONFIG, &zero);
	assert_int_equal(maps_set_watched(&fake.maps, 17), 0);
	assert_int_equal(now->watched, 1);
	assert_int_equal(now->selftest_pid, 4321);
	assert_int_equal(now->seeded, 1);
	assert_int_equal(now->udp_epoch, 99);
	assert_int_equal(maps_set_watched(&fake.maps, 0), 0);
	assert_memory_equal(now, &config, sizeof(config));
}

static void namespaces(void **state)
{
	__u64 cookie = COOKIE;
	__u32 inum = 4026531840u, got = 77;

	(void)state;
	assert_int_equal(maps_netns_inum(&fake.maps, COOKIE, &got), -ENOENT);
	assert_int_equal(got, 77);
	fake_put(NETNS, &cookie, &inum);
	assert_int_equal(maps_netns_inum(&fake.maps, COOKIE, &got), 0);
	assert_int_equal(got, inum);
}

static void cookies_of_namespaces(void **state)
{
	__u64 cookie = COOKIE, got = 77;
	__u32 inum = 4026531840u;

	(void)state;
	assert_int_equal(maps_netns_cookie(&fake.maps, inum, &got), -ENOENT);
	assert_int_equal(got, 77);
	fake_put(COOKIES, &inum, &cookie);
	assert_int_equal(maps_netns_cookie(&fake.maps, inum, &got), 0);
	assert_int_equal(got, COOKIE);
}

/* Who has listeners stays, and who had one lately. */
static void counts_of_nobody_are_forgotten(void **state)
{
	(void)state;
	for (__u32 i = 0; i < 90; i++) {
		const struct fl_listeners_key key = { .id = { i }, .per = FL_PER_USER };
		const struct fl_listeners_count count = { .listeners = i % 3 == 0,
							  .used_ns = i % 2 ? 1000 : 999 };

		fake_put(LISTENERS, &key, &count);
	}
	assert_int_equal(maps_forget_listeners(&fake.maps, 1000), 0);
	for (__u32 i = 0; i < 90; i++) {
		const struct fl_listeners_key key = { .id = { i }, .per = FL_PER_USER };

		assert_int_equal(fake_get(LISTENERS, &key) != NULL, i % 3 == 0 || i % 2);
	}
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(two_maps_one_flow),
		TEST(older_than_the_agent),
		TEST(members_of_a_shared_key),
		TEST(state_without_a_connection),
		TEST(nobody),
		TEST(a_torn_element_is_read_again),
		TEST(one_that_stays_torn_is_not_shown),
		TEST(an_element_of_another_flow_is_not_shown),
		TEST(an_empty_element_is_not_shown),
		TEST(find_reads_again),
		TEST(find_is_exact),
		TEST(those_with_the_same_ends),
		TEST(every_flow_once),
		TEST(the_batch_grows),
		TEST(a_walk_can_be_stopped),
		TEST(a_walk_fails),
		TEST(a_walk_rereads_what_was_torn),
		TEST(a_walk_drops_what_is_not_itself),
		TEST(an_end_is_the_program_s),
		TEST(last_traffic),
		TEST(a_process_and_its_text),
		TEST(a_process_not_written_yet),
		TEST(a_process_of_another_key),
		TEST(every_process_once_while_some_are_forgotten),
		TEST(a_process_that_is_not_there),
		TEST(counters_are_summed),
		TEST(entries_are_counted),
		TEST(tables_have_names),
		TEST(one_switch_leaves_the_others),
		TEST(namespaces),
		TEST(cookies_of_namespaces),
		TEST(counts_of_nobody_are_forgotten),
	};

	return cmocka_run_group_tests_name("maps", tests, NULL, NULL);
}
