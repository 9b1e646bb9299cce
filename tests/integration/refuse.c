/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A kernel that says no, for badinput.sh: preloaded, it makes chosen bpf(2) calls fail with
 * REFUSE_ERRNO. REFUSE_PROGRAM is the name of a program that will not load, REFUSE_LINK the number
 * of the link (from 1) that will not attach, REFUSE_PIN that of the object that cannot be pinned.
 */
#include <dlfcn.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

long syscall(long number, ...);

static bool is_the_nth(const char *variable, int *count)
{
	const char *nth = getenv(variable);

	return nth && ++*count == (int)strtol(nth, NULL, 10);
}

static bool refused(long command, const union bpf_attr *attr)
{
	static int links, pins;
	const char *program = getenv("REFUSE_PROGRAM");

	switch (command) {
	case BPF_PROG_LOAD:
		return program && !strncmp(attr->prog_name, program, BPF_OBJ_NAME_LEN - 1);
	case BPF_LINK_CREATE:
	case BPF_RAW_TRACEPOINT_OPEN:
		return is_the_nth("REFUSE_LINK", &links);
	case BPF_OBJ_PIN:
		return is_the_nth("REFUSE_PIN", &pins);
	default:
		return false;
	}
}

long syscall(long number, ...)
{
	static long (*real)(long number, ...);
	long a[6];
	va_list args;

	if (!real)
		real = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
	va_start(args, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	if (number == SYS_bpf && refused(a[0], (const union bpf_attr *)a[1])) {
		const char *error = getenv("REFUSE_ERRNO");

		errno = error ? (int)strtol(error, NULL, 10) : EINVAL;
		return -1;
	}
	return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
