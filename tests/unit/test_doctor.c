/* SPDX-License-Identifier: BSD-2-Clause */
/* Hooks with why and how, each loss noted once, and what cannot be asked; with the fake daemon. */
#include "daemon/doctor.h"
#include "fake_agent.h"
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct hook *fake_hook(const char *moment, const char *attach, int rank, const char *lost,
			      enum hook_status status)
{
	struct hook *hook = &fake.hooks[fake.hook_count++];

	*hook = (struct hook){
		.moment = moment,
		.attach = attach,
		.program = "program",
		.lost = lost,
		.rank = rank,
		.status = status,
	};
	return hook;
}

static int setup(void **state)
{
	(void)state;
	fake_new();
	fake_hook("accept", "lsm/sock_graft", 0, NULL, HOOK_SILENT);
	fake_hook("accept", "fentry/security_sock_graft", 1, NULL, HOOK_REFUSED)->error = 1;
	fake_hook("accept", "cgroup/getpeername4", 2, "the acceptor", HOOK_ON);
	fake_hook("accept", "cgroup/getpeername6", 2, "the acceptor", HOOK_ON);
	fake_hook("free", "fentry/__sk_free", 0, NULL, HOOK_ON);
	fake_hook("free", "kprobe/__sk_free", 1, NULL, HOOK_ON);
	fake_hook("udp", "cgroup_skb/egress", 0, NULL, HOOK_REFUSED);
	fake_hook("udp", "kprobe/udp_sendmsg", 1, "UDP", HOOK_REFUSED);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fake_free();
	return 0;
}

static const char *hook_field(json_t *doctor, size_t i, const char *field)
{
	json_t *row = json_array_get(json_object_get(doctor, "hooks"), i);

	return json_string_value(json_object_get(row, field));
}

static void hooks_and_notes(void **state)
{
	json_t *o = doctor_json(&fake.agent);
	char *notes = json_dumps(json_object_get(o, "notes"), 0), *said;

	(void)state;
	assert_string_equal(json_string_value(json_object_get(o, "tier")), "no LSM");
	assert_true(json_is_string(json_object_get(o, "kernel")));
	assert_string_equal(json_string_value(json_object_get(o, "version")), FLOWNER_VERSION);
	assert_int_equal(json_array_size(json_object_get(o, "hooks")), 8);
	assert_string_equal(hook_field(o, 0, "moment"), "accept");
	assert_string_equal(hook_field(o, 0, "attach"), "lsm/sock_graft");
	assert_string_equal(hook_field(o, 0, "program"), "program");
	assert_string_equal(hook_field(o, 0, "status"), "silent");
	assert_null(hook_field(o, 0, "error"));
	assert_string_equal(hook_field(o, 1, "error"), strerror(1));
	/* two rows of one moment that lose the same thing are one note */
	assert_string_equal(hook_field(o, 2, "lost"), "the acceptor");
	assert_string_equal(hook_field(o, 3, "lost"), "the acceptor");
	said = strstr(notes, "accept: the acceptor");
	assert_non_null(said);
	assert_null(strstr(said + 1, "accept: the acceptor"));
	assert_null(hook_field(o, 5, "lost"));
	assert_string_equal(hook_field(o, 7, "lost"), "UDP");
	assert_non_null(strstr(hook_field(o, 0, "remedy"), "lsm="));
	assert_non_null(strstr(hook_field(o, 0, "why"), "never calls it"));
	assert_null(hook_field(o, 1, "why")); /* nobody knows */
	assert_null(hook_field(o, 2, "why"));
	assert_non_null(strstr(notes, "udp: UDP"));
	assert_non_null(strstr(notes, "ring_full is 1"));
	free(notes);
	json_decref(o);
}

static bool notes_say(const char *text)
{
	json_t *o = doctor_json(&fake.agent);
	char *notes = json_dumps(json_object_get(o, "notes"), 0);
	bool noted = strstr(notes, text) != NULL;

	free(notes);
	json_decref(o);
	return noted;
}

static void what_cannot_be_asked(void **state)
{
	(void)state;
	assert_false(notes_say("NAT: "));
	assert_false(notes_say("network namespaces: "));
	fake.conntrack_error = -EPERM;
	assert_true(notes_say("cannot be asked (Operation not permitted)\""));
	fake.conntrack_error = -EINVAL;
	assert_true(notes_say("'modprobe nf_conntrack_netlink'"));
	assert_false(notes_say("abort: "));
	fake.agent.cannot_cut = true;
	assert_true(notes_say("CONFIG_INET_DIAG_DESTROY"));
	fake.helper_state = -EPERM;
	assert_true(notes_say("start flownerd with it"));
	fake.facts.capabilities = ~0ull;
	assert_true(notes_say("cannot be asked for (Operation not permitted)\""));
}

static void losses_in_one_line(void **state)
{
	const struct hooks *hooks = fake.agent.hooks;
	char text[64], little[] = "12345678";

	(void)state;
	doctor_losses(hooks, text, sizeof(text));
	assert_string_equal(text, "accept: the acceptor; udp: UDP");
	doctor_losses(hooks, little, sizeof(little));
	assert_string_equal(little, "accept: ");
	fake.hook_count = 1;
	doctor_losses(hooks, text, sizeof(text));
	assert_string_equal(text, "");
}

#define DOCTOR_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		DOCTOR_TEST(hooks_and_notes),
		DOCTOR_TEST(what_cannot_be_asked),
		DOCTOR_TEST(losses_in_one_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
