/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A kernel that says no, for badinput.sh and abort.sh: preloaded, it makes chosen bpf(2) calls fail
 * with REFUSE_ERRNO. REFUSE_PROGRAM is the name of a program that will not load, REFUSE_LINK of one
 * that will not attach, REFUSE_PIN what is in the path of objects that cannot be pinned. And one
 * that lets the caller wait, for walk.sh: before an iterator is made it writes REFUSE_WAIT.held and
 * waits until REFUSE_WAIT is there. With REFUSE_WALK, for policy_kill.sh, none is made: a daemon
 * fails whose programs are at work.
 *
 * REFUSE_DESTROY makes it one that cannot cut connections: it answers SOCK_DESTROY with EOPNOTSUPP,
 * as without CONFIG_INET_DIAG_DESTROY, and does not know bpf_sock_destroy(), as before 6.5.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/bpf.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static bool is_program(const char *name, const char *variable)
{
	const char *wanted = getenv(variable);

	return wanted && !strncmp(name, wanted, BPF_OBJ_NAME_LEN - 1);
}

static bool is_program_of(__u32 fd, const char *variable)
{
	struct bpf_prog_info info = { 0 };
	union bpf_attr attr = {
		.info = { .bpf_fd = fd, .info_len = sizeof(info), .info = (uintptr_t)&info },
	};

	return getenv(variable) && !syscall(SYS_bpf, BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr)) &&
	       is_program(info.name, variable);
}

static bool is_below(__u64 path, const char *variable)
{
	const char *part = getenv(variable);

	return part && strstr((const char *)(uintptr_t)path, part);
}

static void wait_for(const char *path)
{
	static const struct timespec pause = { .tv_nsec = 1000 * 1000 };
	char held[PATH_MAX];
	int fd;

	if (!path || !access(path, F_OK))
		return;
	snprintf(held, sizeof(held), "%s.held", path);
	fd = open(held, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	if (fd >= 0)
		close(fd);
	while (access(path, F_OK) < 0)
		nanosleep(&pause, NULL); /* lint: poll */
}

static bool refused(long command, const union bpf_attr *attr)
{
	switch (command) {
	case BPF_PROG_LOAD:
		return is_program(attr->prog_name, "REFUSE_PROGRAM") ||
		       (getenv("REFUSE_DESTROY") && !strncmp(attr->prog_name, "destroy_", 8));
	case BPF_LINK_CREATE:
		return is_program_of(attr->link_create.prog_fd, "REFUSE_LINK");
	case BPF_OBJ_PIN:
		return is_below(attr->pathname, "REFUSE_PIN");
	case BPF_ITER_CREATE:
		wait_for(getenv("REFUSE_WAIT"));
		return getenv("REFUSE_WALK");
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

/* --- SOCK_DESTROY: asked on this socket, and not answered yet; the daemon has one thread --- */

static int asked_fd = -1;
static struct nlmsghdr asked;

static bool is_destroy(int fd, const void *buf, size_t size)
{
	const struct nlmsghdr *nlh = buf;
	int protocol = -1;
	socklen_t len = sizeof(protocol);

	return getenv("REFUSE_DESTROY") && size >= sizeof(*nlh) &&
	       !getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) &&
	       protocol == NETLINK_SOCK_DIAG && nlh->nlmsg_type == SOCK_DESTROY;
}

ssize_t send(int fd, const void *buf, size_t size, int flags)
{
	if (!is_destroy(fd, buf, size))
		return sendto(fd, buf, size, flags, NULL, 0);
	asked_fd = fd;
	asked = *(const struct nlmsghdr *)buf;
	return (ssize_t)size;
}

ssize_t recv(int fd, void *buf, size_t size, int flags)
{
	struct {
		struct nlmsghdr head;
		struct nlmsgerr error;
	} answer = { .error = { .error = -EOPNOTSUPP, .msg = asked } };

	if (fd != asked_fd || size < sizeof(answer))
		return recvfrom(fd, buf, size, flags, NULL, NULL);
	asked_fd = -1;
	answer.head = (struct nlmsghdr){ .nlmsg_len = sizeof(answer),
					 .nlmsg_type = NLMSG_ERROR,
					 .nlmsg_seq = asked.nlmsg_seq };
	memcpy(buf, &answer, sizeof(answer));
	return sizeof(answer);
}
