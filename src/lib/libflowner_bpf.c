/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The four commands of bpf(2) that reading pinned maps takes, so that libflowner needs libc only.
 * Two have the names and the ways of libbpf, because mapread.c is also the daemon's: here they are
 * hidden (and local in libflowner.a). Not part of the daemon.
 */
#define LIBBPF_API /* not for others to see */

#include "lib/libflowner.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ATTR_BYTES(member)                                                                         \
	(offsetof(union bpf_attr, member) + sizeof(((union bpf_attr *)0)->member))

static __u64 address(const void *p)
{
	return (__u64)(unsigned long)p;
}

/* SIZE bytes of ATTR count: the kernel copies and clears no more than it must. */
static int command(enum bpf_cmd cmd, union bpf_attr *attr, size_t size)
{
	return (int)syscall(__NR_bpf, cmd, attr, size);
}

int bpf_map_lookup_elem(int fd, const void *key, void *value)
{
	union bpf_attr attr;

	memset(&attr, 0, ATTR_BYTES(flags));
	attr.map_fd = (__u32)fd;
	attr.key = address(key);
	attr.value = address(value);
	return command(BPF_MAP_LOOKUP_ELEM, &attr, ATTR_BYTES(flags));
}

int bpf_map_lookup_batch(int fd, void *in_batch, void *out_batch, void *keys, void *values,
			 __u32 *count, const struct bpf_map_batch_opts *opts)
{
	union bpf_attr attr = { 0 };
	int r;

	(void)opts;
	attr.batch.map_fd = (__u32)fd;
	attr.batch.in_batch = address(in_batch);
	attr.batch.out_batch = address(out_batch);
	attr.batch.keys = address(keys);
	attr.batch.values = address(values);
	attr.batch.count = *count;
	r = command(BPF_MAP_LOOKUP_BATCH, &attr, ATTR_BYTES(batch));
	*count = attr.batch.count;
	return r;
}

int pin_open(const char *path)
{
	union bpf_attr attr = { 0 };
	int fd;

	attr.pathname = address(path);
	attr.file_flags = BPF_F_RDONLY;
	fd = command(BPF_OBJ_GET, &attr, ATTR_BYTES(file_flags));
	return fd < 0 ? -errno : fd;
}

int pin_sizes(int fd, __u32 *ret_key_size, __u32 *ret_value_size)
{
	struct bpf_map_info info = { 0 };
	union bpf_attr attr = { 0 };

	attr.info.bpf_fd = (__u32)fd;
	attr.info.info_len = sizeof(info);
	attr.info.info = address(&info);
	if (command(BPF_OBJ_GET_INFO_BY_FD, &attr, ATTR_BYTES(info)) < 0)
		return -errno;
	*ret_key_size = info.key_size;
	*ret_value_size = info.value_size;
	return 0;
}
