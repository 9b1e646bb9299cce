/* SPDX-License-Identifier: BSD-2-Clause */
/* Sockets whose life is written into the ledger. */
#include "net.h"

#include <arpa/inet.h>
#include "text/cleanup.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "actor.h"

int sock_flag(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

int sock_limits(int fd)
{
	struct timeval limit = { .tv_sec = patience_ms() / 1000 };

	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0)
		return -errno;
	return 0;
}

static int sock_of(int af, int type)
{
	int protocol = type == SOCK_STREAM && stage.mptcp ? IPPROTO_MPTCP : 0;
	_close_ int fd = socket(af, type | SOCK_CLOEXEC, protocol);
	int r;

	if (fd < 0)
		return -errno;
	if (af == AF_INET6) {
		r = sock_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY, stage.family == FAMILY_V6);
		if (r < 0)
			return r;
	}
	r = sock_limits(fd);
	return r < 0 ? r : TAKE_FD(fd);
}

int sock_new(int type)
{
	return sock_of(stage.family == FAMILY_V4 ? AF_INET : AF_INET6, type);
}

int sock_device(int fd, const char *name)
{
	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, (socklen_t)strlen(name)) < 0)
		return -errno;
	return 0;
}

int keep_over_exec(int fd)
{
	return fcntl(fd, F_SETFD, 0) < 0 ? -errno : 0;
}

static struct ep mapped(uint32_t v4, uint16_t port)
{
	struct ep ep = { .port = port };

	ep.ip.s6_addr[10] = ep.ip.s6_addr[11] = 0xff;
	v4 = htonl(v4);
	memcpy(&ep.ip.s6_addr[12], &v4, 4);
	return ep;
}

struct ep loopback(unsigned int host, uint16_t port)
{
	if (stage.family == FAMILY_V6)
		return (struct ep){ .ip = IN6ADDR_LOOPBACK_INIT, .port = port };
	return mapped(0x7f000000 | host, port);
}

struct ep any_address(uint16_t port)
{
	if (stage.family == FAMILY_V4)
		return mapped(0, port);
	return (struct ep){ .port = port };
}

void ep_from_sa(const struct sockaddr_storage *sa, struct ep *ret_ep)
{
	struct sockaddr_in6 in6 = { 0 };
	struct sockaddr_in in = { 0 };

	if (sa->ss_family == AF_INET) {
		memcpy(&in, sa, sizeof(in));
		*ret_ep = mapped(ntohl(in.sin_addr.s_addr), ntohs(in.sin_port));
	} else {
		memcpy(&in6, sa, sizeof(in6));
		*ret_ep = (struct ep){ .ip = in6.sin6_addr,
				       .port = ntohs(in6.sin6_port),
				       .scope = in6.sin6_scope_id };
	}
}

socklen_t ep_to_sa(int af, const struct ep *ep, struct sockaddr_storage *ret_sa)
{
	struct sockaddr_in *in = (struct sockaddr_in *)ret_sa;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret_sa;

	memset(ret_sa, 0, sizeof(*ret_sa));
	ret_sa->ss_family = (sa_family_t)af;
	if (af == AF_INET) {
		in->sin_port = htons(ep->port);
		memcpy(&in->sin_addr, &ep->ip.s6_addr[12], 4);
		return sizeof(*in);
	}
	in6->sin6_port = htons(ep->port);
	in6->sin6_addr = ep->ip;
	in6->sin6_scope_id = ep->scope;
	return sizeof(*in6);
}

int ep_of_fd(int fd, struct ep *ret_ep)
{
	struct sockaddr_storage sa = { 0 };
	socklen_t len = sizeof(sa);

	if (getsockname(fd, (struct sockaddr *)&sa, &len) < 0)
		return -errno;
	ep_from_sa(&sa, ret_ep);
	return 0;
}

int sock_af(int fd)
{
	int af = AF_UNSPEC;
	socklen_t len = sizeof(af);

	getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &af, &len);
	return af;
}

int sock_bind(int fd, const struct ep *at)
{
	struct sockaddr_storage sa;
	socklen_t len = ep_to_sa(sock_af(fd), at, &sa);

	return bind(fd, (struct sockaddr *)&sa, len) < 0 ? -errno : 0;
}

int sock_connect(int fd, const struct ep *to)
{
	struct sockaddr_storage sa;
	socklen_t len = ep_to_sa(sock_af(fd), to, &sa);

	return connect(fd, (struct sockaddr *)&sa, len) < 0 ? -errno : 0;
}

int tcp_listen_fd(struct conn *ret, int fd)
{
	uint64_t before = now_ns();

	if (listen(fd, 1024) < 0)
		return -errno;
	ret->fd = fd;
	ret->s = session_open(&(struct opening){
		.fd = fd, .proto = IPPROTO_TCP, .role = ROLE_LISTENER, .before = before });
	return 0;
}

int tcp_listen(struct conn *ret, const struct ep *at, struct ep *ret_at)
{
	struct ep here = loopback(1, 0);
	_close_ int fd = sock_new(SOCK_STREAM);
	int r;

	if (fd < 0)
		return fd;
	r = sock_flag(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (r == 0)
		r = sock_bind(fd, at ? at : &here);
	if (r == 0)
		r = tcp_listen_fd(ret, fd);
	if (r < 0)
		return r;
	if (ret_at)
		*ret_at = ret->s->local;
	TAKE_FD(fd);
	return 0;
}

int tcp_connect_fd(struct conn *ret, int fd, const struct ep *to, uint32_t flags)
{
	uint64_t before = now_ns();
	int r = sock_connect(fd, to);

	if (r < 0)
		return r;
	ret->fd = fd;
	ret->s = session_open(&(struct opening){ .fd = fd,
						 .proto = IPPROTO_TCP,
						 .role = ROLE_OPENER,
						 .flags = flags,
						 .remote = to,
						 .before = before });
	return 0;
}

int tcp_connect(struct conn *ret, const struct ep *to)
{
	/* A dual-stack server is called by both kinds of clients. */
	bool plain = stage.family == FAMILY_V4 || (stage.family == FAMILY_MAPPED && turn() & 1);
	_close_ int fd = sock_of(plain ? AF_INET : AF_INET6, SOCK_STREAM);
	int r;

	if (fd < 0)
		return fd;
	r = tcp_connect_fd(ret, fd, to, 0);
	if (r < 0)
		return r;
	TAKE_FD(fd);
	return 0;
}

int tcp_accept(struct conn *ret, int listener, bool with_addr)
{
	struct sockaddr_storage sa = { 0 };
	socklen_t len = sizeof(sa);
	struct ep remote;
	_close_ int fd = -1;

	/* Both system calls are used by the world: take turns. */
	if (turn() & 1)
		fd = accept(listener, with_addr ? (struct sockaddr *)&sa : NULL,
			    with_addr ? &len : NULL);
	else
		fd = accept4(listener, with_addr ? (struct sockaddr *)&sa : NULL,
			     with_addr ? &len : NULL, SOCK_CLOEXEC);
	if (fd < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	if (with_addr)
		ep_from_sa(&sa, &remote);
	ret->s = session_open(&(struct opening){ .fd = fd,
						 .proto = IPPROTO_TCP,
						 .role = ROLE_ACCEPTOR,
						 .flags = with_addr ? 0 : T_ACCEPT_NULL,
						 .remote = with_addr ? &remote : NULL,
						 .before = SINCE_EVER });
	ret->fd = TAKE_FD(fd);
	return 0; /* the time limits came with the listener */
}

int tcp_wait_queued(int listener)
{
	struct pollfd p = { .fd = listener, .events = POLLIN };
	int r = poll(&p, 1, patience_ms());

	if (r < 0)
		return -errno;
	return r ? 0 : -ETIMEDOUT;
}

struct session *tcp_queued(const struct session *client, const struct session *listener)
{
	struct session *s = session_open(&(struct opening){ .fd = -1,
							    .proto = IPPROTO_TCP,
							    .role = ROLE_ACCEPTOR,
							    .flags = T_NOT_ACCEPTED | T_NO_COOKIE,
							    .before = client->opened[0] });

	s->netns_cookie = listener->netns_cookie;
	session_mirror(s, client);
	return s;
}

int conn_close(struct conn *c)
{
	uint64_t before = now_ns();
	int fd = TAKE_FD(c->fd);

	if (fd >= 0 && close(fd) < 0)
		return -errno;
	if (c->s)
		session_closed(c->s, before);
	c->s = NULL;
	return 0;
}

int conn_finish(struct conn *c)
{
	uint64_t deadline = now_ns() + (uint64_t)patience_ms() * 1000000;
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);

	if (shutdown(c->fd, SHUT_WR) < 0 && errno != ENOTCONN)
		return -errno;
	do {
		if (getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
			return -errno;
		usleep(1000); /* lint: poll */
	} while (info.tcpi_state != TCP_CLOSE && now_ns() < deadline);
	return info.tcpi_state == TCP_CLOSE ? conn_close(c) : -ETIMEDOUT;
}

int conn_reset(struct conn *c)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };

	if (setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)) < 0)
		return -errno;
	return conn_close(c);
}

void conn_drop(struct conn *c)
{
	if (c->fd >= 0)
		conn_close(c);
}

int send_byte(int fd)
{
	ssize_t sent = send(fd, "x", 1, MSG_NOSIGNAL);

	return sent < 0 ? -errno : 0;
}

int recv_byte(int fd)
{
	char byte;
	ssize_t got = recv(fd, &byte, 1, 0);

	if (got < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	return got ? 0 : -EPIPE;
}

int recv_end(int fd)
{
	char buf[4096];
	ssize_t got;

	while ((got = recv(fd, buf, sizeof(buf), 0)) > 0)
		;
	/* A reset ends it as well. */
	if (got < 0 && errno != ECONNRESET)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	return 0;
}

int port_choose(struct ep *at)
{
	for (int i = 0; i < 1000; i++) {
		_close_ int fd = sock_new(SOCK_STREAM);

		if (fd < 0)
			return fd;
		at->port = (uint16_t)(20000 + (self_pid() + i) % 10000);
		if (sock_bind(fd, at) == 0)
			return 0;
	}
	return -EADDRINUSE;
}

bool family_here(uint32_t family)
{
	_close_ int fd = -1;
	struct ep at;

	stage.family = family;
	at = loopback(1, 0);
	fd = sock_new(SOCK_DGRAM);
	return fd >= 0 && sock_bind(fd, &at) == 0;
}

bool mptcp_here(void)
{
	_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP);

	return fd >= 0;
}
