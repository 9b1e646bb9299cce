/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP: the kernel's own numbers of the socket, by sock_diag in the socket's namespace. UDP: what
 * the packet programs have counted. At its end the kernel side sends both with the record, where
 * they are found when a flow ended before it was asked for.
 */
#include "daemon/counts.h"
#include "daemon/agent.h"
#include "text/cleanup.h"
#include "host/config.h"
#include "flow/flows.h"
#include "kernel/maps.h"
#include "host/netns.h"
#include "host/sockdiag.h"

#include <errno.h>
#include <flowner/count.h>
#include <linux/netlink.h>
#include <linux/tcp.h>
#include <unistd.h>

/* A state that tells of a FIN received, of a socket that lives. */
static bool fin_received(enum fl_state state)
{
	return state == FL_STATE_CLOSE_WAIT || state == FL_STATE_LAST_ACK ||
	       state == FL_STATE_CLOSING;
}

static void take_tcp(struct fl_flow *flow, const struct tcp_info *info)
{
	struct fl_tcp_numbers n = {
		.bytes_acked = info->tcpi_bytes_acked,
		.bytes_received = info->tcpi_bytes_received,
		.bytes_fresh = info->tcpi_bytes_sent - info->tcpi_bytes_retrans,
		.segs_out = info->tcpi_segs_out,
		.segs_in = info->tcpi_segs_in,
		.total_retrans = info->tcpi_total_retrans,
		.srtt_us = info->tcpi_rtt,
		.state = (enum fl_state)info->tcpi_state,
		.fin_received = fin_received((enum fl_state)info->tcpi_state),
	};

	fl_count_tcp(&n, flow->role, &flow->counts);
	flow->counted = 1;
}

static bool fill_tcp(int fd, struct fl_flow *flow)
{
	struct tcp_info info;

	if (sockdiag_tcp_info(fd, &flow->key, flow->cookie, &info, sizeof(info)) < 0)
		return false;
	take_tcp(flow, &info);
	return true;
}

/* The cookie names the socket whatever the namespace of PATH is: another has no such socket. */
static int ask_in(const char *path, __u32 inum, void *arg)
{
	struct fl_flow *flow = arg;
	_close_ int fd = -1;
	__u64 cookie;

	if (inum && flow->netns_inum && inum != flow->netns_inum)
		return 0;
	if (netns_socket(path, NETLINK_SOCK_DIAG, &fd, &cookie) < 0)
		return 0;
	return fill_tcp(fd, flow);
}

/* A session that lives, of a kind that is counted here. */
static bool is_counted(const struct agent *agent, const struct fl_flow *flow)
{
	enum config_counts counts = agent->config->counts;

	return !flow->ended_ns && flow->key.remote_port &&
	       (counts == CONFIG_COUNTS_ALL ||
		(counts == CONFIG_COUNTS_TCP && flow->key.proto == FL_TCP));
}

static void fill_udp(const struct agent *agent, struct fl_flow *flow)
{
	if (maps_get_counts(agent->maps, flow->id, &flow->counts) == 0)
		flow->counted = 1;
}

/* It may have ended since it was copied, and then nothing counts it any more but its record. */
static void fill_ended(struct agent *agent, struct fl_flow *flow)
{
	const struct fl_flow *ended;
	struct fl_flow live;

	if (flow->counted || maps_get_flow(agent->maps, flow->id, &live) != -ENOENT ||
	    agent_drain(agent) < 0 || flows_get(agent->flows, flow->id, &ended) < 0 ||
	    !ended->counted)
		return;
	flow->counts = ended->counts;
	flow->counted = 1;
}

void counts_fill(struct agent *agent, struct fl_flow *flow)
{
	if (!is_counted(agent, flow))
		return;
	if (flow->key.proto == FL_UDP)
		fill_udp(agent, flow);
	else if (flow->key.netns_cookie == agent->netns_cookie)
		(void)ask_in(NETNS_OWN, 0, flow);
	else
		(void)netns_each(ask_in, flow);
	fill_ended(agent, flow);
}

/* --- many --- */

void counts_sockets_init(struct counts_sockets *s)
{
	s->own = -1;
	s->count = 0;
	s->looked = false;
}

void counts_sockets_close(struct counts_sockets *s)
{
	cleanup_close(&s->own);
	while (s->count > 0)
		close(s->other[--s->count].fd);
	counts_sockets_init(s);
}

static int open_in(const char *path, __u32 inum, void *arg)
{
	struct counts_sockets *s = arg;
	int fd = -1;
	__u64 cookie;

	if (s->count == COUNTS_NETNS)
		return 1;
	if (netns_socket(path, NETLINK_SOCK_DIAG, &fd, &cookie) < 0)
		return 0;
	s->other[s->count].fd = fd;
	s->other[s->count++].inum = inum;
	return 0;
}

static void ask_own(struct counts_sockets *s, struct fl_flow *flow)
{
	__u64 cookie;

	if (s->own < 0 && netns_socket_here(NETLINK_SOCK_DIAG, &s->own, &cookie) < 0)
		return;
	(void)fill_tcp(s->own, flow);
}

static void ask_others(struct counts_sockets *s, struct fl_flow *flow)
{
	bool done = false;

	if (!s->looked)
		(void)netns_each(open_in, s);
	s->looked = true;
	for (size_t i = 0; i < s->count && !done; i++)
		if (!flow->netns_inum || s->other[i].inum == flow->netns_inum)
			done = fill_tcp(s->other[i].fd, flow);
}

void counts_fill_next(struct counts_sockets *s, struct agent *agent, struct fl_flow *flow)
{
	if (!is_counted(agent, flow))
		return;
	if (flow->key.proto == FL_UDP)
		fill_udp(agent, flow);
	else if (flow->key.netns_cookie == agent->netns_cookie)
		ask_own(s, flow);
	else
		ask_others(s, flow);
	fill_ended(agent, flow);
}
