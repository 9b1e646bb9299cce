/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A question to somebody who may not answer, for minutes or for ever: it is asked in a thread of
 * its own, and nobody waits for it longer than he says. One that was given up ends by itself.
 */
#ifndef FLOWNER_QUESTION_H
#define FLOWNER_QUESTION_H

#include <stdbool.h>

struct question;

/*
 * ASK runs with ARG in the thread, with the privileges of who calls this. ARG is the question's
 * from here on, whatever is returned: RELEASE is called with it once, when nobody has it any more.
 * -ENOMEM, -EAGAIN, as pthread_create().
 */
int question_ask(void (*ask)(void *arg), void (*release)(void *arg), void *arg,
		 struct question **ret_question);

/* Whether ASK has returned by now, or does in MS milliseconds. */
bool question_answered(struct question *q, unsigned int ms);

void *question_arg(const struct question *q); /* of an answered one, whose it stays */

/* Answered or not. NULL is fine. */
void question_forget(struct question *q);

#endif
