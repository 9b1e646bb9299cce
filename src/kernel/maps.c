/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/maps.h"
#include "kernel/mapkeys.h"
#include "text/cleanup.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <flowner/check.h>
#include <flowner/listen.h>
#include <stdbool.h>
#include <string.h>

#define BATCH 1024u

int maps_get_counts(const struct maps *m, __u64 id, struct fl_counts *ret_counts)
{
	return bpf_map_lookup_elem(m->udp_counts, &id, ret_counts) < 0 ? -errno : 0;
}

struct per_cpu {
	int cpus;
	__u64 *values;
};

static void per_cpu_release(struct per_cpu *p)
{
	free(p->values);
}

static int per_cpu_read(const struct maps *m, enum fl_counter counter, struct per_cpu *p)
{
	__u32 index = counter;

	p->cpus = libbpf_num_possible_cpus();
	if (p->cpus < 0)
		return p->cpus;
	p->values = calloc((size_t)p->cpus, sizeof(*p->values));
	if (!p->values)
		return -ENOMEM;
	return bpf_map_lookup_elem(m->counters, &index, p->values) < 0 ? -errno : 0;
}

int maps_counter(const struct maps *m, enum fl_counter counter, __u64 *ret_value)
{
	_cleanup_(per_cpu_release) struct per_cpu p = { 0 };
	__u64 sum = 0;
	int r;

	r = per_cpu_read(m, counter, &p);
	if (r < 0)
		return r;
	for (int i = 0; i < p.cpus; i++)
		sum += p.values[i];
	*ret_value = sum;
	return 0;
}

int maps_count(const struct maps *m, enum fl_counter counter, __u64 n)
{
	_cleanup_(per_cpu_release) struct per_cpu p = { 0 };
	__u32 index = counter;
	int r;

	r = per_cpu_read(m, counter, &p);
	if (r < 0)
		return r;
	p.values[0] += n;
	return bpf_map_update_elem(m->counters, &index, p.values, BPF_ANY) < 0 ? -errno : 0;
}

int maps_active_ns(const struct maps *m, __u64 id, __u64 *ret_active_ns)
{
	struct fl_socket s;

	if (bpf_map_lookup_elem(m->socket_to_process, &id, &s) < 0)
		return -errno;
	*ret_active_ns = s.active_ns;
	return 0;
}

static int batch(const struct maps *m, __u32 *from, bool first, struct fl_key *keys,
		 struct fl_connection *values, __u32 *count)
{
	int r = bpf_map_lookup_batch(m->l7_connections, first ? NULL : from, from, keys, values,
				     count, NULL);

	return r < 0 ? -errno : 0;
}

/* A bucket that has more than the batch has room for: more room, and once more. */
static int read_connections(const struct maps *m, __u32 room, maps_connection_fn fn, void *arg)
{
	_free_ struct fl_connection *values = calloc(room, sizeof(*values));
	_free_ struct fl_key *keys = calloc(room, sizeof(*keys));
	int last = 0, r = 0;
	__u32 from = 0;

	if (!keys || !values)
		return -ENOMEM;
	for (bool first = true; !last && !r; first = false) {
		__u32 count = room;

		last = batch(m, &from, first, keys, values, &count);
		if (last && last != -ENOENT)
			return last;
		for (__u32 i = 0; i < count && !r; i++)
			r = fn(&keys[i], &values[i], arg);
	}
	return r;
}

int maps_each_connection(const struct maps *m, maps_connection_fn fn, void *arg)
{
	__u32 room = BATCH;
	int r;

	do {
		r = read_connections(m, room, fn, arg);
		room *= 2;
	} while (r == -ENOSPC);
	return r;
}

/* Before 5.14 no hash can give and delete at once: then one that comes in between is taken out. */
static int take(const struct maps *m, const struct fl_key *key, __u64 id, struct fl_connection *c)
{
	if (!bpf_map_lookup_and_delete_elem(m->l7_connections, key, c))
		return 0;
	if (errno == ENOENT || bpf_map_lookup_elem(m->l7_connections, key, c) < 0)
		return -errno;
	if (c->flow_id != id)
		return -ENOENT;
	return bpf_map_delete_elem(m->l7_connections, key) < 0 ? -errno : 0;
}

int maps_take_connection(const struct maps *m, const struct fl_key *key, __u64 id)
{
	struct fl_connection c;
	int r = take(m, key, id, &c);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (c.flow_id == id)
		return 1;
	/* another's by now */
	if (bpf_map_update_elem(m->l7_connections, key, &c, BPF_NOEXIST) < 0 && errno != EEXIST)
		return -errno;
	return 0;
}

static int put(const struct maps *m, const struct fl_flow *flow, __u32 members, __u64 flags)
{
	struct fl_connection c = {
		.flow_id = flow->id,
		.owner = flow->owner,
		.opened_ns = flow->opened_ns,
		.role = flow->role,
		.state = flow->state,
		.accepted = flow->accepted,
		.members = members,
	};

	c.check = fl_check_connection(&flow->key, &c);
	return bpf_map_update_elem(m->l7_connections, &flow->key, &c, flags) < 0 ? -errno : 0;
}

int maps_add_connection(const struct maps *m, const struct fl_flow *flow, __u32 members)
{
	return put(m, flow, members, BPF_NOEXIST);
}

int maps_show_connection(const struct maps *m, const struct fl_flow *flow, __u32 members,
			 const struct fl_connection *shown)
{
	struct fl_connection now;
	int r;

	if (bpf_map_lookup_elem(m->l7_connections, &flow->key, &now) < 0)
		return errno == ENOENT ? -EAGAIN : -errno;
	if (now.flow_id != shown->flow_id || now.members != shown->members)
		return -EAGAIN;
	r = put(m, flow, members, BPF_EXIST);
	return r == -ENOENT ? -EAGAIN : r;
}

static int table_fd(const struct maps *m, enum maps_table table)
{
	switch (table) {
	case MAPS_CONNECTIONS:
		return m->l7_connections;
	case MAPS_SOCKETS:
		return m->socket_to_process;
	case MAPS_PROCESSES:
		return m->processes;
	case MAPS_TEXT:
		return m->process_text;
	case MAPS_TABLES:
		break;
	}
	return -1;
}

const char *maps_table_name(enum maps_table table)
{
	switch (table) {
	case MAPS_CONNECTIONS:
		return "l7_connections";
	case MAPS_SOCKETS:
		return "socket_to_process";
	case MAPS_PROCESSES:
		return "processes";
	case MAPS_TEXT:
		return "process_text";
	case MAPS_TABLES:
		break;
	}
	return NULL;
}

static int add_count(const void *keys, __u32 count, void *sum)
{
	(void)keys;
	*(__u64 *)sum += count;
	return 0;
}

/* The kernel does not tell how full a hash is. */
static int count_keys(int fd, __u32 key_size, __u32 value_size, __u64 *ret_entries)
{
	__u64 sum = 0;
	int r = mapkeys_each(fd, key_size, value_size, add_count, &sum);

	if (!r)
		*ret_entries = sum;
	return r;
}

int maps_entries(const struct maps *m, enum maps_table table, __u64 *ret_entries,
		 __u64 *ret_capacity)
{
	struct bpf_map_info info = { 0 };
	__u32 len = sizeof(info);
	int fd = table_fd(m, table);
	int r;

	if (fd < 0)
		return -EINVAL;
	if (bpf_obj_get_info_by_fd(fd, &info, &len) < 0)
		return -errno;
	r = count_keys(fd, info.key_size, info.value_size, ret_entries);
	if (r < 0)
		return r;
	*ret_capacity = info.max_entries;
	return 0;
}

int maps_end_flow(const struct maps *m, const struct fl_flow *flow)
{
	struct fl_end end = { .flow_id = flow->id };
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = &end, .data_size_in = sizeof(end));

	if (bpf_prog_test_run_opts(m->end_flow, &run) < 0)
		return -errno;
	return run.retval ? -ENOENT : 0;
}

int maps_configure(const struct maps *m, void (*fn)(struct fl_config *config, void *arg), void *arg)
{
	struct fl_config config;
	__u32 zero = 0;

	if (bpf_map_lookup_elem(m->config, &zero, &config) < 0)
		return -errno;
	fn(&config, arg);
	if (bpf_map_update_elem(m->config, &zero, &config, BPF_ANY) < 0)
		return -errno;
	return 0;
}

int maps_forget_process(const struct maps *m, const struct fl_proc_key *key)
{
	bpf_map_delete_elem(m->process_text, key);
	if (bpf_map_delete_elem(m->processes, key) < 0)
		return -errno;
	return 0;
}

/* The next key is asked for first: for the one after a forgotten key, the kernel starts anew. */
int maps_each_process(const struct maps *m, int (*fn)(const struct fl_process *p, void *arg),
		      void *arg)
{
	struct fl_proc_key key, next = { 0 };
	struct fl_process p;
	bool more = !bpf_map_get_next_key(m->processes, NULL, &key);
	int r;

	while (more) {
		more = !bpf_map_get_next_key(m->processes, &key, &next);
		if (!bpf_map_lookup_elem(m->processes, &key, &p) && p.head.type) {
			r = fn(&p, arg);
			if (r)
				return r;
		}
		key = next;
	}
	return 0;
}

/* Who has none and comes back between the look and the end of it is counted one listener short: the
 * look is a system call away, and BEFORE_NS long ago. */
int maps_forget_listeners(const struct maps *m, __u64 before_ns)
{
	struct fl_listeners_key key, next = { 0 };
	struct fl_listeners_count c;
	bool more = !bpf_map_get_next_key(m->listeners_counts, NULL, &key);

	while (more) {
		more = !bpf_map_get_next_key(m->listeners_counts, &key, &next);
		if (!bpf_map_lookup_elem(m->listeners_counts, &key, &c) && !c.listeners &&
		    c.used_ns < before_ns && bpf_map_delete_elem(m->listeners_counts, &key) < 0 &&
		    errno != ENOENT)
			return -errno;
		key = next;
	}
	return 0;
}

static void set_watched(struct fl_config *config, void *arg)
{
	config->watched = *(int *)arg ? 1 : 0;
}

int maps_set_watched(const struct maps *m, int watched)
{
	return maps_configure(m, set_watched, &watched);
}
