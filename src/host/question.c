/* SPDX-License-Identifier: BSD-2-Clause */
/* A question belongs to who asked and to the thread; the last of them frees it. */
#include "host/question.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct question {
	void (*ask)(void *arg);
	void (*release)(void *arg);
	void *arg; /* nobody's but the thread's before `done` */

	pthread_mutex_t lock;
	pthread_cond_t answered;
	bool done;
	unsigned int owners;
};

static void let_go(struct question *q)
{
	bool last;

	pthread_mutex_lock(&q->lock);
	last = --q->owners == 0;
	pthread_mutex_unlock(&q->lock);
	if (!last)
		return;
	pthread_mutex_destroy(&q->lock);
	pthread_cond_destroy(&q->answered);
	q->release(q->arg);
	free(q);
}

static void *run(void *arg)
{
	struct question *q = arg;

	q->ask(q->arg);
	pthread_mutex_lock(&q->lock);
	q->done = true;
	pthread_cond_signal(&q->answered);
	pthread_mutex_unlock(&q->lock);
	let_go(q);
	return NULL;
}

static int start(struct question *q)
{
	pthread_attr_t attr;
	pthread_t thread;
	int r;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	q->owners++;
	r = pthread_create(&thread, &attr, run, q);
	pthread_attr_destroy(&attr);
	if (r)
		q->owners--;
	return -r;
}

int question_ask(void (*ask)(void *arg), void (*release)(void *arg), void *arg,
		 struct question **ret_question)
{
	struct question *q = calloc(1, sizeof(*q));
	int r;

	if (!q) {
		release(arg);
		return -ENOMEM;
	}
	pthread_mutex_init(&q->lock, NULL);
	pthread_cond_init(&q->answered, NULL);
	q->owners = 1;
	q->ask = ask;
	q->release = release;
	q->arg = arg;
	r = start(q);
	if (r) {
		let_go(q);
		return r;
	}
	*ret_question = q;
	return 0;
}

bool question_answered(struct question *q, unsigned int ms)
{
	struct timespec until;
	bool done;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += (long)(ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&q->lock);
	while (!q->done && ms &&
	       pthread_cond_clockwait(&q->answered, &q->lock, CLOCK_MONOTONIC, &until) == 0)
		;
	done = q->done;
	pthread_mutex_unlock(&q->lock);
	return done;
}

void *question_arg(const struct question *q)
{
	return q->arg;
}

void question_forget(struct question *q)
{
	if (q)
		let_go(q);
}
