/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host's users and groups. Its name service may ask a directory far away (LDAP, sssd), which
 * may not answer, for minutes: see question.h.
 */
#ifndef FLOWNER_PEOPLE_H
#define FLOWNER_PEOPLE_H

#include "host/question.h"

#include <linux/types.h>

/* Numbers of names. -ENOENT there is none, -ETIMEDOUT nobody said so in three seconds, -ENOMEM. */
int people_uid(const char *name, __u64 *ret_uid);
int people_gid(const char *name, __u64 *ret_gid);

/* The name of UID, for who does not wait. */
int people_ask_name(__u32 uid, struct question **ret_question);

/* Of an answered one: malloc'ed, once; NULL, there is no such name. */
char *people_name(struct question *q);

#endif
