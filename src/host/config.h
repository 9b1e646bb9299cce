/* SPDX-License-Identifier: BSD-2-Clause */
/* flowner.yaml: schema-checked by libcyaml, every error with file, line and column. */
#ifndef FLOWNER_CONFIG_H
#define FLOWNER_CONFIG_H

#include "host/prohibit.h"
#include <stddef.h>
#include <stdint.h>

#define CONFIG_PATH "/etc/flowner/flowner.yaml"
#define CONFIG_RECENT_MAX (1u << 24) /* what flows.h holds at most */

enum config_accept { CONFIG_ACCEPT_AUTO, CONFIG_ACCEPT_SYSCALL };
enum config_on_stop { CONFIG_STOP_DETACH, CONFIG_STOP_KEEP };
enum config_counts { CONFIG_COUNTS_OFF, CONFIG_COUNTS_TCP, CONFIG_COUNTS_ALL };
enum config_scope { CONFIG_SCOPE_HOST, CONFIG_SCOPE_CONTAINER };

/* What may go to the journal. */
enum config_event {
	CONFIG_EVENT_LISTEN,
	CONFIG_EVENT_UNLISTEN,
	CONFIG_EVENT_OPEN,
	CONFIG_EVENT_ESTABLISHED,
	CONFIG_EVENT_ACCEPT,
	CONFIG_EVENT_USER,
	CONFIG_EVENT_CLOSE,
	CONFIG_EVENT_VERDICT,
	CONFIG_EVENT_LOST,
};

struct config {
	char *socket;  /* /run/flowner/flowner.sock */
	char *pin_dir; /* /sys/fs/bpf/flowner */
	char *cgroup;  /* NULL = the host's root */
	char *group;   /* flowner */
	/*
	 * The policy that is loaded at start and on SIGHUP: all *.yaml in there; no directory, no
	 * policy. One that cannot be loaded: at start flownerd ends, unless nothing in there could
	 * be enforced; on SIGHUP what is in force stays.
	 */
	char *policy_dir; /* /etc/flowner/policy.d */
	enum config_accept accept;
	enum config_on_stop on_stop;
	enum config_scope scope;
	enum config_counts counts; /* tcp */
	struct {
		uint64_t flows;
		uint64_t age_s;
	} recent; /* 100000, 3600 */
	struct {
		uint32_t flows, processes, ring_bytes;
	} limits; /* 262144, 16384, 16 MiB */
	struct {
		char *listen; /* "127.0.0.1:9499"; NULL = only on the socket */
	} metrics;
	struct {
		char *file; /* NULL = none */
	} history;
	struct {
		uint32_t events; /* bits 1 << enum config_event; none */
	} journal;
	struct prohibit_mark authorization; /* PROHIBIT_MARK, all bits */
	uint32_t poll_ms;		    /* 50 */
	uint32_t reconcile_s;		    /* 30 */
	uint32_t udp_idle_s;		    /* 120 */
};

int config_init(struct config *c); /* the defaults */
void config_release(struct config *c);

/*
 * Over what C holds: keys the file does not name keep their value, and C is unchanged on any error.
 * The error was told to stderr, one line, except -ENOENT when the file does not exist: only the
 * caller knows whether it was asked for. -EINVAL for what the file says, else what reading it gave.
 */
int config_load(struct config *c, const char *path);

/* Same, of text in memory; NAME stands for the file in the error line. */
int config_parse(struct config *c, const char *text, size_t size, const char *name);

#endif
