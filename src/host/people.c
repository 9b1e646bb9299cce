/* SPDX-License-Identifier: BSD-2-Clause */
/* A question belongs to who asked and to the thread; the last of them frees it. */
#include "host/people.h"

#include "text/cleanup.h"

#include <errno.h>
#include <grp.h>
#include <pthread.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BYTES_MAX (1u << 20) /* of one line of the user or group data base */
#define WAIT_MS 3000
#define SILENT_MS 100 /* once nobody has answered for so long */

struct question {
	/* -ERANGE: BUF is too short */
	int (*ask)(struct question *q, char *buf, size_t size);
	__u64 id;   /* asked for, or answered */
	char *name; /* the same */

	pthread_mutex_t lock;
	pthread_cond_t answered;
	bool done;
	unsigned int owners;
	int result;
};

/* --- the three there are; getXXX_r() has an error for its result, 0 also when there is none --- */

static int failed(int error)
{
	return error == ERANGE ? -ERANGE : -ENOENT;
}

static int ask_uid(struct question *q, char *buf, size_t size)
{
	struct passwd pw, *found = NULL;
	int error = getpwnam_r(q->name, &pw, buf, size, &found);

	if (error || !found)
		return failed(error);
	q->id = pw.pw_uid;
	return 0;
}

static int ask_gid(struct question *q, char *buf, size_t size)
{
	struct group gr, *found = NULL;
	int error = getgrnam_r(q->name, &gr, buf, size, &found);

	if (error || !found)
		return failed(error);
	q->id = gr.gr_gid;
	return 0;
}

static int ask_name(struct question *q, char *buf, size_t size)
{
	struct passwd pw, *found = NULL;
	int error;

	do {
		error = getpwuid_r((uid_t)q->id, &pw, buf, size, &found);
	} while (error == EINTR);
	if (error || !found)
		return failed(error);
	q->name = strdup(pw.pw_name);
	return q->name ? 0 : -ENOMEM;
}

/* --- the thread --- */

static int ask(struct question *q)
{
	for (size_t size = 1024; size <= BYTES_MAX; size *= 4) {
		_free_ char *buf = malloc(size);
		int r = buf ? q->ask(q, buf, size) : -ENOMEM;

		if (r != -ERANGE)
			return r;
	}
	return -ENOENT;
}

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
	free(q->name);
	free(q);
}

/* Nobody looks at the answer before `done`. */
static void *run(void *arg)
{
	struct question *q = arg;
	int result = ask(q);

	pthread_mutex_lock(&q->lock);
	q->result = result;
	q->done = true;
	pthread_cond_signal(&q->answered);
	pthread_mutex_unlock(&q->lock);
	let_go(q);
	return NULL;
}

/* --- who asks --- */

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

static int question_new(int (*fn)(struct question *q, char *buf, size_t size), __u64 id,
			const char *name, struct question **ret_question)
{
	struct question *q = calloc(1, sizeof(*q));
	int r = 0;

	if (!q)
		return -ENOMEM;
	pthread_mutex_init(&q->lock, NULL);
	pthread_cond_init(&q->answered, NULL);
	q->owners = 1;
	q->ask = fn;
	q->id = id;
	if (name && !(q->name = strdup(name)))
		r = -ENOMEM;
	if (!r)
		r = start(q);
	if (r) {
		people_forget(q);
		return r;
	}
	*ret_question = q;
	return 0;
}

bool people_answered(struct question *q, unsigned int ms)
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

void people_forget(struct question *q)
{
	if (q)
		let_go(q);
}

int people_ask_name(__u32 uid, struct question **ret_question)
{
	return question_new(ask_name, uid, NULL, ret_question);
}

char *people_name(struct question *q)
{
	return TAKE_PTR(q->name);
}

static void cleanup_question(struct question **q)
{
	people_forget(*q);
}

/* The daemon asks several times at its start. */
static unsigned int patience_ms = WAIT_MS;

static int number(int (*fn)(struct question *q, char *buf, size_t size), const char *name,
		  __u64 *ret_id)
{
	_cleanup_(cleanup_question) struct question *q = NULL;
	int r = question_new(fn, 0, name, &q);

	if (r)
		return r;
	if (!people_answered(q, patience_ms)) {
		patience_ms = SILENT_MS;
		return -ETIMEDOUT;
	}
	patience_ms = WAIT_MS;
	if (!q->result)
		*ret_id = q->id;
	return q->result;
}

int people_uid(const char *name, __u64 *ret_uid)
{
	return number(ask_uid, name, ret_uid);
}

int people_gid(const char *name, __u64 *ret_gid)
{
	return number(ask_gid, name, ret_gid);
}
