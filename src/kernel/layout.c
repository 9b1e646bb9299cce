/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/layout.h"
#include "text/cleanup.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <flowner/control.h>
#include <stdbool.h>
#include <string.h>

#define DEPTH_MAX 8 /* records in records; ours have three */

static __u64 mix(__u64 hash, __u64 word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;
	return hash ^ (hash >> 29);
}

static __u64 mix_text(__u64 hash, const char *text)
{
	for (; text && *text; text++)
		hash = mix(hash, (unsigned char)*text);
	return mix(hash, 0);
}

static __u64 mix_type(__u64 hash, const struct btf *btf, __u32 id, int depth);

static __u64 mix_members(__u64 hash, const struct btf *btf, const struct btf_type *t, int depth)
{
	const struct btf_member *members = btf_members(t);

	for (__u32 i = 0; i < btf_vlen(t); i++) {
		hash = mix_text(hash, btf__name_by_offset(btf, members[i].name_off));
		hash = mix(hash, btf_member_bit_offset(t, i));
		hash = mix_type(hash, btf, members[i].type, depth + 1);
	}
	return hash;
}

/* What an enumerator is called may change; what it means is its number, and that may not. */
static __u64 mix_type(__u64 hash, const struct btf *btf, __u32 id, int depth)
{
	const struct btf_type *t = btf__type_by_id(btf, id);

	while (t && (btf_is_mod(t) || btf_is_typedef(t)))
		t = btf__type_by_id(btf, t->type);
	if (!t || depth > DEPTH_MAX)
		return hash;
	hash = mix(hash, btf_kind(t));
	if (btf_is_array(t)) {
		hash = mix(hash, btf_array(t)->nelems);
		return mix_type(hash, btf, btf_array(t)->type, depth + 1);
	}
	if (btf_is_composite(t))
		hash = mix_members(hash, btf, t, depth);
	return btf_is_ptr(t) ? hash : mix(hash, t->size);
}

/* Of an array the number is part of its shape; of a hash it is the configuration's. */
static bool is_array(const struct bpf_map *map)
{
	return bpf_map__type(map) == BPF_MAP_TYPE_ARRAY ||
	       bpf_map__type(map) == BPF_MAP_TYPE_PERCPU_ARRAY;
}

/* A sum, so that the order of the maps in the object says nothing. */
__u64 layout_shape(const struct bpf_object *object)
{
	const struct btf *btf = bpf_object__btf(object);
	const struct bpf_map *map;
	__u64 shape = 0;

	bpf_object__for_each_map(map, object)
	{
		__u64 hash;

		if (bpf_map__is_internal(map))
			continue;
		hash = mix_text(0, bpf_map__name(map));
		hash = mix(hash, bpf_map__type(map));
		hash = mix(hash, is_array(map) ? bpf_map__max_entries(map) : 0);
		hash = mix_type(hash, btf, bpf_map__btf_key_type_id(map), 0);
		hash = mix_type(hash, btf, bpf_map__btf_value_type_id(map), 0);
		shape += hash;
	}
	return shape;
}

int layout_read(int meta_fd, struct fl_meta *ret_meta)
{
	struct bpf_map_info info = { 0 };
	__u32 len = sizeof(info), zero = 0;
	_free_ char *value = NULL;

	if (bpf_obj_get_info_by_fd(meta_fd, &info, &len) < 0)
		return -errno;
	value = calloc(1,
		       info.value_size > sizeof(*ret_meta) ? info.value_size : sizeof(*ret_meta));
	if (!value)
		return -ENOMEM;
	if (bpf_map_lookup_elem(meta_fd, &zero, value) < 0)
		return -errno;
	memcpy(ret_meta, value, sizeof(*ret_meta));
	return 0;
}
