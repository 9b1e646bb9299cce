/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A policy as people write it (flowner policy, /etc/flowner/policy.d): YAML text into rules, every
 * word checked as far as it can be without looking at the machine. What names stand for here is
 * resolve.h. Never prints.
 */
#ifndef FLOWNER_POLICY_FILE_H
#define FLOWNER_POLICY_FILE_H

#include "policy/compile.h"
#include "policy/policywords.h"

#define POLICY_DIR "/etc/flowner/policy.d"
#define POLICY_BYTES_MAX (4u << 20) /* of one file */

struct policy_place {
	const char *file;    /* the policy's own, or the caller's name of the text */
	size_t line, column; /* from 1; 0 = the file as a whole */
};

/* One failure, one sentence. */
struct policy_error {
	struct policy_place place;
	char why[512];
};

struct policy_word {
	char *text;
	struct policy_place place;
	struct term_value value; /* of a number, an address or a port; 0 for a name */
};

/* One attribute of a rule: any of the words; NEGATED: none of them. */
struct policy_term {
	enum policy_attribute attribute;
	bool negated;
	size_t count;
	struct policy_word *words;
};

/* All terms must hold. */
struct policy_rule {
	char *name;
	struct policy_place place;
	size_t text; /* it stands in this one of the texts */
	__u32 hooks; /* bit 1 << enum fl_hook */
	bool tcp, udp;
	bool enforced; /* else audit */
	bool allow_async;
	__u32 verdict; /* enum fl_verdict */
	__u32 flags;   /* FL_RULE_* */
	struct fl_target to;
	size_t term_count;
	struct policy_term *terms;
};

/* "reject", "redirect"...: of RULE, or without one VERDICT. */
const char *policy_outcome_text(const struct policy_rule *rule, enum fl_verdict verdict);

/* "127.0.0.1:3129", "127.0.0.1", ":3129", as people write `to`; BUF has ENDPOINT_TEXT bytes. */
const char *policy_target_text(const struct fl_target *to, char *buf);

struct policy {
	char **files;
	size_t file_count;
	bool enforced; /* what a rule is that does not say, and the defaults */
	__u32 hooks;   /* bit 1 << enum fl_hook: of any rule, or with a default of its own */
	struct plain_default defaults[FL_HOOKS];      /* tag: the hook */
	struct policy_place default_places[FL_HOOKS]; /* line 0: not given */
	size_t rule_count;
	struct policy_rule *rules;
};

struct policy_text {
	const char *name; /* in errors */
	const char *text;
	size_t size;
	bool added;	  /* to a policy in force: rules only, and its mode is theirs */
	__u64 ends_ns;	  /* CLOCK_BOOTTIME, of one that was added; 0: it stays */
	const char *gone; /* rules taken out of it: names, a newline behind each; NULL: none */
};

/*
 * All texts are one policy, their rules in this order; but what was added comes first, the latest
 * before all. -EINVAL with ERROR; its file is the NAME of the text. -E2BIG more than FL_RULES_MAX
 * rules, with ERROR. -ENOMEM.
 */
int policy_parse(const struct policy_text *texts, size_t count, struct policy **ret_policy,
		 struct policy_error *error);

/* Of files, in this order, each the NAME of its text. Negative errno of one that cannot be read,
 * with ERROR; -ENOMEM. */
int policy_texts_read(const char *const *paths, size_t count, struct policy_text **ret_texts,
		      struct policy_error *error);
void policy_texts_free(struct policy_text *texts, size_t count);

/* The same as policy_parse() of files. Negative errno of a file that cannot be read, with ERROR. */
int policy_read(const char *const *paths, size_t count, struct policy **ret_policy,
		struct policy_error *error);

/* The *.yaml of DIR in C-locale order; -ENOENT: no DIR. */
int policy_files(const char *dir, char ***ret_paths, size_t *ret_count);
void policy_files_free(char **paths);

void policy_free(struct policy *policy);

/* "FILE:LINE:COLUMN: WHY". */
const char *policy_error_format(const struct policy_error *error, char *buf, size_t size);

#endif
