/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Many threads on one CPU call listen() again and again for so long, each on a socket of its own,
 * so that they preempt each other there; then prints how often they tried, how often one succeeded,
 * and how often one was preempted.
 * usage: listen_hammer PORT SECONDS
 */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define THREADS 8

struct thread {
	pthread_t id;
	unsigned long tries, through;
	int error; /* none but EACCES is expected */
};

static struct sockaddr_in at = { .sin_family = AF_INET };
static struct timespec end;

static int bound(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0) {
		perror("listen_hammer");
		_exit(2);
	}
	return fd;
}

static int is_over(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec > end.tv_sec || (now.tv_sec == end.tv_sec && now.tv_nsec >= end.tv_nsec);
}

static void *hammer(void *arg)
{
	struct thread *t = arg;
	int fd = bound();

	while (!is_over()) {
		t->tries++;
		if (listen(fd, 1) == 0) {
			t->through++;
			close(fd);
			fd = bound();
		} else if (errno != EACCES) {
			t->error = errno;
		}
	}
	close(fd);
	return NULL;
}

int main(int argc, char **argv)
{
	struct thread threads[THREADS] = { 0 };
	unsigned long tries = 0, through = 0;
	struct rusage usage;
	cpu_set_t one;
	int bad = 0;

	if (argc != 3)
		return 2;
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	at.sin_port = htons((in_port_t)strtoul(argv[1], NULL, 10));
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += strtol(argv[2], NULL, 10);
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	if (sched_setaffinity(0, sizeof(one), &one) < 0)
		return 2;
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i].id, NULL, hammer, &threads[i]) != 0)
			return 2;
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i].id, NULL);
		tries += threads[i].tries;
		through += threads[i].through;
		bad |= threads[i].error;
	}
	if (getrusage(RUSAGE_SELF, &usage) < 0)
		return 2;
	printf("%lu %lu %ld\n", tries, through, usage.ru_nivcsw);
	return bad != 0;
}
