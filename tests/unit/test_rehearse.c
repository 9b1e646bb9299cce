/* SPDX-License-Identifier: BSD-2-Clause */
/* What a policy says to attempts in words: which rule, which verdict, what was not given. */
#include "policy/rehearse.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct policy *policy;
static struct rehearsal attempt;
static struct rehearsed said;

static void parse(const char *text)
{
	struct policy_text one = { .name = "f.yaml", .text = text, .size = strlen(text) };
	struct policy_error error;

	policy_free(policy);
	policy = NULL;
	attempt = (struct rehearsal){ .hook = FL_HOOK_CONNECT };
	if (policy_parse(&one, 1, &policy, &error))
		fail_msg("%zu: %s", error.place.line, error.why);
}

static void give_endpoint(struct endpoint *ep, const char *text)
{
	assert_int_equal(endpoint_parse(text, ep), 0);
}

/* The names of the deciding rule, of the one in audit, and of the one were all enforced. */
static void says(const char *rule, const char *audited, const char *first)
{
	struct policy_error error;

	if (rehearse(policy, &attempt, &said, &error))
		fail_msg("%s", error.why);
	assert_string_equal(said.rule ? said.rule->name : "-", rule);
	assert_string_equal(said.audited ? said.audited->name : "-", audited);
	assert_string_equal(said.first ? said.first->name : "-", first);
}

static int teardown(void **state)
{
	(void)state;
	policy_free(policy);
	policy = NULL;
	return 0;
}

static void the_first_that_matches(void **state)
{
	(void)state;
	parse("mode: enforce\ndefault: {connect: allow_hard}\nrules:\n"
	      "- {name: a, hooks: connect, remote: {addr: 10.0.0.0/8, port: 1-99}, verdict: "
	      "allow}\n"
	      "- {name: b, hooks: connect, remote: {addr: 10.0.0.0/8}, verdict: deny, mode: "
	      "audit}\n"
	      "- {name: c, hooks: [connect, bind], proto: udp, verdict: deny}\n"
	      "- {name: d, hooks: connect, remote: {addr: '::/0'}, not: {remote: {addr:"
	      " 0.0.0.0/0}}, verdict: deny}\n");
	give_endpoint(&attempt.remote, "10.1.2.3:99");
	says("a", "-", "a");
	assert_int_equal(said.verdict, FL_PROCEED_SOFT);
	assert_int_equal(said.unknown, 0);
	give_endpoint(&attempt.remote, "10.1.2.3:100");
	says("-", "b", "b");
	assert_int_equal(said.verdict, FL_PROCEED_HARD);
	assert_int_equal(said.strict, FL_REJECT);
	attempt.udp = true;
	says("c", "b", "b");
	attempt.udp = false;
	give_endpoint(&attempt.remote, "[::1]:100");
	says("d", "-", "d");
	give_endpoint(&attempt.remote, "[::ffff:11.0.0.1]:100"); /* that is IPv4 */
	says("-", "-", "-");
	attempt.hook = FL_HOOK_LISTEN;
	says("-", "-", "-");
	assert_int_equal(said.verdict, FL_PROCEED_SOFT);
}

/* For the family of where it leads; what is not known is redirected. */
static void a_redirect(void **state)
{
	(void)state;
	parse("mode: enforce\nrules:\n"
	      "- {name: a, hooks: connect, remote: {port: 80}, verdict: redirect, to: "
	      "'127.0.0.1:3129'}\n"
	      "- {name: b, hooks: connect, exe: /a, verdict: redirect, to: ':3129'}\n");
	give_endpoint(&attempt.remote, "10.1.2.3:80");
	says("a", "-", "a");
	assert_int_equal(said.verdict, FL_PROCEED_SOFT);
	assert_int_equal(said.rule->flags, FL_RULE_REDIRECT);
	give_endpoint(&attempt.remote, "[::1]:80");
	says("b", "-", "b");
	attempt.words[POLICY_EXE] = "/b";
	says("-", "-", "-");
	assert_string_not_equal(rehearse_redirect(FL_HOOK_CONNECT, false).application,
				rehearse_redirect(FL_HOOK_BIND, false).application);
	assert_null(rehearse_redirect(FL_HOOK_CONNECT, true).error);
}

static void a_port_in_use(void **state)
{
	struct policy_error error;

	(void)state;
	parse("mode: enforce\nrules:\n"
	      "- {name: taken, hooks: listen, port_in_use_by_other: true, verdict: deny}\n"
	      "- {name: free, hooks: listen, not: {port_in_use_by_other: true}, verdict: allow}\n");
	attempt.hook = FL_HOOK_LISTEN;
	says("taken", "-", "taken");
	assert_int_equal(said.unknown, 1u << POLICY_PORT_IN_USE);
	attempt.words[POLICY_PORT_IN_USE] = "false";
	says("free", "-", "free");
	assert_int_equal(said.unknown, 0);
	attempt.words[POLICY_PORT_IN_USE] = "true";
	says("taken", "-", "taken");
	assert_int_equal(said.unknown, 0);
	attempt.words[POLICY_PORT_IN_USE] = "perhaps";
	assert_int_equal(rehearse(policy, &attempt, &said, &error), -EINVAL);
	assert_string_equal(error.why, "'perhaps' is not true or false");
}

static void limits(void **state)
{
	struct policy_error error;

	(void)state;
	parse("mode: enforce\nrules:\n"
	      "- {name: many, hooks: listen, limit: {listeners: 5, per: process}, verdict: deny}\n"
	      "- {name: more, hooks: listen, limit: {listeners: 9, per: exe}, verdict: deny}\n");
	attempt.hook = FL_HOOK_LISTEN;
	says("many", "-", "many");
	assert_int_equal(said.unknown, 1u << POLICY_LIMIT);
	attempt.words[POLICY_LIMIT] = "4";
	attempt.words[POLICY_LIMIT_EXE] = "9";
	says("more", "-", "more");
	assert_int_equal(said.unknown, 0);
	attempt.words[POLICY_LIMIT_EXE] = "8";
	says("-", "-", "-");
	attempt.words[POLICY_LIMIT] = "5";
	says("many", "-", "many");
	attempt.words[POLICY_LIMIT] = "4294967295";
	says("many", "-", "many");
	attempt.words[POLICY_LIMIT] = "4294967296";
	assert_int_equal(rehearse(policy, &attempt, &said, &error), -EINVAL);
	attempt.words[POLICY_LIMIT] = "-1";
	assert_int_equal(rehearse(policy, &attempt, &said, &error), -EINVAL);
	assert_string_equal(error.why, "'-1' is not a number of listeners");
}

static void a_default_in_audit(void **state)
{
	(void)state;
	parse("default: {connect: deny}\n");
	says("-", "-", "-");
	assert_int_equal(said.verdict, FL_PROCEED_SOFT);
	assert_int_equal(said.strict, FL_REJECT);
}

static void what_is_not_given_is_the_stricter(void **state)
{
	(void)state;
	parse("mode: enforce\nrules:\n"
	      "- {name: a, hooks: connect, exe: /a, verdict: allow}\n"
	      "- {name: u, hooks: bind, uid: 5, verdict: allow}\n"
	      "- {name: b, hooks: connect, not: {exe: /b}, verdict: deny}\n"
	      "- {name: c, hooks: connect, user: root, verdict: deny}\n");
	says("b", "-", "b");
	assert_int_equal(said.unknown, 1 << POLICY_EXE);
	attempt.words[POLICY_EXE] = "/b";
	says("c", "-", "c");
	assert_int_equal(said.unknown, 1 << POLICY_USER);
	attempt.words[POLICY_UID] = "0"; /* the same attribute by number */
	says("c", "-", "c");
	assert_int_equal(said.unknown, 0);
	attempt.words[POLICY_UID] = "1";
	says("-", "-", "-");
	attempt.words[POLICY_EXE] = "/a";
	says("a", "-", "a");
}

static void cgroups_by_path_or_by_name(void **state)
{
	(void)state;
	parse("mode: enforce\nrules:\n"
	      "- {name: a, hooks: connect, unit: x.service, container: 0123456789ab,"
	      " verdict: deny}\n"
	      "- {name: b, hooks: connect, cgroup: /s.slice, not: {unit: y.service}, verdict: "
	      "deny}\n");
	attempt.words[POLICY_UNIT] = "z.service";
	says("b", "-", "b"); /* its unit is no reason, its path is not known */
	assert_int_equal(said.unknown, 1 << POLICY_CONTAINER | 1 << POLICY_CGROUP);
	attempt.words[POLICY_UNIT] = "y.service";
	says("-", "-", "-"); /* one thing that does not hold is enough */
	attempt.words[POLICY_UNIT] = "x.service";
	says("a", "-", "a");
	attempt.words[POLICY_UNIT] = NULL;
	attempt.words[POLICY_CGROUP] = "/s.slice/x.service";
	says("b", "-", "b");
	assert_int_equal(said.unknown, 0);
	attempt.words[POLICY_CGROUP] = "/s.slice/y.service/inner";
	says("-", "-", "-");
	attempt.words[POLICY_CGROUP] = "/t/y.service";
	says("-", "-", "-");
}

static void names_need_not_exist(void **state)
{
	(void)state;
	parse("mode: enforce\nrules:\n"
	      "- {name: any, hooks: recv_accept, verdict: allow, interface_type: wifi}\n"
	      "- {name: ns, hooks: recv_accept, netns: no-such-netns, interface: no-such0,"
	      " verdict: deny}\n"
	      "- {name: sh, hooks: recv_accept, exe: /bin/../bin/sh, verdict: deny}\n");
	attempt.hook = FL_HOOK_RECV_ACCEPT;
	attempt.words[POLICY_NETNS] = "no-such-netns";
	attempt.words[POLICY_INTERFACE] = "no-such0";
	attempt.words[POLICY_INTERFACE_TYPE] = "71";
	says("ns", "-", "ns"); /* a namespace comes first */
	attempt.words[POLICY_INTERFACE] = "no-such1";
	says("any", "-", "any");
	attempt.words[POLICY_INTERFACE_TYPE] = "6";
	attempt.words[POLICY_EXE] = "/bin/sh"; /* one file, two ways to say it */
	says("sh", "-", "sh");
}

/* Not even who a rule means: the daemon waits for nobody's name service without need. */
static void what_is_not_asked_is_not_looked_up(void **state)
{
	(void)state;
	parse("mode: enforce\nrules:\n"
	      "- {name: in, hooks: listen, user: no-such-user, verdict: deny}\n"
	      "- {name: tcp, hooks: connect, proto: tcp, group: no-such-group, verdict: deny}\n"
	      "- {name: out, hooks: connect, user: no-such-user, verdict: deny}\n");
	attempt.udp = true;
	says("out", "-", "out");
	assert_int_equal(said.unknown, 1u << POLICY_USER);
	attempt.udp = false;
	says("tcp", "-", "tcp");
	assert_int_equal(said.unknown, 1u << POLICY_GROUP);
}

static void words_that_cannot_be(void **state)
{
	static const struct {
		enum policy_attribute attribute;
		const char *word;
	} cases[] = {
		{ POLICY_USER, "no-such-user" },  { POLICY_GROUP, "no-such-group" },
		{ POLICY_UID, "root" },		  { POLICY_UID, "-1" },
		{ POLICY_UID, "4294967295" },	  { POLICY_INTERFACE_TYPE, "fast" },
		{ POLICY_TUNNEL_TYPE, "secret" },
	};
	struct policy_error error;

	(void)state;
	parse("");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		attempt.words[cases[i].attribute] = cases[i].word;
		assert_int_equal(rehearse(policy, &attempt, &said, &error), -EINVAL);
		assert_non_null(strstr(error.why, cases[i].word));
		attempt.words[cases[i].attribute] = NULL;
	}
	attempt.words[POLICY_USER] = "root";
	attempt.words[POLICY_UID] = "0";
	assert_int_equal(rehearse(policy, &attempt, &said, &error), -EINVAL);
}

/* Which other names a file has is looked up for rules, and for attempts unless they may not ask. */
static void paths_as_written(void **state)
{
	char directory[] = "/tmp/flowner-test-XXXXXX", link[64], text[256];

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(link, sizeof(link), "%s/link", directory);
	assert_int_equal(symlink("/proc/self/../version", link), 0);
	snprintf(text, sizeof(text),
		 "mode: enforce\nrules: [{name: a, hooks: connect, exe: %s, verdict: deny}]\n",
		 link);
	parse(text);
	attempt.words[POLICY_EXE] = "/proc/1/../version";
	says("a", "-", "a");
	attempt.as_written = true;
	says("-", "-", "-");
	attempt.words[POLICY_EXE] = "/proc/version";
	says("a", "-", "a");
	attempt.words[POLICY_EXE] = link;
	says("a", "-", "a");
	attempt.words[POLICY_EXE] = NULL; /* LINK is ours */
	assert_int_equal(unlink(link), 0);
	assert_int_equal(rmdir(directory), 0);
}

/* The errno of each hook: windows-hooks.md, section 2. */
static void effects(void **state)
{
	static const struct {
		enum fl_hook hook;
		bool udp;
		const char *error;
	} cases[] = {
		{ FL_HOOK_LISTEN, false, "EACCES" },
		{ FL_HOOK_BIND, false, "EACCES" },
		{ FL_HOOK_BIND, true, "EACCES" },
		{ FL_HOOK_CONNECT, false, "EACCES" },
		{ FL_HOOK_CONNECT, true, "EACCES" },
		{ FL_HOOK_CONNECT_AUTHORIZATION, false, "EHOSTUNREACH" },
		{ FL_HOOK_CONNECT_AUTHORIZATION, true, "EPERM" },
		{ FL_HOOK_RECV_ACCEPT, false, NULL },
		{ FL_HOOK_RECV_ACCEPT, true, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rehearsed_effect no, yes;

		no = rehearse_effect(cases[i].hook, cases[i].udp, FL_REJECT, false);
		yes = rehearse_effect(cases[i].hook, cases[i].udp, FL_PROCEED_HARD, false);
		if (cases[i].error)
			assert_string_equal(no.error, cases[i].error);
		else
			assert_null(no.error);
		assert_null(yes.error);
		assert_string_not_equal(no.application, yes.application);
		assert_non_null(no.peer);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, teardown)
	const struct CMUnitTest tests[] = {
		TEST(the_first_that_matches),
		TEST(a_redirect),
		TEST(a_port_in_use),
		TEST(limits),
		TEST(a_default_in_audit),
		TEST(what_is_not_given_is_the_stricter),
		TEST(cgroups_by_path_or_by_name),
		TEST(names_need_not_exist),
		TEST(what_is_not_asked_is_not_looked_up),
		TEST(words_that_cannot_be),
		TEST(paths_as_written),
		TEST(effects),
	};

	return cmocka_run_group_tests_name("rehearse", tests, NULL, NULL);
}
