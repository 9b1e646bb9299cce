/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which class a cgroup has that has just been made, from its path and its parent: decided before a
 * process can be in it. Where that cannot be told from a name alone it is what is not known, until
 * the daemon has looked. Pure; the daemon writes down what it looks names up by.
 */
#ifndef FLOWNER_BIRTH_H
#define FLOWNER_BIRTH_H

#include <flowner/rule.h>
#include <flowner/siphash.h>
#include <linux/types.h>

/* Second half of a value of FL_DIM_CGROUP; 0: the first is a cgroup's id. */
enum fl_birth_kind {
	FL_BIRTH_PATH = 1, /* fl_birth_path() of a cgroup that some rule names */
	FL_BIRTH_NAME = 2, /* fl_birth_name() of a unit: below slices, of which none is named */
};

/* What rules ask of cgroups: beside the dimensions in fl_policy.wanted. LONG: one by a path that is
 * not read to its end. */
#define FL_WANTS_LONG (1u << 29)
#define FL_WANTS_UNITS (1u << 30)
#define FL_WANTS_CONTAINERS (1u << 31)

#define FL_BIRTH_SEED 0xcbf29ce484222325ULL
#define FL_BIRTH_PRIME 0x100000001b3ULL
#define FL_BIRTH_SLICE 0x2e736c696365ULL /* ".slice" */

/*
 * A path, byte by byte. Anybody may have cgroups of their own and choose their names: what makes
 * one the same as one that a rule names is hashed with a key they do not know.
 */
struct fl_birth {
	struct fl_siphash path;
	struct fl_siphash name; /* the last component */
	struct fl_siphash nothing;
	__u64 part, above;	   /* of that one and the one before: for two known words */
	__u64 tail;		   /* of the name: its last eight bytes */
	__u64 apart;		   /* all ones while all above is slices: else 0 */
	__u32 length, dots, start; /* of the name: its bytes, its dots, its first four bytes */
	__u32 unread;
};

FL_RULE void fl_birth_begin(struct fl_birth *b, const __u64 key[2])
{
	fl_siphash_begin(&b->nothing, key);
	b->path = b->name = b->nothing;
	b->part = b->above = FL_BIRTH_SEED;
	b->tail = 0;
	b->apart = ~0ULL;
	b->length = b->dots = b->start = b->unread = 0;
}

/* Of a path that is too long nothing is known, whatever was read of it. */
FL_RULE void fl_birth_unread(struct fl_birth *b)
{
	b->path = b->name = b->nothing;
	b->unread = 1;
}

FL_RULE __u64 fl_birth_choose(__u64 mask, __u64 yes, __u64 no)
{
	return (yes & mask) | (no & ~mask);
}

/* All ones when the name is that of a slice, or none at all; else 0. */
FL_RULE __u64 fl_birth_is_slice(const struct fl_birth *b)
{
	__u64 other = fl_mask((b->tail ^ FL_BIRTH_SLICE) & 0xffffffffffffULL);

	return (~other & fl_mask(b->tail >> 48)) | ~fl_mask(b->length);
}

/* C is not 0. Without a branch: a verifier would follow each way of each byte. */
FL_RULE void fl_birth_step(struct fl_birth *b, __u8 c)
{
	__u64 in_name = fl_mask(c ^ '/'), full = fl_mask(b->start >> 24);

	b->apart &= in_name | fl_birth_is_slice(b);
	b->tail = (b->tail << 8 | c) & in_name;
	fl_siphash_add(&b->path, c);
	fl_siphash_add(&b->name, c);
	for (int i = 0; i < 4; i++)
		b->name.v[i] = fl_birth_choose(in_name, b->name.v[i], b->nothing.v[i]);
	b->above = fl_birth_choose(in_name, b->above, b->part);
	b->part = fl_birth_choose(in_name, (b->part ^ c) * FL_BIRTH_PRIME, FL_BIRTH_SEED);
	b->start = (__u32)(fl_birth_choose(full, b->start, b->start << 8 | c) & in_name);
	b->dots = (__u32)((b->dots + 1 + fl_mask(c ^ '.')) & in_name);
	b->length = (__u32)((b->length + 1) & in_name);
}

FL_RULE __u64 fl_birth_path(const struct fl_birth *b)
{
	return fl_siphash_end(&b->path);
}

FL_RULE __u64 fl_birth_name(const struct fl_birth *b)
{
	return fl_siphash_end(&b->name);
}

#define FL_BIRTH_START(a, b, c, d) ((__u32)(a) << 24 | (b) << 16 | (c) << 8 | (d))

#define FL_BIRTH_LXC 0x12836f191ddaa6feULL	   /* "lxc" */
#define FL_BIRTH_LXC_PAYLOAD 0xf31a4a5d9933a2beULL /* "lxc.payload" */

/* By the rules of names.c, and a little more: 64 digits, or a name in one of these places. */
FL_RULE int fl_birth_may_be_container(const struct fl_birth *b)
{
	return b->length >= 64 || b->start == FL_BIRTH_START('l', 'x', 'c', '.') ||
	       b->start == FL_BIRTH_START('m', 'a', 'c', 'h') ||
	       b->start == FL_BIRTH_START('s', 'y', 's', 't') || b->above == FL_BIRTH_LXC ||
	       b->above == FL_BIRTH_LXC_PAYLOAD;
}

/* Of the names that a unit has, which is below slices and nothing else, and those a container may
 * have. */
FL_RULE int fl_birth_renames(const struct fl_birth *b, __u32 wanted)
{
	return (wanted & FL_WANTS_UNITS && b->dots && b->apart) ||
	       (wanted & FL_WANTS_CONTAINERS && fl_birth_may_be_container(b));
}

/* One '_' stands before names that the kernel could take for a control file. */
FL_RULE int fl_birth_is_escaped(const struct fl_birth *b)
{
	return b->start >> 24 == '_';
}

/*
 * Classes found by path, of the parent, and by name; NULL: there is none. 0 the newborn is like
 * cgroups that nobody names; 1 it has *RET_CLASS, which may be UNKNOWN.
 */
FL_RULE int fl_birth_class(const struct fl_birth *b, __u32 wanted, __u32 unknown,
			   const __u32 *by_path, const __u32 *of_parent, const __u32 *by_name,
			   __u32 *ret_class)
{
	*ret_class = unknown;
	if (b->unread) {
		if (wanted & (FL_WANTS_UNITS | FL_WANTS_CONTAINERS | FL_WANTS_LONG))
			return 1;
		if (of_parent)
			*ret_class = *of_parent;
		return of_parent != 0;
	}
	if (by_path) {
		*ret_class = *by_path;
		return 1;
	}
	if (of_parent) {
		if (!fl_birth_renames(b, wanted))
			*ret_class = *of_parent;
		return 1;
	}
	if (wanted & FL_WANTS_CONTAINERS && fl_birth_may_be_container(b))
		return 1;
	if (wanted & FL_WANTS_UNITS && b->apart && fl_birth_is_escaped(b))
		return 1;
	if (!by_name || !b->apart)
		return 0;
	*ret_class = *by_name;
	return 1;
}

#endif /* FLOWNER_BIRTH_H */
