/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/conntrack.h"
#include "text/address.h"
#include "host/netns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define LOADED "/proc/sys/net/netfilter/nf_conntrack_count" /* in every namespace, then */

/* One direction of a connection. */
struct tuple {
	struct fl_addr source, destination;
	__u16 source_port, destination_port;
};

struct entry {
	struct tuple original, reply;
};

/* --- the question --- */

static void put_address(struct nlmsghdr *nlh, const struct fl_addr *a, bool v4, __u16 type4,
			__u16 type6)
{
	if (v4)
		mnl_attr_put(nlh, type4, 4, &a->b[12]);
	else
		mnl_attr_put(nlh, type6, 16, a->b);
}

static void put_tuple(struct nlmsghdr *nlh, enum fl_proto proto, const struct tuple *t, bool v4)
{
	struct nlattr *whole = mnl_attr_nest_start(nlh, CTA_TUPLE_ORIG);
	struct nlattr *part = mnl_attr_nest_start(nlh, CTA_TUPLE_IP);

	put_address(nlh, &t->source, v4, CTA_IP_V4_SRC, CTA_IP_V6_SRC);
	put_address(nlh, &t->destination, v4, CTA_IP_V4_DST, CTA_IP_V6_DST);
	mnl_attr_nest_end(nlh, part);
	part = mnl_attr_nest_start(nlh, CTA_TUPLE_PROTO);
	mnl_attr_put_u8(nlh, CTA_PROTO_NUM, (__u8)proto);
	mnl_attr_put_u16(nlh, CTA_PROTO_SRC_PORT, htons(t->source_port));
	mnl_attr_put_u16(nlh, CTA_PROTO_DST_PORT, htons(t->destination_port));
	mnl_attr_nest_end(nlh, part);
	mnl_attr_nest_end(nlh, whole);
}

/* --- the answer --- */

static int read_address(const struct nlattr *attr, void *arg)
{
	struct tuple *t = arg;
	const void *bytes = mnl_attr_get_payload(attr);
	__u16 type = mnl_attr_get_type(attr);
	bool v4 = type == CTA_IP_V4_SRC || type == CTA_IP_V4_DST;
	bool source = type == CTA_IP_V4_SRC || type == CTA_IP_V6_SRC;
	struct fl_addr *a = source ? &t->source : &t->destination;

	if (type < CTA_IP_V4_SRC || type > CTA_IP_V6_DST)
		return MNL_CB_OK;
	if (mnl_attr_get_payload_len(attr) != (v4 ? 4 : 16))
		return MNL_CB_ERROR;
	*a = (struct fl_addr){ .b = { [10] = 0xff, [11] = 0xff } };
	memcpy(v4 ? &a->b[12] : a->b, bytes, v4 ? 4 : 16);
	return MNL_CB_OK;
}

static int read_ports(const struct nlattr *attr, void *arg)
{
	struct tuple *t = arg;
	__u16 type = mnl_attr_get_type(attr);

	if (type != CTA_PROTO_SRC_PORT && type != CTA_PROTO_DST_PORT)
		return MNL_CB_OK;
	if (mnl_attr_validate(attr, MNL_TYPE_U16) < 0)
		return MNL_CB_ERROR;
	if (type == CTA_PROTO_SRC_PORT)
		t->source_port = ntohs(mnl_attr_get_u16(attr));
	else
		t->destination_port = ntohs(mnl_attr_get_u16(attr));
	return MNL_CB_OK;
}

static int read_tuple(const struct nlattr *attr, void *arg)
{
	switch (mnl_attr_get_type(attr)) {
	case CTA_TUPLE_IP:
		return mnl_attr_parse_nested(attr, read_address, arg);
	case CTA_TUPLE_PROTO:
		return mnl_attr_parse_nested(attr, read_ports, arg);
	default:
		return MNL_CB_OK;
	}
}

static int read_attribute(const struct nlattr *attr, void *arg)
{
	struct entry *e = arg;

	switch (mnl_attr_get_type(attr)) {
	case CTA_TUPLE_ORIG:
		return mnl_attr_parse_nested(attr, read_tuple, &e->original);
	case CTA_TUPLE_REPLY:
		return mnl_attr_parse_nested(attr, read_tuple, &e->reply);
	default:
		return MNL_CB_OK;
	}
}

static int read_entry(const struct nlmsghdr *nlh, void *arg)
{
	return mnl_attr_parse(nlh, sizeof(struct nfgenmsg), read_attribute, arg);
}

/* The connection one of whose directions is T: the kernel has both in one table. */
static int get(int fd, enum fl_proto proto, const struct tuple *t, struct entry *ret_entry)
{
	char buf[8192] = { 0 };
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	bool v4 = address_is_v4(&t->source) && address_is_v4(&t->destination);
	struct nfgenmsg *head;
	ssize_t n;

	nlh->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	head = mnl_nlmsg_put_extra_header(nlh, sizeof(*head));
	head->nfgen_family = v4 ? AF_INET : AF_INET6;
	head->version = NFNETLINK_V0;
	put_tuple(nlh, proto, t, v4);
	if (send(fd, nlh, nlh->nlmsg_len, 0) < 0)
		return -errno;
	n = recv(fd, buf, sizeof(buf), 0);
	if (n < 0)
		return -errno;
	*ret_entry = (struct entry){ 0 };
	return mnl_cb_run(buf, (size_t)n, 0, 0, read_entry, ret_entry) < 0 ? -errno : 0;
}

/* --- which side is which --- */

static bool same(const struct tuple *a, const struct tuple *b)
{
	return !memcmp(&a->source, &b->source, sizeof(a->source)) &&
	       !memcmp(&a->destination, &b->destination, sizeof(a->destination)) &&
	       a->source_port == b->source_port && a->destination_port == b->destination_port;
}

static struct tuple turned(const struct tuple *t)
{
	return (struct tuple){ t->destination, t->source, t->destination_port, t->source_port };
}

/*
 * A packet that is T on one side: on the other it is what the opposite direction is, turned round.
 * -ENOENT when nothing is translated.
 */
static int other_side(const struct entry *e, const struct tuple *t, struct tuple *ret_other)
{
	struct tuple other = turned(same(&e->original, t) ? &e->reply : &e->original);

	if (same(&other, t))
		return -ENOENT;
	*ret_other = other;
	return 0;
}

static int translate(int fd, enum fl_proto proto, const struct ends *seen, struct ends *ret_other)
{
	struct tuple out = { seen->local, seen->remote, seen->local_port, seen->remote_port };
	struct tuple in = turned(&out), other;
	struct entry entry;
	int r = get(fd, proto, &out, &entry);
	bool sent = r == 0;

	if (r == -ENOENT)
		r = get(fd, proto, &in, &entry);
	if (!r)
		r = other_side(&entry, sent ? &out : &in, &other);
	if (r < 0)
		return r;
	if (!sent)
		other = turned(&other);
	*ret_other = (struct ends){ other.source, other.destination, other.source_port,
				    other.destination_port };
	return 0;
}

/* --- where to ask --- */

struct place {
	__u32 inum;
	int fd;
};

static int open_there(const char *path, __u32 inum, void *arg)
{
	struct place *p = arg;
	__u64 cookie;
	int r;

	if (inum != p->inum)
		return 0;
	r = netns_socket(path, NETLINK_NETFILTER, &p->fd, &cookie);
	return r < 0 ? r : 1;
}

static int open_place(struct place *p)
{
	__u64 cookie;
	int r;

	if (!p->inum)
		return netns_socket(NETNS_OWN, NETLINK_NETFILTER, &p->fd, &cookie);
	r = netns_each(open_there, p);
	return r < 0 ? r : r ? 0 : -ENOENT;
}

int conntrack_other_side(__u32 netns_inum, enum fl_proto proto, const struct ends *seen,
			 struct ends *ret_other)
{
	struct place p = { .inum = netns_inum, .fd = -1 };
	int r;

	if (access(LOADED, F_OK) < 0)
		return -ENOENT;
	r = open_place(&p);
	if (r < 0)
		return r;
	r = translate(p.fd, proto, seen, ret_other);
	close(p.fd);
	return r;
}
