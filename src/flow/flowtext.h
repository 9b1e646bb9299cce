/* SPDX-License-Identifier: BSD-2-Clause */
/* Words for the enums of flow.h and flow ids, in both directions: the one place to spell them. */
#ifndef FLOWNER_FLOWTEXT_H
#define FLOWNER_FLOWTEXT_H

#include <flowner/flow.h>

#define FLOW_ID_TEXT 17 /* 16 hex digits and the NUL */

const char *proto_text(enum fl_proto proto);	/* "tcp", "udp" */
const char *role_text(enum fl_role role);	/* "opener", ..., NULL for UNKNOWN */
const char *state_text(enum fl_state state);	/* "established", "syn_sent", "unconn", ... */
const char *reason_text(enum fl_reason reason); /* "refused", ..., NULL for NONE */
const char *action_text(enum fl_record_type t); /* "listen", "open", ...; NULL when no action */
const char *counter_text(enum fl_counter c);	/* "ring_full", ... */
const char *direction_text(const struct fl_flow *flow); /* "egress", "ingress", NULL not known */

/* -EINVAL unknown word. "listening" = listen, "closed" = close, as in ss; any case; '-' as '_'. */
int proto_parse(const char *text, enum fl_proto *ret_proto);
int state_parse(const char *text, enum fl_state *ret_state);

/* 16 hex digits into BUF of FLOW_ID_TEXT bytes; returns BUF. */
const char *flow_id_format(__u64 id, char *buf);

/*
 * `ff6ea`, `0xff6ea`, `sk:ff6ea` are hex, `=1046250` decimal. -EINVAL malformed, -ERANGE 0 or too
 * long.
 */
int flow_id_parse(const char *text, __u64 *ret_id);

#endif
