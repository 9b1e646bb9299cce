/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flownerd's command line: every option of the help is taken and the other way round; what is wrong
 * is told in one line; an option wins over the file, the file over the default.
 */
#include <errno.h>
#include <getopt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/arguments.h"
#include "host/config.h"

#define WORDS 16
#define TEXT 8192

/* The host's own file is not looked at: the linker sends arguments.c's calls here. */
static int default_file; /* what reading it gives */
int __real_config_load(struct config *c, const char *path);
int __wrap_config_load(struct config *c, const char *path);

int __wrap_config_load(struct config *c, const char *path)
{
	return strcmp(path, CONFIG_PATH) == 0 ? default_file : __real_config_load(c, path);
}

/* --- what is printed --- */

struct capture {
	int of, saved, fd;
};

static struct capture capture(FILE *stream)
{
	struct capture c = { .of = fileno(stream) };

	fflush(stream);
	c.saved = dup(c.of);
	c.fd = memfd_create("printed", MFD_CLOEXEC);
	assert_true(c.saved >= 0 && c.fd >= 0);
	assert_true(dup2(c.fd, c.of) >= 0);
	return c;
}

/* What was printed since; good until the next call. */
static const char *captured(struct capture *c)
{
	static char text[TEXT];
	ssize_t n;

	fflush(NULL);
	dup2(c->saved, c->of);
	close(c->saved);
	n = pread(c->fd, text, sizeof(text) - 1, 0);
	close(c->fd);
	assert_true(n >= 0);
	text[n] = '\0';
	return text;
}

/* LINE split at spaces; its words stay until the next call. */
static int parse(const char *line, struct arguments *args)
{
	static char copy[512];
	char *argv[WORDS + 1] = { NULL };
	int argc = 0;

	snprintf(copy, sizeof(copy), "flownerd %s", line);
	for (char *word = strtok(copy, " "); word && argc < WORDS; word = strtok(NULL, " "))
		argv[argc++] = word;
	optind = 0; /* getopt(3): from the beginning */
	return arguments_parse(argc, argv, args);
}

static void expect_refusal(const char *line, const char *said)
{
	struct arguments args = { .socket = "as it was" };
	struct capture err = capture(stderr);
	int r = parse(line, &args);
	const char *text = captured(&err);

	assert_int_equal(r, -EINVAL);
	assert_string_equal(text, said);
	assert_string_equal(args.socket, "as it was");
}

/* The line is printed, and nothing else happens. */
static const char *printed_by(const char *line)
{
	struct arguments args = { .socket = "as it was" };
	struct capture out = capture(stdout);
	int r = parse(line, &args);
	const char *text = captured(&out);

	assert_int_equal(r, 1);
	assert_string_equal(args.socket, "as it was");
	return text;
}

/* --- parsing --- */

static void none(void **state)
{
	struct arguments args = { .socket = "as it was" };

	(void)state;
	assert_int_equal(parse("", &args), 0);
	assert_null(args.config);
	assert_null(args.socket);
	assert_null(args.pin_dir);
	assert_null(args.cgroup);
	assert_null(args.accept);
	assert_null(args.scope);
	assert_null(args.without);
	assert_false(args.detach);
}

static void every_option(void **state)
{
	struct arguments args;

	(void)state;
	assert_int_equal(parse("--config /c --socket /s --pin-dir /p --cgroup /g --accept syscall "
			       "--scope container --without lsm,fexit --detach",
			       &args),
			 0);
	assert_string_equal(args.config, "/c");
	assert_string_equal(args.socket, "/s");
	assert_string_equal(args.pin_dir, "/p");
	assert_string_equal(args.cgroup, "/g");
	assert_string_equal(args.accept, "syscall");
	assert_string_equal(args.scope, "container");
	assert_string_equal(args.without, "lsm,fexit");
	assert_true(args.detach);
	assert_int_equal(parse("--socket=/a --accept=auto --scope=host --socket=/b", &args), 0);
	assert_string_equal(args.socket, "/b");
	assert_string_equal(args.accept, "auto");
	assert_string_equal(args.scope, "host");
	assert_false(args.detach);
}

static void wrong_usage(void **state)
{
	(void)state;
	expect_refusal("--nope", "flownerd: unknown option '--nope': try 'flownerd --help'\n");
	expect_refusal("-x", "flownerd: unknown option '-x': try 'flownerd --help'\n");
	expect_refusal("-xy --detach", "flownerd: unknown option '-x': try 'flownerd --help'\n");
	expect_refusal("--detach --socket",
		       "flownerd: no value for '--socket': try 'flownerd --help'\n");
	expect_refusal("--detach=1", "flownerd: unknown option '--detach=1': "
				     "try 'flownerd --help'\n");
	expect_refusal("start", "flownerd: unexpected argument 'start': try 'flownerd --help'\n");
	expect_refusal("--detach -- --nope", "flownerd: unexpected argument '--nope': "
					     "try 'flownerd --help'\n");
	expect_refusal("--accept fast", "flownerd: --accept takes 'syscall' or 'auto', not 'fast': "
					"try 'flownerd --help'\n");
	expect_refusal("--scope galaxy", "flownerd: --scope takes 'container' or 'host', not "
					 "'galaxy': try 'flownerd --help'\n");
}

static void version(void **state)
{
	(void)state;
	assert_string_equal(printed_by("--version"), "flownerd " FLOWNER_VERSION "\n");
}

static int parse_quietly(const char *line)
{
	struct capture err = capture(stderr);
	struct arguments args;
	int r = parse(line, &args);

	(void)captured(&err);
	return r;
}

/* The parser takes NAME with a value exactly when the help shows one; VALUE is what it shows. */
static void try_option(const char *name, const char *value)
{
	bool prints = strcmp(name, "help") == 0 || strcmp(name, "version") == 0;
	char bare[64], with[128];

	if (prints)
		return;
	snprintf(bare, sizeof(bare), "--%s", name);
	snprintf(with, sizeof(with), "--%s=%s", name, value[0] ? value : "value");
	assert_int_equal(parse_quietly(bare), value[0] ? -EINVAL : 0);
	assert_int_equal(parse_quietly(with), value[0] ? 0 : -EINVAL);
}

static void help_tells_every_option(void **state)
{
	static const char *const all[] = { "config", "socket", "pin-dir", "policy-dir",
					   "cgroup", "accept", "scope",	  "without",
					   "detach", "help",   "version" };
	char *copy = strdup(printed_by("--help")), *save = NULL;
	size_t found = 0;

	(void)state;
	assert_non_null(copy);
	for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char name[32], value[32] = "", help[128];

		if (strlen(line) > 100)
			fail_msg("too long a line: %s", line);
		if (strncmp(line, "  --", 4) != 0)
			continue;
		assert_true(line[4 + strcspn(line + 4, " ")] == ' ');
		if (line[4 + strcspn(line + 4, " ") + 1] != ' ')
			assert_int_equal(sscanf(line, " --%31s %31s %127[^\n]", name, value, help),
					 3);
		else
			assert_int_equal(sscanf(line, " --%31s %127[^\n]", name, help), 2);
		assert_string_equal(name, all[found]);
		try_option(name, value);
		found++;
	}
	assert_int_equal(found, sizeof(all) / sizeof(all[0]));
	free(copy);
}

/* --- over the configuration --- */

static char file[] = "/tmp/flowner-test-XXXXXX";

static void write_file(const char *text)
{
	FILE *f = fopen(file, "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void defaults(void **state)
{
	struct arguments args = { 0 };
	struct config c = { 0 };

	(void)state;
	default_file = -ENOENT; /* is no failure: nobody asked for it */
	assert_int_equal(arguments_apply(&args, &c), 0);
	assert_string_equal(c.socket, "/run/flowner/flowner.sock");
	assert_string_equal(c.pin_dir, "/sys/fs/bpf/flowner");
	assert_null(c.cgroup);
	assert_int_equal(c.accept, CONFIG_ACCEPT_AUTO);
	assert_int_equal(c.scope, CONFIG_SCOPE_HOST);
	config_release(&c);
	default_file = -EINVAL; /* is one */
	assert_int_equal(arguments_apply(&args, &c), -EINVAL);
	config_release(&c);
	default_file = -ENOENT;
}

static void the_file_wins_over_defaults(void **state)
{
	struct arguments args = { .config = file };
	struct config c = { 0 };

	(void)state;
	write_file("socket: /file.sock\npin_dir: /file/pins\ncgroup: /file/cgroup\n"
		   "accept: syscall\nscope: container\n");
	assert_int_equal(arguments_apply(&args, &c), 0);
	assert_string_equal(c.socket, "/file.sock");
	assert_string_equal(c.pin_dir, "/file/pins");
	assert_string_equal(c.cgroup, "/file/cgroup");
	assert_int_equal(c.accept, CONFIG_ACCEPT_SYSCALL);
	assert_int_equal(c.scope, CONFIG_SCOPE_CONTAINER);
	config_release(&c);
}

static void options_win_over_the_file(void **state)
{
	struct arguments args = { .config = file,
				  .socket = "/arg.sock",
				  .pin_dir = "/arg/pins",
				  .cgroup = "/arg/cgroup",
				  .accept = "auto",
				  .scope = "host" };
	struct config c = { 0 };

	(void)state;
	write_file("socket: /file.sock\npin_dir: /file/pins\ncgroup: /file/cgroup\n"
		   "accept: syscall\nscope: container\npoll: 70ms\n");
	assert_int_equal(arguments_apply(&args, &c), 0);
	assert_string_equal(c.socket, "/arg.sock");
	assert_string_equal(c.pin_dir, "/arg/pins");
	assert_string_equal(c.cgroup, "/arg/cgroup");
	assert_int_equal(c.accept, CONFIG_ACCEPT_AUTO);
	assert_int_equal(c.scope, CONFIG_SCOPE_HOST);
	assert_int_equal(c.poll_ms, 70); /* what no option says stays the file's */
	config_release(&c);
	write_file("poll: 70ms\n");
	args.accept = "syscall";
	args.scope = "container";
	assert_int_equal(arguments_apply(&args, &c), 0);
	assert_int_equal(c.accept, CONFIG_ACCEPT_SYSCALL);
	assert_int_equal(c.scope, CONFIG_SCOPE_CONTAINER);
	config_release(&c);
}

static void a_file_asked_for_must_be_there(void **state)
{
	struct arguments args = { .config = "/nowhere/flowner.yaml" };
	struct capture err = capture(stderr);
	struct config c = { 0 };
	int r = arguments_apply(&args, &c);
	const char *text = captured(&err);

	(void)state;
	assert_int_equal(r, -ENOENT);
	assert_string_equal(text, "flownerd: cannot read '/nowhere/flowner.yaml': "
				  "No such file or directory\n");
	config_release(&c);
}

static int make_file(void **state)
{
	int fd = mkstemp(file);

	(void)state;
	return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
	(void)state;
	return unlink(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(none),
		cmocka_unit_test(every_option),
		cmocka_unit_test(wrong_usage),
		cmocka_unit_test(version),
		cmocka_unit_test(help_tells_every_option),
		cmocka_unit_test(defaults),
		cmocka_unit_test(the_file_wins_over_defaults),
		cmocka_unit_test(options_win_over_the_file),
		cmocka_unit_test(a_file_asked_for_must_be_there),
	};

	return cmocka_run_group_tests_name("arguments", tests, make_file, remove_file);
}
