/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whether this daemon may read maps that an earlier one pinned. FL_LAYOUT is what people raise; the
 * shape is what the object's own BTF says its maps hold, for the day on which somebody forgot to.
 */
#ifndef FLOWNER_LAYOUT_H
#define FLOWNER_LAYOUT_H

#include <linux/types.h>

struct bpf_object;
struct fl_meta;

/* A hash of names, sizes and places of all that keys and values of OBJECT's pinned maps are of. */
__u64 layout_shape(const struct bpf_object *object);

/* `meta` as it is pinned, cut or filled with 0 to our size. Negative errno. */
int layout_read(int meta_fd, struct fl_meta *ret_meta);

#endif
