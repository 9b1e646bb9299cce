/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/remedy.h"
#include "host/facts.h"
#include "kernel/hooks.h"
#include "host/privileges.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>

#define ENOTSUPP 524 /* the kernel's own: user space has no name for it */

/* What there is to know about one hook. */
struct patient {
	const struct hooks *all;
	const struct hook *hook;
	const struct facts *facts;
};

/* --- what a row of the table asks for --- */

static bool always(const struct patient *p)
{
	(void)p;
	return true;
}

static bool was_tested(const struct patient *p)
{
	return !p->hook->error;
}

static bool lists_no_bpf(const struct patient *p)
{
	const char *at = p->facts->modules;

	while (*at) {
		size_t len = strcspn(at, ",");

		if (len == 3 && !strncmp(at, "bpf", 3))
			return false;
		at += len;
		at += *at == ',';
	}
	return *p->facts->modules && was_tested(p);
}

static bool lists_nothing(const struct patient *p)
{
	return !*p->facts->modules && was_tested(p);
}

static bool has_no_loopback(const struct patient *p)
{
	return p->hook->error == ENETUNREACH;
}

static bool is_not_there(const struct patient *p)
{
	return p->hook->error == ENOENT || p->hook->error == ESRCH;
}

static bool has_no_trampolines(const struct patient *p)
{
	return p->hook->error == ENOTSUPP;
}

/* These need the same capabilities as trampolines do. */
static bool others_may(const struct patient *p)
{
	if (p->hook->error != EPERM)
		return false;
	for (size_t i = 0; i < hooks_count(p->all); i++) {
		const struct hook *other = hooks_at(p->all, i);

		if (other->status == HOOK_ON && !strncmp(other->attach, "tp_btf/", 7))
			return true;
	}
	return false;
}

static bool has_no_sysfs(const struct patient *p)
{
	return p->hook->error == ENOENT && !p->facts->has_sysfs;
}

static bool has_no_kprobes(const struct patient *p)
{
	return p->hook->error == ENOENT && p->facts->has_sysfs && !p->facts->has_kprobes;
}

static bool has_no_such_function(const struct patient *p)
{
	return is_not_there(p) && p->facts->has_kprobes;
}

static bool is_refused(const struct patient *p)
{
	return p->hook->error == EACCES || p->hook->error == EPERM;
}

static bool is_perf_filtered(const struct patient *p)
{
	return is_refused(p) && p->facts->perf_filtered;
}

static bool is_perf_paranoid(const struct patient *p)
{
	return is_refused(p) && p->facts->perf_paranoid > 2 &&
	       !(p->facts->capabilities & PRIVILEGE(CAP_SYS_ADMIN));
}

static bool is_length_not_there(const struct patient *p)
{
	return is_not_there(p) && strstr(p->hook->attach, "_length");
}

static bool is_missed(const struct patient *p)
{
	if (p->hook->probe != FL_PROBE_ACCEPT_SYSCALL)
		return false;
	for (size_t i = 0; i < hooks_count(p->all); i++)
		if (!strcmp(hooks_at(p->all, i)->moment, p->hook->moment) && hooks_loss(p->all, i))
			return true;
	return false;
}

static bool is_unpinned(const struct patient *p)
{
	return p->hook->unpinned;
}

/* --- the table: the first row that fits a hook speaks --- */

/* '@' is the hook's function or tracepoint; '#' the security modules there would be with bpf. */
static const struct {
	const char *kinds; /* of attaching, spaces between; "" all */
	enum hook_status status;
	bool (*fits)(const struct patient *p);
	const char *why, *how; /* HOW NULL: nothing is known to help */
} table[] = {
	{ "", HOOK_OFF, always, "--without names it", "start flownerd without that" },
	{ "tp_btf", HOOK_UNUSED, is_missed,
	  "nobody asked for it, as it costs something at every system call",
	  "start flownerd with --accept syscall ('accept: syscall' in flowner.yaml)" },
	{ "kprobe", HOOK_ON, is_unpinned, "this kernel cannot pin the link of a kprobe",
	  "run Linux 5.15 or newer" },

	{ "lsm", HOOK_SILENT, lists_no_bpf,
	  "'bpf' is not among the security modules the kernel was booted with", "boot with lsm=#" },
	{ "lsm", HOOK_SILENT, lists_nothing,
	  "the kernel takes it and never calls it, as where 'bpf' is not among its security "
	  "modules",
	  "boot with 'bpf' in lsm= (/sys/kernel/security/lsm has those in use, where securityfs is "
	  "mounted)" },
	{ "lsm", HOOK_SILENT, has_no_loopback,
	  "it could not be tested, for want of a loopback device that is up",
	  "run 'ip link set lo up' in flownerd's network namespace" },
	{ "fentry kprobe", HOOK_SILENT, was_tested,
	  "the kernel takes it and never calls it, as a function that the compiler has made part "
	  "of others",
	  NULL },

	{ "lsm", HOOK_REFUSED, is_not_there,
	  "this kernel has no security hook '@' for BPF programs",
	  "run a kernel with CONFIG_BPF_LSM and CONFIG_SECURITY_NETWORK" },
	{ "fentry fmod_ret", HOOK_REFUSED, is_not_there, "this kernel has no function '@' to hook",
	  NULL },
	{ "lsm fentry fmod_ret", HOOK_REFUSED, has_no_trampolines,
	  "this kernel has no trampolines for BPF programs",
	  "run a kernel with CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS (on arm64, Linux 6.12 has "
	  "it)" },
	{ "lsm fentry fmod_ret", HOOK_REFUSED, others_may,
	  "the kernel, or what it runs under, withholds trampolines: no capability is missing, for "
	  "tp_btf programs need the same and are let in",
	  NULL },

	{ "kprobe", HOOK_REFUSED, has_no_sysfs,
	  "without sysfs nobody can tell how kprobes are made", "mount sysfs at /sys" },
	{ "kprobe", HOOK_REFUSED, has_no_kprobes, "this kernel has no kprobes",
	  "run a kernel with CONFIG_KPROBE_EVENTS" },
	{ "kprobe", HOOK_REFUSED, has_no_such_function,
	  "this kernel has no function '@' that a kprobe can be at", NULL },
	{ "kprobe", HOOK_REFUSED, is_perf_filtered,
	  "perf_event_open() is refused whatever it is asked, as by a filter of system calls",
	  "let the filter pass it (in a unit: SystemCallFilter=perf_event_open)" },
	{ "kprobe", HOOK_REFUSED, is_perf_paranoid,
	  "kernel.perf_event_paranoid is above 2, which asks for CAP_SYS_ADMIN",
	  "'sysctl kernel.perf_event_paranoid=2', or start flownerd with CAP_SYS_ADMIN" },

	{ "tp_btf", HOOK_REFUSED, is_length_not_there, "this kernel has no tracepoint '@'",
	  "run a newer kernel (Linux 6.12 has it)" },
	{ "tp_btf", HOOK_REFUSED, is_not_there, "this kernel has no tracepoint '@'", NULL },
};

#define ROWS (sizeof(table) / sizeof(table[0]))

static bool is_of(const char *kinds, const char *attach)
{
	size_t len = strcspn(attach, "/");

	for (const char *at = kinds; *at; at += strspn(at, " ")) {
		size_t word = strcspn(at, " ");

		if (word == len && !strncmp(at, attach, len))
			return true;
		at += word;
	}
	return !*kinds;
}

/* --- sentences --- */

static void append(char text[REMEDY_TEXT], const char *more, size_t len)
{
	size_t used = strlen(text);

	snprintf(text + used, REMEDY_TEXT - used, "%.*s", (int)len, more);
}

/* `capability` is always the first, asked for or not. */
static void append_modules(char text[REMEDY_TEXT], const char *at)
{
	while (*at) {
		size_t len = strcspn(at, ",");

		if (len != 10 || strncmp(at, "capability", len) != 0) {
			append(text, at, len);
			append(text, ",", 1);
		}
		at += len;
		at += *at == ',';
	}
	append(text, "bpf", 3);
}

static void append_name(char text[REMEDY_TEXT], const char *attach)
{
	const char *slash = strchr(attach, '/');

	append(text, slash ? slash + 1 : attach, strlen(slash ? slash + 1 : attach));
}

static void write_sentence(char text[REMEDY_TEXT], const char *sentence, const struct patient *p)
{
	*text = '\0';
	while (sentence && *sentence) {
		size_t len = strcspn(sentence, "@#");

		append(text, sentence, len);
		sentence += len;
		if (*sentence == '@')
			append_name(text, p->hook->attach);
		else if (*sentence == '#')
			append_modules(text, p->facts->modules);
		sentence += *sentence != '\0';
	}
}

bool remedy_find(const struct hooks *h, const struct hook *hook, const struct facts *facts,
		 struct remedy *ret_remedy)
{
	const struct patient p = { h, hook, facts };

	for (size_t i = 0; i < ROWS; i++) {
		if (table[i].status != hook->status || !is_of(table[i].kinds, hook->attach) ||
		    !table[i].fits(&p))
			continue;
		write_sentence(ret_remedy->why, table[i].why, &p);
		write_sentence(ret_remedy->how, table[i].how, &p);
		return true;
	}
	return false;
}

bool remedy_of_helper(int state, const struct facts *facts, struct remedy *ret_remedy)
{
	bool may = facts->capabilities & PRIVILEGE(CAP_SYS_ADMIN);
	const char *why = NULL, *how = NULL;

	if (state == -EPERM && !may) {
		why = "CAP_SYS_ADMIN was not there at the start";
		how = "start flownerd with it (in the unit: CapabilityBoundingSet=, and "
		      "RestrictNamespaces=no)";
	} else if (state == -EPERM && facts->filtered) {
		why = "a filter of system calls forbids setns()";
		how = "let the filter pass it (in the unit: RestrictNamespaces=no)";
	} else if (state == -ECONNRESET || state == -EPIPE || state == -ETIMEDOUT) {
		why = "the process that went there has ended";
		how = "restart flownerd";
	}
	if (!why)
		return false;
	snprintf(ret_remedy->why, sizeof(ret_remedy->why), "%s", why);
	snprintf(ret_remedy->how, sizeof(ret_remedy->how), "%s", how);
	return true;
}
