/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * usage: slow_tcp closing PORT MICROSECONDS, or opening|established CGROUP MICROSECONDS. Until it
 * reads a line, every TCP socket of this network namespace connected to PORT takes so long to
 * close, or every one of CGROUP to be told of as opening, or as established by its peer. Says `ok`
 * when it does, and in the end how many did.
 */
#include "slow_tcp.skel.h"

#include <bpf/libbpf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static struct bpf_link *attach(struct slow_tcp_bpf *skel, const char *moment, const char *cgroup)
{
	int fd;

	if (!strcmp(moment, "closing"))
		return bpf_program__attach(skel->progs.wait_closing);
	fd = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	return bpf_program__attach_cgroup(!strcmp(moment, "opening") ? skel->progs.wait_opening
								     : skel->progs.wait_established,
					  fd);
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
	link = attach(skel, argv[1], argv[2]);
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
