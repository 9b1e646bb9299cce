/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the programs of flowid.bpf.c found, and where. */
#ifndef FLOWID_H
#define FLOWID_H

enum place {
	PLACE_SOCK_OPS,
	PLACE_CGROUP,
	PLACE_TC,
	PLACE_XDP,
};

/* With the flow id: another connection may have the port of one before. */
struct sighting {
	__u64 flow_id;
	enum place place;
	__u32 local_port; /* host order */
};

#endif
