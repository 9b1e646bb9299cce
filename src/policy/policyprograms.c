// SPDX-License-Identifier: BSD-2-Clause
#include "policy/policyprograms.h"
#include "text/cleanup.h"
#include "kernel/layout.h"
#include "verdict.skel.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>

static void cleanup_skel(struct verdict_bpf **skel)
{
	verdict_bpf__destroy(*skel);
}

/* The maps of the tracking programs are theirs: what is pinned there under the same name is shared.
 * Ours are pinned, and those of an earlier daemon used. */
static int find_maps(const struct policyprograms *p, struct verdict_bpf *skel)
{
	struct bpf_map *map;
	char path[PATH_MAX];
	int r = 0;

	bpf_object__for_each_map(map, skel->obj)
	{
		_close_ int fd = -1;

		if (bpf_map__is_internal(map))
			continue;
		snprintf(path, sizeof(path), "%s/%s", p->shared, bpf_map__name(map));
		fd = bpf_obj_get(path);
		if (fd >= 0) {
			r = bpf_map__reuse_fd(map, fd);
		} else {
			snprintf(path, sizeof(path), "%s/%s", p->dir, bpf_map__name(map));
			r = bpf_map__set_pin_path(map, path);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

static void set_constants(const struct policyprograms *p, struct verdict_bpf *skel)
{
	const struct policyprograms_constants *c = &p->constants;

	skel->rodata->verdict_scope = c->scope;
	skel->rodata->ring_wake_bytes = bpf_map__max_entries(skel->maps.events) / 4;
	skel->rodata->can_set_retval = c->can_set_retval;
	skel->rodata->can_lock = c->can_lock;
	skel->rodata->no_port_flag = c->no_port_flag;
	skel->rodata->prohibited_mark = c->prohibited_mark;
	skel->rodata->prohibited_mask = c->prohibited_mask;
}

/* How many there are of them. */
static size_t choose(const struct policyprograms *p, struct verdict_bpf *skel,
		     bool (*wanted)(const char *program, void *arg), void *arg)
{
	struct bpf_program *program;
	size_t chosen = 0;

	bpf_object__for_each_program(program, skel->obj)
	{
		const char *name = bpf_program__name(program);
		bool is = wanted(name, arg) && !policyprograms_find(p, name);

		bpf_program__set_autoload(program, is);
		chosen += is;
	}
	return chosen;
}

int policyprograms_load(struct policyprograms *p, bool (*wanted)(const char *program, void *arg),
			void *arg)
{
	_cleanup_(cleanup_skel) struct verdict_bpf *skel = verdict_bpf__open();
	__u64 shape;
	int r;

	if (!skel)
		return errno ? -errno : -ENOMEM;
	if (!choose(p, skel, wanted, arg) && p->count)
		return 0;
	if (p->count == POLICYPROGRAMS_LOADS)
		return -ENOSPC;
	shape = layout_shape(skel->obj); /* a map that is shared forgets its types */
	r = find_maps(p, skel);
	if (r < 0)
		return r;
	set_constants(p, skel);
	r = verdict_bpf__load(skel);
	if (r < 0)
		return r;
	p->shape = shape;
	p->loads[p->count++] = TAKE_PTR(skel);
	return 0;
}

struct bpf_program *policyprograms_find(const struct policyprograms *p, const char *program)
{
	for (size_t i = 0; i < p->count; i++) {
		struct bpf_program *found = bpf_object__find_program_by_name(p->loads[i]->obj,
									     program);

		if (found && bpf_program__autoload(found))
			return found;
	}
	return NULL;
}

struct bpf_object *policyprograms_object(const struct policyprograms *p)
{
	return p->count ? p->loads[0]->obj : NULL;
}

int policyprograms_shape(__u64 *ret_shape)
{
	_cleanup_(cleanup_skel) struct verdict_bpf *skel = verdict_bpf__open();

	if (!skel)
		return errno ? -errno : -ENOMEM;
	*ret_shape = layout_shape(skel->obj);
	return 0;
}

void policyprograms_unload(struct policyprograms *p)
{
	while (p->count)
		verdict_bpf__destroy(p->loads[--p->count]);
}
