/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/sockdiag.h"
#include "text/address.h"
#include "host/netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <time.h>

#define TIMER_TIME_WAIT 3 /* inet_twsk_diag_fill(); no other message has it */
#define MEMBER_TRIES 512
#define STATES (~((1u << TCP_TIME_WAIT) | (1u << TCP_SYN_RECV)) & 0xfffu)

static __u64 cookie_of(const struct inet_diag_sockid *id)
{
	return (__u64)id->idiag_cookie[1] << 32 | id->idiag_cookie[0];
}

static struct nlmsghdr *request(char *buf, __u16 flags, struct inet_diag_req_v2 **ret_req)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);

	nlh->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nlh->nlmsg_seq = (__u32)time(NULL);
	*ret_req = mnl_nlmsg_put_extra_header(nlh, sizeof(**ret_req));
	return nlh;
}

__u64 sockdiag_cookie(const struct sockdiag_socket *s)
{
	return cookie_of(&s->id);
}

struct walk {
	enum fl_proto proto;
	int (*fn)(const struct sockdiag_socket *s, void *arg);
	void *arg;
	int result;
};

/*
 * A TIME-WAIT has the cookie of the socket it comes after, which has ended. It says its state, or
 * FIN-WAIT-2 while that is its substate; the timer tells it in both.
 */
static bool is_socket(const struct inet_diag_msg *msg)
{
	return msg->idiag_timer != TIMER_TIME_WAIT;
}

static struct sockdiag_socket socket_of(const struct inet_diag_msg *msg, enum fl_proto proto)
{
	return (struct sockdiag_socket){
		.id = msg->id,
		.proto = proto,
		.state = is_socket(msg) ? (enum fl_state)msg->idiag_state : FL_STATE_TIME_WAIT,
		.uid = msg->idiag_uid,
		.family = msg->idiag_family,
	};
}

static int visit(const struct nlmsghdr *nlh, void *arg)
{
	const struct inet_diag_msg *msg = mnl_nlmsg_get_payload(nlh);
	struct sockdiag_socket s;
	struct walk *w = arg;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*msg) || !is_socket(msg) || w->result)
		return MNL_CB_OK;
	s = socket_of(msg, w->proto);
	w->result = w->fn(&s, w->arg);
	return MNL_CB_OK;
}

/* EXT: bits 1 << (INET_DIAG_* - 1), what is told of each beside its ends. */
static int dump(int fd, int family, enum fl_proto proto, __u8 ext, mnl_cb_t fn, void *arg)
{
	char buf[256] = { 0 };
	struct inet_diag_req_v2 *req;
	struct nlmsghdr *nlh = request(buf, NLM_F_DUMP, &req);

	req->sdiag_family = (__u8)family;
	req->sdiag_protocol = (__u8)proto;
	req->idiag_states = proto == FL_TCP ? STATES : ~0u;
	req->idiag_ext = ext;
	return netlink_ask(fd, nlh, fn, arg);
}

int sockdiag_each(int fd, int (*fn)(const struct sockdiag_socket *s, void *arg), void *arg)
{
	static const int families[] = { AF_INET, AF_INET6 };
	static const enum fl_proto protos[] = { FL_TCP, FL_UDP };

	for (size_t f = 0; f < 2; f++) {
		for (size_t p = 0; p < 2; p++) {
			struct walk w = { .proto = protos[p], .fn = fn, .arg = arg };
			int r = dump(fd, families[f], protos[p], 0, visit, &w);

			if (r || w.result)
				return r ? r : w.result;
		}
	}
	return 0;
}

static void fill_end(__be32 to[4], const struct fl_addr *addr, bool v4)
{
	memset(to, 0, 16);
	memcpy(to, v4 ? &addr->b[12] : addr->b, v4 ? 4 : 16);
}

/* As the kernel looks one up: a UDP socket by the ends of a datagram that it would get, so its
 * source is the remote one (udp_dump_one()). */
static void fill_id(struct inet_diag_sockid *id, const struct fl_key *key, __u64 cookie, bool v4)
{
	bool swapped = key->proto == FL_UDP;

	id->idiag_sport = htons(swapped ? key->remote_port : key->local_port);
	id->idiag_dport = htons(swapped ? key->local_port : key->remote_port);
	id->idiag_if = key->ifindex;
	id->idiag_cookie[0] = (__u32)cookie;
	id->idiag_cookie[1] = (__u32)(cookie >> 32);
	fill_end(id->idiag_src, swapped ? &key->remote : &key->local, v4);
	fill_end(id->idiag_dst, swapped ? &key->local : &key->remote, v4);
}

/* One answer with FN: 0, or what the kernel said. */
static int transact(int fd, const struct nlmsghdr *nlh, mnl_cb_t fn, void *arg)
{
	char buf[8192];
	ssize_t n;

	if (send(fd, nlh, nlh->nlmsg_len, 0) < 0)
		return -errno;
	n = recv(fd, buf, sizeof(buf), 0);
	if (n < 0)
		return -errno;
	return mnl_cb_run(buf, (size_t)n, 0, 0, fn, arg) < 0 ? -errno : 0;
}

struct found {
	struct sockdiag_socket *socket;
	__u64 cookie;
	enum fl_proto proto;
	bool done;
	struct fl_addr remote;
	void *info; /* NULL: not asked */
	size_t info_size;
	bool informed;
};

static void take_info(const struct nlattr *attr, struct found *f)
{
	size_t size = mnl_attr_get_payload_len(attr);

	if (!f->info)
		return;
	memcpy(f->info, mnl_attr_get_payload(attr), size < f->info_size ? size : f->info_size);
	f->informed = true;
}

/* An IPv6 socket has a TOS, too, for when its peer is v4-mapped. */
static int take_attr(const struct nlattr *attr, void *arg)
{
	struct found *f = arg;
	bool is_v6 = f->socket->family == AF_INET6;

	switch (mnl_attr_get_type(attr)) {
	case INET_DIAG_INFO:
		take_info(attr, f);
		break;
	case INET_DIAG_MARK:
		if (mnl_attr_get_payload_len(attr) >= sizeof(__u32))
			f->socket->mark = mnl_attr_get_u32(attr);
		break;
	case INET_DIAG_TOS:
		if (!is_v6 || address_is_v4(&f->remote))
			f->socket->tos = mnl_attr_get_u8(attr);
		break;
	case INET_DIAG_TCLASS:
		if (is_v6 && !address_is_v4(&f->remote))
			f->socket->tos = mnl_attr_get_u8(attr);
		break;
	}
	return MNL_CB_OK;
}

static int take(const struct nlmsghdr *nlh, void *arg)
{
	const struct inet_diag_msg *msg = mnl_nlmsg_get_payload(nlh);
	struct found *f = arg;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*msg) || cookie_of(&msg->id) != f->cookie)
		return MNL_CB_OK;
	*f->socket = socket_of(msg, f->proto);
	f->done = true;
	(void)mnl_attr_parse(nlh, sizeof(*msg), take_attr, f);
	return MNL_CB_OK;
}

#define EXT_TOS (1u << (INET_DIAG_TOS - 1) | 1u << (INET_DIAG_TCLASS - 1))

/* 1 found, 0 not there. */
static int ask(int fd, const struct fl_key *key, int family, struct found *f)
{
	char buf[256] = { 0 };
	struct inet_diag_req_v2 *req;
	struct nlmsghdr *nlh = request(buf, 0, &req);
	int r;

	req->sdiag_family = (__u8)family;
	req->sdiag_protocol = (__u8)key->proto;
	req->idiag_states = ~0u;
	req->idiag_ext = EXT_TOS | (f->info ? 1u << (INET_DIAG_INFO - 1) : 0);
	fill_id(&req->id, key, f->cookie, family == AF_INET);
	r = transact(fd, nlh, take, f);
	return r < 0 && r != -ENOENT && r != -ESTALE ? r : f->done;
}

/* A v4-mapped session may belong to a socket of either family; local-only ends to both. */
static int ask_both(int fd, const struct fl_key *key, struct found *f)
{
	int r = ask(fd, key, AF_INET6, f);

	if (r || !address_is_v4(&key->local))
		return r;
	return ask(fd, key, AF_INET, f);
}

int sockdiag_exists(int fd, const struct fl_key *key, __u64 cookie)
{
	struct sockdiag_socket s = { 0 };
	struct found f = { .socket = &s, .cookie = cookie, .proto = key->proto };
	int r = ask_both(fd, key, &f);

	return r == 1 ? s.state != FL_STATE_TIME_WAIT : r;
}

int sockdiag_tcp_info(int fd, const struct fl_key *key, __u64 cookie, void *info, size_t size)
{
	struct sockdiag_socket s;
	struct found f = {
		.socket = &s, .cookie = cookie, .proto = key->proto, .info = info, .info_size = size
	};
	int r;

	memset(info, 0, size);
	r = ask_both(fd, key, &f);
	if (r < 0)
		return r;
	return f.informed ? 0 : -ENOENT;
}

int sockdiag_find(int fd, const struct fl_key *key, __u64 cookie,
		  struct sockdiag_socket *ret_socket)
{
	static const int families[] = { AF_INET6, AF_INET };
	struct sockdiag_socket s;
	struct found f = {
		.socket = &s, .cookie = cookie, .proto = key->proto, .remote = key->remote
	};
	int r = ask_both(fd, key, &f);

	for (size_t i = 0; !r && i < 2; i++) {
		r = dump(fd, families[i], key->proto, EXT_TOS, take, &f);
		if (!r)
			r = f.done;
	}
	if (r < 0)
		return r;
	if (!r)
		return -ENOENT;
	*ret_socket = s;
	return 0;
}

void sockdiag_remote(const struct sockdiag_socket *s, struct fl_addr *ret_remote)
{
	static const struct fl_addr mapped = { .b = { [10] = 0xff, 0xff } };

	*ret_remote = mapped;
	if (s->family == AF_INET)
		memcpy(&ret_remote->b[12], s->id.idiag_dst, 4);
	else
		memcpy(ret_remote->b, s->id.idiag_dst, 16);
}

bool sockdiag_is_at(const struct sockdiag_socket *s, const struct fl_key *key)
{
	struct fl_addr remote;

	if (s->id.idiag_sport != htons(key->local_port) ||
	    s->id.idiag_dport != htons(key->remote_port))
		return false;
	sockdiag_remote(s, &remote);
	return !key->remote_port || !memcmp(&remote, &key->remote, sizeof(remote));
}

static int nothing(const struct nlmsghdr *nlh, void *arg)
{
	(void)nlh;
	(void)arg;
	return MNL_CB_OK;
}

static int destroy_as(int fd, const struct sockdiag_socket *s, __u16 remote_port)
{
	char buf[256] = { 0 };
	struct inet_diag_req_v2 *req;
	struct nlmsghdr *nlh = request(buf, NLM_F_ACK, &req);

	nlh->nlmsg_type = SOCK_DESTROY;
	req->sdiag_family = s->family;
	req->sdiag_protocol = (__u8)s->proto;
	req->idiag_states = ~0u;
	req->id = s->id;
	req->id.idiag_dport = htons(remote_port);
	return transact(fd, nlh, nothing, NULL);
}

/*
 * Members of a SO_REUSEPORT group stand at one place, and the kernel chooses by who asks: so we ask
 * as many. The cookie keeps all others safe.
 */
int sockdiag_destroy(int fd, const struct sockdiag_socket *s)
{
	__u16 port = ntohs(s->id.idiag_dport);
	int r = destroy_as(fd, s, port);

	for (__u16 i = 1; !port && (r == -ENOENT || r == -ESTALE) && i <= MEMBER_TRIES; i++)
		r = destroy_as(fd, s, i);
	return r == -ESTALE ? -ENOENT : r;
}
