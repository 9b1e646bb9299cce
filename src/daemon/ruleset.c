/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/ruleset.h"
#include "daemon/agent.h"
#include "text/cleanup.h"
#include "text/label.h"
#include "kernel/maps.h"
#include "host/netns.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <string.h>

/* --- what the policy's names ask of this machine --- */

struct wanted_namespace {
	__u32 inum;
	__u64 cookie;
};

static int look_into(const char *path, __u32 inum, void *arg)
{
	struct wanted_namespace *w = arg;
	_close_ int fd = -1;

	return inum == w->inum && netns_socket(path, NETLINK_SOCK_DIAG, &fd, &w->cookie) == 0 &&
	       w->cookie;
}

static int namespace_cookie(void *arg, __u32 inum, __u64 *ret_cookie)
{
	const struct agent *agent = arg;
	struct wanted_namespace w = { .inum = inum };

	if (!inum) {
		*ret_cookie = agent->netns_cookie;
		return agent->netns_cookie ? 0 : -ENOENT;
	}
	if (netns_each(look_into, &w) != 1)
		return maps_netns_cookie(agent->maps, inum, ret_cookie);
	*ret_cookie = w.cookie;
	return 0;
}

static bool is_that(const struct sockaddr *sa, const struct fl_addr *addr)
{
	static const __u8 v4_mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (sa && sa->sa_family == AF_INET)
		return !memcmp(addr->b, v4_mapped, 12) &&
		       !memcmp(addr->b + 12, &((const struct sockaddr_in *)sa)->sin_addr, 4);
	return sa && sa->sa_family == AF_INET6 &&
	       !memcmp(addr->b, &((const struct sockaddr_in6 *)sa)->sin6_addr, 16);
}

/* Of some interface: what the routes say of addresses may be changed by more than those. */
static bool has_address(void *arg, const struct fl_addr *addr)
{
	struct ifaddrs *all = NULL;
	bool found = false;

	(void)arg;
	if (getifaddrs(&all) < 0)
		return false;
	for (const struct ifaddrs *i = all; i && !found; i = i->ifa_next)
		found = is_that(i->ifa_addr, addr);
	freeifaddrs(all);
	return found;
}

/* --- making --- */

static int copy_texts(struct ruleset *set, const struct policy_text *texts, size_t count)
{
	set->texts = calloc(count, sizeof(*set->texts));
	if (!set->texts)
		return -ENOMEM;
	for (set->text_count = 0; set->text_count < count; set->text_count++) {
		const struct policy_text *from = &texts[set->text_count];
		struct policy_text *to = &set->texts[set->text_count];
		char *text = malloc(from->size + 1);

		*to = *from;
		to->name = strdup(from->name);
		to->text = text;
		to->gone = from->gone ? strdup(from->gone) : NULL;
		if (!text || !to->name || (from->gone && !to->gone)) {
			set->text_count++;
			return -ENOMEM;
		}
		memcpy(text, from->text, from->size);
		text[from->size] = '\0';
	}
	return 0;
}

static int copy_names(struct ruleset *set)
{
	size_t count = set->policy->rule_count;

	set->names = calloc(count + 1, sizeof(*set->names));
	set->places = calloc(count + 1, sizeof(*set->places));
	if (!set->names || !set->places)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const char *name = set->policy->rules[i].name;

		set->names[i] = name ? label_new(name) : NULL;
		if (name && !set->names[i])
			return -ENOMEM;
	}
	return 0;
}

static void take_tables(struct ruleset *set, struct compiled *compiled)
{
	size_t count;

	(void)resolution_rules(set->resolution, &count);
	for (__u32 i = 0; i < count; i++)
		set->places[compiled->order[i]] = i;
	set->compiled = compiled;
}

int ruleset_compile(struct ruleset *set, struct compiled **ret_before)
{
	struct plain_default defaults[FL_HOOKS];
	const struct plain_rule *rules;
	struct compiled *compiled;
	size_t count;
	int r;

	for (enum fl_hook hook = 0; hook < FL_HOOKS; hook++) {
		defaults[hook] = set->policy->defaults[hook];
		defaults[hook].tag = RULESET_DEFAULT(hook);
	}
	rules = resolution_rules(set->resolution, &count);
	r = compile(rules, count, defaults, &compiled);
	if (r < 0)
		return r;
	compiled->policy.wanted |= resolution_wants(set->resolution);
	memcpy(compiled->policy.birth_key, resolution_birth_key(set->resolution),
	       sizeof(compiled->policy.birth_key));
	if (ret_before)
		*ret_before = set->compiled;
	else
		compiled_free(set->compiled);
	take_tables(set, compiled);
	return 0;
}

void ruleset_uncompile(struct ruleset *set, struct compiled *before)
{
	compiled_free(set->compiled);
	take_tables(set, before);
}

static void cleanup_set(struct ruleset **set)
{
	ruleset_free(*set);
}

int ruleset_refuse(const struct policy_error *error, int r, struct fail *f)
{
	char sentence[sizeof(error->why) + 256];

	if (r == -ENOMEM)
		return fail(f, r, "out of memory");
	if (!*error->why)
		return fail(f, r, "cannot resolve the policy's names: %s", strerror(-r));
	return fail(f, r, "%s", policy_error_format(error, sentence, sizeof(sentence)));
}

int ruleset_new(struct agent *agent, const char *cgroup_mount, const struct policy_text *texts,
		size_t count, const struct ruleset *from, struct ruleset **ret_set, struct fail *f)
{
	_cleanup_(cleanup_set) struct ruleset *set = calloc(1, sizeof(*set));
	struct policy_error error = { 0 };
	int r = set ? copy_texts(set, texts, count) : -ENOMEM;

	if (r < 0)
		return ruleset_refuse(&error, r, f);
	set->area = FL_AREA_NONE;
	set->world = (struct resolve_world){ cgroup_mount, namespace_cookie, has_address, agent,
					     from ? from->resolution : NULL };
	r = policy_parse(set->texts, count, &set->policy, &error);
	if (!r)
		r = resolution_new(set->policy, &set->world, &set->resolution, &error);
	set->world.known = NULL;
	if (r < 0)
		return ruleset_refuse(&error, r, f);
	r = copy_names(set);
	if (!r)
		r = ruleset_compile(set, NULL);
	if (r < 0)
		return fail(f, r, "cannot compile the policy: %s",
			    r == -E2BIG ? "its values are named by too many different sets of rules"
					: strerror(-r));
	*ret_set = TAKE_PTR(set);
	return 0;
}

void ruleset_free(struct ruleset *set)
{
	if (!set)
		return;
	compiled_free(set->compiled);
	resolution_free(set->resolution);
	for (size_t i = 0; set->names && i < set->policy->rule_count; i++)
		label_drop(set->names[i]);
	policy_free(set->policy);
	for (size_t i = 0; i < set->text_count; i++) {
		free((char *)set->texts[i].name);
		free((char *)set->texts[i].text);
		free((char *)set->texts[i].gone);
	}
	free(set->texts);
	free(set->names);
	free(set->places);
	free(set);
}

__u32 ruleset_hooks(const struct ruleset *set)
{
	return set->policy->hooks;
}

__u32 ruleset_closed_hooks(const struct ruleset *set)
{
	const struct policy *policy = set->policy;
	__u32 closed = 0;

	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct policy_rule *rule = &policy->rules[i];

		if (rule->enforced &&
		    (rule->verdict == FL_REJECT || rule->flags & FL_RULE_REDIRECT))
			closed |= rule->hooks;
	}
	for (enum fl_hook hook = 0; hook < FL_HOOKS; hook++) {
		if (policy->defaults[hook].enforced && policy->defaults[hook].verdict == FL_REJECT)
			closed |= 1u << hook;
	}
	return closed;
}

bool ruleset_redirects(const struct ruleset *set)
{
	for (size_t i = 0; i < set->policy->rule_count; i++) {
		const struct policy_rule *rule = &set->policy->rules[i];

		if (rule->flags & FL_RULE_REDIRECT && rule->enforced &&
		    rule->hooks >> FL_HOOK_CONNECT & 1)
			return true;
	}
	return false;
}

const struct policy_rule *ruleset_rule(const struct ruleset *set, __u64 tag)
{
	return tag < set->policy->rule_count ? &set->policy->rules[tag] : NULL;
}
