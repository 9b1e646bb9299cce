/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/isolation.h"

#include "host/netns_helper.h"
#include "host/privileges.h"
#include "host/procfs.h"

#include <linux/capability.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_private_pid(void)
{
	return access("/proc/self/ns/pid", F_OK) == 0 && !procfs_has_host_pids();
}

/* Process 2 makes the kernel's threads: it is in no container, and its namespaces may be read. */
static bool is_private_net(void)
{
	struct stat own, host;

	return !is_private_pid() && !stat("/proc/self/ns/net", &own) &&
	       !stat("/proc/2/ns/net", &host) && own.st_ino != host.st_ino;
}

/* The helper goes to the host's namespace as to any other. */
static bool is_net_out_of_reach(void)
{
	return netns_helper_state() < 0 && is_private_net();
}

static bool is_proc_partial(void)
{
	return access("/proc/self", F_OK) == 0 && access("/proc/sys", F_OK) < 0;
}

static bool is_ptrace_withheld(void)
{
	__u64 mask;

	return !privileges_effective(&mask) && !(mask & PRIVILEGE(CAP_SYS_PTRACE));
}

static const struct {
	bool (*is_there)(void);
	const char *loss;
} losses[] = {
	{ is_private_pid,
	  "in a private pid namespace: sockets older than flownerd have no owner, those in other "
	  "network namespaces are not found, and who else has a socket open is not known; run "
	  "with --pid=host" },
	{ is_net_out_of_reach,
	  "in a private network namespace: sessions of the host can neither be aborted nor "
	  "compared with what the kernel has; run with --network=host" },
	{ is_proc_partial,
	  "/proc has processes and nothing else: sessions behind NAT are not found on their other "
	  "side; mount it without subset=pid (in a unit: ProcSubset=all)" },
	{ is_ptrace_withheld,
	  "without CAP_SYS_PTRACE: of processes of other users that are older than flownerd "
	  "neither executable nor arguments are known, nor network namespaces that only they are "
	  "in; run with it" },
};

#define LOSSES (sizeof(losses) / sizeof(losses[0]))

const char *isolation_loss(size_t i)
{
	for (size_t at = 0; at < LOSSES; at++) {
		if (losses[at].is_there() && !i--)
			return losses[at].loss;
	}
	return NULL;
}
