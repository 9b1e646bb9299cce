/* SPDX-License-Identifier: BSD-2-Clause */
/* All keys of a BPF hash map (of the kinds that are read by buckets: no trie, no array), by the
 * thousand a system call. What comes or goes meanwhile may be passed over. */
#ifndef FLOWNER_MAPKEYS_H
#define FLOWNER_MAPKEYS_H

#include <linux/types.h>
#include <stddef.h>

/*
 * FN with COUNT keys, one behind the other, again and again; it may delete them. Its first non-zero
 * value ends the walk and is returned. -ENOMEM, -errno.
 */
int mapkeys_each(int fd, size_t key_size, size_t value_size,
		 int (*fn)(const void *keys, __u32 count, void *arg), void *arg);

#endif
