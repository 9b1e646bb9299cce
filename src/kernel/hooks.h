/* SPDX-License-Identifier: BSD-2-Clause */
/* THE table: every moment we hook, the ways to hook it, best first, and what is lost without. */
#ifndef FLOWNER_HOOKS_H
#define FLOWNER_HOOKS_H

#include <flowner/control.h>
#include <stdbool.h>
#include <stddef.h>

enum hook_status {
	HOOK_UNUSED,   /* a better way of the same moment is on, or it is optional and off */
	HOOK_ON,       /* attached, and seen to fire where that can be tested */
	HOOK_REFUSED,  /* the kernel refused to load or attach it: ERROR says why */
	HOOK_SILENT,   /* attached but the self-test did not see it fire: taken off again */
	HOOK_OFF,      /* --without named it */
	HOOK_NEEDLESS, /* this kernel does by itself what it is for */
};

#define HOOK_NO_PROBE (-1)

struct hook {
	const char *moment;  /* "accept" */
	const char *attach;  /* "lsm/sock_graft", as in the ELF section name */
	const char *program; /* name of the BPF program */
	const char *lost;  /* what is lost when neither this row nor a better one is on, or NULL */
	const char *limit; /* what stays lost while this is the row that is on, or NULL */
	const char *eased; /* the same while EASED_BY is on, too */
	const char *eased_by; /* name of a BPF program of another moment, or NULL */
	int rank;	      /* order of preference within the moment, 0 first */
	int probe;	      /* enum fl_probe its program notes when tested, or HOOK_NO_PROBE */
	bool optional;	      /* the agent runs without any row of this moment */
	/* filled in at run time */
	enum hook_status status;
	int error;     /* positive errno of the refusal; of a silent one, why nobody could see */
	bool unpinned; /* on, but its link ends with the daemon */
};

struct hooks; /* the table with its state, see hooks.c */

/* The table, every row HOOK_UNUSED. -ENOMEM. */
int hooks_new(struct hooks **ret_hooks);
void hooks_free(struct hooks *h);

size_t hooks_count(const struct hooks *h);
const struct hook *hooks_at(const struct hooks *h, size_t i);

struct hook *hooks_row(struct hooks *h, size_t i); /* for the one who attaches */

/*
 * Does without what LIST names, words with commas between: a way of attaching ("lsm", all of them)
 * or one row ("fentry/__sk_free"). LIST is kept. Returns a word that names neither an optional row
 * nor, as OTHERS says, anything elsewhere that one could do without (NULL: there is nothing); or
 * NULL: there is no such word.
 */
const char *hooks_forbid(struct hooks *h, const char *list,
			 bool (*others)(const char *word, size_t len));

/* What was forbidden names ATTACH, which need not be of the table. */
bool hook_is_forbidden(const struct hooks *h, const char *attach);

/* WORD, of LEN bytes, names ATTACH or its way of attaching. */
bool hook_is_named(const char *attach, const char *word, size_t len);

bool hook_is_iterator(const struct hook *hook);
bool hook_is_seed(const struct hook *hook); /* an iterator that finds what is open */
bool hook_is_lsm(const struct hook *hook);
bool hook_is_cgroup(const struct hook *hook);
bool hook_is_kprobe(const struct hook *hook);
bool hook_is_everywhere(const struct hook *hook); /* not only below --cgroup */
const char *hook_status_text(enum hook_status status);

/*
 * What row I leaves lost as things stand, NULL when nothing: the limit of a row that is on, or that
 * it is not pinned; or, at the last row of a moment of which none is on, the whole of it.
 */
const char *hooks_loss(const struct hooks *h, size_t i);

/* "full", "no LSM", "no trampolines", "lowest": the tier of design.md this kernel gives us. */
const char *hooks_tier(const struct hooks *h);

#endif
