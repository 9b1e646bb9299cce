/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A child process that plays the daemon: listens on a unix socket in a directory of its own and
 * answers each connection with the same bytes, in pieces and as slowly as the test wants.
 */
#ifndef FAKE_DAEMON_H
#define FAKE_DAEMON_H

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

struct script {
	const char *bytes;
	size_t len;   /* 0: of the string */
	size_t piece; /* bytes of one write, 0 = all */
	int pause_ms; /* between two writes */
	bool unread;  /* answers and closes before the request is read */
	bool stay;    /* keeps the connection open behind the last byte */
};

struct fake_daemon {
	char dir[64];
	char path[96];
	pid_t pid;
	int requests; /* one after the other */
};

static inline void fake_die(const char *what)
{
	perror(what);
	abort();
}

/* Whether HEAD is whole, with the body that it says comes behind it. */
static inline bool fake_is_whole(char *head, size_t used)
{
	const char *end, *length;

	head[used] = '\0';
	end = strstr(head, "\r\n\r\n");
	length = strcasestr(head, "\r\nContent-Length: ");
	if (!end || !length || length > end)
		return end;
	return (size_t)(head + used - end - 4) >= strtoul(length + 18, NULL, 10);
}

static inline void fake_read_request(int fd, int requests)
{
	char head[65536];
	size_t used = 0;
	ssize_t n;

	while (used + 1 < sizeof(head) &&
	       (n = read(fd, head + used, sizeof(head) - 1 - used)) > 0) {
		used += (size_t)n;
		if (fake_is_whole(head, used))
			break;
	}
	if (write(requests, head, used) < 0)
		_exit(1);
}

static inline void fake_answer(int fd, const struct script *s)
{
	size_t len = s->len ? s->len : strlen(s->bytes);
	size_t piece = s->piece ? s->piece : len;

	for (size_t at = 0; at < len;) {
		size_t room = piece < len - at ? piece : len - at;
		ssize_t n = send(fd, s->bytes + at, room, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		at += (size_t)n;
		poll(NULL, 0, s->pause_ms);
	}
	while (s->stay)
		pause();
}

static inline void fake_serve(int listener, int requests, const struct script *s)
{
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fd < 0)
			_exit(1);
		if (!s->unread)
			fake_read_request(fd, requests);
		fake_answer(fd, s);
		close(fd);
	}
}

static inline int fake_listen(struct fake_daemon *f)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(f->dir, sizeof(f->dir), "/tmp/flowner-test-XXXXXX");
	if (!mkdtemp(f->dir))
		fake_die("mkdtemp");
	snprintf(f->path, sizeof(f->path), "%s/s", f->dir);
	memcpy(un.sun_path, f->path, strlen(f->path) + 1);
	if (fd < 0 || bind(fd, (struct sockaddr *)&un, sizeof(un)) < 0 || listen(fd, 8) < 0)
		fake_die("listen");
	return fd;
}

/* S and its bytes must live until fake_stop(). */
static inline void fake_start(struct fake_daemon *f, const struct script *s)
{
	int requests[2];
	int listener = fake_listen(f);

	if (pipe(requests) < 0)
		fake_die("pipe");
	fflush(NULL);
	f->pid = fork();
	if (f->pid < 0)
		fake_die("fork");
	if (f->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed assertion leaves nobody behind */
		close(requests[0]);
		fake_serve(listener, requests[1], s);
	}
	close(requests[1]);
	close(listener);
	f->requests = requests[0];
}

/* What was asked since the last call, as a string. */
static inline const char *fake_requests(struct fake_daemon *f, char *buf, size_t size)
{
	struct pollfd p = { .fd = f->requests, .events = POLLIN };
	size_t used = 0;
	ssize_t n;

	while (used + 1 < size && poll(&p, 1, 0) == 1 && (p.revents & POLLIN)) {
		n = read(f->requests, buf + used, size - 1 - used);
		if (n <= 0)
			break;
		used += (size_t)n;
	}
	buf[used] = '\0';
	return buf;
}

static inline void fake_stop(struct fake_daemon *f)
{
	kill(f->pid, SIGKILL);
	waitpid(f->pid, NULL, 0);
	close(f->requests);
	unlink(f->path);
	rmdir(f->dir);
}

#endif
