/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * libflowner: which process owns this connection, or this packet? For programs that want to ask
 * themselves, thousands of times a second. libflowner(3) is the manual.
 *
 * Live flows are read from the maps flownerd pinned (read only, one system call a look-up); what
 * has ended, and everything for those who may not read the maps, is asked from the daemon over its
 * unix socket. Nothing is loaded or attached, nothing is printed, there is no global state, and no
 * signal is raised or ends a call: SIGPIPE never, and EINTR is not returned. A handle may be used
 * by any number of threads at once, whose questions to the daemon then wait for each other; a child
 * after fork() may close it, and opens its own.
 *
 * Functions return 0 or more, or a negative errno (errno itself says nothing); results are the
 * caller's, hold no pointers, and are written only then. Pointers are never NULL where nothing else
 * is said. All times are CLOCK_BOOTTIME nanoseconds, ports are in host order, addresses in network
 * order with IPv4 as ::ffff:a.b.c.d: see flow.h, which has the nouns.
 *
 * Whatever may have to be asked of the daemon fails also with -ECONNREFUSED nobody is there,
 * -ETIMEDOUT it says nothing, -EBUSY it has too many questions, -EACCES its socket is not for us,
 * -ECONNRESET or -ECONNABORTED it ended, -ESTALE it is one of another layout, -EPROTO what answers
 * is none; -ENOMEM. None of these means that nobody has the flow: that is -ENOENT.
 */
#ifndef FLOWNER_FLOWNER_H
#define FLOWNER_FLOWNER_H

#include <flowner/flow.h>
#include <flowner/redirected.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct flowner;	      /* a handle */
struct flowner_watch; /* a stream of events */

/* Zeroes mean the defaults. SIZE is for fields that later versions add. */
struct flowner_options {
	size_t size;	     /* sizeof(struct flowner_options) */
	const char *pin_dir; /* NULL: /sys/fs/bpf/flowner */
	const char *socket;  /* NULL: /run/flowner/flowner.sock */
	int timeout_ms;	     /* how long the daemon may say nothing; 0: 5000, -1: for ever */
};

/*
 * OPTIONS may be NULL; its strings are copied. The handle is closed by the caller. -ECONNREFUSED no
 * flownerd runs; -EACCES neither maps nor socket are for us; -ESTALE it is one of another layout,
 * and its own libflowner is needed; -EINVAL a wrong size, -ENAMETOOLONG the socket's path; -ENOMEM.
 */
int flowner_open(const struct flowner_options *options, struct flowner **ret_handle);

/* NULL does nothing; its watches may live on. Not while another thread uses it. */
void flowner_close(struct flowner *handle);

/* One English sentence for what a function here returned. Never NULL, and nobody's to free. */
const char *flowner_strerror(int error);
const char *flowner_version(void); /* "0.1.0" */

enum flowner_source {
	FLOWNER_MAPS = 1,   /* the maps are open: look-ups of live flows are system calls */
	FLOWNER_SOCKET = 2, /* everything goes through the daemon */
};

/* Where the next look-up of a live flow would go. */
enum flowner_source flowner_source(struct flowner *handle);

/* All that is known of one flow. */
struct flowner_flow {
	__u64 id;     /* never 0 */
	__u64 cookie; /* SO_COOKIE of its socket; 0: not looked up (a numbered flow by its key) */
	struct fl_key session;
	struct fl_owner owner; /* all zero: not known */
	__u64 opened_ns;       /* 0: older than the agent */
	__u64 seen_ns;	       /* first sight; later than the opening when that is not known */
	__u64 ended_ns;	       /* 0 while it lives */
	enum fl_role role;
	enum fl_state state;
	enum fl_reason reason;
	__u32 accepted;	  /* 0: the owner of an acceptor's flow is the listener's, for now */
	__u32 members;	  /* sockets on this local-only key, 1 for a session */
	__u32 netns_inum; /* inode of the network namespace; 0: not looked up */
	__u32 nat;	  /* 1: asked for with the ends below, and SESSION is behind NAT */
	__u16 nat_local_port;
	__u16 nat_remote_port;
	struct fl_addr nat_local;
	struct fl_addr nat_remote;
	__u64 reserved[7]; /* 0 */
};

/* What the process runs, as it was when its first socket was opened. */
struct flowner_image {
	struct fl_proc_key process;
	__u64 cgroup_id; /* cgroup v2, inode of the directory */
	__u64 exe_inode;
	__u32 exe_dev;	 /* major << 20 | minor */
	__u32 exe_flags; /* FL_EXE_ */
	__u32 login_uid; /* FL_LOGIN_UNSET: none */
	__u32 ancestor_count;
	struct fl_ancestor ancestors[FL_ANCESTORS]; /* nearest first */
	__u32 exe_len;				    /* without its NUL; 0: not known */
	__u32 args_len;				    /* with their NULs; 0: not known */
	__u32 args_truncated;
	__u32 pad;
	char exe[FL_EXE_MAX + 1];
	char args[FL_ARGS_MAX];
	__u64 reserved[8]; /* 0 */
};

/*
 * One side of a session: KEY as this side sees it, all of it. netns_cookie 0 is the network
 * namespace the handle was opened in; remote all zero asks for the listener or the unconnected UDP
 * socket bound to exactly the local end. -ENOENT nobody has it now.
 */
int flowner_find(struct flowner *handle, const struct fl_key *key, struct flowner_flow *ret_flow);

/*
 * The same, and when nobody has KEY now, the flow that KEY is on the other side of NAT: what a
 * container's session looks like outside, or that of a published port inside. Asked of the daemon,
 * who asks conntrack of KEY's namespace: a tenth of a millisecond for nothing, about one for a
 * flow. The library remembers neither: ask once for a session, not for each of its packets.
 * -ENOENT also when flows of several namespaces have the ends that KEY is translated to.
 */
int flowner_find_nat(struct flowner *handle, const struct fl_key *key,
		     struct flowner_flow *ret_flow);

/* The one that had it at TIME_NS, live or ended. -ENOENT nobody that is still remembered. */
int flowner_find_at(struct flowner *handle, const struct fl_key *key, __u64 time_ns,
		    struct flowner_flow *ret_flow);

/* By flow id; one that has ended is asked from the daemon. -ENOENT. */
int flowner_find_id(struct flowner *handle, __u64 id, struct flowner_flow *ret_flow);

/* The flow of a socket of the caller's: its first session (SO_COOKIE). -ENOENT, also of an MPTCP
 * socket, whose paths have cookies of their own: their ends find them; -EBADF, -ENOTSOCK. */
int flowner_find_fd(struct flowner *handle, int fd, struct flowner_flow *ret_flow);

/*
 * Of a TCP socket that was accepted because a rule led somebody there: where they wanted to go, and
 * who they are. Asked of the kernel, by anybody who has the socket; it stays the same when they are
 * long gone. No daemon is asked. -ENOENT nobody was led here; -EBADF, -ENOTSOCK.
 */
int flowner_redirected(int fd, struct fl_redirected *ret_redirected);

/* Facts about a packet that its addresses do not tell. */
#define FLOWNER_PACKET_SYN 1u	    /* TCP, SYN is set: with ACK or without */
#define FLOWNER_PACKET_FROM_HOST 2u /* the source is an address of its namespace */
#define FLOWNER_PACKET_FOR_HOST 4u  /* the destination is one, or multicast or broadcast */
#define FLOWNER_PACKET_NAT 8u	    /* ends that no session has: as flowner_find_nat() */

struct flowner_packet {
	__u64 netns_cookie; /* 0: the network namespace the handle was opened in */
	__u64 time_ns;	    /* 0: it is passing now; see flowner_from_realtime() */
	struct fl_addr source;
	struct fl_addr destination;
	__u16 source_port;
	__u16 destination_port;
	enum fl_proto proto;
	__u32 flags;   /* FLOWNER_PACKET_ */
	__u32 ifindex; /* interface it passes; 0: not known, then no socket bound to one has it */
};

#define FLOWNER_SENDER 1   /* *ret_sender was written */
#define FLOWNER_RECEIVER 2 /* *ret_receiver was written */
#define FLOWNER_AGAIN 4	   /* the receiver's session is not there yet: ask again in a moment */

/*
 * The flows a packet belongs to at either end: the session's, else (when the address is the host's)
 * the unconnected socket or listener that sends or takes such packets. Returns which are known, 0
 * nobody. At a time, late packets of a session that ended, and the handshake of one that was just
 * beginning, are its own; a SYN at the passive end is the listener's. FLOWNER_AGAIN, for a second
 * at most: the sender is in a session and the receiver, of this host, is in none so far; what was
 * written of it is who listens. An end whose result is NULL is not looked up. With
 * FLOWNER_PACKET_NAT the ends may be those on the other side of NAT, of a session that conntrack
 * still has. -EINVAL: not TCP or UDP. On an error neither is written.
 */
int flowner_find_packet(struct flowner *handle, const struct flowner_packet *packet,
			struct flowner_flow *ret_sender, struct flowner_flow *ret_receiver);

/*
 * What FLOW's owner runs; FLOW is one that was found here. What is not known of it is 0: exe_len
 * and args_len for who may not read them while no daemon answers. -ENOENT it is not known (any
 * more), or the daemon knows another image of the process by now.
 */
int flowner_find_image(struct flowner *handle, const struct flowner_flow *flow,
		       struct flowner_image *ret_image);

/*
 * Every live flow the caller may see, once, in no order: those that live all the while for certain,
 * and what opens or ends meanwhile maybe. FN returns 0 to go on; anything else ends the walk and is
 * returned. FN may ask HANDLE, and not close it; FLOW is gone when it returns.
 */
int flowner_each(struct flowner *handle, int (*fn)(const struct flowner_flow *flow, void *arg),
		 void *arg);

enum flowner_action {
	FLOWNER_LOST = 100, /* COUNT events were lost: look at what lives */
	FLOWNER_RESYNC,	    /* the daemon has begun anew, COUNT flows live */
};

struct flowner_event {
	__u64 sequence; /* orders the events of one daemon's life */
	__u64 time_ns;
	__u32 action; /* enum fl_record_type (FL_EVENT_), or enum flowner_action */
	__u32 pad;
	__u64 count;		  /* of FLOWNER_LOST and FLOWNER_RESYNC, else 0 */
	struct flowner_flow flow; /* of the others */
	__u64 reserved[4];	  /* 0 */
};

/*
 * Events from now on, through the daemon: as `flowner watch`. FILTER is the query of
 * GET /v1/events, such as "proto=tcp&rport=443", or NULL. For one thread at a time; closed by the
 * caller, before HANDLE or after it. -EINVAL the filter is none.
 */
int flowner_watch_open(struct flowner *handle, const char *filter,
		       struct flowner_watch **ret_watch);

/* For poll(); readable: call next. It stays the watch's. */
int flowner_watch_fd(const struct flowner_watch *watch);

/*
 * 1 an event, 0 none within TIMEOUT_MS (-1: for ever, signals or not). Before poll(): until it
 * returns 0 for a time-out of 0. -ECONNRESET the daemon is gone, -EPROTO it speaks otherwise: close
 * this one, open another.
 */
int flowner_watch_next(struct flowner_watch *watch, struct flowner_event *ret_event,
		       int timeout_ms);
void flowner_watch_close(struct flowner_watch *watch); /* NULL does nothing */

/* A time of CLOCK_REALTIME, of a captured packet, by the offset the clocks have now. */
__u64 flowner_from_realtime(__u64 realtime_ns);

/* ADDRESS points at 4 or 16 bytes in network order: struct in_addr, struct in6_addr, a header. */
static inline struct fl_addr flowner_addr4(const void *address)
{
	struct fl_addr a = { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0 } };

	__builtin_memcpy(&a.b[12], address, 4);
	return a;
}

static inline struct fl_addr flowner_addr6(const void *address)
{
	struct fl_addr a;

	__builtin_memcpy(a.b, address, sizeof(a.b));
	return a;
}

FL_ASSERT_SIZE(flowner_flow, 256);
FL_ASSERT_SIZE(flowner_packet, 64);
FL_ASSERT_SIZE(flowner_event, 320);

#ifdef __cplusplus
}
#endif

#endif /* FLOWNER_FLOWNER_H */
