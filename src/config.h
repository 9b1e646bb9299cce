/* SPDX-License-Identifier: BSD-2-Clause */
/* flowner.yaml: schema-checked by libcyaml, every error with file, line and column. */
#ifndef FLOWNER_CONFIG_H
#define FLOWNER_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#define CONFIG_PATH "/etc/flowner/flowner.yaml"

enum config_accept { CONFIG_ACCEPT_AUTO, CONFIG_ACCEPT_SYSCALL };
enum config_on_stop { CONFIG_STOP_DETACH, CONFIG_STOP_KEEP };
enum config_scope { CONFIG_SCOPE_HOST, CONFIG_SCOPE_CONTAINER };

struct config {
	char *socket;	/* /run/flowner/flowner.sock */
	char *pin_dir;	/* /sys/fs/bpf/flowner */
	char *cgroup;	/* NULL = the host's root */
	char *group;	/* flowner */
	enum config_accept accept;
	enum config_on_stop on_stop;
	enum config_scope scope;
	struct { uint64_t flows; uint64_t age_s; } recent;		   /* 100000, 3600 */
	struct { uint32_t flows; uint32_t processes; uint32_t ring_bytes; } limits; /* 262144, 16384, 16 MiB */
	uint32_t poll_ms;	/* 50 */
	uint32_t reconcile_s;	/* 30 */
	uint32_t udp_idle_s;	/* 120 */
};

int config_init(struct config *c); /* the defaults */
void config_release(struct config *c);

/* Over what C holds. The error was told to stderr, one line. -ENOENT when the file does not exist. */
int config_load(struct config *c, const char *path);

/* "10m", "1h", "30s", "500ms" to nanoseconds; pure. -EINVAL. */
int duration_parse(const char *text, uint64_t *ret_ns);

#endif
