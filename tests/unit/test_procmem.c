/* SPDX-License-Identifier: BSD-2-Clause */
/* A process whose memory can be read, and one whose memory somebody keeps locked. */
#include "host/procmem.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_clock.h"

/* --- the kernel, as it waits for that lock; and seconds that pass at once --- */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool locked;
} memory = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

int __real_openat(int dir, const char *path, int flags, ...);
int __wrap_openat(int dir, const char *path, int flags, ...);
int __real_pthread_cond_clockwait(pthread_cond_t *cond, pthread_mutex_t *lock, clockid_t clock,
				  const struct timespec *until);
int __wrap_pthread_cond_clockwait(pthread_cond_t *cond, pthread_mutex_t *lock, clockid_t clock,
				  const struct timespec *until);

static void memory_is(bool locked)
{
	pthread_mutex_lock(&memory.lock);
	memory.locked = locked;
	pthread_cond_broadcast(&memory.changed);
	pthread_mutex_unlock(&memory.lock);
}

static bool memory_is_locked(void)
{
	bool locked;

	pthread_mutex_lock(&memory.lock);
	locked = memory.locked;
	pthread_mutex_unlock(&memory.lock);
	return locked;
}

int __wrap_openat(int dir, const char *path, int flags, ...)
{
	pthread_mutex_lock(&memory.lock);
	while (memory.locked)
		pthread_cond_wait(&memory.changed, &memory.lock);
	pthread_mutex_unlock(&memory.lock);
	return __real_openat(dir, path, flags);
}

int __wrap_pthread_cond_clockwait(pthread_cond_t *cond, pthread_mutex_t *lock, clockid_t clock,
				  const struct timespec *until)
{
	struct timespec real = *until;

	if (memory_is_locked())
		return ETIMEDOUT;
	real.tv_sec -= later_s;
	return __real_pthread_cond_clockwait(cond, lock, clock, &real);
}

/* --- args --- */

static ssize_t own_args(char *buf, size_t size)
{
	int dir = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	ssize_t n;

	assert_true(dir >= 0);
	n = procmem_args(dir, buf, size);
	close(dir);
	return n;
}

static void args(void **state)
{
	char wanted[4096], got[4096], some[3];
	FILE *file = fopen("/proc/self/cmdline", "r");
	size_t n;

	(void)state;
	assert_non_null(file);
	n = fread(wanted, 1, sizeof(wanted), file);
	fclose(file);
	assert_true(n > sizeof(some));
	assert_int_equal(own_args(got, sizeof(got)), n);
	assert_memory_equal(got, wanted, n);
	assert_int_equal(own_args(some, sizeof(some)), sizeof(some));
	assert_memory_equal(some, wanted, sizeof(some));
	assert_int_equal(procmem_args(-1, got, sizeof(got)), -EBADF);
}

/* Two seconds of twenty; and not more than four at once, however long it takes. */
static void args_that_nobody_tells(void **state)
{
	char buf[64];

	(void)state;
	memory_is(true);
	assert_int_equal(own_args(buf, sizeof(buf)), -ETIMEDOUT);
	assert_int_equal(own_args(buf, sizeof(buf)), -ETIMEDOUT);
	assert_int_equal(own_args(buf, sizeof(buf)), -EAGAIN);
	later_s = 21;
	assert_int_equal(own_args(buf, sizeof(buf)), -ETIMEDOUT);
	assert_int_equal(own_args(buf, sizeof(buf)), -ETIMEDOUT);
	later_s = 42;
	assert_int_equal(own_args(buf, sizeof(buf)), -EAGAIN);
	memory_is(false);
	while (own_args(buf, sizeof(buf)) == -EAGAIN) /* these four are answered first */
		;
	assert_true(own_args(buf, sizeof(buf)) > 0);
}

/* --- what is mapped --- */

static void maps(void **state)
{
	struct stat st;
	unsigned int dev;
	void *mapped;
	int fd;

	(void)state;
	fd = memfd_create("procmem", MFD_CLOEXEC);
	assert_true(fd >= 0 && ftruncate(fd, 4096) == 0 && fstat(fd, &st) == 0);
	dev = (major(st.st_dev) << 20) | minor(st.st_dev);
	assert_false(procmem_maps((__u32)getpid(), dev, st.st_ino));
	mapped = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	assert_true(mapped != MAP_FAILED);
	assert_true(procmem_maps((__u32)getpid(), dev, st.st_ino));
	assert_false(procmem_maps((__u32)getpid(), dev + 1, st.st_ino));
	assert_false(procmem_maps((__u32)getpid(), dev, st.st_ino + 1));
	assert_false(procmem_maps(0x7fffffff, dev, st.st_ino));
	munmap(mapped, 4096);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(args),
		cmocka_unit_test(args_that_nobody_tells),
		cmocka_unit_test(maps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
