/* SPDX-License-Identifier: BSD-2-Clause */
/* THE table: every moment we hook, the ways to hook it in order of preference, what is lost without. */
#ifndef FLOWNER_HOOKS_H
#define FLOWNER_HOOKS_H

#include <stdbool.h>
#include <stddef.h>

enum hook_status {
	HOOK_UNUSED,	 /* a better way of the same moment is on, or it is optional and off */
	HOOK_ON,	 /* attached, and seen to fire where that can be tested */
	HOOK_REFUSED,	 /* the kernel refused to load or attach it: ERROR says why */
	HOOK_SILENT,	 /* attached but the self-test did not see it fire: taken off again */
};

struct hook {
	const char *moment;  /* "accept" */
	const char *attach;  /* "lsm/sock_graft", as in the ELF section name */
	const char *program; /* name of the BPF program */
	const char *lost;    /* what is lost when no better row and not this one is on; NULL nothing */
	bool optional;	     /* the agent runs without any row of this moment */
	/* filled in at run time */
	enum hook_status status;
	int error; /* positive errno of the refusal */
};

struct hooks; /* the table with its state, see hooks.c */

size_t hooks_count(const struct hooks *h);
const struct hook *hooks_at(const struct hooks *h, size_t i);

/* "full", "no LSM", "no trampolines", "lowest": the tier of design.md this kernel gives us. */
const char *hooks_tier(const struct hooks *h);

#endif
