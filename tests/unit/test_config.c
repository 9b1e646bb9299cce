/* SPDX-License-Identifier: BSD-2-Clause */
/* flowner.yaml: every key arrives, every mistake is refused with its place, nothing by halves. */
#include "host/config.h"
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

struct outcome {
	int r;
	char told[512]; /* what went to stderr */
	struct config c;
};

static int parse(void *c, const char *text)
{
	return config_parse(c, text, strlen(text), "f.yaml");
}

static int load(void *c, const char *path)
{
	return config_load(c, path);
}

static struct outcome told_by(int (*fn)(void *c, const char *arg), const char *arg)
{
	struct outcome out = {};
	FILE *catch = tmpfile();
	int saved;
	size_t n;

	assert_non_null(catch);
	assert_int_equal(config_init(&out.c), 0);
	fflush(stderr);
	saved = dup(STDERR_FILENO);
	dup2(fileno(catch), STDERR_FILENO);
	out.r = fn(&out.c, arg);
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
	rewind(catch);
	n = fread(out.told, 1, sizeof(out.told) - 1, catch);
	out.told[n] = '\0';
	fclose(catch);
	return out;
}

static void defaults(void **state)
{
	struct config c;

	(void)state;
	assert_int_equal(config_init(&c), 0);
	assert_string_equal(c.socket, "/run/flowner/flowner.sock");
	assert_string_equal(c.pin_dir, "/sys/fs/bpf/flowner");
	assert_string_equal(c.group, "flowner");
	assert_null(c.cgroup);
	assert_null(c.metrics.listen);
	assert_int_equal(c.journal.events, 0);
	assert_int_equal(c.authorization.value, PROHIBIT_MARK);
	assert_int_equal(c.authorization.mask, 0xffffffff);
	assert_null(c.history.file);
	assert_int_equal(c.limits.ring_bytes, 16 << 20);
	assert_int_equal(c.recent.age_s, 3600);
	config_release(&c);
	config_release(&c);
	config_release(NULL);
}

static void every_key(void **state)
{
	static const char text[] =
		"socket: /s\npin_dir: /p\ncgroup: /c\ngroup: g\naccept: syscall\n"
		"on_stop: keep\nscope: container\n"
		"recent: {flows: 5, age: 2m}\n"
		"limits:\n  flows: 100\n  processes: 20\n  ring: 100KiB\n"
		"metrics: {listen: '[::1]:9499'}\n"
		"history: {file: /h}\n"
		"journal: {events: [close, verdict, close]}\n"
		"authorization: {mark: 0x8000000F, mask: 4294967295}\n"
		"poll: 20ms\nreconcile: 1m\nudp_idle: 1h\n";
	struct outcome o = told_by(parse, text);

	(void)state;
	assert_int_equal(o.r, 0);
	assert_string_equal(o.told, "");
	assert_string_equal(o.c.socket, "/s");
	assert_string_equal(o.c.pin_dir, "/p");
	assert_string_equal(o.c.cgroup, "/c");
	assert_string_equal(o.c.group, "g");
	assert_int_equal(o.c.accept, CONFIG_ACCEPT_SYSCALL);
	assert_int_equal(o.c.on_stop, CONFIG_STOP_KEEP);
	assert_int_equal(o.c.scope, CONFIG_SCOPE_CONTAINER);
	assert_int_equal(o.c.recent.flows, 5);
	assert_int_equal(o.c.recent.age_s, 120);
	assert_int_equal(o.c.limits.flows, 100);
	assert_int_equal(o.c.limits.processes, 20);
	assert_int_equal(o.c.limits.ring_bytes, 128 << 10);
	assert_string_equal(o.c.metrics.listen, "[::1]:9499");
	assert_string_equal(o.c.history.file, "/h");
	assert_int_equal(o.c.journal.events, 1u << CONFIG_EVENT_CLOSE | 1u << CONFIG_EVENT_VERDICT);
	assert_int_equal(o.c.authorization.value, 0x8000000f);
	assert_int_equal(o.c.authorization.mask, 0xffffffff);
	assert_int_equal(o.c.poll_ms, 20);
	assert_int_equal(o.c.reconcile_s, 60);
	assert_int_equal(o.c.udp_idle_s, 3600);
	config_release(&o.c);
}

static void nothing_said_is_the_defaults(void **state)
{
	static const char *const empty[] = { "", "\n\n", "# only a comment\n" };

	(void)state;
	for (size_t i = 0; i < sizeof(empty) / sizeof(*empty); i++) {
		struct outcome o = told_by(parse, empty[i]);

		assert_int_equal(o.r, 0);
		assert_string_equal(o.told, "");
		assert_int_equal(o.c.limits.flows, 262144);
		config_release(&o.c);
	}
}

static void what_is_not_named_is_kept(void **state)
{
	struct config c;

	(void)state;
	assert_int_equal(config_init(&c), 0);
	assert_int_equal(parse(&c, "socket: /a\npoll: 7ms\n"), 0);
	assert_int_equal(parse(&c, "group: g\n"), 0);
	assert_string_equal(c.socket, "/a");
	assert_int_equal(c.poll_ms, 7);
	config_release(&c);
}

static void ring_is_a_power_of_two_of_pages(void **state)
{
	struct outcome o = told_by(parse, "limits: {ring: 1}\n");

	(void)state;
	assert_int_equal(o.r, 0);
	assert_int_equal(o.c.limits.ring_bytes, sysconf(_SC_PAGESIZE));
	config_release(&o.c);
	o = told_by(parse, "limits: {ring: 1GiB}\n");
	assert_int_equal(o.r, 0);
	assert_int_equal(o.c.limits.ring_bytes, 1 << 30);
	config_release(&o.c);
}

/* The place is part of the promise; of the sentence only the word it is about. */
static void mistakes_have_a_place(void **state)
{
	static const struct {
		const char *text, *place, *about;
	} cases[] = {
		{ "socket: /a\nnope: 1\n", "f.yaml:2:1: ", "'nope'" },
		{ "limits:\n  ring: 1MiB\n  rang: 1\n", "f.yaml:3:3: ", "'rang'" },
		{ "limits: {flows: 100, bar: 1}\n", "f.yaml:1:22: ", "'bar'" },
		{ "poll: 20ms\naccept: always\n", "f.yaml:2:9: ", "auto or syscall" },
		{ "limits: 3\n", "f.yaml:1:9: ", "mapping" },
		{ "socket: [a]\n", "f.yaml:1:9: ", "string" },
		{ "- a\n", "f.yaml:1:1: ", "mapping" },
		{ "word", "f.yaml:1:1: ", "mapping" },
		{ "socket: /a\nsocket: /b\n", "f.yaml:2:1: ", "twice" },
		{ "socket: !x /a\n", "f.yaml:1:9: ", "'!x'" },
		{ "group: ! a\n", "f.yaml:1:8: ", "tag" },
		{ "group: !!str a\n", "f.yaml:1:8: ", "tag" },
		{ "limits: !x {}\n", "f.yaml:1:9: ", "tag" },
		{ "group: \"\"\n", "f.yaml:1:8: ", "empty" },
		{ "group:\n", "f.yaml:1:7: ", "empty" },
		{ "group: \"a\\0b\"\n", "f.yaml:1:8: ", "NUL" },
		{ "group: &a b\n", "f.yaml:1:8: ", "anchors" },
		{ "group: a\n---\ngroup: b\n", "f.yaml:2:1: ", "document" },
		{ "? [a]\n: b\n", "f.yaml:1:3: ", "key" },
		{ "group: [a\n", "f.yaml:2:1: ", "" },
		{ "a: b: c\n", "f.yaml:1:5: ", "" },
		{ "socket: relative\n", "f.yaml:1:9: socket: ", "absolute" },
		{ "poll: 50\n", "f.yaml:1:7: poll: ", "duration" },
		{ "poll: 11s\n", "f.yaml:1:7: poll: ", "range" },
		{ "poll: 0ms\n", "f.yaml:1:7: poll: ", "range" },
		{ "poll: 1500us\n", "f.yaml:1:7: poll: ", "whole" },
		{ "recent:\n  age: 1500ms\n", "f.yaml:2:8: recent.age: ", "whole" },
		{ "recent: {flows: 0}\n", "f.yaml:1:17: recent.flows: ", "range" },
		{ "recent: {flows: 16777217}\n", "f.yaml:1:17: recent.flows: ", "1 to 16777216" },
		{ "recent: {flows: -1}\n", "f.yaml:1:17: recent.flows: ", "count" },
		{ "limits: {flows: 4294967297}\n", "f.yaml:1:17: limits.flows: ", "range" },
		{ "limits: {flows: 99999999999999999999}\n",
		  "f.yaml:1:17: limits.flows: ", "count" },
		{ "limits: {ring: 16MB}\n", "f.yaml:1:16: limits.ring: ", "size" },
		{ "limits: {ring: 0}\n", "f.yaml:1:16: limits.ring: ", "range" },
		{ "limits: {ring: 2GiB}\n", "f.yaml:1:16: limits.ring: ", "range" },
		{ "group: abcdefghijklmnopqrstuvwxyzabcdefg\n", "f.yaml:1:8: group: ", "longer" },
		{ "journal: {events: [open, x]}\n", "f.yaml:1:19: journal.events: 'x'", "or lost" },
		{ "journal: {events: []}\n", "f.yaml:1:19: ", "" },
		{ "journal: {events: {a: b}}\n", "f.yaml:1:19: ", "" },
		{ "authorization: {mark: 0x}\n", "f.yaml:1:23: authorization.mark: ", "mark" },
		{ "authorization: {mark: 1f}\n", "f.yaml:1:23: authorization.mark: ", "mark" },
		{ "authorization: {mark: 0x123456789}\n",
		  "f.yaml:1:23: authorization.mark: ", "range" },
		{ "authorization: {mask: 99999999999}\n",
		  "f.yaml:1:23: authorization.mask: ", "mark" },
		{ "metrics: {listen: 127.0.0.1}\n", "f.yaml:1:19: metrics.listen: ", "port" },
		{ "metrics: {listen: ':9499'}\n", "f.yaml:1:19: metrics.listen: ", "address" },
		{ "metrics: {listen: 10.0.0.0/8:1}\n", "f.yaml:1:19: metrics.listen: ", "address" },
		{ "group: \"a\xff\"\n", "f.yaml: ", "UTF-8" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct outcome o = told_by(parse, cases[i].text);

		if (o.r != -EINVAL || strncmp(o.told, cases[i].place, strlen(cases[i].place)) ||
		    !strstr(o.told, cases[i].about))
			fail_msg("%s -> %d %s", cases[i].text, o.r, o.told);
		/* one line */
		assert_ptr_equal(strchr(o.told, '\n'), o.told + strlen(o.told) - 1);
		config_release(&o.c);
	}
}

static void words_of_the_file_cannot_break_the_line(void **state)
{
	struct outcome o = told_by(parse, "accept: \"a\\nb\\e[1m\"\n");

	(void)state;
	assert_int_equal(o.r, -EINVAL);
	assert_null(strchr(o.told, '\033'));
	assert_ptr_equal(strchr(o.told, '\n'), o.told + strlen(o.told) - 1);
	config_release(&o.c);
	o = told_by(parse, "\"a\\nb\": 1\n");
	assert_int_equal(o.r, -EINVAL);
	assert_ptr_equal(strchr(o.told, '\n'), o.told + strlen(o.told) - 1);
	config_release(&o.c);
}

static void a_mistake_changes_nothing(void **state)
{
	struct outcome o = told_by(parse, "socket: /a\npoll: 7ms\naccept: syscall\nudp_idle: x\n");

	(void)state;
	assert_int_equal(o.r, -EINVAL);
	assert_string_equal(o.c.socket, "/run/flowner/flowner.sock");
	assert_int_equal(o.c.poll_ms, 50);
	assert_int_equal(o.c.accept, CONFIG_ACCEPT_AUTO);
	config_release(&o.c);
}

static void files(void **state)
{
	char path[] = "/tmp/test_config.XXXXXX";
	int fd = mkstemp(path);
	struct outcome o;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "group: g\n", 9), 9);
	o = told_by(load, path);
	assert_int_equal(o.r, 0);
	assert_string_equal(o.c.group, "g");
	config_release(&o.c);
	for (int i = 0; i < 8000; i++)
		assert_int_equal(write(fd, "# filler\n", 9), 9);
	o = told_by(load, path);
	assert_int_equal(o.r, -EFBIG);
	assert_non_null(strstr(o.told, path));
	config_release(&o.c);
	close(fd);
	unlink(path);
	o = told_by(load, path);
	assert_int_equal(o.r, -ENOENT);
	assert_string_equal(o.told, "");
	config_release(&o.c);
	o = told_by(load, "/");
	assert_int_equal(o.r, -EISDIR);
	assert_string_not_equal(o.told, "");
	config_release(&o.c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(every_key),
		cmocka_unit_test(nothing_said_is_the_defaults),
		cmocka_unit_test(what_is_not_named_is_kept),
		cmocka_unit_test(ring_is_a_power_of_two_of_pages),
		cmocka_unit_test(mistakes_have_a_place),
		cmocka_unit_test(words_of_the_file_cannot_break_the_line),
		cmocka_unit_test(a_mistake_changes_nothing),
		cmocka_unit_test(files),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
