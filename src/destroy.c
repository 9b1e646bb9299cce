/* SPDX-License-Identifier: BSD-2-Clause */
#include "destroy.h"
#include "cleanup.h"
#include "destroy.skel.h"
#include "netns.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>

struct iteration {
	struct bpf_link *link;
	int fd;
};

static void cleanup_skeleton(struct destroy_bpf **s)
{
	destroy_bpf__destroy(*s);
}

/* An iterator shows the namespace it is made in. */
static int iteration_open(void *arg)
{
	struct iteration *it = arg;

	it->fd = bpf_iter_create(bpf_link__fd(it->link));
	return it->fd < 0 ? -errno : 0;
}

/* It does its work while it is read. */
static int walk(struct bpf_program *program, const char *path)
{
	struct iteration it = { .link = bpf_program__attach_iter(program, NULL), .fd = -1 };
	char buf[64];
	ssize_t n;
	int r;

	if (!it.link)
		return -errno;
	r = netns_run(path, iteration_open, &it);
	if (!r) {
		do {
			n = read(it.fd, buf, sizeof(buf));
		} while (n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN)));
		r = n < 0 ? -errno : 0;
		close(it.fd);
	}
	bpf_link__destroy(it.link);
	return r;
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
