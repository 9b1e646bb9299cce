/* SPDX-License-Identifier: BSD-2-Clause */
/* A UDP server of its own process, for the scenarios, and those who ask it. */
#ifndef TRUTH_UDP_SERVER_H
#define TRUTH_UDP_SERVER_H

#include "actor.h"
#include "udp.h"

struct udp_serve {
	struct ep at;	 /* where to bind */
	struct ep local; /* the address clients send to; port filled in */
	bool with_addr;	 /* ask from where, and reply */
	bool reuseport;
	bool pktinfo;	   /* reply from .local */
	struct udp *bound; /* inherited, already bound */
};

struct udp_serve udp_serve_plain(void);

/* A process NAME that serves until it is told to stop; where, in *ret_at. */
int udp_server_start(struct actor *a, const char *name, const struct udp_serve *sv,
		     struct ep *ret_at);
int udp_server_stop(struct actor *a);

/* Takes and answers datagrams until the channel speaks; what came before that is taken too. */
int udp_serve_until_told(int ctl, struct udp *u, const struct udp_serve *sv);

/* A process NAME does FN with TO, to its end. */
int udp_asked_by(const char *name, actor_fn fn, const struct ep *to);

/* An actor_fn: connects to where ARG, a struct ep, says, and asks once. */
int udp_ask(int ctl, void *arg);

#endif
