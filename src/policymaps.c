/* SPDX-License-Identifier: BSD-2-Clause */
#include "policymaps.h"
#include "cleanup.h"
#include "compile.h"
#include "procfs.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define PORTS 65536u

int policymaps_find(const struct bpf_object *object, struct policymaps *ret_maps)
{
	struct policymaps m;
	const struct {
		const char *name;
		int *fd;
	} wanted[] = {
		{ "policy_state", &m.state },	    { "policies", &m.policies },
		{ "policy_rules", &m.rules },	    { "policy_hits", &m.hits },
		{ "policy_classes", &m.classes },   { "policy_values", &m.values },
		{ "policy_prefixes", &m.prefixes }, { "policy_ports", &m.ports },
		{ "policy_kept", &m.kept },	    { "policy_texts", &m.texts },
	};

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		const struct bpf_map *map = bpf_object__find_map_by_name(object, wanted[i].name);

		if (!map)
			return -ENOENT;
		*wanted[i].fd = bpf_map__fd(map);
	}
	*ret_maps = m;
	return 0;
}

static int update(int fd, const void *key, const void *value)
{
	if (bpf_map_update_elem(fd, key, value, BPF_ANY) == 0)
		return 0;
	return errno == E2BIG || errno == ENOMEM ? -ENOSPC : -errno;
}

/* Every element of a hash or trie whose key is of SLOT. A walk that deletes begins again. */
static int clear(int fd, size_t key_size, __u32 slot, __u32 (*slot_of)(const void *key))
{
	char key[64], next[64];
	int r = bpf_map_get_next_key(fd, NULL, next);

	if (key_size > sizeof(key))
		return -EINVAL;
	while (r == 0) {
		bool mine = slot_of(next) == slot;

		memcpy(key, next, key_size);
		r = bpf_map_get_next_key(fd, key, next);
		if (mine && bpf_map_delete_elem(fd, key) < 0 && errno != ENOENT)
			return -errno;
	}
	return errno == ENOENT ? 0 : -errno;
}

static __u32 slot_of_value(const void *key)
{
	return ((const struct fl_policy_key *)key)->slot;
}

static __u32 slot_of_prefix(const void *key)
{
	return ((const struct fl_policy_prefix *)key)->slot;
}

static int clear_slot(const struct policymaps *m, __u32 slot)
{
	int r = clear(m->values, sizeof(struct fl_policy_key), slot, slot_of_value);

	if (!r)
		r = clear(m->prefixes, sizeof(struct fl_policy_prefix), slot, slot_of_prefix);
	return r;
}

/* COUNT elements of an array from FIRST on, in one call: there are 131072 ports. */
static int write_array(int fd, __u32 first, const void *values, __u32 count)
{
	_free_ __u32 *keys = calloc(count + 1, sizeof(*keys));
	__u32 written = count;

	if (!keys)
		return -ENOMEM;
	for (__u32 i = 0; i < count; i++)
		keys[i] = first + i;
	if (!count || bpf_map_update_batch(fd, keys, values, &written, NULL) == 0)
		return 0;
	return -errno;
}

/* Of each CPU its own: there is no such call for them before 5.13. */
int policymaps_no_hits(const struct policymaps *m, __u32 area, __u32 rules)
{
	int cpus = libbpf_num_possible_cpus(), r = 0;
	_free_ __u64 *zeros = NULL;

	if (cpus < 0)
		return cpus;
	zeros = calloc((size_t)cpus, sizeof(*zeros));
	if (!zeros)
		return -ENOMEM;
	for (__u32 rule = 0; !r && rule < rules; rule++) {
		__u32 index = area * FL_RULES_MAX + rule;

		r = update(m->hits, &index, zeros);
	}
	return r;
}

static int write_values(const struct policymaps *m, __u32 slot, const struct compiled *c)
{
	int r = 0;

	for (size_t i = 0; !r && i < c->entry_count; i++) {
		struct fl_policy_key key = c->entries[i].key;

		key.slot = slot;
		r = update(m->values, &key, &c->entries[i].class);
	}
	for (size_t i = 0; !r && i < c->prefix_count; i++) {
		struct fl_policy_prefix prefix = c->prefixes[i].prefix;

		prefix.slot = (__u16)slot;
		r = update(m->prefixes, &prefix, &c->prefixes[i].class);
	}
	return r;
}

static int write_ports(const struct policymaps *m, __u32 slot, const struct compiled *c)
{
	int r = 0;

	for (__u32 side = 0; !r && side < 2; side++) {
		if (c->ports[side])
			r = write_array(m->ports, (slot * 2 + side) * PORTS, c->ports[side], PORTS);
	}
	return r;
}

int policymaps_write(const struct policymaps *m, __u32 slot, __u64 generation,
		     const struct compiled *c)
{
	struct fl_policy policy = c->policy;
	int r;

	policy.generation = generation;
	r = clear_slot(m, slot);
	if (!r)
		r = write_array(m->classes, slot * FL_CLASSES_MAX, c->classes, c->class_count);
	if (!r)
		r = write_array(m->rules, slot * FL_RULES_MAX, c->rules, c->policy.rules);
	if (!r)
		r = write_values(m, slot, c);
	if (!r)
		r = write_ports(m, slot, c);
	return r ? r : update(m->policies, &slot, &policy);
}

int policymaps_use(const struct policymaps *m, __u32 slot, bool fail_closed)
{
	struct fl_policy_state state = { .slot = slot,
					 .fail_closed = fail_closed,
					 .daemon_pid = (__u32)getpid(),
					 .daemon_ticks = procfs_own_ticks() };
	__u32 zero = 0;

	return update(m->state, &zero, &state);
}

int policymaps_used(const struct policymaps *m, __u32 *ret_slot, struct fl_policy *ret_policy)
{
	struct fl_policy_state state;
	__u32 zero = 0;

	if (bpf_map_lookup_elem(m->state, &zero, &state) < 0)
		return -errno;
	if (state.slot >= FL_POLICY_SLOTS)
		return -ENOENT;
	if (bpf_map_lookup_elem(m->policies, &state.slot, ret_policy) < 0)
		return -errno;
	*ret_slot = state.slot;
	return 0;
}

int policymaps_selftest(const struct policymaps *m, __u32 pid)
{
	struct fl_policy_state state;
	__u32 zero = 0;

	if (bpf_map_lookup_elem(m->state, &zero, &state) < 0)
		return -errno;
	state.selftest_pid = pid;
	return update(m->state, &zero, &state);
}

int policymaps_hits(const struct policymaps *m, __u32 area, __u32 rule, __u64 *ret_hits)
{
	__u32 index = area * FL_RULES_MAX + rule;
	int cpus = libbpf_num_possible_cpus();
	_free_ __u64 *values = NULL;
	__u64 hits = 0;

	if (cpus < 0)
		return cpus;
	values = calloc((size_t)cpus, sizeof(*values));
	if (!values)
		return -ENOMEM;
	if (bpf_map_lookup_elem(m->hits, &index, values) < 0)
		return -errno;
	for (int i = 0; i < cpus; i++)
		hits += values[i];
	*ret_hits = hits;
	return 0;
}

int policymaps_set_value(const struct policymaps *m, const struct fl_policy_key *key, __u32 class)
{
	return update(m->values, key, &class);
}

int policymaps_set_class(const struct policymaps *m, __u32 slot, __u32 class,
			 const struct fl_rule_set *set)
{
	__u32 index = slot * FL_CLASSES_MAX + class;

	return class < FL_CLASSES_MAX ? update(m->classes, &index, set) : -ENOSPC;
}

int policymaps_remove_value(const struct policymaps *m, const struct fl_policy_key *key)
{
	return bpf_map_delete_elem(m->values, key) < 0 && errno != ENOENT ? -errno : 0;
}
