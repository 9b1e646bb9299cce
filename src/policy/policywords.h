/* SPDX-License-Identifier: BSD-2-Clause */
/* The words of a policy: hooks, verdicts, attributes, types of interfaces and tunnels. Pure. */
#ifndef FLOWNER_POLICYWORDS_H
#define FLOWNER_POLICYWORDS_H

#include <flowner/policy.h>
#include <stdbool.h>

/* POLICY_LOCAL_* and POLICY_REMOTE_*: `local: {addr, port}` and `remote: {addr, port}`. */
enum policy_attribute {
	POLICY_PROTO, /* in a rule's tcp and udp, never a term */
	POLICY_EXE,
	POLICY_PARENT,
	POLICY_USER,
	POLICY_UID,
	POLICY_GROUP,
	POLICY_CGROUP,
	POLICY_UNIT,
	POLICY_CONTAINER,
	POLICY_NETNS,
	POLICY_INTERFACE,
	POLICY_INTERFACE_TYPE,
	POLICY_TUNNEL_TYPE,
	POLICY_LOCAL_ADDR,
	POLICY_LOCAL_PORT,
	POLICY_REMOTE_ADDR,
	POLICY_REMOTE_PORT,
	POLICY_PORT_IN_USE, /* by another process that listens there */
	POLICY_LIMIT,	    /* so many listeners and more: one for each enum fl_per */
	POLICY_LIMIT_USER,
	POLICY_LIMIT_CGROUP,
	POLICY_LIMIT_EXE,
	POLICY_ATTRIBUTES,
};

/* Of an attempt to listen(): how many there are already. */
struct policy_listeners {
	__u32 known; /* bit 1 << enum fl_per */
	__u32 of[FL_PERS];
};

/* By which interface an attempt goes, or has come in: as a rule would name it. */
struct policy_route {
	bool known;
	__u32 ifindex;	    /* of the next hop */
	char interface[16]; /* its name; empty: not known */
	__u32 interface_type, tunnel_type;
};

/* -EINVAL: no such word. Types are words or IANA's numbers (ifType, tunnelType). */
const char *policy_hook_text(enum fl_hook hook);
int policy_hook_parse(const char *text, enum fl_hook *ret_hook);
const char *policy_verdict_text(enum fl_verdict verdict);
int policy_verdict_parse(const char *text, __u32 *ret_verdict); /* not `redirect` */
int policy_interface_type_parse(const char *text, __u32 *ret_type);
int policy_tunnel_type_parse(const char *text, __u32 *ret_type);
const char *policy_interface_type_text(__u32 type); /* NULL: there is no word for it */
const char *policy_tunnel_type_text(__u32 type);
const char *policy_per_text(enum fl_per per);
int policy_per_parse(const char *text, enum fl_per *ret_per);
int policy_bool_parse(const char *text, bool *ret_value); /* "true", "false" */

/* As in a policy, with "local.port" for what is inside of `local`. */
const char *policy_attribute_text(enum policy_attribute attribute);

/* The dimension in which ATTRIBUTE is asked. */
enum fl_dimension policy_dimension(enum policy_attribute attribute);

/* Whether an attempt at HOOK has ATTRIBUTE at all. */
bool policy_hook_has(enum fl_hook hook, enum policy_attribute attribute);

#endif
