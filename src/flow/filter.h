/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The one filter set: the same names on the command line (`--lport 443`), in the query of the API
 * (`?lport=443`) and here, from one table. Every filter must hold; one given several times matches
 * when any of its values does. A bare address or prefix (`addr`) matches either end.
 *
 * tcp, udp and proto are one filter, so are ipv4 and ipv6: -t -u is both. Listeners and unconnected
 * UDP sockets are matched like all flows, they have no remote end; `listening` leaves only them.
 * Only live flows match, unless closed (then only those), all, since or until is given.
 */
#ifndef FLOWNER_FILTER_H
#define FLOWNER_FILTER_H

#include <flowner/flow.h>
#include <stdbool.h>
#include <stddef.h>

struct process;
struct filter;

/* A flow with all the names a filter may ask for. NULL: not known, matches no value. */
struct flow_names {
	const char *user;
	const char *unit;
	const char *container;
	const char *exe;
};

struct filter_field {
	const char *name;    /* "lport"; also the long option and the query parameter */
	char letter;	     /* short option, 0 = none */
	bool flag;	     /* takes no value: -l, -t, -u, -4, -6 */
	const char *value;   /* placeholder for help: "PORT" */
	const char *help;    /* one line */
	int by;		     /* only filter.c's: which list its values go to */
	const char *implied; /* only filter.c's: the value a flag stands for */
};

/*
 * The table, ended by a NULL name: addr local remote lport rport pid user comm exe unit container
 * netns proto state direction since until listening tcp udp ipv4 ipv6 closed all.
 */
extern const struct filter_field filter_fields[];

int filter_new(struct filter **ret_filter);
void filter_free(struct filter *f);

/*
 * -ENOENT no such field, -EINVAL bad value, -ENOMEM; then *RET_WHY is one sentence naming the
 * value, static until the next call, and F is as before. NOW_NS is CLOCK_REALTIME for relative
 * times ("10m" = ten minutes ago; also RFC 3339 and @epoch). VALUE of a flag: NULL, "", "1" or
 * "true".
 */
int filter_add(struct filter *f, const char *name, const char *value, __u64 now_ns,
	       const char **ret_why);

/* Wall times are compared: REALTIME_OFFSET_NS is CLOCK_REALTIME minus CLOCK_BOOTTIME. */
bool filter_matches(const struct filter *f, const struct fl_flow *flow,
		    const struct flow_names *names, __s64 realtime_offset_ns);

/* Whether it names a time; and the earliest since, CLOCK_REALTIME, 0 when there is none. */
bool filter_names_time(const struct filter *f);
__u64 filter_since_ns(const struct filter *f);

/* False when the filter only asks for live flows: nothing of the recent index can match. */
bool filter_wants_closed(const struct filter *f);
bool filter_wants_live(const struct filter *f);

#endif
