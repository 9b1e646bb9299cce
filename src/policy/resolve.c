/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every term of the policy has a counterpart in numbers, filled by the kind of its attribute:
 * people once, files by exefiles.c, cgroups from a list of all there are, namespaces by looking.
 * When a list of numbers changes, only the numbers that came or went are classified anew: no other
 * one's set of rules can have changed.
 */
#include "policy/resolve.h"

#include "host/cgroup.h"
#include "text/cleanup.h"
#include "host/exefiles.h"
#include "host/names.h"
#include "host/netns.h"
#include "host/people.h"
#include <flowner/birth.h>

#include <errno.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>

#define CONTAINER_DIGITS_MIN 12 /* what docker shows of 64 */

/* A growing list of values. */
struct numbers {
	struct term_value *values;
	size_t count;
};

/* One that is there, or that a word names and may come: see birth.h. */
struct cgroup {
	struct term_value value; /* id, 0; or a hash and its enum fl_birth_kind */
	char *path;
	bool seen; /* by the last look at all of them */
};

/* A term of a plain rule, and what it was made from. */
struct counterpart {
	const struct policy_rule *rule;
	const struct policy_term *from; /* NULL: the namespace that an interface implies */
	size_t term;			/* of the plain rule */
};

struct resolution {
	const struct policy *policy;
	struct resolve_world world;
	__u64 birth_key[2];
	struct exefiles *files;
	struct plain_rule *rules; /* as many as the policy's; each has its array of terms */
	struct counterpart *parts;
	size_t part_count;
	struct cgroup *cgroups;
	size_t cgroup_count, cgroup_next; /* after the one found last */
	bool wants_cgroups;
};

/* --- people --- */

int resolve_user(const char *name, __u64 *ret_uid)
{
	return people_uid(name, ret_uid);
}

int resolve_group(const char *name, __u64 *ret_gid)
{
	char *end;
	unsigned long long number;
	int r = people_gid(name, ret_gid);

	if (r != -ENOENT || name[strspn(name, "0123456789")])
		return r;
	errno = 0;
	number = strtoull(name, &end, 10);
	if (errno || number >= 0xffffffff)
		return -ENOENT;
	*ret_gid = number;
	return 0;
}

static int person(enum policy_attribute attribute, const struct policy_word *word, __u64 *ret_id,
		  struct policy_error *error)
{
	bool user = attribute == POLICY_USER;
	int r = user ? resolve_user(word->text, ret_id) : resolve_group(word->text, ret_id);

	if (r == -ETIMEDOUT) {
		error->place = word->place;
		snprintf(error->why, sizeof(error->why),
			 "the host's name service does not say who '%.64s' is: try again, or use a "
			 "number",
			 word->text);
		return -EINVAL;
	}
	if (r == -ENOENT) {
		error->place = word->place;
		snprintf(error->why, sizeof(error->why), "there is no %s '%.64s'%s",
			 user ? "user" : "group", word->text,
			 user ? "; for a number there is 'uid'" : "");
		return -EINVAL;
	}
	return r;
}

static bool is_person(enum policy_attribute attribute)
{
	return attribute == POLICY_USER || attribute == POLICY_GROUP;
}

int resolve_people(const struct policy *policy, struct policy_error *error)
{
	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct policy_rule *rule = &policy->rules[i];

		for (size_t t = 0; t < rule->term_count; t++) {
			const struct policy_term *term = &rule->terms[t];

			for (size_t w = 0; is_person(term->attribute) && w < term->count; w++) {
				__u64 id;
				int r = person(term->attribute, &term->words[w], &id, error);

				if (r)
					return r;
			}
		}
	}
	return 0;
}

/* --- cgroups --- */

static bool is_below(const char *path, const char *root)
{
	size_t len = strlen(root);

	while (len && root[len - 1] == '/')
		len--;
	return strncmp(path, root, len) == 0 && (!path[len] || path[len] == '/');
}

/* Whole, or the first digits of one as its runtime shows it. */
bool resolve_container_matches(const char *word, const char *id)
{
	size_t len = strlen(word);

	if (strcmp(word, id) == 0)
		return true;
	return len >= CONTAINER_DIGITS_MIN && strlen(id) == CONTAINER_ID_MAX - 1 &&
	       !id[strspn(id, "0123456789abcdef")] && strncmp(id, word, len) == 0;
}

/* TERM restricts more where it holds. */
static bool restricts(const struct policy_rule *rule, const struct policy_term *term)
{
	return (rule->verdict == FL_REJECT || rule->flags & FL_RULE_REDIRECT) != term->negated;
}

bool resolve_cgroup_matches(const struct policy_rule *rule, const struct policy_term *term,
			    const char *word, const char *path)
{
	char unit[UNIT_MAX], container[CONTAINER_ID_MAX];
	bool users;

	switch (term->attribute) {
	case POLICY_CGROUP:
		return is_below(path, word);
	case POLICY_UNIT:
		return cgroup_path_system_unit(path, unit) == 0 && strcmp(unit, word) == 0;
	case POLICY_CONTAINER:
		return cgroup_path_outer_container(path, container, &users) == 0 &&
		       resolve_container_matches(word, container) &&
		       (!users || restricts(rule, term));
	default:
		return false;
	}
}

static bool is_cgroup(enum policy_attribute attribute)
{
	return policy_dimension(attribute) == FL_DIM_CGROUP;
}

static bool means_cgroup(const struct counterpart *part, const char *path)
{
	const struct policy_term *term = part->from;

	for (size_t w = 0; w < term->count; w++) {
		if (resolve_cgroup_matches(part->rule, term, term->words[w].text, path))
			return true;
	}
	return false;
}

static bool same_id(const struct term_value *a, const struct term_value *b)
{
	return !memcmp(a->id, b->id, sizeof(a->id));
}

/* A walk of all cgroups asks for them as the one before did: the next one is it, mostly. */
static struct cgroup *cgroup_find(struct resolution *r, const struct term_value *value)
{
	for (size_t i = 0; i < r->cgroup_count; i++) {
		size_t at = (r->cgroup_next + i) % r->cgroup_count;

		if (!same_id(&r->cgroups[at].value, value))
			continue;
		r->cgroup_next = at + 1;
		return &r->cgroups[at];
	}
	return NULL;
}

static int cgroup_add(struct resolution *r, const struct term_value *value, const char *path)
{
	struct cgroup *known = cgroup_find(r, value), *grown;
	char *copy = strdup(path);

	if (!copy)
		return -ENOMEM;
	if (known) {
		free(known->path);
		known->path = copy;
		known->seen = true;
		return 0;
	}
	grown = reallocarray(r->cgroups, r->cgroup_count + 1, sizeof(*grown));
	if (!grown) {
		free(copy);
		return -ENOMEM;
	}
	r->cgroups = grown;
	grown[r->cgroup_count++] = (struct cgroup){ *value, copy, true };
	return 0;
}

static int cgroup_know(void *arg, __u64 id, const char *path)
{
	const struct term_value value = { .id = { id, 0 } };

	return cgroup_add(arg, &value, path);
}

static void cgroup_forget(struct resolution *r, const struct term_value *value)
{
	struct cgroup *known = cgroup_find(r, value);

	if (!known)
		return;
	free(known->path);
	*known = r->cgroups[--r->cgroup_count];
}

static struct fl_birth birth_of(const struct resolution *r, const char *path, size_t length)
{
	struct fl_birth b;

	fl_birth_begin(&b, r->birth_key);
	for (size_t i = 0; i < length; i++)
		fl_birth_step(&b, (__u8)path[i]);
	return b;
}

/* What the kernel side looks up when a cgroup is made that WORD may mean. */
static int cgroup_expect(struct resolution *r, enum policy_attribute attribute, const char *word)
{
	struct term_value value = { .id = { 0, FL_BIRTH_PATH } };
	_free_ char *path = NULL;
	size_t length = strlen(word);
	struct fl_birth b;

	if (attribute == POLICY_CONTAINER)
		return 0;
	while (attribute == POLICY_CGROUP && length && word[length - 1] == '/')
		length--;
	if (asprintf(&path, "%s%.*s", attribute == POLICY_UNIT ? "/" : "", (int)length, word) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	b = birth_of(r, path, strlen(path));
	value.id[0] = fl_birth_path(&b);
	if (attribute == POLICY_UNIT) {
		value.id[1] = FL_BIRTH_NAME;
		b = birth_of(r, word, length);
		value.id[0] = fl_birth_name(&b);
	}
	return cgroup_add(r, &value, path);
}

/* --- network namespaces and interfaces --- */

static int netns_look(const struct resolution *r, __u32 inum, __u64 *ret_cookie)
{
	if (!r->world.netns_cookie)
		return -ENOENT;
	return r->world.netns_cookie(r->world.arg, inum, ret_cookie);
}

static int netns_by_word(const struct resolution *r, const char *word, __u64 *ret_cookie)
{
	__u32 inum = 0;
	int err = netns_parse(word, &inum);

	if (!err)
		err = netns_look(r, inum, ret_cookie);
	return !err && !*ret_cookie ? -ENOENT : err;
}

struct interface_search {
	__u32 inum;
	const char *name;
	bool found;
};

/* Any socket answers for the namespace it was made in. */
static void interface_ask(int fd, struct interface_search *s)
{
	struct ifreq request = { 0 };
	size_t len = strlen(s->name);

	if (len >= sizeof(request.ifr_name))
		return;
	memcpy(request.ifr_name, s->name, len);
	s->found = fd >= 0 && ioctl(fd, SIOCGIFINDEX, &request) == 0;
}

static int interface_in(const char *path, __u32 inum, void *arg)
{
	struct interface_search *s = arg;
	_close_ int fd = -1;
	__u64 cookie;

	if (inum != s->inum)
		return 0;
	if (netns_socket(path, NETLINK_SOCK_DIAG, &fd, &cookie) == 0)
		interface_ask(fd, s);
	return 1;
}

static void interface_here(struct interface_search *s)
{
	_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	interface_ask(fd, s);
}

/* The `netns` of RULE; NULL: none, so our own is meant. */
static const char *rule_netns(const struct policy_rule *rule)
{
	for (size_t t = 0; t < rule->term_count; t++) {
		if (rule->terms[t].attribute == POLICY_NETNS && !rule->terms[t].negated)
			return rule->terms[t].words[0].text;
	}
	return NULL;
}

/* To say so when it is not; what a rule asks for is the name. */
static bool is_interface(const struct policy_rule *rule, const char *word)
{
	struct interface_search s = { .name = word };
	const char *netns = rule_netns(rule);

	if (!netns)
		interface_here(&s);
	else if (netns_parse(netns, &s.inum) == 0)
		(void)netns_each(interface_in, &s);
	return s.found;
}

/* --- numbers of a term --- */

static bool numbers_have(const struct numbers *n, const struct term_value *v)
{
	for (size_t i = 0; i < n->count; i++) {
		if (same_id(&n->values[i], v))
			return true;
	}
	return false;
}

static int numbers_add(struct numbers *n, const struct term_value *v)
{
	struct term_value *grown = reallocarray(n->values, n->count + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	n->values = grown;
	grown[n->count++] = *v;
	return 0;
}

static struct term_value number(__u64 id)
{
	return (struct term_value){ .id = { id, 0 } };
}

static struct term_value file_value(const struct exefile *file)
{
	return (struct term_value){ .id = { file->id.inode, file->id.dev, file->name } };
}

struct file_list {
	struct numbers *numbers;
	bool there; /* not only a place */
	int error;
};

static void add_file(void *arg, const char *path, const struct exefile *file, bool came)
{
	struct file_list *list = arg;
	struct term_value v = file_value(file);

	(void)path;
	(void)came;
	list->there = list->there || !file->name;
	if (!list->error && !numbers_have(list->numbers, &v))
		list->error = numbers_add(list->numbers, &v);
}

static struct term *term_of(const struct resolution *r, const struct counterpart *part)
{
	return &r->rules[part->rule - r->policy->rules].terms[part->term];
}

/* A term on people has a number for each of its words, in their order. */
static bool is_known_person(const struct resolution *r, enum policy_attribute attribute,
			    const char *name, __u64 *ret_id)
{
	for (size_t i = 0; r && i < r->part_count; i++) {
		const struct policy_term *from = r->parts[i].from;

		for (size_t w = 0; from && from->attribute == attribute && w < from->count; w++) {
			if (strcmp(from->words[w].text, name) != 0)
				continue;
			*ret_id = term_of(r, &r->parts[i])->values[w].id[0];
			return true;
		}
	}
	return false;
}

static int fill_cgroups(const struct resolution *r, const struct counterpart *part,
			struct numbers *n)
{
	int err = 0;

	for (size_t i = 0; !err && i < r->cgroup_count; i++) {
		if (means_cgroup(part, r->cgroups[i].path))
			err = numbers_add(n, &r->cgroups[i].value);
	}
	return err;
}

/* What one WORD stands for now, into N; nothing is no error. */
static int fill_word(struct resolution *r, const struct counterpart *part,
		     const struct policy_word *word, struct numbers *n, struct policy_error *error)
{
	struct file_list list = { .numbers = n };
	struct term_value v = word->value;
	int err = 0;

	switch (part->from->attribute) {
	case POLICY_EXE:
	case POLICY_PARENT:
		exefiles_each(r->files, word->text, add_file, &list);
		return list.error;
	case POLICY_USER:
	case POLICY_GROUP:
		if (!is_known_person(r->world.known, part->from->attribute, word->text, &v.id[0]))
			err = person(part->from->attribute, word, &v.id[0], error);
		break;
	case POLICY_NETNS:
		err = netns_by_word(r, word->text, &v.id[0]);
		break;
	default:
		break;
	}
	if (err)
		return is_person(part->from->attribute) ? err : 0;
	return numbers_add(n, &v);
}

static int fill(struct resolution *r, const struct counterpart *part, struct numbers *n,
		struct policy_error *error)
{
	struct term_value own = { 0 };
	int err = 0;

	if (!part->from) {
		if (netns_look(r, 0, &own.id[0]) || !own.id[0])
			return 0;
		return numbers_add(n, &own);
	}
	if (is_cgroup(part->from->attribute))
		return fill_cgroups(r, part, n);
	for (size_t w = 0; !err && w < part->from->count; w++)
		err = fill_word(r, part, &part->from->words[w], n, error);
	return err;
}

/* --- telling changes --- */

struct telling {
	struct resolution *r;
	struct compiled *c;
	resolve_change_fn fn;
	void *arg;
	int error; /* the first */
};

static bool is_named(const struct resolution *r, enum fl_dimension d, const struct term_value *v)
{
	for (size_t i = 0; i < r->policy->rule_count; i++) {
		const struct plain_rule *rule = &r->rules[i];

		for (size_t t = 0; t < rule->term_count; t++) {
			const struct term *term = &rule->terms[t];
			const struct numbers n = { term->values, term->count };

			if (term->dimension == d && numbers_have(&n, v))
				return true;
		}
	}
	return false;
}

static void tell(struct telling *t, enum fl_dimension d, const struct term_value *v)
{
	struct resolve_change change = { .key.dimension = d };
	bool is_new = false;
	int err = 0;

	if (!t->c)
		return;
	memcpy(change.key.id, v->id, sizeof(change.key.id));
	change.gone = !is_named(t->r, d, v);
	if (!change.gone)
		err = compiled_classify(t->c, t->r->rules, d, v, &change.class, &is_new);
	if (!err) {
		change.grown = is_new ? t->c : NULL;
		err = t->fn(t->arg, &change);
	}
	t->error = t->error ? t->error : err;
}

static int value_add(struct term *term, const struct term_value *v, bool *changed)
{
	struct numbers n = { term->values, term->count };
	int err;

	if (numbers_have(&n, v))
		return 0;
	err = numbers_add(&n, v);
	if (err)
		return err;
	term->values = n.values;
	term->count = n.count;
	*changed = true;
	return 0;
}

static void value_remove(struct term *term, const struct term_value *v, bool *changed)
{
	for (size_t i = 0; i < term->count; i++) {
		if (!same_id(&term->values[i], v))
			continue;
		term->values[i] = term->values[--term->count];
		*changed = true;
		return;
	}
}

/* --- files that change --- */

static bool names_path(const struct policy_term *from, const char *path)
{
	for (size_t w = 0; w < from->count; w++) {
		if (strcmp(from->words[w].text, path) == 0)
			return true;
	}
	return false;
}

/* By another of its paths FROM still means FILE: a hard link, or a symbolic one to the same. */
static bool still_means(const struct resolution *r, const struct policy_term *from,
			const char *path, const struct term_value *file)
{
	struct numbers n = { 0 };
	struct file_list list = { .numbers = &n };
	bool found;

	for (size_t w = 0; w < from->count; w++) {
		if (strcmp(from->words[w].text, path) != 0)
			exefiles_each(r->files, from->words[w].text, add_file, &list);
	}
	/* without memory: rather a file too many, it is still held */
	found = list.error || numbers_have(&n, file);
	free(n.values);
	return found;
}

static void on_file(void *arg, const char *path, const struct exefile *file, bool came)
{
	struct telling *t = arg;
	struct term_value v = file_value(file);
	bool changed[FL_DIMS] = { false };

	for (size_t i = 0; i < t->r->part_count; i++) {
		const struct counterpart *part = &t->r->parts[i];
		enum fl_dimension d = term_of(t->r, part)->dimension;
		int err = 0;

		if ((d != FL_DIM_EXE && d != FL_DIM_PARENT) || !names_path(part->from, path))
			continue;
		if (came)
			err = value_add(term_of(t->r, part), &v, &changed[d]);
		else if (!still_means(t->r, part->from, path, &v))
			value_remove(term_of(t->r, part), &v, &changed[d]);
		t->error = t->error ? t->error : err;
	}
	for (enum fl_dimension d = 0; d < FL_DIMS; d++) {
		if (changed[d])
			tell(t, d, &v);
	}
}

int resolution_fd(const struct resolution *r)
{
	return exefiles_fd(r->files);
}

/* --- cgroups that come and go --- */

/* Told in any case: what the kernel side has written of it may be that it is not known. */
static int cgroup_came(struct telling *t, __u64 id, const char *path)
{
	struct resolution *r = t->r;
	struct term_value v = number(id);
	bool changed = false;
	int err = cgroup_know(r, id, path);

	for (size_t i = 0; !err && i < r->part_count; i++) {
		const struct counterpart *part = &r->parts[i];

		if (part->from && is_cgroup(part->from->attribute) && means_cgroup(part, path))
			err = value_add(term_of(r, part), &v, &changed);
	}
	tell(t, FL_DIM_CGROUP, &v);
	return err;
}

static void cgroup_gone(struct telling *t, const struct term_value *gone)
{
	const struct term_value v = *gone;
	bool changed = false;

	cgroup_forget(t->r, &v);
	for (size_t i = 0; i < t->r->part_count; i++) {
		struct term *term = term_of(t->r, &t->r->parts[i]);

		if (term->dimension == FL_DIM_CGROUP)
			value_remove(term, &v, &changed);
	}
	if (changed)
		tell(t, FL_DIM_CGROUP, &v);
}

int resolution_cgroup_came(struct resolution *r, __u64 id, const char *path, struct compiled *c,
			   resolve_change_fn fn, void *arg)
{
	struct telling t = { .r = r, .c = c, .fn = fn, .arg = arg };
	int err = r->wants_cgroups ? cgroup_came(&t, id, path) : 0;

	return err ? err : t.error;
}

int resolution_cgroup_gone(struct resolution *r, __u64 id, struct compiled *c, resolve_change_fn fn,
			   void *arg)
{
	struct telling t = { .r = r, .c = c, .fn = fn, .arg = arg };
	const struct term_value v = number(id);

	cgroup_gone(&t, &v);
	return t.error;
}

static int look_at(void *arg, __u64 id, const char *path)
{
	struct telling *t = arg;
	const struct term_value v = number(id);
	struct cgroup *known = cgroup_find(t->r, &v);

	if (!known)
		return cgroup_came(t, id, path);
	known->seen = true;
	return 0;
}

int resolution_look_at_cgroups(struct resolution *r, struct compiled *c, resolve_change_fn fn,
			       void *arg)
{
	struct telling t = { .r = r, .c = c, .fn = fn, .arg = arg };
	int err;

	if (!r->wants_cgroups || !r->world.cgroup_mount)
		return 0;
	for (size_t i = 0; i < r->cgroup_count; i++)
		r->cgroups[i].seen = r->cgroups[i].value.id[1] != 0;
	err = cgroup_each(r->world.cgroup_mount, look_at, &t);
	for (size_t i = r->cgroup_count; !err && i-- > 0;) {
		if (!r->cgroups[i].seen)
			cgroup_gone(&t, &r->cgroups[i].value);
	}
	return err ? err : t.error;
}

const __u64 *resolution_birth_key(const struct resolution *r)
{
	return r->birth_key;
}

/* The kernel side does not read that far. */
static bool is_long(const char *path)
{
	return strlen(path) >= FL_CGROUP_PATH - 1;
}

__u32 resolution_wants(const struct resolution *r)
{
	__u32 wants = 0;

	for (size_t i = 0; i < r->part_count; i++) {
		const struct policy_term *from = r->parts[i].from;

		if (from && from->attribute == POLICY_UNIT)
			wants |= FL_WANTS_UNITS;
		if (from && from->attribute == POLICY_CONTAINER)
			wants |= FL_WANTS_CONTAINERS;
		for (size_t w = 0; from && from->attribute == POLICY_CGROUP && w < from->count; w++)
			wants |= is_long(from->words[w].text) ? FL_WANTS_LONG : 0;
	}
	return wants;
}

/* --- where redirects lead to --- */

/* Whose address it is, where that is to be known: see is_listeners_own() of redirect.bpf.c. */
static __u64 home_of(const struct resolution *r, const struct policy_rule *rule)
{
	__u64 own = 0;

	if (!(rule->flags & FL_RULE_REDIRECT) || !(rule->to.parts & FL_TARGET_ADDR) ||
	    !r->world.has_address || !r->world.has_address(r->world.arg, &rule->to.addr) ||
	    netns_look(r, 0, &own))
		return 0;
	return own;
}

/* True: some have another one. */
static bool find_homes(struct resolution *r)
{
	bool changed = false;

	for (size_t i = 0; i < r->policy->rule_count; i++) {
		__u64 home = home_of(r, &r->policy->rules[i]);

		changed |= home != r->rules[i].home;
		r->rules[i].home = home;
	}
	return changed;
}

/* --- namespaces that come and go --- */

static void tell_difference(struct telling *t, enum fl_dimension d, const struct numbers *a,
			    const struct numbers *b)
{
	for (size_t i = 0; i < a->count; i++) {
		if (!numbers_have(b, &a->values[i]))
			tell(t, d, &a->values[i]);
	}
}

static int fill_again(struct telling *t, const struct counterpart *part)
{
	struct term *term = term_of(t->r, part);
	struct numbers before = { term->values, term->count }, now = { 0 };
	struct policy_error ignored;
	int err = fill(t->r, part, &now, &ignored);

	if (err) {
		free(now.values);
		return err;
	}
	term->values = now.values;
	term->count = now.count;
	tell_difference(t, term->dimension, &before, &now);
	tell_difference(t, term->dimension, &now, &before);
	free(before.values);
	return 0;
}

/* Not only by numbers, which may take a look at each process to find. */
static bool is_by_name(const struct policy_term *from)
{
	for (size_t w = 0; from && w < from->count; w++) {
		if (from->words[w].text[strspn(from->words[w].text, "0123456789")])
			return true;
	}
	return false;
}

static int look_at_namespaces(struct telling *t, bool by_name)
{
	struct resolution *r = t->r;
	int err = 0;

	for (size_t i = 0; !err && i < r->part_count; i++) {
		enum fl_dimension d = term_of(r, &r->parts[i])->dimension;

		if (d == FL_DIM_NETNS && (!by_name || is_by_name(r->parts[i].from)))
			err = fill_again(t, &r->parts[i]);
	}
	return err;
}

int resolution_look_again(struct resolution *r, struct compiled *c, resolve_change_fn fn, void *arg)
{
	struct telling t = { .r = r, .c = c, .fn = fn, .arg = arg };
	int err = look_at_namespaces(&t, false);

	if (find_homes(r) && !err)
		err = -E2BIG; /* it is a part of the rule, and not of what may be added to it */
	return err ? err : t.error;
}

/* --- what there is to do --- */

/* A namespace has its name by being mounted there. */
int resolution_run(struct resolution *r, struct compiled *c, resolve_change_fn fn, void *arg)
{
	struct telling t = { .r = r, .c = c, .fn = fn, .arg = arg };
	int err = exefiles_run(r->files, on_file, &t), looked = 0;

	if (exefiles_mounts_changed(r->files)) /* that is told once, whatever became of files */
		looked = look_at_namespaces(&t, true);
	err = err ? err : looked;
	return t.error ? t.error : err;
}

/* --- what stands for nothing --- */

static const char *why_unresolved(const struct resolution *r, const struct counterpart *part,
				  const struct policy_word *word)
{
	struct numbers n = { 0 };
	struct file_list list = { .numbers = &n };
	__u64 id;

	switch (part->from->attribute) {
	case POLICY_EXE:
	case POLICY_PARENT:
		exefiles_each(r->files, word->text, add_file, &list);
		free(n.values);
		return list.there ? NULL : "there is no such file";
	case POLICY_CGROUP:
	case POLICY_UNIT:
	case POLICY_CONTAINER:
		for (size_t i = 0; i < r->cgroup_count; i++) {
			if (!r->cgroups[i].value.id[1] &&
			    resolve_cgroup_matches(part->rule, part->from, word->text,
						   r->cgroups[i].path))
				return NULL;
		}
		return "there is no cgroup of it";
	case POLICY_NETNS:
		return netns_by_word(r, word->text, &id) ? "there is no such network namespace"
							 : NULL;
	case POLICY_INTERFACE:
		return is_interface(part->rule, word->text) ? NULL : "there is no such interface";
	default:
		return NULL;
	}
}

int resolution_unresolved(const struct resolution *r,
			  int (*fn)(void *arg, const struct unresolved *u), void *arg)
{
	int err = 0;

	for (size_t i = 0; i < r->part_count; i++) {
		const struct counterpart *part = &r->parts[i];

		for (size_t w = 0; !err && part->from && w < part->from->count; w++) {
			struct unresolved u = { .rule = part->rule,
						.word = &part->from->words[w],
						.attribute = part->from->attribute };

			u.why = why_unresolved(r, part, u.word);
			if (u.why)
				err = fn(arg, &u);
		}
	}
	return err;
}

/* --- the whole --- */

static bool implies_netns(const struct policy_rule *rule)
{
	bool interface = false;

	for (size_t t = 0; t < rule->term_count; t++) {
		if (rule->terms[t].attribute == POLICY_NETNS)
			return false;
		interface = interface || rule->terms[t].attribute == POLICY_INTERFACE;
	}
	return interface;
}

static void part_add(struct resolution *r, size_t index, const struct policy_term *from)
{
	const struct policy_rule *rule = &r->policy->rules[index];
	struct plain_rule *plain = &r->rules[index];

	plain->terms[plain->term_count] = (struct term){
		.dimension = from ? policy_dimension(from->attribute) : FL_DIM_NETNS,
		.negated = from && from->negated,
	};
	r->parts[r->part_count++] = (struct counterpart){ rule, from, plain->term_count++ };
	if (from && is_cgroup(from->attribute))
		r->wants_cgroups = true;
}

static int plain_make(struct resolution *r, size_t index)
{
	const struct policy_rule *rule = &r->policy->rules[index];
	struct plain_rule *plain = &r->rules[index];

	*plain = (struct plain_rule){ .hooks = rule->hooks,
				      .tcp = rule->tcp,
				      .udp = rule->udp,
				      .enforced = rule->enforced,
				      .here = implies_netns(rule),
				      .verdict = rule->verdict,
				      .flags = rule->flags,
				      .tag = index,
				      .to = rule->to };
	plain->terms = calloc(rule->term_count + 1, sizeof(*plain->terms));
	if (!plain->terms)
		return -ENOMEM;
	for (size_t t = 0; t < rule->term_count; t++)
		part_add(r, index, &rule->terms[t]);
	if (plain->here)
		part_add(r, index, NULL);
	return 0;
}

static int make_rules(struct resolution *r)
{
	size_t terms = 0;
	int err = 0;

	for (size_t i = 0; i < r->policy->rule_count; i++)
		terms += r->policy->rules[i].term_count + 1;
	r->rules = calloc(r->policy->rule_count + 1, sizeof(*r->rules));
	r->parts = calloc(terms + 1, sizeof(*r->parts));
	if (!r->rules || !r->parts)
		return -ENOMEM;
	for (size_t i = 0; !err && i < r->policy->rule_count; i++)
		err = plain_make(r, i);
	return err;
}

static int follow_files(struct resolution *r)
{
	int err = exefiles_new(&r->files);

	for (size_t i = 0; i < r->part_count; i++) {
		const struct policy_term *from = r->parts[i].from;
		bool file = from &&
			    (from->attribute == POLICY_EXE || from->attribute == POLICY_PARENT);

		for (size_t w = 0; !err && file && w < from->count; w++)
			err = exefiles_add(r->files, from->words[w].text);
	}
	return err;
}

static int expect_cgroups(struct resolution *r)
{
	int err = 0;

	for (size_t i = 0; i < r->part_count; i++) {
		const struct policy_term *from = r->parts[i].from;

		for (size_t w = 0; !err && from && is_cgroup(from->attribute) && w < from->count;
		     w++)
			err = cgroup_expect(r, from->attribute, from->words[w].text);
	}
	return err;
}

static int resolve_all(struct resolution *r, struct policy_error *error)
{
	int err = make_rules(r);

	if (!err)
		err = follow_files(r);
	if (!err)
		(void)find_homes(r);
	if (!err && r->wants_cgroups && r->world.cgroup_mount)
		err = cgroup_each(r->world.cgroup_mount, cgroup_know, r);
	if (!err)
		err = expect_cgroups(r);
	for (size_t i = 0; !err && i < r->part_count; i++) {
		struct term *term = term_of(r, &r->parts[i]);
		struct numbers n = { 0 };

		err = fill(r, &r->parts[i], &n, error);
		term->values = n.values; /* also on failure: they are freed with the rest */
		term->count = n.count;
	}
	return err;
}

int resolution_new(const struct policy *policy, const struct resolve_world *world,
		   struct resolution **ret_resolution, struct policy_error *error)
{
	struct resolution *r = calloc(1, sizeof(*r));
	int err;

	*error = (struct policy_error){ .why = "out of memory" };
	if (!r)
		return -ENOMEM;
	r->policy = policy;
	r->world = *world;
	err = getrandom(r->birth_key, sizeof(r->birth_key), 0) < 0 ? -errno : 0;
	if (!err)
		err = resolve_all(r, error);
	r->world.known = NULL;
	if (err) {
		if (err != -EINVAL && err != -ENOMEM)
			snprintf(error->why, sizeof(error->why), "cannot look names up: %s",
				 strerror(-err));
		resolution_free(r);
		return err;
	}
	*ret_resolution = r;
	return 0;
}

void resolution_free(struct resolution *r)
{
	if (!r)
		return;
	exefiles_free(r->files);
	for (size_t i = 0; r->rules && i < r->policy->rule_count; i++) {
		for (size_t t = 0; t < r->rules[i].term_count; t++)
			free(r->rules[i].terms[t].values);
		free(r->rules[i].terms);
	}
	free(r->rules);
	free(r->parts);
	for (size_t i = 0; i < r->cgroup_count; i++)
		free(r->cgroups[i].path);
	free(r->cgroups);
	free(r);
}

const struct plain_rule *resolution_rules(const struct resolution *r, size_t *ret_count)
{
	*ret_count = r->policy->rule_count;
	return r->rules;
}
