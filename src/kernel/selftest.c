/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/selftest.h"
#include "text/cleanup.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <time.h>

#define MARK_TRIES 20

static void *end_at_once(void *arg)
{
	return arg;
}

static int end_a_thread(void)
{
	pthread_t thread;
	int r = pthread_create(&thread, NULL, end_at_once, NULL);

	if (r)
		return -r;
	pthread_join(thread, NULL);
	return 0;
}

/* Every moment a row may want to see: listen, connect, accept with an address, send, close. */
static int talk_to_ourselves(void)
{
	_close_ int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	_close_ int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	_close_ int server = -1;
	struct sockaddr_in addr = { .sin_family = AF_INET };
	socklen_t len = sizeof(addr);

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (listener < 0 || client < 0)
		return -errno;
	if (bind(listener, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(listener, 1) < 0 ||
	    getsockname(listener, (struct sockaddr *)&addr, &len) < 0 ||
	    connect(client, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return -errno;
	server = accept4(listener, (struct sockaddr *)&addr, &len, SOCK_CLOEXEC);
	if (server < 0 || send(server, "x", 1, MSG_NOSIGNAL) < 0)
		return -errno;
	return end_a_thread();
}

/* And those of UDP: a datagram that is received without a look at where it came from. Even from
 * ourselves it may arrive later than it was sent. */
static int write_to_ourselves(void)
{
	_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in addr = { .sin_family = AF_INET };
	socklen_t len = sizeof(addr);
	struct timeval patience = { .tv_sec = 2 };
	char byte;

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, len) < 0 ||
	    getsockname(fd, (struct sockaddr *)&addr, &len) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
	    sendto(fd, "x", 1, 0, (struct sockaddr *)&addr, len) < 0 || recv(fd, &byte, 1, 0) < 0)
		return -errno;
	return 0;
}

static void set_tester(struct fl_config *config, void *arg)
{
	config->selftest_pid = *(__u32 *)arg;
}

/* Programs may have run a moment after we: a thread is joined before the tracepoint of its exit. */
static int wait_for_mark(const struct maps *m, __u32 index, __u64 *ret_count)
{
	static const struct timespec pause = { .tv_nsec = 5 * 1000 * 1000 };
	__u64 count = 0;

	for (int i = 0; i < MARK_TRIES && !count; i++) {
		if (i)
			nanosleep(&pause, NULL);
		if (bpf_map_lookup_elem(m->fired, &index, &count) < 0)
			return -errno;
	}
	*ret_count = count;
	return 0;
}

static int run_watched(const struct maps *m, __u32 index, __u64 *ret_count)
{
	__u32 pid = (__u32)getpid(), nobody = 0;
	int r, talked;

	r = maps_configure(m, set_tester, &pid);
	if (r < 0)
		return r;
	talked = talk_to_ourselves();
	if (!talked)
		talked = write_to_ourselves();
	if (!talked)
		talked = wait_for_mark(m, index, ret_count);
	r = maps_configure(m, set_tester, &nobody);
	return talked < 0 ? talked : r;
}

int selftest_fires(const struct maps *m, enum fl_probe probe)
{
	__u32 index = probe;
	__u64 count = 0;
	int r;

	if (bpf_map_update_elem(m->fired, &index, &count, BPF_ANY) < 0)
		return -errno;
	r = run_watched(m, index, &count);
	return r < 0 ? r : count > 0;
}
