/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/routes.h"
#include "text/address.h"
#include "text/cleanup.h"
#include "host/netlink.h"

#include <errno.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#define NEWS_BYTES (1 << 20) /* of the socket's buffer: a table of routes comes in one burst */
#define ECN 3		     /* bits of the TOS that no route depends on */

/* --- the way now --- */

static void put_end(struct nlmsghdr *nlh, __u16 type, const struct fl_addr *addr, bool v4)
{
	mnl_attr_put(nlh, type, v4 ? 4 : 16, v4 ? &addr->b[12] : addr->b);
}

static struct nlmsghdr *question(char *buf, const struct routes_question *q)
{
	const struct fl_key *key = q->key;
	bool v4 = address_is_v4(&key->remote);
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct rtmsg *rtm;

	nlh->nlmsg_type = RTM_GETROUTE;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));
	rtm->rtm_family = v4 ? AF_INET : AF_INET6;
	rtm->rtm_dst_len = rtm->rtm_src_len = v4 ? 32 : 128;
	rtm->rtm_tos = q->tos & ~ECN;
	put_end(nlh, RTA_DST, &key->remote, v4);
	put_end(nlh, RTA_SRC, &key->local, v4);
	mnl_attr_put_u8(nlh, RTA_IP_PROTO, (__u8)key->proto);
	mnl_attr_put_u16(nlh, RTA_SPORT, htons(key->local_port));
	mnl_attr_put_u16(nlh, RTA_DPORT, htons(key->remote_port));
	mnl_attr_put_u32(nlh, RTA_UID, q->uid);
	if (q->mark)
		mnl_attr_put_u32(nlh, RTA_MARK, q->mark);
	if (q->ifindex)
		mnl_attr_put_u32(nlh, RTA_OIF, q->ifindex);
	return nlh;
}

static int take_interface(const struct nlattr *attr, void *arg)
{
	__u32 *ifindex = arg;

	if (mnl_attr_get_type(attr) == RTA_OIF)
		*ifindex = mnl_attr_get_u32(attr);
	return MNL_CB_OK;
}

static int take_route(const struct nlmsghdr *nlh, void *arg)
{
	if (nlh->nlmsg_type == RTM_NEWROUTE &&
	    mnl_nlmsg_get_payload_len(nlh) >= sizeof(struct rtmsg))
		(void)mnl_attr_parse(nlh, sizeof(struct rtmsg), take_interface, arg);
	return MNL_CB_OK;
}

int routes_ask(int fd, const struct routes_question *q, __u32 *ret_ifindex)
{
	char buf[512] = { 0 };
	__u32 ifindex = 0;
	int r = netlink_ask(fd, question(buf, q), take_route, &ifindex);

	if (r < 0)
		return r;
	if (!ifindex)
		return -ENETUNREACH;
	*ret_ifindex = ifindex;
	return 0;
}

bool routes_is_none(int error)
{
	return error == -ENETUNREACH || error == -EHOSTUNREACH || error == -EACCES ||
	       error == -EINVAL || error == -ENETDOWN || error == -ENODEV;
}

/* --- news --- */

static const int groups[] = { RTNLGRP_LINK,	  RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
			      RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,  RTNLGRP_IPV4_RULE,
			      RTNLGRP_IPV6_RULE,  RTNLGRP_NEXTHOP,     RTNLGRP_NSID };

int routes_news_hear(int fd, bool on)
{
	int option = on ? NETLINK_ADD_MEMBERSHIP : NETLINK_DROP_MEMBERSHIP;

	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		if (setsockopt(fd, SOL_NETLINK, option, &groups[i], sizeof(groups[i])) < 0)
			return -errno;
	}
	return 0;
}

int routes_news_open(int *ret_fd, bool *ret_others)
{
	const int on = 1, bytes = NEWS_BYTES;
	struct sockaddr_nl us = { .nl_family = AF_NETLINK };
	_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd < 0 || bind(fd, (struct sockaddr *)&us, sizeof(us)) < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	*ret_others = !setsockopt(fd, SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, &on, sizeof(on));
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int take_number(const struct nlattr *attr, void *arg)
{
	int *number = arg;

	if (mnl_attr_get_type(attr) == NETNSA_NSID)
		*number = (int)mnl_attr_get_u32(attr);
	return MNL_CB_OK;
}

void routes_news_parse(const void *buf, size_t len, int number,
		       void (*fn)(const struct routes_news *news, void *arg), void *arg)
{
	const struct nlmsghdr *nlh = buf;
	struct routes_news news;

	for (int left = (int)len; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
		news = (struct routes_news){ .number = number };
		if (nlh->nlmsg_type == RTM_NEWNSID ||
		    (nlh->nlmsg_type == RTM_DELNSID && number != ROUTES_OWN))
			continue; /* nothing has changed; the numbers of others are not ours */
		if (nlh->nlmsg_type == RTM_DELNSID) {
			news = (struct routes_news){ .number = ROUTES_LOST, .ended = true };
			(void)mnl_attr_parse(nlh, sizeof(struct rtgenmsg), take_number,
					     &news.number);
		}
		fn(&news, arg);
	}
}

/* Who sent it: of our own namespace the kernel says nothing. */
static int number_of(struct msghdr *msg)
{
	int number = ROUTES_OWN;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level == SOL_NETLINK && c->cmsg_type == NETLINK_LISTEN_ALL_NSID)
			memcpy(&number, CMSG_DATA(c), sizeof(number));
	}
	return number;
}

int routes_news_read(int fd, void (*fn)(const struct routes_news *news, void *arg), void *arg)
{
	static char buf[65536]; /* one thread; too large for the stack */
	char control[CMSG_SPACE(sizeof(int)) + 64];

	for (;;) {
		struct iovec iov = { .iov_base = buf, .iov_len = sizeof(buf) };
		struct msghdr msg = { .msg_iov = &iov,
				      .msg_iovlen = 1,
				      .msg_control = control,
				      .msg_controllen = sizeof(control) };
		ssize_t n = recvmsg(fd, &msg, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n < 0 && errno != ENOBUFS)
			return -errno;
		if (n < 0)
			fn(&(struct routes_news){ .number = ROUTES_LOST }, arg);
		else
			routes_news_parse(buf, (size_t)n, number_of(&msg), fn, arg);
	}
}

/* --- numbers --- */

static struct nlmsghdr *name(char *buf, __u16 type, int netns)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct rtgenmsg *rtgen;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	rtgen = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtgen));
	rtgen->rtgen_family = AF_UNSPEC;
	mnl_attr_put_u32(nlh, NETNSA_FD, (__u32)netns);
	return nlh;
}

static int find_number(const struct nlmsghdr *nlh, void *arg)
{
	if (nlh->nlmsg_type == RTM_NEWNSID)
		(void)mnl_attr_parse(nlh, sizeof(struct rtgenmsg), take_number, arg);
	return MNL_CB_OK;
}

int routes_number(int fd, int netns, int *ret_number)
{
	char buf[256] = { 0 }, again[256] = { 0 };
	struct nlmsghdr *nlh = name(buf, RTM_NEWNSID, netns);
	int number = NETNSA_NSID_NOT_ASSIGNED, r;

	mnl_attr_put_u32(nlh, NETNSA_NSID, (__u32)NETNSA_NSID_NOT_ASSIGNED);
	r = netlink_ask(fd, nlh, NULL, NULL);
	if (r < 0 && r != -EEXIST)
		return r;
	r = netlink_ask(fd, name(again, RTM_GETNSID, netns), find_number, &number);
	if (r < 0)
		return r;
	if (number < 0)
		return -ENOENT;
	*ret_number = number;
	return 0;
}
