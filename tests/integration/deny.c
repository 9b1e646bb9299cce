/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Another product, that is told what to do. `deny CGROUP`: no process there may bind, connect or
 * send, as far as this program is asked, until it ends.
 */
#include "deny.skel.h"
#include "told.h"

#include <bpf/libbpf.h>
#include <fcntl.h>

static int do_who(const struct command *c)
{
	(void)c;
	puts("ok");
	return 0;
}

static int do_deny(const struct command *c)
{
	struct deny_bpf *skel = deny_bpf__open_and_load();
	int cgroup = open(c->word[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct bpf_program *program;

	if (cgroup < 0 || !skel)
		return -errno;
	bpf_object__for_each_program(program, skel->obj)
	{
		if (!bpf_program__attach_cgroup(program, cgroup))
			return -errno;
	}
	puts("ok");
	return 0; /* the links end with their descriptors */
}

static const struct told commands[] = { { "who", do_who }, { "deny", do_deny } };

int main(void)
{
	return told_run(commands, sizeof(commands) / sizeof(commands[0]));
}
