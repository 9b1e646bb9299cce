/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One tuple used again and again: what the recent index answers about it is what looking at every
 * flow would, and costs about the same for twice as many. Cost is counted in calls of functions of
 * the two modules, which are compiled here to have each call noted.
 */
#include "flow/flows.c" /* NOLINT(bugprone-suspicious-include): counted */
#include "flow/lives.c" /* NOLINT(bugprone-suspicious-include): counted */

#include "count_calls.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define HOUR 3600000000000ULL
#define LIMIT 300

static struct flows *new_flows(size_t count)
{
	struct flows *flows = NULL;

	assert_int_equal(flows_new(count, HOUR, &flows), 0);
	return flows;
}

static struct fl_key key_of(__u16 local_port, __u16 remote_port)
{
	return (struct fl_key){ .netns_cookie = 1,
				.local_port = local_port,
				.remote_port = remote_port,
				.proto = FL_TCP };
}

/* --- right: against a look at all of them --- */

static __u32 random_below(__u32 limit)
{
	static __u64 state = 4711;

	state = state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (__u32)(state >> 33) % limit;
}

/* Lives overlap, and their ends are told in any order. */
static struct fl_flow random_flow(__u64 id)
{
	__u64 began_ns = 1 + random_below(1000);

	return (struct fl_flow){ .id = id,
				 .key = key_of((__u16)random_below(3), 443),
				 .opened_ns = random_below(4) ? began_ns : 0,
				 .seen_ns = began_ns,
				 .ended_ns = began_ns + random_below(200) };
}

struct question {
	struct fl_key key;
	__u64 at_ns;
	struct fl_flow flow; /* whose other end is looked for */
	__u64 began_ns;	     /* the best so far */
	struct around around;
	bool found;
};

static int look_at(const struct fl_flow *f, void *arg)
{
	struct question *q = arg;
	__u64 began_ns = flow_began_ns(f);

	if (memcmp(&f->key, &q->key, sizeof(f->key)) != 0)
		return 0;
	around_add(&q->around, f, q->at_ns);
	if (flow_lived_at(f, q->at_ns) && (!q->found || began_ns > q->began_ns)) {
		q->found = true;
		q->began_ns = began_ns;
	}
	return 0;
}

static int look_for_peer(const struct fl_flow *f, void *arg)
{
	struct question *q = arg;

	if (memcmp(&f->key, &q->key, sizeof(f->key)) != 0 || !lived_together(f, &q->flow))
		return 0;
	if (!q->found || distance(f, &q->flow) < q->began_ns)
		q->began_ns = distance(f, &q->flow);
	q->found = true;
	return 0;
}

static void check_moment(const struct flows *flows, __u16 port, __u64 at_ns)
{
	struct question q = { .key = key_of(port, 443), .at_ns = at_ns };
	const struct fl_flow *found = NULL;
	struct around around = { 0 };

	assert_int_equal(flows_each(flows, look_at, &q), 0);
	assert_int_equal(flows_find(flows, &q.key, at_ns, &found), q.found ? 0 : -ENOENT);
	if (found) {
		assert_true(flow_lived_at(found, at_ns));
		assert_int_equal(flow_began_ns(found), q.began_ns);
	}
	flows_around(flows, &q.key, at_ns, &around);
	assert_int_equal(around.has_before, q.around.has_before);
	assert_int_equal(around.has_after, q.around.has_after);
	assert_int_equal(flow_began_ns(&around.before), flow_began_ns(&q.around.before));
	assert_int_equal(flow_began_ns(&around.after), flow_began_ns(&q.around.after));
}

static void check_peer(const struct flows *flows, const struct fl_flow *flow)
{
	struct question q = { .key = key_of(1, 443), .flow = *flow };
	const struct fl_flow *found = NULL;

	assert_int_equal(flows_each(flows, look_for_peer, &q), 0);
	assert_int_equal(flows_find_peer(flows, &q.key, flow, &found), q.found ? 0 : -ENOENT);
	if (!found)
		return;
	assert_true(lived_together(found, flow));
	assert_int_equal(distance(found, flow), q.began_ns);
}

/* The beginning of a flow that was not seen opening is then earlier than it was said to be. */
static void tell_again(struct flows *flows, __u64 id)
{
	struct fl_flow f = random_flow(id);

	f.opened_ns = 0;
	f.seen_ns /= 2;
	f.ended_ns += 1000;
	assert_int_equal(flows_ended(flows, &f), 0);
}

static void answers_are_those_of_a_walk(void **state)
{
	struct flows *flows = new_flows(LIMIT);

	(void)state;
	for (__u64 i = 1; i <= 4 * LIMIT; i++) {
		struct fl_flow f = random_flow(i);

		assert_int_equal(flows_ended(flows, &f), 0);
		tell_again(flows, 1 + random_below((__u32)i));
		for (__u16 port = 0; port < 4; port++)
			check_moment(flows, port, 1 + random_below(1250));
		f = random_flow(i);
		f.ended_ns = random_below(4) ? f.ended_ns : 0;
		check_peer(flows, &f);
	}
	flows_free(flows);
}

/* --- and cheap --- */

/* Each life is of both ends, told one after the other; and asked for as a packet of it is. */
static void live(struct flows *flows, __u64 nth)
{
	struct fl_flow f = { .id = 2 * nth,
			     .key = key_of(40000, 443),
			     .opened_ns = 10 * nth,
			     .seen_ns = 10 * nth,
			     .ended_ns = 10 * nth + 9 };

	assert_int_equal(flows_ended(flows, &f), 0);
	f.id++;
	f.key = key_of(443, 40000);
	assert_int_equal(flows_ended(flows, &f), 0);
}

static void ask(const struct flows *flows, __u64 nth)
{
	const struct fl_key key = key_of(40000, 443), other = key_of(443, 40000);
	const struct fl_flow *found = NULL, *peer = NULL;
	struct around around = { 0 };

	assert_int_equal(flows_find(flows, &key, 10 * nth + 5, &found), 0);
	assert_int_equal(found->id, 2 * nth);
	assert_int_equal(flows_find_peer(flows, &other, found, &peer), 0);
	assert_int_equal(peer->id, 2 * nth + 1);
	flows_around(flows, &key, 10 * nth + 9, &around);
	assert_int_equal(around.before.id, 2 * nth);
}

/* Calls it takes to note so many lives, with half as much room, and to ask for what is held. */
static __u64 cost_of(__u64 lives)
{
	struct flows *flows = new_flows(lives);
	__u64 before = calls;

	for (__u64 i = 1; i <= lives; i++)
		live(flows, i);
	for (__u64 i = lives / 2 + 1; i <= lives; i++)
		ask(flows, i);
	before = calls - before;
	flows_free(flows);
	return before;
}

static void twice_as_many_lives_are_about_twice_the_work(void **state)
{
	__u64 some = cost_of(2000), twice = cost_of(4000);

	(void)state;
	print_message("calls: %llu, %llu\n", some, twice);
	assert_true(some > 0);
	assert_true(twice < 3 * some);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_are_those_of_a_walk),
		cmocka_unit_test(twice_as_many_lives_are_about_twice_the_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
