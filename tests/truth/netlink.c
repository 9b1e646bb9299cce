/* SPDX-License-Identifier: BSD-2-Clause */
/* rtnetlink: one request, one acknowledgement. */
#include "netlink.h"

#include "text/cleanup.h"
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

struct request {
	struct nlmsghdr head;
	char body[1024];
};

static void *tail(struct request *rq)
{
	return (char *)rq + NLMSG_ALIGN(rq->head.nlmsg_len);
}

static struct rtattr *attr(struct request *rq, unsigned short type, const void *data, size_t len)
{
	struct rtattr *a = tail(rq);

	a->rta_type = type;
	a->rta_len = (unsigned short)RTA_LENGTH(len);
	if (len)
		memcpy(RTA_DATA(a), data, len);
	rq->head.nlmsg_len = NLMSG_ALIGN(rq->head.nlmsg_len) + RTA_ALIGN(a->rta_len);
	return a;
}

static void attr_close(struct request *rq, struct rtattr *a)
{
	a->rta_len = (unsigned short)((char *)tail(rq) - (char *)a);
}

static void begin(struct request *rq, unsigned short type, unsigned short flags, const void *head,
		  size_t len)
{
	memset(rq, 0, sizeof(*rq));
	rq->head.nlmsg_len = NLMSG_LENGTH(len);
	rq->head.nlmsg_type = type;
	rq->head.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	memcpy(NLMSG_DATA(&rq->head), head, len);
}

static int ask(const struct request *rq)
{
	_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	struct {
		struct nlmsghdr head;
		struct nlmsgerr error;
		char rest[1024];
	} answer;

	if (fd < 0 || send(fd, rq, rq->head.nlmsg_len, 0) < 0)
		return -errno;
	if (recv(fd, &answer, sizeof(answer), 0) < (ssize_t)NLMSG_LENGTH(sizeof(answer.error)))
		return -EIO;
	return answer.head.nlmsg_type == NLMSG_ERROR ? answer.error.error : -EPROTO;
}

int link_up(const char *name)
{
	struct ifinfomsg link = { .ifi_index = (int)if_nametoindex(name),
				  .ifi_flags = IFF_UP,
				  .ifi_change = IFF_UP };
	struct request rq;

	if (!link.ifi_index)
		return -errno;
	begin(&rq, RTM_NEWLINK, 0, &link, sizeof(link));
	return ask(&rq);
}

int veth_add(const char *near, const char *far, int far_netns_fd)
{
	struct ifinfomsg link = { 0 };
	struct rtattr *info, *data, *peer;
	struct request rq;

	begin(&rq, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &link, sizeof(link));
	attr(&rq, IFLA_IFNAME, near, strlen(near) + 1);
	info = attr(&rq, IFLA_LINKINFO, NULL, 0);
	attr(&rq, IFLA_INFO_KIND, "veth", 4);
	data = attr(&rq, IFLA_INFO_DATA, NULL, 0);
	peer = attr(&rq, VETH_INFO_PEER, &link, sizeof(link));
	attr(&rq, IFLA_IFNAME, far, strlen(far) + 1);
	if (far_netns_fd >= 0)
		attr(&rq, IFLA_NET_NS_FD, &far_netns_fd, sizeof(far_netns_fd));
	attr_close(&rq, peer);
	attr_close(&rq, data);
	attr_close(&rq, info);
	return ask(&rq);
}

int vrf_add(const char *name, uint32_t table)
{
	struct ifinfomsg link = { 0 };
	struct rtattr *info, *data;
	struct request rq;

	begin(&rq, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &link, sizeof(link));
	attr(&rq, IFLA_IFNAME, name, strlen(name) + 1);
	info = attr(&rq, IFLA_LINKINFO, NULL, 0);
	attr(&rq, IFLA_INFO_KIND, "vrf", 3);
	data = attr(&rq, IFLA_INFO_DATA, NULL, 0);
	attr(&rq, IFLA_VRF_TABLE, &table, sizeof(table));
	attr_close(&rq, data);
	attr_close(&rq, info);
	return ask(&rq);
}

int link_master(const char *name, const char *master)
{
	struct ifinfomsg link = { .ifi_index = (int)if_nametoindex(name) };
	uint32_t index = if_nametoindex(master);
	struct request rq;

	if (!link.ifi_index || !index)
		return -errno;
	begin(&rq, RTM_NEWLINK, 0, &link, sizeof(link));
	attr(&rq, IFLA_MASTER, &index, sizeof(index));
	return ask(&rq);
}

static const void *address_bytes(const struct ep *address, unsigned char *ret_af, size_t *ret_len)
{
	bool v4 = IN6_IS_ADDR_V4MAPPED(&address->ip);

	*ret_af = v4 ? AF_INET : AF_INET6;
	*ret_len = v4 ? 4 : 16;
	return v4 ? &address->ip.s6_addr[12] : &address->ip.s6_addr[0];
}

int address_add(const char *name, const struct ep *address, unsigned int prefix)
{
	struct ifaddrmsg msg = { .ifa_prefixlen = (unsigned char)prefix,
				 .ifa_flags = IFA_F_NODAD,
				 .ifa_index = if_nametoindex(name) };
	struct request rq;
	size_t len;
	const void *bytes = address_bytes(address, &msg.ifa_family, &len);

	begin(&rq, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &msg, sizeof(msg));
	attr(&rq, IFA_LOCAL, bytes, len);
	attr(&rq, IFA_ADDRESS, bytes, len);
	return ask(&rq);
}

int neighbour_add(const char *name, const struct ep *address)
{
	static const unsigned char nobody[6] = { 2, 0, 0, 0, 0, 9 };
	struct ndmsg msg = { .ndm_ifindex = (int)if_nametoindex(name), .ndm_state = NUD_PERMANENT };
	struct request rq;
	size_t len;
	const void *bytes = address_bytes(address, &msg.ndm_family, &len);

	begin(&rq, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, &msg, sizeof(msg));
	attr(&rq, NDA_DST, bytes, len);
	attr(&rq, NDA_LLADDR, nobody, sizeof(nobody));
	return ask(&rq);
}
