/* SPDX-License-Identifier: BSD-2-Clause */
/* The policy file: every attribute arrives, every mistake is refused with its place. */
#include "text/address.h"
#include "policy/policy.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct policy *good_texts(const struct policy_text *texts, size_t count)
{
	struct policy_error error;
	struct policy *policy = NULL;
	char line[1024];

	if (policy_parse(texts, count, &policy, &error))
		fail_msg("%s", policy_error_format(&error, line, sizeof(line)));
	return policy;
}

static struct policy *good(const char *text)
{
	struct policy_text one = { .name = "f.yaml", .text = text, .size = strlen(text) };

	return good_texts(&one, 1);
}

static void refused_texts(const struct policy_text *texts, size_t count, int wanted,
			  const char *place, const char *about)
{
	struct policy_error error;
	struct policy *policy = NULL;
	char line[1024];
	int r = policy_parse(texts, count, &policy, &error);

	policy_error_format(&error, line, sizeof(line));
	if (r != wanted || strncmp(line, place, strlen(place)) != 0 || !strstr(line, about))
		fail_msg("%s -> %d %s", texts[count - 1].text, r, line);
	assert_null(policy);
	assert_null(strchr(line, '\n'));
}

static void refused(const char *text, const char *place, const char *about)
{
	struct policy_text one = { .name = "f.yaml", .text = text, .size = strlen(text) };

	refused_texts(&one, 1, -EINVAL, place, about);
}

#define RULE "rules:\n  - name: a\n    hooks: [listen]\n    verdict: reject\n"
#define RULE_AT(hooks) "rules:\n  - name: a\n    hooks: [" hooks "]\n    verdict: reject\n"

static void the_design_s_example(void **state)
{
	struct policy *p = good("mode: audit                       # the default\n"
				"default: {listen: proceed_soft}\n"
				"rules:\n"
				"  - name: web-ports\n"
				"    hooks: [listen]               # bind, connect\n"
				"    proto: tcp\n"
				"    local: {port: [80, 443]}      # no addr = both families\n"
				"    not: {exe: [/usr/sbin/nginx]}\n"
				"    verdict: reject               # = deny\n");
	const struct policy_rule *rule = p->rules;

	(void)state;
	assert_int_equal(p->rule_count, 1);
	assert_false(p->enforced);
	assert_int_equal(p->hooks, 1 << FL_HOOK_LISTEN);
	assert_string_equal(rule->name, "web-ports");
	assert_int_equal(rule->place.line, 4);
	assert_string_equal(rule->place.file, "f.yaml");
	assert_int_equal(rule->hooks, 1 << FL_HOOK_LISTEN);
	assert_true(rule->tcp);
	assert_false(rule->udp);
	assert_false(rule->enforced);
	assert_int_equal(rule->verdict, FL_REJECT);
	assert_int_equal(rule->term_count, 2);
	assert_int_equal(rule->terms[0].attribute, POLICY_LOCAL_PORT);
	assert_int_equal(rule->terms[0].count, 2);
	assert_int_equal(rule->terms[0].words[1].value.first, 443);
	assert_int_equal(rule->terms[0].words[1].value.last, 443);
	assert_int_equal(rule->terms[0].words[1].place.line, 7);
	assert_int_equal(rule->terms[0].words[1].place.column, 24);
	assert_int_equal(rule->terms[1].attribute, POLICY_EXE);
	assert_true(rule->terms[1].negated);
	assert_string_equal(rule->terms[1].words[0].text, "/usr/sbin/nginx");
	policy_free(p);
}

static void every_attribute(void **state)
{
	static const struct {
		const char *text;
		enum policy_attribute attribute;
		size_t count;
	} cases[] = {
		{ "exe: [/a, /b]", POLICY_EXE, 2 },
		{ "parent: /usr/bin/a,b", POLICY_PARENT, 1 },
		{ "user: [root, www-data]", POLICY_USER, 2 },
		{ "uid: [0, 4294967294]", POLICY_UID, 2 },
		{ "group: adm", POLICY_GROUP, 1 },
		{ "cgroup: /system.slice", POLICY_CGROUP, 1 },
		{ "unit: nginx.service", POLICY_UNIT, 1 },
		{ "container: 0123456789ab", POLICY_CONTAINER, 1 },
		{ "netns: [4026531840, blue]", POLICY_NETNS, 2 },
		{ "interface: [eth0]", POLICY_INTERFACE, 1 },
		{ "interface_type: [ethernet, 71, ieee80211]", POLICY_INTERFACE_TYPE, 3 },
		{ "tunnel_type: none", POLICY_TUNNEL_TYPE, 1 },
		{ "local: {addr: 10.0.0.0/8}", POLICY_LOCAL_ADDR, 1 },
		{ "local: {port: 1-65535}", POLICY_LOCAL_PORT, 1 },
		{ "remote: {addr: [10.0.0.0/8, \"fd00::/8\", \"::1\"]}", POLICY_REMOTE_ADDR, 3 },
		{ "remote: {port: [53, 8000-8100]}", POLICY_REMOTE_PORT, 2 },
	};
	char text[512];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (int negated = 0; negated < 2; negated++) {
			struct policy *p;

			snprintf(text, sizeof(text), "%s    %s%s\n",
				 RULE_AT("connect_authorization, recv_accept"),
				 negated ? "not:\n      " : "", cases[i].text);
			p = good(text);
			assert_int_equal(p->rules->term_count, 1);
			assert_int_equal(p->rules->terms->attribute, cases[i].attribute);
			assert_int_equal(p->rules->terms->count, cases[i].count);
			assert_int_equal(p->rules->terms->negated, negated);
			policy_free(p);
		}
	}
}

/* Only who listens takes a port from others who do. */
static void a_port_in_use_by_others(void **state)
{
	static const char *const words[] = { "false", "true" };
	char text[512];

	(void)state;
	for (__u64 yes = 0; yes < 2; yes++) {
		for (int negated = 0; negated < 2; negated++) {
			const struct policy_term *t;
			struct policy *p;

			snprintf(text, sizeof(text), "%s    %sport_in_use_by_other: %s\n",
				 RULE_AT("listen"), negated ? "not:\n      " : "", words[yes]);
			p = good(text);
			t = p->rules->terms;
			assert_int_equal(p->rules->term_count, 1);
			assert_int_equal(t->attribute, POLICY_PORT_IN_USE);
			assert_int_equal(t->negated, negated);
			assert_int_equal(t->words->value.id[0], yes);
			policy_free(p);
		}
	}
}

/* So many listeners, or more, of each of the four. */
static void limits(void **state)
{
	char text[512];

	(void)state;
	for (enum fl_per per = 0; per < FL_PERS; per++) {
		const struct policy_term *t;
		struct policy *p;
		enum fl_per read = FL_PERS;

		snprintf(text, sizeof(text), "%s    limit: {per: %s, listeners: %u}\n",
			 RULE_AT("listen"), policy_per_text(per), per ? 4096u : 1u);
		p = good(text);
		t = p->rules->terms;
		assert_int_equal(p->rules->term_count, 1);
		assert_int_equal(t->attribute, POLICY_LIMIT + per);
		assert_int_equal(policy_dimension(t->attribute), FL_DIM_LISTENERS + per);
		assert_false(t->negated);
		assert_int_equal(t->words->value.first, per ? 4096 : 1);
		assert_int_equal(t->words->value.last, 65535);
		assert_int_equal(policy_per_parse(policy_per_text(per), &read), 0);
		assert_int_equal(read, per);
		policy_free(p);
	}
}

static void values(void **state)
{
	struct policy *p = good(
		RULE_AT("connect_authorization") "    uid: 33\n"
						 "    interface_type: [wifi, 209]\n"
						 "    tunnel_type: gre\n"
						 "    local: {addr: [\"fe80::/10\", 10.0.0.0/8, "
						 "0.0.0.0/0]}\n"
						 "    remote: {port: 8000-8100}\n");
	const struct policy_term *t = p->rules->terms;

	(void)state;
	assert_int_equal(t[0].words[0].value.id[0], 33);
	assert_int_equal(t[1].words[0].value.id[0], 71);
	assert_int_equal(t[1].words[1].value.id[0], 209);
	assert_int_equal(t[2].words[0].value.id[0], 3);
	assert_int_equal(t[3].words[0].value.bits, 10);
	assert_int_equal(t[3].words[0].value.addr.b[0], 0xfe);
	assert_int_equal(t[3].words[1].value.bits, 104);
	assert_int_equal(t[3].words[2].value.bits, 96);
	assert_int_equal(t[4].words[0].value.first, 8000);
	assert_int_equal(t[4].words[0].value.last, 8100);
	policy_free(p);
}

static void a_word_alone_is_a_list_of_one(void **state)
{
	/* as text it would be something else inside of a list */
	struct policy *p = good("rules:\n- name: 'a: b'\n  hooks: listen\n  verdict: deny\n"
				"  exe: /opt/x,[y] {z}\n  container: \"a\\tb\"\n");

	(void)state;
	assert_string_equal(p->rules->terms[0].words[0].text, "/opt/x,[y] {z}");
	assert_int_equal(p->rules->terms[0].words[0].place.line, 5);
	assert_int_equal(p->rules->terms[0].words[0].place.column, 8);
	assert_string_equal(p->rules->terms[1].words[0].text, "a\tb");
	assert_string_equal(p->rules->name, "a: b");
	policy_free(p);
}

static void verdicts_modes_and_allowances(void **state)
{
	struct policy *p = good("mode: enforce\n"
				"default: {bind: allow, connect: deny}\n"
				"rules:\n"
				"- {name: a, hooks: [bind], verdict: deny, mode: audit}\n"
				"- {name: b, hooks: [bind], verdict: allow}\n"
				"- {name: c, hooks: [bind, listen], verdict: allow_hard,"
				" allow_override: false}\n"
				"- {name: d, hooks: listen, verdict: reject, allow_async: true}\n"
				"- {name: e, hooks: recv_accept, verdict: proceed_hard,"
				" allow_async: false}\n"
				"- {name: f, hooks: [bind, connect], verdict: proceed_hard,"
				" allow_override: true}\n");

	(void)state;
	assert_true(p->enforced);
	assert_false(p->rules[0].enforced);
	assert_int_equal(p->rules[0].verdict, FL_REJECT);
	assert_true(p->rules[1].enforced);
	assert_int_equal(p->rules[1].verdict, FL_PROCEED_SOFT);
	assert_int_equal(p->rules[2].verdict, FL_PROCEED_HARD);
	assert_int_equal(p->rules[2].flags, 0);
	assert_true(p->rules[3].allow_async);
	assert_int_equal(p->rules[4].flags, 0);
	assert_int_equal(p->rules[5].flags, FL_RULE_OVERRIDE);
	assert_int_equal(p->defaults[FL_HOOK_CONNECT].verdict, FL_REJECT);
	assert_true(p->defaults[FL_HOOK_CONNECT].enforced);
	assert_int_equal(p->defaults[FL_HOOK_CONNECT].tag, FL_HOOK_CONNECT);
	assert_int_equal(p->defaults[FL_HOOK_LISTEN].verdict, FL_PROCEED_SOFT);
	assert_int_equal(p->default_places[FL_HOOK_CONNECT].line, 2);
	assert_int_equal(p->default_places[FL_HOOK_LISTEN].line, 0);
	assert_int_equal(p->hooks, 1 << FL_HOOK_BIND | 1 << FL_HOOK_LISTEN | 1 << FL_HOOK_CONNECT |
					   1 << FL_HOOK_RECV_ACCEPT);
	policy_free(p);
}

static void protocols(void **state)
{
	struct policy *p = good("rules:\n"
				"- {name: a, hooks: [bind], verdict: deny, proto: [tcp, udp]}\n"
				"- {name: b, hooks: [bind], verdict: deny, not: {proto: tcp}}\n"
				"- {name: c, hooks: [bind], verdict: deny}\n");

	(void)state;
	assert_true(p->rules[0].tcp && p->rules[0].udp);
	assert_true(!p->rules[1].tcp && p->rules[1].udp);
	assert_true(p->rules[2].tcp && p->rules[2].udp);
	policy_free(p);
}

static void nothing_is_a_policy_too(void **state)
{
	struct policy *p = good("# nothing\n");

	(void)state;
	assert_int_equal(p->rule_count, 0);
	assert_int_equal(p->hooks, 0);
	policy_free(p);
	policy_free(NULL);
	p = good_texts(NULL, 0);
	assert_int_equal(p->file_count, 0);
	policy_free(p);
}

static void mistakes_have_a_place(void **state)
{
	static const struct {
		const char *text, *place, *about;
	} cases[] = {
		/* the form */
		{ "mode: deny\n", "f.yaml:1:7: ", "'deny'" },
		{ "mode: !x audit\n", "f.yaml:1:7: ", "tag" },
		{ "moed: audit\n", "f.yaml:1:1: ", "'moed'" },
		{ "mode: [audit]\n", "f.yaml:1:7: ", "string" },
		{ "default: {lisen: deny}\n", "f.yaml:1:11: ", "'lisen'" },
		{ "default: {listen: drop}\n", "f.yaml:1:19: ", "'drop'" },
		{ "default: {connect: redirect}\n", "f.yaml:1:20: ", "cannot redirect" },
		{ "rules: []\n", "f.yaml:1:8: ", "empty list" },
		{ "rules: deny\n", "f.yaml:1:8: ", "list" },
		{ "rules:\n  - deny\n", "f.yaml:2:5: ", "mapping" },
		{ "rules: [{hooks: [bind], verdict: deny}]\n", "f.yaml:1:9: ", "name" },
		{ "rules: [{name: a, verdict: deny}]\n", "f.yaml:1:9: ", "hooks" },
		{ "rules: [{name: a, hooks: [bind]}]\n", "f.yaml:1:9: ", "verdict" },
		{ "rules: [{name: \"\", hooks: [bind]}]\n", "f.yaml:1:16: ", "empty" },
		{ RULE "    colour: red\n", "f.yaml:5:5: ", "'colour'" },
		{ RULE "    not: {colour: red}\n", "f.yaml:5:11: ", "'colour'" },
		{ RULE "    not: {}\n", "f.yaml:5:10: ", "nothing" },
		{ RULE "    local: {}\n", "f.yaml:5:12: ", "nothing" },
		{ RULE "    not: {exe: /a, remote: {}}\n", "f.yaml:5:28: ", "nothing" },
		{ RULE "    exe: []\n", "f.yaml:5:10: ", "empty list" },
		{ RULE "    exe: [/a, '']\n", "f.yaml:5:15: ", "empty" },
		{ RULE "    exe: [/a, [/b]]\n", "f.yaml:5:15: ", "string" },
		{ RULE "    exe: {a: b}\n", "f.yaml:5:10: ", "list" },
		{ RULE "    exe: ! /usr/sbin/nginx\n", "f.yaml:5:10: ", "tag" },
		{ RULE "    exe: [!not /usr/sbin/nginx]\n", "f.yaml:5:11: ", "tag" },
		{ RULE "    exe: &x [/a]\n", "f.yaml:5:10: ", "anchor" },
		{ RULE "    verdict: deny\n", "f.yaml:5:5: ", "twice" },
		/* the words */
		{ RULE "    exe: [/a, nginx]\n", "f.yaml:5:15: ", "absolute" },
		{ RULE "    parent: sh\n", "f.yaml:5:13: ", "absolute" },
		{ RULE "    cgroup: x.slice\n", "f.yaml:5:13: ", "absolute" },
		{ RULE "    unit: nginx\n", "f.yaml:5:11: ", "nginx.service" },
		{ RULE "    unit: a/nginx.service\n", "f.yaml:5:11: ", "unit" },
		{ RULE "    uid: root\n", "f.yaml:5:10: ", "'user'" },
		{ RULE "    uid: -1\n", "f.yaml:5:10: ", "'-1'" },
		{ RULE "    uid: 010\n", "f.yaml:5:10: ", "'010'" },
		{ RULE "    uid: 4294967295\n", "f.yaml:5:10: ", "number" },
		{ RULE "    proto: sctp\n", "f.yaml:5:12: ", "'sctp'" },
		{ RULE "    proto: udp\n", "f.yaml:3:12: ", "TCP" },
		{ RULE "    not: {proto: [tcp, udp]}\n", "f.yaml:5:18: ", "no protocol" },
		{ RULE "    mode: off\n", "f.yaml:5:11: ", "'off'" },
		{ RULE "    local: {port: http}\n", "f.yaml:5:19: ", "'http'" },
		{ RULE "    local: {port: 65536}\n", "f.yaml:5:19: ", "port" },
		{ RULE "    local: {port: 080}\n", "f.yaml:5:19: ", "port" },
		{ RULE "    local: {port: 80-}\n", "f.yaml:5:19: ", "port" },
		{ RULE "    local: {port: 1-2-3}\n", "f.yaml:5:19: ", "port" },
		{ RULE "    local: {port: 90-80}\n", "f.yaml:5:19: ", "before it begins" },
		{ RULE "    local: {port: 0-1023}\n", "f.yaml:5:19: ", "port 0" },
		{ RULE "    local: {addr: 10.1.2}\n", "f.yaml:5:19: ", "'10.1.2'" },
		{ RULE "    local: {addr: 10.1.2.3:80}\n", "f.yaml:5:19: ", "address" },
		{ RULE "    local: {addr: '*'}\n", "f.yaml:5:19: ", "address" },
		{ RULE "    local: {addr: '[::1]'}\n", "f.yaml:5:19: ", "address" },
		{ RULE "    local: {addr: 10.1.2.3/8}\n",
		  "f.yaml:5:19: ", "the network is 10.0.0.0/8" },
		{ RULE "    local: {addr: 'fe80::1/10'}\n",
		  "f.yaml:5:19: ", "the network is fe80::/10" },
		{ RULE "    local: {addr: 10.0.0.0/33}\n", "f.yaml:5:19: ", "prefix" },
		{ RULE_AT("recv_accept") "    interface_type: fast\n", "f.yaml:5:21: ", "'fast'" },
		{ RULE_AT("recv_accept") "    tunnel_type: [1, 0x2]\n", "f.yaml:5:22: ", "'0x2'" },
		{ RULE "    port_in_use_by_other: yes\n",
		  "f.yaml:5:27: ", "'yes' is neither true nor false" },
		{ RULE "    port_in_use_by_other: []\n", "f.yaml:5:27: ", "empty list" },
		{ RULE "    not: {port_in_use_by_other: [true, 1]}\n",
		  "f.yaml:5:40: ", "'1' is neither true nor false" },
		{ RULE "    limit: {listeners: 5}\n", "f.yaml:5:12: ", "needs both" },
		{ RULE "    limit: {per: user}\n", "f.yaml:5:12: ", "needs both" },
		{ RULE "    limit: {listeners: 0, per: user}\n",
		  "f.yaml:5:24: ", "'0' is not a number from 1 to 4096" },
		{ RULE "    limit: {listeners: 4097, per: user}\n",
		  "f.yaml:5:24: ", "'4097' is not a number from 1 to 4096" },
		{ RULE "    limit: {listeners: -1, per: user}\n",
		  "f.yaml:5:24: ", "'-1' is not a number from 1 to 4096" },
		{ RULE "    limit: {listeners: 5, per: thread}\n",
		  "f.yaml:5:32: ", "'thread' is none of process, user, cgroup, exe" },
		{ RULE "    limit: {listeners: 5, per: user, ports: 1}\n", "f.yaml:5:", "ports" },
		{ RULE "    not: {limit: {listeners: 5, per: user}}\n", "f.yaml:5:", "limit" },
		/* what a hook has */
		{ RULE_AT("listen, bind") "    limit: {listeners: 5, per: user}\n",
		  "f.yaml:5:12: ", "'limit' goes with the hook listen" },
		{ RULE_AT("listen, bind") "    port_in_use_by_other: true\n",
		  "f.yaml:5:27: ", "not known yet at bind" },
		{ RULE_AT("lisen"), "f.yaml:3:13: ", "'lisen'" },
		{ RULE_AT("bind, bind"), "f.yaml:3:19: ", "twice" },
		{ RULE "    remote: {addr: 10.0.0.0/8}\n", "f.yaml:5:20: ", "at listen" },
		{ RULE_AT("bind") "    remote: {port: 80}\n", "f.yaml:5:20: ", "at bind" },
		{ RULE_AT("connect") "    local: {port: 80}\n", "f.yaml:5:19: ", "at connect" },
		{ RULE_AT("connect") "    not: {local: {addr: 10.0.0.1}}\n",
		  "f.yaml:5:25: ", "at connect" },
		{ RULE_AT("connect, recv_accept") "    interface: lo\n",
		  "f.yaml:5:16: ", "at connect" },
		{ RULE_AT("bind") "    tunnel_type: gre\n", "f.yaml:5:18: ", "at bind" },
		{ RULE_AT("connect") "    remote: {port: [80, 0]}\n", "f.yaml:5:25: ", "port 0" },
		{ RULE_AT("bind, recv_accept") "    local: {port: 0}\n",
		  "f.yaml:5:19: ", "at bind and listen only" },
		{ RULE_AT("recv_accept") "    interface: an-interface-of-16\n",
		  "f.yaml:5:16: ", "cannot be the name" },
		{ RULE_AT("recv_accept") "    interface: a\n    netns: [a, b]\n",
		  "f.yaml:6:12: ", "one 'netns'" },
		{ RULE_AT("recv_accept") "    interface: a\n    not: {netns: a}\n",
		  "f.yaml:6:18: ", "one 'netns'" },
		/* verdicts and what goes with them */
		{ "rules: [{name: a, hooks: bind, verdict: block}]\n", "f.yaml:1:41: ", "'block'" },
		{ "rules: [{name: a, hooks: bind, verdict: redirect}]\n",
		  "f.yaml:1:41: ", "needs 'to: ADDR:PORT'" },
		{ "rules: [{name: a, hooks: listen, verdict: redirect, to: '1.2.3.4:5'}]\n",
		  "f.yaml:1:43: ", "at connect or at bind" },
		{ "rules: [{name: a, hooks: [connect, bind], verdict: redirect, to: "
		  "'1.2.3.4:5'}]\n",
		  "f.yaml:1:52: ", "one of them" },
		{ "rules: [{name: a, hooks: connect, verdict: redirect, to: example.org:80}]\n",
		  "f.yaml:1:58: ", "ADDR:PORT" },
		{ "rules: [{name: a, hooks: connect, verdict: redirect, to: 10.0.0.0/8}]\n",
		  "f.yaml:1:58: ", "ADDR:PORT" },
		{ "rules: [{name: a, hooks: connect, verdict: redirect, to: '1.2.3.4:0'}]\n",
		  "f.yaml:1:58: ", "ADDR:PORT" },
		{ "rules: [{name: a, hooks: connect, verdict: redirect, to: '0.0.0.0:1'}]\n",
		  "f.yaml:1:58: ", "no address" },
		{ "rules: [{name: a, hooks: connect, verdict: redirect, to: '[fe80::1]:1'}]\n",
		  "f.yaml:1:58: ", "every interface" },
		{ "rules: [{name: a, hooks: connect, remote: {addr: 1.2.3.4}, verdict: redirect, "
		  "to: '[::1]:5'}]\n",
		  "f.yaml:1:83: ", "family" },
		{ "rules: [{name: a, hooks: connect, remote: {addr: '2000::/3'}, verdict: "
		  "redirect, to: '127.0.0.1:5'}]\n",
		  "f.yaml:1:86: ", "family" },
		{ "rules: [{name: a, hooks: bind, local: {addr: '::1'}, verdict: redirect, "
		  "to: 127.0.0.1}]\n",
		  "f.yaml:1:77: ", "local.addr" },
		{ "rules: [{name: a, hooks: connect, verdict: deny, to: '1.2.3.4:5'}]\n",
		  "f.yaml:1:54: ", "redirect" },
		{ RULE "    allow_async: yes\n", "f.yaml:5:18: ", "'yes'" },
		{ RULE "    allow_override: true\n", "f.yaml:5:21: ", "proceed_hard" },
		{ "rules: [{name: a, hooks: [bind, listen], verdict: allow_hard, allow_override: "
		  "true}]\n",
		  "f.yaml:1:79: ", "bind and connect only" },
		{ "rules: [{name: a, hooks: recv_accept, verdict: allow_hard, allow_override: "
		  "true}]\n",
		  "f.yaml:1:76: ", "bind and connect only" },
		{ "rules: [{name: a, hooks: bind, verdict: allow, allow_async: true}]\n",
		  "f.yaml:1:61: ", "reject only" },
		/* together */
		{ RULE "  - {name: a, hooks: [bind], verdict: deny}\n",
		  "f.yaml:5:12: ", "already that of the rule in f.yaml:2" },
		{ RULE "---\nmode: audit\n", "f.yaml:5:1: ", "document" },
		{ "rules: [{name: \"a\\nb\", hooks: bind, verdict: deny}]\n",
		  "f.yaml:1:16: ", "control" },
		{ "mode: \"\\e[1mx\"\n", "f.yaml:1:7: ", "'?[1mx'" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		refused(cases[i].text, cases[i].place, cases[i].about);
}

/* One rule with TO at HOOK, and REMOTE. */
static struct policy *redirecting(const char *hook, const char *end, const char *to)
{
	char text[256];

	snprintf(text, sizeof(text),
		 "rules: [{name: a, hooks: %s, %s verdict: redirect, to: '%s'}]\n", hook, end, to);
	return good(text);
}

static void redirected(const char *hook, const char *end, const char *to, __u16 parts, size_t terms,
		       bool negated)
{
	struct policy *p = redirecting(hook, end, to);
	const struct policy_rule *rule = &p->rules[0];
	char text[ENDPOINT_TEXT];

	assert_int_equal(rule->flags, FL_RULE_REDIRECT);
	assert_int_equal(rule->verdict, FL_PROCEED_SOFT);
	assert_int_equal(rule->to.parts, parts);
	assert_string_equal(policy_target_text(&rule->to, text), to);
	assert_string_equal(policy_outcome_text(rule, FL_PROCEED_SOFT), "redirect");
	assert_int_equal(rule->term_count, terms);
	if (parts & FL_TARGET_ADDR)
		assert_int_equal(rule->terms[terms - 1].negated, negated);
	policy_free(p);
}

/* An address is for its own family: a term more says so. */
static void redirects_are_read(void **state)
{
	const __u16 both = FL_TARGET_ADDR | FL_TARGET_PORT;

	(void)state;
	redirected("connect", "", "127.0.0.1:3129", both, 1, false);
	redirected("connect", "", "[::1]:3129", both, 1, true);
	redirected("connect", "", "127.0.0.1", FL_TARGET_ADDR, 1, false);
	redirected("connect", "", ":3129", FL_TARGET_PORT, 0, false);
	redirected("connect", "remote: {addr: '::/0'},", "127.0.0.1:1", both, 2, false);
	redirected("connect", "remote: {addr: '::/0'},", "[::1]:1", both, 2, true);
	redirected("connect", "remote: {addr: ['fd00::/8', 10.0.0.0/8]},", "127.0.0.1:1", both, 2,
		   false);
	redirected("bind", "", "0.0.0.0", FL_TARGET_ADDR, 1, false);
	redirected("bind", "local: {addr: '::'},", "::1", FL_TARGET_ADDR, 2, true);
}

static void too_long_a_name(void **state)
{
	char text[256];

	(void)state;
	snprintf(text, sizeof(text), "rules: [{name: %065d, hooks: bind, verdict: deny}]\n", 1);
	refused(text, "f.yaml:1:16: ", "longer");
	snprintf(text, sizeof(text), "rules: [{name: %064d, hooks: bind, verdict: deny}]\n", 1);
	policy_free(good(text));
}

static void as_many_rules_as_there_may_be(void **state)
{
	size_t room = (FL_RULES_MAX + 1) * 64, used = 0;
	struct policy_text one = { .name = "f.yaml" };
	struct policy *p;
	char *text;

	(void)state;
#ifdef __SANITIZE_ADDRESS__ /* copies all rules at each realloc() of libcyaml: minutes */
	skip();
#endif
	text = malloc(room);
	assert_non_null(text);
	one.text = text;
	used += (size_t)sprintf(text, "rules:\n");
	for (int i = 0; i < FL_RULES_MAX; i++)
		used += (size_t)sprintf(text + used, "- {name: r%d, hooks: bind, verdict: deny}\n",
					i);
	one.size = used;
	p = good_texts(&one, 1);
	assert_int_equal(p->rule_count, FL_RULES_MAX);
	assert_int_equal(p->rules[FL_RULES_MAX - 1].place.line, FL_RULES_MAX + 1);
	policy_free(p);
	used += (size_t)sprintf(text + used, "- {name: more, hooks: bind, verdict: deny}\n");
	one.size = used;
	refused_texts(&one, 1, -E2BIG, "f.yaml:10242:3: ", "10240");
	free(text);
}

#define TEXT(file, words)                                                                          \
	{                                                                                          \
		.name = (file), .text = (words), .size = sizeof(words) - 1                         \
	}

static void several_files_are_one_policy(void **state)
{
	static const struct policy_text texts[] = {
		TEXT("1.yaml", "default: {listen: deny}\n"
			       "rules: [{name: a, hooks: bind, verdict: deny}]\n"),
		TEXT("2.yaml", "mode: enforce\n"
			       "rules: [{name: b, hooks: connect, verdict: allow}]\n"),
		TEXT("3.yaml", "mode: enforce\ndefault: {listen: reject, bind: allow}\n"),
		TEXT("4.yaml", "mode: audit\n"),
		TEXT("4.yaml", "\ndefault: {listen: allow}\n"),
		TEXT("4.yaml", "rules: [{name: b, hooks: listen, verdict: deny}]\n"),
	};
	struct policy_text four[4] = { texts[0], texts[1], texts[2] };
	struct policy *p = good_texts(texts, 3);

	(void)state;
	assert_int_equal(p->rule_count, 2);
	assert_string_equal(p->rules[0].name, "a");
	assert_true(p->rules[0].enforced); /* also of a file before the one that says it */
	assert_string_equal(p->rules[1].place.file, "2.yaml");
	assert_true(p->defaults[FL_HOOK_LISTEN].enforced);
	assert_int_equal(p->defaults[FL_HOOK_LISTEN].verdict, FL_REJECT);
	policy_free(p);
	four[3] = texts[3];
	refused_texts(four, 4, -EINVAL, "4.yaml:1:7: ", "enforce in 3.yaml:1");
	four[3] = texts[4];
	refused_texts(four, 4, -EINVAL, "4.yaml:2:19: ", "reject in 3.yaml:2");
	four[3] = texts[5];
	refused_texts(four, 4, -EINVAL, "4.yaml:1:16: ", "in 2.yaml:2");
}

/* --- files --- */

static void write_file(const char *dir, const char *name, const char *text)
{
	char path[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	fclose(file);
}

static void a_directory_in_the_order_of_bytes(void **state)
{
	static const char *const names[] = { "b.yaml",	"B.yaml", "a.yaml", "10-x.yaml",
					     ".c.yaml", "d.yml",  "yaml",   "e.yaml~" };
	char dir[] = "/tmp/test_policy.XXXXXX", path[512];
	struct policy_error error;
	struct policy *policy;
	char **paths = NULL;
	size_t count = 0;

	(void)state;
	assert_non_null(mkdtemp(dir));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		write_file(dir, names[i], "mode: enforce\n");
	assert_int_equal(policy_files(dir, &paths, &count), 0);
	assert_int_equal(count, 4);
	assert_string_equal(paths[0] + strlen(dir), "/10-x.yaml");
	assert_string_equal(paths[1] + strlen(dir), "/B.yaml");
	assert_string_equal(paths[2] + strlen(dir), "/a.yaml");
	assert_string_equal(paths[3] + strlen(dir), "/b.yaml");
	assert_int_equal(policy_read((const char *const *)paths, count, &policy, &error), 0);
	assert_true(policy->enforced);
	policy_free(policy);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	assert_int_equal(policy_read((const char *const *)paths, count, &policy, &error), -ENOENT);
	assert_string_equal(error.place.file, paths[0]);
	policy_files_free(paths);
	assert_int_equal(rmdir(dir), 0);
	assert_int_equal(policy_files(dir, &paths, &count), -ENOENT);
}

static void a_file_without_end(void **state)
{
	const char *path = "/dev/zero";
	struct policy_error error;
	struct policy *policy;

	(void)state;
	assert_int_equal(policy_read(&path, 1, &policy, &error), -EFBIG);
	path = "/";
	assert_int_equal(policy_read(&path, 1, &policy, &error), -EISDIR);
}

/* --- words --- */

static void words_go_both_ways(void **state)
{
	__u32 value;

	(void)state;
	for (enum fl_hook hook = 0; hook < FL_HOOKS; hook++) {
		enum fl_hook back;

		assert_int_equal(policy_hook_parse(policy_hook_text(hook), &back), 0);
		assert_int_equal(back, hook);
	}
	for (enum fl_verdict v = FL_REJECT; v <= FL_PROCEED_HARD; v++) {
		assert_int_equal(policy_verdict_parse(policy_verdict_text(v), &value), 0);
		assert_int_equal(value, v);
	}
	assert_int_equal(policy_interface_type_parse("4294967295", &value), -EINVAL);
	assert_int_equal(policy_tunnel_type_parse("18446744073709551616", &value), -EINVAL);
	assert_int_equal(policy_tunnel_type_parse("0", &value), 0);
	assert_int_equal(value, 0);
	assert_int_equal(policy_dimension(POLICY_UNIT), FL_DIM_CGROUP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_design_s_example),
		cmocka_unit_test(every_attribute),
		cmocka_unit_test(a_port_in_use_by_others),
		cmocka_unit_test(limits),
		cmocka_unit_test(values),
		cmocka_unit_test(a_word_alone_is_a_list_of_one),
		cmocka_unit_test(verdicts_modes_and_allowances),
		cmocka_unit_test(protocols),
		cmocka_unit_test(nothing_is_a_policy_too),
		cmocka_unit_test(mistakes_have_a_place),
		cmocka_unit_test(redirects_are_read),
		cmocka_unit_test(too_long_a_name),
		cmocka_unit_test(as_many_rules_as_there_may_be),
		cmocka_unit_test(several_files_are_one_policy),
		cmocka_unit_test(a_directory_in_the_order_of_bytes),
		cmocka_unit_test(a_file_without_end),
		cmocka_unit_test(words_go_both_ways),
	};

	return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
