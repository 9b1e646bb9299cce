/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A name service that does not answer while a test says so, and minutes that pass at once: stands
 * in for the calls of the system that wrap.mk names.
 */
#ifndef FAKE_PEOPLE_H
#define FAKE_PEOPLE_H

#include "fake_clock.h"
#include <pthread.h>
#include <pwd.h>
#include <stdbool.h>
#include <time.h>

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool silent;
	int open; /* calls under way */
} service = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

int __real_getpwuid_r(uid_t uid, struct passwd *pw, char *buf, size_t size, struct passwd **found);
int __wrap_getpwuid_r(uid_t uid, struct passwd *pw, char *buf, size_t size, struct passwd **found);
int __real_getpwnam_r(const char *name, struct passwd *pw, char *buf, size_t size,
		      struct passwd **found);
int __wrap_getpwnam_r(const char *name, struct passwd *pw, char *buf, size_t size,
		      struct passwd **found);
int __real_pthread_cond_clockwait(pthread_cond_t *cond, pthread_mutex_t *lock, clockid_t clock,
				  const struct timespec *until);
int __wrap_pthread_cond_clockwait(pthread_cond_t *cond, pthread_mutex_t *lock, clockid_t clock,
				  const struct timespec *until);

static void service_answers(void)
{
	pthread_mutex_lock(&service.lock);
	service.open++;
	while (service.silent)
		pthread_cond_wait(&service.changed, &service.lock);
	service.open--;
	pthread_cond_broadcast(&service.changed);
	pthread_mutex_unlock(&service.lock);
}

static inline int service_open(void)
{
	int open;

	pthread_mutex_lock(&service.lock);
	open = service.open;
	pthread_mutex_unlock(&service.lock);
	return open;
}

/* Who waits for an answer gets it first. */
static void service_is(bool silent)
{
	pthread_mutex_lock(&service.lock);
	while (silent && service.open)
		pthread_cond_wait(&service.changed, &service.lock);
	service.silent = silent;
	pthread_cond_broadcast(&service.changed);
	pthread_mutex_unlock(&service.lock);
}

int __wrap_getpwuid_r(uid_t uid, struct passwd *pw, char *buf, size_t size, struct passwd **found)
{
	service_answers();
	return __real_getpwuid_r(uid, pw, buf, size, found);
}

int __wrap_getpwnam_r(const char *name, struct passwd *pw, char *buf, size_t size,
		      struct passwd **found)
{
	service_answers();
	return __real_getpwnam_r(name, pw, buf, size, found);
}

int __wrap_pthread_cond_clockwait(pthread_cond_t *cond, pthread_mutex_t *lock, clockid_t clock,
				  const struct timespec *until)
{
	struct timespec real = *until;

	real.tv_sec -= later_s;
	return __real_pthread_cond_clockwait(cond, lock, clock, &real);
}

#endif
