/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who has a socket open, asked of the kernel: all open files are walked by an iterator, piece by
 * piece, so that the daemon's other work has its turn in between. What is passed from process to
 * process, or closed, meanwhile may be told or not.
 */
#ifndef FLOWNER_HOLDERS_H
#define FLOWNER_HOLDERS_H

#include <flowner/flow.h>
#include <stdbool.h>
#include <stddef.h>

#define HOLDERS_MAX 1024 /* processes that are told of one socket */
#define HOLDER_FDS 16	 /* and descriptors of one process */

struct holder {
	struct fl_owner owner;
	__u32 fds[HOLDER_FDS];
	size_t fd_count;
};

/* Order is that of the kernel's walk: by pid, threads with descriptors of their own aside. */
struct holders_found {
	struct holder *list;
	size_t count;
	bool truncated; /* there are more, or more descriptors of one */
};

struct holders;
struct holders_walk;

/*
 * LINK is the iterator's and WANTED its FL_HOLDER_WALKS cookies; both are the caller's, and outlive
 * what is returned. -ENOMEM.
 */
int holders_new(int link, __u64 *wanted, struct holders **ret_holders);
void holders_free(struct holders *h);

/*
 * Of the socket with COOKIE. Some may be under way at once, and fewer of those who do not SEE_ALL;
 * others wait. -ENOMEM.
 */
int holders_walk_new(struct holders *h, __u64 cookie, bool sees_all,
		     struct holders_walk **ret_walk);
void holders_walk_free(struct holders_walk *w);

/*
 * About a millisecond of it. 0 it is done; -EAGAIN others have their turn first; else nobody knows:
 * -ETIMEDOUT, or what the kernel said.
 */
int holders_walk_on(struct holders_walk *w);

/* What was found so far, and lives as long as W. */
struct holders_found *holders_walk_found(struct holders_walk *w);

#endif
