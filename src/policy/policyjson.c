/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/policyjson.h"

#include "text/cleanup.h"
#include "text/utf8.h"

#include <string.h>

/* TEXT may be the name of a file, or words cut short: bytes that are no character, too. */
static json_t *text_json(const char *text)
{
	_free_ char *clean = NULL;
	size_t size;

	if (!text || utf8_clean(text, strlen(text), &clean, &size) < 0)
		return json_null();
	return json_stringn(clean, size);
}

json_t *policyjson_hooks(__u32 hooks)
{
	json_t *list = json_array();

	for (enum fl_hook hook = 0; hook < FL_HOOKS; hook++) {
		if (hooks >> hook & 1)
			json_array_append_new(list, json_string(policy_hook_text(hook)));
	}
	return list;
}

json_t *policyjson_valid(const struct policy *policy)
{
	size_t enforced = 0;

	for (size_t i = 0; i < policy->rule_count; i++)
		enforced += policy->rules[i].enforced;
	return json_pack("{s:b, s:I, s:I, s:o}", "valid", 1, "rules",
			 (json_int_t)policy->rule_count, "enforced", (json_int_t)enforced, "hooks",
			 policyjson_hooks(policy->hooks));
}

static json_t *place_json(const struct policy_place *place)
{
	return json_pack("{s:o, s:I, s:I}", "file", text_json(place->file), "line",
			 (json_int_t)place->line, "column", (json_int_t)place->column);
}

json_t *policyjson_invalid(const struct policy_error *error)
{
	return json_pack("{s:b, s:o, s:o}", "valid", 0, "error", text_json(error->why), "place",
			 place_json(&error->place));
}

static json_t *rule_json(const struct policy_rule *rule)
{
	if (!rule)
		return json_null();
	return json_pack("{s:s, s:o, s:I, s:b}", "name", rule->name, "file",
			 text_json(rule->place.file), "line", (json_int_t)rule->place.line,
			 "enforced", rule->enforced);
}

static json_t *effect_json(const struct rehearsal *attempt, const struct policy_rule *rule,
			   enum fl_verdict verdict)
{
	const struct rehearsed_effect e = rehearse_outcome(attempt, rule, verdict);
	bool redirects = rule && rule->flags & FL_RULE_REDIRECT;
	char to[ENDPOINT_TEXT];

	return json_pack("{s:o, s:s, s:s*, s:s, s:s?, s:s?, s:s}", "rule", rule_json(rule),
			 "verdict", policy_outcome_text(rule, verdict), "to",
			 redirects ? policy_target_text(&rule->to, to) : NULL, "application",
			 e.application, "error", e.error, "otherwise", e.otherwise, "peer", e.peer);
}

static json_t *unknown_json(const struct rehearsed *said)
{
	json_t *list = json_array();

	for (enum policy_attribute a = 0; a < POLICY_ATTRIBUTES; a++) {
		if (said->unknown >> a & 1)
			json_array_append_new(list, json_string(policy_attribute_text(a)));
	}
	return list;
}

json_t *policyjson_rehearsed(const struct rehearsal *attempt, const struct rehearsed *said)
{
	return json_pack("{s:s, s:o, s:o, s:o, s:o}", "hook", policy_hook_text(attempt->hook),
			 "as_it_is", effect_json(attempt, said->rule, said->verdict), "if_enforced",
			 effect_json(attempt, said->first, said->strict), "audited",
			 rule_json(said->audited), "not_given", unknown_json(said));
}
