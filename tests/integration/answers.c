/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads that ask the matcher's memory at once, which has room for few of their questions: so its
 * elements become those of other questions while they are read.
 * usage: answers THREADS RUNS     of a thread, a thousand questions each
 * prints how many answers were known and how many of them were those to another question
 */
#include "match.skel.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define ROOM 64
#define THREADS_MAX 64
#define AT_ONCE 50 /* one call does not run for seconds */

struct asking {
	int fd;
	unsigned long runs;
};

static void *ask(void *arg)
{
	const struct asking *a = arg;
	char packet[64] = { 0 };

	for (unsigned long i = 0; i < a->runs; i += AT_ONCE) {
		LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet,
			    .data_size_in = sizeof(packet), .repeat = AT_ONCE);

		if (bpf_prog_test_run_opts(a->fd, &opts) < 0) {
			perror("answers: cannot run");
			exit(1);
		}
	}
	return NULL;
}

static struct match_bpf *open_small(void)
{
	const struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	struct match_bpf *skel;

	setrlimit(RLIMIT_MEMLOCK, &unlimited);
	skel = match_bpf__open();
	if (!skel || bpf_map__set_max_entries(skel->maps.policy_answers, ROOM) < 0 ||
	    match_bpf__load(skel) < 0) {
		fprintf(stderr, "answers: cannot load: %s\n", strerror(errno));
		exit(1);
	}
	return skel;
}

int main(int argc, char **argv)
{
	unsigned long threads = argc > 2 ? strtoul(argv[1], NULL, 10) : 0;
	unsigned long runs = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
	pthread_t thread[THREADS_MAX];
	struct match_bpf *skel;
	struct asking asking;

	if (!threads || threads > THREADS_MAX || !runs) {
		fprintf(stderr, "usage: answers THREADS RUNS\n");
		return 2;
	}
	skel = open_small();
	asking = (struct asking){ bpf_program__fd(skel->progs.storm), runs };
	for (unsigned long i = 0; i < threads; i++) {
		if (pthread_create(&thread[i], NULL, ask, &asking) != 0) {
			fprintf(stderr, "answers: no thread\n");
			return 1;
		}
	}
	for (unsigned long i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
	printf("%llu known, %llu wrong\n", skel->bss->storm_known, skel->bss->storm_wrong);
	match_bpf__destroy(skel);
	return 0;
}
