/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/doctor.h"
#include "daemon/agent.h"
#include "host/conntrack.h"
#include "policy/enforce.h"
#include "flow/flowtext.h"
#include "daemon/history.h"
#include "kernel/hooks.h"
#include "host/isolation.h"
#include "kernel/maps.h"
#include "host/netns_helper.h"
#include "policy/policywords.h"
#include "daemon/remedy.h"
#include "daemon/rules.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

static bool same_moment(const struct hook *a, const struct hook *b)
{
	return strcmp(a->moment, b->moment) == 0;
}

static json_t *hook_json(const struct agent *agent, size_t i)
{
	const struct hook *hook = hooks_at(agent->hooks, i);
	struct remedy remedy;
	bool found = remedy_find(agent->hooks, hook, agent->facts, &remedy);

	return json_pack("{ss ss ss ss ss* ss* ss* ss*}", "moment", hook->moment, "attach",
			 hook->attach, "program", hook->program, "status",
			 hook_status_text(hook->status), "error",
			 hook->error ? strerror(hook->error) : NULL, "lost",
			 hooks_loss(agent->hooks, i), "why", found ? remedy.why : NULL, "remedy",
			 found && *remedy.how ? remedy.how : NULL);
}

static json_t *hooks_json(const struct agent *agent)
{
	json_t *array = json_array();

	for (size_t i = 0; i < hooks_count(agent->hooks); i++)
		json_array_append_new(array, hook_json(agent, i));
	return array;
}

/* Rows of one rank lose the same thing: said once. */
static bool is_noted(const struct hooks *hooks, size_t i)
{
	for (size_t before = 0; before < i; before++) {
		const char *said = hooks_loss(hooks, before);

		if (said && same_moment(hooks_at(hooks, before), hooks_at(hooks, i)) &&
		    strcmp(said, hooks_loss(hooks, i)) == 0)
			return true;
	}
	return false;
}

/* What row I leaves lost, when no row before has said so; or NULL. */
static const char *new_loss(const struct hooks *hooks, size_t i)
{
	const char *loss = hooks_loss(hooks, i);

	return loss && !is_noted(hooks, i) ? loss : NULL;
}

static void note_hooks(json_t *notes, const struct hooks *hooks)
{
	for (size_t i = 0; i < hooks_count(hooks); i++) {
		const char *loss = new_loss(hooks, i);

		if (loss)
			json_array_append_new(
				notes, json_sprintf("%s: %s", hooks_at(hooks, i)->moment, loss));
	}
}

void doctor_losses(const struct hooks *hooks, char *text, size_t size)
{
	size_t used = 0;

	*text = '\0';
	for (size_t i = 0; i < hooks_count(hooks) && used < size; i++) {
		const char *loss = new_loss(hooks, i);

		if (loss)
			used += (size_t)snprintf(text + used, size - used, "%s%s: %s",
						 used ? "; " : "", hooks_at(hooks, i)->moment,
						 loss);
	}
}

/* Asked for a session there is not: no answer but that is a right one. */
static void note_nat(json_t *notes)
{
	const struct ends nobody = { .local_port = 0 };
	struct ends other;
	int r = conntrack_other_side(0, FL_TCP, &nobody, &other);

	if (r == 0 || r == -ENOENT)
		return;
	json_array_append_new(
		notes,
		json_sprintf("NAT: sessions are not found on its other side, for conntrack cannot "
			     "be asked (%s)%s",
			     strerror(-r),
			     r == -EINVAL ? "; 'modprobe nf_conntrack_netlink'" : ""));
}

/* A counter that is not 0 although nothing should ever be lost, and what to do. */
static void note_counter(json_t *notes, const struct agent *agent, enum fl_counter counter,
			 const char *advice)
{
	char sentence[256];
	__u64 value;

	if (maps_counter(agent->maps, counter, &value) < 0 || !value)
		return;
	snprintf(sentence, sizeof(sentence), "%s is %llu: %s", counter_text(counter), value,
		 advice);
	json_array_append_new(notes, json_string(sentence));
}

static void note_namespaces(json_t *notes, const struct agent *agent, int state)
{
	struct remedy remedy;
	bool found = remedy_of_helper(state, agent->facts, &remedy);

	json_array_append_new(notes, json_sprintf("network namespaces: sockets of others than the "
						  "daemon's own cannot be asked for (%s)%s%s%s%s",
						  strerror(-state), found ? ": " : "",
						  found ? remedy.why : "", found ? "; " : "",
						  found ? remedy.how : ""));
}

/* As the last reconciliation found them. */
static void note_unreached(json_t *notes, const struct agent *agent)
{
	if (!agent->unreached || netns_helper_state() < 0)
		return;
	json_array_append_new(
		notes, json_sprintf("network namespaces: %llu with flows are out of reach, for no "
				    "process, descriptor or mount leads there: an end that no hook "
				    "sees there stays unseen",
				    agent->unreached));
}

static void note_rights(json_t *notes, const struct agent *agent)
{
	int r = netns_helper_state();
	const char *loss;

	for (size_t i = 0; (loss = isolation_loss(i)); i++)
		json_array_append_new(notes, json_string(loss));
	if (r < 0)
		note_namespaces(notes, agent, r);
	note_unreached(notes, agent);
	if (agent->kept_for)
		json_array_append_new(notes,
				      json_sprintf("capabilities: all are kept, for without them "
						   "this kernel refuses %s",
						   agent->kept_for));
}

/* A worse one of the same hook had to be taken: the rows of a hook stand together, best first. */
static bool is_missed(const struct enforce *e, size_t i)
{
	enum fl_hook hook = enforce_row(e, i)->hook;

	while (++i < enforce_row_count() && enforce_row(e, i)->hook == hook)
		if (enforce_row(e, i)->status == HOOK_ON && enforce_row(e, i)->limit)
			return true;
	return false;
}

static void note_missing_way(json_t *notes, const struct agent *agent,
			     const struct enforce_row *row)
{
	const struct hook hook = { .attach = row->attach,
				   .status = row->status,
				   .error = row->error,
				   .probe = HOOK_NO_PROBE };
	struct remedy remedy;

	if (remedy_find(agent->hooks, &hook, agent->facts, &remedy))
		json_array_append_new(notes, json_sprintf("policy: %s not by %s: %s%s%s",
							  policy_hook_text(row->hook), row->attach,
							  remedy.why, *remedy.how ? "; " : "",
							  remedy.how));
}

static void note_way(json_t *notes, const struct enforce_row *row)
{
	json_array_append_new(notes,
			      json_sprintf("policy: %s by %s: %s%s%s", policy_hook_text(row->hook),
					   row->attach, row->sees, row->limit ? "; " : "",
					   row->limit ? row->limit : ""));
}

static void note_prohibited(json_t *notes, int error)
{
	if (!error)
		return;
	json_array_append_new(
		notes, json_sprintf("policy: connect() of TCP that is rejected after routing "
				    "fails with ETIMEDOUT where it could with "
				    "EHOSTUNREACH: no routing rule could be added "
				    "(%s)",
				    strerror(-error)));
}

/* What a rejected attempt looks like here, and what no rule can reach. */
static void note_limits(json_t *notes, const struct enforce *e)
{
	if (enforce_limits(e) && !enforce_locks(e))
		json_array_append_new(
			notes,
			json_string("policy: of several who listen at once where a limit is nearly "
				    "reached fewer may get through than it lets, never more: this "
				    "kernel has no lock for such programs"));
	if (enforce_holds_places(e))
		json_array_append_new(
			notes,
			json_string("policy: a listen() that fails after it was let through counts "
				    "to a limit until its thread listens again or ends: nothing "
				    "tells of its return"));
}

static void note_policy(json_t *notes, const struct agent *agent)
{
	const struct enforce *e;

	if (!rules_current(agent->rules))
		return;
	e = rules_enforce(agent->rules);
	for (size_t i = 0; i < enforce_row_count(); i++) {
		if (enforce_row(e, i)->status == HOOK_ON)
			note_way(notes, enforce_row(e, i));
		else if (is_missed(e, i))
			note_missing_way(notes, agent, enforce_row(e, i));
	}
	json_array_append_new(
		notes, json_sprintf("policy: a daemon that is killed leaves it in force, one that "
				    "is stopped does not; sockets of AF_PACKET pass by it; "
				    "proceed_hard lifts what others deny %s",
				    enforce_lifts() ? "where a rule says allow_override, at bind "
						      "and connect"
						    : "nowhere: this kernel cannot"));
	if (enforce_redirects(e))
		json_array_append_new(
			notes,
			json_string(
				"policy: who is redirected at connect is shown by getpeername() "
				"and recvfrom() whom it asked for, and who accepts it by "
				"SO_ORIGINAL_DST; both in one network namespace, and in the "
				"cgroup of flownerd"));
	note_limits(notes, e);
	note_prohibited(notes, enforce_prohibits(e));
	if (rules_deaf(agent->rules))
		json_array_append_new(notes, json_sprintf("policy: %s", rules_deaf(agent->rules)));
	if (*rules_trouble(agent->rules))
		json_array_append_new(notes,
				      json_sprintf("policy: %s", rules_trouble(agent->rules)));
}

static void note_history(json_t *notes, const struct agent *agent)
{
	struct history_counts counts;

	if (!agent->history)
		return;
	counts = history_counts(agent->history);
	if (counts.lost_full + counts.lost_memory)
		json_array_append_new(
			notes, json_sprintf("history: %llu flows are not in '%s': its disk is full "
					    "or too slow",
					    counts.lost_full + counts.lost_memory,
					    history_path(agent->history)));
}

static json_t *notes_json(const struct agent *agent)
{
	json_t *notes = json_array();

	note_hooks(notes, agent->hooks);
	note_rights(notes, agent);
	note_nat(notes);
	if (agent->cannot_cut)
		json_array_append_new(
			notes,
			json_string("abort: nothing can be cut, for this kernel has neither "
				    "SOCK_DESTROY nor bpf_sock_destroy; run one with "
				    "CONFIG_INET_DIAG_DESTROY, or Linux 6.5 with the BPF JIT"));
	note_policy(notes, agent);
	note_history(notes, agent);
	note_counter(notes, agent, FL_CNT_RING_FULL,
		     "events were dropped and repaired from the maps; raise limits.ring");
	note_counter(notes, agent, FL_CNT_CONNECTIONS_FULL,
		     "flows are missing; raise limits.flows");
	note_counter(notes, agent, FL_CNT_SOCKETS_FULL, "flows are missing; raise limits.flows");
	note_counter(notes, agent, FL_CNT_PROCESSES_FULL,
		     "owners lack their executable; raise limits.processes");
	note_counter(notes, agent, FL_CNT_RUNS_SKIPPED,
		     "the kernel skipped a tracing program that ran already; other hooks and "
		     "reconciliation repair what it would have told");
	note_counter(notes, agent, FL_CNT_VERDICT_FAILED,
		     "attempts could not be judged: rejected in enforce, let in in audit");
	note_counter(notes, agent, FL_CNT_VERDICT_UNKNOWN,
		     "of attempts something was not known that a rule asks for: taken for what "
		     "restricts more");
	note_counter(
		notes, agent, FL_CNT_REDIRECTS_FULL,
		"of what was redirected nobody can ask any more where it was to go, or who it was");
	note_counter(
		notes, agent, FL_CNT_LISTENERS_FULL,
		"listeners found no seat at their port: 'port_in_use_by_other' may be false for "
		"who listens beside one of them");
	note_counter(notes, agent, FL_CNT_AGAIN_LEFT,
		     "live sessions are not allowed any more and were not cut: of who loaded the "
		     "policy without --force, in a network namespace nobody can enter, or this "
		     "kernel cannot");
	note_counter(
		notes, agent, FL_CNT_AGAIN_UNJUDGED,
		"live sessions were not judged again when something changed: in a network "
		"namespace nobody can enter, or what a rule asks for is not known of them, as of "
		"those older than flownerd who opened them");
	note_counter(notes, agent, FL_CNT_LISTENERS_UNCOUNTED,
		     "a limit does not count these listeners: 65536 fit, and 131072 processes, "
		     "users, cgroups and executables that have any");
	note_counter(notes, agent, FL_CNT_MPTCP_UNOWNED,
		     "paths of MPTCP have no owner: no other path of their connection is known");
	note_counter(
		notes, agent, FL_CNT_MPTCP_PATHS_LEFT,
		"walks of an MPTCP connection with more than nine paths: those behind are told "
		"no holders, and stay the listener's when they came before accept()");
	note_counter(notes, agent, FL_CNT_VERDICT_SKIPPED,
		     "the kernel let listen() pass unjudged while it judged another; boot with "
		     "'bpf' in lsm=");
	return notes;
}

json_t *doctor_json(struct agent *agent)
{
	struct utsname kernel;

	if (uname(&kernel) < 0)
		return NULL;
	return json_pack("{ss ss ss so so}", "tier", hooks_tier(agent->hooks), "kernel",
			 kernel.release, "version", FLOWNER_VERSION, "hooks", hooks_json(agent),
			 "notes", notes_json(agent));
}
