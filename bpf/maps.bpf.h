/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Every map and every constant set before load, once: who writes, who reads, who deletes.
 * Layouts are in include/flowner/flow.h. Maps are pinned by the daemon and outlive it.
 */
#ifndef FLOWNER_MAPS_BPF_H
#define FLOWNER_MAPS_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <flowner/control.h>
#include <flowner/flow.h>
#include <flowner/listen.h>

/* Sizes here are defaults; the daemon sets its own before load. Hashes grow on demand. */
#define FLOWS_DEFAULT 262144
#define PROCESSES_DEFAULT 16384
#define RING_DEFAULT (16 << 20)

/* Session -> flow id and owner. Written at open and accept, deleted at the end (owner.bpf.h). */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, FLOWS_DEFAULT);
	__type(key, struct fl_key);
	__type(value, struct fl_connection);
} l7_connections SEC(".maps") __weak;

/* Flow id -> session and owner. Its insert and its delete are what makes events idempotent. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, FLOWS_DEFAULT);
	__type(key, __u64);
	__type(value, struct fl_socket);
} socket_to_process SEC(".maps") __weak;

/* Cookies of the TCP sockets that ended last, each where its low bits say. The kernel shows a
 * socket as open for a moment after its end was told: seed.bpf.c looks here, and says how. */
#define ENDED_PLACES 16384 /* a power of two */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, ENDED_PLACES);
	__type(key, __u32);
	__type(value, __u64);
} ended_sockets SEC(".maps") __weak;

/* UDP flow id -> what went through it. Made before the flow and deleted with it; not part of
 * socket_to_process, whose elements are replaced while datagrams come in. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, FLOWS_DEFAULT);
	__type(key, __u64);
	__type(value, struct fl_counts);
} udp_counts SEC(".maps") __weak;

/* Process image -> identity. Deleted when the image is gone and its last flow ended. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, PROCESSES_DEFAULT);
	__type(key, struct fl_proc_key);
	__type(value, struct fl_process);
} processes SEC(".maps") __weak;

/* Process image -> path and arguments. Lives and dies with the entry in processes. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, PROCESSES_DEFAULT);
	__type(key, struct fl_proc_key);
	__type(value, struct fl_text);
} process_text SEC(".maps") __weak;

/*
 * All zero, never written: what new elements start from that would not fit on the stack; a per-CPU
 * scratch could be taken over by a preempting program.
 */
struct blank {
	struct fl_counts counts;
	struct fl_process process;
	struct fl_text text;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct blank);
} blank SEC(".maps") __weak;

/* What became of sockets whose id is not simply their cookie: TCP sockets in a second life. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct fl_life);
} tcp_lives SEC(".maps") __weak;

/* Owner of a SO_REUSEPORT listener, or one bound to a device, inherited by the sockets it makes: a
 * tuple cannot tell which member of the group they came from, nor what the device was. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, struct fl_owner);
} shared_listeners SEC(".maps") __weak;

/*
 * Who listens at a port: each listener has a seat there, whichever address it has. See ports.bpf.h.
 */
#define PORT_SEATS 256
#define SEATS_AT_ONCE 8 /* of them in one function, for the verifier's sake */

struct port_seat {
	__u64 netns_cookie;
	__u16 port;
	__u16 seat;
	__u32 pad;
};

struct port_listener {
	__u64 flow_id;
	__u32 v6only; /* what socket_to_process does not tell */
	__u32 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct port_seat);
	__type(value, struct port_listener);
} port_listeners SEC(".maps") __weak;

/* How many there are of namespace and port, or of others that come to the same number. */
#define PORT_SUMS 16384 /* a power of two */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PORT_SUMS);
	__type(key, __u32);
	__type(value, __u64);
} port_sums SEC(".maps") __weak;

/* Whom a listener counts for: who called listen(). See listener_counts.bpf.h. */
struct listener_of {
	__u64 start_ns; /* of the process, whatever it executes */
	__u32 pid;
	__u32 uid;
	__u64 cgroup_id;
	__u64 exe_inode;
	__u32 exe_dev;
	__u32 pad;
};

/* By flow id. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, struct listener_of);
} listeners SEC(".maps") __weak;

/* By thread: places taken before the socket listens, which it may not come to. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct listener_of);
} listeners_held SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 131072);
	__type(key, struct fl_listeners_key);
	__type(value, struct fl_listeners_count);
} listeners_counts SEC(".maps") __weak;

/* One UDP socket; see udp.bpf.c. Freed by the kernel with the socket. */
#define UDP_PENDING 32 /* a power of two */

struct fl_udp {
	struct bpf_spin_lock lock; /* guards flags, remote, last_*, peers, pending */
	__u32 flags;		   /* UDP_* of udp.bpf.h */
	__u64 netns_cookie;
	__u64 cookie;
	__u64 own_id;		   /* flow of the socket's own entry, 0 = none yet */
	struct fl_owner user;	   /* last process that used the socket, in process context */
	struct fl_owner connector; /* who called connect(), while UDP_CONNECTING */
	struct fl_addr remote;	   /* the socket's peer while UDP_CONNECTED */
	struct fl_addr last_local;
	struct fl_addr last_remote;
	__u16 remote_port;
	__u16 last_local_port;
	__u16 last_remote_port;
	__u16 own_spent; /* 1: the flow with the cookie as id has ended */
	__u32 last_ifindex;
	__u32 taken_over; /* peers of other sockets since last_epoch */
	__u64 last_epoch;
	__u64 last_id;	    /* flow of last_*, 0 = none */
	__u64 peers;	    /* newest numbered peer, head of the list in fl_socket.next */
	__u32 pending_head; /* oldest and next free of pending, counted up, masked in use */
	__u32 pending_tail;
	__u64 pending[UDP_PENDING]; /* peers nobody has received from yet; 0 = taken meanwhile */
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct fl_udp);
} udp_sockets SEC(".maps") __weak;

/*
 * A call of a UDP socket that is under way, as the hook at its beginning leaves it for the one at
 * its end, or on its way: several threads may be at one socket. Each thread has the place that its
 * number says; should another one have the same, whoever looks finds that it is not his.
 */
#define UDP_CALLS 8192 /* a power of two */

struct udp_call {
	__u64 thread; /* pid_tgid; 0 = it is over */
	__u64 cookie;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, UDP_CALLS);
	__type(key, __u32);
	__type(value, struct udp_call);
} udp_sends SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, UDP_CALLS);
	__type(key, __u32);
	__type(value, struct udp_call);
} udp_receives SEC(".maps") __weak;

/* Peer of a UDP socket that has ended before its socket -> the next of the list it stood in. See
 * udp_leave(). */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, FLOWS_DEFAULT);
	__type(key, __u64);
	__type(value, __u64);
} udp_left SEC(".maps") __weak;

/*
 * accept() of an MPTCP connection takes the lock of that, and not of its path: which may be on its
 * way still to being established, on another CPU. By the connection's own key: who accepted it, for
 * the path to take when it is.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct fl_owner);
} mptcp_accepts SEC(".maps") __weak;

/* Network namespace cookie -> inode, for the people who know namespaces by inode. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, __u32);
} netns SEC(".maps") __weak;

/* The other way round, of the namespace that has the inode now; only where netns.bpf.c is on. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, __u64);
} netns_cookies SEC(".maps") __weak;

/* Numbered flow ids, from the time on at which this was made (track.c). A lock, not a
 * fetch-and-add: 5.10 has no atomic that returns a value. */
struct fl_numbers {
	struct bpf_spin_lock lock;
	__u32 pad;
	__u64 last;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct fl_numbers);
} numbers SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, FL_CNT_MAX);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct fl_config);
} config SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FL_PROBE_MAX);
	__type(key, __u32);
	__type(value, __u64);
} fired SEC(".maps") __weak;

/* Whose layout the pinned maps have, and since when; written by the daemon that made them. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct fl_meta);
} meta SEC(".maps") __weak;

/* The one event ring; its one reader is the daemon. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, RING_DEFAULT);
} events SEC(".maps") __weak;

/*
 * Rings of others, who want to hear of sessions without asking the daemon: each puts the ring it
 * made, of whatever size, into a slot, and takes it out again. One who dies without leaves it
 * there, full and counted, until somebody deletes the slot. Written by consumers only.
 */
struct session_ring {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 65536);
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, FL_RINGS);
	__type(key, __u32);
	__array(values, struct session_ring);
} flow_rings SEC(".maps") __weak;

#endif /* FLOWNER_MAPS_BPF_H */
