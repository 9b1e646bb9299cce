/* SPDX-License-Identifier: BSD-2-Clause */
/* The recent index: what is kept, for how long, what is found, and what a second END may change. */
#include "text/cleanup.h"
#include "flow/flows.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define HOUR 3600000000000ULL

static void cleanup_flows(struct flows **flows)
{
	flows_free(*flows);
}

#define _flows_ _cleanup_(cleanup_flows)

static struct fl_key key(__u16 local_port)
{
	return (struct fl_key){
		.netns_cookie = 1, .local_port = local_port, .remote_port = 443, .proto = FL_TCP
	};
}

/* Opened at 10 * ID, ended at 10 * ID + 9: lives do not overlap. */
static struct fl_flow flow(__u64 id, __u16 local_port)
{
	return (struct fl_flow){ .id = id,
				 .key = key(local_port),
				 .opened_ns = 10 * id,
				 .seen_ns = 10 * id,
				 .ended_ns = 10 * id + 9 };
}

static struct fl_owner owner(__u32 pid)
{
	return (struct fl_owner){ .proc = { .pid = pid, .start_ns = 5 }, .uid = 1000, .comm = "x" };
}

static struct flows *new_flows(size_t count, __u64 age_ns)
{
	struct flows *flows = NULL;

	assert_int_equal(flows_new(count, age_ns, &flows), 0);
	return flows;
}

static void add(struct flows *flows, __u64 id, __u16 local_port)
{
	struct fl_flow f = flow(id, local_port);

	assert_int_equal(flows_ended(flows, &f), 0);
}

static const struct fl_flow *get(const struct flows *flows, __u64 id)
{
	const struct fl_flow *found = NULL;
	int r = flows_get(flows, id, &found);

	if (r == 0)
		assert_true(found->id == id);
	else
		assert_int_equal(r, -ENOENT);
	return found;
}

/* Id of the flow of KEY at AT_NS, 0 when there is none. */
static __u64 find(const struct flows *flows, __u16 local_port, __u64 at_ns)
{
	const struct fl_flow *found = NULL;
	struct fl_key k = key(local_port);

	return flows_find(flows, &k, at_ns, &found) == 0 ? found->id : 0;
}

/* Counts, and sees to it that ids come in the order they were added. */
struct walk {
	__u64 last_id;
	size_t seen;
	size_t stop_after;
};

static int walk_one(const struct fl_flow *f, void *arg)
{
	struct walk *walk = arg;

	assert_true(f->id > walk->last_id);
	walk->last_id = f->id;
	return ++walk->seen == walk->stop_after ? -ECANCELED : 0;
}

static void test_empty(void **state)
{
	_flows_ struct flows *flows = new_flows(10, HOUR);
	struct walk walk = { 0 };
	const struct fl_flow *found;
	struct fl_owner o = owner(1);

	(void)state;
	assert_null(get(flows, 1));
	assert_true(find(flows, 1, 0) == 0);
	assert_int_equal(flows_each(flows, walk_one, &walk), 0);
	assert_int_equal(flows_accepted_late(flows, 1, &o, &found), -ENOENT);
	flows_expire(flows, UINT64_MAX);
	assert_int_equal(flows_count(flows), 0);
	flows_free(NULL);
}

static void test_what_cannot_be_kept(void **state)
{
	_flows_ struct flows *flows = new_flows(10, HOUR);
	struct flows *none = NULL;
	struct fl_flow live = flow(1, 1), anonymous = flow(0, 1);

	(void)state;
	live.ended_ns = 0;
	assert_int_equal(flows_ended(flows, &live), -EINVAL);
	assert_int_equal(flows_ended(flows, &anonymous), -EINVAL);
	assert_int_equal(flows_new(SIZE_MAX, HOUR, &none), -EINVAL);
	assert_null(none);
}

static void test_a_bound_of_nothing_keeps_nothing(void **state)
{
	_flows_ struct flows *flows = new_flows(0, HOUR);

	(void)state;
	add(flows, 1, 1);
	assert_int_equal(flows_count(flows), 0);
	assert_null(get(flows, 1));
}

static void test_found_by_id_and_key(void **state)
{
	_flows_ struct flows *flows = new_flows(10, HOUR);
	struct fl_key other = key(7);
	const struct fl_flow *found;

	(void)state;
	add(flows, 1, 7);
	add(flows, 2, 8);
	assert_int_equal(get(flows, 1)->key.local_port, 7);
	assert_true(find(flows, 7, 0) == 1);
	assert_true(find(flows, 8, 0) == 2);
	assert_true(find(flows, 9, 0) == 0);
	other.netns_cookie = 2; /* the same addresses elsewhere are another session */
	assert_int_equal(flows_find(flows, &other, 0, &found), -ENOENT);
}

static void test_the_oldest_makes_room(void **state)
{
	_flows_ struct flows *flows = new_flows(3, HOUR);
	struct walk walk = { 0 };

	(void)state;
	for (__u64 id = 1; id <= 5; id++)
		add(flows, id, (__u16)id);
	assert_int_equal(flows_count(flows), 3);
	assert_null(get(flows, 2));
	assert_true(find(flows, 2, 0) == 0);
	assert_non_null(get(flows, 3));
	assert_true(find(flows, 3, 0) == 3);
	assert_int_equal(flows_each(flows, walk_one, &walk), 0);
	assert_int_equal(walk.seen, 3);
	assert_true(walk.last_id == 5);
}

static void test_each_stops_when_told(void **state)
{
	_flows_ struct flows *flows = new_flows(10, HOUR);
	struct walk walk = { .stop_after = 2 };

	(void)state;
	for (__u64 id = 1; id <= 5; id++)
		add(flows, id, 1);
	assert_int_equal(flows_each(flows, walk_one, &walk), -ECANCELED);
	assert_int_equal(walk.seen, 2);
}

static void test_age(void **state)
{
	_flows_ struct flows *flows = new_flows(10, 100);

	(void)state;
	add(flows, 1, 1); /* ended at 19 */
	add(flows, 2, 1); /* ended at 29 */
	flows_expire(flows, 119);
	assert_int_equal(flows_count(flows), 2);
	flows_expire(flows, 120);
	assert_null(get(flows, 1));
	assert_non_null(get(flows, 2));
	flows_expire(flows, 5); /* a clock read before the end was told */
	assert_int_equal(flows_count(flows), 1);
	flows_expire(flows, UINT64_MAX);
	assert_int_equal(flows_count(flows), 0);
	assert_true(find(flows, 1, 0) == 0);
	add(flows, 3, 1);
	assert_true(find(flows, 1, 0) == 3);
}

static void test_reused_tuple_is_told_apart_by_time(void **state)
{
	_flows_ struct flows *flows = new_flows(10, HOUR);

	(void)state;
	add(flows, 1, 7); /* 10 to 19 */
	add(flows, 3, 7); /* 30 to 39 */
	add(flows, 2, 8);
	assert_true(find(flows, 7, 0) == 3); /* the last */
	assert_true(find(flows, 7, 10) == 1);
	assert_true(find(flows, 7, 19) == 1);
	assert_true(find(flows, 7, 9) == 0);
	assert_true(find(flows, 7, 20) == 0); /* nobody, in between */
	assert_true(find(flows, 7, 30) == 3);
	assert_true(find(flows, 7, 40) == 0);
}

static void test_ends_told_out_of_order(void **state)
{
	_flows_ struct flows *flows = new_flows(10, HOUR);

	(void)state;
	add(flows, 3, 7);
	add(flows, 1, 7);
	assert_true(find(flows, 7, 0) == 3);
	assert_true(find(flows, 7, 15) == 1);
}

static void test_older_than_the_agent(void **state)
{
	_flows_ struct flows *flows = new_flows(10, HOUR);
	struct fl_flow f = flow(5, 7);

	(void)state;
	f.opened_ns = 0;
	assert_int_equal(flows_ended(flows, &f), 0);
	assert_true(find(flows, 7, 49) == 0);
	assert_true(find(flows, 7, 50) == 5);
}

static void test_second_end_adds_what_it_knows(void **state)
{
	_flows_ struct flows *flows = new_flows(10, HOUR);
	struct fl_flow first = flow(1, 7), second = flow(1, 7);

	(void)state;
	first.reason = FL_REASON_LOST;
	second.owner = owner(42);
	second.role = FL_ROLE_ACCEPTOR;
	second.accepted = 1;
	second.ended_ns = 15;
	second.netns_inum = 4026531840u;
	second.reason = FL_REASON_RESET;
	assert_int_equal(flows_ended(flows, &first), 0);
	assert_int_equal(flows_ended(flows, &second), 0);
	assert_int_equal(flows_count(flows), 1);
	assert_int_equal(get(flows, 1)->owner.proc.pid, 42);
	assert_int_equal(get(flows, 1)->role, FL_ROLE_ACCEPTOR);
	assert_int_equal(get(flows, 1)->accepted, 1);
	assert_int_equal(get(flows, 1)->ended_ns, 15);
	assert_int_equal(get(flows, 1)->netns_inum, 4026531840u);
	assert_int_equal(get(flows, 1)->reason, FL_REASON_RESET);
}

static void test_second_end_takes_nothing_away(void **state)
{
	_flows_ struct flows *flows = new_flows(10, HOUR);
	struct fl_flow first = flow(1, 7), second = { .id = 1, .ended_ns = 500 };

	(void)state;
	first.owner = owner(42);
	first.role = FL_ROLE_ACCEPTOR;
	first.accepted = 1;
	first.cookie = 9;
	second.reason = FL_REASON_LOST;
	assert_int_equal(flows_ended(flows, &first), 0);
	assert_int_equal(flows_ended(flows, &second), 0);
	assert_memory_equal(get(flows, 1), &first, sizeof(first));
	assert_true(find(flows, 7, 0) == 1);
}

static void test_an_acceptor_replaces_the_interim_owner_only(void **state)
{
	_flows_ struct flows *flows = new_flows(10, HOUR);
	struct fl_flow interim = flow(1, 7), final = flow(1, 7);

	(void)state;
	interim.owner = owner(1);
	final.owner = owner(2);
	final.accepted = 1;
	assert_int_equal(flows_ended(flows, &interim), 0);
	assert_int_equal(flows_ended(flows, &final), 0);
	assert_int_equal(get(flows, 1)->owner.proc.pid, 2);
	assert_int_equal(flows_ended(flows, &interim), 0);
	assert_int_equal(get(flows, 1)->owner.proc.pid, 2);
	assert_int_equal(get(flows, 1)->accepted, 1);
	final.owner = owner(3); /* and what is final stays */
	assert_int_equal(flows_ended(flows, &final), 0);
	assert_int_equal(get(flows, 1)->owner.proc.pid, 2);
}

/* What the walk of the open sockets says of one: open since before the agent, and held by PID. */
static struct fl_flow found_open(__u64 id, __u32 pid)
{
	struct fl_flow f = flow(id, 0);

	f.opened_ns = 0;
	f.owner = owner(pid);
	f.role = FL_ROLE_EXISTING;
	f.accepted = 1;
	f.ended_ns = 1000;
	return f;
}

static void test_found_open_never_overrides_what_was_seen(void **state)
{
	_flows_ struct flows *flows = new_flows(10, HOUR);
	struct fl_flow seen = flow(1, 7), found = found_open(1, 3);

	(void)state;
	seen.owner = owner(42);
	seen.role = FL_ROLE_ACCEPTOR; /* interim: not even then */
	assert_int_equal(flows_ended(flows, &seen), 0);
	assert_int_equal(flows_ended(flows, &found), 0);
	assert_memory_equal(get(flows, 1), &seen, sizeof(seen));
}

static void test_found_open_fills_what_nobody_saw(void **state)
{
	_flows_ struct flows *flows = new_flows(10, HOUR);
	struct fl_flow seen = flow(1, 7), found = found_open(1, 3);

	(void)state;
	assert_int_equal(flows_ended(flows, &seen), 0);
	assert_int_equal(flows_ended(flows, &found), 0);
	assert_int_equal(get(flows, 1)->owner.proc.pid, 3);
	assert_int_equal(get(flows, 1)->accepted, 1);
	assert_int_equal(get(flows, 1)->opened_ns, 10);
	assert_int_equal(get(flows, 1)->key.local_port, 7);
	assert_int_equal(get(flows, 1)->ended_ns, 19);
}

static void test_what_was_seen_overrides_found_open(void **state)
{
	_flows_ struct flows *flows = new_flows(10, HOUR);
	struct fl_flow seen = flow(1, 7), found = found_open(1, 3);

	(void)state;
	seen.owner = owner(42);
	seen.role = FL_ROLE_ACCEPTOR;
	assert_int_equal(flows_ended(flows, &found), 0);
	assert_int_equal(flows_ended(flows, &seen), 0);
	assert_int_equal(get(flows, 1)->owner.proc.pid, 42);
	assert_int_equal(get(flows, 1)->role, FL_ROLE_ACCEPTOR);
	assert_int_equal(get(flows, 1)->accepted, 0);
	assert_int_equal(get(flows, 1)->opened_ns, 10);
}

static void test_accept_after_close(void **state)
{
	_flows_ struct flows *flows = new_flows(10, HOUR);
	struct fl_owner o = owner(42), unknown = { 0 };
	const struct fl_flow *found = NULL;

	(void)state;
	add(flows, 1, 7);
	assert_int_equal(flows_accepted_late(flows, 2, &o, &found), -ENOENT);
	assert_null(found);
	assert_int_equal(flows_accepted_late(flows, 1, &o, &found), 0);
	assert_int_equal(flows_accepted_late(flows, 1, &o, &found), -EALREADY);
	assert_ptr_equal(found, get(flows, 1));
	assert_int_equal(found->owner.proc.pid, 42);
	assert_int_equal(found->role, FL_ROLE_ACCEPTOR);
	assert_int_equal(found->accepted, 1);
	assert_int_equal(flows_accepted_late(flows, 1, &unknown, &found), 0);
	assert_int_equal(found->owner.proc.pid, 42);
}

/* The model: the last LIMIT ids, port = id % 50, so that keys are reused and chains are long. */
static void check_against_model(const struct flows *flows, __u64 first, __u64 last)
{
	struct walk walk = { .last_id = first - 1 };

	assert_int_equal(flows_count(flows), last - first + 1);
	for (__u64 id = first; id <= last; id++) {
		assert_non_null(get(flows, id));
		assert_true(find(flows, (__u16)(id % 50), 10 * id + 5) == id);
	}
	assert_null(get(flows, first - 1));
	assert_null(get(flows, last + 1));
	assert_int_equal(flows_each(flows, walk_one, &walk), 0);
	assert_true(walk.last_id == last);
}

/* Room grows while the ring has already turned: age took the first entries. */
static __u64 peer_of(const struct flows *flows, const struct fl_flow *flow)
{
	struct fl_key k = key(1);
	const struct fl_flow *found;

	return flows_find_peer(flows, &k, flow, &found) == 0 ? found->id : 0;
}

/* Flows 1, 2, 3 have the peer's key and live at 10-19, 20-29 and 30-39. */
static void test_the_other_end_lived_at_the_same_time(void **state)
{
	_flows_ struct flows *flows = new_flows(8, HOUR);
	struct fl_flow mine = flow(100, 2);

	(void)state;
	assert_int_equal(peer_of(flows, &mine), 0);
	for (__u64 id = 1; id <= 3; id++)
		add(flows, id, 1);
	mine.opened_ns = 18;
	mine.ended_ns = 24; /* the first drains while this one lives: it opened nearer */
	assert_int_equal(peer_of(flows, &mine), 2);
	mine.opened_ns = 12;
	assert_int_equal(peer_of(flows, &mine), 1);
	mine.opened_ns = 40;
	mine.ended_ns = 0; /* lives, and began after all of them */
	assert_int_equal(peer_of(flows, &mine), 0);
	mine.opened_ns = 0;
	mine.seen_ns = 35; /* older than the agent */
	assert_int_equal(peer_of(flows, &mine), 3);
	mine.opened_ns = 1;
	mine.ended_ns = 9;
	assert_int_equal(peer_of(flows, &mine), 0);
}

static void test_growing_and_turning(void **state)
{
	_flows_ struct flows *flows = new_flows(1000, 100);
	__u64 first = 1;

	(void)state;
	for (__u64 id = 1; id <= 5000; id++) {
		add(flows, id, (__u16)(id % 50));
		if (id == 200) {
			flows_expire(flows, 10 * 150 + 9 + 100); /* 150 ended just so long ago */
			first = 150;
		}
		if (id - first == 1000)
			first++;
		if (id % 250 == 0 || id == 405 || id == 406 || id == 663)
			check_against_model(flows, first, id);
	}
	flows_expire(flows, UINT64_MAX);
	assert_int_equal(flows_count(flows), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_what_cannot_be_kept),
		cmocka_unit_test(test_a_bound_of_nothing_keeps_nothing),
		cmocka_unit_test(test_found_by_id_and_key),
		cmocka_unit_test(test_the_oldest_makes_room),
		cmocka_unit_test(test_each_stops_when_told),
		cmocka_unit_test(test_age),
		cmocka_unit_test(test_reused_tuple_is_told_apart_by_time),
		cmocka_unit_test(test_ends_told_out_of_order),
		cmocka_unit_test(test_older_than_the_agent),
		cmocka_unit_test(test_second_end_adds_what_it_knows),
		cmocka_unit_test(test_second_end_takes_nothing_away),
		cmocka_unit_test(test_an_acceptor_replaces_the_interim_owner_only),
		cmocka_unit_test(test_found_open_never_overrides_what_was_seen),
		cmocka_unit_test(test_found_open_fills_what_nobody_saw),
		cmocka_unit_test(test_what_was_seen_overrides_found_open),
		cmocka_unit_test(test_accept_after_close),
		cmocka_unit_test(test_the_other_end_lived_at_the_same_time),
		cmocka_unit_test(test_growing_and_turning),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
