/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One namespace with two cables that look the same: the near ends have one address, and so have the
 * far ends, each in a namespace of its own. What tells sessions with the same endpoints apart is
 * the device: SO_BINDTODEVICE, the scope of a link-local address, or the VRF a cable is part of.
 */
#include "scenario.h"

#include "text/cleanup.h"
#include <net/if.h>
#include <stdio.h>

#include "actor.h"
#include "netlink.h"
#include "place.h"
#include "udp.h"

#define NO_VETH "no veth in this kernel"
#define CALLER 5555 /* ports of TCP; UDP has the next ones */
#define SERVER 7777
#define NEAR 1 /* hosts */
#define FAR 2

static const char *const cables[] = { "near0", "near1" };
static const char *const vrfs[] = { "vrf0", "vrf1" };

/* One process's side of a TCP and of a UDP session. */
struct side {
	const char *device; /* bound to; NULL: none */
	bool late;	    /* bound to it after bind() */
	bool mute;	    /* UDP is not answered */
	unsigned int peers; /* serves(): how many call */
	struct ep at;	    /* bound to */
	struct ep with;	    /* calls(): whom; serves(): by which address it is called */
};

static struct ep next_port(struct ep ep)
{
	ep.port++;
	return ep;
}

static int tie(int fd, const struct side *s, bool late)
{
	if (!s->device || s->late != late)
		return 0;
	return sock_device(fd, s->device);
}

static int tied_tcp(const struct side *s)
{
	int fd = TRY(sock_new(SOCK_STREAM));

	TRY(sock_flag(fd, SOL_SOCKET, SO_REUSEADDR, 1));
	TRY(tie(fd, s, false));
	TRY(sock_bind(fd, &s->at));
	TRY(tie(fd, s, true));
	return fd;
}

static int tied_udp(struct udp *u, const struct side *s)
{
	struct ep at = next_port(s->at);

	TRY(udp_new(u));
	TRY(tie(u->own.fd, s, false));
	TRY(udp_bind(u, &at));
	return tie(u->own.fd, s, true);
}

/* An actor: a session of each kind, open until it is told. */
static int calls(int ctl, void *arg)
{
	const struct side *s = arg;
	struct ep asked = next_port(s->with);
	_conn_ struct conn c = CONN_NONE;
	_udp_ struct udp u = UDP_NONE;
	uint64_t go;

	c.fd = TRY(tied_tcp(s));
	TRY(tcp_connect_fd(&c, c.fd, &s->with, 0));
	TRY(send_byte(c.fd));
	TRY(tied_udp(&u, s));
	TRY(udp_connect(&u, &asked));
	TRY(udp_send(&u));
	if (!s->mute)
		TRY(udp_receive(&u));
	TRY(say(ctl, 0)); /* open */
	TRY(hear(ctl, &go));
	TRY(conn_close(&c));
	return udp_close(&u);
}

static int take_one(struct udp *u, const struct side *s)
{
	struct ep local = next_port(s->with), from;
	uint64_t before = now_ns();

	TRY(udp_wait(u));
	TRY(udp_take(u, true, &local, before, &from));
	return s->mute ? 0 : udp_reply(u, &from, NULL);
}

static int serves(int ctl, void *arg)
{
	const struct side *s = arg;
	_conn_ struct conn l = CONN_NONE, one = CONN_NONE, two = CONN_NONE;
	struct conn *c[] = { &one, &two };
	_udp_ struct udp u = UDP_NONE;
	uint64_t go;

	l.fd = TRY(tied_tcp(s));
	TRY(tcp_listen_fd(&l, l.fd));
	TRY(tied_udp(&u, s));
	TRY(say(ctl, 0)); /* ready */
	for (unsigned int i = 0; i < s->peers; i++) {
		TRY(tcp_accept(c[i], l.fd, true));
		TRY(recv_byte(c[i]->fd));
	}
	for (unsigned int i = 0; i < s->peers; i++)
		TRY(take_one(&u, s));
	TRY(say(ctl, 0)); /* all are open */
	TRY(hear(ctl, &go));
	for (unsigned int i = 0; i < s->peers; i++) {
		TRY(recv_end(c[i]->fd));
		TRY(conn_finish(c[i]));
	}
	TRY(udp_close(&u));
	return conn_close(&l);
}

/* The same at the far end of a cable, which is there until all is over at the near end too. */
static int calls_from_far(int ctl, struct side *s)
{
	uint64_t leave;

	TRY(calls(ctl, s));
	return hear(ctl, &leave);
}

static int start_side(struct actor *a, const char *name, actor_fn fn, const struct side *s)
{
	return actor_start(a, name, fn, (void *)s);
}

/* --- the place --- */

struct place {
	bool vrf, scoped;
	actor_fn far; /* what the far ends do when they are plugged in */
	struct actor ends[2];
};

static void place_drop(struct place *p)
{
	for (int i = 0; i < 2; i++)
		actor_drop(&p->ends[i]);
}

#define _place_ __attribute__((cleanup(place_drop)))

static int address_all(const char *name, unsigned char host)
{
	struct ep at = cable_address(host, 0), local = scoped_address(host, 0, name);
	char mode[64];

	/* The kernel's own link-local address would be the source of some answers. */
	snprintf(mode, sizeof(mode), "/proc/sys/net/ipv6/conf/%s/addr_gen_mode", name);
	if (stage.family == FAMILY_V6)
		TRY(setting(mode, "1"));
	TRY(link_up(name));
	TRY(address_add(name, &at, cable_prefix()));
	return stage.family == FAMILY_V6 ? address_add(name, &local, 64) : 0;
}

static int far_end(int ctl, void *arg)
{
	const struct place *p = arg;
	uint64_t plugged;

	TRY(own_netns());
	TRY(say(ctl, 0));
	TRY(hear(ctl, &plugged));
	TRY(address_all("far", FAR));
	return p->far(ctl, arg);
}

static int plug(struct place *p, int i)
{
	_close_ int netns = -1;
	uint64_t value;
	int r;

	TRY(actor_start(&p->ends[i], i ? "far-1" : "far-0", far_end, p));
	TRY(hear(p->ends[i].ctl, &value));
	netns = TRY(netns_of(p->ends[i].pid));
	r = veth_add(cables[i], "far", netns);
	if (r == -EOPNOTSUPP)
		return skipped(NO_VETH);
	TRY(r);
	if (p->vrf) {
		r = vrf_add(vrfs[i], 101 + (uint32_t)i);
		if (r == -EOPNOTSUPP)
			return skipped("no VRF in this kernel");
		TRY(r);
		TRY(link_up(vrfs[i]));
		TRY(link_master(cables[i], vrfs[i]));
	}
	TRY(address_all(cables[i], NEAR));
	return say(p->ends[i].ctl, 0);
}

/* The stage is in the middle of it; SKIPPED when there can be no such place. */
static int place_made(struct place *p)
{
	int r = own_netns();

	if (refused_to_us(r))
		return skipped(CAN_NOT);
	TRY(r);
	for (int i = 0; r == 0 && i < 2; i++)
		r = plug(p, i);
	return r;
}

/* Where the near side of cable I is, on PORT, and whom it has on the other side. */
static struct side near_side(const struct place *p, int i, uint16_t port, uint16_t other)
{
	struct side s = { .peers = 1 };

	if (p->scoped) {
		s.at = scoped_address(NEAR, port, cables[i]);
		s.with = scoped_address(FAR, other, cables[i]);
		return s;
	}
	s.device = p->vrf ? vrfs[i] : cables[i];
	s.late = !p->vrf && i; /* the address is not known outside the VRF */
	s.at = cable_address(NEAR, port);
	s.with = cable_address(FAR, other);
	return s;
}

static struct side far_side(const struct place *p, uint16_t port, uint16_t other)
{
	struct side s = { .peers = 1 };

	s.at = p->scoped ? scoped_address(FAR, port, "far") : cable_address(FAR, port);
	s.with = p->scoped ? scoped_address(NEAR, other, "far") : cable_address(NEAR, other);
	return s;
}

/* Called by both devices or scopes, or by VRFs for which it takes one of its own kind for each. */
static struct side near_server(const struct place *p, int i)
{
	struct side s = near_side(p, i, SERVER, SERVER);

	s.at = any_address(SERVER);
	s.with = p->scoped ? scoped_address(NEAR, SERVER, cables[i]) : cable_address(NEAR, SERVER);
	return s;
}

static int hear_all(struct actor *const *a, size_t count)
{
	uint64_t value;

	for (size_t i = 0; i < count; i++)
		TRY(hear(a[i]->ctl, &value));
	return 0;
}

static int say_all(struct actor *const *a, size_t count)
{
	for (size_t i = 0; i < count; i++)
		TRY(say(a[i]->ctl, 0));
	return 0;
}

static int join_all(struct actor *const *a, size_t count)
{
	for (size_t i = 0; i < count; i++)
		TRY(actor_join(a[i]));
	return 0;
}

/* --- the same endpoints twice --- */

/* First it is called, then it calls. */
static int far_twice(int ctl, void *arg)
{
	struct side s = far_side(arg, SERVER, CALLER);
	uint64_t go;

	s.with = s.at;
	TRY(serves(ctl, &s));
	s = far_side(arg, CALLER, SERVER);
	TRY(hear(ctl, &go));
	return calls_from_far(ctl, &s);
}

static int near_calls(struct place *p)
{
	_actor_ struct actor a = ACTOR_NONE, b = ACTOR_NONE;
	struct actor *near[] = { &a, &b }, *far[] = { &p->ends[0], &p->ends[1] };

	TRY(hear_all(far, 2)); /* ready */
	for (int i = 1; i >= 0; i--) {
		struct side s = near_side(p, i, CALLER, SERVER);

		TRY(start_side(near[i], i ? "near-1" : "near-0", calls, &s));
		TRY(hear_all(&near[i], 1));
	}
	TRY(hear_all(far, 2)); /* all are open */
	TRY(say_all(near, 2));
	TRY(join_all(near, 2));
	return say_all(far, 2);
}

/* A server for each device; link-local scopes have one for both. */
static int near_serves(struct place *p)
{
	_actor_ struct actor a = ACTOR_NONE, b = ACTOR_NONE;
	struct actor *near[] = { &a, &b }, *far[] = { &p->ends[0], &p->ends[1] };
	size_t servers = p->scoped ? 1 : 2;

	for (size_t i = servers; i-- > 0;) {
		struct side s = near_server(p, (int)i);

		s.peers = p->scoped ? 2 : 1;
		TRY(start_side(near[i], i ? "near-1" : "near-0", serves, &s));
		TRY(hear_all(&near[i], 1));
	}
	TRY(say_all(far, 2));
	TRY(hear_all(far, 2));
	TRY(hear_all(near, servers));
	TRY(say_all(far, 2));
	TRY(say_all(near, servers));
	TRY(join_all(near, servers));
	TRY(say_all(far, 2));
	return join_all(far, 2);
}

static int both_ways(bool vrf, bool scoped)
{
	_place_ struct place p = { .vrf = vrf, .scoped = scoped, .far = far_twice };
	int r = place_made(&p);

	if (r)
		return r;
	TRY(near_calls(&p));
	return near_serves(&p);
}

int device_tied(void)
{
	return both_ways(false, false);
}

int device_scoped(void)
{
	return both_ways(false, true);
}

int vrf_tied(void)
{
	return both_ways(true, false);
}

static int far_once(int ctl, void *arg)
{
	struct side s = far_side(arg, SERVER, CALLER);

	s.with = s.at;
	return serves(ctl, &s);
}

/* Two namespaces and what joins them. */
static int twin(int ctl, void *arg)
{
	_place_ struct place p = { .far = far_once };
	struct actor *far[] = { &p.ends[0] };
	struct side s = near_side(&p, 0, CALLER, SERVER);

	(void)arg;
	s.device = NULL;
	TRY(own_netns());
	if (TRY(plug(&p, 0)))
		return -EOPNOTSUPP;
	TRY(hear_all(far, 1)); /* ready */
	TRY(calls(ctl, &s));
	TRY(hear_all(far, 1)); /* open there too */
	TRY(say_all(far, 1));
	return join_all(far, 1);
}

int netns_twins(void)
{
	_actor_ struct actor a = ACTOR_NONE, b = ACTOR_NONE;
	struct actor *all[] = { &a, &b };
	int r = own_netns(); /* a try: the actors make their own */

	if (refused_to_us(r))
		return skipped(CAN_NOT);
	TRY(r);
	if (veth_add("one", "other", -1) == -EOPNOTSUPP)
		return skipped(NO_VETH);
	for (int i = 0; i < 2; i++)
		TRY(actor_start(all[i], i ? "twin-b" : "twin-a", twin, NULL));
	TRY(hear_all(all, 2));
	TRY(say_all(all, 2));
	return join_all(all, 2);
}

/* --- listeners of no VRF --- */

/*
 * The socket of a UDP server that is bound to no VRF has one session for one pair of endpoints, so
 * each far end has ports of its own; and it does not know the way back.
 */
static int far_calls_any(int ctl, void *arg)
{
	struct side s = far_side(arg, CALLER, SERVER);
	uint64_t number;

	TRY(hear(ctl, &number));
	s.at.port = (uint16_t)(s.at.port + number);
	s.mute = true;
	return calls_from_far(ctl, &s);
}

static int l3mdev_accept(const char *value)
{
	if (setting("/proc/sys/net/ipv4/tcp_l3mdev_accept", value) < 0 ||
	    setting("/proc/sys/net/ipv4/udp_l3mdev_accept", value) < 0)
		return skipped("net.ipv4.*_l3mdev_accept cannot be set");
	return 0;
}

int vrf_any(void)
{
	_place_ struct place p = { .vrf = true, .far = far_calls_any };
	struct side s = { .at = any_address(SERVER),
			  .with = cable_address(NEAR, SERVER),
			  .peers = 2,
			  .mute = true };
	_actor_ struct actor server = ACTOR_NONE;
	struct actor *near[] = { &server }, *far[] = { &p.ends[0], &p.ends[1] };
	int r = place_made(&p);

	if (r == 0)
		r = l3mdev_accept("1");
	if (r)
		return r;
	TRY(start_side(&server, "all-vrfs", serves, &s));
	TRY(hear_all(near, 1));
	for (uint64_t i = 0; i < 2; i++)
		TRY(say(p.ends[i].ctl, 2 * i));
	TRY(hear_all(far, 2));
	TRY(hear_all(near, 1));
	TRY(say_all(far, 2));
	TRY(say_all(near, 1));
	TRY(actor_join(&server));
	TRY(say_all(far, 2));
	return join_all(far, 2);
}

static int far_is_refused(int ctl, void *arg)
{
	struct side s = far_side(arg, CALLER, SERVER);
	_conn_ struct conn c = CONN_NONE;
	uint64_t go, before;
	int r;

	TRY(hear(ctl, &go));
	c.fd = TRY(tied_tcp(&s));
	before = now_ns();
	r = sock_connect(c.fd, &s.with);
	c.s = session_open(&(struct opening){ .fd = c.fd,
					      .proto = IPPROTO_TCP,
					      .role = ROLE_OPENER,
					      .flags = T_NO_MIRROR,
					      .local = &s.at,
					      .remote = &s.with,
					      .before = before });
	session_reason(c.s, "refused");
	if (r != -ECONNREFUSED)
		return failed(__FILE__, __LINE__, "refused", r ? r : -EISCONN);
	return conn_close(&c);
}

/* Nobody listens for a VRF who is not bound to it: vrf_tied() shows those who are. */
int vrf_closed(void)
{
	_place_ struct place p = { .vrf = true, .far = far_is_refused };
	struct ep at = any_address(SERVER);
	_conn_ struct conn l = CONN_NONE;
	int r = place_made(&p);

	if (r == 0)
		r = l3mdev_accept("0");
	if (r)
		return r;
	TRY(tcp_listen(&l, &at, NULL));
	for (int i = 0; i < 2; i++) {
		TRY(say(p.ends[i].ctl, 0));
		TRY(actor_join(&p.ends[i]));
	}
	return conn_close(&l);
}

/* --- a device that comes or goes while the socket is in use --- */

static int far_calls_early(int ctl, void *arg)
{
	struct side s = far_side(arg, CALLER, SERVER);
	_conn_ struct conn c = CONN_NONE;
	uint64_t go;

	TRY(hear(ctl, &go));
	c.fd = TRY(tied_tcp(&s));
	TRY(tcp_connect_fd(&c, c.fd, &s.with, 0));
	TRY(say(ctl, session_index(c.s)));
	TRY(hear(ctl, &go));
	TRY(recv_end(c.fd));
	return conn_finish(&c);
}

struct late {
	const struct conn *l;
	int cable;
};

/* Accepts without asking, binds to the device, closes: its first touch is of another key. */
static int accepts_and_ties(int ctl, void *arg)
{
	const struct late *late = arg;
	_conn_ struct conn c = CONN_NONE;
	uint64_t client;

	TRY(tcp_accept(&c, late->l->fd, false));
	TRY(sock_device(c.fd, cables[late->cable]));
	TRY(hear(ctl, &client));
	session_mirror(c.s, session_at((uint32_t)client));
	return conn_close(&c);
}

/* The worker accepts, the stage listens. */
static int one_accepted(struct place *p, const struct conn *l, int cable)
{
	_actor_ struct actor worker = ACTOR_NONE;
	struct actor *far[] = { &p->ends[cable] };
	struct late late = { l, cable };
	uint64_t client;

	TRY(actor_start(&worker, "ties", accepts_and_ties, &late));
	TRY(say_all(far, 1));
	TRY(hear(far[0]->ctl, &client));
	TRY(say(worker.ctl, client));
	TRY(actor_join(&worker));
	TRY(say_all(far, 1));
	return actor_join(far[0]);
}

/* UDP: bound to the device between the first datagram and the second. */
static int tied_between(const struct ep *to)
{
	struct ep here = cable_address(NEAR, CALLER);
	_udp_ struct udp u = UDP_NONE;

	TRY(udp_new(&u));
	TRY(udp_bind(&u, &here));
	TRY(udp_connect(&u, to));
	u.own.s->flags |= T_NO_MIRROR;
	TRY(udp_send(&u));
	TRY(sock_device(u.own.fd, cables[0]));
	udp_send(&u); /* refused by then, perhaps */
	return udp_close(&u);
}

int device_late(void)
{
	_place_ struct place p = { .far = far_calls_early };
	struct ep at = cable_address(NEAR, SERVER), to = cable_address(FAR, SERVER);
	_conn_ struct conn l = CONN_NONE;
	int r = place_made(&p);

	if (r)
		return r;
	TRY(tcp_listen(&l, &at, NULL));
	TRY(tied_between(&to)); /* a cable goes when its far end has gone */
	TRY(one_accepted(&p, &l, 0));
	TRY(sock_device(l.fd, cables[1]));
	TRY(one_accepted(&p, &l, 1));
	return conn_close(&l);
}

static int listens_tied(int ctl, void *arg)
{
	_conn_ struct conn l = CONN_NONE;
	struct side s = near_server(arg, 0);
	uint64_t value;

	l.fd = TRY(tied_tcp(&s));
	TRY(tcp_listen_fd(&l, l.fd));
	TRY(sock_device(l.fd, ""));
	TRY(say(ctl, session_index(l.s)));
	TRY(hear(ctl, &value));
	TRY(tcp_wait_queued(l.fd));
	tcp_queued(session_at((uint32_t)value), l.s);
	TRY(say(ctl, 0));
	TRY(hear(ctl, &value));
	return conn_close(&l);
}

/* Nobody accepts: the owner is who listened, though the key of the listener is another by now. */
int device_loosened(void)
{
	_place_ struct place p = { .far = far_calls_early };
	_actor_ struct actor server = ACTOR_NONE;
	struct actor *near[] = { &server }, *far[] = { &p.ends[0] };
	uint64_t client;
	int r = place_made(&p);

	if (r)
		return r;
	TRY(start_side(&server, "loosens", listens_tied, (void *)&p));
	TRY(hear_all(near, 1));
	TRY(say_all(far, 1));
	TRY(hear(far[0]->ctl, &client));
	TRY(say(server.ctl, client));
	TRY(hear_all(near, 1));
	TRY(say_all(near, 1));
	TRY(actor_join(&server));
	TRY(say_all(far, 1));
	return actor_join(&p.ends[0]);
}

/* --- the device only routes --- */

static int far_listens_udp(int ctl, void *arg)
{
	struct side s = far_side(arg, SERVER, CALLER);
	_udp_ struct udp u = UDP_NONE;
	uint64_t go;

	s.with = s.at;
	TRY(tied_udp(&u, &s));
	TRY(say(ctl, 0));
	TRY(take_one(&u, &s));
	TRY(say(ctl, 0));
	TRY(hear(ctl, &go));
	return udp_close(&u);
}

static int picks_route(int i, struct actor *far)
{
	bool v6 = stage.family == FAMILY_V6;
	struct ep here = cable_address(NEAR, (uint16_t)(CALLER + i));
	struct ep to = cable_address(FAR, SERVER + 1);
	int index = (int)htonl(if_nametoindex(cables[i]));
	_udp_ struct udp u = UDP_NONE;

	TRY(hear_all(&far, 1));
	TRY(udp_new(&u));
	TRY(v6 ? sock_flag(u.own.fd, IPPROTO_IPV6, IPV6_UNICAST_IF, index)
	       : sock_flag(u.own.fd, IPPROTO_IP, IP_UNICAST_IF, index));
	TRY(udp_bind(&u, &here));
	TRY(udp_send_first(&u, &to, &here));
	TRY(udp_receive(&u));
	TRY(hear_all(&far, 1));
	TRY(udp_close(&u));
	TRY(say_all(&far, 1));
	return actor_join(far);
}

int device_unicast(void)
{
	_place_ struct place p = { .far = far_listens_udp };
	int r = place_made(&p);

	if (r)
		return r;
	for (int i = 0; i < 2; i++)
		TRY(picks_route(i, &p.ends[i]));
	return 0;
}
