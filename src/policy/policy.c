/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The schema says which keys there are; from there on everything is words, read one rule at a time.
 * Each word's place is looked up by its path in the document ("rules.3.not.local.port.0").
 */
#include "policy/policy.h"

#include "text/address.h"
#include "text/distinct.h"
#include "host/names.h"
#include "text/yamlfile.h"
#include <flowner/link.h>

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 64
#define WORD_MAX_BYTES (PATH_MAX - 1)
#define PATH_TEXT 128 /* "rules.4294967295.not.interface_type.4294967295" */
#define SHOWN "'%.64s'"
#define V4_BITS 96 /* of a prefix, before those of an IPv4 address */

/* --- as libcyaml gives it --- */

struct raw_list {
	char **words;
	uint32_t words_count; /* libcyaml's name for it */
};

struct raw_terms {
	struct raw_list lists[POLICY_ATTRIBUTES];
};

struct raw_not {
	struct raw_terms is;
};

struct raw_limit {
	char *listeners, *per;
};

struct raw_rule {
	char *name, *verdict, *mode, *to, *allow_async, *allow_override;
	struct raw_limit *limit;
	struct raw_list hooks;
	struct raw_terms is;
	struct raw_not *negated;
};

struct raw_default {
	char *verdicts[FL_HOOKS];
};

struct raw {
	char *mode;
	struct raw_default defaults;
	struct raw_rule *rules;
	uint32_t rules_count;
};

#define WORD(type, key, member)                                                                    \
	CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, type, member, 1,     \
			       CYAML_UNLIMITED)
#define LIST(type, key, member)                                                                    \
	CYAML_FIELD_SEQUENCE(key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, type, member.words,    \
			     &word_schema, 1, CYAML_UNLIMITED)

static const cyaml_schema_value_t word_schema = {
	CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, CYAML_UNLIMITED),
};

static const cyaml_schema_field_t local_fields[] = {
	LIST(struct raw_terms, "addr", lists[POLICY_LOCAL_ADDR]),
	LIST(struct raw_terms, "port", lists[POLICY_LOCAL_PORT]),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t remote_fields[] = {
	LIST(struct raw_terms, "addr", lists[POLICY_REMOTE_ADDR]),
	LIST(struct raw_terms, "port", lists[POLICY_REMOTE_PORT]),
	CYAML_FIELD_END,
};

#define TERMS(type)                                                                                \
	LIST(type, "proto", is.lists[POLICY_PROTO]), LIST(type, "exe", is.lists[POLICY_EXE]),      \
		LIST(type, "parent", is.lists[POLICY_PARENT]),                                     \
		LIST(type, "user", is.lists[POLICY_USER]),                                         \
		LIST(type, "uid", is.lists[POLICY_UID]),                                           \
		LIST(type, "group", is.lists[POLICY_GROUP]),                                       \
		LIST(type, "cgroup", is.lists[POLICY_CGROUP]),                                     \
		LIST(type, "unit", is.lists[POLICY_UNIT]),                                         \
		LIST(type, "container", is.lists[POLICY_CONTAINER]),                               \
		LIST(type, "netns", is.lists[POLICY_NETNS]),                                       \
		LIST(type, "interface", is.lists[POLICY_INTERFACE]),                               \
		LIST(type, "interface_type", is.lists[POLICY_INTERFACE_TYPE]),                     \
		LIST(type, "tunnel_type", is.lists[POLICY_TUNNEL_TYPE]),                           \
		LIST(type, "port_in_use_by_other", is.lists[POLICY_PORT_IN_USE]),                  \
		CYAML_FIELD_MAPPING("local", CYAML_FLAG_OPTIONAL, type, is, local_fields),         \
		CYAML_FIELD_MAPPING("remote", CYAML_FLAG_OPTIONAL, type, is, remote_fields)

static const cyaml_schema_field_t not_fields[] = {
	TERMS(struct raw_not),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t limit_fields[] = {
	WORD(struct raw_limit, "listeners", listeners),
	WORD(struct raw_limit, "per", per),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t rule_fields[] = {
	WORD(struct raw_rule, "name", name),
	LIST(struct raw_rule, "hooks", hooks),
	WORD(struct raw_rule, "verdict", verdict),
	WORD(struct raw_rule, "to", to),
	WORD(struct raw_rule, "mode", mode),
	WORD(struct raw_rule, "allow_async", allow_async),
	WORD(struct raw_rule, "allow_override", allow_override),
	TERMS(struct raw_rule),
	CYAML_FIELD_MAPPING_PTR("not", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct raw_rule,
				negated, not_fields),
	CYAML_FIELD_MAPPING_PTR("limit", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct raw_rule,
				limit, limit_fields),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t rule_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_rule, rule_fields),
};

static const cyaml_schema_field_t default_fields[] = {
	WORD(struct raw_default, "bind", verdicts[FL_HOOK_BIND]),
	WORD(struct raw_default, "listen", verdicts[FL_HOOK_LISTEN]),
	WORD(struct raw_default, "connect", verdicts[FL_HOOK_CONNECT]),
	WORD(struct raw_default, "connect_authorization", verdicts[FL_HOOK_CONNECT_AUTHORIZATION]),
	WORD(struct raw_default, "recv_accept", verdicts[FL_HOOK_RECV_ACCEPT]),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t fields[] = {
	WORD(struct raw, "mode", mode),
	CYAML_FIELD_MAPPING("default", CYAML_FLAG_OPTIONAL, struct raw, defaults, default_fields),
	CYAML_FIELD_SEQUENCE("rules", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct raw, rules,
			     &rule_schema, 1, CYAML_UNLIMITED),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct raw, fields),
};

/* --- one text being read --- */

struct source {
	const struct policy_text *text;
	const char *file; /* the policy's copy of its name */
	struct raw *raw;  /* NULL: nothing in it */
	struct yamlfile_places *places;
	bool has_mode, enforced; /* of its own, when it was added */
};

struct reader {
	struct policy *policy;
	struct source *sources;
	size_t source_count;
	struct source *now;
	struct policy_place mode_place;
	struct distinct *names; /* of the rules before, in their order, filled up with NULs */
	struct policy_error *error;
};

static struct policy_place place_of(const struct reader *rd, const char *path)
{
	struct policy_place place = { .file = rd->now->file };

	/* without a line the sentence still holds */
	(void)yamlfile_place(rd->now->places, path, &place.line, &place.column);
	return place;
}

static int refuse(const struct reader *rd, const char *path, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int refuse(const struct reader *rd, const char *path, const char *format, ...)
{
	struct policy_error *error = rd->error;
	va_list args;

	error->place = place_of(rd, path);
	error->place.file = rd->now->text->name;
	va_start(args, format);
	vsnprintf(error->why, sizeof(error->why), format, args);
	va_end(args);
	/* words of the file are in there: the line must stay one line */
	for (char *c = error->why; *c; c++)
		if (iscntrl((unsigned char)*c))
			*c = '?';
	return -EINVAL;
}

/* PATH of what is below `rules.INDEX`. */
struct path {
	char text[PATH_TEXT];
};

static struct path below(size_t rule, const char *key)
{
	struct path p;

	snprintf(p.text, sizeof(p.text), "rules.%zu%s%s", rule, *key ? "." : "", key);
	return p;
}

static struct path item(const char *list, size_t i)
{
	struct path p;

	snprintf(p.text, sizeof(p.text), "%.96s.%zu", list, i);
	return p;
}

static struct path term_path(size_t rule, bool negated, enum policy_attribute attribute)
{
	struct path p;

	snprintf(p.text, sizeof(p.text), "rules.%zu.%s%s", rule, negated ? "not." : "",
		 policy_attribute_text(attribute));
	return p;
}

/* --- words --- */

static int read_mode(const struct reader *rd, const char *path, const char *text,
		     bool *ret_enforced)
{
	if (strcmp(text, "audit") != 0 && strcmp(text, "enforce") != 0)
		return refuse(rd, path, SHOWN " is neither audit nor enforce", text);
	*ret_enforced = *text == 'e';
	return 0;
}

static int read_bool(const struct reader *rd, const char *path, const char *text, bool *ret_value)
{
	if (policy_bool_parse(text, ret_value))
		return refuse(rd, path, SHOWN " is neither true nor false", text);
	return 0;
}

static int read_verdict(const struct reader *rd, const char *path, const char *text,
			__u32 *ret_verdict)
{
	if (policy_verdict_parse(text, ret_verdict) == 0)
		return 0;
	return refuse(rd, path,
		      SHOWN " is not a verdict: reject (deny), proceed_soft (allow), proceed_hard "
			    "(allow_hard), redirect",
		      text);
}

/* Digits from 0 to MAX, no leading zero, up to what stands in END. */
static int read_number(const char *text, const char *end, __u64 max, __u64 *ret_number)
{
	__u64 number = 0;

	if (text == end || (*text == '0' && end - text > 1))
		return -EINVAL;
	for (; text < end; text++) {
		if (!isdigit((unsigned char)*text))
			return -EINVAL;
		number = number * 10 + (__u64)(*text - '0');
		if (number > max)
			return -ERANGE;
	}
	*ret_number = number;
	return 0;
}

static int read_uid(const struct reader *rd, const char *path, struct policy_word *word)
{
	const char *text = word->text;

	/* the last one is no user: it is what says "no change" */
	if (read_number(text, text + strlen(text), 0xfffffffe, &word->value.id[0]))
		return refuse(rd, path, SHOWN " is not a user's number; for a name there is 'user'",
			      text);
	return 0;
}

static int read_address(const struct reader *rd, const char *path, struct policy_word *word)
{
	const char *text = word->text;
	char host[ADDRESS_TEXT], meant[ADDRESS_TEXT];
	size_t len = strcspn(text, "/");
	struct endpoint ep;
	struct fl_addr full;

	if (strchr(text, '[') || len >= sizeof(host) || endpoint_parse(text, &ep) || !ep.has_addr ||
	    ep.has_port)
		return refuse(rd, path, SHOWN " is not an address or a prefix", text);
	memcpy(host, text, len);
	host[len] = '\0';
	if (address_parse(host, &full))
		return refuse(rd, path, SHOWN " is not an address or a prefix", text);
	if (memcmp(&full, &ep.addr, sizeof(full)) != 0)
		return refuse(rd, path,
			      SHOWN " has bits set behind its prefix: the network is %s%s", text,
			      address_format(&ep.addr, meant), text + len);
	word->value.addr = ep.addr;
	word->value.bits = ep.prefix;
	return 0;
}

static int read_ports(const struct reader *rd, const char *path, struct policy_word *word)
{
	const char *text = word->text, *end = text + strlen(text), *dash = strchr(text, '-');
	__u64 first, last;

	if (read_number(text, dash ? dash : end, 65535, &first) ||
	    read_number(dash ? dash + 1 : text, end, 65535, &last))
		return refuse(rd, path, SHOWN " is not a port or a range such as 8000-8100", text);
	if (dash && first == 0)
		return refuse(rd, path,
			      SHOWN ": port 0 is one that the kernel is still to choose, it begins "
				    "no range",
			      text);
	if (last < first)
		return refuse(rd, path, SHOWN " is a range that ends before it begins", text);
	word->value.first = (__u16)first;
	word->value.last = (__u16)last;
	return 0;
}

static int read_path(const struct reader *rd, const char *path, const struct policy_word *word)
{
	if (*word->text != '/')
		return refuse(rd, path, SHOWN " is not an absolute path", word->text);
	return 0;
}

static int read_unit(const struct reader *rd, const char *path, const struct policy_word *word)
{
	char unit[UNIT_MAX];

	if (!strchr(word->text, '/') && cgroup_path_unit(word->text, unit) == 0 &&
	    strcmp(unit, word->text) == 0)
		return 0;
	return refuse(rd, path, SHOWN " is not a unit's whole name, such as nginx.service",
		      word->text);
}

/* It stands for itself: whichever interface is called so when somebody asks. */
static int read_interface(const struct reader *rd, const char *path, struct policy_word *word)
{
	union fl_link_text name = { "" };
	size_t len = strlen(word->text);

	if (len >= sizeof(name.text) || strchr(word->text, '/'))
		return refuse(rd, path, SHOWN " cannot be the name of an interface", word->text);
	memcpy(name.text, word->text, len);
	word->value.id[0] = fl_link_name(name.words[0], name.words[1]);
	return 0;
}

static int read_type(const struct reader *rd, const char *path, struct policy_word *word,
		     int (*parse)(const char *text, __u32 *ret_type))
{
	__u32 type;

	if (parse(word->text, &type))
		return refuse(rd, path, SHOWN " is neither a type nor IANA's number of one",
			      word->text);
	word->value.id[0] = type;
	return 0;
}

static int read_yes_or_no(const struct reader *rd, const char *path, struct policy_word *word)
{
	bool yes = false;
	int r = read_bool(rd, path, word->text, &yes);

	word->value.id[0] = yes;
	return r;
}

/* What can be said of WORD without looking at the machine. */
static int read_word(const struct reader *rd, enum policy_attribute attribute, const char *path,
		     struct policy_word *word)
{
	if (strlen(word->text) > WORD_MAX_BYTES)
		return refuse(rd, path, "longer than %u bytes", WORD_MAX_BYTES);
	switch (attribute) {
	case POLICY_EXE:
	case POLICY_PARENT:
	case POLICY_CGROUP:
		return read_path(rd, path, word);
	case POLICY_UID:
		return read_uid(rd, path, word);
	case POLICY_UNIT:
		return read_unit(rd, path, word);
	case POLICY_INTERFACE:
		return read_interface(rd, path, word);
	case POLICY_INTERFACE_TYPE:
		return read_type(rd, path, word, policy_interface_type_parse);
	case POLICY_TUNNEL_TYPE:
		return read_type(rd, path, word, policy_tunnel_type_parse);
	case POLICY_LOCAL_ADDR:
	case POLICY_REMOTE_ADDR:
		return read_address(rd, path, word);
	case POLICY_LOCAL_PORT:
	case POLICY_REMOTE_PORT:
		return read_ports(rd, path, word);
	case POLICY_PORT_IN_USE:
		return read_yes_or_no(rd, path, word);
	case POLICY_PROTO:
	case POLICY_USER:
	case POLICY_GROUP:
	case POLICY_CONTAINER:
	case POLICY_NETNS:
	case POLICY_LIMIT: /* see read_limit() */
	case POLICY_LIMIT_USER:
	case POLICY_LIMIT_CGROUP:
	case POLICY_LIMIT_EXE:
	case POLICY_ATTRIBUTES:
		break;
	}
	return 0;
}

/* --- rules --- */

static int read_proto(const struct reader *rd, size_t index, bool negated,
		      const struct raw_list *list, struct policy_rule *rule)
{
	struct path path = term_path(index, negated, POLICY_PROTO);
	bool tcp = false, udp = false;

	for (size_t i = 0; i < list->words_count; i++) {
		if (strcmp(list->words[i], "tcp") == 0)
			tcp = true;
		else if (strcmp(list->words[i], "udp") == 0)
			udp = true;
		else
			return refuse(rd, item(path.text, i).text, SHOWN " is neither tcp nor udp",
				      list->words[i]);
	}
	rule->tcp = rule->tcp && tcp != negated;
	rule->udp = rule->udp && udp != negated;
	if (!rule->tcp && !rule->udp)
		return refuse(rd, path.text, "no protocol is left for this rule");
	return 0;
}

static int read_term(const struct reader *rd, size_t index, struct policy_term *term,
		     const struct raw_list *list)
{
	struct path path = term_path(index, term->negated, term->attribute);

	term->words = calloc(list->words_count, sizeof(*term->words));
	if (!term->words)
		return -ENOMEM;
	for (size_t i = 0; i < list->words_count; i++) {
		struct policy_word *word = &term->words[i];
		struct path at = item(path.text, i);
		int r;

		word->text = strdup(list->words[i]);
		if (!word->text)
			return -ENOMEM;
		term->count++;
		word->place = place_of(rd, at.text);
		r = read_word(rd, term->attribute, at.text, word);
		if (r)
			return r;
	}
	return 0;
}

/* `local: {}` and `not: {}` are in no list, but somebody meant something by them. */
static int refuse_empty(const struct reader *rd, size_t index, bool negated,
			const struct raw_terms *raw)
{
	static const struct {
		const char *key;
		enum policy_attribute addr, port;
	} ends[] = {
		{ "local", POLICY_LOCAL_ADDR, POLICY_LOCAL_PORT },
		{ "remote", POLICY_REMOTE_ADDR, POLICY_REMOTE_PORT },
	};

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		struct path path;
		size_t line, column;

		if (raw->lists[ends[i].addr].words_count || raw->lists[ends[i].port].words_count)
			continue;
		snprintf(path.text, sizeof(path.text), "rules.%zu.%s%s", index,
			 negated ? "not." : "", ends[i].key);
		if (yamlfile_place(rd->now->places, path.text, &line, &column) == 0)
			return refuse(rd, path.text, "neither addr nor port: this says nothing");
	}
	return 0;
}

static int read_terms(const struct reader *rd, size_t index, bool negated,
		      const struct raw_terms *raw, struct policy_rule *rule)
{
	for (enum policy_attribute a = 0; a < POLICY_ATTRIBUTES; a++) {
		const struct raw_list *list = &raw->lists[a];
		struct policy_term *term = &rule->terms[rule->term_count];
		int r;

		if (!list->words_count)
			continue;
		if (a == POLICY_PROTO) {
			r = read_proto(rd, index, negated, list, rule);
		} else {
			*term = (struct policy_term){ .attribute = a, .negated = negated };
			rule->term_count++;
			r = read_term(rd, index, term, list);
		}
		if (r)
			return r;
	}
	return refuse_empty(rd, index, negated, raw);
}

static bool says_something(const struct raw_terms *raw)
{
	for (enum policy_attribute a = 0; a < POLICY_ATTRIBUTES; a++) {
		if (raw->lists[a].words_count)
			return true;
	}
	return false;
}

static int read_all_terms(const struct reader *rd, size_t index, const struct raw_rule *raw,
			  struct policy_rule *rule)
{
	int r;

	rule->tcp = rule->udp = true;
	rule->terms = calloc(2 * (size_t)POLICY_ATTRIBUTES, sizeof(*rule->terms));
	if (!rule->terms)
		return -ENOMEM;
	r = read_terms(rd, index, false, &raw->is, rule);
	if (r || !raw->negated)
		return r;
	r = read_terms(rd, index, true, &raw->negated->is, rule);
	if (!r && !says_something(&raw->negated->is))
		return refuse(rd, below(index, "not").text, "an empty 'not' says nothing");
	return r;
}

/* It is a term: so many listeners, or more. */
static int add_limit(const struct reader *rd, const char *path, const char *text, __u16 listeners,
		     enum fl_per per, struct policy_rule *rule)
{
	struct policy_term *term = &rule->terms[rule->term_count];
	struct policy_word *word = calloc(1, sizeof(*word));

	if (!word)
		return -ENOMEM;
	*term = (struct policy_term){ POLICY_LIMIT + per, false, 1, word };
	rule->term_count++;
	word->text = strdup(text);
	word->place = place_of(rd, path);
	word->value = (struct term_value){ .first = listeners, .last = UINT16_MAX };
	return word->text ? 0 : -ENOMEM;
}

static int read_limit(const struct reader *rd, size_t index, const struct raw_limit *raw,
		      struct policy_rule *rule)
{
	struct path limit = below(index, "limit"), listeners = below(index, "limit.listeners"),
		    of = below(index, "limit.per");
	const char *text = raw->listeners;
	enum fl_per per;
	__u64 number;

	if (!text || !raw->per)
		return refuse(rd, limit.text,
			      "a limit needs both: {listeners: NUMBER, per: process}");
	if (read_number(text, text + strlen(text), FL_LISTENERS_MAX, &number) || !number)
		return refuse(rd, listeners.text, SHOWN " is not a number from 1 to %d", text,
			      FL_LISTENERS_MAX);
	if (policy_per_parse(raw->per, &per))
		return refuse(rd, of.text, SHOWN " is none of process, user, cgroup, exe",
			      raw->per);
	if (rule->hooks != 1u << FL_HOOK_LISTEN)
		return refuse(rd, limit.text, "'limit' goes with the hook listen, and no other");
	return add_limit(rd, listeners.text, text, (__u16)number, per, rule);
}

static int read_name(const struct reader *rd, size_t index, const char *name,
		     struct policy_rule *rule)
{
	char padded[NAME_MAX_BYTES] = "";
	__u32 number;

	if (!name)
		return refuse(rd, below(index, "").text, "a rule without a name");
	if (strlen(name) > NAME_MAX_BYTES)
		return refuse(rd, below(index, "name").text, "a name longer than %u bytes",
			      NAME_MAX_BYTES);
	for (const char *c = name; *c; c++) {
		if (iscntrl((unsigned char)*c))
			return refuse(rd, below(index, "name").text,
				      "a name with a control character");
	}
	memcpy(padded, name, strlen(name));
	if (distinct_put(rd->names, padded, &number) < 0)
		return -ENOMEM;
	if (number + 1 < rd->policy->rule_count) /* as many names as rules before this one */
		return refuse(rd, below(index, "name").text,
			      "the name " SHOWN " is already that of the rule in %s:%zu", name,
			      rd->policy->rules[number].place.file,
			      rd->policy->rules[number].place.line);
	rule->name = strdup(name);
	return rule->name ? 0 : -ENOMEM;
}

static int read_hooks(const struct reader *rd, size_t index, const struct raw_list *list,
		      struct policy_rule *rule)
{
	struct path path = below(index, "hooks");

	if (!list->words_count)
		return refuse(rd, below(index, "").text, "a rule without hooks");
	for (size_t i = 0; i < list->words_count; i++) {
		enum fl_hook hook;

		if (policy_hook_parse(list->words[i], &hook))
			return refuse(rd, item(path.text, i).text,
				      SHOWN " is not a hook: bind, listen, connect, "
					    "connect_authorization, recv_accept",
				      list->words[i]);
		if (rule->hooks >> hook & 1)
			return refuse(rd, item(path.text, i).text, SHOWN " is given twice",
				      list->words[i]);
		rule->hooks |= 1u << hook;
	}
	return 0;
}

static bool prefix_has(const struct term_value *prefix, bool v4)
{
	const struct fl_addr any_v4 = { .b = { [10] = 0xff, [11] = 0xff } };
	struct endpoint ep = { .addr = prefix->addr, .prefix = prefix->bits, .has_addr = true };
	bool inside = prefix->bits >= V4_BITS && address_is_v4(&prefix->addr);

	if (!v4)
		return !inside;
	return inside || endpoint_matches(&ep, &any_v4, 0);
}

/* Some address that RULE is for can be redirected: of the end that ATTRIBUTE is of. */
static bool has_family(const struct policy_rule *rule, enum policy_attribute attribute, bool v4)
{
	for (size_t i = 0; i < rule->term_count; i++) {
		const struct policy_term *t = &rule->terms[i];
		bool has = t->attribute != attribute || t->negated;

		for (size_t w = 0; !has && w < t->count; w++)
			has = prefix_has(&t->words[w].value, v4);
		if (!has)
			return false;
	}
	return true;
}

/* What goes to an address of IPv4 was for one of IPv4, and so of IPv6: the rule is for no other. */
static int add_family(const struct reader *rd, const char *path, enum policy_attribute attribute,
		      struct policy_rule *rule)
{
	struct policy_term *term = &rule->terms[rule->term_count];
	bool v4 = address_is_v4(&rule->to.addr);
	struct policy_word *word = calloc(1, sizeof(*word));

	if (!word)
		return -ENOMEM;
	*term = (struct policy_term){ attribute, !v4, 1, word };
	rule->term_count++;
	word->text = strdup("0.0.0.0/0");
	word->place = place_of(rd, path);
	word->value = (struct term_value){ .addr = { .b = { [10] = 0xff, [11] = 0xff } },
					   .bits = V4_BITS };
	return word->text ? 0 : -ENOMEM;
}

static bool is_link_local(const struct fl_addr *addr)
{
	return addr->b[0] == 0xfe && (addr->b[1] & 0xc0) == 0x80;
}

static int read_target(const struct reader *rd, const char *path, const char *text,
		       struct policy_rule *rule)
{
	bool binds = rule->hooks >> FL_HOOK_BIND & 1;
	struct endpoint ep;

	if (endpoint_parse(text, &ep) || (ep.has_addr && ep.prefix != 128) ||
	    (!ep.has_addr && !ep.has_port))
		return refuse(rd, path, SHOWN " is not ADDR:PORT, ADDR or :PORT", text);
	if (ep.has_addr && !binds && address_is_any(&ep.addr))
		return refuse(rd, path, SHOWN " is no address that somebody has", text);
	if (ep.has_addr && is_link_local(&ep.addr))
		return refuse(rd, path, SHOWN " is another address on every interface", text);
	rule->to = (struct fl_target){ .addr = ep.addr,
				       .port = ep.port,
				       .parts = (__u16)((ep.has_addr ? FL_TARGET_ADDR : 0) |
							(ep.has_port ? FL_TARGET_PORT : 0)) };
	return 0;
}

static int read_redirect(const struct reader *rd, size_t index, const struct raw_rule *raw,
			 struct policy_rule *rule)
{
	struct path to = below(index, "to"), verdict = below(index, "verdict");
	bool binds = rule->hooks == 1u << FL_HOOK_BIND;
	enum policy_attribute end = binds ? POLICY_LOCAL_ADDR : POLICY_REMOTE_ADDR;
	int r;

	if (!raw->to)
		return refuse(rd, verdict.text, "redirect needs 'to: ADDR:PORT'");
	if (!binds && rule->hooks != 1u << FL_HOOK_CONNECT)
		return refuse(rd, verdict.text,
			      "redirect is possible at connect or at bind, one of them in a rule");
	r = read_target(rd, to.text, raw->to, rule);
	if (r)
		return r;
	rule->verdict = FL_PROCEED_SOFT;
	rule->flags |= FL_RULE_REDIRECT;
	if (!(rule->to.parts & FL_TARGET_ADDR))
		return 0;
	if (!has_family(rule, end, address_is_v4(&rule->to.addr)))
		return refuse(rd, to.text,
			      "no address of %s is of the family of " SHOWN
			      ": IPv4 is redirected to IPv4, IPv6 to IPv6",
			      policy_attribute_text(end), raw->to);
	return add_family(rd, to.text, end, rule);
}

static int read_outcome(const struct reader *rd, size_t index, const struct raw_rule *raw,
			struct policy_rule *rule)
{
	struct path to = below(index, "to"), verdict = below(index, "verdict");

	if (!raw->verdict)
		return refuse(rd, below(index, "").text, "a rule without a verdict");
	if (strcmp(raw->verdict, "redirect") == 0)
		return read_redirect(rd, index, raw, rule);
	if (raw->to)
		return refuse(rd, to.text, "'to' goes with the verdict redirect only");
	return read_verdict(rd, verdict.text, raw->verdict, &rule->verdict);
}

static int read_allowances(const struct reader *rd, size_t index, const struct raw_rule *raw,
			   struct policy_rule *rule)
{
	struct path async = below(index, "allow_async"), override = below(index, "allow_override");
	const __u32 hooks = 1u << FL_HOOK_BIND | 1u << FL_HOOK_CONNECT;
	bool lifts = false;
	int r = 0;

	if (raw->allow_async)
		r = read_bool(rd, async.text, raw->allow_async, &rule->allow_async);
	if (!r && raw->allow_override)
		r = read_bool(rd, override.text, raw->allow_override, &lifts);
	if (r)
		return r;
	if (rule->allow_async && rule->verdict != FL_REJECT)
		return refuse(rd, async.text, "'allow_async' goes with the verdict reject only");
	if (lifts && rule->verdict != FL_PROCEED_HARD)
		return refuse(rd, override.text,
			      "'allow_override' goes with the verdict proceed_hard only");
	if (lifts && rule->hooks & ~hooks)
		return refuse(
			rd, override.text,
			"'allow_override' goes with the hooks bind and connect only: elsewhere "
			"nothing that others deny can be lifted");
	if (lifts)
		rule->flags |= FL_RULE_OVERRIDE;
	return 0;
}

/* --- what a hook cannot know --- */

static int refuse_port_0(const struct reader *rd, const struct policy_rule *rule,
			 const struct policy_term *term, const char *path)
{
	const __u32 chosen = (1u << FL_HOOK_CONNECT_AUTHORIZATION) | (1u << FL_HOOK_RECV_ACCEPT);

	for (size_t i = 0; i < term->count; i++) {
		if (term->words[i].value.first != 0)
			continue;
		if (term->attribute == POLICY_REMOTE_PORT)
			return refuse(rd, item(path, i).text, "nobody is reached at port 0");
		if (rule->hooks & chosen)
			return refuse(rd, item(path, i).text,
				      "port 0 is one that the kernel is still to choose: there is "
				      "one at bind and listen only");
	}
	return 0;
}

static int check_term(const struct reader *rd, size_t index, const struct policy_rule *rule,
		      const struct policy_term *term)
{
	struct path path = term_path(index, term->negated, term->attribute);

	for (enum fl_hook hook = 0; hook < FL_HOOKS; hook++) {
		if (rule->hooks >> hook & 1 && !policy_hook_has(hook, term->attribute))
			return refuse(rd, path.text, "'%s' is not known yet at %s%s",
				      policy_attribute_text(term->attribute),
				      policy_hook_text(hook),
				      hook == FL_HOOK_CONNECT
					      ? ": connect_authorization comes after routing"
					      : "");
	}
	if (term->attribute == POLICY_LOCAL_PORT || term->attribute == POLICY_REMOTE_PORT)
		return refuse_port_0(rd, rule, term, path.text);
	return 0;
}

static bool names(const struct policy_rule *rule, enum policy_attribute attribute)
{
	for (size_t i = 0; i < rule->term_count; i++) {
		if (rule->terms[i].attribute == attribute)
			return true;
	}
	return false;
}

/* A rule's interface is a name, and that means something in one namespace only. */
static int check_interface(const struct reader *rd, size_t index, const struct policy_rule *rule)
{
	if (!names(rule, POLICY_INTERFACE))
		return 0;
	for (size_t i = 0; i < rule->term_count; i++) {
		const struct policy_term *t = &rule->terms[i];

		if (t->attribute == POLICY_NETNS && (t->negated || t->count != 1))
			return refuse(rd, term_path(index, t->negated, POLICY_NETNS).text,
				      "an interface is one of one network namespace: a rule with "
				      "'interface' can name one 'netns' only");
	}
	return 0;
}

static int check_rule(const struct reader *rd, size_t index, const struct policy_rule *rule)
{
	int r = check_interface(rd, index, rule);

	if (rule->hooks >> FL_HOOK_LISTEN & 1 && !rule->tcp)
		return refuse(rd, below(index, "hooks").text, "only TCP listens");
	for (size_t i = 0; !r && i < rule->term_count; i++)
		r = check_term(rd, index, rule, &rule->terms[i]);
	return r;
}

static int read_rule(const struct reader *rd, size_t index, const struct raw_rule *raw,
		     struct policy_rule *rule)
{
	int r = read_name(rd, index, raw->name, rule);

	rule->place = place_of(rd, below(index, "").text);
	rule->text = (size_t)(rd->now - rd->sources);
	rule->enforced = rd->now->has_mode ? rd->now->enforced : rd->policy->enforced;
	if (!r)
		r = read_hooks(rd, index, &raw->hooks, rule);
	if (!r)
		r = read_all_terms(rd, index, raw, rule);
	if (!r && raw->limit)
		r = read_limit(rd, index, raw->limit, rule);
	if (!r)
		r = read_outcome(rd, index, raw, rule);
	if (!r && raw->mode)
		r = read_mode(rd, below(index, "mode").text, raw->mode, &rule->enforced);
	if (!r)
		r = read_allowances(rd, index, raw, rule);
	if (!r)
		r = check_rule(rd, index, rule);
	rd->policy->hooks |= rule->hooks;
	return r;
}

/* NAMES have a newline behind each. */
static bool is_among(const char *names, const char *name)
{
	size_t size = strlen(name);

	while (names && *names) {
		size_t length = strcspn(names, "\n");

		if (length == size && memcmp(names, name, size) == 0)
			return true;
		names += length + (names[length] == '\n');
	}
	return false;
}

static int read_rules(struct reader *rd)
{
	struct policy *policy = rd->policy;
	const struct raw *raw = rd->now->raw;
	int r = 0;

	for (size_t i = 0; !r && i < raw->rules_count; i++) {
		if (raw->rules[i].name && is_among(rd->now->text->gone, raw->rules[i].name))
			continue;
		if (policy->rule_count == FL_RULES_MAX) {
			refuse(rd, below(i, "").text, "more than %u rules", FL_RULES_MAX);
			return -E2BIG;
		}
		policy->rule_count++;
		r = read_rule(rd, i, &raw->rules[i], &policy->rules[policy->rule_count - 1]);
	}
	return r;
}

/* --- what the files say together --- */

static int read_policy_mode(struct reader *rd)
{
	const char *mode = rd->now->raw->mode;
	bool enforced = false;
	int r;

	if (!mode)
		return 0;
	r = read_mode(rd, "mode", mode, &enforced);
	if (r)
		return r;
	if (rd->now->text->added) {
		rd->now->has_mode = true;
		rd->now->enforced = enforced;
		return 0;
	}
	if (rd->mode_place.line && enforced != rd->policy->enforced)
		return refuse(rd, "mode", "the mode is %s in %s:%zu, and cannot be both",
			      enforced ? "audit" : "enforce", rd->mode_place.file,
			      rd->mode_place.line);
	rd->mode_place = place_of(rd, "mode");
	rd->policy->enforced = enforced;
	return 0;
}

static int read_default(struct reader *rd, enum fl_hook hook, const char *text)
{
	struct policy_place *place = &rd->policy->default_places[hook];
	struct plain_default *known = &rd->policy->defaults[hook];
	__u32 verdict = FL_PROCEED_SOFT;
	struct path path;
	int r;

	snprintf(path.text, sizeof(path.text), "default.%s", policy_hook_text(hook));
	if (rd->now->text->added)
		return refuse(rd, path.text, "rules are added to a policy, no default");
	if (strcmp(text, "redirect") == 0)
		return refuse(rd, path.text, "a default cannot redirect");
	r = read_verdict(rd, path.text, text, &verdict);
	if (r)
		return r;
	if (place->line && verdict != known->verdict)
		return refuse(rd, path.text,
			      "the default of %s is %s in %s:%zu, and cannot be both",
			      policy_hook_text(hook), policy_verdict_text(known->verdict),
			      place->file, place->line);
	*place = place_of(rd, path.text);
	known->verdict = verdict;
	rd->policy->hooks |= 1u << hook;
	return 0;
}

static int read_head(struct reader *rd)
{
	const struct raw *raw = rd->now->raw;
	int r = read_policy_mode(rd);

	for (enum fl_hook hook = 0; !r && hook < FL_HOOKS; hook++) {
		if (raw->defaults.verdicts[hook])
			r = read_default(rd, hook, raw->defaults.verdicts[hook]);
	}
	return r;
}

static int look_at(struct reader *rd, size_t i, int (*fn)(struct reader *rd))
{
	rd->now = &rd->sources[i];
	return rd->now->raw ? fn(rd) : 0;
}

/* What was added is there to be in force now, whatever is said elsewhere: it comes first. */
static int each_source(struct reader *rd, int (*fn)(struct reader *rd))
{
	int r = 0;

	for (size_t i = rd->source_count; !r && i-- > 0;) {
		if (rd->sources[i].text->added)
			r = look_at(rd, i, fn);
	}
	for (size_t i = 0; !r && i < rd->source_count; i++) {
		if (!rd->sources[i].text->added)
			r = look_at(rd, i, fn);
	}
	return r;
}

static int load_source(struct source *source, struct policy_error *error)
{
	const struct policy_text *text = source->text;
	struct yamlfile_error yaml;
	void *data = NULL;
	int r = yamlfile_load(text->text, text->size, &schema, &data, &yaml);

	if (r) {
		error->place = (struct policy_place){ text->name, yaml.line, yaml.column };
		snprintf(error->why, sizeof(error->why), "%s", yaml.why);
		return r;
	}
	source->raw = data;
	return data ? yamlfile_places_new(text->text, text->size, &source->places) : 0;
}

static int load_sources(struct reader *rd, const struct policy_text *texts)
{
	struct policy *policy = rd->policy;
	int r = 0;

	for (size_t i = 0; !r && i < rd->source_count; i++) {
		policy->files[i] = strdup(texts[i].name);
		if (!policy->files[i])
			return -ENOMEM;
		policy->file_count++;
		rd->sources[i].text = &texts[i];
		rd->sources[i].file = policy->files[i];
		r = load_source(&rd->sources[i], rd->error);
	}
	return r;
}

static int read_sources(struct reader *rd)
{
	struct policy *policy = rd->policy;
	size_t rules = 0;
	int r;

	for (size_t i = 0; i < rd->source_count; i++)
		rules += rd->sources[i].raw ? rd->sources[i].raw->rules_count : 0;
	/* one more than may be: the error for it has a place */
	policy->rules = calloc(rules < FL_RULES_MAX ? rules + 1 : FL_RULES_MAX,
			       sizeof(*policy->rules));
	if (!policy->rules)
		return -ENOMEM;
	r = each_source(rd, read_head);
	if (r)
		return r;
	for (enum fl_hook hook = 0; hook < FL_HOOKS; hook++)
		policy->defaults[hook].enforced = policy->enforced;
	return each_source(rd, read_rules);
}

static void release_sources(struct source *sources, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		yamlfile_free(&schema, sources[i].raw);
		yamlfile_places_free(sources[i].places);
	}
	free(sources);
}

int policy_parse(const struct policy_text *texts, size_t count, struct policy **ret_policy,
		 struct policy_error *error)
{
	struct distinct names = { .size = NAME_MAX_BYTES, .max = FL_RULES_MAX };
	struct reader rd = { .policy = calloc(1, sizeof(*rd.policy)),
			     .names = &names,
			     .sources = calloc(count + 1, sizeof(*rd.sources)),
			     .source_count = count,
			     .error = error };
	int r = -ENOMEM;

	if (rd.policy)
		rd.policy->files = calloc(count + 1, sizeof(*rd.policy->files));
	if (rd.policy && rd.sources && rd.policy->files) {
		for (__u32 hook = 0; hook < FL_HOOKS; hook++)
			rd.policy->defaults[hook] = (struct plain_default){ FL_PROCEED_SOFT, false,
									    hook };
		r = load_sources(&rd, texts);
		if (!r)
			r = read_sources(&rd);
	}
	if (rd.sources)
		release_sources(rd.sources, count);
	distinct_release(&names);
	if (!r) {
		*ret_policy = rd.policy;
		return 0;
	}
	policy_free(rd.policy);
	if (r == -ENOMEM)
		*error = (struct policy_error){ .why = "out of memory" };
	return r;
}

static void free_rule(struct policy_rule *rule)
{
	free(rule->name);
	for (size_t t = 0; t < rule->term_count; t++) {
		for (size_t w = 0; w < rule->terms[t].count; w++)
			free(rule->terms[t].words[w].text);
		free(rule->terms[t].words);
	}
	free(rule->terms);
}

void policy_free(struct policy *policy)
{
	if (!policy)
		return;
	for (size_t i = 0; i < policy->rule_count; i++)
		free_rule(&policy->rules[i]);
	free(policy->rules);
	for (size_t i = 0; i < policy->file_count; i++)
		free(policy->files[i]);
	free(policy->files);
	free(policy);
}

const char *policy_outcome_text(const struct policy_rule *rule, enum fl_verdict verdict)
{
	return rule && rule->flags & FL_RULE_REDIRECT ? "redirect" : policy_verdict_text(verdict);
}

const char *policy_target_text(const struct fl_target *to, char *buf)
{
	if (to->parts & FL_TARGET_ADDR && to->parts & FL_TARGET_PORT)
		return endpoint_format(&to->addr, to->port, buf);
	if (to->parts & FL_TARGET_ADDR)
		return address_format(&to->addr, buf);
	snprintf(buf, ENDPOINT_TEXT, ":%u", to->port);
	return buf;
}

const char *policy_error_format(const struct policy_error *error, char *buf, size_t size)
{
	const struct policy_place *place = &error->place;

	if (place->file && place->line)
		snprintf(buf, size, "%s:%zu:%zu: %s", place->file, place->line, place->column,
			 error->why);
	else if (place->file)
		snprintf(buf, size, "%s: %s", place->file, error->why);
	else
		snprintf(buf, size, "%s", error->why);
	return buf;
}
