/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the daemon and its programs tell each other beside flows: switches, the self-test's marks,
 * and the stamp that says whose layout the pinned maps have. Not for other readers.
 */
#ifndef FLOWNER_CONTROL_H
#define FLOWNER_CONTROL_H

#include <flowner/flow.h>

/* Value of config: written by the daemon while programs run. */
struct fl_config {
	__u32 watched;	    /* somebody reads OPEN, ESTABLISHED, ACCEPT, USER and LISTEN events */
	__u32 selftest_pid; /* tgid whose doings are noted in fired; 0 = no test runs */
	__u32 seeded;	 /* TCP flows older than the agent live: the tracepoint sees them change */
	__u32 walked;	 /* older sockets are in: one found since is a hook's to tell */
	__u32 walker;	 /* tgid of the daemon: its walk may be the last to let go of a socket */
	__u32 takes;	 /* the end of each UDP receive is seen: recvmsg leaves word for it */
	__u64 udp_epoch; /* bumped by each sweep; a UDP peer of an older one is looked at anew */
};

/* Value of meta. LAYOUT is raised whenever a record of flow.h or a pinned map changes its shape. */
#define FL_LAYOUT 6

#define FL_MARKS 64 /* each a 32nd of the ring after the one before: two rounds of it */
#define FL_LIVES 16
#define FL_LOSSES 2 /* counters of what watchers are told as lost */

/* One life of a daemon: what it opened itself before it was ready was its self-test. */
struct fl_life_span {
	__u64 started_ns; /* CLOCK_BOOTTIME, as below */
	__u64 ready_ns;	  /* 0: not yet, or it died before */
	__u32 pid;
	__u32 pad;
};

/* Written by the daemon, for the one that comes after it. First field: LAYOUT, in all layouts. */
struct fl_meta {
	__u32 layout;
	__u32 retired;	       /* 1: nothing writes to these maps any more; others may be pinned */
	__u64 seeded_ns;       /* CLOCK_BOOTTIME when made: older flows have no opened_ns */
	__u64 shape;	       /* of what all pinned maps hold, see layout.h */
	__u64 marked;	       /* marks ever made; the newest is at (marked - 1) % FL_MARKS */
	__u64 lives;	       /* ever begun; the newest is at (lives - 1) % FL_LIVES */
	__u64 marks[FL_MARKS]; /* positions in the event ring where a record begins */
	struct fl_life_span life[FL_LIVES];
	__u64 sequence;		    /* of events: up to here numbers may have been used */
	__u64 lost_told[FL_LOSSES]; /* so much of each counter was told */
};

/* What the program end_flow is run on; no shorter, the kernel wants a whole Ethernet header. */
struct fl_end {
	__u64 flow_id;
	__u64 unused;
};

/* What find_holders (holders.bpf.c) tells: a descriptor of a socket asked for; or, with a cookie of
 * 0, that so many files were looked at once more. */
#define FL_HOLDER_WALKS 4   /* under way at once */
#define FL_HOLDER_PACE 4096 /* a power of two: about a millisecond */

struct fl_holder {
	__u64 cookie;
	struct fl_owner owner;
	__u32 fd;
	__u32 pad;
};

/* Index into fired: how often a program whose attaching proves nothing ran for selftest_pid. */
enum fl_probe {
	FL_PROBE_ACCEPT_LSM,
	FL_PROBE_ACCEPT_FENTRY,
	FL_PROBE_ACCEPT_KPROBE,
	FL_PROBE_ACCEPT_SYSCALL,
	FL_PROBE_TOUCH,
	FL_PROBE_TAKE,
	FL_PROBE_FREE,
	FL_PROBE_EXIT,
	FL_PROBE_MAX,
};

#endif /* FLOWNER_CONTROL_H */
