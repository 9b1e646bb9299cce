/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as a policy: refused with a line that is one line, or rules that hold what compile()
 * takes for granted. The bytes after a NUL are a second file, those after another one are added to
 * the policy: its rules come first, and the others are what they were.
 */
#include "policy/policyedit.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void insist(bool holds)
{
	if (!holds)
		abort();
}

static void look_at_value(const struct term_value *v, enum fl_dimension d)
{
	insist(v->first <= v->last);
	if (d != FL_DIM_LOCAL_ADDR && d != FL_DIM_REMOTE_ADDR)
		return;
	insist(v->bits <= 128);
	for (unsigned int i = v->bits; i < 128; i++)
		insist(!(v->addr.b[i / 8] & 0x80 >> i % 8));
}

static void look_at_rule(const struct policy_rule *rule)
{
	insist(rule->hooks && !(rule->hooks >> FL_HOOKS));
	insist(rule->tcp || rule->udp);
	insist(rule->verdict <= FL_PROCEED_HARD);
	insist(*rule->name && rule->place.file && rule->place.line);
	for (size_t t = 0; t < rule->term_count; t++) {
		const struct policy_term *term = &rule->terms[t];

		insist(term->count > 0);
		for (size_t w = 0; w < term->count; w++) {
			insist(*term->words[w].text && term->words[w].place.line);
			look_at_value(&term->words[w].value, policy_dimension(term->attribute));
		}
		for (enum fl_hook hook = 0; hook < FL_HOOKS; hook++)
			insist(!(rule->hooks >> hook & 1) ||
			       policy_hook_has(hook, term->attribute));
	}
}

static void look_at_error(const struct policy_error *error)
{
	char line[1024];

	policy_error_format(error, line, sizeof(line));
	insist(*line && !strchr(line, '\n'));
}

static struct policy *read_again(const struct policyedit *e)
{
	struct policy *policy = NULL;
	struct policy_error error;

	insist(policy_parse(e->texts, e->count, &policy, &error) == 0);
	return policy;
}

static void look_at_rest(const struct policy *rest, size_t from, const struct policy *policy)
{
	insist(rest->enforced == policy->enforced);
	for (size_t i = from; i < rest->rule_count; i++) {
		const struct policy_rule *was =
			&policy->rules[policy->rule_count - (rest->rule_count - i)];

		insist(strcmp(rest->rules[i].name, was->name) == 0);
		insist(rest->rules[i].enforced == was->enforced);
		insist(rest->rules[i].place.line == was->place.line);
	}
}

/* One rule less than BEFORE has. */
static void take_out(const struct policy *before, const struct policyedit *e)
{
	struct policyedit less = { 0 };
	struct policy *policy;

	insist(policyedit_delete(before, e->texts, e->count, before->rules[0].name, &less) == 0);
	policy = read_again(&less);
	insist(policy->rule_count == before->rule_count - 1);
	look_at_rest(policy, 0, before);
	policy_free(policy);
	policyedit_release(&less);
}

static void add(const struct policy *policy, const struct policy_text *texts, size_t count,
		const struct policy_text *document)
{
	struct policyedit e = { 0 };
	struct policy_error error;
	struct policy *edited;

	if (policyedit_add(policy, texts, count, document, &e, &error)) {
		look_at_error(&error);
		return;
	}
	edited = read_again(&e);
	insist(edited->rule_count > policy->rule_count);
	look_at_rest(edited, edited->rule_count - policy->rule_count, policy);
	take_out(edited, &e);
	policy_free(edited);
	policyedit_release(&e);
}

/* What is before the next NUL of the SIZE bytes at *AT, which goes behind it, or to NULL. */
static struct policy_text next_text(const char *name, const char **at, size_t *size)
{
	const char *nul = memchr(*at, '\0', *size);
	size_t used = nul ? (size_t)(nul - *at) : *size;
	struct policy_text text = { .name = name, .text = *at, .size = used };

	*size -= nul ? used + 1 : used;
	*at = nul ? nul + 1 : NULL;
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = { "a", "b", "c" };
	const char *at = (const char *)data;
	struct policy_text texts[3];
	struct policy *policy = NULL;
	struct policy_error error;
	size_t count = 0;

	while (at && count < 3) {
		texts[count] = next_text(names[count], &at, &size);
		count++;
	}
	if (policy_parse(texts, count < 2 ? count : 2, &policy, &error)) {
		insist(!policy);
		look_at_error(&error);
		return 0;
	}
	for (size_t i = 0; i < policy->rule_count; i++)
		look_at_rule(&policy->rules[i]);
	if (count == 3)
		add(policy, texts, 2, &texts[2]);
	policy_free(policy);
	return 0;
}
