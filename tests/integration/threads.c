/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Many threads on one handle of libflowner, built with ThreadSanitizer: each asks for a session
 * of this process, live or ended, over and over, while the daemon may go and come.
 *
 *	threads PIN_DIR SOCKET SECONDS
 *
 * Prints how often each answer came. An answer that names another than this process is an error.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <flowner/flowner.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define THREADS 6

static struct flowner *handle;
static struct fl_key sessions[2]; /* one live, one ended */
static __u64 ended_at_ns, until_ns;
static atomic_ulong right, wrong, nobody, away;

static __u64 boottime_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (__u64)ts.tv_sec * 1000000000ULL + (__u64)ts.tv_nsec;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void count(int r, const struct flowner_flow *f)
{
	if (r == -ENOENT)
		nobody++;
	else if (r < 0)
		away++;
	else if (f->owner.proc.pid == (__u32)getpid())
		right++;
	else
		wrong++;
}

static int count_one(const struct flowner_flow *f, void *arg)
{
	(void)arg;
	count(0, f);
	return 0;
}

static void *ask(void *arg)
{
	struct flowner_packet p = {
		.source = sessions[0].local,
		.destination = sessions[0].remote,
		.source_port = sessions[0].local_port,
		.destination_port = sessions[0].remote_port,
		.proto = FL_TCP,
	};
	struct flowner_flow f, g;
	int r;

	for (unsigned long i = (unsigned long)arg; boottime_ns() < until_ns; i++) {
		switch (i % 4) {
		case 0:
			count(flowner_find(handle, &sessions[0], &f), &f);
			break;
		case 1:
			count(flowner_find_at(handle, &sessions[1], ended_at_ns, &f), &f);
			break;
		case 2:
			r = flowner_find_packet(handle, &p, &f, &g);
			count(r < 0 ? r : r & FLOWNER_SENDER ? 0 : -ENOENT, &f);
			break;
		default:
			if (i % 64 == 3)
				(void)flowner_each(handle, count_one, NULL);
		}
	}
	return NULL;
}

static int connect_to(int listener, struct fl_key *ret_key)
{
	struct sockaddr_in to, from;
	socklen_t len = sizeof(to);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (getsockname(listener, (struct sockaddr *)&to, &len) < 0 || fd < 0 ||
	    connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 ||
	    getsockname(fd, (struct sockaddr *)&from, &len) < 0 || accept(listener, NULL, NULL) < 0)
		die("connect");
	*ret_key = (struct fl_key){ .local = flowner_addr4(&from.sin_addr),
				    .remote = flowner_addr4(&to.sin_addr),
				    .local_port = ntohs(from.sin_port),
				    .remote_port = ntohs(to.sin_port),
				    .proto = FL_TCP };
	return fd;
}

int main(int argc, char **argv)
{
	struct flowner_options o = { .size = sizeof(o) };
	struct sockaddr_in any = { .sin_family = AF_INET };
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	pthread_t threads[THREADS];

	if (argc != 4)
		return 2;
	o.pin_dir = argv[1];
	o.socket = argv[2];
	any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(listener, (struct sockaddr *)&any, sizeof(any)) < 0 || listen(listener, 8) < 0)
		die("listen");
	connect_to(listener, &sessions[0]);
	close(connect_to(listener, &sessions[1]));
	ended_at_ns = boottime_ns() - 1;
	if (flowner_open(&o, &handle) < 0)
		die("flowner_open");
	until_ns = boottime_ns() + strtoull(argv[3], NULL, 10) * 1000000000ULL;
	puts("READY");
	fflush(stdout);
	for (unsigned long i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, ask, (void *)i);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	flowner_close(handle);
	printf("right %lu wrong %lu nobody %lu away %lu\n", right, wrong, nobody, away);
	return wrong || !right;
}
