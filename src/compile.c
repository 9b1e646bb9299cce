/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Within a dimension only the rules that name a value can change their mind at it. So each value's
 * set is the set of its surroundings (all other values; the prefix around it; the port before it)
 * with the bits of those few rules asked again.
 */
#include "compile.h"
#include "cleanup.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#define PORTS 65536u
#define BUCKETS (2 * FL_CLASSES_MAX) /* of the table that finds equal sets; a power of two */
#define NONE UINT32_MAX

enum kind { KIND_HOOK, KIND_ID, KIND_PREFIX, KIND_PORT };

static enum kind kind_of(enum fl_dimension d)
{
	switch (d) {
	case FL_DIM_HOOK:
		return KIND_HOOK;
	case FL_DIM_LOCAL_ADDR:
	case FL_DIM_REMOTE_ADDR:
		return KIND_PREFIX;
	case FL_DIM_LOCAL_PORT:
	case FL_DIM_REMOTE_PORT:
		return KIND_PORT;
	default:
		return KIND_ID;
	}
}

/* --- one rule and one value --- */

static bool covers(const struct term_value *prefix, const struct fl_addr *addr)
{
	__u32 whole = prefix->bits / 8, rest = prefix->bits % 8;

	if (memcmp(prefix->addr.b, addr->b, whole) != 0)
		return false;
	return !rest || !((prefix->addr.b[whole] ^ addr->b[whole]) >> (8 - rest));
}

/* VALUE: an id, a port in first, an address as a prefix of 128 bits, or a prefix as a whole. */
static bool contains(const struct term *t, const struct term_value *value)
{
	for (size_t i = 0; i < t->count; i++) {
		const struct term_value *v = &t->values[i];
		bool in = false;

		switch (kind_of(t->dimension)) {
		case KIND_ID:
			in = !memcmp(v->id, value->id, sizeof(v->id));
			break;
		case KIND_PREFIX:
			in = v->bits <= value->bits && covers(v, &value->addr);
			break;
		case KIND_PORT:
			in = v->first <= value->first && value->first <= v->last;
			break;
		case KIND_HOOK:
			break;
		}
		if (in)
			return true;
	}
	return false;
}

static bool accepts(const struct plain_rule *rule, enum fl_dimension d,
		    const struct term_value *value)
{
	for (size_t i = 0; i < rule->term_count; i++) {
		const struct term *t = &rule->terms[i];

		if (t->dimension == d && contains(t, value) == t->negated)
			return false;
	}
	return true;
}

static bool asks_for(const struct plain_rule *rule, enum fl_dimension d)
{
	for (size_t i = 0; i < rule->term_count; i++) {
		if (rule->terms[i].dimension == d)
			return true;
	}
	return false;
}

/* A value nobody names is in no list. */
static bool accepts_other(const struct plain_rule *rule, enum fl_dimension d)
{
	for (size_t i = 0; i < rule->term_count; i++) {
		if (rule->terms[i].dimension == d && !rule->terms[i].negated)
			return false;
	}
	return true;
}

/* What is not known is taken for what restricts more. */
static bool accepts_unknown(const struct plain_rule *rule, enum fl_dimension d)
{
	return !asks_for(rule, d) || rule->verdict == FL_REJECT;
}

static bool accepts_hook(const struct plain_rule *rule, enum fl_hook hook, bool udp)
{
	return rule->hooks >> hook & 1 && (udp ? rule->udp : rule->tcp);
}

static struct term_value value_of(const struct fl_attempt *a, enum fl_dimension d)
{
	struct term_value v = { 0 };

	switch (d) {
	case FL_DIM_EXE:
		v.id[0] = a->exe.inode;
		v.id[1] = a->exe.dev;
		break;
	case FL_DIM_PARENT:
		v.id[0] = a->parent.inode;
		v.id[1] = a->parent.dev;
		break;
	case FL_DIM_UID:
		v.id[0] = a->owner.uid;
		break;
	case FL_DIM_GID:
		v.id[0] = a->owner.gid;
		break;
	case FL_DIM_CGROUP:
		v.id[0] = a->cgroup_id;
		break;
	case FL_DIM_NETNS:
		v.id[0] = a->key.netns_cookie;
		break;
	case FL_DIM_LOCAL_ADDR:
		v.addr = a->key.local;
		v.bits = 128;
		break;
	case FL_DIM_REMOTE_ADDR:
		v.addr = a->key.remote;
		v.bits = 128;
		break;
	case FL_DIM_LOCAL_PORT:
		v.first = v.last = a->key.local_port;
		break;
	case FL_DIM_REMOTE_PORT:
		v.first = v.last = a->key.remote_port;
		break;
	case FL_DIM_INTERFACE:
		v.id[0] = a->interface;
		break;
	case FL_DIM_INTERFACE_TYPE:
		v.id[0] = a->interface_type;
		break;
	case FL_DIM_TUNNEL_TYPE:
		v.id[0] = a->tunnel_type;
		break;
	case FL_DIM_HOOK:
	case FL_DIMS:
		break;
	}
	return v;
}

bool plain_rule_matches(const struct plain_rule *rule, const struct fl_attempt *a)
{
	if (!accepts_hook(rule, (enum fl_hook)a->hook, a->key.proto == FL_UDP))
		return false;
	for (enum fl_dimension d = FL_DIM_HOOK + 1; d < FL_DIMS; d++) {
		struct term_value v = value_of(a, d);

		if (a->known >> d & 1 ? !accepts(rule, d, &v) : !accepts_unknown(rule, d))
			return false;
	}
	return true;
}

/* --- sets and their classes --- */

static void set_rule(struct fl_rule_set *set, __u32 rule, bool in)
{
	__u64 bit = 1ULL << rule % 64;

	if (in)
		set->words[rule / 64] |= bit;
	else
		set->words[rule / 64] &= ~bit;
}

/* A rule naming a value, a prefix, or a port at which its mind may change. */
struct mention {
	struct term_value value;
	__u32 rule;
};

struct work {
	struct compiled *c;
	const struct plain_rule **rules; /* in the order in which they are asked */
	size_t count;
	struct mention *mentions; /* of the dimension at hand */
	size_t mention_count;
	__u32 buckets[BUCKETS]; /* of classes, by hash */
};

static __u32 bucket_of(const struct fl_rule_set *set)
{
	__u64 hash = 0;

	for (size_t i = 0; i < FL_RULE_WORDS; i++) {
		hash = (hash ^ set->words[i]) * 0x9e3779b97f4a7c15ULL;
		hash ^= hash >> 32;
	}
	return (__u32)hash & (BUCKETS - 1);
}

/* The class of SET, made when it is the first of its kind. */
static int class_of(struct work *w, const struct fl_rule_set *set, __u32 *ret_class)
{
	struct compiled *c = w->c;
	__u32 at = bucket_of(set);

	while (w->buckets[at] != NONE) {
		if (!memcmp(&c->classes[w->buckets[at]], set, sizeof(*set))) {
			*ret_class = w->buckets[at];
			return 0;
		}
		at = (at + 1) & (BUCKETS - 1);
	}
	if (c->class_count == FL_CLASSES_MAX)
		return -E2BIG;
	c->classes[c->class_count] = *set;
	*ret_class = w->buckets[at] = c->class_count++;
	return 0;
}

static int class_where(struct work *w, enum fl_dimension d,
		       bool (*in)(const struct plain_rule *rule, enum fl_dimension d),
		       struct fl_rule_set *ret_set, __u32 *ret_class)
{
	*ret_set = (struct fl_rule_set){ 0 };
	for (__u32 i = 0; i < w->count; i++)
		set_rule(ret_set, i, in(w->rules[i], d));
	return class_of(w, ret_set, ret_class);
}

/* --- mentions --- */

static size_t count_mentions(const struct work *w, enum fl_dimension d)
{
	size_t n = 0;

	for (size_t i = 0; i < w->count; i++) {
		for (size_t j = 0; j < w->rules[i]->term_count; j++) {
			if (w->rules[i]->terms[j].dimension == d)
				n += w->rules[i]->terms[j].count;
		}
	}
	return n;
}

static void mention(struct work *w, const struct term_value *value, __u32 rule)
{
	w->mentions[w->mention_count++] = (struct mention){ .value = *value, .rule = rule };
}

/* A range of ports changes minds at its beginning and after its end. */
static void mention_ports(struct work *w, const struct term_value *v, __u32 rule)
{
	struct term_value at = { .first = v->first };

	mention(w, &at, rule);
	if (v->last == PORTS - 1)
		return;
	at.first = (__u16)(v->last + 1);
	mention(w, &at, rule);
}

static int by_value(const void *left, const void *right)
{
	const struct mention *a = left, *b = right;
	int r = memcmp(a->value.addr.b, b->value.addr.b, sizeof(a->value.addr.b));

	if (r)
		return r;
	if (a->value.bits != b->value.bits)
		return a->value.bits < b->value.bits ? -1 : 1;
	if (a->value.first != b->value.first)
		return a->value.first < b->value.first ? -1 : 1;
	for (size_t i = 0; i < 3; i++) {
		if (a->value.id[i] != b->value.id[i])
			return a->value.id[i] < b->value.id[i] ? -1 : 1;
	}
	return a->rule < b->rule ? -1 : a->rule > b->rule;
}

static int collect(struct work *w, enum fl_dimension d)
{
	size_t n = count_mentions(w, d);

	free(w->mentions);
	w->mention_count = 0;
	w->mentions = calloc(2 * n + 1, sizeof(*w->mentions));
	if (!w->mentions)
		return -ENOMEM;
	for (__u32 i = 0; i < w->count; i++) {
		for (size_t j = 0; j < w->rules[i]->term_count; j++) {
			const struct term *t = &w->rules[i]->terms[j];

			for (size_t k = 0; t->dimension == d && k < t->count; k++) {
				if (kind_of(d) == KIND_PORT)
					mention_ports(w, &t->values[k], i);
				else
					mention(w, &t->values[k], i);
			}
		}
	}
	qsort(w->mentions, w->mention_count, sizeof(*w->mentions), by_value);
	return 0;
}

static bool same_value(const struct mention *a, const struct mention *b)
{
	struct mention c = *b;

	c.rule = a->rule;
	return by_value(a, &c) == 0;
}

/* The mentions of one value, from *I on; their rules are asked again. *I is then the next value. */
static void ask_again(const struct work *w, enum fl_dimension d, size_t *i, struct fl_rule_set *set)
{
	const struct mention *first = &w->mentions[*i];

	for (; *i < w->mention_count && same_value(first, &w->mentions[*i]); (*i)++) {
		__u32 rule = w->mentions[*i].rule;

		set_rule(set, rule, accepts(w->rules[rule], d, &first->value));
	}
}

/* --- dimensions --- */

static int compile_ids(struct work *w, enum fl_dimension d, const struct fl_rule_set *other)
{
	struct compiled *c = w->c;

	for (size_t i = 0; i < w->mention_count;) {
		struct fl_rule_set set = *other;
		struct compiled_entry *e = &c->entries[c->entry_count++];
		const struct term_value *v = &w->mentions[i].value;

		e->key = (struct fl_policy_key){ .dimension = d };
		memcpy(e->key.value, v->id, sizeof(e->key.value));
		ask_again(w, d, &i, &set);
		int r = class_of(w, &set, &e->class);

		if (r < 0)
			return r;
	}
	return 0;
}

/* Sorted by address and length a prefix follows those around it: AROUND is the stack of them. */
static int compile_prefixes(struct work *w, enum fl_dimension d, const struct fl_rule_set *other)
{
	struct compiled *c = w->c;
	struct {
		struct term_value prefix;
		struct fl_rule_set set;
	} around[129];
	size_t depth = 0;

	for (size_t i = 0; i < w->mention_count;) {
		const struct term_value v = w->mentions[i].value;
		struct compiled_prefix *p = &c->prefixes[c->prefix_count++];
		int r;

		while (depth && !covers(&around[depth - 1].prefix, &v.addr))
			depth--;
		around[depth].prefix = v;
		around[depth].set = depth ? around[depth - 1].set : *other;
		ask_again(w, d, &i, &around[depth].set);
		p->prefix = (struct fl_policy_prefix){ .bits = FL_PREFIX_BASE + v.bits,
						       .dimension = (__u16)d,
						       .addr = v.addr };
		r = class_of(w, &around[depth].set, &p->class);
		if (r < 0)
			return r;
		depth++;
	}
	return 0;
}

static int compile_ports(struct work *w, enum fl_dimension d, const struct fl_rule_set *other)
{
	__u32 **ports = &w->c->ports[d == FL_DIM_REMOTE_PORT];
	struct fl_rule_set set = *other;
	__u32 class = w->c->policy.other[d];
	size_t i = 0;

	*ports = calloc(PORTS, sizeof(**ports));
	if (!*ports)
		return -ENOMEM;
	for (__u32 port = 0; port < PORTS; port++) {
		if (i < w->mention_count && w->mentions[i].value.first == port) {
			int r;

			ask_again(w, d, &i, &set);
			r = class_of(w, &set, &class);
			if (r < 0)
				return r;
		}
		(*ports)[port] = class;
	}
	return 0;
}

/* Also by a rule whose names stand for nothing: an attempt must know that it is none of them. */
static bool wanted(const struct work *w, enum fl_dimension d)
{
	for (size_t i = 0; i < w->count; i++) {
		if (asks_for(w->rules[i], d))
			return true;
	}
	return false;
}

static int compile_dimension(struct work *w, enum fl_dimension d)
{
	struct fl_policy *p = &w->c->policy;
	struct fl_rule_set other, unknown;
	int r = class_where(w, d, accepts_other, &other, &p->other[d]);

	if (!r)
		r = class_where(w, d, accepts_unknown, &unknown, &p->unknown[d]);
	if (!r)
		r = collect(w, d);
	if (r < 0)
		return r;
	if (!wanted(w, d))
		return 0;
	p->wanted |= 1u << d;
	switch (kind_of(d)) {
	case KIND_PREFIX:
		return compile_prefixes(w, d, &other);
	case KIND_PORT:
		return compile_ports(w, d, &other);
	default:
		return compile_ids(w, d, &other);
	}
}

static __u32 dimensions_of(const struct plain_rule *rule)
{
	__u32 dimensions = 0;

	for (size_t i = 0; i < rule->term_count; i++)
		dimensions |= 1u << rule->terms[i].dimension;
	return dimensions & ~(1u << FL_DIM_HOOK);
}

static int compile_hooks(struct work *w)
{
	for (__u32 i = 0; i < FL_HOOKS * 2; i++) {
		struct fl_rule_set set = { 0 };
		int r;

		for (__u32 rule = 0; rule < w->count; rule++) {
			bool here = accepts_hook(w->rules[rule], i / 2, i % 2);

			set_rule(&set, rule, here);
			if (here)
				w->c->policy.asked[i] |= dimensions_of(w->rules[rule]);
		}
		r = class_of(w, &set, &w->c->policy.hooks[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

/* --- the whole --- */

static bool comes_first(const struct plain_rule *rule)
{
	return asks_for(rule, FL_DIM_NETNS) && !rule->here;
}

static int sort_rules(struct work *w, const struct plain_rule *rules)
{
	size_t n = 0;

	w->rules = calloc(w->count + 1, sizeof(*w->rules));
	w->c->order = calloc(w->count + 1, sizeof(*w->c->order));
	if (!w->rules || !w->c->order)
		return -ENOMEM;
	for (int wildcard = 0; wildcard < 2; wildcard++) {
		for (size_t i = 0; i < w->count; i++) {
			if (comes_first(&rules[i]) == wildcard)
				continue;
			w->c->order[n] = (__u32)i;
			w->rules[n++] = &rules[i];
		}
	}
	return 0;
}

static void write_rules(struct work *w, const struct plain_default defaults[FL_HOOKS])
{
	struct compiled *c = w->c;

	c->policy.rules = (__u32)w->count;
	for (__u32 i = 0; i < w->count; i++) {
		const struct plain_rule *rule = w->rules[i];

		c->rules[i] = (struct fl_policy_rule){ .verdict = rule->verdict,
						       .flags = rule->flags,
						       .tag = rule->tag };
		set_rule(&c->policy.enforced, i, rule->enforced);
	}
	for (__u32 hook = 0; hook < FL_HOOKS; hook++) {
		c->policy.defaults[hook].verdict = defaults[hook].verdict;
		c->policy.defaults[hook].tag = defaults[hook].tag;
		c->policy.default_enforced |= (__u32)defaults[hook].enforced << hook;
	}
}

static size_t count_all(const struct work *w, enum kind kind)
{
	size_t n = 0;

	for (enum fl_dimension d = 0; d < FL_DIMS; d++) {
		if (kind_of(d) == kind)
			n += count_mentions(w, d);
	}
	return n;
}

static int allocate(struct work *w)
{
	struct compiled *c = w->c;

	c->rules = calloc(w->count + 1, sizeof(*c->rules));
	c->classes = calloc(FL_CLASSES_MAX, sizeof(*c->classes));
	c->entries = calloc(count_all(w, KIND_ID) + 1, sizeof(*c->entries));
	c->prefixes = calloc(count_all(w, KIND_PREFIX) + 1, sizeof(*c->prefixes));
	memset(w->buckets, 0xff, sizeof(w->buckets)); /* NONE */
	if (!c->rules || !c->classes || !c->entries || !c->prefixes)
		return -ENOMEM;
	return 0;
}

static void cleanup_compiled(struct compiled **c)
{
	compiled_free(*c);
}

static void cleanup_work(struct work **w)
{
	if (!*w)
		return;
	free((*w)->rules);
	free((*w)->mentions);
	free(*w);
}

int compile(const struct plain_rule *rules, size_t count,
	    const struct plain_default defaults[FL_HOOKS], struct compiled **ret_compiled)
{
	_cleanup_(cleanup_compiled) struct compiled *c = calloc(1, sizeof(*c));
	_cleanup_(cleanup_work) struct work *w = calloc(1, sizeof(*w));
	int r;

	if (!c || !w)
		return -ENOMEM;
	if (count > FL_RULES_MAX)
		return -E2BIG;
	w->c = c;
	w->count = count;
	r = sort_rules(w, rules);
	if (!r)
		r = allocate(w);
	if (r < 0)
		return r;
	write_rules(w, defaults);
	r = compile_hooks(w);
	for (enum fl_dimension d = FL_DIM_HOOK + 1; !r && d < FL_DIMS; d++)
		r = compile_dimension(w, d);
	if (r < 0)
		return r;
	*ret_compiled = TAKE_PTR(c);
	return 0;
}

void compiled_free(struct compiled *c)
{
	if (!c)
		return;
	free(c->rules);
	free(c->order);
	free(c->classes);
	free(c->entries);
	free(c->prefixes);
	free(c->ports[0]);
	free(c->ports[1]);
	free(c);
}

/* --- one value more --- */

int compiled_classify(struct compiled *c, const struct plain_rule *rules, enum fl_dimension d,
		      const struct term_value *value, __u32 *ret_class, bool *ret_new)
{
	struct fl_rule_set set = { 0 };
	__u32 class = 0;

	for (__u32 i = 0; i < c->policy.rules; i++)
		set_rule(&set, i, accepts(&rules[c->order[i]], d, value));
	while (class < c->class_count && memcmp(&c->classes[class], &set, sizeof(set)) != 0)
		class ++;
	if (class == FL_CLASSES_MAX)
		return -E2BIG;
	*ret_new = class == c->class_count;
	if (*ret_new)
		c->classes[c->class_count++] = set;
	*ret_class = class;
	return 0;
}

/* --- looking up, as the maps do --- */

static __u32 find_entry(const struct compiled *c, enum fl_dimension d, const struct term_value *v)
{
	for (size_t i = 0; i < c->entry_count; i++) {
		const struct fl_policy_key *key = &c->entries[i].key;

		if (key->dimension == d && !memcmp(key->value, v->id, sizeof(v->id)))
			return c->entries[i].class;
	}
	return c->policy.other[d];
}

static __u32 find_prefix(const struct compiled *c, enum fl_dimension d, const struct term_value *v)
{
	__u32 class = c->policy.other[d], longest = 0;

	for (size_t i = 0; i < c->prefix_count; i++) {
		const struct fl_policy_prefix *p = &c->prefixes[i].prefix;
		struct term_value prefix = { .addr = p->addr, .bits = p->bits - FL_PREFIX_BASE };

		if (p->dimension == d && p->bits > longest && covers(&prefix, &v->addr)) {
			longest = p->bits;
			class = c->prefixes[i].class;
		}
	}
	return class;
}

static __u32 find_class(const struct compiled *c, enum fl_dimension d, const struct fl_attempt *a)
{
	struct term_value v = value_of(a, d);

	if (!(a->known >> d & 1))
		return c->policy.unknown[d];
	if (!(c->policy.wanted >> d & 1))
		return c->policy.other[d];
	switch (kind_of(d)) {
	case KIND_PREFIX:
		return find_prefix(c, d, &v);
	case KIND_PORT:
		return c->ports[d == FL_DIM_REMOTE_PORT][v.first];
	default:
		return find_entry(c, d, &v);
	}
}

struct fl_judgement compiled_judge(const struct compiled *c, const struct fl_attempt *a)
{
	struct fl_rule_set set = c->classes[c->policy.hooks[FL_HOOK_INDEX(a->hook, a->key.proto)]];

	for (enum fl_dimension d = FL_DIM_HOOK + 1; d < FL_DIMS; d++)
		fl_rule_set_meet(&set, &c->classes[find_class(c, d, a)]);
	return fl_policy_judge(&c->policy, &set);
}
