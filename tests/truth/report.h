/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ledger: what every process of the test says it did, in one memory shared over fork and exec.
 *
 * A process claims a slot when it has opened a session and stamps it when it closes it, so that
 * reporting costs no system call in a storm. The runner turns the slots into JSON lines at the end
 * of each scenario. Nothing in here looks at the agent.
 */
#ifndef TRUTH_REPORT_H
#define TRUTH_REPORT_H

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define EXE_BYTES 4096
#define ARGS_BYTES 1024
#define COMM_BYTES 16
#define HOLDERS 2
#define MPTCP_FAMILIES 3 /* added to a family: by MPTCP */

enum truth_role {
	ROLE_OPENER,
	ROLE_ACCEPTOR,
	ROLE_LISTENER,
	ROLE_USER,
};

enum truth_flag {
	T_NUMBERED = 1 << 0,	 /* not the first flow of its socket: its id is not the cookie */
	T_OPTIONAL = 1 << 1,	 /* may be left out by the agent; checked when it is there */
	T_PRE = 1 << 2,		 /* the socket is older than the agent */
	T_ACCEPT_NULL = 1 << 3,	 /* accepted without an address buffer */
	T_HANDED_OVER = 1 << 4,	 /* ... and not touched again by the acceptor: see holders */
	T_NOT_ACCEPTED = 1 << 5, /* nobody accepted it */
	T_NO_MIRROR = 1 << 6,	 /* the other end does not exist or is not reported */
	T_ANY_HOLDER = 1 << 7,	 /* a holder is as good an answer as the owner, on every tier */
	T_URING = 1 << 8,
	T_NO_COOKIE = 1 << 9, /* no process ever had a descriptor: pair by tuple */
};

/* 16 bytes, IPv4 as ::ffff:a.b.c.d; port in host order. */
struct ep {
	struct in6_addr ip;
	uint16_t port;
	uint32_t scope; /* interface of a link-local address, else 0 */
};

/* One image of one process. */
struct image {
	int32_t pid; /* tgid as /proc shows it: the initial pid namespace */
	uint32_t args_len;
	uint64_t start_ticks; /* field 22 of /proc/PID/stat */
	char exe[EXE_BYTES];
	char args[ARGS_BYTES];
};

enum slot_state { SLOT_CLAIMED, SLOT_OPEN, SLOT_CLOSED };

struct session {
	atomic_int state; /* enum slot_state */
	uint32_t image;
	uint32_t scenario;
	uint32_t family; /* and MPTCP_FAMILIES */
	uint32_t n;
	uint32_t flags;
	uint16_t proto;
	uint16_t role;
	uint32_t uid;
	uint32_t gid;
	char comm[COMM_BYTES];
	bool has_remote;
	struct ep local;
	struct ep remote;
	uint64_t cookie;
	uint64_t netns_cookie; /* 0 before Linux 5.14 */
	uint32_t netns;	       /* as in the stage */
	uint32_t ifindex;      /* bound to, or of a link-local peer */
	uint64_t opened[2];    /* CLOCK_BOOTTIME ns: not before, not after */
	uint64_t closed[2];    /* 0 when nobody stamped it: it ended with its last holder */
	int32_t holders[HOLDERS];
	char reason[16];
};

struct ledger {
	atomic_uint sessions; /* slots claimed */
	atomic_uint images;
	atomic_uint netns; /* network namespaces made */
	uint32_t max_sessions;
	uint32_t max_images;
	atomic_uint full;   /* claims refused */
	atomic_uint stop;   /* storm: servers may leave */
	atomic_uint served; /* storm: connections accepted */
	atomic_uint failed; /* 1: FAILURE is taken */
	char failure[512];  /* the first failure of the running scenario */
	char skip[256];	    /* why the running scenario cannot run here */
};

/* The running scenario, set by the runner, inherited by fork, handed over exec. */
struct stage {
	uint32_t scenario; /* row of the table */
	uint32_t family;   /* enum family */
	uint32_t mptcp;	   /* 1: sockets for TCP are of MPTCP */
	uint32_t n;	   /* round */
	uint32_t storm;	   /* sessions a storm makes */
	uint32_t netns;	   /* of new sockets: 0 where the test began, else numbered as made */
};

extern struct ledger *ledger;
extern struct stage stage;
extern int ledger_fd;

/*
 * Where the world does a thing in several ways, a scenario does turn() modulo their number: rounds,
 * families and kinds of socket take turns, so that one round has all of them.
 */
static inline uint32_t turn(void)
{
	return stage.n + stage.family + stage.mptcp;
}

/* A new ledger with room for MAX sessions, or the one behind an inherited descriptor. */
int ledger_create(uint32_t max_sessions);
int ledger_attach(int fd);

uint64_t now_ns(void); /* CLOCK_BOOTTIME */

/* Forget what was read about this process: after fork, exec, setuid, or a change of its name. */
void self_changed(void);
/* The path to report instead of what /proc/self/exe says from inside a chroot. NULL: none. */
void self_exe_is(const char *exe);
int self_pid(void);

struct opening {
	int fd;
	int proto; /* IPPROTO_TCP, IPPROTO_UDP */
	enum truth_role role;
	uint32_t flags;
	const struct ep *local;	 /* NULL: getsockname() */
	const struct ep *remote; /* NULL: none, or filled in later by session_mirror() */
	uint64_t before;	 /* time before the call that opened it */
};

/* When an accepted connection opened: it may have been in the queue for as long as it liked. */
#define SINCE_EVER 0

/* The caller has just opened it. Never NULL: a full ledger gives a scratch slot. */
struct session *session_open(const struct opening *o);
/* Endpoints of an accepted socket from its client's slot: asking the socket would be seen. */
void session_mirror(struct session *s, const struct session *client);
void session_bound(struct session *s, int fd); /* the device FD is bound to by now counts */
void session_closed(struct session *s, uint64_t before);
void session_reason(struct session *s, const char *reason);
void session_holder(struct session *s, int pid);

uint32_t session_index(const struct session *s);
struct session *session_at(uint32_t index);
const struct image *image_at(uint32_t index);

struct names {
	const char *(*scenario)(uint32_t index);
	const char *(*family)(uint32_t index);
};

/* Slots [FIRST, LAST) as JSON lines. */
void report_sessions(FILE *out, const struct names *names, uint32_t first, uint32_t last);
void report_meta(FILE *out);
void report_text(FILE *out, const char *text, size_t len); /* quoted and escaped */
void report_session(FILE *out, const struct names *names, const struct session *s);
const char *ep_text(const struct ep *ep, char buf[INET6_ADDRSTRLEN]);

#endif
