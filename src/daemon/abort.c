/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/abort.h"
#include "daemon/agent.h"
#include "text/cleanup.h"
#include "kernel/destroy.h"
#include "kernel/maps.h"
#include "host/netns.h"
#include "host/sockdiag.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <limits.h>
#include <string.h>

#define NO_COOKIE (~0ull) /* no socket gets as far */

/* Where the socket of a flow is to be asked for. */
struct place {
	const struct maps *maps;
	const struct fl_flow *flow;
	char path[PATH_MAX]; /* of its network namespace */
	int fd;		     /* NETLINK_SOCK_DIAG in there */
};

static void place_release(struct place *p)
{
	cleanup_close(&p->fd);
}

/* 1 when PATH is the one; what cannot be entered is not. */
static int place_try(const char *path, __u32 inum, void *arg)
{
	struct place *p = arg;
	_close_ int fd = -1;
	__u64 cookie;

	if (p->flow->netns_inum && inum && p->flow->netns_inum != inum)
		return 0;
	if (netns_socket(path, NETLINK_SOCK_DIAG, &fd, &cookie) < 0)
		return 0;
	if (!cookie)
		(void)maps_netns_cookie(p->maps, inum, &cookie);
	if (cookie != p->flow->key.netns_cookie)
		return 0;
	snprintf(p->path, sizeof(p->path), "%s", path);
	p->fd = TAKE_FD(fd);
	return 1;
}

static int place_open(const struct agent *agent, struct place *p)
{
	__u64 cookie;
	int r;

	if (p->flow->key.netns_cookie == agent->netns_cookie) {
		snprintf(p->path, sizeof(p->path), "%s", NETNS_OWN);
		return netns_socket(p->path, NETLINK_SOCK_DIAG, &p->fd, &cookie);
	}
	r = netns_each(place_try, p);
	return r < 0 ? r : r ? 0 : -EACCES;
}

/* --- is it still this flow? --- */

static int has_ended(const struct fl_flow *flow, struct fail *said)
{
	return fail(said, -ENOENT, "flow %016llx has already ended", flow->id);
}

/* A socket's later life has another id, and stands at the key if there is one. */
static bool is_current(const struct agent *agent, const struct fl_flow *flow)
{
	struct fl_flow now;

	if (maps_get_flow(agent->maps, flow->id, &now) < 0 || now.cookie != flow->cookie ||
	    memcmp(&now.key, &flow->key, sizeof(now.key)) != 0)
		return false;
	if (!flow->key.remote_port)
		return true;
	return !maps_find_flow(agent->maps, &flow->key, &now) && now.id == flow->id;
}

static int check_udp(const struct fl_flow *flow, const struct sockdiag_socket *s, struct fail *said)
{
	if (!flow->key.remote_port || sockdiag_is_at(s, &flow->key))
		return 0;
	if (!(flow->id & FL_ID_NUMBERED))
		return has_ended(flow, said);
	return fail(said, -EOPNOTSUPP,
		    "flow %016llx is one peer of the UDP socket %016llx, which it shares with "
		    "others: only all of them can be cut, by that id",
		    flow->id, flow->cookie);
}

static int check_tcp(const struct fl_flow *flow, const struct sockdiag_socket *s, struct fail *said)
{
	bool listens = s->state == FL_STATE_LISTEN;

	if (s->state == FL_STATE_TIME_WAIT)
		return fail(said, -ENOENT,
			    "flow %016llx has already ended: what is left of it in TIME-WAIT "
			    "belongs to nobody",
			    flow->id);
	if (!sockdiag_is_at(s, &flow->key) || listens != !flow->key.remote_port)
		return has_ended(flow, said);
	return 0;
}

static int check(const struct fl_flow *flow, const struct sockdiag_socket *s, struct fail *said)
{
	return flow->key.proto == FL_UDP ? check_udp(flow, s, said) : check_tcp(flow, s, said);
}

/* --- cutting --- */

/* Sockets that share a place out of turn (SO_REUSEADDR) cannot be named to netlink. */
static int cut(const struct place *p, const struct sockdiag_socket *s, struct fail *said)
{
	const struct fl_flow *flow = p->flow;
	int r = sockdiag_destroy(p->fd, s), by_program;

	if (r == -ENOENT || r == -EOPNOTSUPP) {
		by_program = destroy_by_program(p->path, flow->key.proto, flow->cookie);
		if (by_program != -EOPNOTSUPP)
			r = by_program;
	}
	switch (r) {
	case 0:
		return 0;
	case -ENOENT:
		return sockdiag_find(p->fd, &flow->key, flow->cookie, &(struct sockdiag_socket){})
			       ? has_ended(flow, said)
			       : fail(said, -EOPNOTSUPP,
				      "flow %016llx shares its port with other sockets, and this "
				      "kernel cannot tell them apart",
				      flow->id);
	case -EOPNOTSUPP:
		return fail(said, r,
			    "this kernel cannot cut flow %016llx: it has neither SOCK_DESTROY "
			    "(CONFIG_INET_DIAG_DESTROY) nor bpf_sock_destroy (Linux 6.5, BPF JIT)",
			    flow->id);
	default:
		return fail(said, r, "cannot cut flow %016llx: %s", flow->id, strerror(-r));
	}
}

/* The kernel said yes: what has become of the socket, and of the flow in the maps. */
static int settle(struct agent *agent, const struct place *p, struct fail *said)
{
	const struct fl_flow *flow = p->flow;
	struct sockdiag_socket s;
	struct fl_flow now;
	bool there;

	agent_drain_aborted(agent, flow->id);
	if (maps_get_flow(agent->maps, flow->id, &now) < 0)
		return 0;
	there = !sockdiag_find(p->fd, &flow->key, flow->cookie, &s);
	if (there && flow->key.proto == FL_TCP && s.state != FL_STATE_TIME_WAIT)
		return fail(said, -EOPNOTSUPP,
			    "flow %016llx has no owner any more and is about to close: this "
			    "kernel leaves it alone",
			    flow->id);
	if (there && !flow->key.remote_port) {
		(void)fail(said, 0,
			   "the process was told, but its UDP socket stays bound, and flow "
			   "%016llx open",
			   flow->id);
		return 0;
	}
	agent_end(agent, flow, FL_REASON_ABORTED);
	return 0;
}

static int find_and_cut(struct agent *agent, const struct place *p, struct fail *said)
{
	const struct fl_flow *flow = p->flow;
	struct sockdiag_socket s;
	int r = sockdiag_find(p->fd, &flow->key, flow->cookie, &s);

	if (r == -ENOENT)
		return has_ended(flow, said);
	if (r < 0)
		return fail(said, r, "cannot ask for the socket of flow %016llx: %s", flow->id,
			    strerror(-r));
	r = check(flow, &s, said);
	if (r < 0)
		return r;
	if (flow->ended_ns || !is_current(agent, flow))
		return has_ended(flow, said);
	r = cut(p, &s, said);
	return r < 0 ? r : settle(agent, p, said);
}

static int enter_and_cut(struct agent *agent, const struct fl_flow *flow, struct fail *said)
{
	_cleanup_(place_release) struct place p = { agent->maps, flow, "", -1 };
	int r = place_open(agent, &p);

	if (r < 0)
		return fail(said, r == -EACCES ? -EOPNOTSUPP : r,
			    "cannot enter the network namespace %u of flow %016llx: %s",
			    flow->netns_inum, flow->id, strerror(-r));
	return find_and_cut(agent, &p, said);
}

int abort_flow(struct agent *agent, const struct fl_flow *flow, struct fail *ret_said)
{
	int r;

	ret_said->text[0] = '\0';
	r = enter_and_cut(agent, flow, ret_said);
	(void)maps_count(agent->maps, r ? FL_CNT_ABORT_REFUSED : FL_CNT_ABORTED, 1);
	return r;
}

int abort_flow_in(struct agent *agent, const struct fl_flow *flow, const char *path, int sock_diag,
		  struct fail *ret_said)
{
	struct place p = { agent->maps, flow, "", sock_diag };

	ret_said->text[0] = '\0';
	snprintf(p.path, sizeof(p.path), "%s", path);
	return find_and_cut(agent, &p, ret_said);
}

/* A socket that cannot be: who could cut it finds that out, who cannot does not look. */
bool abort_is_possible(void)
{
	const struct sockdiag_socket nobody = { .id.idiag_dport = htons(1),
						.proto = FL_TCP,
						.family = AF_INET };
	_close_ int fd = -1;
	__u64 cookie;

	if (netns_socket(NETNS_OWN, NETLINK_SOCK_DIAG, &fd, &cookie) < 0)
		return true; /* nobody knows */
	return sockdiag_destroy(fd, &nobody) != -EOPNOTSUPP ||
	       destroy_by_program(NETNS_OWN, FL_TCP, NO_COOKIE) != -EOPNOTSUPP;
}
