/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The readers of maps.h, in a file of their own because libflowner is made of it, too. Of libbpf
 * only two look-ups are used here; the library brings its own (libflowner_bpf.c).
 *
 * No lock is held: an element that does not match its check word was torn or is another's by now,
 * and is read again.
 */
#include "flow/assemble.h"
#include "text/cleanup.h"
#include "kernel/maps.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <flowner/check.h>
#include <stdbool.h>
#include <string.h>

#define BATCH 1024u
#define CHECK_TRIES 4

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

int maps_find_quick(const struct maps *m, const struct fl_key *key, struct fl_flow *ret_flow)
{
	struct fl_connection c;

	for (int i = 0; i < CHECK_TRIES; i++) {
		if (bpf_map_lookup_elem(m->l7_connections, key, &c) < 0)
			return -errno;
		if (c.flow_id && c.check == fl_check_connection(key, &c)) {
			assemble_from_connection(key, &c, m->seeded_ns, ret_flow);
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

struct walk {
	const struct maps *maps;
	const struct fl_key *ends; /* NULL: all flows */
	bool bare;		   /* of the one map alone */
	maps_flow_fn fn;
	void *arg;
};

static bool is_wanted(const struct walk *w, const struct fl_key *key)
{
	const struct fl_key *ends = w->ends;

	if (!ends)
		return true;
	return key->local_port == ends->local_port && key->remote_port == ends->remote_port &&
	       key->proto == ends->proto &&
	       !memcmp(&key->local, &ends->local, sizeof(key->local)) &&
	       !memcmp(&key->remote, &ends->remote, sizeof(key->remote));
}

static int visit(const struct walk *w, __u64 id, const struct fl_socket *s)
{
	struct fl_flow flow;

	if (s->check == fl_check_socket(id, s)) {
		if (!is_wanted(w, &s->key))
			return 0;
		if (w->bare)
			assemble_from_socket(id, s, w->maps->seeded_ns, &flow);
		else
			flow_from_socket(w->maps, id, s, &flow);
	} else if (maps_get_flow(w->maps, id, &flow) < 0 || !is_wanted(w, &flow.key)) {
		return 0; /* ended while we copied it, or not one of them */
	}
	return w->fn(&flow, w->arg);
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

static int walk(const struct walk *w)
{
	_cleanup_(batch_release) struct batch b = { 0 };
	__u32 from = 0, count = 0;
	bool first = true;
	int r, more;

	r = batch_resize(&b, BATCH);
	if (r < 0)
		return r;
	do {
		more = batch_read(w->maps, &b, &from, first, &count);
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
			r = visit(w, b.ids[i], &b.sockets[i]);
			if (r)
				return r;
		}
	} while (more);
	return 0;
}

int maps_each_flow(const struct maps *m, maps_flow_fn fn, void *arg)
{
	return walk(&(struct walk){ m, NULL, false, fn, arg });
}

int maps_each_bare(const struct maps *m, maps_flow_fn fn, void *arg)
{
	return walk(&(struct walk){ m, NULL, true, fn, arg });
}

int maps_each_at(const struct maps *m, const struct fl_key *ends, maps_flow_fn fn, void *arg)
{
	return walk(&(struct walk){ m, ends, false, fn, arg });
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
