/* SPDX-License-Identifier: BSD-2-Clause */
/* flownerd's command line: one table for parsing and for --help; over the configuration file. */
#ifndef FLOWNER_ARGUMENTS_H
#define FLOWNER_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>

struct config;

struct arguments {
	const char *config; /* NULL = the default file, if it is there */
	const char *socket;
	const char *pin_dir;
	const char *policy_dir; /* like all below, NULL = as the file says */
	const char *cgroup;
	const char *accept;
	const char *scope;
	const char *without; /* list for hooks_forbid() */
	bool detach;
};

struct argument {
	const char *name;  /* of the long option; there are no letters */
	const char *value; /* placeholder; NULL = takes none */
	const char *help;
	size_t offset; /* into struct arguments; of a flag when there is no value */
};

extern const struct argument argument_table[]; /* ended by a NULL name */

/* 0 go on, 1 help or version was printed, -EINVAL wrong usage, told to stderr. */
int arguments_parse(int argc, char **argv, struct arguments *ret_args);

/* Defaults, then the file, then ARGS, into C. Errors are told to stderr. */
int arguments_apply(const struct arguments *args, struct config *c);

#endif
