/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sends a datagram by a new socket of UDP, while another thread makes the storage that the socket
 * has in a map, at the same moment; again and again. Prints how many were sent, how many of them
 * were let out, and how often the other thread found the storage there already.
 * usage: storage_race ADDRESS PORT ROUNDS MAP_ID
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define VALUE_MAX 4096
#define SKEWS 64 /* who of the two comes first is another in each round */

static unsigned long rounds;
static int map, fd;
static atomic_ulong begun, done, late;

static void wait_for(atomic_ulong *count, unsigned long round)
{
	while (*count < round)
		sched_yield();
}

static void idle(unsigned long turns)
{
	for (atomic_ulong i = 0; i < turns * 8; i++)
		;
}

static void *make_storage(void *arg)
{
	static const char value[VALUE_MAX];

	for (unsigned long round = 1; round <= rounds; round++) {
		wait_for(&begun, round);
		idle(round % SKEWS);
		if (bpf_map_update_elem(map, &fd, value, BPF_NOEXIST) < 0)
			late++;
		done = round;
	}
	return arg;
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	unsigned long out = 0;
	pthread_t thread;

	if (argc != 5 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1)
		return 2;
	to.sin_port = htons((unsigned short)strtoul(argv[2], NULL, 10));
	rounds = strtoul(argv[3], NULL, 10);
	map = bpf_map_get_fd_by_id((__u32)strtoul(argv[4], NULL, 10));
	if (map < 0 || pthread_create(&thread, NULL, make_storage, NULL)) {
		perror("storage_race");
		return 2;
	}
	for (unsigned long round = 1; round <= rounds; round++) {
		fd = socket(AF_INET, SOCK_DGRAM, 0);
		begun = round;
		idle(SKEWS - round % SKEWS);
		if (sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)) == 1)
			out++;
		wait_for(&done, round);
		close(fd);
	}
	pthread_join(thread, NULL);
	printf("%lu %lu %lu\n", rounds, out, late);
	return 0;
}
