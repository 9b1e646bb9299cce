/* SPDX-License-Identifier: BSD-2-Clause */
/* Why a hook is not on, and how to get it: refusals seen on kernels, and silence elsewhere. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <linux/capability.h>

#include "host/facts.h"
#include "kernel/hooks.h"
#include "host/privileges.h"
#include "daemon/remedy.h"

#define KERNEL_ENOTSUPP 524

static struct facts facts;
static struct remedy remedy;

static int setup(void **state)
{
	facts = (struct facts){ .capabilities = ~0ull,
				.modules = "lockdown,capability,yama,apparmor",
				.perf_paranoid = 2,
				.has_sysfs = true,
				.has_kprobes = true };
	return hooks_new((struct hooks **)state);
}

static int teardown(void **state)
{
	hooks_free(*state);
	return 0;
}

static struct hook *row(struct hooks *h, const char *program)
{
	for (size_t i = 0; i < hooks_count(h); i++) {
		if (strcmp(hooks_at(h, i)->program, program) == 0)
			return hooks_row(h, i);
	}
	fail_msg("no row for %s", program);
	return NULL;
}

static bool find(struct hooks *h, const char *program, enum hook_status status, int error)
{
	struct hook *hook = row(h, program);

	hook->status = status;
	hook->error = error;
	memset(&remedy, 0, sizeof(remedy));
	return remedy_find(h, hook, &facts, &remedy);
}

static void expect(struct hooks *h, const char *program, enum hook_status status, int error,
		   const char *why, const char *how)
{
	if (!find(h, program, status, error))
		fail_msg("nothing is said of %s, %d", program, error);
	if (!strstr(remedy.why, why))
		fail_msg("'%s' is not in '%s'", why, remedy.why);
	if (*how ? !strstr(remedy.how, how) : *remedy.how)
		fail_msg("'%s', and not '%s'", remedy.how, how);
}

/* --- nothing to say --- */

static void what_is_on_or_not_needed(void **state)
{
	struct hooks *h = *state;

	for (size_t i = 0; i < hooks_count(h); i++) {
		const char *program = hooks_at(h, i)->program;

		assert_false(find(h, program, HOOK_NEEDLESS, 0));
		assert_false(find(h, program, HOOK_ON, 0));
	}
	assert_false(find(h, "accept_kprobe", HOOK_UNUSED, 0));
}

static void what_nobody_knows(void **state)
{
	static const int strange[] = { E2BIG, ENOMEM, EBUSY, EINVAL, EIO, EOPNOTSUPP };
	struct hooks *h = *state;

	for (size_t i = 0; i < hooks_count(h); i++) {
		for (size_t j = 0; j < sizeof(strange) / sizeof(strange[0]); j++)
			assert_false(find(h, hooks_at(h, i)->program, HOOK_REFUSED, strange[j]));
		hooks_row(h, i)->status = HOOK_REFUSED;
	}
	/* no tp_btf program is on: capabilities may be what is missing */
	assert_false(find(h, "free_fentry", HOOK_REFUSED, EPERM));
	assert_false(find(h, "accept_lsm", HOOK_REFUSED, EPERM));
	assert_false(find(h, "free_kprobe", HOOK_REFUSED, EPERM));
	assert_false(find(h, "seed_tcp", HOOK_REFUSED, ENOENT));
}

/* --- by wish --- */

static void named_by_without(void **state)
{
	struct hooks *h = *state;

	assert_null(hooks_forbid(h, "lsm,iter/tcp", NULL));
	expect(h, "accept_lsm", HOOK_OFF, 0, "--without", "without that");
	expect(h, "seed_tcp", HOOK_OFF, 0, "--without", "without that");
}

static void the_dear_one_where_others_leave_something_out(void **state)
{
	struct hooks *h = *state;

	row(h, "accept_lsm")->status = HOOK_ON;
	assert_false(find(h, "accept_syscall", HOOK_UNUSED, 0));
	row(h, "accept_lsm")->status = HOOK_SILENT;
	row(h, "accept_getpeername4")->status = HOOK_ON;
	row(h, "accept_getpeername6")->status = HOOK_ON;
	expect(h, "accept_syscall", HOOK_UNUSED, 0, "every system call", "--accept syscall");
	assert_false(find(h, "accept_syscall", HOOK_ON, 0));
	assert_false(find(h, "exit_tp", HOOK_UNUSED, 0)); /* tp_btf/ as well */
}

/* --- LSM --- */

static void modules_without_bpf(void **state)
{
	struct hooks *h = *state;

	expect(h, "accept_lsm", HOOK_SILENT, 0, "'bpf' is not among", "boot");
	assert_string_equal(remedy.how, "boot with lsm=lockdown,yama,apparmor,bpf");
	strcpy(facts.modules, "capability");
	expect(h, "accept_lsm", HOOK_SILENT, 0, "'bpf' is not among", "boot");
	assert_string_equal(remedy.how, "boot with lsm=bpf");
	strcpy(facts.modules, "capability,bpfilter,xbpf");
	expect(h, "accept_lsm", HOOK_SILENT, 0, "'bpf' is not among", "boot");
	assert_string_equal(remedy.how, "boot with lsm=bpfilter,xbpf,bpf");
}

static void modules_nobody_tells(void **state)
{
	*facts.modules = '\0';
	expect(*state, "accept_lsm", HOOK_SILENT, 0, "never calls it", "'bpf' in lsm=");
}

static void modules_with_bpf(void **state)
{
	strcpy(facts.modules, "lockdown,capability,bpf");
	assert_false(find(*state, "accept_lsm", HOOK_SILENT, 0));
	strcpy(facts.modules, "bpf,lockdown");
	assert_false(find(*state, "accept_lsm", HOOK_SILENT, 0));
}

/* The self-test could not be made: nobody has seen that it is not called. */
static void not_tested(void **state)
{
	struct hooks *h = *state;

	expect(h, "accept_lsm", HOOK_SILENT, ENETUNREACH, "could not be tested", "lo up");
	assert_false(find(h, "accept_lsm", HOOK_SILENT, EMFILE));
	*facts.modules = '\0';
	assert_false(find(h, "accept_lsm", HOOK_SILENT, EMFILE));
}

static void a_long_list_of_modules(void **state)
{
	memset(facts.modules, 'm', sizeof(facts.modules) - 1);
	expect(*state, "accept_lsm", HOOK_SILENT, 0, "'bpf'", "m,bpf");
}

/* --- trampolines --- */

static void kernels_without_trampolines(void **state)
{
	static const char *const programs[] = { "accept_lsm", "accept_fentry", "free_fentry" };
	struct hooks *h = *state;

	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
		expect(h, programs[i], HOOK_REFUSED, KERNEL_ENOTSUPP, "no trampolines",
		       "arm64, Linux 6.12");
}

static void trampolines_withheld(void **state)
{
	struct hooks *h = *state;

	row(h, "exit_tp")->status = HOOK_ON;
	expect(h, "free_fentry", HOOK_REFUSED, EPERM, "no capability is missing", "");
	expect(h, "accept_lsm", HOOK_REFUSED, EPERM, "no capability is missing", "");
}

static void no_such_function(void **state)
{
	struct hooks *h = *state;

	expect(h, "free_fentry", HOOK_REFUSED, ESRCH, "no function '__sk_free'", "");
	expect(h, "free_fentry", HOOK_REFUSED, ENOENT, "no function '__sk_free'", "");
	expect(h, "accept_lsm", HOOK_REFUSED, ESRCH, "hook 'sock_graft'", "CONFIG_BPF_LSM");
	expect(h, "touch_send", HOOK_REFUSED, ESRCH, "'sock_send_length'", "6.12");
	expect(h, "exit_tp", HOOK_REFUSED, ENOENT, "'sched_process_exit'", "");
}

static void never_called(void **state)
{
	expect(*state, "free_fentry", HOOK_SILENT, 0, "never calls it", "");
	expect(*state, "free_kprobe", HOOK_SILENT, 0, "never calls it", "");
}

/* One that is no row of the table. */
static void ways_to_judge(void **state)
{
	struct hook hook = { .attach = "fmod_ret/security_socket_listen",
			     .status = HOOK_REFUSED,
			     .error = EPERM,
			     .probe = HOOK_NO_PROBE };

	row(*state, "exit_tp")->status = HOOK_ON;
	assert_true(remedy_find(*state, &hook, &facts, &remedy));
	assert_non_null(strstr(remedy.why, "no capability is missing"));
	hook.status = HOOK_SILENT;
	assert_false(remedy_find(*state, &hook, &facts, &remedy));
	hook = (struct hook){ .attach = "lsm/socket_listen", .status = HOOK_SILENT };
	assert_true(remedy_find(*state, &hook, &facts, &remedy));
	assert_string_equal(remedy.how, "boot with lsm=lockdown,yama,apparmor,bpf");
	hook = (struct hook){ .attach = "sockops, cgroup_skb/ingress", .status = HOOK_UNUSED };
	assert_false(remedy_find(*state, &hook, &facts, &remedy));
}

/* --- kprobes --- */

static void kernels_without_kprobes(void **state)
{
	facts.has_kprobes = false;
	expect(*state, "free_kprobe", HOOK_REFUSED, ENOENT, "no kprobes", "CONFIG_KPROBE_EVENTS");
	facts.has_sysfs = false;
	expect(*state, "free_kprobe", HOOK_REFUSED, ENOENT, "sysfs", "mount sysfs");
}

static void a_function_no_kprobe_finds(void **state)
{
	expect(*state, "free_kprobe", HOOK_REFUSED, ENOENT, "function '__sk_free'", "");
}

static void kprobes_for_the_privileged(void **state)
{
	struct hooks *h = *state;

	facts.perf_paranoid = 3;
	assert_false(find(h, "free_kprobe", HOOK_REFUSED, EACCES)); /* that is not why */
	facts.capabilities &= ~PRIVILEGE(CAP_SYS_ADMIN);
	expect(h, "free_kprobe", HOOK_REFUSED, EACCES, "perf_event_paranoid", "CAP_SYS_ADMIN");
	facts.perf_paranoid = 2;
	assert_false(find(h, "free_kprobe", HOOK_REFUSED, EACCES));
	facts.perf_paranoid = FACTS_PARANOID_UNKNOWN;
	assert_false(find(h, "free_kprobe", HOOK_REFUSED, EACCES));
	facts.perf_filtered = true;
	expect(h, "free_kprobe", HOOK_REFUSED, EPERM, "filter", "SystemCallFilter=");
}

static void kprobes_that_cannot_be_pinned(void **state)
{
	struct hooks *h = *state;

	row(h, "free_kprobe")->unpinned = true;
	expect(h, "free_kprobe", HOOK_ON, 0, "cannot pin", "Linux 5.15");
}

/* --- the helper --- */

static void other_namespaces(void **state)
{
	(void)state;
	assert_false(remedy_of_helper(-EPERM, &facts, &remedy));
	facts.filtered = true;
	assert_true(remedy_of_helper(-EPERM, &facts, &remedy));
	assert_non_null(strstr(remedy.how, "RestrictNamespaces=no"));
	facts.capabilities = 0;
	assert_true(remedy_of_helper(-EPERM, &facts, &remedy));
	assert_non_null(strstr(remedy.why, "CAP_SYS_ADMIN"));
	assert_true(remedy_of_helper(-ECONNRESET, &facts, &remedy));
	assert_non_null(strstr(remedy.how, "restart"));
	assert_false(remedy_of_helper(-ENOMEM, &facts, &remedy));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_on_or_not_needed),
		TEST(what_nobody_knows),
		TEST(named_by_without),
		TEST(the_dear_one_where_others_leave_something_out),
		TEST(modules_without_bpf),
		TEST(modules_nobody_tells),
		TEST(modules_with_bpf),
		TEST(not_tested),
		TEST(a_long_list_of_modules),
		TEST(kernels_without_trampolines),
		TEST(trampolines_withheld),
		TEST(no_such_function),
		TEST(never_called),
		TEST(ways_to_judge),
		TEST(kernels_without_kprobes),
		TEST(a_function_no_kprobe_finds),
		TEST(kprobes_for_the_privileged),
		TEST(kprobes_that_cannot_be_pinned),
		TEST(other_namespaces),
	};

	return cmocka_run_group_tests_name("remedy", tests, NULL, NULL);
}
