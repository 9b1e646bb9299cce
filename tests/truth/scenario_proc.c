/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Processes that change (exec, setuid), leave (orphans, reused pids) or hide (namespaces, chroot,
 * programs without a name). Most connect to the stage; what varies is who they are.
 */
#include "scenario.h"

#include "text/cleanup.h"
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actor.h"
#include "net.h"
#include "role.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x10U
#endif

/* The stage listens, OTHER connects, and the two talk until OTHER closes. */
static int answer(int listener)
{
	_conn_ struct conn c = CONN_NONE;

	TRY(tcp_accept(&c, listener, true));
	TRY(recv_end(c.fd));
	return conn_close(&c);
}

static int with_listener(const char *name, actor_fn fn)
{
	_actor_ struct actor a = ACTOR_NONE;
	_conn_ struct conn l = CONN_NONE;
	struct ep at;

	TRY(tcp_listen(&l, NULL, &at));
	TRY(actor_start(&a, name, fn, &at));
	TRY(answer(l.fd));
	TRY(actor_join(&a));
	return conn_close(&l);
}

static int dial(const struct ep *to)
{
	_conn_ struct conn c = CONN_NONE;

	TRY(tcp_connect(&c, to));
	TRY(send_byte(c.fd));
	return conn_close(&c);
}

/* Role "dial": connects to PORT; WAITS: first says that it is there, then waits for its turn. */
int role_dial(int ctl, uint64_t port, uint64_t waits)
{
	struct ep to = loopback(1, (uint16_t)port);
	uint64_t go;

	if (waits) {
		TRY(say(ctl, 0));
		TRY(hear(ctl, &go));
	}
	return dial(&to);
}

/* Role "finish": another image has connected FD; this one uses and closes it. */
int role_finish(int ctl, uint64_t fd, uint64_t index)
{
	_conn_ struct conn c = { .fd = (int)fd, .s = session_at((uint32_t)index) };

	(void)ctl;
	TRY(send_byte(c.fd));
	return conn_close(&c);
}

/* Role "activated": accepts on a listener that was there before this image. */
int role_activated(int ctl, uint64_t listener, uint64_t with_addr)
{
	_conn_ struct conn c = CONN_NONE;
	uint64_t client;

	TRY(tcp_accept(&c, (int)listener, with_addr));
	TRY(hear(ctl, &client));
	if (!with_addr)
		session_mirror(c.s, session_at((uint32_t)client));
	TRY(recv_end(c.fd));
	return conn_close(&c);
}

static int temp_path(char *buf, size_t size, const char *name)
{
	return snprintf(buf, size, "%s/%s", temp_dir, name) < (int)size ? 0 : -ENAMETOOLONG;
}

static int become_activated(int ctl, void *arg)
{
	int listener = *(int *)arg;
	char path[4096];

	TRY(temp_path(path, sizeof(path), "activated"));
	TRY(copy_program(path));
	TRY(keep_over_exec(listener));
	return exec_role(path, -1, "activated", ctl, (uint64_t)listener, turn() & 1);
}

/* Socket activation: one process listens, the image that another becomes accepts. */
int proc_activation(void)
{
	_actor_ struct actor server = ACTOR_NONE;
	_conn_ struct conn l = CONN_NONE, c = CONN_NONE;
	struct ep at;

	TRY(tcp_listen(&l, NULL, &at));
	TRY(actor_start(&server, "activator", become_activated, &l.fd));
	TRY(tcp_connect(&c, &at));
	TRY(say(server.ctl, session_index(c.s)));
	TRY(send_byte(c.fd));
	TRY(conn_close(&c));
	TRY(actor_join(&server));
	return conn_close(&l);
}

static int connects_then_execs(int ctl, void *arg)
{
	struct conn c = CONN_NONE; /* the next image has it */
	char path[4096];

	TRY(temp_path(path, sizeof(path), "after-exec"));
	TRY(copy_program(path));
	TRY(tcp_connect(&c, arg));
	TRY(keep_over_exec(c.fd));
	return exec_role(path, -1, "finish", ctl, (uint64_t)c.fd, session_index(c.s));
}

int proc_connect_exec(void)
{
	return with_listener("before-exec", connects_then_execs);
}

static int execs_then_connects(int ctl, void *arg)
{
	char path[4096];

	TRY(temp_path(path, sizeof(path), "newcomer"));
	TRY(copy_program(path));
	return exec_role(path, -1, "dial", ctl, ((struct ep *)arg)->port, 0);
}

int proc_exec_connect(void)
{
	return with_listener("before-exec", execs_then_connects);
}

struct orphan {
	struct ep to;
	pid_t parent;
	int alive[2]; /* closes with the parent */
	int ready[2]; /* the orphan does not die with its parent any more */
};

static int orphaned(int ctl, struct orphan *o)
{
	char byte;

	keep_when_orphaned();
	SYS(close(o->alive[1]));
	SYS(write(o->ready[1], "r", 1));
	SYS(read(o->alive[0], &byte, 1));
	/* Its files go before it does; the new parent shows when it is really gone. */
	while (getppid() == o->parent)
		usleep(100); /* lint: poll */
	TRY(dial(&o->to));
	return say(ctl, 0);
}

static int leaves_a_child(int ctl, void *arg)
{
	struct orphan o = { .to = *(struct ep *)arg, .parent = getpid() };
	pid_t pid;
	char byte;

	SYS(pipe2(o.alive, O_CLOEXEC));
	SYS(pipe2(o.ready, O_CLOEXEC));
	pid = SYS(fork_self());
	if (pid == 0) {
		prctl(PR_SET_NAME, "orphan");
		_exit(orphaned(ctl, &o) < 0);
	}
	SYS(read(o.ready[0], &byte, 1));
	return 0;
}

int proc_orphan(void)
{
	_actor_ struct actor parent = ACTOR_NONE;
	_conn_ struct conn l = CONN_NONE;
	uint64_t value = 1;
	struct ep at;

	TRY(tcp_listen(&l, NULL, &at));
	SYS(prctl(PR_SET_CHILD_SUBREAPER, 1));
	TRY(actor_start(&parent, "parent", leaves_a_child, &at));
	TRY(wait_pid(parent.pid)); /* the channel stays: the orphan has the other end */
	parent.pid = 0;
	TRY(answer(l.fd));
	TRY(hear(parent.ctl, &value));
	SYS(close(parent.ctl));
	return conn_close(&l);
}

static int drop_root(void)
{
	SYS(setgroups(0, NULL));
	SYS(setresgid(65534, 65534, 65534));
	SYS(setresuid(65534, 65534, 65534));
	self_changed();
	return 0;
}

static int dials_as_nobody(int ctl, void *arg)
{
	(void)ctl;
	TRY(drop_root());
	return dial(arg);
}

static int serves_as_nobody(int ctl, void *arg)
{
	_conn_ struct conn l = CONN_NONE, c = CONN_NONE;
	struct ep at;

	(void)arg;
	TRY(tcp_listen(&l, NULL, &at)); /* as root */
	TRY(drop_root());
	TRY(say(ctl, at.port));
	TRY(tcp_accept(&c, l.fd, true));
	TRY(recv_end(c.fd));
	return conn_close(&c);
}

int proc_setuid(void)
{
	_actor_ struct actor server = ACTOR_NONE;
	struct ep to;
	uint64_t port;

	if (geteuid())
		return skipped("changing the uid needs root");
	TRY(with_listener("nobody", dials_as_nobody));
	TRY(actor_start(&server, "nobody", serves_as_nobody, NULL));
	TRY(hear(server.ctl, &port));
	to = loopback(1, (uint16_t)port);
	TRY(dial(&to));
	TRY(actor_join(&server));
	return 0;
}

/* --- the same pid twice --- */

static int dials_when_told(int ctl, void *arg)
{
	uint64_t go;

	TRY(hear(ctl, &go));
	return go ? dial(arg) : 0;
}

static int next_pid_is(pid_t pid)
{
	_close_ int fd = open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);
	char text[16];
	int len = snprintf(text, sizeof(text), "%d", pid - 1);

	if (fd < 0 || write(fd, text, (size_t)len) < 0)
		return -errno;
	return 0;
}

/* Others fork too: try until the number falls to us. */
static int start_with_pid(struct actor *a, pid_t pid, struct ep *at)
{
	for (int i = 0; i < 50; i++) {
		int r = next_pid_is(pid);

		if (r < 0)
			return r;
		TRY(actor_start(a, "second", dials_when_told, at));
		if (a->pid == pid)
			return 0;
		TRY(say(a->ctl, 0));
		TRY(actor_join(a));
	}
	return -EAGAIN;
}

/* -EAGAIN: somebody else got the pid and keeps it. */
static int reuse_pid(const struct conn *l)
{
	_actor_ struct actor first = ACTOR_NONE, second = ACTOR_NONE;
	struct ep at = l->s->local;
	pid_t pid;
	int r;

	TRY(actor_start(&first, "first", dials_when_told, &at));
	pid = first.pid;
	TRY(say(first.ctl, 1));
	TRY(answer(l->fd));
	TRY(actor_join(&first));
	/* Starts are told apart to a clock tick and a clock offset: let them differ by more. */
	usleep(150000); /* lint: poll, for the clock to tick */
	r = start_with_pid(&second, pid, &at);
	if (r < 0)
		return r;
	TRY(say(second.ctl, 1));
	TRY(answer(l->fd));
	TRY(actor_join(&second));
	return 0;
}

int proc_pid_reuse(void)
{
	_conn_ struct conn l = CONN_NONE;
	struct ep at;
	int r;

	TRY(tcp_listen(&l, NULL, &at));
	for (int i = 0; i < 5; i++) {
		r = reuse_pid(&l);
		if (r == -EACCES || r == -EPERM || r == -ENOENT || r == -EROFS)
			return skipped("ns_last_pid cannot be written");
		if (r != -EAGAIN)
			break;
	}
	if (r == -EAGAIN)
		return skipped("other processes took the pid in each of 250 tries");
	TRY(r);
	return conn_close(&l);
}

/* --- hidden processes --- */

static int first_of_its_pids(int ctl, void *arg)
{
	pid_t pid;

	(void)ctl;
	SYS(unshare(CLONE_NEWPID));
	pid = SYS(fork_self());
	if (pid == 0) {
		prctl(PR_SET_NAME, "pid-one");
		_exit(getpid() != 1 || dial(arg) < 0);
	}
	TRY(wait_pid(pid));
	return 0;
}

int proc_pidns(void)
{
	if (geteuid())
		return skipped("a pid namespace needs root");
	for (int i = 0; i < 2; i++)
		TRY(with_listener("unshared", first_of_its_pids));
	return 0;
}

/*
 * The path to report is the one seen from outside, as an operator would look it up; the process
 * itself sees a shorter one.
 */
static int dials_from_chroot(int ctl, void *arg)
{
	char path[4096], root[4000];

	TRY(temp_path(root, sizeof(root), "root"));
	SYS(mkdir(root, 0755) < 0 && errno != EEXIST ? -1 : 0);
	snprintf(path, sizeof(path), "%s/inside", root);
	TRY(copy_program(path));
	SYS(chroot(root));
	SYS(chdir("/"));
	SYS(setenv("TRUTH_EXE", path, 1));
	return exec_role("/inside", -1, "dial", ctl, ((struct ep *)arg)->port, 0);
}

int proc_chroot(void)
{
	if (geteuid())
		return skipped("chroot needs root");
#ifndef TRUTH_IS_STATIC
	return skipped("built with shared libraries, which the chroot lacks");
#endif
	return with_listener("outside", dials_from_chroot);
}

static int dials_from_own_mount(int ctl, void *arg)
{
	char path[4096], dir[4000];

	TRY(temp_path(dir, sizeof(dir), "mount"));
	SYS(mkdir(dir, 0755) < 0 && errno != EEXIST ? -1 : 0);
	SYS(unshare(CLONE_NEWNS));
	SYS(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	SYS(mount("none", dir, "tmpfs", 0, NULL));
	snprintf(path, sizeof(path), "%s/mounted", dir);
	TRY(copy_program(path));
	return exec_role(path, -1, "dial", ctl, ((struct ep *)arg)->port, 0);
}

int proc_mountns(void)
{
	if (geteuid())
		return skipped("a mount namespace needs root");
	return with_listener("unshared", dials_from_own_mount);
}

struct program {
	char path[EXE_BYTES];
	uint16_t port;
};

static int becomes_and_waits(int ctl, void *arg)
{
	const struct program *p = arg;

	return exec_role(p->path, -1, "dial", ctl, p->port, 1);
}

int proc_exe_deleted(void)
{
	_actor_ struct actor a = ACTOR_NONE;
	_conn_ struct conn l = CONN_NONE;
	static struct program p;
	struct ep at;
	uint64_t there;

	TRY(temp_path(p.path, sizeof(p.path), "deleted"));
	TRY(copy_program(p.path));
	TRY(tcp_listen(&l, NULL, &at));
	p.port = at.port;
	TRY(actor_start(&a, "before-exec", becomes_and_waits, &p));
	TRY(hear(a.ctl, &there));
	SYS(unlink(p.path));
	TRY(say(a.ctl, 0));
	TRY(answer(l.fd));
	TRY(actor_join(&a));
	return conn_close(&l);
}

static int dials_from_memory(int ctl, void *arg)
{
	int out = memfd_create("nameless", MFD_CLOEXEC | MFD_EXEC);

	if (out < 0) /* before Linux 6.3 there was nothing to ask for */
		out = SYS(memfd_create("nameless", MFD_CLOEXEC));
	TRY(copy_program_to(out));
	return exec_role(NULL, out, "dial", ctl, ((struct ep *)arg)->port, 0);
}

int proc_exe_memfd(void)
{
	return with_listener("before-exec", dials_from_memory);
}

/* DEPTH directories with names of WIDTH letters below the scratch directory. */
static int deep_path(char *buf, size_t size, int depth, int width)
{
	size_t len;

	TRY(temp_path(buf, size, ""));
	len = strlen(buf);
	for (int i = 0; i < depth; i++) {
		if (len + (size_t)width + 10 > size)
			return -ENAMETOOLONG;
		memset(buf + len, 'a' + i % 26, (size_t)width);
		len += (size_t)width;
		buf[len] = '\0';
		SYS(mkdir(buf, 0755) < 0 && errno != EEXIST ? -1 : 0);
		buf[len++] = '/';
	}
	memcpy(buf + len, "deep", sizeof("deep"));
	return 0;
}

static int dials_from_deep(int ctl, void *arg)
{
	static const struct {
		int depth, width;
	} shape[] = { { 4, 100 },
		      { 15, 200 },
		      { 30, 2 } }; /* 400 and 3000 bytes; many short names */
	char path[EXE_BYTES];
	unsigned int i = turn() % 3;

	TRY(deep_path(path, sizeof(path), shape[i].depth, shape[i].width));
	TRY(copy_program(path));
	return exec_role(path, -1, "dial", ctl, ((struct ep *)arg)->port, 0);
}

int proc_exe_long(void)
{
	return with_listener("before-exec", dials_from_deep);
}
