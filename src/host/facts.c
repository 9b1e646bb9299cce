/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/facts.h"
#include "text/cleanup.h"
#include "host/privileges.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define MODULES "/sys/kernel/security/lsm"
#define PARANOID "/proc/sys/kernel/perf_event_paranoid"
#define KPROBES "/sys/bus/event_source/devices/kprobe"

static void read_modules(char *ret_modules, size_t size)
{
	_fclose_ FILE *f = fopen(MODULES, "re");

	if (!f || !fgets(ret_modules, (int)size, f))
		return;
	ret_modules[strcspn(ret_modules, "\n")] = '\0';
	if (strlen(ret_modules) == size - 1)
		*ret_modules = '\0'; /* not all of them */
}

static int read_paranoid(void)
{
	_fclose_ FILE *f = fopen(PARANOID, "re");
	int value;

	return f && fscanf(f, "%d", &value) == 1 ? value : FACTS_PARANOID_UNKNOWN;
}

/* The kernel itself fails to read what is at NULL; it looks at permissions first where it says so
 * by EACCES (Debian's perf_event_paranoid). */
static bool is_perf_filtered(void)
{
	return syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0) < 0 && errno == EPERM;
}

void facts_find(struct facts *ret_facts)
{
	*ret_facts = (struct facts){
		.perf_paranoid = read_paranoid(),
		.has_sysfs = access("/sys/bus", F_OK) == 0,
		.has_kprobes = access(KPROBES, F_OK) == 0,
		.perf_filtered = is_perf_filtered(),
		.filtered = prctl(PR_GET_SECCOMP) == SECCOMP_MODE_FILTER,
	};
	read_modules(ret_facts->modules, sizeof(ret_facts->modules));
	(void)privileges_effective(&ret_facts->capabilities);
}
