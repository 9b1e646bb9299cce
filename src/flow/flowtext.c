/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The words of flow.h's enums and the text of flow ids. Every surface (JSON, table, filter,
 * metrics) takes them from here, so a word has one spelling.
 *
 * Values come from maps and rings, so a number outside its enum is possible: it reads as "unknown"
 * where a word is always expected, and as NULL where a word may be absent anyway.
 */
#include "flow/flowtext.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORD_MAX 16

struct alias {
	const char *word;
	enum fl_state state;
};

/* What ss prints or takes where it differs from our word. */
static const struct alias state_aliases[] = {
	{ "listening", FL_STATE_LISTEN },     { "closed", FL_STATE_CLOSE },
	{ "fin_wait_1", FL_STATE_FIN_WAIT1 }, { "fin_wait_2", FL_STATE_FIN_WAIT2 },
	{ "estab", FL_STATE_ESTABLISHED },
};

const char *proto_text(enum fl_proto proto)
{
	switch (proto) {
	case FL_TCP:
		return "tcp";
	case FL_UDP:
		return "udp";
	}
	return "unknown";
}

const char *role_text(enum fl_role role)
{
	switch (role) {
	case FL_ROLE_UNKNOWN:
		return NULL;
	case FL_ROLE_OPENER:
		return "opener";
	case FL_ROLE_ACCEPTOR:
		return "acceptor";
	case FL_ROLE_LISTENER:
		return "listener";
	case FL_ROLE_USER:
		return "user";
	case FL_ROLE_EXISTING:
		return "existing";
	}
	return NULL;
}

const char *state_text(enum fl_state state)
{
	switch (state) {
	case FL_STATE_ESTABLISHED:
		return "established";
	case FL_STATE_SYN_SENT:
		return "syn_sent";
	case FL_STATE_SYN_RECV:
		return "syn_recv";
	case FL_STATE_FIN_WAIT1:
		return "fin_wait1";
	case FL_STATE_FIN_WAIT2:
		return "fin_wait2";
	case FL_STATE_TIME_WAIT:
		return "time_wait";
	case FL_STATE_CLOSE:
		return "close";
	case FL_STATE_CLOSE_WAIT:
		return "close_wait";
	case FL_STATE_LAST_ACK:
		return "last_ack";
	case FL_STATE_LISTEN:
		return "listen";
	case FL_STATE_CLOSING:
		return "closing";
	case FL_STATE_UNCONN:
		return "unconn";
	}
	return "unknown";
}

const char *reason_text(enum fl_reason reason)
{
	switch (reason) {
	case FL_REASON_NONE:
		return NULL;
	case FL_REASON_REFUSED:
		return "refused";
	case FL_REASON_TIMED_OUT:
		return "timed_out";
	case FL_REASON_UNREACHABLE:
		return "unreachable";
	case FL_REASON_ABORTED:
		return "aborted";
	case FL_REASON_RESET:
		return "reset";
	case FL_REASON_OTHER:
		return "other";
	case FL_REASON_LOST:
		return "lost";
	case FL_REASON_IDLE:
		return "idle";
	}
	return NULL;
}

const char *action_text(enum fl_record_type t)
{
	switch (t) {
	case FL_EVENT_LISTEN:
		return "listen";
	case FL_EVENT_UNLISTEN:
		return "unlisten";
	case FL_EVENT_OPEN:
		return "open";
	case FL_EVENT_ESTABLISHED:
		return "established";
	case FL_EVENT_ACCEPT:
		return "accept";
	case FL_EVENT_USER:
		return "user";
	case FL_EVENT_CLOSE:
		return "close";
	case FL_EVENT_VERDICT:
		return "verdict";
	case FL_EVENT_UNBIND:
		return "unbind";
	case FL_RECORD_PROCESS:
	case FL_RECORD_TEXT:
	case FL_RECORD_EXIT:
	case FL_EVENT_CGROUP:
	case FL_EVENT_LINK:
		return NULL;
	}
	return NULL;
}

static const char *const counters[] = {
	[FL_CNT_OPENED] = "opened",
	[FL_CNT_ENDED] = "ended",
	[FL_CNT_SEEDED] = "seeded",
	[FL_CNT_ACCEPTED] = "accepted",
	[FL_CNT_CONNECT_CALLS] = "connect_calls",
	[FL_CNT_RING_FULL] = "ring_full",
	[FL_CNT_CONNECTIONS_FULL] = "connections_full",
	[FL_CNT_SOCKETS_FULL] = "sockets_full",
	[FL_CNT_PROCESSES_FULL] = "processes_full",
	[FL_CNT_STORAGE_FULL] = "storage_full",
	[FL_CNT_NO_LISTENER] = "no_listener",
	[FL_CNT_END_REPAIRED] = "end_repaired",
	[FL_CNT_END_RECONCILED] = "end_reconciled",
	[FL_CNT_UDP_IDLE] = "udp_idle",
	[FL_CNT_UDP_UNOWNED] = "udp_unowned",
	[FL_CNT_UDP_PARSE] = "udp_parse",
	[FL_CNT_UDP_PENDING_FULL] = "udp_pending_full",
	[FL_CNT_UDP_CONTESTED] = "udp_contested",
	[FL_CNT_UDP_CALL_UNSEEN] = "udp_call_unseen",
	[FL_CNT_UDP_PEERS_LEFT] = "udp_peers_left",
	[FL_CNT_EXE_UNREAD] = "exe_unread",
	[FL_CNT_ARGS_UNREAD] = "args_unread",
	[FL_CNT_ABORTED] = "aborted",
	[FL_CNT_ABORT_REFUSED] = "abort_refused",
	[FL_CNT_VERDICT_FAILED] = "verdict_failed",
	[FL_CNT_VERDICT_UNKNOWN] = "verdict_unknown",
	[FL_CNT_VERDICT_UNTOLD] = "verdict_untold",
	[FL_CNT_COUNTS_FULL] = "counts_full",
	[FL_CNT_CGROUPS_FULL] = "cgroups_full",
	[FL_CNT_SLOT_0_FULL] = "slot_0_full",
	[FL_CNT_SLOT_1_FULL] = "slot_1_full",
	[FL_CNT_SLOT_2_FULL] = "slot_2_full",
	[FL_CNT_SLOT_3_FULL] = "slot_3_full",
	[FL_CNT_ESTABLISHED_LATE] = "established_late",
	[FL_CNT_RUNS_SKIPPED] = "runs_skipped",
	[FL_CNT_VERDICT_SKIPPED] = "verdict_skipped",
	[FL_CNT_REDIRECTS_FULL] = "redirects_full",
	[FL_CNT_LISTENERS_FULL] = "listeners_full",
	[FL_CNT_AGAIN_CUT] = "reauthorized_cut",
	[FL_CNT_AGAIN_LEFT] = "reauthorized_left",
	[FL_CNT_AGAIN_UNJUDGED] = "reauthorized_unjudged",
	[FL_CNT_LISTENERS_UNCOUNTED] = "listeners_uncounted",
	[FL_CNT_MPTCP_UNOWNED] = "mptcp_unowned",
	[FL_CNT_MPTCP_PATHS_LEFT] = "mptcp_paths_left",
	[FL_CNT_INDEX_REPAIRED] = "index_repaired",
};
_Static_assert(sizeof(counters) / sizeof(counters[0]) == FL_CNT_MAX, "each counter has a name");

const char *counter_text(enum fl_counter c)
{
	return c < FL_CNT_MAX && counters[c] ? counters[c] : "unknown";
}

/* A session found already open has a direction too, but nobody saw it: absent, not guessed. */
const char *direction_text(const struct fl_flow *flow)
{
	switch (flow->role) {
	case FL_ROLE_OPENER:
		return "egress";
	case FL_ROLE_ACCEPTOR:
		return "ingress";
	case FL_ROLE_UNKNOWN:
	case FL_ROLE_LISTENER:
	case FL_ROLE_USER:
	case FL_ROLE_EXISTING:
		return NULL;
	}
	return NULL;
}

/* TEXT in our spelling: lower case, '_' for '-'. */
static int normalize(const char *text, char ret_word[WORD_MAX])
{
	size_t len = strlen(text);

	if (len >= WORD_MAX)
		return -EINVAL;
	for (size_t i = 0; i <= len; i++)
		ret_word[i] = (char)(text[i] == '-' ? '_' : tolower((unsigned char)text[i]));
	return 0;
}

int proto_parse(const char *text, enum fl_proto *ret_proto)
{
	static const enum fl_proto protos[] = { FL_TCP, FL_UDP };
	char word[WORD_MAX];

	if (normalize(text, word) < 0)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(protos) / sizeof(protos[0]); i++) {
		if (strcmp(word, proto_text(protos[i])) == 0) {
			*ret_proto = protos[i];
			return 0;
		}
	}
	return -EINVAL;
}

static int state_by_alias(const char *word, enum fl_state *ret_state)
{
	for (size_t i = 0; i < sizeof(state_aliases) / sizeof(state_aliases[0]); i++) {
		if (strcmp(word, state_aliases[i].word) == 0) {
			*ret_state = state_aliases[i].state;
			return 0;
		}
	}
	return -EINVAL;
}

int state_parse(const char *text, enum fl_state *ret_state)
{
	char word[WORD_MAX];

	/* the holes between the numbers read as "unknown", which must stay no state */
	if (normalize(text, word) < 0 || strcmp(word, "unknown") == 0)
		return -EINVAL;
	for (enum fl_state s = FL_STATE_ESTABLISHED; s <= FL_STATE_UNCONN; s++) {
		if (strcmp(word, state_text(s)) == 0) {
			*ret_state = s;
			return 0;
		}
	}
	return state_by_alias(word, ret_state);
}

const char *flow_id_format(__u64 id, char *buf)
{
	snprintf(buf, FLOW_ID_TEXT, "%016llx", (unsigned long long)id);
	return buf;
}

/* All of TEXT as a number of BASE; -ERANGE when it is longer, or says more, than 64 bits need. */
static int parse_digits(const char *text, unsigned int base, __u64 *ret_value)
{
	size_t len = strspn(text, base == 16 ? "0123456789abcdefABCDEF" : "0123456789");
	unsigned long long value;

	if (len == 0 || text[len] != '\0')
		return -EINVAL;
	if (len > (base == 16 ? 16 : 20))
		return -ERANGE;
	errno = 0;
	value = strtoull(text, NULL, (int)base);
	if (errno != 0)
		return -errno;
	*ret_value = value;
	return 0;
}

int flow_id_parse(const char *text, __u64 *ret_id)
{
	unsigned int base = 16;
	__u64 id = 0;
	int r;

	if (text[0] == '=') {
		base = 10;
		text += 1;
	} else if (strncmp(text, "0x", 2) == 0) {
		text += 2;
	} else if (strncmp(text, "sk:", 3) == 0) {
		text += 3;
	}
	r = parse_digits(text, base, &id);
	if (r < 0)
		return r;
	if (id == 0)
		return -ERANGE;
	*ret_id = id;
	return 0;
}
