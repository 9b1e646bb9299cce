/* SPDX-License-Identifier: BSD-2-Clause */
/* Sessions in network namespaces made here, and what only a namespace of one's own allows. */
#include "scenario.h"

#include "text/cleanup.h"
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actor.h"
#include "net.h"
#include "netlink.h"
#include "place.h"
#include "udp.h"

#define SEQUENCE 6 /* namespaces made to see one inode again */

/* One connection of the caller with itself: FROM and TO may have fixed ports. */
static int both_ends(const struct ep *from, const struct ep *to, int ctl)
{
	_conn_ struct conn l = CONN_NONE, c = CONN_NONE, a = CONN_NONE;
	struct ep at;
	uint64_t go;
	int fd;

	TRY(tcp_listen(&l, to, &at));
	fd = TRY(sock_new(SOCK_STREAM));
	TRY(sock_flag(fd, SOL_SOCKET, SO_REUSEADDR, 1));
	if (from)
		TRY(sock_bind(fd, from));
	TRY(tcp_connect_fd(&c, fd, &at, 0));
	TRY(tcp_accept(&a, l.fd, true));
	TRY(send_byte(c.fd));
	TRY(recv_byte(a.fd));
	if (ctl >= 0) {
		TRY(say(ctl, 0)); /* open */
		TRY(hear(ctl, &go));
	}
	TRY(conn_close(&c));
	TRY(recv_end(a.fd));
	TRY(conn_close(&a));
	return conn_close(&l);
}

int netns_plain(void)
{
	int r = own_netns();

	if (refused_to_us(r))
		return skipped(CAN_NOT);
	TRY(r);
	return both_ends(NULL, NULL, -1);
}

/* A datagram to oneself and its answer. */
static int udp_both_ends(const struct ep *from, const struct ep *to, struct udp *c, struct udp *s)
{
	struct ep asker;

	TRY(udp_new(s));
	TRY(sock_flag(s->own.fd, SOL_SOCKET, SO_REUSEPORT, 1));
	TRY(udp_bind(s, to));
	TRY(udp_new(c));
	TRY(sock_flag(c->own.fd, SOL_SOCKET, SO_REUSEADDR, 1));
	TRY(udp_bind(c, from));
	TRY(udp_connect(c, to));
	TRY(udp_send(c));
	TRY(udp_wait(s));
	TRY(udp_take(s, true, to, now_ns(), &asker));
	TRY(udp_reply(s, &asker, NULL));
	return udp_receive(c);
}

static int own_inode(uint64_t *ret_inode)
{
	struct stat st;

	SYS(fstatat(proc_dir, "thread-self/ns/net", &st, 0));
	*ret_inode = st.st_ino;
	return 0;
}

/* The same numbers every time, shared with who may share them; the namespace is what differs. */
static int same_endpoints(int ctl)
{
	struct ep from = loopback(1, 5555), to = loopback(1, 7777);
	_udp_ struct udp c = UDP_NONE, s = UDP_NONE;

	TRY(udp_both_ends(&from, &to, &c, &s));
	TRY(both_ends(&from, &to, ctl));
	TRY(udp_close(&c));
	return udp_close(&s);
}

static int at_once(int ctl, void *arg)
{
	(void)arg;
	TRY(own_netns());
	return same_endpoints(ctl);
}

static int in_sequence(int ctl, void *arg)
{
	uint64_t inode = 0;

	(void)arg;
	TRY(own_netns());
	TRY(own_inode(&inode));
	TRY(same_endpoints(-1));
	return say(ctl, inode);
}

int netns_overlap(void)
{
	_actor_ struct actor a = ACTOR_NONE, b = ACTOR_NONE;
	struct actor *all[] = { &a, &b };
	uint64_t open;
	int r = own_netns(); /* a try: the actors make their own */

	if (refused_to_us(r))
		return skipped(CAN_NOT);
	TRY(r);
	for (int i = 0; i < 2; i++)
		TRY(actor_start(all[i], i ? "netns-b" : "netns-a", at_once, NULL));
	for (int i = 0; i < 2; i++)
		TRY(hear(all[i]->ctl, &open));
	for (int i = 0; i < 2; i++)
		TRY(say(all[i]->ctl, 0));
	for (int i = 0; i < 2; i++)
		TRY(actor_join(all[i]));
	return 0;
}

/*
 * One namespace after the other: the kernel hands the old inode number out again, which is when the
 * work of taking the old one down is done; other namespaces of the machine may get it first.
 */
int netns_sequence(void)
{
	uint64_t inodes[SEQUENCE];
	int r = own_netns(), again = 0; /* a try: the actors make their own */

	if (refused_to_us(r))
		return skipped(CAN_NOT);
	TRY(r);
	for (int i = 0; i < SEQUENCE; i++) {
		_actor_ struct actor a = ACTOR_NONE;

		/* An actor, so that the stage stays where it is. */
		TRY(actor_start(&a, i & 1 ? "odd" : "even", in_sequence, NULL));
		TRY(hear(a.ctl, &inodes[i]));
		TRY(actor_join(&a));
		for (int j = 0; j < i; j++)
			again += inodes[j] == inodes[i];
		usleep(30000); /* lint: poll, for the kernel's worker */
	}
	if (!again)
		fprintf(stderr, "netns_sequence: no inode came again\n");
	return 0;
}

/* A socket stays in the namespace it was made in, wherever its process goes. */
int netns_moved(void)
{
	_conn_ struct conn l = CONN_NONE, c = CONN_NONE, a = CONN_NONE;
	struct ep at;
	uint32_t made_in;
	int r = own_netns(), fd;

	if (refused_to_us(r))
		return skipped(CAN_NOT);
	TRY(r);
	TRY(tcp_listen(&l, NULL, &at));
	fd = TRY(sock_new(SOCK_STREAM));
	made_in = stage.netns;
	TRY(own_netns());
	stage.netns = made_in;
	TRY(tcp_connect_fd(&c, fd, &at, 0));
	TRY(tcp_accept(&a, l.fd, turn() & 1));
	if (!(turn() & 1))
		session_mirror(a.s, c.s);
	TRY(send_byte(c.fd));
	TRY(recv_byte(a.fd));
	TRY(conn_close(&c));
	TRY(conn_close(&a));
	return conn_close(&l);
}

/* In a namespace of its own: serves one client from the other side of the cable. */
static int serves_over_veth(int ctl, void *arg)
{
	_conn_ struct conn l = CONN_NONE, c = CONN_NONE;
	struct ep at = cable_address(2, 0);
	uint64_t cable;

	(void)arg;
	TRY(own_netns());
	TRY(say(ctl, 0)); /* the stage plugs the cable into our namespace */
	TRY(hear(ctl, &cable));
	TRY(address_add("far", &at, cable_prefix()));
	TRY(link_up("far"));
	TRY(tcp_listen(&l, &at, &at));
	TRY(say(ctl, at.port));
	TRY(tcp_accept(&c, l.fd, true));
	TRY(recv_end(c.fd));
	return conn_finish(&c);
}

int netns_veth(void)
{
	_actor_ struct actor server = ACTOR_NONE;
	_conn_ struct conn c = CONN_NONE;
	struct ep here = cable_address(1, 0), to;
	_close_ int far = -1;
	uint64_t value;
	int r = own_netns();

	if (refused_to_us(r))
		return skipped(CAN_NOT);
	TRY(r);
	TRY(actor_start(&server, "veth-server", serves_over_veth, NULL));
	TRY(hear(server.ctl, &value));
	far = TRY(netns_of(server.pid));
	r = veth_add("near", "far", far);
	if (r == -EOPNOTSUPP)
		return skipped("no veth in this kernel");
	TRY(r);
	TRY(address_add("near", &here, cable_prefix()));
	TRY(link_up("near"));
	TRY(say(server.ctl, 0));
	TRY(hear(server.ctl, &value));
	to = cable_address(2, (uint16_t)value);
	TRY(tcp_connect(&c, &to));
	TRY(send_byte(c.fd));
	TRY(conn_close(&c));
	TRY(actor_join(&server));
	return 0;
}

/* --- what needs settings or addresses of one's own --- */

static int fastopen_serves(int ctl, void *arg)
{
	_conn_ struct conn l = CONN_NONE;
	struct ep at = loopback(1, 0);
	int fd = TRY(sock_new(SOCK_STREAM));

	(void)arg;
	TRY(sock_bind(fd, &at));
	TRY(sock_flag(fd, IPPROTO_TCP, TCP_FASTOPEN, 16));
	TRY(tcp_listen_fd(&l, fd));
	TRY(say(ctl, l.s->local.port));
	for (int i = 0; i < 3; i++) {
		_conn_ struct conn c = CONN_NONE;

		TRY(tcp_accept(&c, l.fd, true));
		TRY(recv_byte(c.fd));
		TRY(send_byte(c.fd));
		TRY(recv_end(c.fd));
		TRY(conn_close(&c));
	}
	return conn_close(&l);
}

/* sendto() that connects: there is no connect() to see. */
static int fastopen_call(const struct ep *to)
{
	_conn_ struct conn c = CONN_NONE;
	struct sockaddr_storage sa;
	uint64_t before = now_ns();
	socklen_t len;

	c.fd = TRY(sock_new(SOCK_STREAM));
	len = ep_to_sa(sock_af(c.fd), to, &sa);
	SYS(sendto(c.fd, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL, (struct sockaddr *)&sa, len));
	c.s = session_open(&(struct opening){ .fd = c.fd,
					      .proto = IPPROTO_TCP,
					      .role = ROLE_OPENER,
					      .remote = to,
					      .before = before });
	TRY(recv_byte(c.fd));
	return conn_close(&c);
}

int netns_fastopen(void)
{
	_actor_ struct actor server = ACTOR_NONE;
	struct ep to;
	uint64_t port;
	int r = own_netns();

	if (refused_to_us(r))
		return skipped(CAN_NOT);
	TRY(r);
	if (setting("/proc/sys/net/ipv4/tcp_fastopen", "3") < 0)
		return skipped("net.ipv4.tcp_fastopen cannot be set");
	TRY(actor_start(&server, "tfo-server", fastopen_serves, NULL));
	TRY(hear(server.ctl, &port));
	to = loopback(1, (uint16_t)port);
	/* The first asks for the cookie, the others send data in the SYN. */
	for (int i = 0; i < 3; i++)
		TRY(fastopen_call(&to));
	TRY(actor_join(&server));
	return 0;
}

/* A cable nobody is at the other end of; SKIPPED when there is no such thing. */
static int dead_cable(bool neighbour)
{
	struct ep here = cable_address(1, 0), there = cable_address(2, 0);
	int r = own_netns();

	if (refused_to_us(r))
		return skipped(CAN_NOT);
	TRY(r);
	r = veth_add("near", "far", -1);
	if (r == -EOPNOTSUPP)
		return skipped("no veth in this kernel");
	TRY(r);
	TRY(link_up("near"));
	TRY(link_up("far"));
	TRY(address_add("near", &here, cable_prefix()));
	if (neighbour)
		TRY(neighbour_add("near", &there));
	return 0;
}

static int dial_dead_cable(int want, const char *reason)
{
	_conn_ struct conn c = CONN_NONE;
	struct ep here = cable_address(1, 0), there = cable_address(2, 9);
	uint64_t before = now_ns();
	int r;

	c.fd = TRY(sock_new(SOCK_STREAM));
	TRY(sock_flag(c.fd, IPPROTO_TCP, TCP_SYNCNT, 1));
	TRY(sock_flag(c.fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 500));
	TRY(sock_bind(c.fd, &here));
	TRY(ep_of_fd(c.fd, &here));
	r = sock_connect(c.fd, &there);
	c.s = session_open(&(struct opening){ .fd = c.fd,
					      .proto = IPPROTO_TCP,
					      .role = ROLE_OPENER,
					      .flags = T_NO_MIRROR,
					      .local = &here,
					      .remote = &there,
					      .before = before });
	session_reason(c.s, reason);
	if (r != -want)
		return failed(__FILE__, __LINE__, reason, r ? r : -EISCONN);
	return conn_close(&c);
}

int netns_timed_out(void)
{
	int r = dead_cable(true);

	return r ? r : dial_dead_cable(ETIMEDOUT, "timed_out");
}

/* Nobody answers for the address: the kernel itself sends "host unreachable" after the SYN. */
int netns_unreachable(void)
{
	int r = dead_cable(false);

	if (r)
		return r;
	/* Both families' defaults wait three seconds. */
	setting("/proc/sys/net/ipv4/neigh/near/mcast_solicit", "1");
	setting("/proc/sys/net/ipv6/neigh/near/mcast_solicit", "1");
	setting("/proc/sys/net/ipv4/neigh/near/retrans_time_ms", "100");
	setting("/proc/sys/net/ipv6/neigh/near/retrans_time_ms", "100");
	return dial_dead_cable(EHOSTUNREACH, "unreachable");
}

/* connect() that fails before anything is sent is no session: whoever reports one made it up. */
int netns_no_route(void)
{
	struct ep there = cable_address(2, 9);
	_close_ int fd = -1;
	int r = own_netns();

	if (refused_to_us(r))
		return skipped(CAN_NOT);
	TRY(r);
	fd = TRY(sock_new(SOCK_STREAM));
	r = sock_connect(fd, &there);
	if (r != -ENETUNREACH && r != -EADDRNOTAVAIL && r != -EHOSTUNREACH)
		return failed(__FILE__, __LINE__, "no route", r ? r : -EISCONN);
	SYS(close(TAKE_FD(fd)));
	/* The same process also makes a real one, so that it is known to the scorer. */
	return both_ends(NULL, NULL, -1);
}

/* --- first sight --- */

static int first_refused(void)
{
	_conn_ struct conn c = CONN_NONE;
	struct ep here = loopback(1, 5555), there = loopback(1, 9);
	uint64_t before = now_ns();
	int r;

	c.fd = TRY(sock_new(SOCK_STREAM));
	TRY(sock_bind(c.fd, &here));
	r = sock_connect(c.fd, &there);
	c.s = session_open(&(struct opening){ .fd = c.fd,
					      .proto = IPPROTO_TCP,
					      .role = ROLE_OPENER,
					      .flags = T_NO_MIRROR,
					      .local = &here,
					      .remote = &there,
					      .before = before });
	session_reason(c.s, "refused");
	if (r != -ECONNREFUSED)
		return failed(__FILE__, __LINE__, "refused", r ? r : -EISCONN);
	return conn_close(&c);
}

static int first_accepted(void)
{
	struct ep from = loopback(1, 5555), to = loopback(1, 9);

	return both_ends(&from, &to, -1);
}

static int first_bound(void)
{
	_udp_ struct udp u = UDP_NONE;
	struct ep here = loopback(1, 5555);

	TRY(udp_new(&u));
	TRY(udp_bind(&u, &here));
	return udp_close(&u);
}

static int first_sent(void)
{
	_udp_ struct udp u = UDP_NONE;
	struct ep there = loopback(1, 9);

	TRY(udp_new(&u));
	TRY(udp_send_first(&u, &there, NULL));
	u.peers[0]->flags |= T_NO_MIRROR;
	udp_autobound(&u);
	return udp_close(&u);
}

static int first_connected(void)
{
	_udp_ struct udp u = UDP_NONE;
	struct ep there = loopback(1, 9);

	TRY(udp_new(&u));
	TRY(udp_connect(&u, &there));
	u.own.s->flags |= T_NO_MIRROR;
	return udp_close(&u);
}

static int first_in_its_netns(int ctl, void *arg)
{
	int (*const *first)(void) = arg;

	(void)ctl;
	TRY(own_netns());
	return (*first)();
}

/* The kernel may make what tells a namespace from others when somebody asks for the first time. */
int netns_first(void)
{
	static int (*const kinds[])(void) = { first_refused, first_accepted, first_bound,
					      first_sent, first_connected };
	int r = own_netns(); /* a try */

	if (refused_to_us(r))
		return skipped(CAN_NOT);
	TRY(r);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		_actor_ struct actor a = ACTOR_NONE;

		TRY(actor_start(&a, "first", first_in_its_netns, (void *)&kinds[i]));
		TRY(actor_join(&a));
	}
	return 0;
}
