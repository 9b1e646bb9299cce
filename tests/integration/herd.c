/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Many sessions in groups, and what became of each of them, to the millisecond. Told what to do as
 * told.h has it; a thread does the rest: it serves, keeps busy groups busy, and notes the first
 * error of each session when the kernel tells it, idle or not.
 *
 *	serve PROTO IP PORT             echoes whatever comes
 *	open GROUP PROTO IP PORT COUNT idle|busy
 *	cut GROUP COUNT MS              waits until so many have one: `ok CUT LAST ERRORS...`,
 *	                                CLOCK_REALTIME us of the last, each error's name once
 *	alive GROUP                     sends on all that have no error, and waits: `ok ANSWERED`
 *	reset PORT                      `ok N`: served sessions of TCP that ended in ECONNRESET
 *	forget PORT                     closes those it serves there; answers as reset does
 *	leave GROUP                     closes it
 */
#include "told.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define GROUPS 256
#define FDS 8192
#define TICK_MS 20
#define WAIT_MS 20000

enum use { FREE, LISTENS, ECHOES, SERVED, IDLE, BUSY };

struct session {
	enum use use;
	int group, error; /* the first */
	unsigned short port;
	unsigned long long error_us, answers;
};

static struct session sessions[FDS]; /* by descriptor */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned long resets[65536]; /* by port */
static int epoll = -1;

static unsigned long long now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (unsigned long long)ts.tv_sec * 1000000 + (unsigned long long)ts.tv_nsec / 1000;
}

/* --- the thread; the lock is held --- */

static int add(int fd, enum use use, int group, unsigned short port)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET, .data.fd = fd };

	if (fd >= FDS)
		return -EMFILE;
	sessions[fd] = (struct session){ .use = use, .group = group, .port = port };
	return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static void drop(int fd)
{
	sessions[fd].use = FREE;
	close(fd);
}

static void failed(int fd, int error)
{
	struct session *s = &sessions[fd];

	if (s->use == SERVED) {
		resets[s->port] += error == ECONNRESET;
		drop(fd);
	} else if (!s->error) {
		s->error = error;
		s->error_us = now_us();
	}
}

static void take_in(int fd)
{
	for (int in = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC); in >= 0;
	     in = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) {
		if (add(in, SERVED, -1, sessions[fd].port) < 0)
			close(in);
	}
}

static void echo_datagrams(int fd)
{
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	char buf[64];
	ssize_t n;

	while ((n = recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len)) >= 0) {
		(void)sendto(fd, buf, (size_t)n, 0, (struct sockaddr *)&from, len);
		len = sizeof(from);
	}
}

/* What cannot leave now may later; that a socket of UDP was cut, it tells itself. */
static bool is_end(int error)
{
	return error == ECONNABORTED || error == ECONNRESET || error == EPIPE || error == ETIMEDOUT;
}

static void receive(int fd)
{
	char buf[4096];
	ssize_t n;

	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0) {
		sessions[fd].answers++;
		if (sessions[fd].use == SERVED && send(fd, buf, (size_t)n, MSG_NOSIGNAL) < 0 &&
		    is_end(errno)) {
			failed(fd, errno);
			return;
		}
	}
	if (n == 0 && sessions[fd].use == SERVED)
		drop(fd);
	else if (n < 0 && errno != EAGAIN && errno != EINTR)
		failed(fd, errno);
}

static void serve_one(int fd)
{
	switch (sessions[fd].use) {
	case FREE:
		break;
	case LISTENS:
		take_in(fd);
		break;
	case ECHOES:
		echo_datagrams(fd);
		break;
	case SERVED:
	case IDLE:
	case BUSY:
		receive(fd);
		break;
	}
}

static void keep_busy(void)
{
	for (int fd = 0; fd < FDS; fd++) {
		if (sessions[fd].use == BUSY && !sessions[fd].error &&
		    send(fd, "b", 1, MSG_NOSIGNAL) < 0 && is_end(errno))
			failed(fd, errno);
	}
}

static void *work(void *arg)
{
	struct epoll_event events[64];
	unsigned long long next = 0;

	for (;;) {
		int n = epoll_wait(epoll, events, 64, TICK_MS);

		pthread_mutex_lock(&lock);
		for (int i = 0; i < n; i++)
			serve_one(events[i].data.fd);
		if (now_us() >= next) {
			keep_busy();
			next = now_us() + TICK_MS * 1000;
		}
		pthread_cond_broadcast(&changed);
		pthread_mutex_unlock(&lock);
	}
	return arg;
}

/* --- commands --- */

static int read_address(const struct command *c, int at, struct sockaddr_storage *ret,
			socklen_t *ret_len)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;

	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, c->word[at], &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((in_port_t)atoi(c->word[at + 1]));
		*ret_len = sizeof(*v4);
		return 0;
	}
	if (inet_pton(AF_INET6, c->word[at], &v6->sin6_addr) != 1)
		return -EINVAL;
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons((in_port_t)atoi(c->word[at + 1]));
	*ret_len = sizeof(*v6);
	return 0;
}

static int type_of(const char *proto)
{
	return strcmp(proto, "udp") ? SOCK_STREAM : SOCK_DGRAM;
}

static int do_serve(const struct command *c)
{
	struct sockaddr_storage at;
	socklen_t len;
	const int on = 1;
	int fd, r;

	if (c->words < 4 || read_address(c, 2, &at, &len) < 0)
		return -EINVAL;
	fd = socket(at.ss_family, type_of(c->word[1]) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&at, len) < 0)
		return -errno;
	if (type_of(c->word[1]) == SOCK_STREAM && listen(fd, 1024) < 0)
		return -errno;
	pthread_mutex_lock(&lock);
	r = add(fd, type_of(c->word[1]) == SOCK_STREAM ? LISTENS : ECHOES, -1,
		(unsigned short)atoi(c->word[3]));
	pthread_mutex_unlock(&lock);
	return r < 0 ? r : printf("ok\n");
}

/* Blocking until it is connected. */
static int open_one(const struct command *c, const struct sockaddr_storage *to, socklen_t len)
{
	int fd = socket(to->ss_family, type_of(c->word[2]) | SOCK_CLOEXEC, 0), r;
	const struct timeval patience = { .tv_sec = WAIT_MS / 1000 };
	char byte;

	if (fd < 0 || connect(fd, (const struct sockaddr *)to, len) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
	    send(fd, "o", 1, MSG_NOSIGNAL) < 0 || recv(fd, &byte, 1, 0) < 0 ||
	    fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	pthread_mutex_lock(&lock);
	r = add(fd, strcmp(c->word[6], "busy") ? IDLE : BUSY, atoi(c->word[1]), 0);
	pthread_mutex_unlock(&lock);
	return r;
}

static int do_open(const struct command *c)
{
	struct sockaddr_storage to;
	socklen_t len;
	int r = 0;

	if (c->words < 7 || read_address(c, 3, &to, &len) < 0)
		return -EINVAL;
	for (int i = 0; !r && i < atoi(c->word[5]); i++)
		r = open_one(c, &to, len);
	return r < 0 ? r : printf("ok\n");
}

static bool is_of(int fd, int group)
{
	return sessions[fd].use >= IDLE && sessions[fd].group == group;
}

static int count_cut(int group)
{
	int count = 0;

	for (int fd = 0; fd < FDS; fd++)
		count += is_of(fd, group) && sessions[fd].error;
	return count;
}

/* With the lock, until the thread has done something. False: it is too late. */
static bool wait_until(unsigned long long until_us)
{
	struct timespec at = { .tv_sec = (time_t)(until_us / 1000000),
			       .tv_nsec = (long)(until_us % 1000000) * 1000 };

	return pthread_cond_timedwait(&changed, &lock, &at) == 0 || now_us() < until_us;
}

static const char *error_name(int error)
{
	const char *name = strerrorname_np(error);

	return name ? name : "unknown";
}

static int tell_cut(int group)
{
	unsigned long long last = 0;
	char names[200] = "";

	for (int fd = 0; fd < FDS; fd++) {
		const struct session *s = &sessions[fd];

		if (!is_of(fd, group) || !s->error)
			continue;
		last = s->error_us > last ? s->error_us : last;
		if (!strstr(names, error_name(s->error)) &&
		    strlen(names) + strlen(error_name(s->error)) + 2 < sizeof(names)) {
			strcat(names, " ");
			strcat(names, error_name(s->error));
		}
	}
	return printf("ok %d %llu%s\n", count_cut(group), last, names);
}

static int do_cut(const struct command *c)
{
	unsigned long long until;
	int group;

	if (c->words < 4)
		return -EINVAL;
	group = atoi(c->word[1]);
	until = now_us() + strtoull(c->word[3], NULL, 10) * 1000;
	pthread_mutex_lock(&lock);
	while (count_cut(group) < atoi(c->word[2]) && wait_until(until)) {
	}
	tell_cut(group);
	pthread_mutex_unlock(&lock);
	return 0;
}

static int do_alive(const struct command *c)
{
	static unsigned long long before[FDS];
	unsigned long long until = now_us() + WAIT_MS * 1000ull;
	int group = atoi(c->word[1]), sent = 0, answered = 0;

	pthread_mutex_lock(&lock);
	for (int fd = 0; fd < FDS; fd++) {
		if (!is_of(fd, group) || sessions[fd].error)
			continue;
		before[fd] = sessions[fd].answers;
		sent++;
		if (send(fd, "a", 1, MSG_NOSIGNAL) < 0)
			sent--;
	}
	do {
		answered = 0;
		for (int fd = 0; fd < FDS; fd++)
			answered += is_of(fd, group) && !sessions[fd].error &&
				    sessions[fd].answers > before[fd];
	} while (answered < sent && wait_until(until));
	pthread_mutex_unlock(&lock);
	return printf("ok %d\n", answered);
}

static int do_reset(const struct command *c)
{
	pthread_mutex_lock(&lock);
	printf("ok %lu\n", resets[(unsigned short)atoi(c->word[1])]);
	pthread_mutex_unlock(&lock);
	return 0;
}

static int do_forget(const struct command *c)
{
	pthread_mutex_lock(&lock);
	for (int fd = 0; fd < FDS; fd++) {
		if (sessions[fd].use == SERVED &&
		    sessions[fd].port == (unsigned short)atoi(c->word[1]))
			drop(fd);
	}
	pthread_mutex_unlock(&lock);
	return do_reset(c);
}

static int do_leave(const struct command *c)
{
	pthread_mutex_lock(&lock);
	for (int fd = 0; fd < FDS; fd++) {
		if (is_of(fd, atoi(c->word[1])))
			drop(fd);
	}
	pthread_mutex_unlock(&lock);
	return printf("ok\n");
}

static int do_who(const struct command *c)
{
	(void)c;
	return printf("ok %d\n", (int)getpid());
}

static const struct told commands[] = {
	{ "serve", do_serve }, { "open", do_open },   { "cut", do_cut },
	{ "alive", do_alive }, { "reset", do_reset }, { "forget", do_forget },
	{ "leave", do_leave }, { "who", do_who },
};

int main(void)
{
	struct rlimit limit = { FDS, FDS };
	pthread_t thread;

	(void)setrlimit(RLIMIT_NOFILE, &limit);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (epoll < 0 || pthread_create(&thread, NULL, work, NULL))
		return 1;
	return told_run(commands, sizeof(commands) / sizeof(commands[0]));
}
