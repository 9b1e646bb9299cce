/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random policies, attempts drawn at the borders of their rules, and what a rule says to one, read
 * off the rule as a person would: no code is shared with compile.c.
 */
#ifndef FLOWNER_TESTS_RANDOM_POLICY_H
#define FLOWNER_TESTS_RANDOM_POLICY_H

#include "policy/compile.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define RANDOM_VALUES 4
#define RANDOM_TERMS 4

struct random_rule {
	struct plain_rule rule;
	struct term terms[RANDOM_TERMS];
	struct term_value values[RANDOM_TERMS][RANDOM_VALUES];
};

struct random_policy {
	uint64_t seed;
	size_t count;
	uint32_t ids; /* how many there are of a kind */
	struct random_rule rules[FL_RULES_MAX];
	struct plain_rule plain[FL_RULES_MAX];
	struct plain_default defaults[FL_HOOKS];
	bool hit[FL_RULES_MAX]; /* by place in `rules` */
};

static inline uint32_t rnd(struct random_policy *p, uint32_t below)
{
	p->seed ^= p->seed << 13;
	p->seed ^= p->seed >> 7;
	p->seed ^= p->seed << 17;
	return (uint32_t)((p->seed >> 16) % below);
}

static inline struct fl_addr random_addr(struct random_policy *p)
{
	struct fl_addr a = { 0 };

	if (rnd(p, 2)) {
		a.b[10] = a.b[11] = 0xff;
		a.b[12] = 10;
	} else {
		a.b[0] = 0xfd;
		a.b[7] = (uint8_t)rnd(p, 3);
	}
	a.b[13] = (uint8_t)rnd(p, 3);
	a.b[14] = (uint8_t)rnd(p, 4);
	a.b[15] = (uint8_t)rnd(p, 256);
	return a;
}

static inline void cut(struct fl_addr *a, uint32_t bits)
{
	for (uint32_t i = bits; i < 128; i++)
		a->b[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
}

static inline bool is_prefix(enum fl_dimension d)
{
	return d == FL_DIM_LOCAL_ADDR || d == FL_DIM_REMOTE_ADDR;
}

static inline bool is_port(enum fl_dimension d)
{
	return d == FL_DIM_LOCAL_PORT || d == FL_DIM_REMOTE_PORT;
}

/* What there is of a route, which listen() has none of. */
static inline bool is_route(enum fl_dimension d)
{
	return d >= FL_DIM_REMOTE_ADDR && d <= FL_DIM_TUNNEL_TYPE;
}

static inline struct term_value random_value(struct random_policy *p, enum fl_dimension d)
{
	struct term_value v = { 0 };

	if (d >= FL_DIM_LISTENERS) { /* a limit */
		v.first = (uint16_t)(rnd(p, 8) ? 1 + rnd(p, 12) : FL_LISTENERS_MAX - rnd(p, 2));
		v.last = 65535;
	} else if (is_prefix(d)) {
		v.addr = random_addr(p);
		v.bits = rnd(p, 50) ? (v.addr.b[0] ? 56 : 112) : (v.addr.b[0] ? 0 : 96);
		v.bits += rnd(p, 129 - v.bits);
		cut(&v.addr, v.bits);
	} else if (is_port(d)) {
		uint32_t first = rnd(p, 8) ? 1000 + rnd(p, 3000) : rnd(p, 65536);
		uint32_t last = first + (rnd(p, 3) ? 0 : rnd(p, 200));

		v.first = (uint16_t)first;
		v.last = (uint16_t)(last > 65535 ? 65535 : last);
	} else {
		v.id[0] = rnd(p, d == FL_DIM_PORT_IN_USE ? 2 : p->ids);
		v.id[1] = d == FL_DIM_EXE || d == FL_DIM_PARENT ? rnd(p, 2) : 0;
	}
	return v;
}

/* Two lists of one dimension rarely have a value in common: the second one is what it is not. */
static inline bool is_named(const struct random_rule *r, size_t terms, enum fl_dimension d)
{
	for (size_t t = 0; t < terms; t++) {
		if (r->terms[t].dimension == d)
			return true;
	}
	return false;
}

/* Of a rule of listen one term is a limit, perhaps, and none is of a route. */
static inline void random_listen(struct random_policy *p, struct random_rule *r)
{
	struct term *last = &r->terms[r->rule.term_count - 1];
	bool limited = rnd(p, 2);

	for (size_t t = 0; t < r->rule.term_count; t++) {
		if (is_route(r->terms[t].dimension))
			r->rule.hooks &= ~(1u << FL_HOOK_LISTEN);
	}
	if (!r->rule.hooks)
		r->rule.hooks = 1u << FL_HOOK_RECV_ACCEPT;
	if (!(r->rule.hooks >> FL_HOOK_LISTEN & 1) || !limited)
		return;
	r->rule.hooks = 1u << FL_HOOK_LISTEN;
	r->rule.tcp = true;
	*last = (struct term){ .dimension = FL_DIM_LISTENERS + rnd(p, FL_PERS),
			       .count = 1,
			       .values = last->values };
	last->values[0] = random_value(p, last->dimension);
}

static inline void random_rule(struct random_policy *p, size_t i)
{
	struct random_rule *r = &p->rules[i];

	memset(r, 0, sizeof(*r));
	r->rule = (struct plain_rule){
		.hooks = 1 + rnd(p, (1 << FL_HOOKS) - 1),
		.enforced = rnd(p, 4) != 0,
		.verdict = rnd(p, 3),
		.tag = i,
		/* of many, most would never be the first that matches */
		.term_count = p->count > 2000 ? 3 + rnd(p, RANDOM_TERMS - 2)
					      : 2 + rnd(p, RANDOM_TERMS - 1),
		.terms = r->terms,
	};
	r->rule.tcp = rnd(p, 3) != 0;
	r->rule.udp = !r->rule.tcp || rnd(p, 2);
	for (size_t t = 0; t < r->rule.term_count; t++) {
		enum fl_dimension d = FL_DIM_HOOK + 1 + rnd(p, FL_DIMS - FL_DIM_HOOK);

		/* few rules name a namespace, or all of them stand before the others */
		if (d == FL_DIM_NETNS && rnd(p, 4))
			d = FL_DIM_EXE;
		/* half of all attempts are what one says of a port: few say so, and only once */
		if (d == FL_DIMS)
			d = rnd(p, 4) || is_named(r, t, FL_DIM_PORT_IN_USE) ? FL_DIM_EXE
									    : FL_DIM_PORT_IN_USE;
		r->terms[t] = (struct term){ .dimension = d,
					     .negated = is_named(r, t, d) || (t && rnd(p, 4) == 0),
					     .count = d == FL_DIM_PORT_IN_USE
							      ? 1
							      : 1 + rnd(p, RANDOM_VALUES),
					     .values = r->values[t] };
		for (size_t v = 0; v < r->terms[t].count; v++)
			r->values[t][v] = random_value(p, d);
	}
	random_listen(p, r);
	p->plain[i] = r->rule;
}

static inline void random_policy(struct random_policy *p, uint64_t seed, size_t count)
{
	p->seed = seed * 0x9e3779b97f4a7c15ULL + 1;
	p->count = count;
	p->ids = count > 2000 ? 120 : 60;
	memset(p->hit, 0, sizeof(p->hit));
	for (size_t i = 0; i < count; i++)
		random_rule(p, i);
	for (int hook = 0; hook < FL_HOOKS; hook++)
		p->defaults[hook] = (struct plain_default){ rnd(p, 3), rnd(p, 2) != 0, 50000 };
}

/* One of its ends, next to one, or anything. */
static inline uint16_t near_port(struct random_policy *p, const struct term_value *v)
{
	switch (rnd(p, 6)) {
	case 0:
		return (uint16_t)(v->first - 1);
	case 1:
		return (uint16_t)(v->last + 1);
	case 2:
		return v->first;
	case 3:
	case 4:
		return v->last;
	default:
		return (uint16_t)rnd(p, 65536);
	}
}

/* In the prefix, first or last of it; or with one bit of the prefix another. */
static inline struct fl_addr near_prefix(struct random_policy *p, const struct term_value *v)
{
	struct fl_addr a = v->addr;
	uint32_t last = rnd(p, 2), flip = rnd(p, 8) ? 128 : v->bits - (v->bits > 0);

	for (uint32_t i = v->bits; last && i < 128; i++)
		a.b[i / 8] |= (uint8_t)(0x80 >> i % 8);
	if (flip < 128)
		a.b[flip / 8] ^= (uint8_t)(0x80 >> flip % 8);
	return a;
}

static inline void put_value(struct random_policy *p, struct fl_attempt *a, enum fl_dimension d,
			     const struct term_value *v)
{
	if (d >= FL_DIM_LISTENERS) {
		a->listeners[d - FL_DIM_LISTENERS] = v->first - 1 + rnd(p, 3);
		return;
	}
	switch (d) {
	case FL_DIM_EXE:
		a->exe = (struct fl_file){ .inode = v->id[0], .dev = (__u32)v->id[1] };
		break;
	case FL_DIM_PARENT:
		a->parent = (struct fl_file){ .inode = v->id[0], .dev = (__u32)v->id[1] };
		break;
	case FL_DIM_UID:
		a->owner.uid = (__u32)v->id[0];
		break;
	case FL_DIM_GID:
		a->owner.gid = (__u32)v->id[0];
		break;
	case FL_DIM_CGROUP:
		a->cgroup_id = v->id[0];
		break;
	case FL_DIM_NETNS:
		a->key.netns_cookie = v->id[0];
		break;
	case FL_DIM_LOCAL_ADDR:
		a->key.local = near_prefix(p, v);
		break;
	case FL_DIM_REMOTE_ADDR:
		a->key.remote = near_prefix(p, v);
		break;
	case FL_DIM_LOCAL_PORT:
		a->key.local_port = near_port(p, v);
		break;
	case FL_DIM_REMOTE_PORT:
		a->key.remote_port = near_port(p, v);
		break;
	case FL_DIM_INTERFACE:
		a->interface = v->id[0];
		break;
	case FL_DIM_INTERFACE_TYPE:
		a->interface_type = (__u32)v->id[0];
		break;
	case FL_DIM_TUNNEL_TYPE:
		a->tunnel_type = (__u32)v->id[0];
		break;
	case FL_DIM_PORT_IN_USE:
		a->port_in_use_by_other = (__u16)v->id[0];
		break;
	case FL_DIM_HOOK:
	case FL_DIMS:
	case FL_DIM_LISTENERS:
	case FL_DIMS_KNOWN:
		break;
	}
}

/* An attempt at the border of one rule, chosen by chance. */
static inline void random_attempt(struct random_policy *p, struct fl_attempt *a)
{
	const struct random_rule *r = &p->rules[rnd(p, (uint32_t)p->count)];

	memset(a, 0, sizeof(*a));
	for (enum fl_dimension d = FL_DIM_HOOK + 1; d < FL_DIMS_KNOWN; d++) {
		struct term_value v = random_value(p, d);

		put_value(p, a, d, &v);
	}
	for (size_t t = 0; t < r->rule.term_count; t++) {
		const struct term *term = &r->terms[t];

		if (!term->negated || rnd(p, 8) == 0)
			put_value(p, a, term->dimension, &term->values[rnd(p, term->count)]);
	}
	a->known = (1u << FL_DIMS_KNOWN) - 1;
	if (rnd(p, 16) == 0)
		a->known &= ~(1u << rnd(p, FL_DIMS_KNOWN));
	do {
		a->hook = (__u16)rnd(p, FL_HOOKS);
	} while (!(r->rule.hooks >> a->hook & 1) && rnd(p, 16));
	a->key.proto = r->rule.udp && (!r->rule.tcp || rnd(p, 2)) ? FL_UDP : FL_TCP;
}

/* --- what a person would say --- */

static inline bool bits_equal(const struct fl_addr *a, const struct fl_addr *b, uint32_t bits)
{
	for (uint32_t i = 0; i < bits; i++) {
		if ((a->b[i / 8] ^ b->b[i / 8]) & 0x80 >> i % 8)
			return false;
	}
	return true;
}

static inline bool says_value(const struct term_value *v, enum fl_dimension d,
			      const struct fl_attempt *a)
{
	if (d >= FL_DIM_LISTENERS)
		return a->listeners[d - FL_DIM_LISTENERS] >= v->first;
	switch (d) {
	case FL_DIM_EXE:
		return v->id[0] == a->exe.inode && v->id[1] == a->exe.dev;
	case FL_DIM_PARENT:
		return v->id[0] == a->parent.inode && v->id[1] == a->parent.dev;
	case FL_DIM_UID:
		return v->id[0] == a->owner.uid;
	case FL_DIM_GID:
		return v->id[0] == a->owner.gid;
	case FL_DIM_CGROUP:
		return v->id[0] == a->cgroup_id;
	case FL_DIM_NETNS:
		return v->id[0] == a->key.netns_cookie;
	case FL_DIM_LOCAL_ADDR:
		return bits_equal(&v->addr, &a->key.local, v->bits);
	case FL_DIM_REMOTE_ADDR:
		return bits_equal(&v->addr, &a->key.remote, v->bits);
	case FL_DIM_LOCAL_PORT:
		return a->key.local_port >= v->first && a->key.local_port <= v->last;
	case FL_DIM_REMOTE_PORT:
		return a->key.remote_port >= v->first && a->key.remote_port <= v->last;
	case FL_DIM_INTERFACE:
		return v->id[0] == a->interface;
	case FL_DIM_INTERFACE_TYPE:
		return v->id[0] == a->interface_type;
	case FL_DIM_TUNNEL_TYPE:
		return v->id[0] == a->tunnel_type;
	case FL_DIM_PORT_IN_USE:
		return v->id[0] == a->port_in_use_by_other;
	default:
		return false;
	}
}

static inline bool says_term(const struct random_rule *r, const struct term *t,
			     const struct fl_attempt *a)
{
	bool any = false;

	if (!(a->known & 1u << t->dimension))
		return r->rule.verdict == FL_REJECT;
	for (size_t v = 0; v < t->count; v++)
		any = any || says_value(&t->values[v], t->dimension, a);
	return t->negated ? !any : any;
}

static inline bool says_rule(const struct random_rule *r, const struct fl_attempt *a)
{
	if (!(r->rule.hooks & 1u << a->hook))
		return false;
	if (a->key.proto == FL_UDP ? !r->rule.udp : !r->rule.tcp)
		return false;
	for (size_t t = 0; t < r->rule.term_count; t++) {
		if (!says_term(r, &r->terms[t], a))
			return false;
	}
	return true;
}

static inline bool names_namespace(const struct random_rule *r)
{
	for (size_t t = 0; t < r->rule.term_count; t++) {
		if (r->terms[t].dimension == FL_DIM_NETNS)
			return true;
	}
	return false;
}

/* Tags of the rule that decides and of the one in audit before it, -1: none. */
static inline void says_policy(struct random_policy *p, const struct fl_attempt *a,
			       int *ret_decides, int *ret_audited)
{
	*ret_decides = *ret_audited = -1;
	for (int wildcard = 0; wildcard < 2; wildcard++) {
		for (size_t i = 0; i < p->count; i++) {
			const struct random_rule *r = &p->rules[i];

			if (names_namespace(r) == wildcard || !says_rule(r, a))
				continue;
			p->hit[i] = true;
			if (r->rule.enforced) {
				*ret_decides = (int)i;
				return;
			}
			if (*ret_audited < 0)
				*ret_audited = (int)i;
		}
	}
}

static inline size_t rules_hit(const struct random_policy *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->count; i++)
		n += p->hit[i];
	return n;
}

#endif
