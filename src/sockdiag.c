/* SPDX-License-Identifier: BSD-2-Clause */
#include "sockdiag.h"
#include "address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#define TIMER_TIME_WAIT 3 /* inet_twsk_diag_fill(); no other message has it */
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

struct walk {
	enum fl_proto proto;
	int (*fn)(__u64 cookie, enum fl_proto proto, void *arg);
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

static int visit(const struct nlmsghdr *nlh, void *arg)
{
	const struct inet_diag_msg *msg = mnl_nlmsg_get_payload(nlh);
	struct walk *w = arg;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*msg) || !is_socket(msg))
		return MNL_CB_OK;
	if (!w->result)
		w->result = w->fn(cookie_of(&msg->id), w->proto, w->arg);
	return MNL_CB_OK;
}

/* The answer to one dump; the socket is drained to its end whatever FN says. */
static int receive(int fd, struct walk *w)
{
	static char buf[65536]; /* one thread; too large for the stack of a callback */
	int r = MNL_CB_OK;

	while (r > MNL_CB_STOP) {
		ssize_t n = recv(fd, buf, sizeof(buf), 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		r = mnl_cb_run(buf, (size_t)n, 0, 0, visit, w);
	}
	return r < 0 ? -errno : w->result;
}

static int dump(int fd, int family, struct walk *w)
{
	char buf[256] = { 0 };
	struct inet_diag_req_v2 *req;
	struct nlmsghdr *nlh = request(buf, NLM_F_DUMP, &req);

	req->sdiag_family = (__u8)family;
	req->sdiag_protocol = (__u8)w->proto;
	req->idiag_states = w->proto == FL_TCP ? STATES : ~0u;
	if (send(fd, nlh, nlh->nlmsg_len, 0) < 0)
		return -errno;
	return receive(fd, w);
}

int sockdiag_each(int fd, int (*fn)(__u64 cookie, enum fl_proto proto, void *arg), void *arg)
{
	static const int families[] = { AF_INET, AF_INET6 };
	static const enum fl_proto protos[] = { FL_TCP, FL_UDP };

	for (size_t f = 0; f < 2; f++) {
		for (size_t p = 0; p < 2; p++) {
			struct walk w = { .proto = protos[p], .fn = fn, .arg = arg };
			int r = dump(fd, families[f], &w);

			if (r)
				return r;
		}
	}
	return 0;
}

static void fill_end(__be32 to[4], const struct fl_addr *addr, bool v4)
{
	memset(to, 0, 16);
	memcpy(to, v4 ? &addr->b[12] : addr->b, v4 ? 4 : 16);
}

static int found(const struct nlmsghdr *nlh, void *arg)
{
	const struct inet_diag_msg *msg = mnl_nlmsg_get_payload(nlh);

	*(int *)arg = mnl_nlmsg_get_payload_len(nlh) < sizeof(*msg) || is_socket(msg);
	return MNL_CB_STOP;
}

static int ask(int fd, const struct fl_key *key, __u64 cookie, int family)
{
	char buf[8192] = { 0 };
	struct inet_diag_req_v2 *req;
	struct nlmsghdr *nlh = request(buf, 0, &req);
	bool v4 = family == AF_INET;
	int there = 0, r;
	ssize_t n;

	req->sdiag_family = (__u8)family;
	req->sdiag_protocol = (__u8)key->proto;
	req->idiag_states = ~0u;
	req->id.idiag_sport = htons(key->local_port);
	req->id.idiag_dport = htons(key->remote_port);
	req->id.idiag_if = key->ifindex;
	req->id.idiag_cookie[0] = (__u32)cookie;
	req->id.idiag_cookie[1] = (__u32)(cookie >> 32);
	fill_end(req->id.idiag_src, &key->local, v4);
	fill_end(req->id.idiag_dst, &key->remote, v4);
	if (send(fd, nlh, nlh->nlmsg_len, 0) < 0)
		return -errno;
	n = recv(fd, buf, sizeof(buf), 0);
	if (n < 0)
		return -errno;
	r = mnl_cb_run(buf, (size_t)n, 0, 0, found, &there);
	if (r < 0 && errno != ENOENT && errno != ESTALE)
		return -errno;
	return there;
}

/* A v4-mapped session may belong to a socket of either family. */
int sockdiag_exists(int fd, const struct fl_key *key, __u64 cookie)
{
	int r = ask(fd, key, cookie, AF_INET6);

	if (r || !address_is_v4(&key->local))
		return r;
	return ask(fd, key, cookie, AF_INET);
}
