/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The schema says which keys there are and that all values are words; the table says what each
 * word means, between which bounds, and where it goes.
 */
#include "host/settings.h"
#include "text/address.h"
#include "host/config.h"

#include <sys/un.h>

#define LIST_END NULL
#define DAY_S 86400ull
#define NS_PER_MS 1000000ull
#define NS_PER_S 1000000000ull
#define SUN_PATH_MAX sizeof(((struct sockaddr_un *)0)->sun_path)

struct raw {
	char *socket, *pin_dir, *cgroup, *group, *policy_dir;
	char *accept, *on_stop, *scope, *counts;
	struct raw_recent {
		char *flows, *age;
	} recent;
	struct raw_limits {
		char *flows, *processes, *ring;
	} limits;
	struct raw_metrics {
		char *listen;
	} metrics;
	struct raw_history {
		char *file;
	} history;
	struct raw_journal {
		struct settings_list events;
	} journal;
	struct raw_authorization {
		char *mark, *mask;
	} authorization;
	char *poll, *reconcile, *udp_idle;
};

#define WORD(type, name)                                                                           \
	CYAML_FIELD_STRING_PTR(#name, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, type, name, 1,     \
			       CYAML_UNLIMITED)

static const cyaml_schema_field_t recent_fields[] = {
	WORD(struct raw_recent, flows),
	WORD(struct raw_recent, age),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t limits_fields[] = {
	WORD(struct raw_limits, flows),
	WORD(struct raw_limits, processes),
	WORD(struct raw_limits, ring),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t metrics_fields[] = {
	WORD(struct raw_metrics, listen),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t history_fields[] = {
	WORD(struct raw_history, file),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t word_schema = {
	CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, CYAML_UNLIMITED),
};

static const cyaml_schema_field_t journal_fields[] = {
	CYAML_FIELD_SEQUENCE("events", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct raw_journal,
			     events.words, &word_schema, 1, CYAML_UNLIMITED),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t authorization_fields[] = {
	WORD(struct raw_authorization, mark),
	WORD(struct raw_authorization, mask),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t fields[] = {
	WORD(struct raw, socket),
	WORD(struct raw, pin_dir),
	WORD(struct raw, cgroup),
	WORD(struct raw, group),
	WORD(struct raw, policy_dir),
	WORD(struct raw, accept),
	WORD(struct raw, on_stop),
	WORD(struct raw, scope),
	WORD(struct raw, counts),
	CYAML_FIELD_MAPPING("recent", CYAML_FLAG_OPTIONAL, struct raw, recent, recent_fields),
	CYAML_FIELD_MAPPING("limits", CYAML_FLAG_OPTIONAL, struct raw, limits, limits_fields),
	CYAML_FIELD_MAPPING("metrics", CYAML_FLAG_OPTIONAL, struct raw, metrics, metrics_fields),
	CYAML_FIELD_MAPPING("history", CYAML_FLAG_OPTIONAL, struct raw, history, history_fields),
	CYAML_FIELD_MAPPING("journal", CYAML_FLAG_OPTIONAL, struct raw, journal, journal_fields),
	CYAML_FIELD_MAPPING("authorization", CYAML_FLAG_OPTIONAL, struct raw, authorization,
			    authorization_fields),
	WORD(struct raw, poll),
	WORD(struct raw, reconcile),
	WORD(struct raw, udp_idle),
	CYAML_FIELD_END,
};

const cyaml_schema_value_t settings_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct raw, fields),
};

static const char *const accept_choices[] = { "auto", "syscall", LIST_END };
static const char *const on_stop_choices[] = { "detach", "keep", LIST_END };
static const char *const scope_choices[] = { "host", "container", LIST_END };
static const char *const counts_choices[] = { "off", "tcp", "all", LIST_END };

static const char *const event_choices[] = {
	[CONFIG_EVENT_LISTEN] = "listen", [CONFIG_EVENT_UNLISTEN] = "unlisten",
	[CONFIG_EVENT_OPEN] = "open",	  [CONFIG_EVENT_ESTABLISHED] = "established",
	[CONFIG_EVENT_ACCEPT] = "accept", [CONFIG_EVENT_USER] = "user",
	[CONFIG_EVENT_CLOSE] = "close",	  [CONFIG_EVENT_VERDICT] = "verdict",
	[CONFIG_EVENT_LOST] = "lost",	  LIST_END,
};

#define AT(from, to)                                                                               \
	.raw_offset = offsetof(struct raw, from), .offset = offsetof(struct config, to),           \
	.bytes = sizeof(((struct config *)0)->to)

const struct setting settings[] = {
	{ "socket", KIND_PATH, AT(socket, socket), .max = SUN_PATH_MAX, .help = "where to answer" },
	{ "pin_dir", KIND_PATH, AT(pin_dir, pin_dir), .max = 4096,
	  .help = "where to pin maps and programs; below a bpffs" },
	{ "cgroup", KIND_PATH, AT(cgroup, cgroup), .max = 4096,
	  .help = "track only sockets of this cgroup and those below it" },
	{ "group", KIND_NAME, AT(group, group), .max = 33,
	  .help = "its members see the flows of everybody" },
	{ "policy_dir", KIND_PATH, AT(policy_dir, policy_dir), .max = 4096,
	  .help = "the policy to load at start and at SIGHUP; see flowner-policy(5)" },
	{ "accept", KIND_CHOICE, AT(accept, accept), .choices = accept_choices,
	  .help = "how acceptors are named; syscall is a program on every system call: exact, at "
		  "a price" },
	{ "on_stop", KIND_CHOICE, AT(on_stop, on_stop), .choices = on_stop_choices,
	  .help = "what a clean stop does; keep leaves tracking and policy in the kernel" },
	{ "scope", KIND_CHOICE, AT(scope, scope), .choices = scope_choices,
	  .help = "container: run in a private cgroup namespace and see only what is in it" },
	{ "counts", KIND_CHOICE, AT(counts, counts), .choices = counts_choices,
	  .help = "count bytes and packets; those of UDP cost a look-up for each datagram" },
	{ "recent.flows", KIND_COUNT, AT(recent.flows, recent.flows), .min = 1,
	  .max = CONFIG_RECENT_MAX, .help = "how many flows that ended to remember" },
	{ "recent.age", KIND_DURATION, AT(recent.age, recent.age_s), .min = 1, .max = 365 * DAY_S,
	  .unit_ns = NS_PER_S, .help = "how long to remember them" },
	{ "limits.flows", KIND_COUNT, AT(limits.flows, limits.flows), .min = 64, .max = 1u << 26,
	  .help = "live flows that there is room for in the kernel; more are counted only" },
	{ "limits.processes", KIND_COUNT, AT(limits.processes, limits.processes), .min = 16,
	  .max = 1u << 22, .help = "the same for the processes that own them" },
	{ "limits.ring", KIND_RING, AT(limits.ring, limits.ring_bytes), .min = 1, .max = 1u << 30,
	  .help = "room for events on their way from the kernel; rounded up to a power of two" },
	{ "metrics.listen", KIND_ADDRESS, AT(metrics.listen, metrics.listen), .max = ENDPOINT_TEXT,
	  .help = "where to serve GET /metrics, and nothing else, to whoever can connect; on the "
		  "socket they are in any case" },
	{ "history.file", KIND_PATH, AT(history.file, history.file), .max = 4096,
	  .help = "where to write each flow that ended, a JSON line; opened again at SIGHUP" },
	{ "journal.events", KIND_SET, AT(journal.events, journal.events), .choices = event_choices,
	  .help = "what of systemd's journal gets an entry, with fields FLOWNER_*" },
	{ "authorization.mark", KIND_MARK, AT(authorization.mark, authorization.value),
	  .max = UINT32_MAX,
	  .help = "mark of a TCP socket whose session is rejected at connect_authorization, until "
		  "that has failed; a routing rule prohibits it" },
	{ "authorization.mask", KIND_MARK, AT(authorization.mask, authorization.mask),
	  .max = UINT32_MAX,
	  .help = "the bits of that mark which are flownerd's to change; 0: none, and no routing "
		  "rule" },
	{ "poll", KIND_DURATION, AT(poll, poll_ms), .min = 1, .max = 10000, .unit_ns = NS_PER_MS,
	  .help = "how often events are fetched" },
	{ "reconcile", KIND_DURATION, AT(reconcile, reconcile_s), .min = 1, .max = DAY_S,
	  .unit_ns = NS_PER_S,
	  .help = "how often what is known is compared with the kernel's own sockets" },
	{ "udp_idle", KIND_DURATION, AT(udp_idle, udp_idle_s), .min = 1, .max = DAY_S,
	  .unit_ns = NS_PER_S,
	  .help = "how long a peer of an unconnected UDP socket may be silent before its flow "
		  "ends" },
	{ .where = NULL },
};
