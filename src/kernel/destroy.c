/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/destroy.h"
#include "text/cleanup.h"
#include "destroy.skel.h"
#include "host/netns.h"

#include <bpf/libbpf.h>
#include <errno.h>

static void cleanup_skeleton(struct destroy_bpf **s)
{
	destroy_bpf__destroy(*s);
}

/* An iterator does its work while it is read. */
static int walk(struct bpf_program *program, const char *path)
{
	struct bpf_link *link = bpf_program__attach_iter(program, NULL);
	_close_ int fd = -1;
	char buf[64];
	ssize_t n;
	int r;

	if (!link)
		return -errno;
	r = netns_iterator(path, bpf_link__fd(link), &fd);
	bpf_link__destroy(link); /* what iterates keeps the program */
	if (r < 0)
		return r;
	do {
		n = read(fd, buf, sizeof(buf));
	} while (n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN)));
	return n < 0 ? -errno : 0;
}

int destroy_by_program(const char *path, enum fl_proto proto, __u64 cookie)
{
	_cleanup_(cleanup_skeleton) struct destroy_bpf *s = destroy_bpf__open();
	struct bpf_program *program;
	int r;

	if (!s)
		return -errno;
	s->rodata->wanted_cookie = cookie;
	bpf_program__set_autoload(s->progs.destroy_tcp, proto == FL_TCP);
	bpf_program__set_autoload(s->progs.destroy_udp, proto == FL_UDP);
	program = proto == FL_TCP ? s->progs.destroy_tcp : s->progs.destroy_udp;
	if (destroy_bpf__load(s))
		return -EOPNOTSUPP;
	r = walk(program, path);
	return r < 0 ? r : s->data->result;
}
