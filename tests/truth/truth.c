/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ground truth: makes sessions of every kind and writes down who owned each of them, from what the
 * test itself did. It never asks the agent. score.c compares the two.
 */
#include "text/cleanup.h"
#include <ftw.h>
#include <getopt.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actor.h"
#include "check.h"
#include "hold.h"
#include "net.h"
#include "report.h"
#include "role.h"
#include "scenario.h"

#define V4 (1 << FAMILY_V4)
#define V6 (1 << FAMILY_V6)
#define MAPPED (1 << FAMILY_MAPPED)
#define ALL (V4 | V6 | MAPPED)
#define ONCE 256  /* not repeated -n times */
#define MPTCP 512 /* once more with MPTCP sockets */
#define ALL_MP (ALL | MPTCP)
#define BOTH_MP (V4 | V6 | MPTCP)

struct scenario {
	const char *name;
	int (*run)(void);
	unsigned int families; /* and ONCE, MPTCP */
	const char *help;
};

static const struct scenario table[] = {
	{ "tcp_plain", tcp_plain, ALL_MP, "accept(addr), both ends talk" },
	{ "tcp_accept_recv", tcp_accept_recv, ALL_MP, "accept(NULL), first touch is recv" },
	{ "tcp_accept_send", tcp_accept_send, ALL_MP, "accept(NULL), first touch is send" },
	{ "tcp_accept_untouched", tcp_accept_untouched, ALL_MP,
	  "accept(NULL), closed without I/O" },
	{ "tcp_prefork", tcp_prefork, ALL_MP, "workers accept on an inherited listener" },
	{ "tcp_inetd_addr", tcp_inetd_addr, ALL_MP, "accept(addr), a forked child serves" },
	{ "tcp_inetd_null", tcp_inetd_null, ALL_MP, "accept(NULL), a forked child serves" },
	{ "tcp_passed_addr", tcp_passed_addr, BOTH_MP, "accept(addr), passed by SCM_RIGHTS" },
	{ "tcp_passed_null", tcp_passed_null, BOTH_MP, "accept(NULL), passed by SCM_RIGHTS" },
	{ "tcp_passed_unconnected", tcp_passed_unconnected, BOTH_MP,
	  "socket() here, passed, connect() there" },
	{ "tcp_shared_socket", tcp_shared_socket, BOTH_MP,
	  "socket() in parent, connect() in child" },
	{ "tcp_fork_after_listen", tcp_fork_after_listen, ALL_MP,
	  "listen() in parent, accept() in child" },
	{ "tcp_reuseport", tcp_reuseport, ALL_MP,
	  "SO_REUSEPORT group, one left in its member's queue" },
	{ "tcp_thread_comm", tcp_thread_comm, BOTH_MP, "a thread with a name of its own" },
	{ "tcp_leader_exited", tcp_leader_exited, BOTH_MP, "a thread whose leader has exited" },
	{ "tcp_backlog_closed", tcp_backlog_closed, ALL_MP, "never accepted" },
	{ "tcp_backlog_reset", tcp_backlog_reset, ALL_MP,
	  "reset in the queue, accepted afterwards" },
	{ "tcp_backlog_full", tcp_backlog_full, V4 | V6 | ONCE,
	  "timed out: SYNs dropped by a full queue" },
	{ "tcp_nonblocking", tcp_nonblocking, ALL_MP, "non-blocking connect() and poll()" },
	{ "tcp_refused", tcp_refused, ALL, "nobody listens" },
	{ "tcp_draining", tcp_draining, ALL_MP, "the process exits, its data drains" },
	{ "tcp_half_closed", tcp_half_closed, BOTH_MP, "shutdown(SHUT_WR) long before close()" },
	{ "tcp_reconnect", tcp_reconnect, ALL, "AF_UNSPEC, then connect() again on one socket" },
	{ "tcp_relisten", tcp_relisten, ALL, "shutdown() of a listener, then listen() again" },
	{ "tcp_self_connect", tcp_self_connect, V4 | V6, "a socket connected to itself" },
	{ "tcp_reconnect_self", tcp_reconnect_self, V4 | V6,
	  "the same, after a session with another" },
	{ "tcp_tuple_reuse", tcp_tuple_reuse, ALL,
	  "the same endpoints by one process after the other" },
	{ "proc_activation", proc_activation, ALL_MP,
	  "listener inherited over exec (socket activation)" },
	{ "proc_connect_exec", proc_connect_exec, BOTH_MP, "connect(), then exec" },
	{ "proc_exec_connect", proc_exec_connect, V4 | V6, "exec, then connect()" },
	{ "proc_orphan", proc_orphan, BOTH_MP, "the parent has exited before connect()" },
	{ "proc_setuid", proc_setuid, V4 | V6, "root lets go before connect() and accept()" },
	{ "proc_pid_reuse", proc_pid_reuse, V4, "two processes in a row with one pid" },
	{ "proc_pidns", proc_pidns, V4 | V6, "own pid namespace: pid 1 there" },
	{ "proc_chroot", proc_chroot, V4, "program inside a chroot" },
	{ "proc_mountns", proc_mountns, V4, "program on a mount nobody else sees" },
	{ "proc_exe_deleted", proc_exe_deleted, V4 | V6, "program unlinked while it runs" },
	{ "proc_exe_memfd", proc_exe_memfd, V4 | V6, "program that never had a name" },
	{ "proc_exe_long", proc_exe_long, V4, "path of 400 and 3000 bytes, and of many parts" },
	{ "netns_plain", netns_plain, ALL, "own network namespace" },
	{ "netns_overlap", netns_overlap, ALL, "the same endpoints in two namespaces at once" },
	{ "netns_sequence", netns_sequence, ALL,
	  "the same endpoints in one namespace after the other" },
	{ "netns_moved", netns_moved, V4 | V6, "the process has left its socket's namespace" },
	{ "netns_veth", netns_veth, V4 | V6, "from one namespace to another" },
	{ "netns_fastopen", netns_fastopen, V4 | V6, "TCP fast open, data in the SYN" },
	{ "netns_timed_out", netns_timed_out, V4 | V6 | ONCE, "SYNs nobody answers" },
	{ "netns_unreachable", netns_unreachable, V4 | V6, "SYN answered by host unreachable" },
	{ "netns_no_route", netns_no_route, V4 | V6,
	  "connect() that fails before a session begins" },
	{ "netns_first", netns_first, ALL, "what a namespace sees first, one of each kind" },
	{ "netns_twins", netns_twins, ALL, "the same endpoints over two cables" },
	{ "again_time_wait", again_time_wait, V4 | V6, "endpoints in TIME_WAIT" },
	{ "again_port", again_port, ALL, "a port right after others closed it" },
	{ "again_overlap", again_overlap, ALL,
	  "listeners with one port and overlapping addresses" },
	{ "again_taken_over", again_taken_over, ALL, "a UDP peer goes on with another socket" },
	{ "again_pids", again_pids, V4 | V6 | ONCE, "hundreds of short lives with few pids" },
	{ "device_tied", device_tied, ALL, "the same endpoints by SO_BINDTODEVICE to two devices" },
	{ "device_scoped", device_scoped, V6, "the same link-local endpoints on two devices" },
	{ "device_late", device_late, ALL,
	  "bound to a device when connected, listening, accepted" },
	{ "device_loosened", device_loosened, ALL, "a listener that was bound to its device" },
	{ "device_unicast", device_unicast, V4 | V6, "IP_UNICAST_IF picks the device" },
	{ "vrf_tied", vrf_tied, ALL, "the same endpoints in two VRFs of one namespace" },
	{ "vrf_any", vrf_any, ALL, "one unbound listener for all VRFs (l3mdev_accept)" },
	{ "vrf_closed", vrf_closed, V4 | V6, "an unbound listener is none for a VRF" },
	{ "mptcp_joined", mptcp_joined, V4 | V6, "paths that the kernel opens by itself" },
	{ "mptcp_joined_queued", mptcp_joined_queued, V4 | V6,
	  "the same before the connection is accepted" },
	{ "udp_connected", udp_connected, ALL, "both ends bind and connect()" },
	{ "udp_unbound", udp_unbound, ALL, "connect() without bind(), a server that answers" },
	{ "udp_many_peers", udp_many_peers, ALL, "one server, several clients" },
	{ "udp_one_to_many", udp_one_to_many, ALL, "one unconnected socket, several servers" },
	{ "udp_forked_addr", udp_forked_addr, ALL, "bind() in parent, recvfrom() in child" },
	{ "udp_forked_null", udp_forked_null, ALL, "bind() in parent, recv() in child" },
	{ "udp_forked_send", udp_forked_send, ALL, "bind() in parent, sendto() in child" },
	{ "udp_reuseport", udp_reuseport, ALL, "several sockets on one port" },
	{ "udp_recv_null", udp_recv_null, ALL, "recv() without address on an unconnected socket" },
	{ "udp_reply_only", udp_reply_only, ALL, "received by the parent, answered by the child" },
	{ "udp_pktinfo", udp_pktinfo, ALL, "source address by IP_PKTINFO" },
	{ "udp_reconnect", udp_reconnect, ALL, "connect() to another peer, and back" },
	{ "udp_connected_sendto", udp_connected_sendto, ALL,
	  "sendto() elsewhere on a connected socket" },
	{ "udp_unread", udp_unread, ALL, "a datagram nobody takes" },
	{ "udp_silent", udp_silent, ALL, "connect() and not one datagram" },
	{ "udp_refused", udp_refused, ALL, "nobody there" },
	{ "udp_shared_send", udp_shared_send, ALL, "four processes send from one socket" },
	{ "udp_shared_recv", udp_shared_recv, ALL, "four processes receive from one socket" },
	{ "udp_peeked", udp_peeked, ALL, "MSG_PEEK in parent, received by child" },
	{ "udp_forked_connect", udp_forked_connect, ALL, "bind() in parent, connect() in child" },
	{ "udp_connect_any", udp_connect_any, ALL, "connect() to the any-address" },
	{ "udp_connect_failed", udp_connect_failed, ALL, "connect() without a route" },
	{ "udp_undone", udp_undone, ALL, "connect() with AF_UNSPEC, then sendto()" },
	{ "udp_undone_again", udp_undone_again, ALL, "connect() with AF_UNSPEC, then connect()" },
	{ "udp_connect_peer", udp_connect_peer, ALL, "connect() to who sent a datagram before" },
	{ "uring_inline", uring_inline, ALL, "io_uring, within the system call" },
	{ "uring_async", uring_async, V4 | V6, "io_uring, in a worker thread" },
	{ "uring_sqpoll", uring_sqpoll, V4 | V6, "io_uring, in the polling thread" },
	{ "storm", storm_tcp, ALL | ONCE, "short-lived processes, a few sessions each" },
	{ "churn", storm_churn, ALL | ONCE, "few processes, many sessions" },
	{ "storm_udp", storm_udp, ALL | ONCE, "short-lived UDP clients" },
};

#define SCENARIOS (sizeof(table) / sizeof(*table))

const struct role roles[] = {
	{ "burst", role_burst },	 { "dial", role_dial }, { "finish", role_finish },
	{ "activated", role_activated }, { NULL, NULL },
};

static const char *const family_names[] = { "v4",	"v6",	    "mapped",
					    "v4-mptcp", "v6-mptcp", "mapped-mptcp" };

struct options {
	unsigned int rounds;
	unsigned int storm;
	const char *out;
	const char *only;
	const char *skip;
	const char *hold;
	bool list;
	bool self_check;
};

struct tally {
	unsigned int run, failed, skipped;
};

static const char *scenario_name(uint32_t i)
{
	return i < SCENARIOS ? table[i].name : "hold";
}

static const char *family_name(uint32_t i)
{
	return family_names[i];
}

static const char *stage_family(void)
{
	return family_name(stage.family + (stage.mptcp ? MPTCP_FAMILIES : 0));
}

static const struct names names = { scenario_name, family_name };

/* NAME is what ENTRY of LEN bytes means; it may end in '*'. */
static bool is_meant(const char *entry, size_t len, const char *name)
{
	if (len && entry[len - 1] == '*')
		return !strncmp(entry, name, len - 1);
	return len == strlen(name) && !strncmp(entry, name, len);
}

/* Whether NAME is one of the comma separated LIST. */
static bool listed(const char *list, const char *name)
{
	while (*list) {
		size_t len = strcspn(list, ",");

		if (is_meant(list, len, name))
			return true;
		list += len + (list[len] == ',');
	}
	return false;
}

/* Whether each entry of LIST means a scenario: a misspelt one would prove nothing. */
static bool all_known(const char *list)
{
	while (*list) {
		size_t len = strcspn(list, ","), i = 0;

		while (i < SCENARIOS && !is_meant(list, len, table[i].name))
			i++;
		if (i == SCENARIOS) {
			fprintf(stderr, "truth: there is no scenario '%.*s'\n", (int)len, list);
			return false;
		}
		list += len + (list[len] == ',');
	}
	return true;
}

static bool selected(const struct options *o, const struct scenario *sc)
{
	if (o->only && !listed(o->only, sc->name))
		return false;
	return !(o->skip && listed(o->skip, sc->name));
}

/* Orphans come to us (subreaper); each has its own watchdog, so this ends. */
static void reap_orphans(void)
{
	while (wait(NULL) > 0 || errno == EINTR)
		;
}

/* A fresh process per round: it may change its namespaces, limits and identity at will. */
static int run_stage(const struct scenario *sc)
{
	int status, r;
	pid_t pid;

	ledger->skip[0] = ledger->failure[0] = '\0';
	atomic_store(&ledger->failed, 0);
	fflush(NULL);
	pid = fork_self();
	if (pid < 0)
		return failed(__FILE__, __LINE__, "fork", -errno);
	if (pid == 0) {
		r = sc->run();
		_exit(r < 0 ? 1 : r == SKIPPED ? 2 : 0);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	reap_orphans();
	if (WIFSIGNALED(status))
		return failed(__FILE__, __LINE__, strsignal(WTERMSIG(status)), -ETIMEDOUT);
	if (WEXITSTATUS(status) == 2)
		return SKIPPED;
	if (WEXITSTATUS(status))
		return failed(__FILE__, __LINE__, "stage", -ECHILD);
	return 0;
}

static void note(FILE *out, const struct scenario *sc, const char *what, const char *why)
{
	fprintf(stderr, "%s/%s: %s: %s\n", sc->name, stage_family(), what, why);
	fprintf(out, "{\"scenario\":\"%s\",\"family\":\"%s\",\"%s\":", sc->name, stage_family(),
		what);
	report_text(out, why, strlen(why));
	fprintf(out, "}\n");
}

static void run_rounds(const struct options *o, const struct scenario *sc, FILE *out,
		       struct tally *tally)
{
	unsigned int rounds = sc->families & ONCE ? 1 : o->rounds;

	for (stage.n = 0; stage.n < rounds; stage.n++) {
		uint32_t first = atomic_load(&ledger->sessions);
		int r = run_stage(sc);

		if (r == SKIPPED) {
			note(out, sc, "skipped", ledger->skip);
			tally->skipped++;
			return;
		}
		report_sessions(out, &names, first, atomic_load(&ledger->sessions));
		if (r < 0) {
			note(out, sc, "failed", ledger->failure);
			tally->failed++;
			return;
		}
	}
	tally->run++;
}

/* In the stage's family, which this host HAS or not. */
static void run_family(const struct options *o, const struct scenario *sc, bool has, FILE *out,
		       struct tally *tally)
{
	if (has) {
		run_rounds(o, sc, out, tally);
		return;
	}
	note(out, sc, "skipped", "this address family is not available");
	tally->skipped++;
}

static int run_table(const struct options *o, FILE *out, struct tally *tally)
{
	bool here[MPTCP_FAMILIES], mptcp = mptcp_here();

	for (uint32_t f = 0; f < MPTCP_FAMILIES; f++)
		here[f] = family_here(f);
	for (uint32_t i = 0; i < SCENARIOS; i++) {
		const struct scenario *sc = &table[i];

		for (uint32_t f = 0; f < 2 * MPTCP_FAMILIES && selected(o, sc); f++) {
			uint32_t family = f % MPTCP_FAMILIES;

			stage = (struct stage){ .scenario = i,
						.family = family,
						.mptcp = f >= MPTCP_FAMILIES,
						.storm = o->storm };
			if (sc->families & 1u << family && (!stage.mptcp || sc->families & MPTCP))
				run_family(o, sc, here[family] && (mptcp || !stage.mptcp), out,
					   tally);
		}
	}
	if (atomic_load(&ledger->full))
		return failed(__FILE__, __LINE__, "ledger full", -ENOSPC);
	return 0;
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *walk)
{
	(void)st;
	(void)kind;
	(void)walk;
	return remove(path);
}

static int make_temp_dir(char *buf, size_t size)
{
	const char *base = getenv("TMPDIR");

	snprintf(buf, size, "%s/truth.XXXXXX", base ? base : "/tmp");
	if (!mkdtemp(buf) || chmod(buf, 0755) < 0)
		return -errno;
	temp_dir = buf;
	return 0;
}

static void drop_temp_dir(const char *dir)
{
	nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

static int usage(FILE *to)
{
	fprintf(to, "usage: truth [-n ROUNDS] [-o FILE] [--only A,B*] [--skip A,B*] [--list]\n"
		    "             [--storm SESSIONS] [--self-check] | --hold FILE\n"
		    "Makes sessions and appends one JSON line for each to FILE (default: stdout).\n"
		    "TRUTH_SLOW=N in the environment multiplies every time limit.\n");
	return to == stdout ? 0 : 2;
}

static int list(void)
{
	for (size_t i = 0; i < SCENARIOS; i++)
		printf("%-24s %s%s%s  %s\n", table[i].name, table[i].families & V4 ? "v4 " : "   ",
		       table[i].families & V6 ? "v6 " : "   ",
		       table[i].families & MAPPED ? "mapped" : "      ", table[i].help);
	return 0;
}

static int parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{ "only", required_argument, NULL, 'O' }, { "skip", required_argument, NULL, 'S' },
		{ "list", no_argument, NULL, 'l' },	  { "storm", required_argument, NULL, 's' },
		{ "hold", required_argument, NULL, 'H' }, { "self-check", no_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },	  { NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "n:o:h", longs, NULL)) != -1) {
		switch (c) {
		case 'n':
			o->rounds = (unsigned int)atoi(optarg);
			break;
		case 's':
			o->storm = (unsigned int)atoi(optarg);
			break;
		case 'o':
			o->out = optarg;
			break;
		case 'O':
			o->only = optarg;
			break;
		case 'S':
			o->skip = optarg;
			break;
		case 'H':
			o->hold = optarg;
			break;
		case 'l':
			o->list = true;
			break;
		case 'c':
			o->self_check = true;
			break;
		case 'h':
			exit(usage(stdout));
		default:
			return -EINVAL;
		}
	}
	/* Each of nine storms makes its share, and enough to be a storm at all. */
	o->storm = o->storm < 9 * 64 ? 64 : (o->storm + 8) / 9;
	if ((o->only && !all_known(o->only)) || (o->skip && !all_known(o->skip)))
		return -EINVAL;
	return optind == argc ? 0 : -EINVAL;
}

static int run(const struct options *o, FILE *out)
{
	struct tally tally = { 0 };
	int r;

	report_meta(out);
	r = run_table(o, out, &tally);
	fflush(out);
	if (r < 0)
		fprintf(stderr, "truth: %s\n", ledger->failure);
	if (o->self_check && check_ledger(&names) < 0)
		r = -EINVAL;
	fprintf(stderr, "truth: %u sessions; scenarios: %u run, %u skipped, %u failed\n",
		atomic_load(&ledger->sessions), tally.run, tally.skipped, tally.failed);
	return r < 0 || tally.failed ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct options o = { .rounds = 1 };
	_fclose_ FILE *file = NULL;
	static char dir[4096];
	int r;

	if (argc > 2 && !strcmp(argv[1], "--as"))
		return play_role(argc, argv);
	if (parse(argc, argv, &o) < 0)
		return usage(stderr);
	if (o.list)
		return list();
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	r = actor_init();
	if (r == 0)
		r = ledger_create(4096 + o.rounds * 8192 + o.storm * 9 * 2);
	if (r == 0)
		r = make_temp_dir(dir, sizeof(dir));
	if (r < 0) {
		fprintf(stderr, "truth: cannot start: %s\n", strerror(-r));
		return 1;
	}
	if (o.hold) {
		r = hold(o.hold, &names);
		if (o.self_check && check_ledger(&names) < 0)
			r = 1;
	} else {
		file = o.out ? fopen(o.out, "ae") : NULL;
		if (o.out && !file)
			fprintf(stderr, "truth: cannot write '%s': %s\n", o.out, strerror(errno));
		r = o.out && !file ? 1 : run(&o, file ? file : stdout);
	}
	drop_temp_dir(dir);
	return r;
}
