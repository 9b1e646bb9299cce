/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as a policy: refused with a line that is one line, or rules that hold what compile()
 * takes for granted. The bytes after a NUL are a second file.
 */
#include "policy.h"

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	const char *second = memchr(text, '\0', size);
	size_t first_size = second ? (size_t)(second - text) : size;
	struct policy_text texts[2] = { { "a", text, first_size } };
	struct policy *policy = NULL;
	struct policy_error error;
	char line[1024];

	if (second)
		texts[1] = (struct policy_text){ "b", second + 1, size - first_size - 1 };
	if (policy_parse(texts, second ? 2 : 1, &policy, &error)) {
		insist(!policy);
		policy_error_format(&error, line, sizeof(line));
		insist(*line && !strchr(line, '\n'));
		return 0;
	}
	for (size_t i = 0; i < policy->rule_count; i++)
		look_at_rule(&policy->rules[i]);
	policy_free(policy);
	return 0;
}
