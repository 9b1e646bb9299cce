/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bind() by one thread while another is in listen() with the same socket, and has been judged: each
 * waits in its turn for the socket's lock, which a third holds as long as a page is missing that it
 * reads. The lock knows of no turns, and bind() takes it twice where it is judged: it is done again
 * until listen() was TIMES permitted, and listens where bind() said.
 * Prints how often listen() was denied itself, and what accept() says of those listeners: an errno,
 * 0 or EAGAIN when it lives.
 * usage: listen_race PORT
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WAIT_S 20
#define TIMES 3
#define TRIES 50

static int fd;
static struct sockaddr_in at = { .sin_family = AF_INET };
static void *page; /* missing until it is filled */
static long page_bytes;

enum { HOLD, BIND, LISTEN };

struct thread {
	pthread_t id;
	atomic_int tid;
	int error;
};

static void die(const char *what)
{
	perror(what);
	exit(2);
}

/* The filter is read while the socket is locked. */
static int hold(void)
{
	struct sock_fprog program = { .len = 1, .filter = page };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

/* These two by their own numbers, see waits(): s390's C library has one for all such calls. */
static int bind_it(void)
{
	return (int)syscall(SYS_bind, fd, &at, sizeof(at));
}

static int listen_it(void)
{
	return (int)syscall(SYS_listen, fd, 1);
}

static int (*const calls[])(void) = { hold, bind_it, listen_it };
static struct thread threads[3];

static void *run(void *arg)
{
	struct thread *t = arg;

	t->tid = (int)syscall(SYS_gettid);
	t->error = calls[t - threads]() < 0 ? errno : 0;
	return NULL;
}

/* It sleeps in its call, where there is but the lock to wait for. Else this is no number, or that
 * of no call. */
static int waits(const struct thread *t)
{
	long call = t == &threads[BIND] ? SYS_bind : SYS_listen, is_in = -1;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", t->tid);
	f = fopen(path, "re");
	if (!f)
		die(path);
	if (fscanf(f, "%ld", &is_in) != 1)
		is_in = -1;
	fclose(f);
	return is_in == call;
}

static void start(struct thread *t)
{
	t->tid = 0;
	if (pthread_create(&t->id, NULL, run, t))
		die("pthread_create");
	while (!t->tid)
		sched_yield();
}

static int missing_page(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register area = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	int uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);

	page_bytes = sysconf(_SC_PAGESIZE);
	page = mmap(NULL, (size_t)page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		    -1, 0);
	if (uffd < 0)
		exit(77);
	area.range.start = (unsigned long)page;
	area.range.len = (unsigned long)page_bytes;
	if (page == MAP_FAILED || ioctl(uffd, UFFDIO_API, &api) < 0 ||
	    ioctl(uffd, UFFDIO_REGISTER, &area) < 0)
		die("userfaultfd");
	return uffd;
}

/* All packets pass. */
static void fill(int uffd)
{
	static struct sock_filter filter[4096] = { BPF_STMT(BPF_RET | BPF_K, ~0u) };
	struct uffdio_copy copy = { .dst = (unsigned long)page,
				    .src = (unsigned long)filter,
				    .len = (unsigned long)page_bytes };

	if (ioctl(uffd, UFFDIO_COPY, &copy) < 0)
		die("UFFDIO_COPY");
}

/* bind() waits, then listen(), then nobody holds the lock any more. */
static void race(int uffd)
{
	struct uffd_msg fault;

	start(&threads[HOLD]);
	if (read(uffd, &fault, sizeof(fault)) != sizeof(fault))
		die("userfaultfd");
	for (int i = BIND; i <= LISTEN; i++) {
		start(&threads[i]);
		while (!waits(&threads[i]))
			sched_yield();
	}
	fill(uffd);
	for (int i = HOLD; i <= LISTEN; i++)
		pthread_join(threads[i].id, NULL);
}

static void failed(int i, const char *call)
{
	errno = threads[i].error;
	die(call);
}

/* Whether listen() was permitted before bind() had bound. ret_denied: it was denied, after. */
static int was_seen(int *ret_denied)
{
	int bound = threads[BIND].error, listens = threads[LISTEN].error;

	if (threads[HOLD].error)
		failed(HOLD, "setsockopt");
	if (bound && bound != EINVAL) /* it listens already */
		failed(BIND, "bind");
	if (listens && (bound || listens != EACCES))
		failed(LISTEN, "listen");
	*ret_denied += listens == EACCES;
	return !bound && !listens;
}

int main(int argc, char **argv)
{
	struct timeval limit = { .tv_sec = WAIT_S };
	int uffd = missing_page(), seen = 0, denied = 0, errors[TIMES];

	at.sin_port = htons((unsigned short)(argc > 1 ? atoi(argv[1]) : 0));
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (int i = 0; i < TRIES && seen < TIMES; i++) {
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0)
			die("socket");
		race(uffd);
		if (was_seen(&denied))
			errors[seen++] = accept(fd, NULL, NULL) < 0 ? errno : 0;
		close(fd);
		if (madvise(page, (size_t)page_bytes, MADV_DONTNEED) < 0)
			die("madvise");
	}
	printf("%d", denied);
	for (int i = 0; i < seen; i++)
		printf(" %d", errors[i]);
	return puts("") < 0;
}
