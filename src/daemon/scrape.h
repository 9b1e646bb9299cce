/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * GET /metrics on TCP, for whoever can connect there; every other request is 404. A server of its
 * own, so that nothing of the API is in reach, and that strangers take no connection from it.
 */
#ifndef FLOWNER_SCRAPE_H
#define FLOWNER_SCRAPE_H

#include <linux/types.h>
#include <stdbool.h>

struct agent;
struct fail;
struct scrape;

/*
 * Listens at ENDPOINT ("127.0.0.1:9499"). Negative errno, worded in F. *RET_LATER: the address is
 * none of this host yet; it is listened at all the same.
 */
int scrape_new(struct agent *agent, const char *endpoint, struct scrape **ret_scrape,
	       bool *ret_later, struct fail *f);
void scrape_free(struct scrape *s);

/* As those of the API; all take NULL. */
int scrape_fd(const struct scrape *s); /* -1 without */
int scrape_run(struct scrape *s);
int scrape_timeout_ms(const struct scrape *s);

/* Of connections. */
struct scrape_counts {
	__u64 answered;
	__u64 refused; /* asked for something else */
	__u64 dropped; /* too slow */
};

struct scrape_counts scrape_counts(const struct scrape *s);

#endif
