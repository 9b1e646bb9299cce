/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The filter set, field by field: one flow, and what is and is not said of it. Names and processes
 * are given, nothing is looked up on the host but this test's own network namespace.
 */
#include "text/address.h"
#include "text/cleanup.h"
#include "flow/filter.h"
#include "host/netns.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define S 1000000000ULL
#define OFFSET (1700000000LL * 1000000000LL) /* boot was at @1700000000 */
#define NOW_NS ((__u64)OFFSET + 7200 * S)    /* and that is two hours ago */
#define CONTAINER "4f1c2d3e4a5b60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f9"

static const struct flow_names names = {
	.user = "bob",
	.unit = "nginx.service",
	.container = CONTAINER,
	.exe = "/usr/bin/python3.11",
};

static struct fl_addr addr(const char *text)
{
	struct fl_addr a = { { 0 } };

	assert_int_equal(address_parse(text, &a), 0);
	return a;
}

/* 10.0.0.2:43210 -> 93.184.216.34:443, opened at 1000 s, alive. */
static struct fl_flow session(void)
{
	return (struct fl_flow){
		.id = 0xff6ea,
		.key = { .proto = FL_TCP,
			 .local = addr("10.0.0.2"),
			 .remote = addr("93.184.216.34"),
			 .local_port = 43210,
			 .remote_port = 443 },
		.owner = { .proc = { .pid = 123, .start_ns = 1 },
			   .uid = 1000,
			   .comm = "python3.11" },
		.opened_ns = 1000 * S,
		.seen_ns = 1000 * S,
		.role = FL_ROLE_OPENER,
		.state = FL_STATE_ESTABLISHED,
		.netns_inum = 4026531840u,
	};
}

static struct fl_flow ended_session(void)
{
	struct fl_flow flow = session();

	flow.ended_ns = 2000 * S;
	flow.state = FL_STATE_CLOSE;
	return flow;
}

static struct fl_flow listener(const char *local)
{
	struct fl_flow flow = session();

	flow.key.local = addr(local);
	flow.key.remote = (struct fl_addr){ { 0 } };
	flow.key.local_port = 80;
	flow.key.remote_port = 0;
	flow.role = FL_ROLE_LISTENER;
	flow.state = FL_STATE_LISTEN;
	return flow;
}

static struct fl_flow udp_socket(void)
{
	struct fl_flow flow = listener("0.0.0.0");

	flow.key.proto = FL_UDP;
	flow.role = FL_ROLE_USER;
	flow.state = FL_STATE_UNCONN;
	return flow;
}

static void cleanup_filter(struct filter **f)
{
	filter_free(*f);
}

/* Pairs of name and value, ended by a NULL name; a NULL value is a flag's. */
static bool says(const struct fl_flow *flow, const char *const *pairs)
{
	_cleanup_(cleanup_filter) struct filter *f = NULL;
	const char *why = NULL;

	assert_int_equal(filter_new(&f), 0);
	for (; pairs[0]; pairs += 2) {
		if (filter_add(f, pairs[0], pairs[1], NOW_NS, &why) != 0)
			fail_msg("%s=%s: %s", pairs[0], pairs[1], why);
	}
	return filter_matches(f, flow, &names, OFFSET);
}

#define SAYS(flow, ...) says(&(flow), (const char *const[]){ __VA_ARGS__, NULL, NULL })

static void refused(const char *name, const char *value, int error, const char *sentence)
{
	_cleanup_(cleanup_filter) struct filter *f = NULL;
	struct fl_flow flow = session();
	const char *why = "";

	assert_int_equal(filter_new(&f), 0);
	assert_int_equal(filter_add(f, name, value, NOW_NS, &why), error);
	assert_string_equal(why, sentence);
	assert_true(filter_matches(f, &flow, &names, OFFSET)); /* as empty as before */
}

static void test_the_table(void **state)
{
	static const char *const expected[] = {
		"addr",	 "local",     "remote",	   "lport", "rport", "pid",   "user",	   "comm",
		"exe",	 "unit",      "container", "netns", "proto", "state", "direction", "since",
		"until", "listening", "tcp",	   "udp",   "ipv4",  "ipv6",  "closed",	   "all"
	};
	size_t n = sizeof(expected) / sizeof(expected[0]);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		assert_string_equal(filter_fields[i].name, expected[i]);
		assert_int_equal(filter_fields[i].flag, i >= 17);
		assert_int_equal(filter_fields[i].flag, filter_fields[i].value == NULL);
		assert_non_null(filter_fields[i].help);
	}
	assert_null(filter_fields[n].name);
}

static void test_nothing_asked_is_everything_alive(void **state)
{
	_cleanup_(cleanup_filter) struct filter *f = NULL;
	struct fl_flow live = session(), ended = ended_session(), listen = listener("::");

	(void)state;
	assert_int_equal(filter_new(&f), 0);
	assert_true(filter_wants_live(f));
	assert_false(filter_wants_closed(f));
	assert_true(filter_matches(f, &live, &names, OFFSET));
	assert_true(filter_matches(f, &listen, NULL, OFFSET));
	assert_false(filter_matches(f, &ended, &names, OFFSET));
}

static void test_address_is_either_end(void **state)
{
	struct fl_flow flow = session();

	(void)state;
	assert_true(SAYS(flow, "addr", "10.0.0.2"));
	assert_true(SAYS(flow, "addr", "93.184.0.0/16:443"));
	assert_true(SAYS(flow, "addr", ":443"));
	assert_true(SAYS(flow, "addr", ":43210"));
	assert_false(SAYS(flow, "addr", "10.0.0.2:443")); /* one end has both, or none */
	assert_false(SAYS(flow, "addr", "10.0.0.3"));
	assert_true(SAYS(flow, "local", "10.0.0.0/8"));
	assert_false(SAYS(flow, "remote", "10.0.0.0/8"));
	assert_true(SAYS(flow, "remote", "93.184.216.34:443"));
}

static void test_a_listener_has_no_remote_end(void **state)
{
	struct fl_flow v4 = listener("0.0.0.0"), v6 = listener("::");

	(void)state;
	assert_false(SAYS(v4, "addr", "::"));
	assert_true(SAYS(v6, "addr", "::"));
	assert_true(SAYS(v4, "addr", "0.0.0.0:80"));
	assert_false(SAYS(v4, "remote", "::/0"));
	assert_true(SAYS(v4, "local", "::/0"));
}

static void test_ports(void **state)
{
	struct fl_flow flow = session();

	(void)state;
	assert_true(SAYS(flow, "rport", "443"));
	assert_true(SAYS(flow, "rport", "80,443,8000-8100"));
	assert_true(SAYS(flow, "rport", "400-443"));
	assert_true(SAYS(flow, "rport", "443-500"));
	assert_false(SAYS(flow, "rport", "444-500"));
	assert_false(SAYS(flow, "rport", "43210"));
	assert_true(SAYS(flow, "lport", "43210"));
	assert_true(SAYS(flow, "lport", "1-65535", "rport", "1-65535"));
}

static void test_bad_ports_are_named(void **state)
{
	(void)state;
	refused("rport", "70000", -EINVAL, "'70000' is not a port (1-65535)");
	refused("rport", "80,70000", -EINVAL, "'70000' is not a port (1-65535)");
	refused("lport", "0", -EINVAL, "'0' is not a port (1-65535)");
	refused("lport", "80,", -EINVAL, "'' is not a port (1-65535)");
	refused("lport", "9-5", -EINVAL, "'9-5' is not a port (1-65535)");
	refused("lport", "080", -EINVAL, "'080' is not a port (1-65535)");
	refused("lport", "80-", -EINVAL, "'80-' is not a port (1-65535)");
	refused("lport", "-80", -EINVAL, "'-80' is not a port (1-65535)");
	refused("lport", " 80", -EINVAL, "' 80' is not a port (1-65535)");
	refused("lport", "1-2-3", -EINVAL, "'1-2-3' is not a port (1-65535)");
	refused("lport", "http", -EINVAL, "'http' is not a port (1-65535)");
}

static void test_values_of_one_field_are_alternatives(void **state)
{
	struct fl_flow flow = session();

	(void)state;
	assert_true(SAYS(flow, "pid", "1", "pid", "123"));
	assert_true(SAYS(flow, "pid", "123", "user", "bob"));
	assert_false(SAYS(flow, "pid", "123", "user", "alice"));
	assert_false(SAYS(flow, "pid", "1", "pid", "2"));
}

static void test_owner(void **state)
{
	struct fl_flow flow = session(), nobody = session();

	(void)state;
	memset(&nobody.owner, 0, sizeof(nobody.owner));
	assert_true(SAYS(flow, "user", "bob"));
	assert_true(SAYS(flow, "user", "1000"));
	assert_false(SAYS(flow, "user", "0"));
	assert_false(SAYS(nobody, "user", "0")); /* not known is not root */
	assert_true(SAYS(flow, "comm", "python3.11"));
	assert_false(SAYS(flow, "comm", "python3"));
	memcpy(flow.owner.comm, "systemd-resolve", 16);
	assert_true(SAYS(flow, "comm", "systemd-resolved"));
	assert_true(SAYS(flow, "comm", "systemd-resolve"));
	refused("pid", "0", -EINVAL, "'0' is not a process id");
	refused("pid", "12x", -EINVAL, "'12x' is not a process id");
	refused("pid", "99999999999999999999", -EINVAL,
		"'99999999999999999999' is not a process id");
	refused("user", "4294967295", -EINVAL, "'4294967295' is not a user name or uid");
}

static void test_exe(void **state)
{
	struct fl_flow flow = session();

	(void)state;
	assert_true(SAYS(flow, "exe", "/usr/bin/python3.11"));
	assert_true(SAYS(flow, "exe", "python3.11"));
	assert_true(SAYS(flow, "exe", "python*"));
	assert_true(SAYS(flow, "exe", "/usr/bin/*"));
	assert_true(SAYS(flow, "exe", "*"));
	assert_false(SAYS(flow, "exe", "python3"));
	assert_false(SAYS(flow, "exe", "/usr/bin"));
	assert_false(SAYS(flow, "exe", "/bin/python3.11"));
	assert_false(SAYS(flow, "exe", "usr*"));
}

static void test_unit_and_container(void **state)
{
	struct fl_flow flow = session();

	(void)state;
	assert_true(SAYS(flow, "unit", "nginx.service"));
	assert_true(SAYS(flow, "unit", "nginx"));
	assert_false(SAYS(flow, "unit", "ngin"));
	assert_false(SAYS(flow, "unit", "nginx.socket"));
	assert_true(SAYS(flow, "container", CONTAINER));
	assert_true(SAYS(flow, "container", "4f1c"));
	assert_false(SAYS(flow, "container", "4f1"));
	assert_false(SAYS(flow, "container", "4f1d"));
}

static void test_what_is_not_known_matches_nothing(void **state)
{
	static const char *const fields[] = { "user", "unit", "container", "exe" };
	struct fl_flow flow = session();

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		_cleanup_(cleanup_filter) struct filter *f = NULL;
		const char *why;

		assert_int_equal(filter_new(&f), 0);
		assert_int_equal(filter_add(f, fields[i], "x*", NOW_NS, &why), 0);
		assert_false(filter_matches(f, &flow, NULL, OFFSET));
	}
}

static void test_netns(void **state)
{
	struct fl_flow flow = session();
	__u64 cookie;
	__u32 inum = 0;
	char pid[16];

	(void)state;
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	assert_true(SAYS(flow, "netns", "4026531840"));
	assert_false(SAYS(flow, "netns", "4026531841"));
	flow.netns_inum = 0;
	assert_false(SAYS(flow, "netns", "4026531840"));
	if (netns_self(&cookie, &inum) == 0) {
		flow.netns_inum = inum;
		assert_true(SAYS(flow, "netns", pid));
	}
	refused("netns", "no-such-namespace", -EINVAL,
		"'no-such-namespace' is not a network namespace (inode, pid or name) that can be "
		"read");
}

static void test_proto_and_family(void **state)
{
	struct fl_flow tcp4 = session(), udp4 = udp_socket(), tcp6 = listener("::");

	(void)state;
	assert_true(SAYS(tcp4, "tcp", NULL));
	assert_false(SAYS(udp4, "tcp", NULL));
	assert_true(SAYS(udp4, "tcp", NULL, "udp", NULL)); /* -t -u is both */
	assert_true(SAYS(udp4, "tcp", NULL, "proto", "udp"));
	assert_true(SAYS(udp4, "proto", "UDP"));
	assert_true(SAYS(udp4, "ipv4", NULL)); /* though its remote address is all zero */
	assert_false(SAYS(udp4, "ipv6", NULL));
	assert_true(SAYS(tcp6, "ipv6", NULL));
	assert_false(SAYS(tcp6, "ipv4", NULL));
	assert_true(SAYS(tcp6, "ipv4", NULL, "ipv6", NULL));
	assert_false(SAYS(tcp4, "ipv4", NULL, "udp", NULL));
	refused("proto", "icmp", -EINVAL, "'icmp' is not a protocol (tcp or udp)");
}

static void test_state_and_direction(void **state)
{
	struct fl_flow flow = session(), listen = listener("::");

	(void)state;
	assert_true(SAYS(flow, "state", "established"));
	assert_true(SAYS(listen, "state", "established", "state", "listening"));
	assert_false(SAYS(flow, "state", "syn-sent"));
	assert_true(SAYS(flow, "direction", "egress"));
	assert_false(SAYS(flow, "direction", "ingress"));
	assert_false(SAYS(listen, "direction", "egress", "direction", "ingress"));
	refused("state", "open", -EINVAL,
		"'open' is not a state (established, listen, syn-sent, ...)");
	refused("direction", "out", -EINVAL, "'out' is not a direction (egress or ingress)");
}

static void test_listening(void **state)
{
	struct fl_flow flow = session(), listen = listener("::"), udp = udp_socket();
	struct fl_flow unlistened = listener("::");

	(void)state;
	unlistened.ended_ns = 2000 * S;
	unlistened.state = FL_STATE_CLOSE;
	assert_false(SAYS(flow, "listening", NULL));
	assert_true(SAYS(listen, "listening", NULL));
	assert_true(SAYS(udp, "listening", NULL));
	assert_false(SAYS(unlistened, "listening", NULL));
	assert_true(SAYS(unlistened, "listening", NULL, "all", NULL));
}

static void test_live_and_closed(void **state)
{
	struct fl_flow live = session(), ended = ended_session();

	(void)state;
	assert_false(SAYS(live, "closed", NULL));
	assert_true(SAYS(ended, "closed", NULL));
	assert_true(SAYS(live, "all", NULL));
	assert_true(SAYS(ended, "all", NULL));
	assert_true(SAYS(live, "closed", NULL, "all", NULL));
	assert_true(SAYS(live, "since", "1h"));
	assert_true(SAYS(ended, "since", "2h"));
	assert_false(SAYS(live, "since", "1h", "closed", NULL));
}

static void test_wants(void **state)
{
	static const struct {
		const char *name, *value;
		bool live, closed;
	} cases[] = { { "closed", NULL, false, true }, { "all", NULL, true, true },
		      { "since", "1h", true, true },   { "until", "1h", true, true },
		      { "pid", "1", true, false },     { "listening", NULL, true, false } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_(cleanup_filter) struct filter *f = NULL;
		const char *why;

		assert_int_equal(filter_new(&f), 0);
		assert_int_equal(filter_add(f, cases[i].name, cases[i].value, NOW_NS, &why), 0);
		assert_int_equal(filter_wants_live(f), cases[i].live);
		assert_int_equal(filter_wants_closed(f), cases[i].closed);
	}
}

/* The flow lived from @1700001000 to @1700002000; now is @1700007200. */
static void test_times(void **state)
{
	struct fl_flow ended = ended_session(), live = session();

	(void)state;
	assert_true(SAYS(ended, "since", "@1700002000"));
	assert_false(SAYS(ended, "since", "@1700002001"));
	assert_true(SAYS(live, "since", "@1700002001"));
	assert_true(SAYS(ended, "until", "@1700001000"));
	assert_false(SAYS(ended, "until", "@1700000999"));
	assert_true(SAYS(ended, "since", "5200s"));
	assert_false(SAYS(ended, "since", "5199s"));
	assert_false(SAYS(ended, "since", "86m"));
	assert_true(SAYS(ended, "since", "1d"));
	assert_true(SAYS(ended, "since", "2023-11-14T22:46:40Z")); /* @1700002000 */
	assert_true(SAYS(ended, "since", "2023-11-15T00:46:40.000+02:00"));
	assert_false(SAYS(ended, "since", "2023-11-14T22:46:40.5Z"));
	assert_false(SAYS(ended, "since", "2023-11-14T22:46:40-00:01"));
	assert_true(SAYS(ended, "since", "1m", "since", "2h")); /* either will do */
}

/* Opened before anybody looked: it was open when first seen, and no earlier is claimed. */
static void test_older_than_the_agent(void **state)
{
	struct fl_flow flow = session();

	(void)state;
	flow.opened_ns = 0;
	assert_true(SAYS(flow, "until", "@1700001000"));
	assert_false(SAYS(flow, "until", "@1700000999"));
}

static void test_bad_times(void **state)
{
	static const char *const junk[] = { "yesterday",
					    "10",
					    "10x",
					    "-10m",
					    "@",
					    "@-1",
					    "@1x",
					    "2026-13-01T00:00:00Z",
					    "2026-02-30T00:00:00Z",
					    "2026-01-02T24:00:00Z",
					    "2026-01-02T03:04:05+2:00",
					    "2026-01-02T03:04:05.Z",
					    "2026-01-02",
					    "2026-01-02T03:04:05Zx",
					    "@99999999999999999999" };

	(void)state;
	for (size_t i = 0; i < sizeof(junk) / sizeof(junk[0]); i++) {
		char sentence[128];

		snprintf(sentence, sizeof(sentence),
			 "'%s' is not a time (10m, 2h, 2026-01-02T03:04:05Z, @1700000000)",
			 junk[i]);
		refused("since", junk[i], -EINVAL, sentence);
	}
}

static void test_fields_and_flags(void **state)
{
	struct fl_flow flow = session();

	(void)state;
	refused("colour", "red", -ENOENT, "there is no filter 'colour'");
	refused("", "", -ENOENT, "there is no filter ''");
	refused("tcp", "no", -EINVAL, "'tcp' takes no value");
	refused("pid", NULL, -EINVAL, "'pid' needs a value");
	refused("exe", "", -EINVAL, "'exe' needs a value");
	assert_true(SAYS(flow, "tcp", "", "ipv4", "1", "all", "true"));
}

/* A value goes into a sentence of JSON and onto a terminal: cut, and printable. */
static void test_sentences_are_safe(void **state)
{
	char value[300];

	(void)state;
	refused("pid", "\033[2J\xff-\x7f\n", -EINVAL,
		"'?[2J?-?"
		"?' is not a process id");
	memset(value, 'x', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	refused("pid", value, -EINVAL,
		"'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' is not a "
		"process "
		"id");
}

static void test_values_are_bounded(void **state)
{
	_cleanup_(cleanup_filter) struct filter *f = NULL;
	const char *why;
	int r = 0, added = 0;

	(void)state;
	assert_int_equal(filter_new(&f), 0);
	while (added < 100000 && (r = filter_add(f, "pid", "1", NOW_NS, &why)) == 0)
		added++;
	assert_int_equal(r, -EINVAL);
	assert_int_equal(added, 1024);
	assert_string_equal(why, "more than 1024 values to filter by");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_table),
		cmocka_unit_test(test_nothing_asked_is_everything_alive),
		cmocka_unit_test(test_address_is_either_end),
		cmocka_unit_test(test_a_listener_has_no_remote_end),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_bad_ports_are_named),
		cmocka_unit_test(test_values_of_one_field_are_alternatives),
		cmocka_unit_test(test_owner),
		cmocka_unit_test(test_exe),
		cmocka_unit_test(test_unit_and_container),
		cmocka_unit_test(test_what_is_not_known_matches_nothing),
		cmocka_unit_test(test_netns),
		cmocka_unit_test(test_proto_and_family),
		cmocka_unit_test(test_state_and_direction),
		cmocka_unit_test(test_listening),
		cmocka_unit_test(test_live_and_closed),
		cmocka_unit_test(test_wants),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_older_than_the_agent),
		cmocka_unit_test(test_bad_times),
		cmocka_unit_test(test_fields_and_flags),
		cmocka_unit_test(test_sentences_are_safe),
		cmocka_unit_test(test_values_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
