/* SPDX-License-Identifier: BSD-2-Clause */
/* Exec: the test's own program as another image, with the ledger and one channel in its hands. */
#include "scenario.h"

#include <cleanup.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actor.h"
#include "report.h"
#include "role.h"

#define NUMBERS 8 /* ledger, scenario, family, n, storm, ctl, a, b */

int exec_role(const char *path, int dirfd, const char *role, int ctl, uint64_t a, uint64_t b)
{
	uint64_t numbers[NUMBERS] = {(uint64_t)ledger_fd, stage.scenario, stage.family, stage.n,
				     stage.storm, (uint64_t)(int64_t)ctl, a, b};
	char text[NUMBERS][24];
	char *argv[3 + NUMBERS + 1] = {(char *)"truth-role", (char *)"--as", (char *)role};

	for (int i = 0; i < NUMBERS; i++) {
		snprintf(text[i], sizeof(text[i]), "%lld", (long long)numbers[i]);
		argv[3 + i] = text[i];
	}
	argv[3 + NUMBERS] = NULL;
	if (ctl >= 0 && fcntl(ctl, F_SETFD, 0) < 0)
		return -errno;
	if (dirfd >= 0)
		fexecve(dirfd, argv, environ);
	else
		execv(path ? path : "/proc/self/exe", argv);
	return -errno;
}

int play_role(int argc, char **argv)
{
	long long number[NUMBERS];

	if (argc != 3 + NUMBERS)
		return 2;
	for (int i = 0; i < NUMBERS; i++)
		number[i] = atoll(argv[3 + i]);
	stage = (struct stage){.scenario = (uint32_t)number[1],
			       .family = (uint32_t)number[2],
			       .n = (uint32_t)number[3],
			       .storm = (uint32_t)number[4]};
	if (actor_init() < 0 || ledger_attach((int)number[0]) < 0)
		return 2;
	watchdog(60);
	for (const struct role *r = roles; r->name; r++)
		if (!strcmp(r->name, argv[2]))
			return r->play((int)number[5], (uint64_t)number[6],
				       (uint64_t)number[7]) < 0;
	return 2;
}

int copy_program(const char *path)
{
	_close_ int in = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), out = -1;
	struct stat st;

	if (in < 0 || fstat(in, &st) < 0)
		return -errno;
	out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	if (out < 0)
		return -errno;
	return copy_program_to(in, out, (size_t)st.st_size);
}

int copy_program_to(int in, int out, size_t size)
{
	while (size) {
		ssize_t sent = sendfile(out, in, NULL, size);

		if (sent < 0)
			return -errno;
		if (sent == 0)
			return -EIO;
		size -= (size_t)sent;
	}
	return 0;
}
