/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/tell.h"
#include "daemon/agent.h"
#include "daemon/api.h"
#include "daemon/ruleset.h"
#include "daemon/stream.h"
#include "kernel/maps.h"
#include "policy/verdicts.h"

#include <flowner/link.h>

#include <net/if.h>
#include <stdio.h>
#include <string.h>

static enum fl_role role_at(enum fl_hook hook)
{
	switch (hook) {
	case FL_HOOK_LISTEN:
		return FL_ROLE_LISTENER;
	case FL_HOOK_CONNECT:
	case FL_HOOK_CONNECT_AUTHORIZATION:
		return FL_ROLE_OPENER;
	case FL_HOOK_RECV_ACCEPT:
		return FL_ROLE_ACCEPTOR;
	case FL_HOOK_BIND:
	case FL_HOOKS:
		break;
	}
	return FL_ROLE_UNKNOWN;
}

/* Where V's attempt goes instead, as the kernel side has found it. */
static struct fl_place target_of(const struct policy_rule *rule, const struct verdict *v)
{
	const struct fl_key *key = &v->attempt.key;
	bool binds = v->attempt.hook == FL_HOOK_BIND;
	struct fl_place to = { .addr = binds ? key->local : key->remote,
			       .port = binds ? key->local_port : key->remote_port };

	if (!v->redirected || !rule)
		return to;
	fl_target_apply(&rule->to, &to.addr, &to.port);
	to.used = 1;
	return to;
}

static struct policy_listeners listeners_of(const struct fl_attempt *a)
{
	struct policy_listeners l = { .known = (a->known & FL_KNOWS_LISTENERS) >>
					       FL_DIM_LISTENERS };

	if (l.known)
		memcpy(l.of, a->listeners, sizeof(l.of));
	return l;
}

/* A rule's word for the interface of A, in whichever namespace that is: NULL when it has none. */
static const char *named_by(const struct policy_rule *rule, const struct fl_attempt *a)
{
	for (size_t i = 0; rule && i < rule->term_count; i++) {
		const struct policy_term *term = &rule->terms[i];

		if (term->attribute != POLICY_INTERFACE)
			continue;
		for (size_t w = 0; w < term->count; w++) {
			if (term->words[w].value.id[0] == a->interface)
				return term->words[w].text;
		}
	}
	return NULL;
}

/* The name that the interface of A has now, when it is flownerd's namespace and still the same. */
static bool name_here(const struct agent *agent, const struct fl_attempt *a, char name[IF_NAMESIZE])
{
	union fl_link_text text = { 0 };

	if (a->key.netns_cookie != agent->netns_cookie ||
	    !if_indextoname(a->next_hop_interface, name))
		return false;
	snprintf(text.text, sizeof(text.text), "%s", name);
	return fl_link_name(text.words[0], text.words[1]) == a->interface;
}

/* That of another namespace's is only known from the rule that decided. */
static void name_interface(const struct agent *agent, const struct policy_rule *rule,
			   const struct fl_attempt *a, char name[IF_NAMESIZE])
{
	const char *word = named_by(rule, a);

	if (word)
		snprintf(name, IF_NAMESIZE, "%s", word);
	else if (!name_here(agent, a, name))
		*name = '\0';
}

static struct policy_route route_of(const struct agent *agent, const struct policy_rule *rule,
				    const struct fl_attempt *a)
{
	struct policy_route route = { .known = a->known >> FL_DIM_INTERFACE & 1 };

	if (!route.known)
		return route;
	route.ifindex = a->next_hop_interface;
	route.interface_type = a->interface_type;
	route.tunnel_type = a->tunnel_type;
	name_interface(agent, rule, a, route.interface);
	return route;
}

void tell_verdict(const struct agent *agent, const struct ruleset *set, const struct verdict *v)
{
	const struct fl_attempt *a = &v->attempt;
	const struct policy_rule *rule = set ? ruleset_rule(set, v->tag) : NULL;
	struct stream_verdict told = {
		.rule = rule ? set->names[v->tag] : NULL,
		.count = v->count,
		.hook = (enum fl_hook)a->hook,
		.verdict = (enum fl_verdict)v->verdict,
		.enforced = v->enforced,
		.failed = v->failed,
		.redirected = v->redirected,
		.port_in_use_by_other = fl_port_in_use(a),
		.again = v->again,
		.listeners = listeners_of(a),
		.route = route_of(agent, rule, a),
		.to = target_of(rule, v),
	};
	struct fl_flow *flow = &told.event.flow;

	told.event.head.type = FL_EVENT_VERDICT;
	told.event.head.size = sizeof(told.event);
	told.event.time_ns = v->time_ns;
	flow->id = flow->cookie = a->cookie;
	flow->key = a->key;
	flow->owner = a->owner;
	flow->role = role_at(told.hook);
	(void)maps_netns_inum(agent->maps, a->key.netns_cookie, &flow->netns_inum);
	api_verdict(agent->api, &told);
}
