/* SPDX-License-Identifier: BSD-2-Clause */
/* What this host says of itself that explains a refusal: remedy.h makes sentences of it. */
#ifndef FLOWNER_FACTS_H
#define FLOWNER_FACTS_H

#include <linux/types.h>
#include <stdbool.h>

#define FACTS_PARANOID_UNKNOWN (-100)

struct facts {
	__u64 capabilities; /* effective, a mask of PRIVILEGE() */
	char modules[256];  /* security modules in use, commas between; "" nobody tells */
	int perf_paranoid;  /* kernel.perf_event_paranoid, or FACTS_PARANOID_UNKNOWN */
	bool has_sysfs;
	bool has_kprobes;   /* as events of perf */
	bool perf_filtered; /* perf_event_open() is refused before its arguments are looked at */
	bool filtered;	    /* this process is under a filter of system calls */
};

/* Before anything is given up. What cannot be found out stays unknown. */
void facts_find(struct facts *ret_facts);

#endif
