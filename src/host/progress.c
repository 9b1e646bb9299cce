/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/progress.h"
#include "text/log.h"
#include "host/notify.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TEXT 128
#define MORE_TIME "EXTEND_TIMEOUT_USEC=60000000" /* a minute from the last news on */

struct progress {
	pthread_t thread;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t over;
	bool is_over;
	struct progress_step step;
	char said[TEXT]; /* last; "" nothing */
};

void progress_text(const struct progress_step *step, __u64 done, char *text, size_t size)
{
	if (!step->done)
		snprintf(text, size, "%s", step->what);
	else if (step->total >= done && step->total)
		snprintf(text, size, "%s: %llu of about %llu sockets", step->what, done,
			 step->total);
	else
		snprintf(text, size, "%s: %llu sockets", step->what, done);
}

/* Who hangs has no news, and gets no more time. */
static void say(const char *text)
{
	char state[TEXT + 64];

	if (log_is_read())
		log_line(LOG_LEVEL_INFO, "%s", text);
	snprintf(state, sizeof(state), "STATUS=%s\n" MORE_TIME, text);
	(void)notify(state);
}

static void say_news(struct progress *p)
{
	char text[TEXT];

	if (!p->step.what)
		return;
	progress_text(&p->step, p->step.done ? p->step.done(p->step.arg) : 0, text, sizeof(text));
	if (!strcmp(text, p->said))
		return;
	memcpy(p->said, text, sizeof(text));
	say(text);
}

/* True when it is over before a second has gone by. */
static bool is_over_in_a_second(struct progress *p)
{
	struct timespec until;
	int r = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec++;
	while (!p->is_over && r != ETIMEDOUT)
		r = pthread_cond_timedwait(&p->over, &p->lock, &until);
	return p->is_over;
}

static void *watch(void *arg)
{
	struct progress *p = arg;

	pthread_mutex_lock(&p->lock);
	while (!is_over_in_a_second(p))
		say_news(p);
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

static void release(struct progress *p)
{
	pthread_cond_destroy(&p->over);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

int progress_new(struct progress **ret_progress)
{
	struct progress *p = calloc(1, sizeof(*p));
	pthread_condattr_t monotonic;
	int r;

	if (!p)
		return -ENOMEM;
	pthread_mutex_init(&p->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&p->over, &monotonic);
	pthread_condattr_destroy(&monotonic);
	r = pthread_create(&p->thread, NULL, watch, p);
	if (r) {
		release(p);
		return -r;
	}
	*ret_progress = p;
	return 0;
}

void progress_next(struct progress *p, const struct progress_step *step)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->step = *step;
	pthread_mutex_unlock(&p->lock);
}

void progress_free(struct progress *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->is_over = true;
	pthread_cond_signal(&p->over);
	pthread_mutex_unlock(&p->lock);
	pthread_join(p->thread, NULL);
	if (*p->said)
		(void)notify("STATUS=");
	release(p);
}
