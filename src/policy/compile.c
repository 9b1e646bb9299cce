/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Within a dimension only the rules that name a value can change their mind at it. So each value's
 * set is the set of its surroundings (all other values; the prefix around it; the port before it)
 * with the bits of those few rules asked again: the blocks that have none of them are the same.
 */
#include "policy/compile.h"
#include "text/cleanup.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#define PORTS 65536u
#define NONE UINT32_MAX

enum kind { KIND_HOOK, KIND_ID, KIND_PREFIX, KIND_PORT };

static enum kind kind_of(enum fl_dimension d)
{
	if (d >= FL_DIM_LISTENERS) /* so many and more: a range, as of ports */
		return KIND_PORT;
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
	return !asks_for(rule, d) || rule->verdict == FL_REJECT || rule->flags & FL_RULE_REDIRECT;
}

static bool accepts_hook(const struct plain_rule *rule, enum fl_hook hook, bool udp)
{
	return rule->hooks >> hook & 1 && (udp ? rule->udp : rule->tcp);
}

static bool accepts_fact(const struct plain_rule *rule, enum fl_fact fact)
{
	const struct term_value v = { .id = { fact == FL_FACT_YES } };

	return fact == FL_FACT_UNKNOWN ? accepts_unknown(rule, FL_DIM_PORT_IN_USE)
				       : accepts(rule, FL_DIM_PORT_IN_USE, &v);
}

static struct term_value value_of_most(const struct fl_attempt *a, enum fl_dimension d)
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
	case FL_DIM_PORT_IN_USE:
		v.id[0] = a->port_in_use_by_other;
		break;
	case FL_DIM_HOOK:
	case FL_DIMS:
	case FL_DIM_LISTENERS:
	case FL_DIMS_KNOWN:
		break;
	}
	return v;
}

static struct term_value value_of(const struct fl_attempt *a, enum fl_dimension d)
{
	struct term_value v = { 0 };

	if (d < FL_DIM_LISTENERS)
		return value_of_most(a, d);
	v.first = (__u16)fl_listeners_index(a, d - FL_DIM_LISTENERS);
	return v;
}

bool plain_rule_matches(const struct plain_rule *rule, const struct fl_attempt *a)
{
	if (!accepts_hook(rule, (enum fl_hook)a->hook, a->key.proto == FL_UDP))
		return false;
	for (enum fl_dimension d = FL_DIM_HOOK + 1; d < FL_DIMS_KNOWN; d++) {
		struct term_value v = value_of(a, d);

		if (a->known >> d & 1 ? !accepts(rule, d, &v) : !accepts_unknown(rule, d))
			return false;
	}
	return true;
}

/* --- sets and their classes --- */

static void set_rule(struct fl_rule_block *block, __u32 rule, bool in)
{
	__u64 bit = 1ULL << rule % 64;

	if (in)
		block->words[rule % FL_BLOCK_RULES / 64] |= bit;
	else
		block->words[rule % FL_BLOCK_RULES / 64] &= ~bit;
}

const struct fl_class *compiled_class(const struct compiled *c, __u32 class)
{
	return distinct_at(&c->classes, class);
}

const struct fl_rule_block *compiled_block(const struct compiled *c, __u32 number)
{
	return distinct_at(&c->blocks, number);
}

/* A set on its way to be another: what is changed of it, rule after rule, is in BITS. */
struct draft {
	struct compiled *c;
	struct fl_class set;
	__u32 open; /* which block of SET BITS stand for; NONE */
	struct fl_rule_block bits;
};

static struct draft draft_of(struct compiled *c, const struct fl_class *set)
{
	return (struct draft){ .c = c, .set = *set, .open = NONE };
}

static int draft_close(struct draft *t)
{
	__u32 number = 0;
	int r = t->open == NONE ? 0 : distinct_put(&t->c->blocks, &t->bits, &number);

	if (t->open != NONE)
		t->set.blocks[t->open] = (__u16)number;
	t->open = NONE;
	return r;
}

static int draft_rule(struct draft *t, __u32 rule, bool in)
{
	__u32 block = rule / FL_BLOCK_RULES;

	if (block != t->open) {
		int r = draft_close(t);

		if (r < 0)
			return r;
		t->bits = *compiled_block(t->c, t->set.blocks[block]);
		t->open = block;
	}
	set_rule(&t->bits, rule, in);
	return 0;
}

/* The class of what the set has become. */
static int draft_class(struct draft *t, __u32 *ret_class)
{
	int r = draft_close(t);

	return r ? r : distinct_put(&t->c->classes, &t->set, ret_class);
}

/* A rule naming a value, a prefix, or a port at which its mind may change. */
struct mention {
	struct term_value value;
	__u32 rule;
	/* where only one term of the rule is about this dimension, nobody needs to ask the rule */
	enum { ASK, NAMES, BEGINS, ENDS } does; /* with VALUE, or a range at it */
	bool negated;
};

struct work {
	struct compiled *c;
	const struct plain_rule **rules; /* in the order in which they are asked */
	size_t count;
	struct mention *mentions; /* of the dimension at hand */
	size_t mention_count;
	__u32 *ranges; /* of each rule: so many have begun and not ended at the port at hand */
};

/* The set of those that are IN; behind the last rule everything is. */
static int class_where(struct work *w, enum fl_dimension d,
		       bool (*in)(const struct plain_rule *rule, enum fl_dimension d),
		       __u32 *ret_class)
{
	struct fl_class all;
	struct draft t;
	int r = 0;

	for (__u32 i = 0; i < FL_BLOCKS; i++)
		all.blocks[i] = FL_BLOCK_ALL;
	t = draft_of(w->c, &all);
	for (__u32 i = 0; !r && i < w->count; i++) {
		if (!in(w->rules[i], d))
			r = draft_rule(&t, i, false);
	}
	return r ? r : draft_class(&t, ret_class);
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

static void mention(struct work *w, const struct mention *m)
{
	w->mentions[w->mention_count++] = *m;
}

static void mention_values(struct work *w, const struct term *t, __u32 rule, bool alone)
{
	struct mention m = { .rule = rule, .does = alone ? NAMES : ASK, .negated = t->negated };

	for (size_t i = 0; i < t->count; i++) {
		m.value = t->values[i];
		mention(w, &m);
	}
}

/* A range of ports changes minds at its beginning and after its end. */
static void mention_ports(struct work *w, const struct term *t, __u32 rule, bool alone)
{
	for (size_t i = 0; i < t->count; i++) {
		struct mention m = { .value.first = t->values[i].first,
				     .rule = rule,
				     .does = alone ? BEGINS : ASK,
				     .negated = t->negated };

		mention(w, &m);
		if (t->values[i].last == PORTS - 1)
			continue;
		m.value.first = (__u16)(t->values[i].last + 1);
		m.does = alone ? ENDS : ASK;
		mention(w, &m);
	}
}

static void mention_all(struct work *w, enum fl_dimension d, __u32 rule)
{
	const struct plain_rule *of = w->rules[rule];
	size_t terms = 0;

	for (size_t i = 0; i < of->term_count; i++)
		terms += of->terms[i].dimension == d;
	for (size_t i = 0; i < of->term_count; i++) {
		if (of->terms[i].dimension != d)
			continue;
		if (kind_of(d) == KIND_PORT)
			mention_ports(w, &of->terms[i], rule, terms == 1);
		else
			mention_values(w, &of->terms[i], rule, terms == 1);
	}
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
	for (__u32 i = 0; i < w->count; i++)
		mention_all(w, d, i);
	qsort(w->mentions, w->mention_count, sizeof(*w->mentions), by_value);
	return 0;
}

static bool same_value(const struct mention *a, const struct mention *b)
{
	struct mention c = *b;

	c.rule = a->rule;
	return by_value(a, &c) == 0;
}

/* What the rule of M says to its value; of a port when all mentions of it were asked. */
static bool mention_accepts(const struct work *w, enum fl_dimension d, const struct mention *m)
{
	switch (m->does) {
	case NAMES:
		return !m->negated;
	case BEGINS:
		return (++w->ranges[m->rule] > 0) != m->negated;
	case ENDS:
		return (--w->ranges[m->rule] > 0) != m->negated;
	case ASK:
		break;
	}
	return accepts(w->rules[m->rule], d, &m->value);
}

/*
 * The class of the value of mention *I, of whose surroundings the set is *AROUND: the rules that
 * name it are asked again. *I is then the next value, and *RET_SET, which may be AROUND, the set.
 */
static int class_of_value(const struct work *w, enum fl_dimension d, size_t *i,
			  const struct fl_class *around, struct fl_class *ret_set, __u32 *ret_class)
{
	const struct mention *first = &w->mentions[*i];
	struct draft t = draft_of(w->c, around);
	int r = 0;

	for (; !r && *i < w->mention_count && same_value(first, &w->mentions[*i]); (*i)++) {
		const struct mention *m = &w->mentions[*i];

		r = draft_rule(&t, m->rule, mention_accepts(w, d, m));
	}
	if (!r)
		r = draft_class(&t, ret_class);
	*ret_set = t.set;
	return r;
}

/* --- dimensions --- */

static int compile_ids(struct work *w, enum fl_dimension d, const struct fl_class *other)
{
	struct compiled *c = w->c;
	int r = 0;

	for (size_t i = 0; !r && i < w->mention_count;) {
		struct compiled_entry *e = &c->entries[c->entry_count++];
		struct fl_class set;

		e->key = (struct value_key){ .dimension = d };
		memcpy(e->key.id, w->mentions[i].value.id, sizeof(e->key.id));
		r = class_of_value(w, d, &i, other, &set, &e->class);
	}
	return r;
}

static struct term_value value_of_prefix(const struct fl_policy_prefix *p)
{
	return (struct term_value){ .addr = p->addr, .bits = p->bits - FL_PREFIX_BASE };
}

static bool prefix_covers(const struct compiled_prefix *p, const struct fl_addr *addr)
{
	struct term_value v = value_of_prefix(&p->prefix);

	return covers(&v, addr);
}

/* Sorted by address and length a prefix follows those around it. */
static int compile_prefixes(struct work *w, enum fl_dimension d, const struct fl_class *other)
{
	struct compiled *c = w->c;
	struct fl_class sets[130] = { *other }; /* of those around, from the widest on */
	__u32 around = 0, depth = 0;
	int r = 0;

	for (size_t i = 0; !r && i < w->mention_count;) {
		struct compiled_prefix *p = &c->prefixes[c->prefix_count];
		const struct term_value *v = &w->mentions[i].value;

		while (around && !prefix_covers(&c->prefixes[around - 1], &v->addr)) {
			around = c->prefixes[around - 1].around;
			depth--;
		}
		p->prefix = (struct fl_policy_prefix){ .bits = FL_PREFIX_BASE + v->bits,
						       .dimension = (__u16)d,
						       .addr = v->addr };
		p->around = around;
		r = class_of_value(w, d, &i, &sets[depth], &sets[depth + 1], &p->class);
		around = (__u32)++c->prefix_count;
		depth++;
	}
	return r;
}

/* Of COUNT numbers from 0 on; CLASS is that of one that no rule names. */
static int compile_numbers(struct work *w, enum fl_dimension d, __u32 class, __u32 count,
			   __u32 **ret_classes)
{
	struct fl_class set = *compiled_class(w->c, class);
	__u32 *classes = calloc(count, sizeof(*classes));
	size_t i = 0;
	int r = 0;

	*ret_classes = classes;
	free(w->ranges);
	w->ranges = calloc(w->count + 1, sizeof(*w->ranges));
	if (!classes || !w->ranges)
		return -ENOMEM;
	for (__u32 number = 0; !r && number < count; number++) {
		if (i < w->mention_count && w->mentions[i].value.first == number)
			r = class_of_value(w, d, &i, &set, &set, &class);
		classes[number] = class;
	}
	return r;
}

static int compile_ports(struct work *w, enum fl_dimension d)
{
	return compile_numbers(w, d, w->c->policy.other[d], PORTS,
			       &w->c->ports[d == FL_DIM_REMOTE_PORT]);
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
	struct fl_class other;
	int r = class_where(w, d, accepts_other, &p->other[d]);

	fl_question_put(&p->others, d, 0, p->other[d]);
	if (!r)
		r = class_where(w, d, accepts_unknown, &p->unknown[d]);
	if (!r)
		r = collect(w, d);
	if (r < 0)
		return r;
	if (!wanted(w, d))
		return 0;
	p->wanted |= 1u << d;
	other = *compiled_class(w->c, p->other[d]);
	switch (kind_of(d)) {
	case KIND_PREFIX:
		return compile_prefixes(w, d, &other);
	case KIND_PORT:
		return compile_ports(w, d);
	default:
		return compile_ids(w, d, &other);
	}
}

/* So many listeners and more is a range without an end. */
static int compile_listeners(struct work *w, enum fl_per per)
{
	const enum fl_dimension d = FL_DIM_LISTENERS + per;
	struct fl_policy *p = &w->c->policy;
	_free_ __u32 *classes = NULL;
	__u32 other = 0, unknown = 0;
	int r = class_where(w, d, accepts_other, &other);

	if (!r)
		r = class_where(w, d, accepts_unknown, &unknown);
	if (!r)
		r = collect(w, d);
	if (!r)
		r = compile_numbers(w, d, other, FL_LISTENERS_UNKNOWN, &classes);
	if (r)
		return r;
	for (__u32 i = 0; i < FL_LISTENERS_UNKNOWN; i++)
		p->listeners[per][i] = (__u16)classes[i];
	p->listeners[per][FL_LISTENERS_UNKNOWN] = (__u16)unknown;
	return 0;
}

static __u32 dimensions_of(const struct plain_rule *rule)
{
	__u32 dimensions = 0;

	for (size_t i = 0; i < rule->term_count; i++)
		dimensions |= 1u << rule->terms[i].dimension;
	return dimensions & ~(1u << FL_DIM_HOOK);
}

static int compile_hook(struct work *w, __u32 index, enum fl_fact fact)
{
	const struct fl_class none = { { FL_BLOCK_NONE } };
	struct draft t = draft_of(w->c, &none);
	int r = 0;

	for (__u32 rule = 0; !r && rule < w->count; rule++) {
		if (!accepts_hook(w->rules[rule], index / 2, index % 2))
			continue;
		w->c->policy.asked[index] |= dimensions_of(w->rules[rule]);
		if (accepts_fact(w->rules[rule], fact))
			r = draft_rule(&t, rule, true);
	}
	return r ? r : draft_class(&t, &w->c->policy.hooks[fl_hook_class(index, fact)]);
}

static int compile_hooks(struct work *w)
{
	int r = 0;

	for (__u32 i = 0; !r && i < FL_HOOK_INDEXES; i++) {
		for (enum fl_fact fact = 0; !r && fact < FL_FACTS; fact++)
			r = compile_hook(w, i, fact);
	}
	return r;
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
						       .tag = rule->tag,
						       .to = rule->to,
						       .home = rule->home };
		set_rule(&c->policy.enforced[i / FL_BLOCK_RULES], i, rule->enforced);
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

/* The numbers of the two that every policy has are the order in which they come. */
static int put_common_blocks(struct compiled *c)
{
	struct fl_rule_block none = { { 0 } }, all;
	__u32 number;
	int r = distinct_put(&c->blocks, &none, &number);

	memset(&all, 0xff, sizeof(all));
	return r ? r : distinct_put(&c->blocks, &all, &number);
}

static int allocate(struct work *w)
{
	struct compiled *c = w->c;

	c->classes.size = sizeof(struct fl_class);
	c->classes.max = FL_CLASSES_MAX;
	c->blocks.size = sizeof(struct fl_rule_block);
	c->blocks.max = FL_BLOCKS_MAX;
	c->rules = calloc(w->count + 1, sizeof(*c->rules));
	c->entries = calloc(count_all(w, KIND_ID) + 1, sizeof(*c->entries));
	c->prefixes = calloc(count_all(w, KIND_PREFIX) + 1, sizeof(*c->prefixes));
	if (!c->rules || !c->entries || !c->prefixes)
		return -ENOMEM;
	return put_common_blocks(c);
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
	free((*w)->ranges);
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
	for (enum fl_per per = 0; !r && per < FL_PERS; per++)
		r = compile_listeners(w, per);
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
	distinct_release(&c->classes);
	distinct_release(&c->blocks);
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
	struct draft t = draft_of(c, compiled_class(c, c->policy.other[d]));
	__u32 before = c->classes.count;
	int r = 0;

	for (__u32 i = 0; !r && i < c->policy.rules; i++) {
		if (asks_for(&rules[c->order[i]], d))
			r = draft_rule(&t, i, accepts(&rules[c->order[i]], d, value));
	}
	if (!r)
		r = draft_class(&t, ret_class);
	if (!r)
		*ret_new = c->classes.count > before;
	return r;
}

/* --- looking up, as the maps do --- */

/* As by_value() sorts ids, in the order of the dimensions. */
static int by_key(const void *left, const void *right)
{
	const struct value_key *a = left, *b = &((const struct compiled_entry *)right)->key;

	if (a->dimension != b->dimension)
		return a->dimension < b->dimension ? -1 : 1;
	for (size_t i = 0; i < 3; i++) {
		if (a->id[i] != b->id[i])
			return a->id[i] < b->id[i] ? -1 : 1;
	}
	return 0;
}

static __u32 find_entry(const struct compiled *c, enum fl_dimension d, const struct term_value *v)
{
	struct value_key key = { .dimension = d, .id = { v->id[0], v->id[1], v->id[2] } };
	const struct compiled_entry *e = bsearch(&key, c->entries, c->entry_count, sizeof(*e),
						 by_key);

	return e ? e->class : c->policy.other[d];
}

static bool is_behind(const struct compiled_prefix *p, enum fl_dimension d,
		      const struct fl_addr *addr)
{
	if (p->prefix.dimension != d)
		return p->prefix.dimension > d;
	return memcmp(p->prefix.addr.b, addr->b, sizeof(addr->b)) > 0;
}

/* The last that begins at or before the address, or the first of those around it that has it. */
static __u32 find_prefix(const struct compiled *c, enum fl_dimension d, const struct term_value *v)
{
	size_t low = 0, high = c->prefix_count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (is_behind(&c->prefixes[middle], d, &v->addr))
			high = middle;
		else
			low = middle + 1;
	}
	if (!low || c->prefixes[low - 1].prefix.dimension != d)
		return c->policy.other[d];
	while (low && !prefix_covers(&c->prefixes[low - 1], &v->addr))
		low = c->prefixes[low - 1].around;
	return low ? c->prefixes[low - 1].class : c->policy.other[d];
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
	struct fl_judgement j = { .rule = FL_NO_RULE, .audited = FL_NO_RULE };
	const struct fl_class *sets[FL_DIMS];
	__u32 hook = fl_hook_class(FL_HOOK_INDEX(a->hook, a->key.proto), fl_port_in_use(a));

	sets[FL_DIM_HOOK] = compiled_class(c, c->policy.hooks[hook]);
	for (enum fl_dimension d = FL_DIM_HOOK + 1; d < FL_DIMS; d++)
		sets[d] = compiled_class(c, find_class(c, d, a));
	for (enum fl_per per = 0; a->hook == FL_HOOK_LISTEN && per < FL_PERS; per++)
		sets[FL_PLACE_LISTENERS + per] =
			compiled_class(c, c->policy.listeners[per][fl_listeners_index(a, per)]);
	for (__u32 i = 0; i < FL_BLOCKS && j.rule == FL_NO_RULE; i++) {
		struct fl_rule_block set = *compiled_block(c, sets[FL_DIM_HOOK]->blocks[i]);

		for (enum fl_dimension d = FL_DIM_HOOK + 1; d < FL_DIMS; d++)
			fl_block_meet(&set, compiled_block(c, sets[d]->blocks[i]));
		j = fl_judgement_join(
			j, fl_block_judge(&set, &c->policy.enforced[i], i * FL_BLOCK_RULES));
	}
	return j;
}
