/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each rule is put into numbers for this one attempt, and asked with plain_rule_matches(): a name
 * becomes one number when it is what the attempt has, and another when it is not. What the attempt
 * does not have is not looked up: the daemon, too, rehearses, and has other things to do.
 */
#include "policy/rehearse.h"

#include "text/cleanup.h"
#include "host/names.h"
#include "host/netns.h"
#include "policy/resolve.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#define CGROUP_MEANT 1 /* the id of the attempt's cgroup, whatever it is called */

enum { NAME_MEANT = 1, NAME_OTHER };

struct stage {
	const struct rehearsal *words;
	struct fl_attempt attempt;
	char *names[POLICY_ATTRIBUTES]; /* the attempt's own, each as plain_name(); NULL: none */
	struct policy_error *error;
};

/* --- names as numbers --- */

/* One file may have several names, where it exists. */
static char *path_name(const struct stage *s, enum policy_attribute attribute, const char *text)
{
	const char *given = s->words->words[attribute];
	bool as_written = s->words->as_written && given && strcmp(text, given) == 0;
	char *real = as_written ? NULL : realpath(text, NULL);

	return real ? real : strdup(text);
}

static char *netns_name(const char *text)
{
	char number[16];
	__u32 inum = 0;

	if (netns_parse(text, &inum))
		return strdup(text);
	snprintf(number, sizeof(number), "%u", inum);
	return strdup(number);
}

/* The one of several names that stands for all of them. */
static char *plain_name(const struct stage *s, enum policy_attribute attribute, const char *text)
{
	switch (attribute) {
	case POLICY_EXE:
	case POLICY_PARENT:
		return path_name(s, attribute, text);
	case POLICY_NETNS:
		return netns_name(text);
	default:
		return strdup(text);
	}
}

/* The attempt's own comes first. */
static int name_number(struct stage *s, enum policy_attribute attribute, const char *text,
		       __u64 *ret_number)
{
	char **own = &s->names[attribute];
	_free_ char *name = plain_name(s, attribute, text);

	if (!name)
		return -ENOMEM;
	*ret_number = !*own || strcmp(name, *own) == 0 ? NAME_MEANT : NAME_OTHER;
	if (!*own)
		*own = TAKE_PTR(name);
	return 0;
}

static int refuse(const struct stage *s, const char *what, const char *text)
{
	*s->error = (struct policy_error){ 0 };
	snprintf(s->error->why, sizeof(s->error->why), "'%.64s' is not %s", text, what);
	return -EINVAL;
}

/* A word of a rule or of the attempt. */
static int word_number(struct stage *s, enum policy_attribute attribute, const char *text,
		       __u64 *ret_number)
{
	int r = 0;

	switch (attribute) {
	case POLICY_EXE:
	case POLICY_PARENT:
	case POLICY_NETNS:
	case POLICY_INTERFACE:
		return name_number(s, attribute, text, ret_number);
	case POLICY_USER:
		r = resolve_user(text, ret_number);
		return r == -ENOENT ? refuse(s, "a user of this machine", text) : r;
	case POLICY_GROUP:
		r = resolve_group(text, ret_number);
		return r == -ENOENT ? refuse(s, "a group of this machine", text) : r;
	default:
		return -EINVAL;
	}
}

/* --- the attempt --- */

static void know(struct stage *s, enum policy_attribute attribute)
{
	s->attempt.known |= 1u << policy_dimension(attribute);
}

static int attempt_type(struct stage *s, enum policy_attribute attribute, __u32 *ret_type,
			int (*parse)(const char *text, __u32 *ret_type))
{
	const char *text = s->words->words[attribute];

	if (!text)
		return 0;
	know(s, attribute);
	return parse(text, ret_type) ? refuse(s, "a type or IANA's number of one", text) : 0;
}

static int attempt_uid(struct stage *s)
{
	const char *uid = s->words->words[POLICY_UID];
	unsigned long long number;
	char *end;

	if (!uid)
		return 0;
	if (s->words->words[POLICY_USER])
		return refuse(s, "needed beside a user", uid);
	errno = 0;
	number = strtoull(uid, &end, 10);
	if (errno || *end || !*uid || uid[strspn(uid, "0123456789")] || number >= 0xffffffff)
		return refuse(s, "a user's number", uid);
	s->attempt.owner.uid = (__u32)number;
	know(s, POLICY_UID);
	return 0;
}

static int attempt_port_in_use(struct stage *s)
{
	const char *text = s->words->words[POLICY_PORT_IN_USE];
	bool yes = false;

	if (!text)
		return 0;
	if (policy_bool_parse(text, &yes))
		return refuse(s, "true or false", text);
	s->attempt.port_in_use_by_other = yes;
	know(s, POLICY_PORT_IN_USE);
	return 0;
}

/* They have the place of what there is of a route at other hooks. */
static int attempt_listeners(struct stage *s)
{
	memset(s->attempt.listeners, 0, sizeof(s->attempt.listeners));
	for (enum fl_per per = 0; per < FL_PERS; per++) {
		const char *text = s->words->words[POLICY_LIMIT + per];
		unsigned long number;
		char *end;

		if (!text)
			continue;
		number = strtoul(text, &end, 10);
		if (*end || !*text || text[strspn(text, "0123456789")] || number > UINT32_MAX)
			return refuse(s, "a number of listeners", text);
		s->attempt.listeners[per] = (__u32)number;
		know(s, POLICY_LIMIT + per);
	}
	return 0;
}

static int attempt_names(struct stage *s)
{
	static const enum policy_attribute names[] = {
		POLICY_EXE, POLICY_PARENT, POLICY_USER, POLICY_GROUP, POLICY_NETNS, POLICY_INTERFACE
	};
	__u64 numbers[POLICY_ATTRIBUTES] = { 0 };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *text = s->words->words[names[i]];
		int r = text ? word_number(s, names[i], text, &numbers[names[i]]) : 0;

		if (r)
			return r;
		if (text)
			know(s, names[i]);
	}
	s->attempt.exe.inode = numbers[POLICY_EXE];
	s->attempt.parent.inode = numbers[POLICY_PARENT];
	s->attempt.owner.uid = (__u32)numbers[POLICY_USER];
	s->attempt.owner.gid = (__u32)numbers[POLICY_GROUP];
	s->attempt.key.netns_cookie = numbers[POLICY_NETNS];
	s->attempt.interface = numbers[POLICY_INTERFACE];
	return 0;
}

static void attempt_endpoints(struct stage *s)
{
	const struct endpoint *local = &s->words->local, *remote = &s->words->remote;

	s->attempt.key.local = local->addr;
	s->attempt.key.local_port = local->port;
	s->attempt.key.remote = remote->addr;
	s->attempt.key.remote_port = remote->port;
	if (local->has_addr)
		know(s, POLICY_LOCAL_ADDR);
	if (local->has_port)
		know(s, POLICY_LOCAL_PORT);
	if (remote->has_addr)
		know(s, POLICY_REMOTE_ADDR);
	if (remote->has_port)
		know(s, POLICY_REMOTE_PORT);
}

static int attempt_make(struct stage *s)
{
	int r;

	s->attempt.hook = (__u16)s->words->hook;
	s->attempt.key.proto = s->words->udp ? FL_UDP : FL_TCP;
	s->attempt.cgroup_id = CGROUP_MEANT;
	attempt_endpoints(s);
	r = attempt_names(s);
	if (!r)
		r = attempt_uid(s);
	if (!r)
		r = attempt_type(s, POLICY_INTERFACE_TYPE, &s->attempt.interface_type,
				 policy_interface_type_parse);
	if (!r)
		r = attempt_type(s, POLICY_TUNNEL_TYPE, &s->attempt.tunnel_type,
				 policy_tunnel_type_parse);
	if (!r)
		r = attempt_port_in_use(s);
	if (!r && s->words->hook == FL_HOOK_LISTEN)
		r = attempt_listeners(s);
	return r;
}

/* --- what is known of the cgroup, term by term --- */

enum answer { NO, YES, UNKNOWN };

static bool cgroup_word_matches(const struct stage *s, const struct policy_rule *rule,
				const struct policy_term *term, const char *word)
{
	const char *path = s->words->words[POLICY_CGROUP];
	const char *given = s->words->words[term->attribute];

	if (given && term->attribute != POLICY_CGROUP)
		return strcmp(given, word) == 0 || (term->attribute == POLICY_CONTAINER &&
						    resolve_container_matches(word, given));
	return path && resolve_cgroup_matches(rule, term, word, path);
}

/* A path tells unit and container too. */
static bool is_given(const struct stage *s, enum policy_attribute attribute)
{
	enum fl_dimension d = policy_dimension(attribute);

	if (d == FL_DIM_CGROUP)
		return s->words->words[attribute] || s->words->words[POLICY_CGROUP];
	return s->attempt.known >> d & 1;
}

/* Does TERM hold, with its `not`? */
static enum answer cgroup_term(const struct stage *s, const struct policy_rule *rule,
			       const struct policy_term *term)
{
	if (!is_given(s, term->attribute))
		return UNKNOWN;
	for (size_t w = 0; w < term->count; w++) {
		if (cgroup_word_matches(s, rule, term, term->words[w].text))
			return term->negated ? NO : YES;
	}
	return term->negated ? YES : NO;
}

/*
 * The three attributes are one dimension of the tables, known or not; here some may be known. One
 * that does not hold decides; else one that is not known leaves it open.
 */
static enum answer cgroup_terms(const struct stage *s, const struct policy_rule *rule)
{
	enum answer all = YES;

	for (size_t t = 0; t < rule->term_count; t++) {
		if (policy_dimension(rule->terms[t].attribute) != FL_DIM_CGROUP)
			continue;
		switch (cgroup_term(s, rule, &rule->terms[t])) {
		case NO:
			return NO;
		case UNKNOWN:
			all = UNKNOWN;
			break;
		case YES:
			break;
		}
	}
	return all;
}

/* --- the rules --- */

static bool has_number(enum policy_attribute attribute)
{
	switch (attribute) {
	case POLICY_EXE:
	case POLICY_PARENT:
	case POLICY_USER:
	case POLICY_GROUP:
	case POLICY_NETNS:
	case POLICY_INTERFACE:
		return false;
	default:
		return true;
	}
}

static int term_make(struct stage *s, const struct policy_term *from, struct term *term)
{
	*term = (struct term){ .dimension = policy_dimension(from->attribute),
			       .negated = from->negated,
			       .values = calloc(from->count, sizeof(*term->values)) };
	if (!term->values)
		return -ENOMEM;
	term->count = from->count;
	for (size_t w = 0; w < from->count; w++) {
		struct term_value *v = &term->values[w];
		int r = 0;

		*v = from->words[w].value;
		if (term->dimension == FL_DIM_CGROUP)
			v->id[0] = CGROUP_MEANT;
		else if (!has_number(from->attribute) && is_given(s, from->attribute))
			r = word_number(s, from->attribute, from->words[w].text, &v->id[0]);
		if (r)
			return r;
	}
	/* what cgroup_terms() said of all of them is the attempt's: see rule_matches() */
	if (term->dimension == FL_DIM_CGROUP)
		term->negated = false;
	return 0;
}

static int rule_make(struct stage *s, const struct policy_rule *rule, struct plain_rule *plain)
{
	int r = 0;

	*plain = (struct plain_rule){ .hooks = rule->hooks,
				      .tcp = rule->tcp,
				      .udp = rule->udp,
				      .verdict = rule->verdict,
				      .flags = rule->flags,
				      .terms = calloc(rule->term_count + 1, sizeof(struct term)) };
	if (!plain->terms)
		return -ENOMEM;
	for (size_t t = 0; !r && t < rule->term_count; t++) {
		r = term_make(s, &rule->terms[t], &plain->terms[t]);
		plain->term_count++;
	}
	return r;
}

static void rule_release(struct plain_rule *plain)
{
	for (size_t t = 0; t < plain->term_count; t++)
		free(plain->terms[t].values);
	free(plain->terms);
}

static int rule_matches(struct stage *s, const struct policy_rule *rule, bool *ret_matches)
{
	_cleanup_(rule_release) struct plain_rule plain = { 0 };
	struct fl_attempt attempt = s->attempt;
	int r = rule_make(s, rule, &plain);

	if (r)
		return r;
	switch (cgroup_terms(s, rule)) {
	case NO:
		attempt.cgroup_id = 0;
		attempt.known |= 1u << FL_DIM_CGROUP;
		break;
	case YES:
		attempt.known |= 1u << FL_DIM_CGROUP;
		break;
	case UNKNOWN:
		break;
	}
	*ret_matches = plain_rule_matches(&plain, &attempt);
	return 0;
}

static bool is_asked(const struct stage *s, const struct policy_rule *rule)
{
	return rule->hooks >> s->words->hook & 1 && (s->words->udp ? rule->udp : rule->tcp);
}

static __u32 not_given(const struct stage *s, const struct policy_rule *rule)
{
	__u32 unknown = 0;

	for (size_t t = 0; t < rule->term_count; t++) {
		if (!is_given(s, rule->terms[t].attribute))
			unknown |= 1u << rule->terms[t].attribute;
	}
	return unknown;
}

static bool names_netns(const struct policy_rule *rule)
{
	for (size_t t = 0; t < rule->term_count; t++) {
		if (rule->terms[t].attribute == POLICY_NETNS)
			return true;
	}
	return false;
}

/* Until one that is enforced matches. */
static int ask_rule(struct stage *s, const struct policy_rule *rule, struct rehearsed *out)
{
	bool matches = false;
	int r;

	if (!is_asked(s, rule))
		return 0;
	r = rule_matches(s, rule, &matches);
	out->unknown |= not_given(s, rule);
	if (r || !matches)
		return r;
	if (!out->first)
		out->first = rule;
	if (rule->enforced)
		out->rule = rule;
	else if (!out->audited)
		out->audited = rule;
	return 0;
}

static int ask_rules(struct stage *s, const struct policy *policy, struct rehearsed *out)
{
	int r = 0;

	/* those that name a namespace come first, as compile() sorts them */
	for (int first = 1; first >= 0; first--) {
		for (size_t i = 0; !r && !out->rule && i < policy->rule_count; i++) {
			if (names_netns(&policy->rules[i]) == first)
				r = ask_rule(s, &policy->rules[i], out);
		}
	}
	return r;
}

static void conclude(const struct policy *policy, enum fl_hook hook, struct rehearsed *out)
{
	const struct plain_default *d = &policy->defaults[hook];

	out->strict = fl_verdict_of(out->first ? out->first->verdict : d->verdict);
	if (out->rule)
		out->verdict = fl_verdict_of(out->rule->verdict);
	else
		out->verdict = d->enforced ? fl_verdict_of(d->verdict) : FL_PROCEED_SOFT;
}

int rehearse(const struct policy *policy, const struct rehearsal *attempt,
	     struct rehearsed *ret_rehearsed, struct policy_error *error)
{
	struct stage s = { .words = attempt, .error = error };
	struct rehearsed out = { 0 };
	int r = attempt_make(&s);

	if (!r)
		r = ask_rules(&s, policy, &out);
	for (size_t i = 0; i < POLICY_ATTRIBUTES; i++)
		free(s.names[i]);
	if (r == -ENOMEM)
		*error = (struct policy_error){ .why = "out of memory" };
	if (r)
		return r;
	conclude(policy, attempt->hook, &out);
	*ret_rehearsed = out;
	return 0;
}

/* --- what both sides see --- */

static struct rehearsed_effect permitted(enum fl_hook hook, bool udp)
{
	switch (hook) {
	case FL_HOOK_BIND:
		return (struct rehearsed_effect){ "bind() succeeds", "nothing", NULL, NULL };
	case FL_HOOK_LISTEN:
		return (struct rehearsed_effect){ "listen() succeeds", "can connect", NULL, NULL };
	case FL_HOOK_CONNECT:
	case FL_HOOK_CONNECT_AUTHORIZATION:
		return (struct rehearsed_effect){ udp ? "datagrams are sent" : "connect() goes on",
						  udp ? "gets them" : "is connected to", NULL,
						  NULL };
	case FL_HOOK_RECV_ACCEPT:
		return (struct rehearsed_effect){ udp ? "gets the datagram"
						      : "accept() returns the connection",
						  udp ? "nothing" : "is connected", NULL, NULL };
	case FL_HOOKS:
		break;
	}
	return (struct rehearsed_effect){ "nothing", "nothing", NULL, NULL };
}

static struct rehearsed_effect lifted(enum fl_hook hook, bool udp)
{
	struct rehearsed_effect e = permitted(hook, udp);

	e.otherwise = "also where a program of a cgroup below has denied it; not loaded before "
		      "Linux 5.18";
	return e;
}

struct rehearsed_effect rehearse_redirect(enum fl_hook hook, bool udp)
{
	if (hook == FL_HOOK_BIND)
		return (struct rehearsed_effect){ "bind() succeeds, for another address", "nothing",
						  NULL, NULL };
	return (struct rehearsed_effect){
		udp ? "datagrams are sent elsewhere, answers are shown as from the peer"
		    : "connect() goes elsewhere, getpeername() shows the peer",
		"gets no packet", NULL, "not of who listens there: that goes straight"
	};
}

struct rehearsed_effect rehearse_effect(enum fl_hook hook, bool udp, enum fl_verdict verdict,
					bool lifts)
{
	static const char before[] = "EPERM before Linux 5.18";

	if (verdict != FL_REJECT)
		return lifts ? lifted(hook, udp) : permitted(hook, udp);
	switch (hook) {
	case FL_HOOK_BIND:
		return (struct rehearsed_effect){ "bind() fails", "nothing", "EACCES", before };
	case FL_HOOK_LISTEN:
		return (struct rehearsed_effect){
			"listen() fails", "is refused (ECONNREFUSED)", "EACCES",
			"asynchronous on kernels without fmod_ret and LSM: listen() succeeds, then "
			"accept() fails with EINVAL"
		};
	case FL_HOOK_CONNECT:
		return (struct rehearsed_effect){ udp ? "connect(), sendto() and sendmsg() fail"
						      : "connect() fails",
						  "gets no packet", "EACCES", before };
	case FL_HOOK_CONNECT_AUTHORIZATION:
		if (udp)
			return (struct rehearsed_effect){ "connect() succeeds, sending fails",
							  "gets no packet", "EPERM", NULL };
		return (struct rehearsed_effect){
			"connect() fails", "gets no packet", "EHOSTUNREACH",
			"the first in a network namespace, and any to an address of the machine "
			"itself: after some ticks of the kernel's timer, with ETIMEDOUT"
		};
	case FL_HOOK_RECV_ACCEPT:
		return (struct rehearsed_effect){ udp ? "does not get the datagram"
						      : "accept() does not return it",
						  udp ? "gets no answer"
						      : "gets no answer, until its connect() "
							"times out",
						  NULL, NULL };
	case FL_HOOKS:
		break;
	}
	return (struct rehearsed_effect){ "nothing", "nothing", NULL, NULL };
}

struct rehearsed_effect rehearse_outcome(const struct rehearsal *attempt,
					 const struct policy_rule *rule, enum fl_verdict verdict)
{
	if (rule && rule->flags & FL_RULE_REDIRECT)
		return rehearse_redirect(attempt->hook, attempt->udp);
	return rehearse_effect(attempt->hook, attempt->udp, verdict,
			       rule && rule->flags & FL_RULE_OVERRIDE);
}
