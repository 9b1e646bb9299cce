/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * An example: loads flowid.bpf.o with the maps flownerd has pinned, attaches its programs to a
 * cgroup and to a device of this network namespace until SIGTERM or SIGINT, and prints what they
 * have found: place, local port, flow id and pid of the owner.
 * usage: flowid OBJECT PIN_DIR CGROUP DEVICE
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <error.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/if_link.h>
#include <linux/types.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "flowid.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

static const char *const shared[] = { "l7_connections", "socket_to_process", "tcp_lives" };

static int pinned(const char *dir, const char *name)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = bpf_obj_get(path);
	if (fd < 0)
		error(1, errno, "cannot open '%s'", path);
	return fd;
}

/* Before 5.14 no socket tells: flownerd has written it down, by the namespace's inode. */
static __u64 own_cookie(const char *dir)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	__u64 cookie = 0;
	socklen_t len = sizeof(cookie);
	struct stat st;
	__u32 inum;

	if (!getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len)) {
		close(fd);
		return cookie;
	}
	close(fd);
	if (stat("/proc/self/ns/net", &st))
		error(1, errno, "cannot look at the network namespace");
	inum = (__u32)st.st_ino;
	if (bpf_map_lookup_elem(pinned(dir, "netns_cookies"), &inum, &cookie))
		error(1, errno, "the cookie of the network namespace is not known");
	return cookie;
}

static struct bpf_object *load(const char *path, const char *dir)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	__u64 cookie; /* the one constant the programs have */

	if (!object)
		error(1, errno, "cannot open '%s'", path);
	for (size_t i = 0; i < sizeof(shared) / sizeof(shared[0]); i++) {
		struct bpf_map *map = bpf_object__find_map_by_name(object, shared[i]);

		if (bpf_map__reuse_fd(map, pinned(dir, shared[i])))
			error(1, errno, "cannot use the map '%s'", shared[i]);
	}
	cookie = own_cookie(dir);
	if (bpf_map__set_initial_value(bpf_object__find_map_by_name(object, ".rodata"), &cookie,
				       sizeof(cookie)))
		error(1, errno, "cannot set the constant of '%s'", path);
	if (bpf_object__load(object))
		error(1, errno, "cannot load '%s'", path);
	return object;
}

static struct bpf_link *attach(const struct bpf_object *object, const char *program, int cgroup)
{
	struct bpf_program *p = bpf_object__find_program_by_name(object, program);
	struct bpf_link *link = bpf_program__attach_cgroup(p, cgroup);

	if (!link)
		error(1, errno, "cannot attach '%s'", program);
	return link;
}

static int fd_of(const struct bpf_object *object, const char *program)
{
	return bpf_program__fd(bpf_object__find_program_by_name(object, program));
}

static void attach_device(const struct bpf_object *object, int device)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = device, .attach_point = BPF_TC_EGRESS);
	LIBBPF_OPTS(bpf_tc_opts, tc, .prog_fd = fd_of(object, "on_tc"));
	int r = bpf_tc_hook_create(&hook);

	if (!r || r == -EEXIST)
		r = bpf_tc_attach(&hook, &tc);
	if (r)
		error(1, -r, "cannot attach to tc");
	r = bpf_xdp_attach(device, fd_of(object, "on_xdp"), XDP_FLAGS_SKB_MODE, NULL);
	if (r)
		error(1, -r, "cannot attach to XDP");
}

static void print(int map)
{
	static const char *const places[] = { "sock_ops", "cgroup", "tc", "xdp" };
	struct sighting at, *previous = NULL;
	__u32 pid;

	while (!bpf_map_get_next_key(map, previous, &at)) {
		previous = &at;
		if (!bpf_map_lookup_elem(map, &at, &pid))
			printf("%s %u %016llx %u\n", places[at.place], at.local_port,
			       (unsigned long long)at.flow_id, pid);
	}
}

int main(int argc, char **argv)
{
	struct bpf_link *sockops, *egress;
	struct bpf_object *object;
	int cgroup, device, signal;
	sigset_t end;

	if (argc != 5)
		error(2, 0, "usage: flowid OBJECT PIN_DIR CGROUP DEVICE");
	sigemptyset(&end);
	sigaddset(&end, SIGTERM);
	sigaddset(&end, SIGINT);
	sigprocmask(SIG_BLOCK, &end, NULL);
	cgroup = open(argv[3], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	device = (int)if_nametoindex(argv[4]);
	if (cgroup < 0 || !device)
		error(1, errno, "cannot use '%s' and '%s'", argv[3], argv[4]);
	object = load(argv[1], argv[2]);
	sockops = attach(object, "on_sockops", cgroup);
	egress = attach(object, "on_egress", cgroup);
	attach_device(object, device);
	puts("ready");
	fflush(stdout);
	sigwait(&end, &signal);
	(void)bpf_xdp_detach(device, XDP_FLAGS_SKB_MODE, NULL);
	print(bpf_object__find_map_fd_by_name(object, "seen"));
	bpf_link__destroy(sockops);
	bpf_link__destroy(egress);
	bpf_object__close(object);
	return 0;
}
