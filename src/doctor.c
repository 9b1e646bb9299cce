/* SPDX-License-Identifier: BSD-2-Clause */
#include "doctor.h"
#include "agent.h"
#include "enforce.h"
#include "flowtext.h"
#include "history.h"
#include "hooks.h"
#include "isolation.h"
#include "maps.h"
#include "netns_helper.h"
#include "policywords.h"
#include "rules.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

static bool same_moment(const struct hook *a, const struct hook *b)
{
	return strcmp(a->moment, b->moment) == 0;
}

static json_t *hook_json(const struct hooks *hooks, size_t i)
{
	const struct hook *hook = hooks_at(hooks, i);

	return json_pack("{ss ss ss ss ss* ss*}", "moment", hook->moment, "attach", hook->attach,
			 "program", hook->program, "status", hook_status_text(hook->status),
			 "error", hook->error ? strerror(hook->error) : NULL, "lost",
			 hooks_loss(hooks, i));
}

static json_t *hooks_json(const struct hooks *hooks)
{
	json_t *array = json_array();

	for (size_t i = 0; i < hooks_count(hooks); i++)
		json_array_append_new(array, hook_json(hooks, i));
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

static void note_hooks(json_t *notes, const struct hooks *hooks)
{
	for (size_t i = 0; i < hooks_count(hooks); i++) {
		const char *loss = hooks_loss(hooks, i);

		if (loss && !is_noted(hooks, i))
			json_array_append_new(
				notes, json_sprintf("%s: %s", hooks_at(hooks, i)->moment, loss));
	}
}

/* A counter that is not 0 although nothing should ever be lost, and what to do. */
static void note_counter(json_t *notes, const struct agent *agent, enum fl_counter counter,
			 const char *advice)
{
	char sentence[160];
	__u64 value;

	if (maps_counter(agent->maps, counter, &value) < 0 || !value)
		return;
	snprintf(sentence, sizeof(sentence), "%s is %llu: %s", counter_text(counter), value,
		 advice);
	json_array_append_new(notes, json_string(sentence));
}

static void note_rights(json_t *notes, const struct agent *agent)
{
	int r = netns_helper_state();
	const char *loss;

	for (size_t i = 0; (loss = isolation_loss(i)); i++)
		json_array_append_new(notes, json_string(loss));
	if (r < 0)
		json_array_append_new(notes,
				      json_sprintf("network namespaces: sockets of others than "
						   "the daemon's own cannot be asked for (%s)",
						   strerror(-r)));
	if (agent->kept_for)
		json_array_append_new(notes,
				      json_sprintf("capabilities: all are kept, for without them "
						   "this kernel refuses %s",
						   agent->kept_for));
}

/* What a rejected attempt looks like here, and what no rule can reach. */
static void note_policy(json_t *notes, const struct agent *agent)
{
	if (!rules_current(agent->rules))
		return;
	for (size_t i = 0; i < enforce_row_count(); i++) {
		const struct enforce_row *row = enforce_row(rules_enforce(agent->rules), i);

		if (row->status == ENFORCE_ON)
			json_array_append_new(notes,
					      json_sprintf("policy: %s by %s: %s%s%s",
							   policy_hook_text(row->hook), row->attach,
							   row->sees, row->limit ? "; " : "",
							   row->limit ? row->limit : ""));
	}
	json_array_append_new(
		notes, json_sprintf("policy: a daemon that is killed leaves it in force, one that "
				    "is stopped does not; sockets of AF_PACKET pass by it; "
				    "proceed_hard lifts what others deny %s",
				    enforce_lifts() ? "where a rule says allow_override, at bind "
						      "and connect"
						    : "nowhere: this kernel cannot"));
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
	note_policy(notes, agent);
	note_history(notes, agent);
	note_counter(notes, agent, FL_CNT_RING_FULL,
		     "events were dropped and repaired from the maps; raise limits.ring_bytes");
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
	return notes;
}

json_t *doctor_json(struct agent *agent)
{
	struct utsname kernel;

	if (uname(&kernel) < 0)
		return NULL;
	return json_pack("{ss ss ss so so}", "tier", hooks_tier(agent->hooks), "kernel",
			 kernel.release, "version", FLOWNER_VERSION, "hooks",
			 hooks_json(agent->hooks), "notes", notes_json(agent));
}
