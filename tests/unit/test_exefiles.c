/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Executables that are replaced, in a directory of the test's own. What a path stands for is told
 * by the calls the test gets, and compared with what the test did and stat() says.
 */
#include "host/exefiles.h"
#include "text/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

#include <cmocka.h>

#define KNOWN_MAX 20000
#define RENAMES 4000
#define WAIT_MS 30000

/* What we were told, by the test's only or its second path. */
struct known {
	struct fl_file files[KNOWN_MAX];
	size_t count;
	size_t came;
	struct exefile place; /* name 0: none */
	size_t moved;
};

static struct exefiles *files;
static struct known known;
static char dir[64];

/* What the module does every second is done more often here. */
int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *new, struct itimerspec *old);
int __real_timerfd_settime(int fd, int flags, const struct itimerspec *new, struct itimerspec *old);

int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *new, struct itimerspec *old)
{
	struct itimerspec faster = *new;

	if (new->it_value.tv_sec)
		faster.it_value = faster.it_interval = (struct timespec){ .tv_nsec = 20000000 };
	return __real_timerfd_settime(fd, flags, &faster, old);
}

static void on_place(struct known *k, const struct exefile *place, bool came)
{
	if (came) {
		k->place = *place;
		k->moved++;
	} else if (!memcmp(&k->place, place, sizeof(*place))) {
		k->place.name = 0;
	}
}

static void on_change(void *arg, const char *path, const struct exefile *file, bool came)
{
	struct known *k = arg;

	(void)path;
	if (file->name) {
		on_place(k, file, came);
		return;
	}
	if (came) {
		k->came++;
		assert_true(k->count < KNOWN_MAX);
		k->files[k->count++] = file->id;
		return;
	}
	for (size_t i = 0; i < k->count; i++) {
		if (!memcmp(&k->files[i], &file->id, sizeof(file->id))) {
			k->files[i] = k->files[--k->count];
			return;
		}
	}
	fail_msg("gone without having come");
}

static const char *in_dir(const char *name)
{
	static char path[4][4096];
	static unsigned int next;
	char *p = path[next++ % 4];

	snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
	return p;
}

static int setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/test_exefiles.XXXXXX");
	memset(&known, 0, sizeof(known));
	return mkdtemp(dir) && exefiles_new(&files) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	exefiles_free(files);
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command);
}

static void make(const char *name)
{
	int fd = open(in_dir(name), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0755);

	assert_true(fd >= 0);
	close(fd);
}

static void move(const char *from, const char *to)
{
	assert_int_equal(rename(in_dir(from), in_dir(to)), 0);
}

static ino_t inode(const char *name)
{
	struct stat st;

	assert_int_equal(stat(in_dir(name), &st), 0);
	return st.st_ino;
}

static bool knows(ino_t ino)
{
	for (size_t i = 0; i < known.count; i++) {
		if (known.files[i].inode == ino)
			return true;
	}
	return false;
}

static void run_now(void)
{
	assert_int_equal(exefiles_run(files, on_change, &known), 0);
}

/* Until DONE, waiting for the fd as the daemon's loop does. */
static void run_until(bool (*done)(void))
{
	_close_ int loop = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = { .events = EPOLLIN };

	assert_int_equal(epoll_ctl(loop, EPOLL_CTL_ADD, exefiles_fd(files), &event), 0);
	while (!done()) {
		if (epoll_wait(loop, &event, 1, WAIT_MS) != 1)
			fail_msg("nothing in %d ms", WAIT_MS);
		run_now();
	}
}

static void follow(const char *name)
{
	assert_int_equal(exefiles_add(files, in_dir(name)), 0);
	exefiles_each(files, in_dir(name), on_change, &known);
}

static bool one_is_left(void)
{
	return known.count == 1;
}

static bool none_is_left(void)
{
	return known.count == 0;
}

static void what_is_there_is_known_at_once(void **state)
{
	struct fl_file by_fd;
	_close_ int fd = -1;

	(void)state;
	make("a");
	follow("a");
	follow("a"); /* twice is once, but each() tells again */
	assert_int_equal(known.count, 2);
	assert_int_equal(known.files[0].inode, inode("a"));
	fd = open(in_dir("a"), O_PATH | O_CLOEXEC);
	assert_int_equal(exefiles_identify(fd, &by_fd), 0);
	assert_memory_equal(&by_fd, &known.files[0], sizeof(by_fd));
	assert_int_not_equal(by_fd.dev, 0);
	assert_int_equal(exefiles_unwatched(files), 0);
	assert_int_equal(exefiles_add(files, "relative"), -EINVAL);
}

static void a_rename_over_it(void **state)
{
	ino_t first, second;

	(void)state;
	make("a");
	first = inode("a");
	follow("a");
	make("a.new");
	second = inode("a.new");
	run_now();
	assert_int_equal(known.came, 1); /* another name is nobody's business */
	move("a.new", "a");
	run_now();
	assert_true(knows(first) && knows(second));
	run_until(one_is_left);
	assert_true(knows(second));
	assert_int_equal(known.came, 2);
}

static void removed_and_made_again(void **state)
{
	(void)state;
	make("a");
	follow("a");
	unlink(in_dir("a"));
	run_now();
	run_until(none_is_left);
	make("a");
	run_now();
	assert_true(knows(inode("a")));
	assert_int_equal(known.count, 1);
}

/* A file system gives numbers again at once; not one that we still speak of. */
static void a_number_is_not_used_again_while_it_is_known(void **state)
{
	char name[32];
	ino_t first;

	(void)state;
	make("a");
	first = inode("a");
	follow("a");
	unlink(in_dir("a"));
	for (int i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "other%d", i);
		make(name);
		assert_int_not_equal(inode(name), first);
	}
	run_now();
	for (int i = 500; i < 1000; i++) {
		snprintf(name, sizeof(name), "other%d", i);
		make(name);
		assert_int_not_equal(inode(name), first);
	}
	run_until(none_is_left);
}

static void a_name_that_comes_later(void **state)
{
	(void)state;
	follow("x/y/z/a");
	assert_int_equal(known.count, 0);
	assert_int_equal(mkdir(in_dir("x"), 0755), 0);
	run_now();
	/* faster than we look: both at once */
	assert_int_equal(mkdir(in_dir("x/y"), 0755), 0);
	assert_int_equal(mkdir(in_dir("x/y/z"), 0755), 0);
	make("x/y/z/a");
	run_now();
	assert_true(knows(inode("x/y/z/a")));
	assert_int_equal(known.count, 1);
}

static void a_directory_on_the_way_is_replaced(void **state)
{
	ino_t first;

	(void)state;
	assert_int_equal(mkdir(in_dir("v1"), 0755), 0);
	assert_int_equal(mkdir(in_dir("v2"), 0755), 0);
	make("v1/a");
	make("v2/a");
	first = inode("v1/a");
	assert_int_equal(symlink("v1", in_dir("now")), 0);
	follow("now/a");
	assert_true(knows(first));
	assert_int_equal(symlink(in_dir("v2"), in_dir("next")), 0);
	move("next", "now"); /* as deployments do it */
	run_now();
	assert_true(knows(inode("v2/a")));
	run_until(one_is_left);
	move("v2", "v3");
	run_now();
	run_until(none_is_left);
	move("v3", "v2");
	run_now();
	assert_true(knows(inode("v2/a")));
}

/* Back before it was given up: it never was away. */
static void there_and_back(void **state)
{
	ino_t first;

	(void)state;
	make("a");
	first = inode("a");
	follow("a");
	move("a", "b");
	run_now();
	move("b", "a");
	run_now();
	assert_int_equal(known.count, 1);
	assert_int_equal(known.came, 1);
	assert_true(knows(first));
}

static void what_is_no_file_is_none(void **state)
{
	(void)state;
	assert_int_equal(mkdir(in_dir("a"), 0755), 0);
	assert_int_equal(mkfifo(in_dir("b"), 0755), 0);
	assert_int_equal(symlink("c", in_dir("c")), 0);
	make("d");
	follow("a");
	follow("b");
	follow("c");
	follow("d/e");
	follow("a/");
	assert_int_equal(known.count, 0);
	assert_int_equal(rmdir(in_dir("a")), 0);
	make("a");
	run_now();
	assert_true(knows(inode("a")));
}

/* --- places --- */

static bool is_place(const char *directory, const char *name)
{
	struct stat st;

	assert_int_equal(stat(in_dir(directory), &st), 0);
	return known.place.name == exefiles_name(name) && known.place.id.inode == st.st_ino;
}

static void names_are_told_apart(void **state)
{
	char a[FL_NAME_MAX + 1], b[FL_NAME_MAX + 1];

	(void)state;
	for (size_t len = 1; len <= FL_NAME_MAX; len++) {
		memset(a, 'a', len);
		a[len] = '\0';
		memcpy(b, a, sizeof(b));
		assert_int_equal(exefiles_name(a), exefiles_name(b));
		assert_int_not_equal(exefiles_name(a), 0);
		b[len - 1] = 'b';
		assert_int_not_equal(exefiles_name(a), exefiles_name(b));
		b[len - 1] = '\0';
		assert_int_not_equal(exefiles_name(a), exefiles_name(b));
		b[len - 1] = a[len - 1];
		b[0] = 'c';
		assert_int_not_equal(exefiles_name(a), exefiles_name(b));
	}
}

static void a_place_stays_when_its_file_changes(void **state)
{
	(void)state;
	follow("a");
	assert_int_equal(known.count, 0);
	assert_true(is_place(".", "a")); /* nobody is there yet */
	make("a");
	run_now();
	make("a.new");
	move("a.new", "a");
	run_now();
	unlink(in_dir("a"));
	run_now();
	assert_true(is_place(".", "a"));
	assert_int_equal(known.moved, 1);
}

static void a_place_moves_with_what_leads_to_it(void **state)
{
	(void)state;
	assert_int_equal(mkdir(in_dir("v1"), 0755), 0);
	assert_int_equal(mkdir(in_dir("v2"), 0755), 0);
	make("v1/a");
	make("v2/b");
	assert_int_equal(symlink("v1/a", in_dir("now")), 0);
	follow("now");
	assert_true(is_place("v1", "a"));
	assert_int_equal(symlink("v2/b", in_dir("next")), 0);
	move("next", "now");
	run_now();
	assert_true(is_place("v2", "b"));
	unlink(in_dir("v2/b"));
	run_now();
	assert_true(is_place("v2", "b"));
	assert_int_equal(rmdir(in_dir("v2")), 0);
	run_now();
	assert_int_equal(known.place.name, 0);
}

/* Whoever may make a file here may not make this one. */
static void a_sticky_directory_is_no_place(void **state)
{
	(void)state;
	assert_int_equal(mkdir(in_dir("d"), 0755), 0);
	make("d/a");
	follow("d/a");
	assert_true(is_place("d", "a"));
	assert_int_equal(chmod(in_dir("d"), 01777), 0);
	run_now();
	assert_int_equal(known.place.name, 0);
	assert_int_equal(known.count, 1);
	assert_int_equal(chmod(in_dir("d"), 0777), 0);
	run_now();
	assert_true(is_place("d", "a"));
}

static void what_leads_to_no_file_is_no_place(void **state)
{
	(void)state;
	assert_int_equal(mkdir(in_dir("a"), 0755), 0);
	make("d");
	follow("a");
	follow("a/");
	follow("d/e");
	follow("x/y");
	follow("a/.");
	follow("a/..");
	assert_int_equal(known.moved, 0);
}

/* --- while somebody runs it --- */

static void copy_program(const char *from, const char *name)
{
	char command[512];

	snprintf(command, sizeof(command), "cp %s '%s'", from, in_dir(name));
	assert_int_equal(system(command), 0);
}

static int looks;

static bool three_looks(void)
{
	return looks++ == 3;
}

/* Runs the program NAME until TO is closed. It runs on return: its exec has closed a pipe. */
static pid_t start(const char *name, const int to[2])
{
	int execs[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe2(execs, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(to[0], STDIN_FILENO);
		execl(in_dir(name), name, (char *)NULL);
		_exit(127);
	}
	close(to[0]);
	close(execs[1]);
	assert_int_equal(read(execs[0], &byte, 1), 0);
	close(execs[0]);
	return pid;
}

static void a_replaced_file_stays_while_it_runs(void **state)
{
	int to[2];
	ino_t old;
	pid_t pid;

	(void)state;
	copy_program("/bin/cat", "a");
	old = inode("a");
	follow("a");
	assert_int_equal(pipe2(to, O_CLOEXEC), 0);
	pid = start("a", to);
	make("a.new");
	move("a.new", "a");
	run_now();
	looks = 0;
	run_until(three_looks);
	assert_true(knows(old) && knows(inode("a")));
	close(to[1]);
	waitpid(pid, NULL, 0);
	run_until(one_is_left);
	assert_true(knows(inode("a")));
}

/* --- under load --- */

static void rename_many(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int i = 0; i < RENAMES; i++) {
		int fd = open(in_dir("a.new"), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0755);

		if (fd < 0 || close(fd) || rename(in_dir("a.new"), in_dir("a")))
			_exit(1);
	}
	_exit(0);
}

static pid_t renamer;

static bool renamer_ended(void)
{
	int status = 0;

	if (renamer && waitpid(renamer, &status, WNOHANG) == renamer) {
		assert_int_equal(status, 0);
		renamer = 0;
	}
	return !renamer;
}

static void thousands_of_renames(void **state)
{
	struct stat st;

	(void)state;
	make("a");
	follow("a");
	renamer = fork();
	assert_true(renamer >= 0);
	if (renamer == 0)
		rename_many();
	while (!renamer_ended()) {
		run_now();
		/* neither numbers nor descriptors pile up */
		assert_true(known.count <= 66);
	}
	run_now();
	assert_true(knows(inode("a")));
	assert_true(known.came > 10);
	run_until(one_is_left);
	assert_int_equal(known.files[0].inode, inode("a"));
	assert_int_equal(stat(in_dir("a"), &st), 0);
}

static void many_paths_in_one_directory(void **state)
{
	char name[32], next[32];

	(void)state;
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "p%d", i);
		make(name);
		follow(name);
	}
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "p%d", i);
		snprintf(next, sizeof(next), "n%d", i);
		make(next);
		move(next, name);
	}
	run_now();
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "p%d", i);
		assert_true(knows(inode(name)));
	}
	assert_int_equal(known.count, 300); /* so many replaced ones are given up at once */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_is_there_is_known_at_once),
		TEST(a_rename_over_it),
		TEST(removed_and_made_again),
		TEST(a_number_is_not_used_again_while_it_is_known),
		TEST(a_name_that_comes_later),
		TEST(a_directory_on_the_way_is_replaced),
		TEST(there_and_back),
		TEST(what_is_no_file_is_none),
		TEST(names_are_told_apart),
		TEST(a_place_stays_when_its_file_changes),
		TEST(a_place_moves_with_what_leads_to_it),
		TEST(a_sticky_directory_is_no_place),
		TEST(what_leads_to_no_file_is_no_place),
		TEST(a_replaced_file_stays_while_it_runs),
		TEST(thousands_of_renames),
		TEST(many_paths_in_one_directory),
	};

	return cmocka_run_group_tests_name("exefiles", tests, NULL, NULL);
}
