/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The nouns of flowner, shared by the BPF object, the daemon, the command line and the library:
 * address, key, process key, owner, connection, socket, process, event.
 *
 * They are the layouts of pinned maps and of the event ring, read by programs we do not ship, so
 * every field says its unit and byte order, there is no hidden padding, and each size is asserted.
 * Only plain data here: no functions, nothing that differs between kernel and user space.
 */
#ifndef FLOWNER_FLOW_H
#define FLOWNER_FLOW_H

#include <linux/types.h>

#define FL_COMM_LEN 16	   /* TASK_COMM_LEN, NUL terminated */
#define FL_ANCESTORS 8	   /* nearest first: parent, grandparent, ... */
#define FL_TEXT_BYTES 8192 /* executable path, a NUL, then the arguments with their NULs */
#define FL_EXE_MAX 4095	   /* bytes of a path, without its NUL */
#define FL_ARGS_MAX 4096   /* bytes of arguments, with their NULs */

/* Flow ids with this bit are numbered by us; those without are the cookie of the socket. */
#define FL_ID_NUMBERED (1ULL << 63)

/* Addresses are 16 bytes in network order; IPv4 is ::ffff:a.b.c.d, any-IPv4 is ::ffff:0.0.0.0. */
struct fl_addr {
	__u8 b[16];
} __attribute__((aligned(8))); /* so that BPF compares words, not bytes */

enum fl_proto {
	FL_TCP = 6,
	FL_UDP = 17,
};

/*
 * One session as this socket sees it; the other end of a local connection is another key.
 * A listener or an unconnected UDP socket has an all-zero remote address and remote port 0.
 */
struct fl_key {
	__u64 netns_cookie; /* SO_NETNS_COOKIE: unlike the inode it is never reused */
	struct fl_addr local;
	struct fl_addr remote;
	__u16 local_port;  /* host order */
	__u16 remote_port; /* host order */
	__u32 ifindex;	   /* bound to, or the interface of a link-local peer; 0 = any */
	enum fl_proto proto;
	__u32 pad; /* 0 */
};

/* One image of one process: an exec changes exec_id, a reused pid has another start. */
struct fl_proc_key {
	__u64 start_ns; /* CLOCK_BOOTTIME start of the thread group leader */
	__u32 pid;	/* tgid in the initial pid namespace */
	__u32 exec_id;	/* low half of task_struct::self_exec_id */
};

/* All zero: not known. */
struct fl_owner {
	struct fl_proc_key proc;
	__u32 uid;		/* effective, initial user namespace */
	__u32 gid;		/* effective, initial user namespace */
	char comm[FL_COMM_LEN]; /* of the process, not of the thread */
};

/* How the owner came to the session. */
enum fl_role {
	FL_ROLE_UNKNOWN,
	FL_ROLE_OPENER,	  /* called connect(), or sent the first datagram */
	FL_ROLE_ACCEPTOR, /* called accept(), interim until then; or was sent the first datagram */
	FL_ROLE_LISTENER, /* called listen() */
	FL_ROLE_USER,	  /* bound or last used an unconnected UDP socket */
	FL_ROLE_EXISTING, /* had the socket open when the agent first looked */
};

/* The kernel's TCP states under their own numbers; a UDP session is ESTABLISHED or UNCONN. */
enum fl_state {
	FL_STATE_ESTABLISHED = 1,
	FL_STATE_SYN_SENT = 2,
	FL_STATE_SYN_RECV = 3,
	FL_STATE_FIN_WAIT1 = 4,
	FL_STATE_FIN_WAIT2 = 5,
	FL_STATE_TIME_WAIT = 6,
	FL_STATE_CLOSE = 7,
	FL_STATE_CLOSE_WAIT = 8,
	FL_STATE_LAST_ACK = 9,
	FL_STATE_LISTEN = 10,
	FL_STATE_CLOSING = 11,
	FL_STATE_UNCONN = 32,
};

/* Why a session ended, as far as the kernel said (sk_err); NONE is an ordinary close. */
enum fl_reason {
	FL_REASON_NONE,
	FL_REASON_REFUSED,     /* ECONNREFUSED */
	FL_REASON_TIMED_OUT,   /* ETIMEDOUT */
	FL_REASON_UNREACHABLE, /* EHOSTUNREACH, ENETUNREACH */
	FL_REASON_ABORTED,     /* ECONNABORTED: cut by SOCK_DESTROY */
	FL_REASON_RESET,       /* ECONNRESET, EPIPE */
	FL_REASON_OTHER,       /* any other socket error */
	FL_REASON_LOST,	       /* the end was not seen; reconciliation found the socket gone */
	FL_REASON_IDLE,	       /* a peer of an unconnected UDP socket was silent for udp_idle */
};

/* Value of l7_connections. Replaced as a whole when the owner changes. */
struct fl_connection {
	__u64 flow_id; /* 0: the shown member of a shared local key ended, others live on */
	struct fl_owner owner;
	__u64 opened_ns; /* CLOCK_BOOTTIME; 0 when older than the agent */
	enum fl_role role;
	enum fl_state state; /* updated in place */
	__u32 accepted;	     /* 1: owner is final. 0: a passive session's owner is interim */
	__u32 members;	     /* sockets on this local-only key, 1 for a session */
	__u64 check;	     /* fl_check_connection(): a torn or reused element does not match */
};

/* Value of socket_to_process, key flow id. */
struct fl_socket {
	struct fl_key key;
	struct fl_owner owner;
	__u64 cookie;	 /* SO_COOKIE of the socket, what `ss -e` prints as sk: */
	__u64 opened_ns; /* as in fl_connection */
	enum fl_role role;
	__u32 accepted;
	__u64 next; /* UDP: flow id of an older peer of the same socket, 0 = none; TCP: below */
	__u64 active_ns; /* UDP peer: CLOCK_BOOTTIME of traffic, refreshed once per epoch; else 0 */
	__u64 check;	 /* fl_check_socket() */
};

/* `next` of a TCP session that was found open: its connect() was called on this machine. Else 0:
 * it was accepted here, or that is not known. */
#define FL_OPENED_HERE 1

/* Value of tcp_lives, socket storage: of a TCP socket whose flow id is not its cookie any more. */
struct fl_life {
	__u64 flow_id;
};

struct fl_ancestor {
	__u64 start_ns;
	__u32 pid;
	__u32 pad;
	char comm[FL_COMM_LEN];
};

enum fl_record_type {
	FL_EVENT_LISTEN = 1,
	FL_EVENT_UNLISTEN,
	FL_EVENT_OPEN,
	FL_EVENT_ESTABLISHED,
	FL_EVENT_ACCEPT,
	FL_EVENT_USER,
	FL_EVENT_CLOSE,
	FL_RECORD_PROCESS, /* struct fl_process */
	FL_RECORD_TEXT,	   /* struct fl_text, cut after the last used byte */
	FL_RECORD_EXIT,	   /* struct fl_exit */
	FL_EVENT_VERDICT,  /* struct fl_verdict_event, policy.h */
	FL_EVENT_UNBIND,   /* struct fl_event: a socket that was bound when BIND was judged */
	FL_EVENT_CGROUP,   /* struct fl_cgroup_event, policy.h */
	FL_EVENT_LINK,	   /* struct fl_link_event, policy.h */
};

/* First bytes of everything in the event ring. */
struct fl_record {
	enum fl_record_type type;
	__u32 size; /* bytes, this header included */
};

#define FL_EXE_DELETED 1u   /* no name links to it any more */
#define FL_EXE_MEMFD 2u	    /* memfd_create(), or another file that never had a name */
#define FL_EXE_TRUNCATED 4u /* the path is longer or deeper than was read: text.exe_len is 0 */

#define FL_LOGIN_UNSET 0xffffffffu

/* Value of processes: one image of a process, taken at its first socket event. */
struct fl_process {
	struct fl_record head; /* the ring carries the same bytes */
	struct fl_proc_key key;
	__u64 seen_ns;	    /* CLOCK_BOOTTIME of the first socket event */
	__u64 exited_ns;    /* 0 while it runs */
	__u64 flows;	    /* live flows it owns */
	__u64 netns_cookie; /* of its last opened socket */
	__u64 cgroup_id;    /* cgroup v2, inode of the directory */
	__u64 exe_inode;
	__u32 exe_dev; /* kernel dev_t: major << 20 | minor */
	__u32 exe_flags;
	__u32 uid;	 /* effective */
	__u32 gid;	 /* effective */
	__u32 login_uid; /* audit login uid, FL_LOGIN_UNSET when none */
	__u32 ancestor_count;
	__u32 netns_inum; /* inode of the network namespace of netns_cookie */
	__u32 text_taken; /* 0: found by a walk, which cannot read the text, and silent since */
	char comm[FL_COMM_LEN];
	struct fl_ancestor ancestors[FL_ANCESTORS];
};

/* Value of process_text: exe at text[0], a NUL, arguments at text[exe_len + 1]. */
struct fl_text {
	struct fl_record head;
	struct fl_proc_key key;
	__u32 ready;	      /* 1 when the text below is complete; written last */
	__u32 exe_len;	      /* without the NUL; 0 = not known */
	__u32 args_len;	      /* with NULs */
	__u32 args_truncated; /* 1: there was more */
	char text[FL_TEXT_BYTES];
};

struct fl_exit {
	struct fl_record head;
	struct fl_proc_key key;
	__u64 time_ns;
	__u64 replaced; /* 1: an exec replaced this image, the process lives */
};

/* What went through a flow: its payload, without any header. See count.h for what TCP counts. */
struct fl_counts {
	__u64 bytes_sent;	/* TCP: that the peer has acknowledged; UDP: given to the network */
	__u64 bytes_received;	/* TCP: in order; UDP: that came to the socket, read or not */
	__u64 packets_sent;	/* TCP: segments, with the empty ones and those sent again */
	__u64 packets_received; /* TCP: segments that reached this socket */
	__u32 retransmits;	/* TCP: of packets_sent, the SYN-ACKs sent again besides */
	__u32 srtt_us;		/* TCP: smoothed round trip time, 0 = none was measured */
};

/* All that is known of one flow, live or ended: the payload of an event. */
struct fl_flow {
	__u64 id;
	__u64 cookie;
	struct fl_key key;
	struct fl_owner owner;
	__u64 opened_ns; /* 0: older than the agent */
	__u64 seen_ns;	 /* first sight; later than the opening when opened_ns is 0 */
	__u64 ended_ns;	 /* 0 while it lives */
	enum fl_role role;
	enum fl_state state;
	enum fl_reason reason;
	__u32 accepted;
	__u32 members;
	__u32 netns_inum; /* inode, 0 = not known */
	struct fl_counts counts;
	__u32 counted;	   /* 0: counts were not measured */
	__u32 opened_here; /* 1: FL_OPENED_HERE; not in events */
};

struct fl_event {
	struct fl_record head;
	__u64 time_ns; /* CLOCK_BOOTTIME */
	struct fl_flow flow;
};

#define FL_RINGS 4 /* slots of flow_rings */

/* What happened to a session with two ends; a listener or an unconnected socket is none. */
enum fl_sock_op {
	FL_SOCK_ACTIVE_ESTABLISHED = 1, /* connect() succeeded; UDP: the first datagram went out */
	FL_SOCK_PASSIVE_ESTABLISHED,	/* a connection came in; UDP: the first datagram did */
	FL_SOCK_CONNECTION_DELETED, /* of an established one, silent UDP peers too; last owner */
};

/*
 * What a program or process with a ring of its own in a slot of flow_rings gets of each session. Of
 * one that begins and ends on two CPUs at once each may come twice, or first, or the end alone
 * (established_late).
 */
struct fl_sock_event {
	enum fl_sock_op op;
	__u32 size;    /* bytes, all of it */
	__u64 time_ns; /* CLOCK_BOOTTIME */
	__u64 flow_id;
	struct fl_key key;
	struct fl_owner owner; /* PASSIVE_ESTABLISHED: interim unless accepted, the listener's */
	enum fl_role role;
	__u32 accepted; /* as in fl_connection */
};

/* Every early return that loses information bumps one of these; `flowner stats` prints them. */
enum fl_counter {
	FL_CNT_OPENED,		 /* flows put into the maps */
	FL_CNT_ENDED,		 /* flows taken out of the maps */
	FL_CNT_SEEDED,		 /* of the opened: found open by the iterators */
	FL_CNT_ACCEPTED,	 /* passive flows whose acceptor was seen */
	FL_CNT_CONNECT_CALLS,	 /* connect() calls of any outcome */
	FL_CNT_RING_FULL,	 /* records dropped: event ring full */
	FL_CNT_CONNECTIONS_FULL, /* l7_connections refused an entry */
	FL_CNT_SOCKETS_FULL,	 /* socket_to_process refused an entry */
	FL_CNT_PROCESSES_FULL,	 /* processes or process_text refused an entry */
	FL_CNT_STORAGE_FULL,	 /* socket storage could not be had */
	FL_CNT_NO_LISTENER,	 /* passive flows without an owner: nobody is known to listen */
	FL_CNT_END_REPAIRED,	 /* end seen by the tracepoint only */
	FL_CNT_END_RECONCILED,	 /* end found by reconciliation only */
	FL_CNT_UDP_IDLE,	 /* UDP peers ended by the sweep: silent for udp_idle */
	FL_CNT_UDP_UNOWNED,	 /* datagram on a socket no process hook had shown us */
	FL_CNT_UDP_PARSE,	 /* datagram whose headers could not be read */
	FL_CNT_UDP_PENDING_FULL, /* more unread peers than a socket remembers for recv() */
	FL_CNT_UDP_CONTESTED,	 /* datagram of another process's peer, too many to follow */
	FL_CNT_UDP_PEERS_LEFT,	 /* peers left to the sweep at the close of their socket */
	FL_CNT_EXE_UNREAD,	 /* executable path not readable in the kernel */
	FL_CNT_ARGS_UNREAD,	 /* arguments not readable in the kernel (not paged in) */
	FL_CNT_ABORTED,		 /* flows cut because somebody asked for it */
	FL_CNT_ABORT_REFUSED,	 /* asked for in vain: ended, shared, or not in this kernel */
	FL_CNT_VERDICT_FAILED,	 /* attempts that could not be judged */
	FL_CNT_VERDICT_UNKNOWN,	 /* attempts judged while what a rule asks for was not known */
	FL_CNT_VERDICT_UNTOLD,	 /* verdicts and unbinds not told: no room; rules count them */
	FL_CNT_COUNTS_FULL,	 /* udp_counts refused an entry: that flow's traffic is not known */
	FL_CNT_CGROUPS_FULL,	 /* new cgroups of which the policy's tables could not take note */
	FL_CNT_SLOT_0_FULL,	 /* records a consumer's ring in this slot had no room for */
	FL_CNT_SLOT_1_FULL,
	FL_CNT_SLOT_2_FULL,
	FL_CNT_SLOT_3_FULL,
	FL_CNT_ESTABLISHED_LATE, /* ESTABLISHED not told: another CPU had ended it already */
	FL_CNT_RUNS_SKIPPED,	 /* of tracing programs, as one ran on that CPU already: repaired */
	FL_CNT_VERDICT_SKIPPED,	 /* listen() not judged when it was called, for the same reason */
	FL_CNT_REDIRECTS_FULL,	 /* redirected; where to, or who it was, cannot be asked for */
	FL_CNT_LISTENERS_FULL,	 /* listeners that others who listen there are not told of */
	FL_CNT_AGAIN_CUT,	 /* live flows cut because they are not allowed any more */
	FL_CNT_AGAIN_LEFT,	 /* those that could not be cut, or were spared */
	FL_CNT_AGAIN_UNJUDGED,	 /* live flows that could not be judged again */
	FL_CNT_LISTENERS_UNCOUNTED, /* of a listener's four counts, those it is missing in */
	FL_CNT_MPTCP_UNOWNED,	    /* paths of MPTCP whose connection's owner is not known */
	FL_CNT_MPTCP_PATHS_LEFT,    /* walks of a connection's paths that ended before the last */
	FL_CNT_INDEX_REPAIRED,	    /* entries of l7_connections without a flow, or the reverse */
	FL_CNT_UDP_CALL_UNSEEN,	    /* UDP calls of a thread not known: who used the socket last */
	FL_CNT_MAX,
};

#ifdef __cplusplus
#define FL_ASSERT_SIZE(type, bytes) static_assert(sizeof(struct type) == (bytes), #type)
#else
#define FL_ASSERT_SIZE(type, bytes) _Static_assert(sizeof(struct type) == (bytes), #type)
#endif
FL_ASSERT_SIZE(fl_addr, 16);
FL_ASSERT_SIZE(fl_key, 56);
FL_ASSERT_SIZE(fl_proc_key, 16);
FL_ASSERT_SIZE(fl_owner, 40);
FL_ASSERT_SIZE(fl_connection, 80);
FL_ASSERT_SIZE(fl_socket, 144);
FL_ASSERT_SIZE(fl_ancestor, 32);
FL_ASSERT_SIZE(fl_process, 376);
FL_ASSERT_SIZE(fl_text, 40 + FL_TEXT_BYTES);
FL_ASSERT_SIZE(fl_exit, 40);
FL_ASSERT_SIZE(fl_counts, 40);
FL_ASSERT_SIZE(fl_flow, 208);
FL_ASSERT_SIZE(fl_event, 224);
FL_ASSERT_SIZE(fl_sock_event, 128);

#endif /* FLOWNER_FLOW_H */
