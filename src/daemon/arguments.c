/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/arguments.h"
#include "host/config.h"
#include "text/cleanup.h"
#include "text/log.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT(field) offsetof(struct arguments, field)

const struct argument argument_table[] = {
	{ "config", "FILE", "configuration (default " CONFIG_PATH ", if it is there)", AT(config) },
	{ "socket", "PATH", "where to answer (default /run/flowner/flowner.sock)", AT(socket) },
	{ "pin-dir", "DIR", "where to pin maps and programs (default /sys/fs/bpf/flowner)",
	  AT(pin_dir) },
	{ "policy-dir", "DIR", "the policy to load at start (default /etc/flowner/policy.d)",
	  AT(policy_dir) },
	{ "cgroup", "DIR", "track only sockets of this cgroup and those below it", AT(cgroup) },
	{ "accept", "syscall",
	  "name acceptors by a program on every system call: exact, at a price", AT(accept) },
	{ "scope", "container", "run in a private cgroup namespace and see only what is in it",
	  AT(scope) },
	{ "without", "HOOKS", "do without these, as other kernels must: 'lsm,fentry' or 'iter/tcp'",
	  AT(without) },
	{ "detach", NULL, "remove what an earlier flownerd left in the kernel, and end",
	  AT(detach) },
	{ "help", NULL, "this text", 0 },
	{ "version", NULL, "the version", 0 },
	{ NULL, NULL, NULL, 0 },
};

#define ROWS (sizeof(argument_table) / sizeof(argument_table[0]) - 1)

static void print_help(void)
{
	printf("flownerd: which process owns this connection? The daemon; ask it with "
	       "flowner(1).\n\n");
	for (const struct argument *row = argument_table; row->name; row++) {
		char left[64];

		snprintf(left, sizeof(left), "--%s%s%s", row->name, row->value ? " " : "",
			 row->value ? row->value : "");
		printf("  %-20s %s\n", left, row->help);
	}
}

static void long_options(struct option *options)
{
	for (size_t i = 0; i < ROWS; i++) {
		options[i] = (struct option){
			.name = argument_table[i].name,
			.has_arg = argument_table[i].value ? required_argument : no_argument,
		};
	}
	options[ROWS] = (struct option){ 0 };
}

static int set(struct arguments *args, const struct argument *row)
{
	char *at = (char *)args + row->offset;

	if (!strcmp(row->name, "help")) {
		print_help();
		return 1;
	}
	if (!strcmp(row->name, "version")) {
		printf("flownerd %s\n", FLOWNER_VERSION);
		return 1;
	}
	if (row->value)
		*(const char **)at = optarg;
	else
		*(bool *)at = true;
	return 0;
}

static int usage(const char *what, const char *subject)
{
	log_line(LOG_LEVEL_ERROR, "%s '%s': try 'flownerd --help'", what, subject);
	return -EINVAL;
}

/* There are no short options: -xy is refused for its x, while getopt(3) still stands at its y. */
static int unknown_option(const char *word)
{
	char letter[] = { '-', (char)optopt, '\0' };

	return usage("unknown option", optopt ? letter : word);
}

int arguments_parse(int argc, char **argv, struct arguments *ret_args)
{
	struct option options[ROWS + 1];
	struct arguments args = { 0 };
	int c, index, r;

	long_options(options);
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":", options, &index)) != -1) {
		if (c == ':')
			return usage("no value for", argv[optind - 1]);
		if (c)
			return unknown_option(argv[optind - 1]);
		r = set(&args, &argument_table[index]);
		if (r)
			return r;
	}
	if (optind < argc)
		return usage("unexpected argument", argv[optind]);
	if (args.accept && strcmp(args.accept, "syscall") != 0 && strcmp(args.accept, "auto") != 0)
		return usage("--accept takes 'syscall' or 'auto', not", args.accept);
	if (args.scope && strcmp(args.scope, "container") != 0 && strcmp(args.scope, "host") != 0)
		return usage("--scope takes 'container' or 'host', not", args.scope);
	*ret_args = args;
	return 0;
}

static int replace(char **field, const char *value)
{
	char *copy;

	if (!value)
		return 0;
	copy = strdup(value);
	if (!copy)
		return -ENOMEM;
	free(*field);
	*field = copy;
	return 0;
}

/* From where we are: who saves a policy there is somewhere else. */
static int replace_dir(char **field, const char *path)
{
	_free_ char *here = NULL, *whole = NULL;

	if (!path || *path == '/')
		return replace(field, path);
	here = getcwd(NULL, 0);
	if (!here)
		return -errno;
	if (asprintf(&whole, "%s/%s", strcmp(here, "/") ? here : "", path) < 0) {
		whole = NULL;
		return -ENOMEM;
	}
	return replace(field, whole);
}

static int load_file(const struct arguments *args, struct config *c)
{
	int r = config_load(c, args->config ? args->config : CONFIG_PATH);

	if (r != -ENOENT)
		return r;
	if (!args->config)
		return 0;
	log_line(LOG_LEVEL_ERROR, "cannot read '%s': %s", args->config, strerror(ENOENT));
	return r;
}

int arguments_apply(const struct arguments *args, struct config *c)
{
	int r = config_init(c);

	if (!r)
		r = load_file(args, c);
	if (!r)
		r = replace(&c->socket, args->socket);
	if (!r)
		r = replace(&c->pin_dir, args->pin_dir);
	if (!r)
		r = replace_dir(&c->policy_dir, args->policy_dir);
	if (!r)
		r = replace(&c->cgroup, args->cgroup);
	if (args->accept)
		c->accept = !strcmp(args->accept, "syscall") ? CONFIG_ACCEPT_SYSCALL
							     : CONFIG_ACCEPT_AUTO;
	if (args->scope)
		c->scope = !strcmp(args->scope, "container") ? CONFIG_SCOPE_CONTAINER
							     : CONFIG_SCOPE_HOST;
	return r;
}
