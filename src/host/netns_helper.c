/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/netns_helper.h"
#include "text/cleanup.h"
#include "host/netns.h"
#include "host/privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

#define WAIT_S 10 /* for one answer: setns() may wait for somebody else's teardown */
#define FDS_MAX 2

enum job {
	JOB_SOCKET,
	JOB_ITERATOR,
	JOB_RUN,
};

/* With the namespace, and the link of an iterator or the program to run. */
struct question {
	enum job job;
	int protocol;
	__u32 ifindex;
};

/* With what was made, when ERROR is 0. */
struct reply {
	int error;
	__u64 cookie;
};

static struct {
	int channel;
	int state;
	pid_t pid;
} helper = { -1, -ECHILD, -1 };

/* --- the channel: a message and its descriptors --- */

union control {
	char buf[CMSG_SPACE(sizeof(int) * FDS_MAX)];
	struct cmsghdr align;
};

static int put(int channel, const void *data, size_t size, const int *fds, size_t count)
{
	struct iovec iov = { .iov_base = (void *)data, .iov_len = size };
	union control control = { 0 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;

	if (count) {
		msg.msg_control = control.buf;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * count);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * count);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * count);
	}
	return sendmsg(channel, &msg, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static void close_all(int fds[FDS_MAX])
{
	for (int i = 0; i < FDS_MAX; i++) {
		cleanup_close(&fds[i]);
		fds[i] = -1;
	}
}

/* FDS that did not come are -1. -ECONNRESET: the other side has left. */
static int get(int channel, void *data, size_t size, int fds[FDS_MAX])
{
	struct iovec iov = { .iov_base = data, .iov_len = size };
	union control control;
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.buf,
			      .msg_controllen = sizeof(control.buf) };
	struct cmsghdr *c;
	ssize_t n;

	for (int i = 0; i < FDS_MAX; i++)
		fds[i] = -1;
	do {
		n = recvmsg(channel, &msg, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	c = CMSG_FIRSTHDR(&msg);
	if (n > 0 && c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
		memcpy(fds, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
	if ((size_t)n == size)
		return 0;
	close_all(fds);
	return n ? -EPROTO : -ECONNRESET;
}

/* --- the helper --- */

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define LOW_WORD 4
#else
#define LOW_WORD 0
#endif

#if defined(__x86_64__)
#define OWN_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OWN_ARCH AUDIT_ARCH_AARCH64
#elif defined(__s390x__)
#define OWN_ARCH AUDIT_ARCH_S390X
#else
#error "seccomp's name of this architecture is needed"
#endif

#define LOAD(offset) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (__u32)(offset))
#define RETURN(action) BPF_STMT(BPF_RET | BPF_K, action)
#define ALLOW(name)                                                                                \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##name, 0, 1), RETURN(SECCOMP_RET_ALLOW)
/* only with VALUE as argument N; the number is loaded anew for the rows below */
#define ALLOW_WITH(name, n, value)                                                                 \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##name, 0, 4),                                    \
		LOAD(offsetof(struct seccomp_data, args[n]) + LOW_WORD),                           \
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1), RETURN(SECCOMP_RET_ALLOW),       \
		LOAD(offsetof(struct seccomp_data, nr))

static int filter_calls(void)
{
	/* clang-format off */
	struct sock_filter rows[] = {
		LOAD(offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OWN_ARCH, 1, 0),
		RETURN(SECCOMP_RET_KILL_PROCESS),
		LOAD(offsetof(struct seccomp_data, nr)),
		ALLOW(recvmsg),
		ALLOW(sendmsg),
		ALLOW(close),
		ALLOW(getsockopt),
		ALLOW(exit_group),
		ALLOW_WITH(setns, 1, CLONE_NEWNET),
		ALLOW_WITH(bpf, 0, BPF_ITER_CREATE),
		ALLOW_WITH(bpf, 0, BPF_PROG_TEST_RUN),
		ALLOW_WITH(socket, 0, AF_NETLINK),
		ALLOW_WITH(socket, 0, AF_INET),
		ALLOW_WITH(socket, 0, AF_INET6),
#ifdef __NR_socketcall /* s390's C library: all of these in one, of arguments no filter sees */
		ALLOW(socketcall),
#endif
		RETURN(SECCOMP_RET_KILL_PROCESS),
	};
	/* clang-format on */
	struct sock_fprog program = { .len = sizeof(rows) / sizeof(rows[0]), .filter = rows };

	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0 ? -errno : 0;
}

/* Sockets, the connections of NAT, routes and their rules: what flownerd has to do there. */
static bool may_ask(int protocol)
{
	return protocol == NETLINK_SOCK_DIAG || protocol == NETLINK_NETFILTER ||
	       protocol == NETLINK_ROUTE;
}

static int make(const struct question *q, const int fds[FDS_MAX], __u64 *ret_cookie, int *ret_fd)
{
	switch (q->job) {
	case JOB_SOCKET:
		if (!may_ask(q->protocol))
			return -EPERM;
		return netns_socket_here(q->protocol, ret_fd, ret_cookie);
	case JOB_ITERATOR:
		return netns_iterator_here(fds[1], ret_fd);
	case JOB_RUN:
		return netns_run_here(fds[1], q->ifindex);
	}
	return -EINVAL;
}

/* Never stays: a namespace whose last member has left must go. */
static int make_inside(int own, const struct question *q, const int fds[FDS_MAX], __u64 *ret_cookie,
		       int *ret_fd)
{
	int r;

	if (setns(fds[0], CLONE_NEWNET) < 0)
		return -errno;
	r = make(q, fds, ret_cookie, ret_fd);
	if (setns(own, CLONE_NEWNET) < 0)
		_exit(1); /* everything done from here on would be about the wrong sockets */
	return r;
}

static void serve(int channel, int own)
{
	struct question q;
	int fds[FDS_MAX];

	while (!get(channel, &q, sizeof(q), fds)) {
		struct reply reply = { 0 };
		int made = -1;

		reply.error = make_inside(own, &q, fds, &reply.cookie, &made);
		close_all(fds);
		if (put(channel, &reply, sizeof(reply), &made, made >= 0) < 0)
			break;
		cleanup_close(&made);
	}
}

/* Entering our own namespace needs the same permission as entering another. */
static int confine(int own)
{
	int r;

	if (setns(own, CLONE_NEWNET) < 0)
		return -errno;
	r = privileges_reduce(PRIVILEGE(CAP_SYS_ADMIN) | PRIVILEGE(CAP_NET_ADMIN));
	return r ? r : filter_calls();
}

static void be_helper(int channel)
{
	struct reply ready = { 0 };
	int own = open(NETNS_OWN, O_RDONLY | O_CLOEXEC);

	/* only these two are left of what the daemon had open */
	if (dup2(channel, 0) < 0 || dup2(own, 1) < 0 || close_range(2, ~0u, 0) < 0)
		_exit(1);
	prctl(PR_SET_NAME, "flownerd-netns");
	ready.error = confine(1);
	if (!put(0, &ready, sizeof(ready), NULL, 0) && !ready.error)
		serve(0, 1);
	syscall(SYS_exit_group, 0);
}

/* --- the daemon's side --- */

/* It answers in order or not at all: after a time-out nobody knows which answer is whose. */
static int give_up(int r)
{
	netns_helper_stop();
	helper.state = r;
	return r;
}

static int receive(struct reply *reply, int *ret_fd)
{
	int fds[FDS_MAX];
	int r = get(helper.channel, reply, sizeof(*reply), fds);

	if (r < 0)
		return give_up(r == -EAGAIN ? -ETIMEDOUT : r);
	if (reply->error) {
		close_all(fds);
		return reply->error;
	}
	if (ret_fd)
		*ret_fd = fds[0];
	return 0;
}

int netns_helper_start(void)
{
	struct timeval limit = { .tv_sec = WAIT_S };
	struct reply ready;
	int ends[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return helper.state = -errno;
	helper.pid = fork();
	if (!helper.pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		be_helper(ends[1]);
	}
	r = helper.pid < 0 ? -errno : 0;
	close(ends[1]);
	helper.channel = ends[0];
	helper.state = 0;
	setsockopt(helper.channel, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (!r)
		r = receive(&ready, NULL);
	return r < 0 ? give_up(r) : 0;
}

void netns_helper_stop(void)
{
	cleanup_close(&helper.channel);
	if (helper.pid > 0) {
		kill(helper.pid, SIGKILL);
		waitpid(helper.pid, NULL, 0);
	}
	helper.channel = -1;
	helper.pid = -1;
	helper.state = -ECHILD;
}

int netns_helper_state(void)
{
	return helper.state;
}

static int ask(const struct question *q, const int *fds, size_t count, struct reply *reply,
	       int *ret_fd)
{
	int r;

	if (helper.state)
		return helper.state;
	r = put(helper.channel, q, sizeof(*q), fds, count);
	if (r < 0)
		return give_up(r);
	return receive(reply, ret_fd);
}

int netns_helper_socket(int netns, int protocol, int *ret_fd, __u64 *ret_cookie)
{
	struct question q = { .job = JOB_SOCKET, .protocol = protocol };
	struct reply reply;
	int r = ask(&q, &netns, 1, &reply, ret_fd);

	if (!r)
		*ret_cookie = reply.cookie;
	return r;
}

int netns_helper_iterator(int netns, int link, int *ret_fd)
{
	struct question q = { .job = JOB_ITERATOR };
	int fds[FDS_MAX] = { netns, link };
	struct reply reply;

	return ask(&q, fds, FDS_MAX, &reply, ret_fd);
}

int netns_helper_run(int netns, int program, __u32 ifindex)
{
	struct question q = { .job = JOB_RUN, .ifindex = ifindex };
	int fds[FDS_MAX] = { netns, program };
	struct reply reply;

	return ask(&q, fds, FDS_MAX, &reply, NULL);
}
