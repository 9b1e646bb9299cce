/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A process that does with sockets what it is told, a line a command, and answers each with a line:
 * `ok WORD...` or `error REASON`. So a shell test knows to the nanosecond what was done by whom.
 * Nothing in here looks at the agent, and no socket call is made that was not asked for.
 *
 * A new socket answers `ok FD PORT ID BEFORE AFTER`: its local port, its cookie as the agent writes
 * flow ids, and CLOCK_REALTIME ns around the call. Ends at the end of its input.
 */
#include "told.h"

#include <arpa/inet.h>
#include "text/cleanup.h"
#include <errno.h>
#include <fcntl.h>
#include <flowner/flowner.h>
#include <grp.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <netinet/udp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WAIT_S 20	   /* no command waits longer */
#define SO_ORIGINAL_DST 80 /* of netfilter: IP6T_SO_ORIGINAL_DST, too */
#ifndef IPPROTO_MPTCP	   /* glibc 2.32 */
#define IPPROTO_MPTCP 262
#endif

struct address {
	struct sockaddr_storage any;
	socklen_t len;
};

static unsigned long long now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (unsigned long long)ts.tv_sec * 1000000000ull + (unsigned long long)ts.tv_nsec;
}

static int fails(void)
{
	return -errno;
}

static int read_address(const char *ip, const char *port, struct address *ret)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&ret->any;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&ret->any;
	in_port_t p;

	if (!ip || !port)
		return -EINVAL;
	memset(ret, 0, sizeof(*ret));
	p = htons((unsigned short)strtoul(port, NULL, 10));
	if (inet_pton(AF_INET, ip, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = p;
		ret->len = sizeof(*v4);
		return 0;
	}
	if (inet_pton(AF_INET6, ip, &v6->sin6_addr) != 1)
		return -EINVAL;
	v6->sin6_family = AF_INET6;
	v6->sin6_port = p;
	ret->len = sizeof(*v6);
	return 0;
}

static unsigned int port_of(int fd)
{
	struct address a = { .len = sizeof(a.any) };

	if (getsockname(fd, (struct sockaddr *)&a.any, &a.len) < 0)
		return 0;
	if (a.any.ss_family == AF_INET)
		return ntohs(((struct sockaddr_in *)&a.any)->sin_port);
	return ntohs(((struct sockaddr_in6 *)&a.any)->sin6_port);
}

static int answer_address(const char *before, const struct address *a)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)&a->any;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&a->any;
	bool is_v4 = a->any.ss_family == AF_INET;
	char ip[INET6_ADDRSTRLEN] = "?";

	inet_ntop(a->any.ss_family, is_v4 ? (const void *)&v4->sin_addr : &v6->sin6_addr, ip,
		  sizeof(ip));
	return printf("ok%s %s %u\n", before, ip, ntohs(is_v4 ? v4->sin_port : v6->sin6_port));
}

static unsigned long long cookie_of(int fd)
{
	unsigned long long cookie = 0;
	socklen_t len = sizeof(cookie);

	(void)getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len);
	return cookie;
}

static int new_socket(const char *proto, int family)
{
	int type = strcmp(proto, "udp") ? SOCK_STREAM : SOCK_DGRAM;
	int protocol = strcmp(proto, "mptcp") ? 0 : IPPROTO_MPTCP;
	int fd = socket(family, type | SOCK_CLOEXEC, protocol);
	struct timeval limit = { .tv_sec = WAIT_S };
	int one = 1;

	if (fd < 0)
		return fails();
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	return fd;
}

static int answer_socket(int fd, unsigned long long before)
{
	unsigned long long after = now_ns();

	printf("ok %d %u %016llx %llu %llu\n", fd, port_of(fd), cookie_of(fd), before, after);
	return 0;
}

/* The words of C from FIRST on: share is SO_REUSEPORT, v6only IPV6_V6ONLY. */
static int set_options(int fd, const struct command *c, int first)
{
	int one = 1, r = 0;

	for (int i = first; i < c->words && r == 0; i++) {
		if (strcmp(c->word[i], "share") == 0)
			r = setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
		else if (strcmp(c->word[i], "v6only") == 0)
			r = setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
		else
			return -EINVAL;
	}
	return r < 0 ? fails() : 0;
}

/* listen PROTO ADDR PORT [share] [v6only]; of UDP it is bind() alone */
static int do_listen(const struct command *c)
{
	_close_ int fd = -1;
	struct address a;
	unsigned long long before;
	int r;

	if (read_address(c->word[2], c->word[3], &a) < 0)
		return -EINVAL;
	fd = new_socket(c->word[1], a.any.ss_family);
	if (fd < 0)
		return fd;
	r = set_options(fd, c, 4);
	if (r < 0)
		return r;
	before = now_ns();
	if (bind(fd, (struct sockaddr *)&a.any, a.len) < 0)
		return fails();
	if (strcmp(c->word[1], "udp") != 0 && listen(fd, 128) < 0)
		return fails();
	(void)answer_socket(fd, before);
	(void)TAKE_FD(fd);
	return 0;
}

/* connect PROTO ADDR PORT [LOCAL-ADDR LOCAL-PORT] */
static int do_connect(const struct command *c)
{
	_close_ int fd = -1;
	struct address to, from;
	unsigned long long before;

	if (read_address(c->word[2], c->word[3], &to) < 0)
		return -EINVAL;
	fd = new_socket(c->word[1], to.any.ss_family);
	if (fd < 0)
		return fd;
	if (c->words > 4) {
		if (read_address(c->word[4], c->word[5], &from) < 0)
			return -EINVAL;
		if (bind(fd, (struct sockaddr *)&from.any, from.len) < 0)
			return fails();
	}
	before = now_ns();
	if (connect(fd, (struct sockaddr *)&to.any, to.len) < 0)
		return fails();
	(void)answer_socket(fd, before);
	(void)TAKE_FD(fd);
	return 0;
}

static int fd_of(const struct command *c)
{
	return c->word[1] ? (int)strtol(c->word[1], NULL, 10) : -1;
}

static bool without_address(const struct command *c)
{
	return c->word[2] && !strcmp(c->word[2], "null");
}

/* accept FD [null]: with an address buffer, or none */
static int do_accept(const struct command *c)
{
	struct address a = { .len = sizeof(a.any) };
	bool null = without_address(c);
	unsigned long long before = now_ns();
	int fd = accept4(fd_of(c), null ? NULL : (struct sockaddr *)&a.any, null ? NULL : &a.len,
			 SOCK_CLOEXEC);

	return fd < 0 ? fails() : answer_socket(fd, before);
}

/* snatch FD: accept() again and again, without waiting, until there is one */
static int do_snatch(const struct command *c)
{
	unsigned long long before = now_ns(), give_up = before + 60 * 1000000000ull;
	struct address a = { .len = sizeof(a.any) };
	int fd;

	if (fcntl(fd_of(c), F_SETFL, O_NONBLOCK) < 0)
		return fails();
	do {
		fd = accept4(fd_of(c), (struct sockaddr *)&a.any, &a.len, SOCK_CLOEXEC);
	} while (fd < 0 && errno == EAGAIN && now_ns() < give_up);
	return fd < 0 ? fails() : answer_socket(fd, before);
}

/* socket PROTO FAMILY(4|6) [share] [v6only]: nothing but the descriptor */
static int do_socket(const struct command *c)
{
	_close_ int fd = -1;
	int r;

	if (c->words < 3)
		return -EINVAL;
	fd = new_socket(c->word[1], *c->word[2] == '6' ? AF_INET6 : AF_INET);
	r = fd < 0 ? fd : set_options(fd, c, 3);
	if (r < 0)
		return r;
	(void)answer_socket(fd, now_ns());
	(void)TAKE_FD(fd);
	return 0;
}

/* bind FD ADDR PORT: bind(2) alone */
static int do_bind(const struct command *c)
{
	unsigned long long before = now_ns();
	struct address a;

	if (read_address(c->word[2], c->word[3], &a) < 0)
		return -EINVAL;
	if (bind(fd_of(c), (struct sockaddr *)&a.any, a.len) < 0)
		return fails();
	return answer_socket(fd_of(c), before);
}

/* begin FD: listen(2) alone */
static int do_begin(const struct command *c)
{
	unsigned long long before = now_ns();

	if (listen(fd_of(c), 128) < 0)
		return fails();
	return answer_socket(fd_of(c), before);
}

/* call FD ADDR PORT: connect(2) alone */
static int do_call(const struct command *c)
{
	unsigned long long before = now_ns();
	struct address to;

	if (read_address(c->word[2], c->word[3], &to) < 0)
		return -EINVAL;
	if (connect(fd_of(c), (struct sockaddr *)&to.any, to.len) < 0)
		return fails();
	return answer_socket(fd_of(c), before);
}

/* window FD ADDR PORT: listen(2), and a connect(2) to there with nothing in between */
static int do_window(const struct command *c)
{
	_close_ int fd = -1;
	struct address to;

	if (read_address(c->word[2], c->word[3], &to) < 0)
		return -EINVAL;
	fd = new_socket("tcp", to.any.ss_family);
	if (fd < 0)
		return fd;
	if (listen(fd_of(c), 128) < 0 || connect(fd, (struct sockaddr *)&to.any, to.len) < 0)
		return fails();
	return puts("ok");
}

/* Of a command's word INDEX, 1 when it is not there. */
static size_t bytes_of(const struct command *c, int index)
{
	return c->words > index ? strtoul(c->word[index], NULL, 10) : 1;
}

/* send FD [BYTES]: in one call, for UDP one datagram; of a stream whatever it takes */
static int do_send(const struct command *c)
{
	size_t left = bytes_of(c, 2);
	_free_ char *bytes = calloc(1, left + 1);

	if (!bytes)
		return -ENOMEM;
	do {
		ssize_t n = send(fd_of(c), bytes, left, MSG_NOSIGNAL);

		if (n < 0)
			return fails();
		left -= (size_t)n;
	} while (left);
	return puts("ok");
}

/* segments FD BYTES SEGMENT: one call, which the kernel makes datagrams of SEGMENT bytes of */
static int do_segments(const struct command *c)
{
	int segment = (int)bytes_of(c, 3);

	if (setsockopt(fd_of(c), IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof(segment)) < 0)
		return fails();
	return do_send(c);
}

/* drain FD BYTES: reads until that many have come; answers with the number of calls. Datagrams are
 * read whole, and one that is empty is no end: on two processors they may come in another order. */
static int do_drain(const struct command *c)
{
	size_t left = bytes_of(c, 2), calls = 0;
	socklen_t len = sizeof(int);
	char buf[65536];
	int type;

	if (getsockopt(fd_of(c), SOL_SOCKET, SO_TYPE, &type, &len) < 0)
		return fails();
	for (; left; calls++) {
		bool whole = type == SOCK_DGRAM || left > sizeof(buf);
		ssize_t n = recv(fd_of(c), buf, whole ? sizeof(buf) : left, 0);

		if (n < 0)
			return fails();
		if ((!n && type != SOCK_DGRAM) || (size_t)n > left)
			return -EPIPE;
		left -= (size_t)n;
	}
	return printf("ok %zu\n", calls);
}

/* info FD: what the kernel has of a TCP socket: state, segments sent again, round trip in us */
static int do_info(const struct command *c)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);

	if (getsockopt(fd_of(c), IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
		return fails();
	return printf("ok %u %u %u\n", info.tcpi_state, info.tcpi_total_retrans, info.tcpi_rtt);
}

/* option FD NAME [VALUE]: which it has or is to have */
static int do_option(const struct command *c)
{
	static const struct {
		const char *name;
		int level, option;
	} options[] = {
		{ "patience", IPPROTO_TCP, TCP_USER_TIMEOUT }, /* ms */
		{ "mark", SOL_SOCKET, SO_MARK },
		{ "device", SOL_SOCKET, SO_BINDTOIFINDEX },
		{ "portless", IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT },
	};
	unsigned int value = (unsigned int)bytes_of(c, 3);
	socklen_t len = sizeof(value);
	size_t i = 0, known = sizeof(options) / sizeof(options[0]);

	while (i < known && strcmp(options[i].name, c->word[2]) != 0)
		i++;
	if (i == known)
		return -EINVAL;
	if (c->words > 3)
		return setsockopt(fd_of(c), options[i].level, options[i].option, &value, len) < 0
			       ? fails()
			       : puts("ok");
	if (getsockopt(fd_of(c), options[i].level, options[i].option, &value, &len) < 0)
		return fails();
	return printf("ok %u\n", value);
}

/* route FD ADDR: what is sent goes to ADDR first, a source route; `none`: options of IPv4 that are
 * no route */
static int do_route(const struct command *c)
{
	unsigned char v4[8] = { IPOPT_LSRR, 7, IPOPT_MINOFF, [7] = IPOPT_NOP };
	unsigned char v6[40] = { 0, 4, 4, 1, 1 }; /* segment routing: of two the second is next */
	const char *via = c->words > 2 ? c->word[2] : "";
	int r;

	if (inet_pton(AF_INET6, via, v6 + 24) == 1) {
		r = setsockopt(fd_of(c), IPPROTO_IPV6, IPV6_RTHDR, v6, sizeof(v6));
	} else {
		if (strcmp(via, "none") == 0)
			memset(v4, IPOPT_NOP, sizeof(v4));
		else if (inet_pton(AF_INET, via, v4 + 3) != 1)
			return -EINVAL;
		r = setsockopt(fd_of(c), IPPROTO_IP, IP_OPTIONS, v4, sizeof(v4));
	}
	return r < 0 ? fails() : puts("ok");
}

/* later FD ADDR PORT: connect(2) that does not wait, and poll(2) until it is decided */
static int do_later(const struct command *c)
{
	struct pollfd p = { .fd = fd_of(c), .events = POLLOUT };
	int flags = fcntl(p.fd, F_GETFL), error = 0;
	socklen_t len = sizeof(error);
	struct address to;

	if (flags < 0 || read_address(c->word[2], c->word[3], &to) < 0)
		return -EINVAL;
	fcntl(p.fd, F_SETFL, flags | O_NONBLOCK);
	if (connect(p.fd, (struct sockaddr *)&to.any, to.len) < 0)
		error = errno;
	fcntl(p.fd, F_SETFL, flags);
	if (error != EINPROGRESS)
		return error ? -error : puts("ok");
	if (poll(&p, 1, WAIT_S * 1000) < 1)
		return -ETIME;
	if (getsockopt(p.fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return fails();
	return error ? -error : puts("ok");
}

/* shut FD: no more will be sent */
static int do_shut(const struct command *c)
{
	if (shutdown(fd_of(c), SHUT_WR) < 0)
		return fails();
	return puts("ok");
}

/* sendto FD ADDR PORT */
static int do_sendto(const struct command *c)
{
	struct address to;

	if (read_address(c->word[2], c->word[3], &to) < 0)
		return -EINVAL;
	if (sendto(fd_of(c), "x", 1, 0, (struct sockaddr *)&to.any, to.len) < 0)
		return fails();
	return puts("ok");
}

union one_source {
	char buf[CMSG_SPACE(sizeof(struct in_pktinfo))];
	struct cmsghdr header;
};

/* beside FD SOURCE [ADDR PORT]: a datagram of IPv4 with a message beside it that names its source;
 * without ADDR to whom the socket is connected to */
static int do_beside(const struct command *c)
{
	struct in_pktinfo source = { 0 };
	union one_source control = { .header = { .cmsg_len = CMSG_LEN(sizeof(source)),
						 .cmsg_level = IPPROTO_IP,
						 .cmsg_type = IP_PKTINFO } };
	struct iovec iov = { .iov_base = (char[]){ 'x' }, .iov_len = 1 };
	struct address to = { 0 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.buf,
			      .msg_controllen = sizeof(control.buf) };

	if (c->words < 3 || inet_pton(AF_INET, c->word[2], &source.ipi_spec_dst) != 1)
		return -EINVAL;
	if (c->words > 3 && read_address(c->word[3], c->word[4], &to) < 0)
		return -EINVAL;
	memcpy(CMSG_DATA(&control.header), &source, sizeof(source));
	msg.msg_name = to.len ? &to.any : NULL;
	msg.msg_namelen = to.len;
	if (sendmsg(fd_of(c), &msg, 0) < 0)
		return fails();
	return puts("ok");
}

/* recv FD [null]: the address of the sender is asked for, or not; answers with the bytes, 0 at the
 * end */
static int do_recv(const struct command *c)
{
	struct address from = { .len = sizeof(from.any) };
	bool null = without_address(c);
	char buf[64];
	ssize_t n = recvfrom(fd_of(c), buf, sizeof(buf), 0,
			     null ? NULL : (struct sockaddr *)&from.any, null ? NULL : &from.len);

	if (n < 0)
		return fails();
	return printf("ok %zd\n", n);
}

/* from FD: recv with the address of the sender: answers `ok BYTES ADDR PORT` */
static int do_from(const struct command *c)
{
	struct address from = { .len = sizeof(from.any) };
	char buf[64], bytes[32];
	ssize_t n = recvfrom(fd_of(c), buf, sizeof(buf), 0, (struct sockaddr *)&from.any,
			     &from.len);

	if (n < 0)
		return fails();
	snprintf(bytes, sizeof(bytes), " %zd", n);
	return answer_address(bytes, &from);
}

/* peer FD, name FD: getpeername(2), getsockname(2) */
static int do_peer(const struct command *c)
{
	struct address a = { .len = sizeof(a.any) };

	if (getpeername(fd_of(c), (struct sockaddr *)&a.any, &a.len) < 0)
		return fails();
	return answer_address("", &a);
}

static int do_name(const struct command *c)
{
	struct address a = { .len = sizeof(a.any) };

	if (getsockname(fd_of(c), (struct sockaddr *)&a.any, &a.len) < 0)
		return fails();
	return answer_address("", &a);
}

/* original FD FAMILY(4|6): where a connection was to go, as proxies ask behind a NAT */
static int do_original(const struct command *c)
{
	struct address a = { .len = sizeof(a.any) };
	int level = c->words > 2 && *c->word[2] == '6' ? IPPROTO_IPV6 : IPPROTO_IP;

	if (getsockopt(fd_of(c), level, SO_ORIGINAL_DST, &a.any, &a.len) < 0)
		return fails();
	return answer_address("", &a);
}

/* led FD: as by a rule, from ADDR PORT FLOW-ID PID UID COMM */
static int do_led(const struct command *c)
{
	struct fl_redirected r;
	char text[INET6_ADDRSTRLEN];
	int e = flowner_redirected(fd_of(c), &r);

	if (e < 0) {
		errno = -e;
		return fails();
	}
	return printf("ok %s %u %016llx %u %u %.*s\n",
		      inet_ntop(AF_INET6, r.addr.b, text, sizeof(text)), r.port, r.flow_id,
		      r.owner.proc.pid, r.owner.uid, FL_COMM_LEN, r.owner.comm);
}

/* ignore FD PORT: datagrams from this port are dropped before the socket's queue */
static int do_ignore(const struct command *c)
{
	__u32 port = c->words > 2 ? (__u32)strtoul(c->word[2], NULL, 10) : 0;
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, port, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, ~0u),
	};
	struct sock_fprog program = { .len = sizeof(filter) / sizeof(filter[0]), .filter = filter };

	if (setsockopt(fd_of(c), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0)
		return fails();
	return puts("ok");
}

static int do_close(const struct command *c)
{
	unsigned long long before = now_ns();

	if (close(fd_of(c)) < 0)
		return fails();
	return printf("ok %llu %llu\n", before, now_ns());
}

/* reset FD: close with a RST */
static int do_reset(const struct command *c)
{
	struct linger now = { .l_onoff = 1 };

	if (setsockopt(fd_of(c), SOL_SOCKET, SO_LINGER, &now, sizeof(now)) < 0)
		return fails();
	return do_close(c);
}

/* resets FIRST N: N sockets among the descriptors from FIRST on, each closed with a RST */
static int do_resets(const struct command *c)
{
	struct linger now = { .l_onoff = 1 };
	size_t left = bytes_of(c, 2);

	for (int fd = fd_of(c); left; fd++) {
		if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)) == 0) {
			left--;
			close(fd);
		} else if (errno != ENOTSOCK) {
			return fails();
		}
	}
	return puts("ok");
}

/* reconnect FD ADDR PORT: the same socket lets go of its peer and connects again */
static int do_reconnect(const struct command *c)
{
	struct sockaddr nobody = { .sa_family = AF_UNSPEC };
	unsigned long long before = now_ns();
	struct address to;

	if (read_address(c->word[2], c->word[3], &to) < 0)
		return -EINVAL;
	if (connect(fd_of(c), &nobody, sizeof(nobody)) < 0 ||
	    connect(fd_of(c), (struct sockaddr *)&to.any, to.len) < 0)
		return fails();
	return answer_socket(fd_of(c), before);
}

/* undo FD: the same without another peer */
static int do_undo(const struct command *c)
{
	struct sockaddr nobody = { .sa_family = AF_UNSPEC };

	return connect(fd_of(c), &nobody, sizeof(nobody)) < 0 ? fails() : puts("ok");
}

/* relisten FD: the listener stops and listens again */
static int do_relisten(const struct command *c)
{
	unsigned long long before = now_ns();

	if (shutdown(fd_of(c), SHUT_RD) < 0 || listen(fd_of(c), 128) < 0)
		return fails();
	return answer_socket(fd_of(c), before);
}

/* N descriptors more than there usually are; never fewer than before. */
static void room_for(unsigned long n)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur >= n + 128)
		return;
	files.rlim_cur = n + 128;
	if (files.rlim_max < files.rlim_cur)
		files.rlim_max = files.rlim_cur;
	setrlimit(RLIMIT_NOFILE, &files);
}

/* A port that was asked for is the socket's until it is closed. */
static int bind_port(int fd, sa_family_t family, unsigned long port)
{
	struct sockaddr_in6 any = { .sin6_family = family, .sin6_port = htons((in_port_t)port) };

	return bind(fd, (struct sockaddr *)&any, sizeof(any));
}

/* many N PROTO ADDR PORT [FROM]: N connect() calls, all kept open; from local ports FROM on */
static int do_many(const struct command *c)
{
	unsigned long n = c->words > 4 ? strtoul(c->word[1], NULL, 10) : 0, done = 0;
	unsigned long from = c->words > 5 ? strtoul(c->word[5], NULL, 10) : 0;
	struct address to;

	if (!n || read_address(c->word[3], c->word[4], &to) < 0)
		return -EINVAL;
	room_for(n);
	for (; done < n; done++) {
		int fd = new_socket(c->word[2], to.any.ss_family);

		if (fd >= 0 && from && bind_port(fd, to.any.ss_family, from + done) < 0)
			return fails();
		if (fd < 0 || connect(fd, (struct sockaddr *)&to.any, to.len) < 0)
			return fails();
	}
	return printf("ok %lu\n", done);
}

/* tries PROTO ADDR PORT: connect() calls to where nobody is, until the next command comes; answers
 * how many went out and how many were denied, or with any other error */
static int do_tries(const struct command *c)
{
	struct pollfd next = { .fd = STDIN_FILENO, .events = POLLIN };
	unsigned long out = 0, denied = 0;
	struct address to;

	if (c->words < 4 || read_address(c->word[2], c->word[3], &to) < 0)
		return -EINVAL;
	do {
		_close_ int fd = new_socket(c->word[1], to.any.ss_family);

		if (fd < 0)
			return fd;
		if (connect(fd, (struct sockaddr *)&to.any, to.len) == 0 || errno == ECONNREFUSED)
			out++;
		else if (errno == EACCES || errno == EPERM)
			denied++;
		else
			return fails();
	} while (poll(&next, 1, 1) == 0); /* others are to get on, too */
	return printf("ok %lu %lu\n", out, denied);
}

/* take N FD: N accept() calls, all kept open */
static int do_take(const struct command *c)
{
	unsigned long n = c->words > 2 ? strtoul(c->word[1], NULL, 10) : 0;
	int listener = c->words > 2 ? (int)strtol(c->word[2], NULL, 10) : -1;

	room_for(n);
	for (unsigned long i = 0; i < n; i++) {
		struct address a = { .len = sizeof(a.any) };

		if (accept4(listener, (struct sockaddr *)&a.any, &a.len, SOCK_CLOEXEC) < 0)
			return fails();
	}
	return printf("ok %lu\n", n);
}

/* crowd FD: of UDP over IPv6; joins groups until the kernel has no more room for its options */
static int do_crowd(const struct command *c)
{
	struct ipv6_mreq group = { .ipv6mr_interface = 1 };
	unsigned int n = 0;

	inet_pton(AF_INET6, "ff05::", &group.ipv6mr_multiaddr);
	do {
		group.ipv6mr_multiaddr.s6_addr32[3] = htonl(++n);
	} while (!setsockopt(fd_of(c), IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &group, sizeof(group)));
	return errno == ENOMEM || errno == ENOBUFS ? printf("ok %u\n", n) : fails();
}

/* drop: everything above standard error is closed */
static int do_drop(const struct command *c)
{
	(void)c;
	if (close_range(3, ~0u, 0) < 0)
		return fails();
	return puts("ok");
}

/* comm NAME: what the process is called from now on */
static int do_comm(const struct command *c)
{
	if (c->words < 2 || prctl(PR_SET_NAME, c->word[1]) < 0)
		return -EINVAL;
	return puts("ok");
}

/* uid N: another user from now on, and of the group with the same number */
static int do_uid(const struct command *c)
{
	unsigned int id = c->words > 1 ? (unsigned int)strtoul(c->word[1], NULL, 10) : 0;

	if (!id || setgroups(0, NULL) < 0 || setresgid(id, id, id) < 0 || setresuid(id, id, id) < 0)
		return fails();
	return puts("ok");
}

/* --- many that listen at once --- */

#define RUSH_MAX 64 /* processes, and threads of each, and sockets of each thread */

struct rush {
	pthread_barrier_t barrier;
	atomic_ulong listening;
	unsigned long each;
	struct address at;
};

static struct rush *rush;
static pid_t rushing[RUSH_MAX];
static size_t rushing_count;

static void *rush_thread(void *arg)
{
	int fds[RUSH_MAX];

	for (unsigned long i = 0; i < rush->each; i++) {
		fds[i] = new_socket("tcp", rush->at.any.ss_family);
		if (bind(fds[i], (struct sockaddr *)&rush->at.any, rush->at.len) < 0)
			_exit(1);
	}
	pthread_barrier_wait(&rush->barrier);
	for (unsigned long i = 0; i < rush->each; i++)
		rush->listening += listen(fds[i], 1) == 0;
	pthread_barrier_wait(&rush->barrier);
	return arg;
}

static void rush_child(unsigned long threads)
{
	pthread_t thread;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (unsigned long i = 1; i < threads; i++) {
		if (pthread_create(&thread, NULL, rush_thread, NULL))
			_exit(1);
	}
	rush_thread(NULL);
	for (;;)
		pause();
}

static int rush_begin(unsigned long processes, unsigned long threads)
{
	pthread_barrierattr_t shared;

	pthread_barrierattr_init(&shared);
	pthread_barrierattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
	pthread_barrier_init(&rush->barrier, &shared, (unsigned int)(processes * threads + 1));
	for (; rushing_count < processes; rushing_count++) {
		rushing[rushing_count] = fork();
		if (rushing[rushing_count] < 0)
			return fails();
		if (!rushing[rushing_count])
			rush_child(threads);
	}
	return 0;
}

/* rush PROCESSES THREADS EACH ADDR: children whose threads all listen at once, each at EACH ports;
 * answers how many listen() succeeded. They keep what they have until the next `calm`. */
static int do_rush(const struct command *c)
{
	unsigned long n[3];
	int r;

	for (int i = 0; i < 3; i++) {
		n[i] = c->words > 4 ? strtoul(c->word[i + 1], NULL, 10) : 0;
		if (!n[i] || n[i] > RUSH_MAX)
			return -EINVAL;
	}
	rush = mmap(NULL, sizeof(*rush), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (rush == MAP_FAILED || read_address(c->word[4], "0", &rush->at) < 0)
		return -EINVAL;
	rush->each = n[2];
	r = rush_begin(n[0], n[1]);
	if (r < 0)
		return r;
	pthread_barrier_wait(&rush->barrier);
	pthread_barrier_wait(&rush->barrier);
	return printf("ok %lu\n", rush->listening);
}

static int do_calm(const struct command *c)
{
	(void)c;
	for (; rushing_count; rushing_count--) {
		kill(rushing[rushing_count - 1], SIGKILL);
		waitpid(rushing[rushing_count - 1], NULL, 0);
	}
	munmap(rush, sizeof(*rush));
	return puts("ok");
}

/* fork: a child goes on with all descriptors; the parent keeps its own and ends after it */
static int do_fork(const struct command *c)
{
	pid_t child = fork();

	(void)c;
	if (child < 0)
		return fails();
	if (child > 0) {
		waitpid(child, NULL, 0);
		_exit(0);
	}
	return printf("ok %d\n", getpid());
}

/* keep FD: it is not closed by exec */
static int do_keep(const struct command *c)
{
	if (fcntl(fd_of(c), F_SETFD, 0) < 0)
		return fails();
	return puts("ok");
}

/* dup FD: answers with the new one */
static int do_dup(const struct command *c)
{
	int fd = fcntl(fd_of(c), F_DUPFD_CLOEXEC, 3);

	return fd < 0 ? fails() : printf("ok %d\n", fd);
}

/* --- descriptors on their way from process to process: SCM_RIGHTS --- */

static int read_path(const char *path, struct sockaddr_un *ret)
{
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (!path || strlen(path) >= sizeof(ret->sun_path))
		return -EINVAL;
	memcpy(ret->sun_path, path, strlen(path));
	return 0;
}

/* inbox PATH: where others give to; answers with its descriptor */
static int do_inbox(const struct command *c)
{
	_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un at;

	if (read_path(c->word[1], &at) < 0)
		return -EINVAL;
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || chmod(c->word[1], 0666))
		return fails();
	printf("ok %d\n", fd);
	(void)TAKE_FD(fd);
	return 0;
}

union one_fd {
	char buf[CMSG_SPACE(sizeof(int))];
	struct cmsghdr header;
};

/* give FD PATH: on its way to the inbox at PATH; this process keeps its own */
static int do_give(const struct command *c)
{
	_close_ int out = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char byte = 'x';
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	union one_fd control = { .header = { .cmsg_len = CMSG_LEN(sizeof(int)),
					     .cmsg_level = SOL_SOCKET,
					     .cmsg_type = SCM_RIGHTS } };
	struct sockaddr_un to;
	struct msghdr msg = { .msg_name = &to,
			      .msg_namelen = sizeof(to),
			      .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.buf,
			      .msg_controllen = sizeof(control.buf) };
	int fd = fd_of(c);

	if (read_path(c->word[2], &to) < 0)
		return -EINVAL;
	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	if (out < 0 || sendmsg(out, &msg, 0) < 0)
		return fails();
	return puts("ok");
}

/* get INBOX: answers with what was given */
static int do_get(const struct command *c)
{
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	union one_fd control;
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.buf,
			      .msg_controllen = sizeof(control.buf) };
	int fd;

	if (recvmsg(fd_of(c), &msg, MSG_CMSG_CLOEXEC) < 0)
		return fails();
	if (!CMSG_FIRSTHDR(&msg))
		return -EPROTO;
	memcpy(&fd, CMSG_DATA(&control.header), sizeof(fd));
	return printf("ok %d\n", fd);
}

/* exec: the same program anew, which answers; all sockets were close-on-exec */
static int do_exec(const struct command *c)
{
	(void)c;
	execl("/proc/self/exe", "actor", "anew", (char *)NULL);
	return fails();
}

static int do_who(const struct command *c)
{
	(void)c;
	return printf("ok %d\n", getpid());
}

static const struct told commands[] = {
	{ "listen", do_listen },       { "connect", do_connect },   { "accept", do_accept },
	{ "socket", do_socket },       { "send", do_send },	    { "sendto", do_sendto },
	{ "beside", do_beside },       { "recv", do_recv },	    { "close", do_close },
	{ "snatch", do_snatch },       { "reset", do_reset },	    { "many", do_many },
	{ "take", do_take },	       { "crowd", do_crowd },	    { "drop", do_drop },
	{ "comm", do_comm },	       { "uid", do_uid },	    { "who", do_who },
	{ "reconnect", do_reconnect }, { "relisten", do_relisten }, { "fork", do_fork },
	{ "exec", do_exec },	       { "ignore", do_ignore },	    { "segments", do_segments },
	{ "drain", do_drain },	       { "shut", do_shut },	    { "bind", do_bind },
	{ "begin", do_begin },	       { "call", do_call },	    { "window", do_window },
	{ "tries", do_tries },	       { "resets", do_resets },	    { "info", do_info },
	{ "keep", do_keep },	       { "dup", do_dup },	    { "inbox", do_inbox },
	{ "give", do_give },	       { "get", do_get },	    { "from", do_from },
	{ "peer", do_peer },	       { "name", do_name },	    { "original", do_original },
	{ "option", do_option },       { "later", do_later },	    { "led", do_led },
	{ "rush", do_rush },	       { "undo", do_undo },	    { "calm", do_calm },
	{ "route", do_route },
};

int main(int argc, char **argv)
{
	(void)argv;
	if (argc > 1) {
		puts("ok");
		fflush(stdout);
	}
	return told_run(commands, sizeof(commands) / sizeof(commands[0]));
}
