/* SPDX-License-Identifier: BSD-2-Clause */
/* Actors: processes, their channels, and the time everything may take. */
#include "actor.h"

#include "text/cleanup.h"
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "report.h"

int proc_dir = -1;
const char *temp_dir = "/tmp";

static unsigned int slow(void)
{
	const char *text = getenv("TRUTH_SLOW");
	int value = text ? atoi(text) : 1;

	return value > 0 ? (unsigned int)value : 1;
}

int patience_ms(void)
{
	return (int)(20000 * slow());
}

void watchdog(unsigned int seconds)
{
	alarm(seconds * slow());
}

int actor_init(void)
{
	if (proc_dir >= 0)
		return 0;
	proc_dir = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return proc_dir < 0 ? -errno : 0;
}

int failed(const char *file, int line, const char *what, int r)
{
	const char *base = strrchr(file, '/');

	if (ledger && !atomic_exchange(&ledger->failed, 1))
		snprintf(ledger->failure, sizeof(ledger->failure), "%s:%d: %s: %s",
			 base ? base + 1 : file, line, what, strerror(-r));
	return r;
}

int skipped(const char *why)
{
	snprintf(ledger->skip, sizeof(ledger->skip), "%s", why);
	return SKIPPED;
}

static pid_t fork_as(pid_t wanted)
{
	struct clone_args args = { .exit_signal = SIGCHLD,
				   .set_tid = (uint64_t)(uintptr_t)&wanted,
				   .set_tid_size = 1 };
	pid_t pid = wanted ? (pid_t)syscall(SYS_clone3, &args, sizeof(args)) : -1;

	return pid < 0 ? fork() : pid;
}

pid_t fork_self(void)
{
	return fork_self_as(0);
}

pid_t fork_self_as(pid_t wanted)
{
	pid_t parent = getpid(), pid = fork_as(wanted);

	if (pid)
		return pid;
	self_changed();
	watchdog(60);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* In a new pid namespace the parent is invisible: 0. */
	if (getppid() != parent && getppid() != 0)
		_exit(1);
	return 0;
}

void keep_when_orphaned(void)
{
	prctl(PR_SET_PDEATHSIG, 0);
}

int wait_pid(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -ECHILD;
}

int actor_start(struct actor *a, const char *name, actor_fn fn, void *arg)
{
	int ends[2], r;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	pid = fork_self();
	if (pid < 0) {
		r = -errno;
		close(ends[0]);
		close(ends[1]);
		return r;
	}
	if (pid == 0) {
		close(ends[0]);
		prctl(PR_SET_NAME, name);
		_exit(fn(ends[1], arg) < 0 ? 1 : 0);
	}
	close(ends[1]);
	*a = (struct actor){ .pid = pid, .ctl = ends[0] };
	return 0;
}

int actor_join(struct actor *a)
{
	pid_t pid = a->pid;

	if (!pid)
		return 0;
	a->pid = 0;
	if (a->ctl >= 0)
		close(a->ctl);
	a->ctl = -1;
	return wait_pid(pid);
}

void actor_drop(struct actor *a)
{
	if (a->pid)
		kill(a->pid, SIGKILL);
	actor_join(a);
}

static int wait_readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int r;

	do
		r = poll(&p, 1, patience_ms());
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	return r ? 0 : -ETIMEDOUT;
}

int say(int ctl, uint64_t value)
{
	return send(ctl, &value, sizeof(value), MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int hear(int ctl, uint64_t *ret_value)
{
	uint64_t value;
	ssize_t got;
	int r = wait_readable(ctl);

	if (r < 0)
		return r;
	got = recv(ctl, &value, sizeof(value), 0);
	if (got < 0)
		return -errno;
	if (got != sizeof(value))
		return -EPIPE;
	*ret_value = value;
	return 0;
}

union fd_control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int))];
};

int say_fd(int ctl, int fd)
{
	char byte = 'f';
	struct iovec iov = { &byte, 1 };
	union fd_control control = { 0 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	return sendmsg(ctl, &msg, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int hear_fd(int ctl, int *ret_fd)
{
	char byte;
	struct iovec iov = { &byte, 1 };
	union fd_control control = { 0 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *c;
	int r = wait_readable(ctl);

	if (r < 0)
		return r;
	if (recvmsg(ctl, &msg, MSG_CMSG_CLOEXEC) < 0)
		return -errno;
	c = CMSG_FIRSTHDR(&msg);
	if (!c || c->cmsg_type != SCM_RIGHTS)
		return -EPROTO;
	memcpy(ret_fd, CMSG_DATA(c), sizeof(int));
	return 0;
}
