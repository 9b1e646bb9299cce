/* SPDX-License-Identifier: BSD-2-Clause */
/* Exec: the test's own program as another image, with the ledger and one channel in its hands. */
#include "scenario.h"

#include "text/cleanup.h"
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actor.h"
#include "report.h"
#include "role.h"

#define NUMBERS 11 /* ledger, scenario, family, n, storm, ctl, a, b, /proc, netns, mptcp */

struct command {
	char text[NUMBERS][24];
	char *argv[3 + NUMBERS + 1];
};

static int command_line(struct command *c, const char *role, int ctl, uint64_t a, uint64_t b)
{
	const uint64_t numbers[NUMBERS] = { (uint64_t)ledger_fd,
					    stage.scenario,
					    stage.family,
					    stage.n,
					    stage.storm,
					    (uint64_t)(int64_t)ctl,
					    a,
					    b,
					    (uint64_t)proc_dir,
					    stage.netns,
					    stage.mptcp };

	*c = (struct command){ .argv = { (char *)"truth-role", (char *)"--as", (char *)role } };
	for (int i = 0; i < NUMBERS; i++) {
		snprintf(c->text[i], sizeof(c->text[i]), "%lld", (long long)numbers[i]);
		c->argv[3 + i] = c->text[i];
	}
	if ((ctl >= 0 && fcntl(ctl, F_SETFD, 0) < 0) || fcntl(proc_dir, F_SETFD, 0) < 0)
		return -errno;
	return 0;
}

int exec_role(const char *path, int dirfd, const char *role, int ctl, uint64_t a, uint64_t b)
{
	struct command c;
	int r = command_line(&c, role, ctl, a, b);

	if (r < 0)
		return r;
	if (dirfd >= 0)
		fexecve(dirfd, c.argv, environ);
	else
		execv(path, c.argv);
	return -errno;
}

int spawn_role(const char *role, uint64_t a, uint64_t b)
{
	struct command c;
	pid_t pid;
	int r = command_line(&c, role, -1, a, b);

	return r < 0 ? r : -posix_spawn(&pid, "/proc/self/exe", NULL, NULL, c.argv, environ);
}

int play_role(int argc, char **argv)
{
	long long number[NUMBERS];

	if (argc != 3 + NUMBERS)
		return 2;
	for (int i = 0; i < NUMBERS; i++)
		number[i] = atoll(argv[3 + i]);
	stage = (struct stage){ .scenario = (uint32_t)number[1],
				.family = (uint32_t)number[2],
				.n = (uint32_t)number[3],
				.storm = (uint32_t)number[4],
				.netns = (uint32_t)number[9],
				.mptcp = (uint32_t)number[10] };
	proc_dir = (int)number[8];
	if (ledger_attach((int)number[0]) < 0)
		return 2;
	self_exe_is(getenv("TRUTH_EXE"));
	watchdog(60);
	for (const struct role *r = roles; r->name; r++)
		if (!strcmp(r->name, argv[2]))
			return r->play((int)number[5], (uint64_t)number[6], (uint64_t)number[7]) <
			       0;
	return 2;
}

int copy_program_to(int out)
{
	_close_ int in = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct stat st;
	off_t left;

	if (in < 0 || fstat(in, &st) < 0)
		return -errno;
	for (left = st.st_size; left > 0;) {
		ssize_t sent = sendfile(out, in, NULL, (size_t)left);

		if (sent < 0)
			return -errno;
		if (sent == 0)
			return -EIO;
		left -= sent;
	}
	return 0;
}

int copy_program(const char *path)
{
	_close_ int out = -1;

	/* A running program cannot be written to: make a new file. */
	unlink(path);
	out = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	return out < 0 ? -errno : copy_program_to(out);
}
