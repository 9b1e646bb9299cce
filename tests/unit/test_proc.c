/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of process images: records in any order, from the maps, from /proc; damaged records;
 * the bound. The maps are replaced by FAKE below: the linker takes this definition before the
 * module's.
 */
#include "kernel/maps.h"
#include "daemon/proc.h"
#include "host/procfs.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define HEAD offsetof(struct fl_text, text)

static struct {
	struct fl_process rec; /* key all zero: not there */
	struct fl_text text;
	int calls;
} fake;

int maps_get_process(const struct maps *m, const struct fl_proc_key *key,
		     struct fl_process *ret_process, struct fl_text *ret_text)
{
	(void)m;
	fake.calls++;
	if (ret_process) {
		if (memcmp(&fake.rec.key, key, sizeof(*key)))
			return -ENOENT;
		*ret_process = fake.rec;
	}
	if (ret_text) {
		if (memcmp(&fake.text.key, key, sizeof(*key)))
			return -ENOENT;
		*ret_text = fake.text;
	}
	return 0;
}

/* ---- building records ---- */

/* Of a process that cannot be: nothing in /proc answers for it. */
static struct fl_proc_key key_of(__u32 pid, __u32 exec_id)
{
	return (struct fl_proc_key){ .start_ns = 5, .pid = 0x40000000u + pid, .exec_id = exec_id };
}

static struct fl_owner owner_of(struct fl_proc_key key, const char *comm)
{
	struct fl_owner owner = { .proc = key, .uid = 1000, .gid = 100 };

	snprintf(owner.comm, sizeof(owner.comm), "%s", comm);
	return owner;
}

static struct fl_process process_of(struct fl_proc_key key, const char *comm)
{
	struct fl_process rec = { .head = { FL_RECORD_PROCESS, sizeof(rec) },
				  .key = key,
				  .uid = 7 };

	snprintf(rec.comm, sizeof(rec.comm), "%s", comm);
	return rec;
}

static struct fl_text text_of(struct fl_proc_key key, const char *exe, const char *args,
			      size_t args_len)
{
	struct fl_text text = { .head = { .type = FL_RECORD_TEXT }, .key = key, .ready = 1 };

	text.exe_len = (__u32)strlen(exe);
	text.args_len = (__u32)args_len;
	memcpy(text.text, exe, text.exe_len + 1);
	memcpy(text.text + text.exe_len + 1, args, args_len);
	text.head.size = (__u32)(HEAD + text.exe_len + 1 + args_len);
	return text;
}

static void add_process(struct procs *procs, const struct fl_process *rec)
{
	assert_int_equal(procs_add_process(procs, rec, sizeof(*rec)), 0);
}

/* The bytes that were received and not one more: a reader past them is seen by the sanitizer. */
static int add_text(struct procs *procs, const struct fl_text *text, size_t size)
{
	void *exact = malloc(size ? size : 1);
	int r;

	assert_non_null(exact);
	memcpy(exact, text, size);
	r = procs_add_text(procs, exact, size);
	free(exact);
	return r;
}

static const struct process *get(struct procs *procs, struct fl_proc_key key, const char *comm)
{
	const struct fl_owner owner = owner_of(key, comm);

	return procs_get(procs, &owner);
}

static int setup(void **state)
{
	memset(&fake, 0, sizeof(fake));
	return procs_new((const struct maps *)&fake, 4, (struct procs **)state);
}

static int teardown(void **state)
{
	procs_free(*state);
	return 0;
}

/* ---- records ---- */

static void nobody(void **state)
{
	const struct fl_owner none = {};

	assert_null(procs_get(*state, &none));
	assert_int_equal(procs_count(*state), 0);
	procs_free(NULL);
}

static void unknown_is_what_the_owner_says(void **state)
{
	const struct process *p = get(*state, key_of(1, 0), "curl");

	assert_non_null(p);
	assert_false(p->known);
	assert_int_equal(p->rec.key.pid, key_of(1, 0).pid);
	assert_string_equal(p->rec.comm, "curl");
	assert_int_equal(p->rec.uid, 1000);
	assert_int_equal(p->rec.gid, 100);
	assert_true(p->rec.login_uid == FL_LOGIN_UNSET);
	assert_int_equal(p->rec.ancestor_count, 0);
	assert_null(p->exe);
	assert_null(p->args);
	assert_null(p->previous_exe);
}

static void records_in_either_order(void **state)
{
	for (__u32 i = 0; i < 2; i++) {
		struct fl_process rec = process_of(key_of(i, 3), "curl");
		struct fl_text text = text_of(key_of(i, 3), "/usr/bin/curl", "curl\0-v", 8);
		const struct process *p;

		rec.ancestor_count = 1;
		rec.ancestors[0] = (struct fl_ancestor){ .pid = 9, .comm = "bash" };
		if (i)
			add_process(*state, &rec);
		assert_int_equal(add_text(*state, &text, text.head.size), 0);
		if (!i)
			add_process(*state, &rec);
		p = get(*state, key_of(i, 3), "other");
		assert_true(p->known);
		assert_string_equal(p->rec.comm, "curl");
		assert_int_equal(p->rec.uid, 7);
		assert_string_equal(p->exe, "/usr/bin/curl");
		assert_int_equal(p->args_len, 8);
		assert_memory_equal(p->args, "curl\0-v", 8);
		assert_false(p->args_truncated);
		assert_string_equal(p->rec.ancestors[0].comm, "bash");
	}
	assert_int_equal(procs_count(*state), 2);
	assert_int_equal(fake.calls, 0);
}

static void only_one_came_the_maps_have_the_other(void **state)
{
	struct fl_process rec = process_of(key_of(1, 0), "curl");
	struct fl_text text = text_of(key_of(2, 0), "/bin/x", "x", 2);
	const struct process *p;

	add_process(*state, &rec);
	fake.text = text_of(key_of(1, 0), "/usr/bin/curl", "curl", 5);
	p = get(*state, key_of(1, 0), "");
	assert_string_equal(p->exe, "/usr/bin/curl");
	assert_int_equal(p->args_len, 5);

	assert_int_equal(add_text(*state, &text, text.head.size), 0);
	fake.rec = process_of(key_of(2, 0), "x");
	p = get(*state, key_of(2, 0), "");
	assert_true(p->known);
	assert_string_equal(p->rec.comm, "x");
	assert_string_equal(p->exe, "/bin/x");
}

static void all_from_the_maps_but_not_half_written(void **state)
{
	const struct process *p;

	fake.rec = process_of(key_of(1, 0), "curl");
	fake.text = text_of(key_of(1, 0), "/usr/bin/curl", "curl", 5);
	fake.text.ready = 0;
	p = get(*state, key_of(1, 0), "");
	assert_true(p->known);
	assert_null(p->exe);
	fake.text.ready = 1;
	assert_string_equal(get(*state, key_of(1, 0), "")->exe, "/usr/bin/curl");
}

static void damaged_map_values_are_not_believed(void **state)
{
	const struct process *p;

	fake.rec = process_of(key_of(1, 0), "curl");
	fake.rec.ancestor_count = FL_ANCESTORS + 1;
	fake.text = text_of(key_of(1, 0), "/usr/bin/curl", "curl", 5);
	fake.text.args_len = FL_ARGS_MAX + 1;
	p = get(*state, key_of(1, 0), "");
	assert_false(p->known);
	assert_null(p->exe);
}

static void memory_files_have_one_spelling(void **state)
{
	static const char *const spellings[] = { "memfd:x", "/memfd:x" };

	for (__u32 i = 0; i < 2; i++) {
		struct fl_text text = text_of(key_of(i, 0), spellings[i], "", 0);

		assert_int_equal(add_text(*state, &text, text.head.size), 0);
		assert_string_equal(get(*state, key_of(i, 0), "")->exe, "/memfd:x");
	}
}

static void what_was_not_read_erases_nothing(void **state)
{
	struct fl_text text = text_of(key_of(1, 0), "/bin/x", "x", 2);
	struct fl_text empty = text_of(key_of(1, 0), "", "", 0);
	struct fl_text args = text_of(key_of(1, 0), "", "yy", 3);
	const struct process *p;

	assert_int_equal(add_text(*state, &text, text.head.size), 0);
	empty.head.size = HEAD; /* nothing at all after the header */
	assert_int_equal(add_text(*state, &empty, HEAD), 0);
	p = get(*state, key_of(1, 0), "");
	assert_string_equal(p->exe, "/bin/x");
	assert_memory_equal(p->args, "x", 2);
	args.args_truncated = 1;
	assert_int_equal(add_text(*state, &args, args.head.size), 0);
	p = get(*state, key_of(1, 0), "");
	assert_string_equal(p->exe, "/bin/x");
	assert_memory_equal(p->args, "yy", 3);
	assert_true(p->args_truncated);
}

static void the_largest_text(void **state)
{
	static struct fl_text text;
	const struct process *p;

	text = text_of(key_of(1, 0), "", "", 0);
	memset(text.text, 'a', sizeof(text.text));
	text.exe_len = FL_EXE_MAX;
	text.text[FL_EXE_MAX] = '\0';
	text.args_len = FL_ARGS_MAX;
	text.head.size = sizeof(text);
	assert_int_equal(add_text(*state, &text, sizeof(text)), 0);
	p = get(*state, key_of(1, 0), "");
	assert_int_equal(strlen(p->exe), FL_EXE_MAX);
	assert_int_equal(p->args_len, FL_ARGS_MAX);
}

static void damaged_text_is_refused(void **state)
{
	const struct fl_text good = text_of(key_of(1, 0), "/bin/x", "x", 2);
	struct fl_text t;

#define REFUSED(size_, ...)                                                                        \
	do {                                                                                       \
		t = good;                                                                          \
		__VA_ARGS__;                                                                       \
		assert_int_equal(add_text(*state, &t, (size_)), -EINVAL);                          \
	} while (0)
	REFUSED(0);
	REFUSED(4);
	REFUSED(HEAD - 1);
	REFUSED(good.head.size - 1);		/* cut in the ring */
	REFUSED(good.head.size, t.head.size--); /* claims less than it holds */
	REFUSED(good.head.size, t.head.size = 0);
	REFUSED(good.head.size, t.head.size++); /* claims more than came */
	REFUSED(good.head.size, t.head.size = 0xffffffffu);
	REFUSED(good.head.size, t.head.type = FL_RECORD_PROCESS);
	REFUSED(good.head.size, t.exe_len++);
	REFUSED(good.head.size, t.args_len++);
	REFUSED(sizeof(t), t.exe_len = FL_EXE_MAX + 1, t.head.size = sizeof(t));
	REFUSED(sizeof(t), t.args_len = FL_ARGS_MAX + 1, t.head.size = sizeof(t));
	REFUSED(good.head.size, t.exe_len = 0xffffffffu);
	REFUSED(good.head.size, t.args_len = 0xffffffffu);
	REFUSED(good.head.size, t.text[2] = '\0');	  /* a NUL in the path */
	REFUSED(good.head.size, t.text[t.exe_len] = 'y'); /* no NUL after it */
#undef REFUSED
	assert_int_equal(procs_count(*state), 0);
	/* more may have been received than is claimed */
	assert_int_equal(add_text(*state, &good, sizeof(good)), 0);
}

static void damaged_process_is_refused(void **state)
{
	const struct fl_process good = process_of(key_of(1, 0), "x");
	struct fl_process rec = good;
	const struct process *p;

	assert_int_equal(procs_add_process(*state, &rec, sizeof(rec) - 1), -EINVAL);
	rec.head.size--;
	assert_int_equal(procs_add_process(*state, &rec, sizeof(rec)), -EINVAL);
	rec.head.size += 2;
	assert_int_equal(procs_add_process(*state, &rec, sizeof(rec)), -EINVAL);
	rec = good;
	rec.head.type = FL_RECORD_TEXT;
	assert_int_equal(procs_add_process(*state, &rec, sizeof(rec)), -EINVAL);
	rec = good;
	rec.ancestor_count = FL_ANCESTORS + 1;
	assert_int_equal(procs_add_process(*state, &rec, sizeof(rec)), -EINVAL);
	assert_int_equal(procs_count(*state), 0);
	/* names without an end get one */
	rec = good;
	memset(rec.comm, 'c', sizeof(rec.comm));
	memset(rec.ancestors[7].comm, 'a', sizeof(rec.ancestors[7].comm));
	rec.ancestor_count = 8;
	add_process(*state, &rec);
	p = get(*state, key_of(1, 0), "");
	assert_string_equal(p->rec.comm, "ccccccccccccccc");
	assert_string_equal(p->rec.ancestors[7].comm, "aaaaaaaaaaaaaaa");
}

static void exit_is_kept(void **state)
{
	struct fl_process rec = process_of(key_of(1, 0), "x");
	struct fl_exit end = { .head = { FL_RECORD_EXIT, sizeof(end) },
			       .key = key_of(1, 0),
			       .time_ns = 9 };

	assert_int_equal(procs_exited(*state, &end, sizeof(end) - 1), -EINVAL);
	assert_int_equal(procs_exited(*state, &end, sizeof(end)),
			 0); /* not known: nothing to note */
	assert_int_equal(procs_count(*state), 0);
	add_process(*state, &rec);
	assert_int_equal(procs_exited(*state, &end, sizeof(end)), 0);
	assert_int_equal(get(*state, key_of(1, 0), "")->rec.exited_ns, 9);
	/* the record again, as it was before the exit */
	add_process(*state, &rec);
	assert_int_equal(get(*state, key_of(1, 0), "")->rec.exited_ns, 9);
}

static void previous_is_the_image_before(void **state)
{
	static const struct {
		__u32 exec_id;
		const char *exe;
	} images[] = { { 5, "/five" }, { 1, "/one" }, { 3, "/three" } };
	struct fl_text other = text_of(key_of(2, 2), "/other", "", 0);

	for (size_t i = 0; i < 3; i++) {
		struct fl_text text = text_of(key_of(1, images[i].exec_id), images[i].exe, "", 0);

		assert_int_equal(add_text(*state, &text, text.head.size), 0);
	}
	assert_int_equal(add_text(*state, &other, other.head.size), 0);
	assert_null(get(*state, key_of(1, 1), "")->previous_exe);
	assert_string_equal(get(*state, key_of(1, 3), "")->previous_exe, "/one");
	assert_string_equal(get(*state, key_of(1, 5), "")->previous_exe, "/three");
	assert_null(get(*state, key_of(2, 2), "")->previous_exe);
}

static void the_one_used_longest_ago_goes(void **state)
{
	for (__u32 pid = 1; pid <= 4; pid++) {
		struct fl_process rec = process_of(key_of(pid, 0), "x");

		add_process(*state, &rec);
	}
	assert_true(get(*state, key_of(1, 0), "")->known);
	for (__u32 pid = 5; pid <= 6; pid++) {
		struct fl_process rec = process_of(key_of(pid, 0), "x");

		add_process(*state, &rec);
	}
	assert_int_equal(procs_count(*state), 4);
	assert_true(get(*state, key_of(1, 0), "")->known);
	assert_true(get(*state, key_of(4, 0), "")->known);
	assert_true(get(*state, key_of(5, 0), "")->known);
	assert_true(get(*state, key_of(6, 0), "")->known);
	assert_false(get(*state, key_of(2, 0), "")->known);
	assert_int_equal(procs_count(*state), 4);
}

static void many_images_one_bound(void **state)
{
	struct procs *procs;

	(void)state;
	assert_int_equal(procs_new(NULL, 0, &procs), -EINVAL);
	assert_int_equal(procs_new(NULL, 100, &procs), 0);
	for (__u32 i = 0; i < 5000; i++) {
		struct fl_process rec = process_of(key_of(i % 700, i % 3), "x");

		add_process(procs, &rec);
		assert_true(procs_count(procs) <= 100);
	}
	assert_int_equal(procs_count(procs), 100);
	procs_free(procs);
}

/* ---- /proc ---- */

static void need_host_pids(void)
{
	if (!procfs_has_host_pids()) {
		print_message("/proc is never asked in a pid namespace below the first\n");
		skip();
	}
}

/* As the kernel side would have it, to the tick. */
static struct fl_proc_key key_of_pid(pid_t pid)
{
	struct fl_proc_key key = { .pid = (__u32)pid, .exec_id = 1 };
	char path[64], text[1024] = "", *rest;
	unsigned long long ticks = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	assert_non_null(f);
	assert_true(fread(text, 1, sizeof(text) - 1, f) > 0);
	fclose(f);
	rest = strrchr(text, ')');
	for (int field = 2; field < 22; field++)
		rest = strchr(rest + 1, ' ');
	ticks = strtoull(rest, NULL, 10);
	key.start_ns = ticks * (1000000000ull / (unsigned long long)sysconf(_SC_CLK_TCK)) + 12345;
	return key;
}

static void comm_of_self(char comm[FL_COMM_LEN])
{
	assert_int_equal(prctl(PR_GET_NAME, comm), 0);
}

static void self_from_proc(void **state)
{
	const struct fl_proc_key key = key_of_pid(getpid());
	char exe[4096] = "", comm[FL_COMM_LEN];
	const struct process *p;
	struct stat st;

	need_host_pids();
	comm_of_self(comm);
	assert_true(readlink("/proc/self/exe", exe, sizeof(exe) - 1) > 0);
	assert_int_equal(stat("/proc/self/exe", &st), 0);
	p = get(*state, key, comm);
	assert_false(p->known);
	assert_string_equal(p->exe, exe);
	assert_non_null(p->args);
	assert_int_equal(p->args[p->args_len - 1], '\0');
	assert_int_equal(p->rec.exe_inode, st.st_ino);
	assert_int_equal(p->rec.exe_dev, major(st.st_dev) << 20 | minor(st.st_dev));
	assert_int_equal(p->rec.exe_flags, 0);
	assert_int_equal(p->rec.uid, 1000); /* the owner's, not /proc's */
	assert_int_equal(p->rec.ancestor_count, 1);
	assert_int_equal(p->rec.ancestors[0].pid, getppid());
	assert_true(p->rec.ancestors[0].comm[0]);
}

static void another_start_is_another_process(void **state)
{
	struct fl_proc_key key = key_of_pid(getpid());
	char comm[FL_COMM_LEN];

	need_host_pids();
	comm_of_self(comm);
	key.start_ns += 10000000;
	assert_null(get(*state, key, comm)->exe);
	key.start_ns -= 20000000;
	assert_null(get(*state, key, comm)->exe);
}

static void another_name_or_file_is_another_image(void **state)
{
	const struct fl_proc_key key = key_of_pid(getpid());
	char comm[FL_COMM_LEN];
	struct fl_process rec;
	const struct process *p;
	struct procs *procs;
	struct stat st;

	need_host_pids();
	comm_of_self(comm);
	assert_null(get(*state, key, "bash")->exe);

	/* the file decides where it is known, not the name */
	assert_int_equal(stat("/proc/self/exe", &st), 0);
	for (int right = 0; right < 2; right++) {
		assert_int_equal(procs_new(NULL, 4, &procs), 0);
		rec = process_of(key, "bash");
		rec.exe_inode = st.st_ino + !right;
		rec.exe_dev = (__u32)(major(st.st_dev) << 20 | minor(st.st_dev));
		add_process(procs, &rec);
		p = get(procs, key, comm);
		assert_true(right == (p->exe != NULL));
		assert_true(right == (p->args != NULL));
		assert_int_equal(p->rec.ancestor_count, 0); /* the record stays the kernel side's */
		procs_free(procs);
	}
}

static void an_image_that_ended_is_not_looked_for(void **state)
{
	const struct fl_proc_key key = key_of_pid(getpid());
	struct fl_proc_key next = key;
	struct fl_process rec;
	struct fl_exit end = {
		.head = { FL_RECORD_EXIT, sizeof(end) }, .key = key, .time_ns = 9, .replaced = 1
	};
	char comm[FL_COMM_LEN];

	need_host_pids();
	comm_of_self(comm);
	rec = process_of(key, comm);
	add_process(*state, &rec);
	assert_int_equal(procs_exited(*state, &end, sizeof(end)), 0);
	assert_null(get(*state, key, comm)->exe);

	/* nor one that a later image is known to have replaced */
	next.exec_id = key.exec_id + 2;
	rec = process_of(next, comm);
	add_process(*state, &rec);
	next.exec_id = key.exec_id + 1;
	assert_null(get(*state, next, comm)->exe);
	next.exec_id = key.exec_id + 2;
	assert_non_null(get(*state, next, comm)->exe);
}

/* Runs the file open at FD (closed here) with ARGS until killed. */
static bool runs_sleep(pid_t pid)
{
	char path[64], args[8] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	f = fopen(path, "re");
	assert_non_null(f);
	(void)!fread(args, 1, sizeof(args) - 1, f);
	fclose(f);
	return !strcmp(args, "sleep");
}

/* Runs `sleep`. An exec that has closed descriptors is not over yet; its arguments come last. */
static pid_t run(int fd, char *const args[])
{
	char *const env[] = { NULL };
	int gone[2];
	char c;
	pid_t pid;

	assert_int_equal(pipe2(gone, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		/* also when an assertion ends this test early */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		fexecve(fd, args, env);
		_exit(127);
	}
	close(fd);
	close(gone[1]);
	/* the exec closes the other end */
	assert_int_equal(read(gone[0], &c, 1), 0);
	close(gone[0]);
	while (!runs_sleep(pid))
		usleep(1000); /* lint: poll */
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void copy_sleep(int to)
{
	int from = open("/bin/sleep", O_RDONLY | O_CLOEXEC);
	struct stat st;

	assert_true(from >= 0);
	assert_int_equal(fstat(from, &st), 0);
	/* within a file this small it is one piece */
	assert_int_equal(sendfile(to, from, NULL, (size_t)st.st_size), st.st_size);
	close(from);
}

static char *const sleep_args[] = { (char[]){ "sleep" }, (char[]){ "1000" }, NULL };

static void read_comm(pid_t pid, char comm[FL_COMM_LEN])
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	f = fopen(path, "re");
	assert_non_null(f);
	assert_non_null(fgets(comm, FL_COMM_LEN, f));
	comm[strcspn(comm, "\n")] = '\0';
	fclose(f);
}

static void memory_file_from_proc(void **state)
{
	int fd = memfd_create("tool", MFD_CLOEXEC);
	char comm[FL_COMM_LEN];
	const struct process *p;
	pid_t pid;

	need_host_pids();
	assert_true(fd >= 0);
	copy_sleep(fd);
	pid = run(fd, sleep_args);
	read_comm(pid, comm);
	p = get(*state, key_of_pid(pid), comm);
	end(pid);
	assert_string_equal(p->exe, "/memfd:tool");
	assert_int_equal(p->rec.exe_flags, FL_EXE_MEMFD | FL_EXE_DELETED);
	assert_int_equal(p->args_len, 11);
	assert_memory_equal(p->args, "sleep\0001000", 11);
	assert_int_equal(p->rec.ancestors[0].pid, getpid());
}

/* Only a file that lost its name is deleted; one may also be called so. */
static void deleted_or_called_so(void **state)
{
	char comm[FL_COMM_LEN], path[64], odd[80];
	const struct process *p;
	pid_t pid;
	int fd;

	need_host_pids();
	snprintf(path, sizeof(path), "/tmp/test_proc.%d", getpid());
	snprintf(odd, sizeof(odd), "%s (deleted)", path);
	for (int deleted = 0; deleted < 2; deleted++) {
		const char *name = deleted ? path : odd;

		fd = open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0700);
		assert_true(fd >= 0);
		copy_sleep(fd);
		close(fd);
		fd = open(name, O_RDONLY | O_CLOEXEC);
		pid = run(fd, sleep_args);
		if (deleted)
			unlink(name);
		read_comm(pid, comm);
		p = get(*state, key_of_pid(pid), comm);
		end(pid);
		unlink(name);
		assert_string_equal(p->exe, name);
		assert_int_equal(p->rec.exe_flags, deleted ? FL_EXE_DELETED : 0);
	}
}

static void no_file_no_answer(void **state)
{
	struct fl_proc_key key;
	pid_t pid;

	need_host_pids();
	/* a zombie has no executable any more, and its name is still there */
	pid = fork();
	if (pid == 0)
		_exit(0);
	assert_int_equal(waitid(P_PID, (id_t)pid, NULL, WEXITED | WNOWAIT), 0);
	key = key_of_pid(pid);
	assert_null(get(*state, key, "test_proc")->exe);
	waitpid(pid, NULL, 0);
	/* what /proc refused is not asked again, and nothing is there now */
	assert_null(get(*state, key, "test_proc")->exe);
	assert_int_equal(get(*state, key, "test_proc")->rec.ancestor_count, 0);
}

/* What the child of the next test does: become the other of two files, for ever. */
static int flip(char *name)
{
	char next[64], *args[] = { next, (char[]){ "flip" }, NULL }, *env[] = { NULL };

	snprintf(next, sizeof(next), "%s", name);
	next[strlen(next) - 1] ^= 'a' ^ 'b';
	execve(next, args, env);
	return 1;
}

static void copy_self(const char *name)
{
	int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int to = open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0700);
	struct stat st;

	assert_int_equal(fstat(from, &st), 0);
	assert_int_equal(sendfile(to, from, NULL, (size_t)st.st_size), st.st_size);
	close(from);
	close(to);
}

/* Always one image, never the path of one with the arguments of the other. */
static void an_exec_meanwhile_is_no_mixture(void **state)
{
	char a[64], b[64], *args[] = { a, (char[]){ "flip" }, NULL }, *env[] = { NULL };
	struct fl_proc_key key;
	int seen = 0, refused = 0;
	pid_t pid;

	(void)state;
	snprintf(a, sizeof(a), "/tmp/test_proc.%d.a", getpid());
	snprintf(b, sizeof(b), "/tmp/test_proc.%d.b", getpid());
	copy_self(a);
	copy_self(b);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execve(a, args, env);
		_exit(127);
	}
	key = key_of_pid(pid);
	for (int i = 0; i < 20000 && (seen < 200 || refused < 20); i++) {
		struct procfs found;

		if (procfs_read(&key, &found)) {
			refused++;
			continue;
		}
		/* before its exec it is this test; within one, arguments or file may be gone */
		if (found.args && found.exe && !strncmp(found.exe, a, strlen(a) - 1)) {
			assert_string_equal(found.args, found.exe);
			seen++;
		}
		procfs_release(&found);
	}
	end(pid);
	unlink(a);
	unlink(b);
	assert_true(seen > 0);
}

static void the_kernel_sides_text_wins(void **state)
{
	const struct fl_proc_key key = key_of_pid(getpid());
	struct fl_text text = text_of(key, "/from/the/kernel", "k", 2);
	struct fl_process rec;
	char comm[FL_COMM_LEN];
	const struct process *p;

	need_host_pids();
	comm_of_self(comm);
	assert_non_null(get(*state, key, comm)->exe);
	assert_int_equal(add_text(*state, &text, text.head.size), 0);
	rec = process_of(key, "kernel");
	add_process(*state, &rec);
	p = get(*state, key, comm);
	assert_string_equal(p->exe, "/from/the/kernel");
	assert_memory_equal(p->args, "k", 2);
	assert_string_equal(p->rec.comm, "kernel");
	assert_int_equal(p->rec.ancestor_count, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		T(nobody),
		T(unknown_is_what_the_owner_says),
		T(records_in_either_order),
		T(only_one_came_the_maps_have_the_other),
		T(all_from_the_maps_but_not_half_written),
		T(damaged_map_values_are_not_believed),
		T(memory_files_have_one_spelling),
		T(what_was_not_read_erases_nothing),
		T(the_largest_text),
		T(damaged_text_is_refused),
		T(damaged_process_is_refused),
		T(exit_is_kept),
		T(previous_is_the_image_before),
		T(the_one_used_longest_ago_goes),
		T(many_images_one_bound),
		T(self_from_proc),
		T(another_start_is_another_process),
		T(another_name_or_file_is_another_image),
		T(an_image_that_ended_is_not_looked_for),
		T(memory_file_from_proc),
		T(deleted_or_called_so),
		T(no_file_no_answer),
		T(an_exec_meanwhile_is_no_mixture),
		T(the_kernel_sides_text_wins),
	};

	if (argc == 2 && !strcmp(argv[1], "flip"))
		return flip(argv[0]);
	return cmocka_run_group_tests_name("proc", tests, NULL, NULL);
}
