/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rtnetlink: by which interface the kernel would send now, and news of whatever may change that, of
 * our own network namespace and of all that have a number in it.
 */
#ifndef FLOWNER_ROUTES_H
#define FLOWNER_ROUTES_H

#include <flowner/flow.h>
#include <stdbool.h>
#include <stddef.h>

/* What a socket's route is chosen by. */
struct routes_question {
	const struct fl_key *key;
	__u32 ifindex; /* it is bound to, 0: none */
	__u32 uid, mark;
	__u8 tos;
};

/*
 * FD is a NETLINK_ROUTE socket of the namespace that is meant. -ENETUNREACH, -EHOSTUNREACH,
 * -EACCES, -EINVAL (the local address is no more): there is no way now; other errors: nobody knows.
 */
int routes_ask(int fd, const struct routes_question *q, __u32 *ret_ifindex);

/* True: what routes_ask() said means that nothing would leave. */
bool routes_is_none(int error);

#define ROUTES_OWN (-1)	 /* our own namespace */
#define ROUTES_LOST (-2) /* some of the news did not fit */

struct routes_news {
	int number; /* of the namespace, as ours has it; or ROUTES_* */
	bool ended; /* that number is nobody's any more */
};

/* Not blocking; hears nothing yet. OTHERS: of other namespaces, too, which takes CAP_NET_BROADCAST
 * here; who reads it need not have that. */
int routes_news_open(int *ret_fd, bool *ret_others);
int routes_news_hear(int fd, bool on); /* routes, rules, interfaces, addresses */
int routes_news_read(int fd, void (*fn)(const struct routes_news *news, void *arg), void *arg);

/* What LEN bytes that came from the namespace with NUMBER tell. */
void routes_news_parse(const void *buf, size_t len, int number,
		       void (*fn)(const struct routes_news *news, void *arg), void *arg);

/* The number of the namespace NETNS in that of FD, a NETLINK_ROUTE socket; it gets one if it had
 * none, for as long as it lives: news comes from namespaces with a number only. */
int routes_number(int fd, int netns, int *ret_number);

#endif
