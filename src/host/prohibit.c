/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/prohibit.h"
#include "text/cleanup.h"
#include "host/netlink.h"
#include "host/netns.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#define PRIORITY 1   /* next to that of local addresses, before all others */
#define OURS_MAX 8   /* at a time */
#define MESSAGE 1024 /* a rule has a dozen attributes of a word each */

/* --- one namespace, one family --- */

struct ours {
	__u8 family;
	struct prohibit_mark marks[OURS_MAX];
	size_t count;
};

static __u32 word_of(const struct nlattr *attr)
{
	return mnl_attr_validate(attr, MNL_TYPE_U32) < 0 ? 0 : mnl_attr_get_u32(attr);
}

/* A rule of the dump. */
static int look_at(const struct nlmsghdr *nlh, void *arg)
{
	const struct fib_rule_hdr *rule = mnl_nlmsg_get_payload(nlh);
	struct prohibit_mark mark = { 0 };
	struct ours *ours = arg;
	const struct nlattr *attr;
	__u8 protocol = 0;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*rule) || rule->action != FR_ACT_PROHIBIT)
		return MNL_CB_OK;
	mnl_attr_for_each(attr, nlh, sizeof(*rule))
	{
		switch (mnl_attr_get_type(attr)) {
		case FRA_FWMARK:
			mark.value = word_of(attr);
			break;
		case FRA_FWMASK:
			mark.mask = word_of(attr);
			break;
		case FRA_PROTOCOL:
			protocol = mnl_attr_get_u8(attr);
			break;
		}
	}
	if (protocol == PROHIBIT_PROTOCOL && rule->family == ours->family && ours->count < OURS_MAX)
		ours->marks[ours->count++] = mark;
	return MNL_CB_OK;
}

static struct nlmsghdr *request(char *buf, __u16 type, __u16 flags, __u8 family)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct fib_rule_hdr *rule = mnl_nlmsg_put_extra_header(nlh, sizeof(*rule));

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	rule->family = family;
	rule->action = FR_ACT_PROHIBIT;
	return nlh;
}

static int find(int fd, struct ours *ours)
{
	char buf[MESSAGE] = { 0 };

	return netlink_ask(fd, request(buf, RTM_GETRULE, NLM_F_DUMP, ours->family), look_at, ours);
}

static int change(int fd, __u16 type, __u16 flags, __u8 family, const struct prohibit_mark *mark)
{
	char buf[MESSAGE] = { 0 };
	struct nlmsghdr *nlh = request(buf, type, flags | NLM_F_ACK, family);

	mnl_attr_put_u32(nlh, FRA_PRIORITY, PRIORITY);
	mnl_attr_put_u32(nlh, FRA_FWMARK, mark->value);
	mnl_attr_put_u32(nlh, FRA_FWMASK, mark->mask);
	mnl_attr_put_u8(nlh, FRA_PROTOCOL, PROHIBIT_PROTOCOL);
	return netlink_ask(fd, nlh, NULL, NULL);
}

/* Of OURS only that of WANTED stays, and it is there. */
static int settle(int fd, const struct ours *ours, const struct prohibit_mark *wanted)
{
	bool is_there = false;
	int r = 0;

	for (size_t i = 0; !r && i < ours->count; i++) {
		const struct prohibit_mark *mark = &ours->marks[i];

		if (wanted && mark->value == wanted->value && mark->mask == wanted->mask)
			is_there = true;
		else
			r = change(fd, RTM_DELRULE, 0, ours->family, mark);
	}
	if (r || !wanted || is_there)
		return r;
	return change(fd, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, ours->family, wanted);
}

/* A machine may be without IPv6. */
static int settle_both(int fd, const struct prohibit_mark *wanted)
{
	static const __u8 families[] = { AF_INET, AF_INET6 };
	int results[2];

	for (size_t i = 0; i < 2; i++) {
		struct ours ours = { .family = families[i] };

		results[i] = find(fd, &ours);
		if (!results[i])
			results[i] = settle(fd, &ours, wanted);
	}
	return results[0] ? results[0] : results[1] == -EOPNOTSUPP ? 0 : results[1];
}

/* --- namespaces --- */

struct where {
	__u32 inum; /* 0: all */
	const struct prohibit_mark *wanted;
	int result;
};

static int settle_in(const char *path, __u32 inum, void *arg)
{
	struct where *w = arg;
	_close_ int fd = -1;
	__u64 cookie;

	if (w->inum && inum != w->inum)
		return 0;
	w->result = netns_socket(path, NETLINK_ROUTE, &fd, &cookie);
	if (!w->result)
		w->result = settle_both(fd, w->wanted);
	return w->inum ? 1 : 0;
}

void prohibit_in(struct prohibit *p, __u64 netns_cookie, __u32 netns_inum)
{
	struct where w = { .inum = netns_inum, .wanted = &p->mark };
	int r;

	if (!p->mark.mask || !netns_inum || idset_has(&p->looked_at, netns_cookie))
		return;
	p->any = true;
	r = netns_each(settle_in, &w);
	p->error = r < 0 ? r : r ? w.result : -ENOENT;
	(void)idset_add(&p->looked_at, netns_cookie);
}

void prohibit_nowhere(struct prohibit *p)
{
	struct where all = { .inum = 0 };

	if (p->any)
		(void)netns_each(settle_in, &all);
	prohibit_forget(p);
	p->any = false;
	p->error = 0;
}

void prohibit_forget(struct prohibit *p)
{
	idset_release(&p->looked_at);
}
