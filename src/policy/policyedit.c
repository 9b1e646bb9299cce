/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/policyedit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void policyedit_release(struct policyedit *e)
{
	free(e->texts);
	free(e->gone);
	*e = (struct policyedit){ 0 };
}

/* With room for one text more. */
static int copy(const struct policy_text *texts, size_t count, struct policyedit *ret_edit)
{
	struct policy_text *copies = calloc(count + 1, sizeof(*copies));

	if (!copies)
		return -ENOMEM;
	if (count)
		memcpy(copies, texts, count * sizeof(*copies));
	*ret_edit = (struct policyedit){ .texts = copies, .count = count };
	return 0;
}

static void drop(struct policyedit *e, size_t i)
{
	e->count--;
	memmove(&e->texts[i], &e->texts[i + 1], (e->count - i) * sizeof(*e->texts));
}

static const struct policy_rule *find(const struct policy *policy, const char *name)
{
	for (size_t i = 0; policy && i < policy->rule_count; i++) {
		if (strcmp(policy->rules[i].name, name) == 0)
			return &policy->rules[i];
	}
	return NULL;
}

/* --- add --- */

static int refuse(struct policy_error *error, const struct policy_place *place, const char *file,
		  int r)
{
	error->place = *place;
	error->place.file = file;
	return r;
}

/* Whether NEW can stand beside what is there. */
static int check_names(const struct policy *policy, const struct policy *new, const char *file,
		       struct policy_error *error)
{
	for (size_t i = 0; i < new->rule_count; i++) {
		const struct policy_rule *rule = &new->rules[i];
		const struct policy_rule *other = find(policy, rule->name);

		if (!other)
			continue;
		snprintf(error->why, sizeof(error->why),
			 "the name '%.64s' is already that of the rule in %.256s:%zu", rule->name,
			 other->place.file, other->place.line);
		return refuse(error, &rule->place, file, -EEXIST);
	}
	return 0;
}

static int check_count(const struct policy *policy, const struct policy *new, const char *file,
		       struct policy_error *error)
{
	size_t there = policy ? policy->rule_count : 0;

	if (!new->rule_count) {
		snprintf(error->why, sizeof(error->why), "there is no rule in it");
		return refuse(error, &(struct policy_place){ 0 }, file, -EINVAL);
	}
	if (new->rule_count > FL_RULES_MAX - there) {
		snprintf(error->why, sizeof(error->why),
			 "more than %d rules, with the %zu that are in force", FL_RULES_MAX, there);
		return refuse(error, &new->rules[FL_RULES_MAX - there].place, file, -E2BIG);
	}
	return 0;
}

static int check_document(const struct policy *policy, const struct policy_text *document,
			  struct policy_error *error)
{
	struct policy *new = NULL;
	int r = policy_parse(document, 1, &new, error);

	if (!r)
		r = check_count(policy, new, document->name, error);
	if (!r)
		r = check_names(policy, new, document->name, error);
	policy_free(new);
	return r;
}

int policyedit_add(const struct policy *policy, const struct policy_text *texts, size_t count,
		   const struct policy_text *document, struct policyedit *ret_edit,
		   struct policy_error *error)
{
	struct policy_text added = *document;
	struct policyedit e;
	int r;

	added.added = true;
	r = check_document(policy, &added, error);
	if (r < 0)
		return r;
	r = copy(texts, count, &e);
	if (r < 0) {
		*error = (struct policy_error){ .why = "out of memory" };
		return r;
	}
	e.texts[e.count++] = added;
	*ret_edit = e;
	return 0;
}

/* --- delete --- */

static bool is_last(const struct policy *policy, const struct policy_rule *rule)
{
	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct policy_rule *other = &policy->rules[i];

		if (other != rule && other->text == rule->text)
			return false;
	}
	return true;
}

static int take_out(struct policyedit *e, struct policy_text *text, const char *name)
{
	if (asprintf(&e->gone, "%s%s\n", text->gone ? text->gone : "", name) < 0) {
		e->gone = NULL;
		return -ENOMEM;
	}
	text->gone = e->gone;
	return 0;
}

int policyedit_delete(const struct policy *policy, const struct policy_text *texts, size_t count,
		      const char *name, struct policyedit *ret_edit)
{
	const struct policy_rule *rule = find(policy, name);
	struct policyedit e = { 0 };
	int r;

	if (!rule)
		return -ENOENT;
	r = copy(texts, count, &e);
	if (r < 0)
		return r;
	if (texts[rule->text].added && is_last(policy, rule))
		drop(&e, rule->text);
	else
		r = take_out(&e, &e.texts[rule->text], name);
	if (r < 0)
		policyedit_release(&e);
	else
		*ret_edit = e;
	return r;
}

/* --- time --- */

static bool has_ended(const struct policy_text *text, __u64 now_ns)
{
	return text->ends_ns && text->ends_ns <= now_ns;
}

int policyedit_expire(const struct policy_text *texts, size_t count, __u64 now_ns,
		      struct policyedit *ret_edit)
{
	struct policyedit e;
	int r = copy(texts, count, &e);

	if (r < 0)
		return r;
	for (size_t i = e.count; i-- > 0;) {
		if (has_ended(&e.texts[i], now_ns))
			drop(&e, i);
	}
	*ret_edit = e;
	return 0;
}

__u64 policyedit_next_end(const struct policy_text *texts, size_t count)
{
	__u64 next = 0;

	for (size_t i = 0; i < count; i++) {
		if (texts[i].ends_ns && (!next || texts[i].ends_ns < next))
			next = texts[i].ends_ns;
	}
	return next;
}
