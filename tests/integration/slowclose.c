/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * usage: slowclose PORT MICROSECONDS: until it reads a line, every TCP socket of this network
 * namespace that is connected to PORT takes so long to close. Says `ok` when it does, and in the
 * end how many did.
 */
#include "slowclose.skel.h"

#include <bpf/libbpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int main(int argc, char **argv)
{
	struct slowclose_bpf *skel;
	struct stat netns;

	if (argc != 3 || stat("/proc/self/ns/net", &netns) < 0)
		return 2;
	skel = slowclose_bpf__open();
	if (!skel)
		return 1;
	skel->rodata->netns_inum = (__u32)netns.st_ino;
	skel->rodata->remote_port = (__u16)strtoul(argv[1], NULL, 10);
	skel->rodata->wait_ns = strtoull(argv[2], NULL, 10) * 1000;
	if (slowclose_bpf__load(skel) < 0 || slowclose_bpf__attach(skel) < 0)
		return 1;
	puts("ok");
	fflush(stdout);
	(void)getchar();
	printf("%llu\n", (unsigned long long)skel->bss->waited);
	slowclose_bpf__destroy(skel);
	return 0;
}
