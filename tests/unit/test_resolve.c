/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names into numbers: files of the test's own, cgroups and namespaces it makes up. What is told
 * while they change is kept as the maps would be, and compared with compiling anew.
 */
#include "policy/resolve.h"
#include "text/cleanup.h"
#include "whole_set.h"
#include <flowner/birth.h>
#include <flowner/link.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define TOLD_MAX 4096
#define OWN_COOKIE 1

/* The maps: what was compiled, with all that was told since. */
struct maps {
	struct compiled *c;
	struct {
		struct value_key key;
		struct whole_set set;
	} values[TOLD_MAX];
	size_t count;
	size_t told;
};

static char dir[64];
static struct policy *policy;
static struct resolution *resolution;
static struct maps maps;
static bool namespace_there;

static int cookie_of(void *arg, __u32 inum, __u64 *ret_cookie)
{
	(void)arg;
	if (inum && (inum != 4026531999 || !namespace_there))
		return -ENOENT;
	*ret_cookie = inum ? 99 : OWN_COOKIE;
	return 0;
}

static struct fl_addr own_address; /* of our own namespace, one */

static bool has_address(void *arg, const struct fl_addr *addr)
{
	(void)arg;
	return !memcmp(addr, &own_address, sizeof(*addr));
}

static const struct resolve_world world = { .netns_cookie = cookie_of, .has_address = has_address };

static int setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/test_resolve.XXXXXX");
	memset(&maps, 0, sizeof(maps));
	namespace_there = false;
	own_address = (struct fl_addr){ { 0 } };
	policy = NULL;
	resolution = NULL;
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	resolution_free(resolution);
	compiled_free(maps.c);
	policy_free(policy);
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command);
}

static void parse(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void parse(const char *format, ...)
{
	char text[8192], line[1024];
	struct policy_error error;
	struct policy_text one = { .name = "f.yaml", .text = text };
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	one.size = strlen(text);
	if (policy_parse(&one, 1, &policy, &error))
		fail_msg("%s", policy_error_format(&error, line, sizeof(line)));
}

static void resolve(void)
{
	struct policy_error error;
	const struct plain_rule *rules;
	size_t count;

	if (resolution_new(policy, &world, &resolution, &error))
		fail_msg("%s", error.why);
	rules = resolution_rules(resolution, &count);
	assert_int_equal(count, policy->rule_count);
	assert_int_equal(compile(rules, count, policy->defaults, &maps.c), 0);
	for (size_t i = 0; i < maps.c->entry_count; i++) {
		maps.values[i].key = maps.c->entries[i].key;
		maps.values[i].set = whole_set(maps.c, maps.c->entries[i].class);
	}
	maps.count = maps.c->entry_count;
}

static size_t maps_find(const struct value_key *key)
{
	size_t i = 0;

	while (i < maps.count && (maps.values[i].key.dimension != key->dimension ||
				  memcmp(maps.values[i].key.id, key->id, sizeof(key->id)) != 0))
		i++;
	return i;
}

static int on_change(void *arg, const struct resolve_change *change)
{
	size_t i = maps_find(&change->key);

	(void)arg;
	maps.told++;
	if (change->gone) {
		if (i < maps.count)
			maps.values[i] = maps.values[--maps.count];
		return 0;
	}
	if (change->grown)
		assert_ptr_equal(change->grown, maps.c);
	if (i == maps.count)
		maps.count++;
	maps.values[i].key = change->key;
	maps.values[i].set = whole_set(maps.c, change->class);
	return 0;
}

/* The maps are what compiling the rules of now would make them. */
static void agrees(void)
{
	struct compiled *c;
	const struct plain_rule *rules;
	size_t count;

	rules = resolution_rules(resolution, &count);
	assert_int_equal(compile(rules, count, policy->defaults, &c), 0);
	assert_int_equal(c->entry_count, maps.count);
	assert_int_equal(c->policy.wanted, maps.c->policy.wanted);
	for (size_t i = 0; i < c->entry_count; i++) {
		size_t at = maps_find(&c->entries[i].key);
		struct whole_set set = whole_set(c, c->entries[i].class);

		assert_true(at < maps.count);
		assert_memory_equal(&maps.values[at].set, &set, sizeof(set));
	}
	compiled_free(c);
}

static const struct term *term(size_t rule, size_t t)
{
	size_t count;

	return &resolution_rules(resolution, &count)[rule].terms[t];
}

static bool has(size_t rule, size_t t, __u64 id)
{
	for (size_t i = 0; i < term(rule, t)->count; i++) {
		if (term(rule, t)->values[i].id[0] == id)
			return true;
	}
	return false;
}

struct unresolved_list {
	char text[2048];
};

static int note_unresolved(void *arg, const struct unresolved *u)
{
	struct unresolved_list *list = arg;
	size_t used = strlen(list->text);

	assert_non_null(u->why);
	snprintf(list->text + used, sizeof(list->text) - used, "%s %s %zu;", u->rule->name,
		 policy_attribute_text(u->attribute), u->word->place.column);
	return 0;
}

static const char *unresolved(void)
{
	static struct unresolved_list list;

	list.text[0] = '\0';
	assert_int_equal(resolution_unresolved(resolution, note_unresolved, &list), 0);
	return list.text;
}

static ino_t make(const char *name)
{
	char path[512];
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0755);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	close(fd);
	return st.st_ino;
}

static void move(const char *from, const char *to)
{
	char a[512], b[512];

	snprintf(a, sizeof(a), "%s/%s", dir, from);
	snprintf(b, sizeof(b), "%s/%s", dir, to);
	assert_int_equal(rename(a, b), 0);
}

static void run(void)
{
	assert_int_equal(resolution_run(resolution, maps.c, on_change, NULL), 0);
}

/* --- people --- */

static void people(void **state)
{
	__u64 id;

	(void)state;
	assert_int_equal(resolve_user("root", &id), 0);
	assert_int_equal(id, 0);
	assert_int_equal(resolve_user("no-such-user", &id), -ENOENT);
	assert_int_equal(resolve_group("root", &id), 0);
	assert_int_equal(resolve_group("12345", &id), 0);
	assert_int_equal(id, 12345);
	assert_int_equal(resolve_group("4294967295", &id), -ENOENT);
	parse("rules:\n- {name: a, hooks: bind, verdict: deny, user: [root, nobody], group: 7,"
	      " not: {uid: 5}}\n");
	resolve();
	assert_int_equal(term(0, 0)->dimension, FL_DIM_UID);
	assert_true(has(0, 0, 0) && has(0, 0, 65534));
	assert_true(has(0, 1, 7));
	assert_true(term(0, 2)->negated && has(0, 2, 5));
	assert_string_equal(unresolved(), "");
}

static void a_user_that_does_not_exist(void **state)
{
	struct policy_error error;
	struct resolution *r = NULL;

	(void)state;
	parse("rules:\n- name: a\n  hooks: bind\n  verdict: deny\n  user: [root, nobody-at-all]\n");
	assert_int_equal(resolve_people(policy, &error), -EINVAL);
	assert_int_equal(error.place.line, 5);
	assert_int_equal(error.place.column, 16);
	assert_non_null(strstr(error.why, "no user 'nobody-at-all'"));
	assert_int_equal(resolution_new(policy, &world, &r, &error), -EINVAL);
	assert_int_equal(error.place.line, 5);
	assert_null(r);
}

/* --- files --- */

static size_t values(size_t rule, size_t t, bool places)
{
	size_t n = 0;

	for (size_t i = 0; i < term(rule, t)->count; i++)
		n += !!term(rule, t)->values[i].id[2] == places;
	return n;
}

static size_t files(size_t rule, size_t t)
{
	return values(rule, t, false);
}

static size_t places(size_t rule, size_t t)
{
	return values(rule, t, true);
}

static bool only_new_files(void)
{
	return files(0, 0) == 1;
}

static void wait_until(bool (*done)(void))
{
	while (!done()) {
		struct pollfd fd = { .fd = resolution_fd(resolution), .events = POLLIN };

		assert_int_equal(poll(&fd, 1, 30000), 1);
		run();
	}
}

static void files_come_and_are_replaced(void **state)
{
	ino_t a, b, next;

	(void)state;
	a = make("a");
	parse("rules:\n"
	      "- {name: one, hooks: bind, verdict: deny, exe: [%s/a, %s/b]}\n"
	      "- {name: two, hooks: bind, verdict: deny, not: {exe: %s/a}, parent: %s/b}\n",
	      dir, dir, dir, dir);
	resolve();
	agrees();
	assert_true(has(0, 0, a));
	assert_int_equal(files(0, 0), 1);
	assert_int_equal(term(1, 0)->dimension, FL_DIM_PARENT);
	assert_int_equal(files(1, 0), 0);
	assert_int_equal(places(0, 0), 2); /* also of what is not there yet */
	assert_int_equal(places(1, 0), 1);
	assert_true(strstr(unresolved(), "one exe ") && strstr(unresolved(), "two parent "));
	b = make("b");
	run();
	agrees();
	assert_true(has(0, 0, b) && has(1, 0, b));
	assert_int_equal(maps.told, 2); /* as exe and as parent */
	assert_string_equal(unresolved(), "");
	next = make("a.new");
	move("a.new", "a");
	run();
	agrees();
	assert_true(has(0, 0, a) && has(0, 0, next) && has(1, 1, a) && has(1, 1, next));
	move("b", "elsewhere");
	run();
	wait_until(only_new_files);
	agrees();
	assert_true(has(0, 0, next));
}

static bool nothing_told_of_a(void)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/link", dir);
	return files(1, 0) == 0;
}

/* One file by two paths: it is known as long as one of them leads to it. */
static void two_paths_to_one_file(void **state)
{
	char path[512];
	ino_t a = make("a");

	(void)state;
	snprintf(path, sizeof(path), "%s/link", dir);
	assert_int_equal(symlink("a", path), 0);
	parse("rules:\n"
	      "- {name: both, hooks: bind, verdict: deny, exe: [%s/a, %s/link]}\n"
	      "- {name: link, hooks: bind, verdict: deny, exe: %s/link}\n",
	      dir, dir, dir);
	resolve();
	assert_int_equal(files(0, 0), 1);
	assert_int_equal(places(0, 0), 1);
	assert_int_equal(unlink(path), 0);
	wait_until(nothing_told_of_a);
	assert_true(has(0, 0, a));
	assert_int_equal(places(0, 0), 2);
	assert_int_equal(places(1, 0), 1);
	agrees();
}

/* --- cgroups --- */

static void cgroup_words(void **state)
{
	static const char id[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
	static const struct {
		enum policy_attribute attribute;
		const char *word, *path;
		bool matches;
	} cases[] = {
		{ POLICY_CGROUP, "/a", "/a", true },
		{ POLICY_CGROUP, "/a/", "/a/b/c", true },
		{ POLICY_CGROUP, "/a", "/ab", false },
		{ POLICY_CGROUP, "/a/b", "/a", false },
		{ POLICY_CGROUP, "/", "/x", true },
		{ POLICY_CGROUP, "/", "/", true },
		{ POLICY_UNIT, "x.service", "/system.slice/x.service", true },
		{ POLICY_UNIT, "x.service", "/system.slice/x.service/sub", true },
		{ POLICY_UNIT, "x.service", "/system.slice/xx.service", false },
		{ POLICY_UNIT, "x.service", "/x.service/y.service", true },
		{ POLICY_UNIT, "y.service", "/x.service/y.service", false },
		{ POLICY_UNIT, "y.service",
		  "/user.slice/user-1.slice/user@1.service/app.slice/y.service", false },
		{ POLICY_UNIT, "y.service", "/docker/%/system.slice/y.service", false },
		{ POLICY_CONTAINER, id, "/docker/%", true },
		{ POLICY_CONTAINER, "0123456789ab", "/docker/%", true },
		{ POLICY_CONTAINER, "0123456789a", "/docker/%", false },
		{ POLICY_CONTAINER, "0123456789ac", "/docker/%", false },
		{ POLICY_CONTAINER, "web", "/lxc.payload.web/init", true },
		{ POLICY_CONTAINER, "web", "/lxc.payload.website", false },
		{ POLICY_CONTAINER, "web", "/docker/%/lxc.payload.web", false },
		{ POLICY_CONTAINER, id, "/docker/%/lxc.payload.web", true },
		{ POLICY_EXE, "/a", "/a", false },
	};

	const struct policy_rule rule = { .verdict = FL_PROCEED_SOFT };
	struct policy_term term = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char path[128];

		snprintf(path, sizeof(path), "%s", cases[i].path);
		if (strchr(path, '%'))
			snprintf(path, sizeof(path), "/docker/%s%s", id,
				 strchr(cases[i].path, '%') + 1);
		term.attribute = cases[i].attribute;
		if (resolve_cgroup_matches(&rule, &term, cases[i].word, path) != cases[i].matches)
			fail_msg("%s in %s", cases[i].word, path);
	}
}

/* Its name is the user's choice: it is good for what that restricts, and for nothing else. */
static void a_container_that_a_user_has_called_so(void **state)
{
	static const char own[] =
		"/user.slice/user-1.slice/user@1.service/user.slice/lxc.payload.web";
	static const struct {
		__u32 verdict, flags;
		bool negated, matches;
	} cases[] = {
		{ FL_REJECT, 0, false, true },
		{ FL_REJECT, 0, true, false },
		{ FL_PROCEED_SOFT, FL_RULE_REDIRECT, false, true },
		{ FL_PROCEED_SOFT, 0, false, false },
		{ FL_PROCEED_SOFT, 0, true, true },
		{ FL_PROCEED_HARD, 0, false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct policy_rule rule = { .verdict = cases[i].verdict, .flags = cases[i].flags };
		struct policy_term term = { POLICY_CONTAINER, .negated = cases[i].negated };

		assert_int_equal(resolve_cgroup_matches(&rule, &term, "web", own),
				 cases[i].matches);
		assert_true(resolve_cgroup_matches(&rule, &term, "web", "/lxc/web"));
	}
}

/* A rule by a path that the kernel side does not read to its end. */
static void what_is_asked_of_names(void **state)
{
	char path[FL_CGROUP_PATH];

	(void)state;
	memset(path, 'p', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 2] = '\0';
	parse("rules:\n- {name: a, hooks: bind, verdict: deny, cgroup: %s}\n", path);
	resolve();
	assert_int_equal(resolution_wants(resolution), 0);
	resolution_free(resolution);
	compiled_free(maps.c);
	policy_free(policy);
	parse("rules:\n- {name: a, hooks: bind, verdict: deny, cgroup: %sp, unit: x.service}\n",
	      path);
	resolve();
	assert_int_equal(resolution_wants(resolution), FL_WANTS_LONG | FL_WANTS_UNITS);
}

static void came(__u64 id, const char *path)
{
	assert_int_equal(resolution_cgroup_came(resolution, id, path, maps.c, on_change, NULL), 0);
	agrees();
}

static void gone(__u64 id)
{
	assert_int_equal(resolution_cgroup_gone(resolution, id, maps.c, on_change, NULL), 0);
	agrees();
}

static void cgroups_come_and_go(void **state)
{
	(void)state;
	parse("rules:\n"
	      "- {name: a, hooks: bind, verdict: deny, unit: x.service}\n"
	      "- {name: b, hooks: bind, verdict: deny, cgroup: [/system.slice, /y]}\n"
	      "- {name: c, hooks: bind, verdict: deny, cgroup: /system.slice,"
	      " not: {unit: [x.service, z.service]}}\n");
	resolve();
	assert_true(maps.c->policy.wanted >> FL_DIM_CGROUP & 1);
	assert_true(strstr(unresolved(), "a unit "));
	came(10, "/");
	assert_int_equal(maps.told, 1); /* the kernel side may have said that it is not known */
	came(11, "/system.slice");
	came(12, "/system.slice/x.service");
	came(13, "/system.slice/x.service/sub");
	came(14, "/system.slice/other.service");
	assert_true(has(0, 0, 12) && has(0, 0, 13) && !has(0, 0, 14));
	assert_int_equal(term(1, 0)->count, 4 + 2); /* and those that may come */
	assert_int_equal(term(2, 1)->count, 2 + 2);
	assert_string_equal(unresolved(), "b cgroup 65;c unit 88;");
	came(12, "/system.slice/x.service"); /* twice */
	assert_int_equal(maps.told, 6);
	gone(12);
	gone(12);
	gone(77);
	assert_false(has(0, 0, 12));
	assert_true(has(0, 0, 13));
}

/* --- namespaces and interfaces --- */

static __u64 link_name(const char *name)
{
	union fl_link_text text = { "" };

	memcpy(text.text, name, strlen(name));
	return fl_link_name(text.words[0], text.words[1]);
}

static void an_interface_is_one_of_our_own_namespace(void **state)
{
	(void)state;
	parse("rules:\n"
	      "- {name: a, hooks: recv_accept, verdict: deny, interface: [lo, no-such0]}\n"
	      "- {name: b, hooks: recv_accept, verdict: deny, uid: 1}\n");
	resolve();
	assert_true(has(0, 0, link_name("lo"))); /* whether it is there or not */
	assert_int_equal(term(0, 0)->count, 2);
	assert_int_equal(term(0, 1)->dimension, FL_DIM_NETNS);
	assert_true(has(0, 1, OWN_COOKIE));
	assert_string_equal(unresolved(), "a interface 64;");
	assert_int_equal(maps.c->order[0], 0); /* and is no reason to come first */
}

static void a_namespace_that_comes_and_goes(void **state)
{
	(void)state;
	parse("rules:\n"
	      "- {name: any, hooks: bind, verdict: deny}\n"
	      "- {name: ns, hooks: bind, verdict: deny, netns: 4026531999}\n"
	      "- {name: if, hooks: recv_accept, verdict: deny, netns: 4026531999,"
	      " interface: lo}\n");
	resolve();
	assert_int_equal(term(1, 0)->count, 0);
	assert_int_equal(maps.c->order[0], 1);
	assert_true(strstr(unresolved(), "ns netns ") && strstr(unresolved(), "if interface "));
	namespace_there = true;
	assert_int_equal(resolution_look_again(resolution, maps.c, on_change, NULL), 0);
	agrees();
	assert_true(has(1, 0, 99));
	namespace_there = false;
	assert_int_equal(resolution_look_again(resolution, maps.c, on_change, NULL), 0);
	agrees();
	assert_int_equal(term(1, 0)->count, 0);
}

/* Whose address a redirect leads to is known where it is one of ours, and followed. */
static void the_home_of_a_redirect(void **state)
{
	size_t count;

	(void)state;
	own_address = (struct fl_addr){ { [10] = 0xff, [11] = 0xff, [12] = 10, [15] = 1 } };
	parse("rules:\n"
	      "- {name: a, hooks: connect, verdict: redirect, to: '10.0.0.1:1'}\n"
	      "- {name: b, hooks: connect, verdict: redirect, to: '10.0.0.2:1'}\n"
	      "- {name: c, hooks: connect, verdict: redirect, to: ':1'}\n"
	      "- {name: d, hooks: connect, verdict: deny}\n");
	resolve();
	for (__u32 i = 0; i < 4; i++)
		assert_int_equal(maps.c->rules[i].home, i == 0 ? OWN_COOKIE : 0);
	assert_int_equal(resolution_look_again(resolution, maps.c, on_change, NULL), 0);
	own_address.b[15] = 2;
	assert_int_equal(resolution_look_again(resolution, maps.c, on_change, NULL), -E2BIG);
	assert_int_equal(resolution_rules(resolution, &count)[0].home, 0);
	assert_int_equal(resolution_rules(resolution, &count)[1].home, OWN_COOKIE);
	assert_int_equal(resolution_look_again(resolution, maps.c, on_change, NULL), 0);
}

static int refuse_change(void *arg, const struct resolve_change *change)
{
	(void)arg;
	(void)change;
	return -ENOSPC;
}

static void a_map_that_is_full(void **state)
{
	(void)state;
	parse("rules: [{name: a, hooks: bind, verdict: deny, cgroup: /}]\n");
	resolve();
	assert_int_equal(resolution_cgroup_came(resolution, 5, "/x", maps.c, refuse_change, NULL),
			 -ENOSPC);
	assert_true(has(0, 0, 5)); /* the next load has it */
	/* before anything is compiled there is nobody to tell */
	assert_int_equal(resolution_cgroup_came(resolution, 6, "/y", NULL, NULL, NULL), 0);
	assert_true(has(0, 0, 6));
}

static void numbers_stay_what_they_are(void **state)
{
	(void)state;
	parse("rules:\n- {name: a, hooks: recv_accept, verdict: allow, proto: udp,"
	      " mode: enforce, remote: {addr: [10.0.0.0/8, 10.0.0.0/16], port: 5-6},"
	      " interface_type: [6, 71]}\n");
	resolve();
	assert_int_equal(term(0, 0)->count, 2);
	assert_true(has(0, 0, 71));
	assert_int_equal(term(0, 1)->count, 2);
	assert_int_equal(term(0, 1)->values[1].bits, 112);
	assert_int_equal(term(0, 2)->values[0].last, 6);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(people),
		TEST(a_user_that_does_not_exist),
		TEST(files_come_and_are_replaced),
		TEST(two_paths_to_one_file),
		TEST(cgroup_words),
		TEST(a_container_that_a_user_has_called_so),
		TEST(what_is_asked_of_names),
		TEST(cgroups_come_and_go),
		TEST(an_interface_is_one_of_our_own_namespace),
		TEST(a_namespace_that_comes_and_goes),
		TEST(the_home_of_a_redirect),
		TEST(a_map_that_is_full),
		TEST(numbers_stay_what_they_are),
	};

	return cmocka_run_group_tests_name("resolve", tests, NULL, NULL);
}
