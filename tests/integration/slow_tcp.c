/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * usage: slow_tcp closing PORT MICROSECONDS, or opening CGROUP MICROSECONDS: until it reads a line,
 * every TCP socket of this network namespace connected to PORT takes so long to close, or every
 * one of CGROUP to be told of as opening. Says `ok` when it does, and in the end how many did.
 */
#include "slow_tcp.skel.h"

#include <bpf/libbpf.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static struct bpf_link *attach(struct slow_tcp_bpf *skel, bool closing, const char *cgroup)
{
	int fd;

	if (closing)
		return bpf_program__attach(skel->progs.wait_closing);
	fd = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? NULL : bpf_program__attach_cgroup(skel->progs.wait_opening, fd);
}

int main(int argc, char **argv)
{
	struct slow_tcp_bpf *skel;
	struct bpf_link *link;
	struct stat netns;

	if (argc != 4 || stat("/proc/self/ns/net", &netns) < 0)
		return 2;
	skel = slow_tcp_bpf__open();
	if (!skel)
		return 1;
	skel->rodata->netns_inum = (__u32)netns.st_ino;
	skel->rodata->remote_port = (__u16)strtoul(argv[2], NULL, 10);
	skel->rodata->wait_ns = strtoull(argv[3], NULL, 10) * 1000;
	if (slow_tcp_bpf__load(skel) < 0)
		return 1;
	link = attach(skel, !strcmp(argv[1], "closing"), argv[2]);
	if (!link)
		return 1;
	puts("ok");
	fflush(stdout);
	(void)getchar();
	printf("%llu\n", (unsigned long long)skel->bss->waited);
	bpf_link__destroy(link);
	slow_tcp_bpf__destroy(skel);
	return 0;
}
