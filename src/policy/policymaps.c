/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/policymaps.h"
#include "text/cleanup.h"
#include "policy/compile.h"
#include "host/procfs.h"
#include "kernel/mapkeys.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/membarrier.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PORTS 65536u
#define KEY_MAX 64
#define ENOTSUPP 524 /* the kernel's own, that gets out to us */

int policymaps_find(const struct bpf_object *object, struct policymaps *ret_maps)
{
	struct policymaps m;
	const struct {
		const char *name;
		int *fd;
	} wanted[] = {
		{ "policy_state", &m.state },	    { "policies", &m.policies },
		{ "policy_rules", &m.rules },	    { "policy_hits", &m.hits },
		{ "policy_classes", &m.classes },   { "policy_blocks", &m.blocks },
		{ "policy_values", &m.values },	    { "policy_places", &m.places },
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

static int refusal(int error)
{
	return error == E2BIG || error == ENOMEM ? -ENOSPC : -error;
}

static int update(int fd, const void *key, const void *value)
{
	return bpf_map_update_elem(fd, key, value, BPF_ANY) == 0 ? 0 : refusal(errno);
}

/*
 * COUNT elements, in one call where the kernel has it for this kind of map: a trie has not before
 * 5.14, nor has what is each CPU's own before 5.13.
 */
static int update_all(int fd, const void *keys, size_t key_size, const void *values,
		      size_t value_size, __u32 count)
{
	__u32 written = count;
	int r = 0;

	if (!count || bpf_map_update_batch(fd, keys, values, &written, NULL) == 0)
		return 0;
	if (errno != ENOTSUPP && errno != EOPNOTSUPP)
		return refusal(errno);
	for (__u32 i = 0; !r && i < count; i++)
		r = update(fd, (const char *)keys + i * key_size,
			   (const char *)values + i * value_size);
	return r;
}

/* Of one of these maps, and what is in there of one slot. */
struct table {
	int fd;
	size_t key_size, value_size;
	__u32 (*slot_of)(const void *key);
};

static int take_out(const struct table *t, const void *key, __u32 slot)
{
	if (t->slot_of(key) != slot || bpf_map_delete_elem(t->fd, key) == 0 || errno == ENOENT)
		return 0;
	return -errno;
}

/* -ENOENT: KEY is the last; NULL is before the first. */
static int next_key(int fd, const void *key, void *next)
{
	return bpf_map_get_next_key(fd, key, next) < 0 ? -errno : 0;
}

/* The next one is known before one goes: a walk begins again where its place is gone. */
static int clear_one_by_one(const struct table *t, __u32 slot)
{
	char key[KEY_MAX], next[KEY_MAX];
	int r = 0, end = next_key(t->fd, NULL, next);

	while (!r && !end) {
		memcpy(key, next, t->key_size);
		end = next_key(t->fd, key, next);
		r = take_out(t, key, slot);
	}
	return r || end == -ENOENT ? r : end;
}

struct clearing {
	const struct table *table;
	__u32 slot;
};

static int clear_keys(const void *keys, __u32 count, void *arg)
{
	const struct clearing *c = arg;
	int r = 0;

	for (__u32 i = 0; !r && i < count; i++)
		r = take_out(c->table, (const char *)keys + i * c->table->key_size, c->slot);
	return r;
}

static int clear_hash(const struct table *t, __u32 slot)
{
	struct clearing c = { t, slot };

	return mapkeys_each(t->fd, t->key_size, t->value_size, clear_keys, &c);
}

static __u32 slot_of_value(const void *key)
{
	return fl_policy_kind_slot(((const struct fl_policy_value *)key)->kind);
}

static __u32 slot_of_place(const void *key)
{
	return ((const struct fl_policy_place *)key)->slot;
}

static __u32 slot_of_prefix(const void *key)
{
	return ((const struct fl_policy_prefix *)key)->slot;
}

static int clear_slot(const struct policymaps *m, __u32 slot)
{
	const struct table values = { m->values, sizeof(struct fl_policy_value),
				      sizeof(struct fl_policy_value_class), slot_of_value };
	const struct table places = { m->places, sizeof(struct fl_policy_place),
				      sizeof(struct fl_policy_place_class), slot_of_place };
	const struct table prefixes = { m->prefixes, sizeof(struct fl_policy_prefix), sizeof(__u32),
					slot_of_prefix };
	int r = clear_hash(&values, slot);

	if (!r)
		r = clear_hash(&places, slot);
	if (!r)
		r = clear_one_by_one(&prefixes, slot); /* a trie */
	return r;
}

/* COUNT elements from FIRST on, of a map whose keys are numbers. */
static int write_numbered(int fd, __u32 first, const void *values, size_t value_size, __u32 count)
{
	_free_ __u32 *keys = calloc(count + 1, sizeof(*keys));

	if (!keys)
		return -ENOMEM;
	for (__u32 i = 0; i < count; i++)
		keys[i] = first + i;
	return update_all(fd, keys, sizeof(*keys), values, value_size, count);
}

int policymaps_no_hits(const struct policymaps *m, __u32 area, __u32 rules)
{
	int cpus = libbpf_num_possible_cpus();
	_free_ __u64 *zeros = NULL;

	if (cpus < 0)
		return cpus;
	zeros = calloc((size_t)cpus * (rules + 1), sizeof(*zeros));
	if (!zeros)
		return -ENOMEM;
	return write_numbered(m->hits, area * FL_RULES_MAX, zeros, (size_t)cpus * sizeof(*zeros),
			      rules);
}

/* What there was more of before is taken out. */
static int write_blocks(const struct policymaps *m, __u32 slot, const struct compiled *c)
{
	__u32 first = slot * FL_BLOCKS_MAX, next = first + c->blocks.count;
	int r = write_numbered(m->blocks, first, c->blocks.items, c->blocks.size, c->blocks.count);

	while (!r && next < first + FL_BLOCKS_MAX && bpf_map_delete_elem(m->blocks, &next) == 0)
		next++;
	return r;
}

static int write_sets(const struct policymaps *m, __u32 slot, const struct compiled *c)
{
	int r = write_blocks(m, slot, c);

	return r ? r
		 : write_numbered(m->classes, slot * FL_CLASSES_MAX, c->classes.items,
				  c->classes.size, c->classes.count);
}

/* --- values and places --- */

static bool is_place(const struct value_key *key)
{
	return key->id[2] != 0;
}

static struct fl_policy_value value_at(__u32 slot, const struct value_key *key)
{
	return (struct fl_policy_value){ fl_policy_kind(slot, key->dimension, (__u32)key->id[1]),
					 key->id[0] };
}

static struct fl_policy_place place_at(__u32 slot, const struct value_key *key)
{
	return (struct fl_policy_place){ .slot = slot,
					 .dimension = key->dimension,
					 .inode = key->id[0],
					 .dev = key->id[1],
					 .name = key->id[2] };
}

int policymaps_set_value(const struct policymaps *m, __u32 slot, const struct value_key *key,
			 __u32 class)
{
	const struct fl_policy_value value = value_at(slot, key);
	const struct fl_policy_place place = place_at(slot, key);

	const struct fl_policy_value_class of_value = fl_policy_value_seal(&value, class);
	const struct fl_policy_place_class of_place = fl_policy_place_seal(&place, class);

	return is_place(key) ? update(m->places, &place, &of_place)
			     : update(m->values, &value, &of_value);
}

int policymaps_remove_value(const struct policymaps *m, __u32 slot, const struct value_key *key)
{
	const struct fl_policy_value value = value_at(slot, key);
	const struct fl_policy_place place = place_at(slot, key);
	int r = is_place(key) ? bpf_map_delete_elem(m->places, &place)
			      : bpf_map_delete_elem(m->values, &value);

	return r < 0 && errno != ENOENT ? -errno : 0;
}

static int write_places(const struct policymaps *m, __u32 slot, const struct compiled *c)
{
	int r = 0;

	for (size_t i = 0; !r && i < c->entry_count; i++) {
		if (is_place(&c->entries[i].key))
			r = policymaps_set_value(m, slot, &c->entries[i].key, c->entries[i].class);
	}
	return r;
}

static int write_values(const struct policymaps *m, __u32 slot, const struct compiled *c)
{
	_free_ struct fl_policy_value *keys = calloc(c->entry_count + 1, sizeof(*keys));
	_free_ struct fl_policy_value_class *classes = calloc(c->entry_count + 1, sizeof(*classes));
	__u32 count = 0;

	if (!keys || !classes)
		return -ENOMEM;
	for (size_t i = 0; i < c->entry_count; i++) {
		if (is_place(&c->entries[i].key))
			continue;
		keys[count] = value_at(slot, &c->entries[i].key);
		classes[count] = fl_policy_value_seal(&keys[count], c->entries[i].class);
		count++;
	}
	return update_all(m->values, keys, sizeof(*keys), classes, sizeof(*classes), count);
}

static int write_prefixes(const struct policymaps *m, __u32 slot, const struct compiled *c)
{
	_free_ struct fl_policy_prefix *keys = calloc(c->prefix_count + 1, sizeof(*keys));
	_free_ __u32 *classes = calloc(c->prefix_count + 1, sizeof(*classes));

	if (!keys || !classes)
		return -ENOMEM;
	for (size_t i = 0; i < c->prefix_count; i++) {
		keys[i] = c->prefixes[i].prefix;
		keys[i].slot = (__u16)slot;
		classes[i] = c->prefixes[i].class;
	}
	return update_all(m->prefixes, keys, sizeof(*keys), classes, sizeof(*classes),
			  (__u32)c->prefix_count);
}

static int write_ports(const struct policymaps *m, __u32 slot, const struct compiled *c)
{
	int r = 0;

	for (__u32 side = 0; !r && side < 2; side++) {
		if (c->ports[side])
			r = write_numbered(m->ports, (slot * 2 + side) * PORTS, c->ports[side],
					   sizeof(*c->ports[side]), PORTS);
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
		r = write_sets(m, slot, c);
	if (!r)
		r = write_numbered(m->rules, slot * FL_RULES_MAX, c->rules, sizeof(*c->rules),
				   c->policy.rules);
	if (!r)
		r = write_values(m, slot, c);
	if (!r)
		r = write_places(m, slot, c);
	if (!r)
		r = write_prefixes(m, slot, c);
	if (!r)
		r = write_ports(m, slot, c);
	return r ? r : update(m->policies, &slot, &policy);
}

int policymaps_clear(const struct policymaps *m, __u32 slot)
{
	const struct fl_policy none = { 0 };
	int r = update(m->policies, &slot, &none); /* else new cgroups would be written to it */

	return r ? r : clear_slot(m, slot);
}

/*
 * Programs that run now may have begun with the slot of before, and the next policy will be written
 * over that: a verdict that was held up in between would be of both. Not on kernels with CPUs that
 * have no tick (nohz_full), where there is nothing like it.
 */
static void wait_for_programs(void)
{
	(void)syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
}

int policymaps_use(const struct policymaps *m, __u32 slot, __u32 closed_hooks)
{
	struct fl_policy_state state = { .slot = slot,
					 .closed_hooks = closed_hooks,
					 .daemon_pid = (__u32)getpid(),
					 .daemon_ticks = procfs_own_ticks() };
	__u32 zero = 0;
	int r = update(m->state, &zero, &state);

	if (!r)
		wait_for_programs();
	return r;
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

/* One that is what it is to be stays: who reads one that is replaced may read another. */
static int put_block(const struct policymaps *m, __u32 number, const struct fl_rule_block *block)
{
	struct fl_rule_block there;

	if (bpf_map_lookup_elem(m->blocks, &number, &there) == 0 &&
	    memcmp(&there, block, sizeof(there)) == 0)
		return 0;
	return update(m->blocks, &number, block);
}

/* Blocks before the class that is made of them. Most have been written. */
int policymaps_set_class(const struct policymaps *m, __u32 slot, __u32 class,
			 const struct compiled *c)
{
	const struct fl_class *set = compiled_class(c, class);
	__u32 index = slot * FL_CLASSES_MAX + class;
	int r = 0;

	for (__u32 i = 0; !r && i < FL_BLOCKS; i++) {
		__u32 number = slot * FL_BLOCKS_MAX + set->blocks[i];

		r = put_block(m, number, compiled_block(c, set->blocks[i]));
	}
	return r ? r : update(m->classes, &index, set);
}
