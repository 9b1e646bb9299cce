/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/reconcile.h"
#include "daemon/agent.h"
#include "text/cleanup.h"
#include "text/clock.h"
#include "host/config.h"
#include "text/idset.h"
#include "kernel/maps.h"
#include "host/netns.h"
#include "host/procfs.h"
#include "host/sockdiag.h"

#include <arpa/inet.h>
#include <errno.h>
#include <flowner/listen.h>
#include <linux/netlink.h>
#include <string.h>

#define NAMESPACES_MAX 1024
#define SETTLED_NS                                                                                 \
	2000000000ull /* younger flows are left alone: their socket may still be on its way */

#define ASKED_MAX 64 /* in a run */
#define IDLE_COUNT_NS 10000000000ull

struct namespace
{
	__u64 cookie;
	int fd;
};

struct run {
	struct agent *agent;
	void (*ended)(struct agent *agent, const struct fl_flow *flow);
	struct reconcile_result *result;
	struct namespace spaces[NAMESPACES_MAX];
	size_t space_count;
	struct idset sockets;	/* cookies the kernel listed */
	struct idset connected; /* UDP sockets of these and to whom, see tie() */
	struct idset again;	/* cookies listed a second time when the first left a doubt */
	bool listed_again;
	bool again_failed;	/* nothing can be told from it then */
	struct idset known;	/* cookies that have an entry */
	struct idset processes; /* owners of live flows */
	struct idset unreached; /* cookies of the namespaces of flows that are not in SPACES */
	__u64 started_ns;
	unsigned int asked; /* see is_undone() */
	bool seeded;
};

static void run_release(struct run *r)
{
	for (size_t i = 0; i < r->space_count; i++)
		close(r->spaces[i].fd);
	idset_release(&r->sockets);
	idset_release(&r->connected);
	idset_release(&r->again);
	idset_release(&r->known);
	idset_release(&r->processes);
	idset_release(&r->unreached);
	free(r);
}

static void cleanup_run(struct run **r)
{
	if (*r)
		run_release(*r);
}

static int add_again(const struct sockdiag_socket *s, void *arg)
{
	return idset_add(arg, sockdiag_cookie(s));
}

static __u64 mix(__u64 hash, __u64 word)
{
	hash = (hash ^ word) * 0xff51afd7ed558ccdull;
	return hash ^ hash >> 32;
}

/* In one number that is not 0: a process, ... */
static __u64 fold(const struct fl_proc_key *key)
{
	return mix(mix(0, key->start_ns), (__u64)key->pid << 32 | key->exec_id) | 1;
}

/* ... and a socket with its peer. */
static __u64 tie(__u64 cookie, const struct fl_addr *remote, __u16 port)
{
	__u64 hash = mix(mix(cookie, fl_addr_word(remote, 0)), fl_addr_word(remote, 1));

	return mix(hash, port) | 1;
}

static int add_socket(const struct sockdiag_socket *s, void *arg)
{
	__u64 cookie = sockdiag_cookie(s);
	struct run *run = arg;
	struct fl_addr remote;
	int r = idset_add(&run->sockets, cookie);

	if (r < 0 || s->proto != FL_UDP || s->state != FL_STATE_ESTABLISHED)
		return r;
	sockdiag_remote(s, &remote);
	return idset_add(&run->connected, tie(cookie, &remote, ntohs(s->id.idiag_dport)));
}

/* A socket inside the namespace, and what lives there. One that cannot be entered is left out. */
static int add_namespace(const char *path, __u32 inum, void *arg)
{
	struct run *run = arg;
	__u64 cookie;
	int fd, r;

	if (run->space_count == NAMESPACES_MAX)
		return 0;
	if (netns_socket(path, NETLINK_SOCK_DIAG, &fd, &cookie) < 0)
		return 0;
	if (!cookie)
		(void)maps_netns_cookie(run->agent->maps, inum, &cookie);
	r = sockdiag_each(fd, add_socket, run);
	if (r < 0 || !cookie) {
		close(fd);
		return r == -ENOMEM ? r : 0;
	}
	run->spaces[run->space_count].cookie = cookie;
	run->spaces[run->space_count++].fd = fd;
	return 0;
}

static const struct namespace *namespace_of(const struct run *run, __u64 cookie)
{
	for (size_t i = 0; i < run->space_count; i++) {
		if (run->spaces[i].cookie == cookie)
			return &run->spaces[i];
	}
	return NULL;
}

static void take_out(struct run *run, const struct fl_flow *flow, enum fl_reason reason)
{
	struct fl_flow gone = *flow;

	if (maps_end_flow(run->agent->maps, flow) < 0)
		return;
	gone.ended_ns = clock_ns(CLOCK_BOOTTIME);
	gone.reason = reason;
	if (reason == FL_REASON_IDLE)
		run->result->idle++;
	else
		run->result->ended++;
	run->ended(run->agent, &gone);
}

static bool is_idle_peer(const struct run *run, const struct fl_flow *flow)
{
	__u64 limit = (__u64)run->agent->config->udp_idle_s * 1000000000ull;
	__u64 active;

	if (flow->key.proto != FL_UDP || !(flow->id & FL_ID_NUMBERED) || !flow->key.remote_port)
		return false;
	if (maps_active_ns(run->agent->maps, flow->id, &active) < 0)
		return false;
	return active && run->started_ns > active && run->started_ns - active > limit;
}

/*
 * A dump may pass over a socket that is there. A TCP session can be asked for alone; the peer of a
 * UDP socket has no socket at its own tuple, and where several listen the kernel shows any of them,
 * so all are listed again: twice passed over is gone.
 */
static bool socket_gone(struct run *run, __u64 cookie)
{
	for (size_t i = 0; !run->listed_again && i < run->space_count; i++) {
		if (sockdiag_each(run->spaces[i].fd, add_again, &run->again) < 0)
			run->again_failed = true;
	}
	run->listed_again = true;
	return !run->again_failed && !idset_has(&run->again, cookie);
}

static bool is_gone(struct run *run, const struct fl_flow *flow)
{
	const struct namespace *space = namespace_of(run, flow->key.netns_cookie);

	if (!space || flow->seen_ns + SETTLED_NS > run->started_ns)
		return false;
	if (idset_has(&run->sockets, flow->cookie))
		return false;
	if (flow->key.proto == FL_UDP || !flow->key.remote_port)
		return socket_gone(run, flow->cookie);
	return sockdiag_exists(space->fd, &flow->key, flow->cookie) == 0;
}

static int note_unreached(struct run *run, __u64 cookie)
{
	if (!cookie || namespace_of(run, cookie) || idset_has(&run->unreached, cookie))
		return 0;
	run->result->unreached++;
	run->result->unreached_are ^= cookie;
	return idset_add(&run->unreached, cookie);
}

/*
 * A UDP socket that was connected to the peer of FLOW, the session being its own, and is no more:
 * no hook tells of connect() with AF_UNSPEC, and nothing came through the socket since. Which one
 * may be is in the list; it is asked for alone, for it may be connected by now, and the kernel may
 * have to list all for that.
 */
static bool is_undone(struct run *run, const struct fl_flow *flow)
{
	const struct namespace *space = namespace_of(run, flow->key.netns_cookie);
	struct sockdiag_socket s;
	__u64 active;

	if (!space || flow->key.proto != FL_UDP || !flow->key.remote_port ||
	    run->asked == ASKED_MAX)
		return false;
	if (idset_has(&run->connected, tie(flow->cookie, &flow->key.remote, flow->key.remote_port)))
		return false;
	if (maps_active_ns(run->agent->maps, flow->id, &active) < 0 || active)
		return false;
	run->asked++;
	if (sockdiag_find(space->fd, &flow->key, flow->cookie, &s) < 0)
		return false;
	return s.state != FL_STATE_ESTABLISHED || !sockdiag_is_at(&s, &flow->key);
}

static int judge(const struct fl_flow *flow, void *arg)
{
	struct run *run = arg;
	int r = note_unreached(run, flow->key.netns_cookie);

	if (r < 0)
		return r;
	run->result->flows++;
	if (is_gone(run, flow)) {
		take_out(run, flow, FL_REASON_LOST);
		return 0;
	}
	if (is_idle_peer(run, flow)) {
		take_out(run, flow, FL_REASON_IDLE);
		return 0;
	}
	if (is_undone(run, flow)) {
		take_out(run, flow, FL_REASON_NONE);
		return 0;
	}
	r = idset_add(&run->known, flow->cookie);
	if (r < 0)
		return r;
	if (!flow->opened_ns && flow->key.proto == FL_TCP)
		run->seeded = true;
	return flow->owner.proc.pid ? idset_add(&run->processes, fold(&flow->owner.proc)) : 0;
}

static int forget(const struct fl_process *p, void *arg)
{
	struct run *run = arg;

	if (p->seen_ns + SETTLED_NS > run->started_ns)
		return 0;
	if (idset_has(&run->processes, fold(&p->key)))
		return 0;
	if (!p->exited_ns && procfs_runs(&p->key))
		return 0;
	if (!maps_forget_process(run->agent->maps, &p->key))
		run->result->forgotten++;
	return 0;
}

static void next_epoch(struct fl_config *config, void *arg)
{
	const struct run *run = arg;

	config->udp_epoch++;
	config->seeded = run->seeded;
}

static void count_results(struct run *run)
{
	if (run->result->ended)
		(void)maps_count(run->agent->maps, FL_CNT_END_RECONCILED, run->result->ended);
	if (run->result->idle)
		(void)maps_count(run->agent->maps, FL_CNT_UDP_IDLE, run->result->idle);
}

int reconcile_run(struct agent *agent,
		  void (*ended)(struct agent *agent, const struct fl_flow *flow),
		  struct reconcile_result *ret_result)
{
	struct reconcile_result result = { 0 };
	_cleanup_(cleanup_run) struct run *run = calloc(1, sizeof(*run));
	int r;

	if (!run)
		return -ENOMEM;
	run->agent = agent;
	run->ended = ended;
	run->result = &result;
	run->started_ns = clock_ns(CLOCK_BOOTTIME);
	r = netns_each(add_namespace, run);
	if (r < 0)
		return r;
	r = maps_each_flow(agent->maps, judge, run);
	if (r < 0)
		return r;
	result.unknown = idset_count_missing(&run->sockets, &run->known);
	r = maps_each_process(agent->maps, forget, run);
	if (r < 0)
		return r;
	count_results(run);
	r = maps_forget_listeners(agent->maps, run->started_ns - IDLE_COUNT_NS);
	if (r < 0)
		return r;
	r = maps_configure(agent->maps, next_epoch, run);
	if (r < 0)
		return r;
	*ret_result = result;
	return 0;
}
