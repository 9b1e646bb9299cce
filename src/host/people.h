/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host's users and groups. Its name service may ask a directory far away (LDAP, sssd), which
 * may not answer, for minutes: each question is asked in a thread of its own, and nobody waits for
 * it longer than he says. A question that was given up ends by itself.
 */
#ifndef FLOWNER_PEOPLE_H
#define FLOWNER_PEOPLE_H

#include <linux/types.h>
#include <stdbool.h>

/* Numbers of names. -ENOENT there is none, -ETIMEDOUT nobody said so in three seconds, -ENOMEM. */
int people_uid(const char *name, __u64 *ret_uid);
int people_gid(const char *name, __u64 *ret_gid);

/* The name of UID, for who does not wait. The thread has the privileges of who calls this. */
struct question;
int people_ask_name(__u32 uid, struct question **ret_question);

/* Whether there is an answer by now, or in MS milliseconds. */
bool people_answered(struct question *q, unsigned int ms);

/* Of an answered one: malloc'ed, once; NULL, there is no such name. */
char *people_name(struct question *q);

/* Answered or not. NULL is fine. */
void people_forget(struct question *q);

#endif
