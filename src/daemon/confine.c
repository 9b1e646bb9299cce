/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/confine.h"
#include "daemon/agent.h"
#include "text/cleanup.h"
#include "kernel/maps.h"
#include "host/privileges.h"
#include "kernel/probe.h"
#include "kernel/track.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdio.h>

#define KEPT                                                                                       \
	(PRIVILEGE(CAP_BPF) | PRIVILEGE(CAP_PERFMON) | PRIVILEGE(CAP_NET_ADMIN) |                  \
	 PRIVILEGE(CAP_SYS_PTRACE) | PRIVILEGE(CAP_DAC_READ_SEARCH))

struct work {
	struct maps *maps;
	struct track *track;
	size_t skipped; /* bits: what could not be done before either */
};

static int read_map(struct work *w)
{
	__u64 value;

	return maps_counter(w->maps, FL_CNT_OPENED, &value);
}

static void leave_it(struct fl_config *config, void *arg)
{
	(void)config;
	(void)arg;
}

static int write_map(struct work *w)
{
	return maps_configure(w->maps, leave_it, NULL);
}

static int stop_at_once(const struct fl_flow *flow, void *arg)
{
	(void)flow;
	(void)arg;
	return 1;
}

static int walk_map(struct work *w)
{
	int r = maps_each_flow(w->maps, stop_at_once, NULL);

	return r < 0 ? r : 0;
}

static int make_iterators(struct work *w)
{
	return track_iterates(w->track);
}

static int load_program(struct work *w)
{
	(void)w;
	return probe_tracing_load();
}

static int see_executable(struct work *w)
{
	char path[8];

	(void)w;
	return readlink("/proc/1/exe", path, sizeof(path)) < 0 ? -errno : 0;
}

static int see_namespace(struct work *w)
{
	_close_ int fd = open("/proc/1/ns/net", O_RDONLY | O_CLOEXEC);

	(void)w;
	return fd < 0 ? -errno : 0;
}

static const struct {
	const char *name;
	int (*run)(struct work *w);
} works[] = {
	{ "reading maps", read_map },
	{ "writing maps", write_map },
	{ "walking maps", walk_map },
	{ "making iterators", make_iterators },
	{ "loading programs", load_program },
	{ "the executables of other users", see_executable },
	{ "the network namespaces of other users", see_namespace },
};

#define WORKS (sizeof(works) / sizeof(works[0]))

/* The first that fails, counted from 1 and negative. */
static int run_all(void *arg)
{
	struct work *w = arg;

	for (size_t i = 0; i < WORKS; i++) {
		if (!(w->skipped & (size_t)1 << i) && works[i].run(w) < 0)
			return -(int)i - 1;
	}
	return 0;
}

void confine(struct agent *agent, struct track *track)
{
	struct work w = { .maps = track_maps(track), .track = track };
	int r;

	for (size_t i = 0; i < WORKS; i++) {
		if (works[i].run(&w) < 0)
			w.skipped |= (size_t)1 << i;
	}
	r = privileges_try(KEPT, run_all, &w);
	if (r < 0)
		agent->kept_for = -r <= (int)WORKS ? works[-r - 1].name : "a trial of that";
	else if (privileges_reduce(KEPT) < 0)
		agent->kept_for = "giving them up";
}
