/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/answers_policy.h"
#include "text/address.h"
#include "daemon/agent.h"
#include "daemon/order.h"
#include "host/config.h"
#include "policy/enforce.h"
#include "kernel/hooks.h"
#include "policy/policyjson.h"
#include "text/cleanup.h"
#include "text/label.h"
#include "daemon/rules.h"
#include "daemon/ruleset.h"
#include "text/wallclock.h"

#include <errno.h>
#include <string.h>

#define UNRESOLVED_MAX 200 /* told one by one */

/* --- the policy as JSON --- */

static const char *mode_text(bool enforced)
{
	return enforced ? "enforce" : "audit";
}

static void put_time(const struct agent *agent, json_t *object, const char *key, __u64 boot_ns)
{
	char text[WALLCLOCK_TEXT];

	if (boot_ns)
		json_object_set_new(object, key,
				    json_string(wallclock_format(
					    boot_ns + (__u64)agent->realtime_offset_ns, text)));
}

static void put_limit(json_t *object, const struct policy_rule *rule)
{
	for (size_t i = 0; i < rule->term_count; i++) {
		const struct policy_term *t = &rule->terms[i];

		if (t->attribute >= POLICY_LIMIT)
			json_object_set_new(
				object, "limit",
				json_pack("{sI ss}", "listeners", (json_int_t)t->words->value.first,
					  "per", policy_per_text(t->attribute - POLICY_LIMIT)));
	}
}

static json_t *rule_json(const struct agent *agent, const struct ruleset *set, size_t i)
{
	const struct policy_rule *rule = &set->policy->rules[i];
	const struct policy_text *text = &set->texts[rule->text];
	bool redirects = rule->flags & FL_RULE_REDIRECT;
	char to[ENDPOINT_TEXT];
	json_t *object = json_pack("{ss* ss sI so ss ss* ss}", "name", rule->name, "file",
				   rule->place.file, "line", (json_int_t)rule->place.line, "hooks",
				   policyjson_hooks(rule->hooks), "verdict",
				   policy_outcome_text(rule, (enum fl_verdict)rule->verdict), "to",
				   redirects ? policy_target_text(&rule->to, to) : NULL, "mode",
				   mode_text(rule->enforced));
	__u64 hits;

	if (!object)
		return NULL;
	if (enforce_hits(rules_enforce(agent->rules), set->places[i], &hits) == 0)
		json_object_set_new(object, "hits", json_integer((json_int_t)hits));
	if (text->added)
		json_object_set_new(object, "added", json_true());
	put_limit(object, rule);
	put_time(agent, object, "until", text->ends_ns);
	return object;
}

static json_t *rules_json(const struct agent *agent, const struct ruleset *set)
{
	json_t *array = json_array();

	for (size_t i = 0; i < set->policy->rule_count; i++)
		json_array_append_new(array, rule_json(agent, set, i));
	return array;
}

static json_t *defaults_json(const struct policy *policy)
{
	json_t *array = json_array();

	for (enum fl_hook hook = 0; hook < FL_HOOKS; hook++) {
		const struct plain_default *d = &policy->defaults[hook];

		if (policy->default_places[hook].line)
			json_array_append_new(
				array,
				json_pack("{ss ss ss}", "hook", policy_hook_text(hook), "verdict",
					  policy_verdict_text((enum fl_verdict)d->verdict), "mode",
					  mode_text(d->enforced)));
	}
	return array;
}

static int add_unresolved(void *arg, const struct unresolved *u)
{
	json_t *array = arg;

	json_array_append_new(array, json_pack("{ss* ss ss ss}", "rule", u->rule->name, "attribute",
					       policy_attribute_text(u->attribute), "word",
					       u->word->text, "why", u->why));
	return json_array_size(array) == UNRESOLVED_MAX;
}

static json_t *unresolved_json(const struct ruleset *set)
{
	json_t *array = json_array();

	(void)resolution_unresolved(set->resolution, add_unresolved, array);
	return array;
}

static json_t *files_json(const struct ruleset *set)
{
	json_t *array = json_array();

	for (size_t i = 0; i < set->text_count; i++)
		json_array_append_new(array, json_string(set->texts[i].name));
	return array;
}

static json_t *ways_json(const struct rules *rules)
{
	json_t *array = json_array();

	for (size_t i = 0; i < enforce_row_count(); i++) {
		const struct enforce_row *row = enforce_row(rules_enforce(rules), i);

		json_array_append_new(array,
				      json_pack("{ss ss ss ss* sb ss ss*}", "hook",
						policy_hook_text(row->hook), "attach", row->attach,
						"status", hook_status_text(row->status), "error",
						row->error ? strerror(row->error) : NULL, "late",
						row->late, "sees", row->sees, "limit", row->limit));
	}
	return array;
}

static json_t *policy_json(const struct agent *agent)
{
	const struct ruleset *set = rules_current(agent->rules);
	const char *trouble = rules_trouble(agent->rules);
	json_t *object;

	if (!set)
		return json_pack("{sb so ss*}", "loaded", 0, "ways", ways_json(agent->rules),
				 "trouble", *trouble ? trouble : NULL);
	object = json_pack("{sb sI ss so so so so so ss*}", "loaded", 1, "generation",
			   (json_int_t)set->generation, "mode", mode_text(set->policy->enforced),
			   "files", files_json(set), "rules", rules_json(agent, set), "defaults",
			   defaults_json(set->policy), "unresolved", unresolved_json(set), "ways",
			   ways_json(agent->rules), "trouble", *trouble ? trouble : NULL);
	if (!object)
		return NULL;
	put_time(agent, object, "since", set->since_ns);
	put_time(agent, object, "trial_ends", rules_trial_ends_ns(agent->rules));
	return object;
}

/* --- asking --- */

static bool has_rules(struct request *request)
{
	return request->agent->rules != NULL;
}

static enum MHD_Result reply_starting(struct request *request)
{
	return reply_error(request, MHD_HTTP_SERVICE_UNAVAILABLE, "the daemon is starting");
}

static enum MHD_Result reply_unseen(struct request *request)
{
	return reply_error(request, MHD_HTTP_FORBIDDEN,
			   "only root and the group of the daemon may read the policy");
}

enum MHD_Result answer_policy(struct request *request)
{
	char why[QUERY_WHY];

	if (!request->peer.sees_all)
		return reply_unseen(request);
	if (query_none(&request->query, why) < 0)
		return reply_error(request, MHD_HTTP_BAD_REQUEST, why);
	if (!has_rules(request))
		return reply_starting(request);
	return reply_json(request, MHD_HTTP_OK, policy_json(request->agent));
}

/* --- changing --- */

static unsigned int status_of(int error)
{
	switch (-error) {
	case EBADMSG:
		return MHD_HTTP_BAD_REQUEST;
	case EBUSY:
	case EEXIST:
		return MHD_HTTP_CONFLICT;
	case ENOENT:
		return MHD_HTTP_NOT_FOUND;
	case ENOMEM:
		return MHD_HTTP_SERVICE_UNAVAILABLE;
	case EINVAL:
	case E2BIG:
	case ENOSPC:
	case EOPNOTSUPP:
		return MHD_HTTP_UNPROCESSABLE_CONTENT;
	default:
		return MHD_HTTP_INTERNAL_SERVER_ERROR;
	}
}

static enum MHD_Result reply_refusal(struct request *request, int error, const struct fail *f)
{
	return reply_error(request, status_of(error), f->text);
}

static json_t *outcome_json(const struct agent *agent, const struct rules_outcome *o)
{
	const struct ruleset *set = rules_current(agent->rules); /* NULL: the last rule went */
	json_t *object = json_pack(
		"{sI sI ss* sI sI sI sb}", "generation", (json_int_t)o->generation, "rules",
		(json_int_t)(set ? set->policy->rule_count : 0), "mode",
		set ? mode_text(set->policy->enforced) : NULL, "rejected", (json_int_t)o->rejected,
		"cut", (json_int_t)o->cut, "left", (json_int_t)o->left, "callers", o->callers);

	if (!object)
		return NULL;
	json_object_set_new(object, "unresolved", set ? unresolved_json(set) : json_array());
	if (o->added) {
		json_object_set_new(object, "added", json_integer((json_int_t)o->added));
		json_object_set_new(object, "audited", json_integer((json_int_t)o->audited));
	}
	put_time(agent, object, "until", o->ends_ns);
	json_object_set_new(object, "policy_dir", json_string(agent->config->policy_dir));
	put_time(agent, object, "trial_ends", rules_trial_ends_ns(agent->rules));
	return object;
}

/* FN is rules_load() or rules_add(). */
static enum MHD_Result put_body(struct request *request, unsigned int by,
				int (*fn)(struct rules *, const struct rules_order *,
					  struct rules_outcome *, struct fail *))
{
	struct policy_text texts[QUERY_PARAMETERS];
	struct rules_order order = { .texts = texts, .caller = request->peer.pid };
	struct rules_outcome outcome;
	char why[QUERY_WHY];
	struct fail f;
	int r;

	if (!request->body || !request->body_size)
		return reply_error(request, MHD_HTTP_BAD_REQUEST,
				   "a policy is loaded from the body of the request");
	if (order_read(&request->query, request->body, request->body_size, by, texts, &order, why) <
	    0)
		return reply_error(request, MHD_HTTP_BAD_REQUEST, why);
	if (!has_rules(request))
		return reply_starting(request);
	r = fn(request->agent->rules, &order, &outcome, &f);
	if (r < 0)
		return reply_refusal(request, r, &f);
	return reply_json(request, MHD_HTTP_OK, outcome_json(request->agent, &outcome));
}

enum MHD_Result answer_policy_load(struct request *request)
{
	return put_body(request, ORDER_LOAD, rules_load);
}

enum MHD_Result answer_policy_add(struct request *request)
{
	return put_body(request, ORDER_ADD, rules_add);
}

enum MHD_Result answer_policy_delete(struct request *request)
{
	struct policy_text none[QUERY_PARAMETERS];
	struct rules_order order = { .caller = request->peer.pid };
	struct rules_outcome outcome;
	char why[QUERY_WHY];
	struct fail f;
	int r;

	if (order_read(&request->query, NULL, 0, ORDER_DELETE, none, &order, why) < 0)
		return reply_error(request, MHD_HTTP_BAD_REQUEST, why);
	if (!has_rules(request))
		return reply_starting(request);
	r = rules_delete(request->agent->rules, request->rest, &order, &outcome, &f);
	if (r < 0)
		return reply_refusal(request, r, &f);
	return reply_json(request, MHD_HTTP_OK, outcome_json(request->agent, &outcome));
}

static enum MHD_Result change(struct request *request, int (*fn)(struct rules *, struct fail *))
{
	char why[QUERY_WHY];
	struct fail f;
	int r;

	if (query_none(&request->query, why) < 0)
		return reply_error(request, MHD_HTTP_BAD_REQUEST, why);
	if (!has_rules(request))
		return reply_starting(request);
	r = fn(request->agent->rules, &f);
	return r < 0 ? reply_refusal(request, r, &f) : reply_empty(request, MHD_HTTP_NO_CONTENT);
}

enum MHD_Result answer_policy_clear(struct request *request)
{
	return change(request, rules_clear);
}

enum MHD_Result answer_policy_confirm(struct request *request)
{
	return change(request, rules_confirm);
}

/* --- trying --- */

static void free_policy(struct policy **policy)
{
	policy_free(*policy);
}

/* The texts in the body, by the names that QUERY has for them; -EBADMSG: that is no such body. */
static int read_body(const struct request *request, const struct query *query,
		     struct policy **ret_policy, struct fail *f)
{
	_cleanup_(free_policy) struct policy *policy = NULL;
	struct policy_text texts[QUERY_PARAMETERS];
	struct rules_order order = { .texts = texts };
	struct policy_error error = { 0 };
	char why[QUERY_WHY];
	int r;

	if (!request->body_size)
		return fail(f, -EBADMSG, "a policy is checked from the body of the request");
	if (order_read(query, request->body, request->body_size, ORDER_TRY, texts, &order, why) < 0)
		return fail(f, -EBADMSG, "%s", why);
	r = policy_parse(texts, order.count, &policy, &error);
	if (!r)
		r = resolve_people(policy, &error);
	if (r < 0)
		return ruleset_refuse(&error, r, f);
	*ret_policy = TAKE_PTR(policy);
	return 0;
}

enum MHD_Result answer_policy_check(struct request *request)
{
	_cleanup_(free_policy) struct policy *policy = NULL;
	struct fail f;
	int r = read_body(request, &request->query, &policy, &f);

	if (r < 0)
		return reply_refusal(request, r, &f);
	return reply_json(request, MHD_HTTP_OK, policyjson_valid(policy));
}

static enum MHD_Result reply_rehearsed(struct request *request, const struct policy *policy,
				       const struct rehearsal *attempt)
{
	struct policy_error error = { 0 };
	struct rehearsed said;
	struct fail f;
	int r = rehearse(policy, attempt, &said, &error);

	if (r == -EINVAL)
		return reply_error(request, MHD_HTTP_BAD_REQUEST, error.why);
	if (r < 0)
		return reply_refusal(request, ruleset_refuse(&error, r, &f), &f);
	return reply_json(request, MHD_HTTP_OK, policyjson_rehearsed(attempt, &said));
}

/* Of the body's; without one, of what is in force, which may be no rule at all. */
static enum MHD_Result rehearse_for(struct request *request, const struct rehearsal *attempt,
				    const struct query *names)
{
	_cleanup_(free_policy) struct policy *own = NULL;
	const struct ruleset *set;
	struct policy_error error;
	char why[QUERY_WHY];
	struct fail f;
	int r;

	if (request->body_size) {
		r = read_body(request, names, &own, &f);
		if (r < 0)
			return reply_refusal(request, r, &f);
		return reply_rehearsed(request, own, attempt);
	}
	if (query_none(names, why) < 0)
		return reply_error(request, MHD_HTTP_BAD_REQUEST, why);
	if (!has_rules(request))
		return reply_starting(request);
	set = rules_current(request->agent->rules);
	if (!set && policy_parse(NULL, 0, &own, &error) < 0)
		return MHD_NO;
	return reply_rehearsed(request, set ? set->policy : own, attempt);
}

enum MHD_Result answer_policy_test(struct request *request)
{
	struct rehearsal attempt;
	struct query rest;
	char why[QUERY_WHY];

	if (!request->peer.sees_all)
		return reply_unseen(request);
	if (order_attempt(&request->query, &attempt, &rest, why) < 0)
		return reply_error(request, MHD_HTTP_BAD_REQUEST, why);
	attempt.as_written = !peer_may_change(&request->peer);
	return rehearse_for(request, &attempt, &rest);
}
