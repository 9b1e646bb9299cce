/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a look-up of libflowner costs beside the bpf(2) call it is made of: nanoseconds of CPU, the
 * median of rounds in which all variants run in turn.
 *
 *	lookup PIN_DIR [ROUNDS]       sockets of its own, in the scope of the daemon there
 *
 *	bare      one look-up in l7_connections, nothing else
 *	exact     flowner_find() of a session
 *	packet    flowner_find_packet(), both ends known
 *	fallback  the receiver of a datagram without a session: down to the last rung
 *	nobody    the same and its sender, who is not on this host
 */
#include <errno.h>
#include <flowner/flowner.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define CALLS 100000
#define ROUNDS_MAX 101

static struct flowner *handle;
static int connections = -1; /* map fd of the bare look-up */
static struct fl_key session;
static struct flowner_packet known, unknown;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int bare(void)
{
	struct fl_connection value;
	union bpf_attr attr;

	memset(&attr, 0, 32);
	attr.map_fd = (__u32)connections;
	attr.key = (__u64)(unsigned long)&session;
	attr.value = (__u64)(unsigned long)&value;
	return (int)syscall(__NR_bpf, BPF_MAP_LOOKUP_ELEM, &attr, 32);
}

static int exact(void)
{
	struct flowner_flow f;

	return flowner_find(handle, &session, &f);
}

static int packet(void)
{
	struct flowner_flow from, to;

	return flowner_find_packet(handle, &known, &from, &to) - 3;
}

static int fallback(void)
{
	struct flowner_flow to;

	return flowner_find_packet(handle, &unknown, NULL, &to) - FLOWNER_RECEIVER;
}

static int nobody(void)
{
	struct flowner_flow from, to;

	return flowner_find_packet(handle, &unknown, &from, &to) - FLOWNER_RECEIVER;
}

static const struct variant {
	const char *name;
	int (*fn)(void);
} variants[] = {
	{ "bare", bare },	  { "exact", exact },	{ "packet", packet },
	{ "fallback", fallback }, { "nobody", nobody },
};

#define VARIANTS (sizeof(variants) / sizeof(variants[0]))

static double measure(const struct variant *v)
{
	struct timespec a, b;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
	for (int i = 0; i < CALLS; i++) {
		if (v->fn() != 0) {
			fprintf(stderr, "lookup: %s found something else\n", v->name);
			exit(1);
		}
	}
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
	return ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)) / CALLS;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static int new_socket(int type, struct sockaddr_in6 *ret_local)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6 };
	socklen_t len = sizeof(*ret_local);
	int fd = socket(AF_INET6, type, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0 ||
	    (type == SOCK_STREAM && listen(fd, 1) < 0) ||
	    getsockname(fd, (struct sockaddr *)ret_local, &len) < 0)
		die("socket");
	return fd;
}

/* A session over IPv4 loopback, and a UDP socket that has any address, as a v4 packet finds it. */
static void make_sockets(void)
{
	static const __u8 loopback[4] = { 127, 0, 0, 1 };
	struct sockaddr_in server = { .sin_family = AF_INET }, local;
	struct sockaddr_in6 listening, udp;
	socklen_t len = sizeof(local);
	int listener = new_socket(SOCK_STREAM, &listening);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	new_socket(SOCK_DGRAM, &udp);
	server.sin_port = listening.sin6_port;
	server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(fd, (struct sockaddr *)&server, sizeof(server)) < 0 ||
	    accept(listener, NULL, NULL) < 0 ||
	    getsockname(fd, (struct sockaddr *)&local, &len) < 0)
		die("connect");
	known.proto = FL_TCP;
	known.source = known.destination = flowner_addr4(loopback);
	known.source_port = ntohs(local.sin_port);
	known.destination_port = ntohs(server.sin_port);
	unknown = known;
	unknown.proto = FL_UDP;
	unknown.source_port = 9;
	unknown.source = flowner_addr4("\300\0\2\1"); /* 192.0.2.1: not of this host */
	unknown.destination_port = ntohs(udp.sin6_port);
}

static void open_maps(const char *pin_dir)
{
	struct flowner_options o = { .size = sizeof(o), .pin_dir = pin_dir };
	struct flowner_flow from, to;
	union bpf_attr attr = { 0 };
	char path[4096];

	if (flowner_open(&o, &handle) < 0 || flowner_source(handle) != FLOWNER_MAPS ||
	    flowner_find_packet(handle, &known, &from, &to) != 3) {
		fprintf(stderr, "lookup: no maps, or we are not in them\n");
		exit(1);
	}
	session = from.session;
	snprintf(path, sizeof(path), "%s/l7_connections", pin_dir);
	attr.pathname = (__u64)(unsigned long)path;
	attr.file_flags = BPF_F_RDONLY;
	connections = (int)syscall(__NR_bpf, BPF_OBJ_GET, &attr, sizeof(attr));
	if (connections < 0)
		die(path);
}

int main(int argc, char **argv)
{
	double ns[VARIANTS][ROUNDS_MAX], bare_ns;
	int rounds = argc > 2 ? atoi(argv[2]) : 9;

	if (argc < 2 || rounds < 1 || rounds > ROUNDS_MAX)
		return 2;
	make_sockets();
	open_maps(argv[1]);
	for (int round = 0; round < rounds; round++)
		for (size_t v = 0; v < VARIANTS; v++)
			ns[v][round] = measure(&variants[v]);
	printf("%-10s %8s %8s %8s %8s   (%d rounds)\n", "look-up", "ns", "ratio", "lowest",
	       "highest", rounds);
	for (size_t v = 0; v < VARIANTS; v++)
		qsort(ns[v], (size_t)rounds, sizeof(double), by_size);
	bare_ns = ns[0][rounds / 2];
	for (size_t v = 0; v < VARIANTS; v++)
		printf("%-10s %8.0f %8.2f %8.0f %8.0f\n", variants[v].name, ns[v][rounds / 2],
		       ns[v][rounds / 2] / bare_ns, ns[v][0], ns[v][rounds - 1]);
	flowner_close(handle);
	return 0;
}
