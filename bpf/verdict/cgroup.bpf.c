// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Cgroups that come and go while a policy names some. The kernel tells of a new one before a
 * process can be in it, so what rules say of it holds from the first call on.
 */
#include "event.bpf.h"
#include "policy.bpf.h"

#include <bpf/bpf_tracing.h>
#include <flowner/birth.h>

/* What the verifier knows nothing of: it would follow a path of each length by itself. */
struct newborn {
	struct fl_cgroup_event event;
	struct fl_birth birth;
};

/* One for each CPU: the kernel holds a lock and keeps interrupts off while it tells. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct newborn);
} newborn SEC(".maps");

static __always_inline bool is_cgroup2(struct cgroup *cgrp)
{
	return !BPF_CORE_READ(cgrp, root, hierarchy_id);
}

/* In ROOM; NULL: no rule names it. */
static __always_inline __u32 *class_by(__u32 slot, __u64 value, __u32 kind, __u32 unknown,
				       __u32 *room)
{
	*room = value_class(fl_policy_kind(slot, FL_DIM_CGROUP, kind), value, unknown);
	return *room == VALUE_CLASS_NONE ? NULL : room;
}

/* Not static, with a number for an argument: verified by itself, whatever way led here. */
__noinline int birth_read(__u32 slot)
{
	struct fl_policy *policy = bpf_map_lookup_elem(&policies, &slot);
	__u32 zero = 0;
	struct newborn *n = bpf_map_lookup_elem(&newborn, &zero);

	if (!policy || !n)
		return 0;
	fl_birth_begin(&n->birth, policy->birth_key);
	for (int i = 0; i < FL_CGROUP_PATH && n->event.path[i]; i++)
		fl_birth_step(&n->birth, n->event.path[i]);
	if (!n->event.path[0])
		fl_birth_unread(&n->birth);
	return 0;
}

static __noinline int birth_in(__u32 slot, const struct fl_birth *b, __u64 id, __u64 parent)
{
	struct fl_policy *policy = bpf_map_lookup_elem(&policies, &slot);
	struct fl_policy_value key = { fl_policy_kind(slot, FL_DIM_CGROUP, 0), id };
	__u32 class, unknown, by_path, of_parent, by_name;
	struct fl_policy_value_class value;

	if (!policy || !(policy->wanted >> FL_DIM_CGROUP & 1))
		return 0;
	unknown = policy->unknown[FL_DIM_CGROUP];
	birth_read(slot);
	if (!fl_birth_class(b, policy->wanted, unknown,
			    class_by(slot, fl_birth_path(b), FL_BIRTH_PATH, unknown, &by_path),
			    class_by(slot, parent, 0, unknown, &of_parent),
			    class_by(slot, fl_birth_name(b), FL_BIRTH_NAME, unknown, &by_name),
			    &class))
		return 0;
	value = fl_policy_value_seal(&key, class);
	if (bpf_map_update_elem(&policy_values, &key, &value, BPF_ANY)) {
		count(FL_CNT_CGROUPS_FULL);
		policy->cgroups_missed = 1; /* until the daemon has made the tables anew */
	}
	return class == unknown;
}

SEC("tp_btf/cgroup_mkdir")
int BPF_PROG(cgroup_born, struct cgroup *cgrp, const char *path)
{
	__u64 parent = BPF_CORE_READ(cgrp, self.parent, cgroup, kn, id);
	struct newborn *n;
	__u32 zero = 0;
	int unknown = 0;
	long length;

	n = bpf_map_lookup_elem(&newborn, &zero);
	if (!n || !is_cgroup2(cgrp))
		return 0;
	__builtin_memset(n->event.path, 0, sizeof(n->event.path));
	length = bpf_probe_read_kernel_str(n->event.path, sizeof(n->event.path), path);
	n->event.id = BPF_CORE_READ(cgrp, kn, id);
	if (length <= 0 || length == sizeof(n->event.path))
		n->event.path[0] = 0; /* nothing is known of it */
	for (__u32 slot = 0; slot < FL_POLICY_SLOTS; slot++)
		unknown |= birth_in(slot, &n->birth, n->event.id, parent);
	if (!unknown)
		return 0;
	n->event.head.type = FL_EVENT_CGROUP;
	n->event.head.size = sizeof(n->event);
	if (bpf_ringbuf_output(&events, &n->event, sizeof(n->event), BPF_RB_FORCE_WAKEUP))
		count(FL_CNT_RING_FULL);
	return 0;
}

SEC("tp_btf/cgroup_rmdir")
int BPF_PROG(cgroup_gone, struct cgroup *cgrp, const char *path)
{
	struct fl_policy_value key = {};

	if (!is_cgroup2(cgrp))
		return 0;
	key.id = BPF_CORE_READ(cgrp, kn, id);
	for (__u32 slot = 0; slot < FL_POLICY_SLOTS; slot++) {
		key.kind = fl_policy_kind(slot, FL_DIM_CGROUP, 0);
		bpf_map_delete_elem(&policy_values, &key);
	}
	return 0;
}
