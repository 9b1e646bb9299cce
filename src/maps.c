/* SPDX-License-Identifier: BSD-2-Clause */
#include "maps.h"
#include "assemble.h"
#include "cleanup.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <flowner/check.h>
#include <stdbool.h>
#include <string.h>

#define BATCH 1024u
#define CHECK_TRIES 4

static void flow_from_socket(const struct maps *m, __u64 id, const struct fl_socket *s,
			     struct fl_flow *flow)
{
	struct fl_connection c;

	assemble_from_socket(id, s, m->seeded_ns, flow);
	if (!bpf_map_lookup_elem(m->l7_connections, &flow->key, &c))
		assemble_add_connection(flow, &c);
	(void)maps_netns_inum(m, flow->key.netns_cookie, &flow->netns_inum);
}

int maps_get_flow(const struct maps *m, __u64 id, struct fl_flow *ret_flow)
{
	struct fl_socket s;

	for (int i = 0; i < CHECK_TRIES; i++) {
		if (bpf_map_lookup_elem(m->socket_to_process, &id, &s) < 0)
			return -errno;
		if (s.check == fl_check_socket(id, &s)) {
			flow_from_socket(m, id, &s, ret_flow);
			return 0;
		}
	}
	return -ENOENT;
}

int maps_find_flow(const struct maps *m, const struct fl_key *key, struct fl_flow *ret_flow)
{
	struct fl_connection c;
	struct fl_flow flow;
	int r;

	for (int i = 0; i < CHECK_TRIES; i++) {
		if (bpf_map_lookup_elem(m->l7_connections, key, &c) < 0)
			return -errno;
		if (!c.flow_id || c.check != fl_check_connection(key, &c))
			continue;
		r = maps_get_flow(m, c.flow_id, &flow);
		if (!r && !memcmp(&flow.key, key, sizeof(*key))) { /* else it has moved meanwhile */
			*ret_flow = flow;
			return 0;
		}
	}
	return -ENOENT;
}

static int visit(const struct maps *m, __u64 id, const struct fl_socket *s, maps_flow_fn fn,
		 void *arg)
{
	struct fl_flow flow;

	if (s->check == fl_check_socket(id, s))
		flow_from_socket(m, id, s, &flow);
	else if (maps_get_flow(m, id, &flow) < 0)
		return 0; /* ended while we copied it */
	return fn(&flow, arg);
}

struct batch {
	__u32 size; /* entries the arrays hold */
	__u64 *ids;
	struct fl_socket *sockets;
};

static void batch_release(struct batch *b)
{
	free(b->ids);
	free(b->sockets);
}

static int batch_resize(struct batch *b, __u32 size)
{
	__u64 *ids = realloc(b->ids, size * sizeof(*ids));
	struct fl_socket *sockets;

	if (!ids)
		return -ENOMEM;
	b->ids = ids;
	sockets = realloc(b->sockets, size * sizeof(*sockets));
	if (!sockets)
		return -ENOMEM;
	b->sockets = sockets;
	b->size = size;
	return 0;
}

/* One step of the walk; *RET_COUNT entries. 1 more, 0 the last, -ENOSPC the batch is too small. */
static int batch_read(const struct maps *m, struct batch *b, __u32 *from, bool first,
		      __u32 *ret_count)
{
	__u32 count = b->size;
	int r;

	r = bpf_map_lookup_batch(m->socket_to_process, first ? NULL : from, from, b->ids,
				 b->sockets, &count, NULL);
	if (r < 0 && errno != ENOENT)
		return -errno;
	*ret_count = count;
	return r < 0 ? 0 : 1;
}

int maps_each_flow(const struct maps *m, maps_flow_fn fn, void *arg)
{
	_cleanup_(batch_release) struct batch b = { 0 };
	__u32 from = 0, count = 0;
	bool first = true;
	int r, more;

	r = batch_resize(&b, BATCH);
	if (r < 0)
		return r;
	do {
		more = batch_read(m, &b, &from, first, &count);
		if (more == -ENOSPC) { /* one bucket holds more than the batch */
			r = batch_resize(&b, b.size * 2);
			if (r < 0)
				return r;
			more = 1;
			continue;
		}
		if (more < 0)
			return more;
		first = false;
		for (__u32 i = 0; i < count; i++) {
			r = visit(m, b.ids[i], &b.sockets[i], fn, arg);
			if (r)
				return r;
		}
	} while (more);
	return 0;
}

int maps_get_process(const struct maps *m, const struct fl_proc_key *key,
		     struct fl_process *ret_process, struct fl_text *ret_text)
{
	struct fl_process p;

	if (bpf_map_lookup_elem(m->processes, key, &p) < 0)
		return -errno;
	if (!p.head.type || !fl_proc_equal(&p.key, key))
		return -ENOENT; /* not filled yet, or another's by now */
	if (ret_text) {
		memset(ret_text, 0, sizeof(*ret_text) - FL_TEXT_BYTES);
		if (bpf_map_lookup_elem(m->process_text, key, ret_text) < 0 || !ret_text->ready ||
		    !fl_proc_equal(&ret_text->key, key))
			memset(ret_text, 0, sizeof(*ret_text));
	}
	if (ret_process)
		*ret_process = p;
	return 0;
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

int maps_show_member(const struct maps *m, const struct fl_flow *flow)
{
	struct fl_connection c;

	if (bpf_map_lookup_elem(m->l7_connections, &flow->key, &c) < 0)
		return -errno;
	if (c.flow_id)
		return 0;
	c.flow_id = flow->id;
	c.owner = flow->owner;
	c.opened_ns = flow->opened_ns;
	c.role = flow->role;
	c.accepted = flow->accepted;
	c.check = fl_check_connection(&flow->key, &c);
	return bpf_map_update_elem(m->l7_connections, &flow->key, &c, BPF_EXIST) < 0 ? -errno : 0;
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

/* The kernel does not tell how full a hash is: keys are counted, a thousand a system call. */
static int count_keys(int fd, __u32 key_size, __u32 value_size, __u64 *ret_entries)
{
	_free_ void *keys = calloc(BATCH, key_size), *values = calloc(BATCH, value_size);
	__u32 from = 0, count;
	__u64 sum = 0;
	int r;

	if (!keys || !values)
		return -ENOMEM;
	for (bool first = true;; first = false) {
		count = BATCH;
		r = bpf_map_lookup_batch(fd, first ? NULL : &from, &from, keys, values, &count,
					 NULL);
		if (r < 0 && errno != ENOENT)
			return -errno;
		sum += count;
		if (r < 0)
			break;
	}
	*ret_entries = sum;
	return 0;
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

int maps_netns_cookie(const struct maps *m, __u32 inum, __u64 *ret_cookie)
{
	__u64 cookie;

	if (bpf_map_lookup_elem(m->netns_cookies, &inum, &cookie) < 0)
		return -errno;
	*ret_cookie = cookie;
	return 0;
}

int maps_netns_inum(const struct maps *m, __u64 cookie, __u32 *ret_inum)
{
	__u32 inum;

	if (bpf_map_lookup_elem(m->netns, &cookie, &inum) < 0)
		return -errno;
	*ret_inum = inum;
	return 0;
}

int maps_end_flow(const struct maps *m, const struct fl_flow *flow)
{
	struct fl_connection c;

	if (bpf_map_delete_elem(m->socket_to_process, &flow->id) < 0)
		return -errno;
	if (bpf_map_lookup_elem(m->l7_connections, &flow->key, &c) < 0)
		return 0;
	if (c.members > 1) {
		c.members--;
		if (c.flow_id == flow->id) {
			c.flow_id = 0;
			c.check = 0;
		}
		bpf_map_update_elem(m->l7_connections, &flow->key, &c, BPF_EXIST);
	} else if (c.flow_id == flow->id || !c.flow_id) {
		bpf_map_delete_elem(m->l7_connections, &flow->key);
	}
	return 0;
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

static void set_watched(struct fl_config *config, void *arg)
{
	config->watched = *(int *)arg ? 1 : 0;
}

int maps_set_watched(const struct maps *m, int watched)
{
	return maps_configure(m, set_watched, &watched);
}
