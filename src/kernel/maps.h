/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Typed access to the pinned maps, no skeleton, and of programs only the one that takes a flow
 * out. What the daemon reads here is the live truth. The readers of flows, processes and namespaces
 * are in mapread.c, which is also what libflowner reads with; the rest is in maps.c.
 */
#ifndef FLOWNER_MAPS_H
#define FLOWNER_MAPS_H

#include <flowner/control.h>
#include <flowner/flow.h>

struct maps {
	int l7_connections;
	int socket_to_process;
	int udp_counts;
	int processes;
	int process_text;
	int counters;
	int netns;
	int netns_cookies;
	int config;
	int fired;
	int meta;
	int numbers;
	int listeners_counts;
	int end_flow;	 /* the program of end.bpf.c */
	__u64 seeded_ns; /* from meta: flows that were open before have this as first sight */
};

enum maps_table { /* those with a bound worth showing */
		  MAPS_CONNECTIONS,
		  MAPS_SOCKETS,
		  MAPS_PROCESSES,
		  MAPS_TEXT,
		  MAPS_TABLES,
};

typedef int (*maps_flow_fn)(const struct fl_flow *flow, void *arg); /* non-zero stops the walk */

/* Every live flow once, in no order; an id is never 0. 0, FN's non-zero value, negative errno. */
int maps_each_flow(const struct maps *m, maps_flow_fn fn, void *arg);

/* The same by socket_to_process alone, which is a third of the work: state, members and the
 * namespace's inode are not looked up. */
int maps_each_bare(const struct maps *m, maps_flow_fn fn, void *arg);

/* Those of them with the protocol and both ends of ENDS, in any namespace, bound to any device:
 * what has other ends costs next to nothing. */
int maps_each_at(const struct maps *m, const struct fl_key *ends, maps_flow_fn fn, void *arg);

/* -ENOENT when no live flow has ID. */
int maps_get_flow(const struct maps *m, __u64 id, struct fl_flow *ret_flow);

/* What went through the live UDP flow ID so far. -ENOENT when it is not counted. */
int maps_get_counts(const struct maps *m, __u64 id, struct fl_counts *ret_counts);

/* The live flow (or listener, or unconnected UDP socket) of exactly KEY. -ENOENT there is none. */
int maps_find_quick(const struct maps *m, const struct fl_key *key, struct fl_flow *ret_flow);

/* The same, with what one look-up does not tell: cookie of a numbered flow, namespace's inode. */
int maps_find_flow(const struct maps *m, const struct fl_key *key, struct fl_flow *ret_flow);

/* Either result may be NULL. -ENOENT when the image is not (or no longer) in the maps. */
int maps_get_process(const struct maps *m, const struct fl_proc_key *key,
		     struct fl_process *ret_process, struct fl_text *ret_text);

/* Sum over all CPUs. */
int maps_counter(const struct maps *m, enum fl_counter counter, __u64 *ret_value);

const char *maps_table_name(enum maps_table table);
int maps_entries(const struct maps *m, enum maps_table table, __u64 *ret_entries,
		 __u64 *ret_capacity);

/* Inode of the network namespace with COOKIE, as the kernel side saw it. -ENOENT unknown. */
int maps_netns_inum(const struct maps *m, __u64 cookie, __u32 *ret_inum);

/* Cookie of the namespace with INUM: filled before 5.14 only, where nobody else tells. -ENOENT. */
int maps_netns_cookie(const struct maps *m, __u32 inum, __u64 *ret_cookie);

/*
 * Takes FLOW out of both maps, if it still is the same flow: for ends the kernel side did not see.
 * Done by the kernel side, so that rings of others hear of it. -ENOENT when it ended meanwhile, or
 * why it cannot be.
 */
int maps_end_flow(const struct maps *m, const struct fl_flow *flow);

/* Last traffic of a UDP peer, CLOCK_BOOTTIME, as exact as the sweep's epochs. -ENOENT. */
int maps_active_ns(const struct maps *m, __u64 id, __u64 *ret_active_ns);

/* Every entry of l7_connections, some perhaps twice; FN may change it. Non-zero from FN stops and
 * is returned. */
typedef int (*maps_connection_fn)(const struct fl_key *key, const struct fl_connection *c,
				  void *arg);
int maps_each_connection(const struct maps *m, maps_connection_fn fn, void *arg);

/* The entry at KEY goes, if it is that of flow ID: 1 it did, 0 it is another's or not there. */
int maps_take_connection(const struct maps *m, const struct fl_key *key, __u64 id);

/* FLOW gets the entry at its key, where none is: -EEXIST there is one, -E2BIG no room. */
int maps_add_connection(const struct maps *m, const struct fl_flow *flow, __u32 members);

/* The same instead of SHOWN, which was read there: -EAGAIN it is another one by now. */
int maps_show_connection(const struct maps *m, const struct fl_flow *flow, __u32 members,
			 const struct fl_connection *shown);

/* Adds to a counter that only the daemon writes. */
int maps_count(const struct maps *m, enum fl_counter counter, __u64 n);

/* Every process record once. FN may call maps_forget_process() on the one it is given. */
int maps_each_process(const struct maps *m, int (*fn)(const struct fl_process *p, void *arg),
		      void *arg);
int maps_forget_process(const struct maps *m, const struct fl_proc_key *key);

/* Forgets who has no listener, and whom nobody asked for since BEFORE_NS (CLOCK_BOOTTIME). Negative
 * errno. */
int maps_forget_listeners(const struct maps *m, __u64 before_ns);

/* Change the live config: read, let FN edit, write. The daemon is its only writer. */
int maps_configure(const struct maps *m, void (*fn)(struct fl_config *config, void *arg),
		   void *arg);

/* OPEN, ESTABLISHED, ACCEPT, USER and LISTEN events are only written while somebody watches. */
int maps_set_watched(const struct maps *m, int watched);

#endif
